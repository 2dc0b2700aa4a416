"""Secrets: a sentinel in every value that is not on the whitelist appears in no change.

Whitelisted are: addresses, types, actions, times, counts, the id of types that have a card, the facts of
`ingest/outputs.py` by name and shape, the tool's own sentence where the tool alone words it, and the summary and detail
of a diagnostic: what a tool itself says of its failure is its message and stays, secret or not.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from ingest.state import read_state
from tests.ingest.lines import SAMPLES, SENTINEL, everything, in_nested_stack, of_stack, read, sample, stack_event, step

_KEPT_OF_TERRAFORM = frozenset(
    {"@level", "@message", "@module", "@timestamp", "type", "addr", "resource_type", "action", "operation", "severity",
     "summary", "detail", "address", "terraform", "tofu", "filename", "context"}
)  # fmt: skip
_KEPT_OF_PULUMI = frozenset({"op", "urn", "type", "parent", "severity", "message", "result"})
_KEPT_OF_CLOUDFORMATION = frozenset(
    {"StackId", "LogicalResourceId", "PhysicalResourceId", "ResourceType", "Timestamp", "ResourceStatus",
     "ResourceStatusReason", "Replacement", "NestedStackPath"}
)  # fmt: skip


def planted(value: Any, kept: frozenset[str], name: str = "") -> Any:
    """A copy with the sentinel in every text whose name is not kept, and under names that were not there."""
    if isinstance(value, dict):
        copy = {key: planted(inner, kept, key) for key, inner in value.items()}
        return copy | {"password": SENTINEL, "environment": {"variables": {"TOKEN": SENTINEL}}, "env": [SENTINEL]}
    if isinstance(value, list):
        return [planted(inner, kept, name) for inner in value]
    return SENTINEL if isinstance(value, str) and name not in kept else value


def assert_nothing_passes(source: str, lines: list[Any], kept: frozenset[str]) -> None:
    with_secrets = [planted(line, kept) for line in lines]
    assert all(SENTINEL in json.dumps(line) for line in with_secrets)
    found = read(source, *with_secrets)
    assert found.changes
    assert SENTINEL not in everything(found)


@pytest.mark.parametrize(
    "name",
    ["terraform/apply.jsonl", "terraform/plan.jsonl", "terraform/equiv-fully_populated_complex_destroy-apply.json",
     "opentofu/apply.jsonl"],
)  # fmt: skip
def test_terraforms_lines_keep_no_value(name: str) -> None:
    assert_nothing_passes("terraform", [json.loads(line) for line in sample(name)], _KEPT_OF_TERRAFORM)


@pytest.mark.parametrize("name", ["real-failed-apply", "real-interrupted-apply"])
def test_what_a_real_provisioner_prints_is_kept_only_where_the_diagnostic_says_it(name: str) -> None:
    lines = [json.loads(line) for line in sample(f"terraform/{name}.jsonl")]
    printed = [line["hook"]["output"] for line in lines if line["type"] == "provision_progress"]
    assert printed
    told = read("terraform", *(line for line in lines if line["type"] != "diagnostic"))
    assert not any(output in everything(change) for output in printed for change in told.changes)
    assert_nothing_passes("terraform", lines, _KEPT_OF_TERRAFORM)


def test_a_secret_in_a_diagnostics_own_words_stays() -> None:
    line = {
        "@module": "terraform.ui", "@message": "Error", "type": "diagnostic",
        "diagnostic": {"severity": "error", "summary": "refused", "detail": f"key {SENTINEL} is not valid"},
    }  # fmt: skip
    assert SENTINEL in everything(read("terraform", line))


@pytest.mark.parametrize("source", ["pulumi", "sst"])
@pytest.mark.parametrize("name", ["up", "up-2", "destroy-with-components", "failed-stacks-dont-rewrite-operations"])
def test_engine_events_keep_no_value(source: str, name: str) -> None:
    lines = [json.loads(line) for line in sample(f"pulumi/{name}.jsonl")]
    assert_nothing_passes(source, lines, _KEPT_OF_PULUMI | {"id"})
    ids = [change.facts.get("provider_resource_id") for change in read(source, *lines).changes]
    assert all(found is None or found.startswith("eks-cluster") for found in ids)


@pytest.mark.parametrize(
    "types",
    ["aws:ec2/instance:Instance", "aws:lambda/function:Function", "aws:rds/instance:Instance",
     "aws:route53/record:Record", "sst:aws:Nextjs", "aws:s3/bucket:Bucket"],
)  # fmt: skip
def test_a_whitelisted_output_that_is_a_secret_is_not_taken(types: str) -> None:
    wrapped = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "value": SENTINEL}
    for secret in (wrapped, {"ciphertext": SENTINEL}, [SENTINEL], f"postgres://user:{SENTINEL}@host/db"):
        names = ("publicIp", "region", "url", "functionUrl", "_hint", "engine", "version", "fqdn", "name", "repository")
        outputs: dict[str, Any] = dict.fromkeys(names, secret)
        outputs["_metadata"] = {"url": secret, "server": secret}
        for source in ("pulumi", "sst"):
            for inputs in (outputs, {}):
                line = step("resOutputsEvent", "create", types, outputs=outputs, inputs=inputs)
                assert SENTINEL not in everything(read(source, line))


def test_cloudformations_events_keep_no_value() -> None:
    change: Mapping[str, Any] = {"Action": "Add", "LogicalResourceId": "A", "Details": [{"Target": "x"}]}
    lines = [
        {"ChangeSet": {"Changes": [change], "Parameters": [{"ParameterValue": "x"}]}},
        of_stack("CREATE_IN_PROGRESS"),
        stack_event("CREATE_COMPLETE", ResourceProperties='{"MasterUserPassword": "x"}', ClientRequestToken="x"),
        in_nested_stack(stack_event("CREATE_COMPLETE", ResourceProperties='{"MasterUserPassword": "x"}')),
        of_stack("CREATE_COMPLETE"),
    ]
    assert_nothing_passes("cloudformation", lines, _KEPT_OF_CLOUDFORMATION)


@pytest.mark.parametrize(
    "name",
    ["terraform/terraform.tfstate", "terraform/show-json-state.json", "terraform/show-json-modules.json",
     "pulumi/checkpoint-v3.json", "pulumi/checkpoint-secrets.json", "pulumi/deployment-todo.json"],
)  # fmt: skip
def test_states_keep_no_value(name: str) -> None:
    kept = frozenset(
        {"urn", "type", "id", "parent", "mode", "name", "module", "address", "index_key", "time", "lineage",
         "format_version", "terraform_version", "version", "provider", "provider_name"}
    )  # fmt: skip
    state = planted(json.loads((SAMPLES / name).read_text()), kept)
    found = read_state(json.dumps(state))
    assert found.resources
    assert SENTINEL in json.dumps(state)
    assert SENTINEL not in everything(found)


@pytest.mark.parametrize("source", ["terraform", "pulumi", "sst", "cloudformation"])
def test_no_reason_repeats_a_line(source: str) -> None:
    for line in (
        SENTINEL,
        f'{{"{SENTINEL}": "{SENTINEL}"}}',
        f'{{"@module": "{SENTINEL}", "type": "{SENTINEL}"}}',
        f'{{"@module": "terraform.ui", "type": "{SENTINEL}"}}',
        f'{{"sequence": 1, "resourcePreEvent": {{"metadata": "{SENTINEL}"}}}}',
        f'{{"ResourceStatus": "{SENTINEL}", "LogicalResourceId": "A"}}',
        f'["{SENTINEL}"]',
        f'"{SENTINEL}',
    ):
        assert SENTINEL not in everything(read(source, line))
