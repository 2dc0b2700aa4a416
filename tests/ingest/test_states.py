"""Imports: what each format of state tells, and the sentence for what is none."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

from ingest.found import FoundResource, FoundState, UnreadableState
from ingest.state import read_state
from tests.ingest.lines import SAMPLES, SENTINEL, STACK_URN, everything, urn

ORDERS = urn("aws:rds/instance:Instance", "orders")
SECRET = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "ciphertext": SENTINEL}


def sample_state(name: str) -> FoundState:
    return read_state((SAMPLES / name).read_bytes())


def tfstate(*instances: dict[str, Any], **rest: Any) -> FoundState:
    resource = {
        "mode": "managed", "type": "aws_db_instance", "name": "orders",
        "provider": 'provider["registry.terraform.io/hashicorp/aws"]', "instances": list(instances), **rest,
    }  # fmt: skip
    state = {"version": 4, "terraform_version": "1.9.0", "serial": 7, "lineage": "abc", "resources": [resource]}
    return read_state(json.dumps(state))


def pulumi_resource(address: str = ORDERS, **rest: Any) -> dict[str, Any]:
    types = address.split("::")[2]
    whole = {"urn": address, "type": types.rsplit("$", 1)[-1], "custom": True, "id": "db-1", "parent": STACK_URN}
    return {**whole, **rest}


def deployment(*resources: dict[str, Any], running: bool = False, **rest: Any) -> FoundState:
    manifest = {"time": "2026-04-11T09:14:46Z", "magic": "x", "version": "v3.215.0"}
    state = {"version": 3, "deployment": {"manifest": manifest, "resources": list(resources), **rest}}
    return read_state(json.dumps(state), running=running)


def only(state: FoundState) -> FoundResource:
    assert len(state.resources) == 1
    return state.resources[0]


# The samples.


def test_a_terraform_state_is_read() -> None:
    state = sample_state("terraform/terraform.tfstate")
    assert (state.source, state.engine_version, state.serial, state.skipped) == ("terraform", "1.3.7", 1, 0)
    assert state.lineage == "bc319b50-c252-a9b5-3ce3-3128618500d6"
    assert only(state) == FoundResource(
        source="terraform",
        address="tfcoremock_complex_resource.complex",
        tool_type="tfcoremock_complex_resource",
        name="complex",
    )


def test_what_show_json_prints_is_read_with_all_modules() -> None:
    assert only(sample_state("terraform/show-json-state.json")).address == "tfcoremock_complex_resource.complex"
    state = sample_state("terraform/show-json-modules.json")
    assert (state.lineage, state.serial, state.engine_version) == ("", None, "0.12.0")
    assert [(one.address, one.name) for one in state.resources] == [
        ("module.module_test_bar.test_instance.example", "module_test_bar.example"),
        ("module.module_test_foo.test_instance.example[0]", "module_test_foo.example[0]"),
    ]


@pytest.mark.parametrize(
    ("name", "count", "components"),
    [("checkpoint-v3", 30, 7), ("checkpoint-secrets", 30, 7), ("deployment-todo", 44, 9)],
)
def test_a_pulumi_state_is_read(name: str, count: int, components: int) -> None:
    state = sample_state(f"pulumi/{name}.json")
    assert (state.source, state.skipped, len({one.address for one in state.resources})) == ("pulumi", 0, count)
    assert {one.state for one in state.resources} == {"provisioned"}
    assert len([one for one in state.resources if one.facts.get("component")]) == components


def test_a_pulumi_state_gives_ids_and_parents() -> None:
    resources = {one.address: one for one in sample_state("pulumi/deployment-todo.json").resources}
    table = resources["urn:pulumi:foo::todo::aws:dynamodb/table:Table::todo"]
    assert table.provider_resource_id == "todo-a1916a6b16ec016b"
    assert table.parent == "urn:pulumi:foo::todo::cloud:table:Table::todo"


def test_a_packed_state_is_read_like_an_unpacked_one() -> None:
    raw = (SAMPLES / "pulumi/checkpoint-v3.json").read_bytes()
    assert read_state(gzip.compress(raw)) == read_state(raw) == read_state(raw.decode())


# Terraform.


def test_addresses_have_their_module_and_key() -> None:
    instances: list[dict[str, Any]] = [
        {"index_key": 'eu"1', "attributes": {}},
        {"index_key": 0, "attributes": {}},
        {"attributes": {}},
    ]
    assert [one.address for one in tfstate(*instances, module='module.shop["a"]').resources] == [
        'module.shop["a"].aws_db_instance.orders["eu\\"1"]',
        'module.shop["a"].aws_db_instance.orders[0]',
        'module.shop["a"].aws_db_instance.orders',
    ]


def test_a_tainted_resource_has_failed() -> None:
    one = only(tfstate({"status": "tainted", "attributes": {"id": "db-1"}}))
    assert (one.state, "tainted" in one.reason) == ("failed", True)


def test_a_deposed_object_beside_its_replacement_is_told_in_its_reason() -> None:
    present = {"attributes": {"id": "new", "engine": "postgres", "engine_version": "16.4"}}
    deposed = {"deposed": "1a2b", "attributes": {"id": "old"}}
    for instances in ((present, deposed), (deposed, present)):
        one = only(tfstate(*instances))
        assert (one.state, one.provider_resource_id) == ("provisioned", "new")
        assert "waits to be deleted" in one.reason
        assert one.facts == {"engine": "postgres", "version": "16.4"}


def test_a_deposed_object_alone_is_deprovisioning() -> None:
    assert only(tfstate({"deposed": "1a2b", "attributes": {"id": "old"}})).state == "deprovisioning"


def test_data_sources_are_left_out() -> None:
    assert tfstate({"attributes": {}}, mode="data").resources == ()


def test_what_the_state_marks_as_sensitive_is_not_taken() -> None:
    marks = [[{"type": "get_attr", "value": "engine"}], [], "x", [5]]
    one = only(tfstate({"attributes": {"id": "db-1", "engine": SENTINEL}, "sensitive_attributes": marks}))
    assert (one.provider_resource_id, dict(one.facts)) == ("db-1", {})
    shown = {
        "address": "aws_db_instance.orders", "mode": "managed", "type": "aws_db_instance", "name": "orders",
        "values": {"id": "db-1", "engine": SENTINEL, "engine_version": "16"}, "tainted": True,
        "sensitive_values": {"engine": True, "engine_version": {}},
    }  # fmt: skip
    one = only(read_state(json.dumps({"format_version": "1.0", "values": {"root_module": {"resources": [shown]}}})))
    assert (one.state, dict(one.facts)) == ("failed", {"version": "16"})


def test_an_opentofu_state_is_known_by_its_registry() -> None:
    state = tfstate({"attributes": {}}, provider='provider["registry.opentofu.org/hashicorp/aws"]')
    assert (state.source, only(state).source) == ("opentofu", "opentofu")


def test_entries_that_are_none_are_counted() -> None:
    state = {"version": 4, "serial": True, "lineage": "x", "resources": [5, {"mode": "managed", "instances": [7, {}]}]}
    found = read_state(json.dumps(state))
    assert (found.resources, found.skipped, found.serial) == ((), 3, None)


def test_an_empty_state_has_no_resources() -> None:
    assert read_state('{"version":4,"serial":1,"lineage":"x","resources":[]}').resources == ()
    assert read_state('{"format_version":"1.0"}').resources == ()


# Pulumi and SST.


def test_the_stack_providers_and_what_is_only_read_are_left_out() -> None:
    state = deployment(
        pulumi_resource(STACK_URN, custom=False),
        pulumi_resource(urn("pulumi:providers:aws", "default")),
        pulumi_resource(external=True),
    )
    assert (state.resources, state.skipped) == ((), 0)
    assert (state.engine_version, state.made_at) == ("v3.215.0", 1_775_898_886_000)


def test_a_resource_that_failed_to_start_has_failed_with_its_words() -> None:
    one = only(deployment(pulumi_resource(initErrors=["\x1b[31mnot healthy\x1b[0m"])))
    assert (one.state, one.reason) == ("failed", "not healthy")


def test_the_old_half_of_a_replacement_is_told_in_the_new_ones_reason() -> None:
    one = only(deployment(pulumi_resource(id="new"), pulumi_resource(id="old", delete=True)))
    assert (one.state, one.provider_resource_id) == ("provisioned", "new")
    assert "waits to be deleted" in one.reason
    assert only(deployment(pulumi_resource(delete=True))).state == "deprovisioning"


def test_what_was_deleted_to_be_replaced_and_not_made_again_was_interrupted() -> None:
    assert only(deployment(pulumi_resource(pendingReplacement=True))).state == "interrupted"


def test_a_tainted_pulumi_resource_has_failed() -> None:
    assert only(deployment(pulumi_resource(taint=True))).state == "failed"


@pytest.mark.parametrize(
    ("kind", "while_running"),
    [("creating", "provisioning"), ("updating", "provisioning"), ("deleting", "deprovisioning")],
)
def test_a_pending_operation_was_interrupted_unless_the_tool_runs(kind: str, while_running: str) -> None:
    pending = [{"resource": pulumi_resource(), "type": kind}]
    there = [] if kind == "creating" else [pulumi_resource()]
    stopped = only(deployment(*there, pending_operations=pending))
    assert (stopped.state, stopped.reason != "") == ("interrupted", True)
    running = only(deployment(*there, pending_operations=pending, running=True))
    assert (running.state, running.reason) == (while_running, "")


def test_a_pending_read_says_nothing() -> None:
    pending = [{"resource": pulumi_resource(), "type": "reading"}, 5, {"resource": 5, "type": "creating"}]
    assert deployment(pending_operations=pending).resources == ()


def test_an_sst_state_is_known_by_its_types_and_reads_like_its_events() -> None:
    site = urn("sst:aws:Nextjs", "Web")
    record = urn("sst:aws:Nextjs$pulumi-nodejs:dynamic:Resource", "WebARecord.sst.cloudflare.DnsRecord")
    state = read_state(
        json.dumps(
            {
                "version": 3,
                "checkpoint": {
                    "stack": "organization/shop/prod",
                    "latest": {
                        "manifest": {},
                        "resources": [
                            pulumi_resource(
                                site, custom=False, id="", outputs={"_metadata": {"url": "https://shop.example.com"}}
                            ),
                            pulumi_resource(record, parent=site, id="rec-1"),
                            pulumi_resource(urn("sst:sst:LinkRef", "Link"), custom=False),
                        ],
                    },
                },
            }
        )
    )
    assert state.source == "sst"
    assert [(one.name, one.parent, one.provider_resource_id, dict(one.facts)) for one in state.resources] == [
        ("Web", "", "", {"component": "yes", "production_url": "https://shop.example.com"}),
        ("WebARecord", site, "rec-1", {}),
    ]


def test_secrets_and_all_other_outputs_stay_out() -> None:
    outputs = {"engine": SECRET, "password": SENTINEL, "endpoint": SENTINEL, "nested": {"engine": SENTINEL}}
    assert SENTINEL not in everything(deployment(pulumi_resource(outputs=outputs, inputs=outputs)))


# What is no state.


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (b"", "empty"),
        (b"hello", "not JSON"),
        (b"[]", "no object"),
        (b"{}", "no state of a tool"),
        (b'{"a": NaN}', "not JSON"),
        (b"[" * 200_000, "nested too deep"),
        (b"\xff\xfe\x00", "UTF-8"),
        (b"\x1f\x8bnonsense", "cannot be unpacked"),
        (gzip.compress(b'{"version": 4}' * 100)[:-9], "ends too early"),
        (b'{"version": 3, "lineage": "x", "serial": 1}', "version 3"),
        (b'{"version": "4", "lineage": "x", "serial": 1}', "unknown version"),
        (b'{"version": 99, "deployment": {"resources": []}}', "unknown version"),
        (b'{"format_version": "1.2", "planned_values": {}, "resource_changes": []}', "a plan"),
        (b'{"encrypted_data": "x", "encryption_version": "v0"}', "encrypted"),
        (b'{"id": "a", "command": "deploy", "timeStarted": "x", "errors": null}', "update record"),
        (b'{"created": "x", "updateID": "a", "command": "deploy"}', "lock"),
        (b'{"sequence": 0, "preludeEvent": {}}', "from a log"),
        (b'{"@module": "terraform.ui"}\n{"@module": "terraform.ui"}\n', "a log"),
    ],
)
def test_what_is_no_state_is_named_with_the_remedy(given: bytes, found: str) -> None:
    with pytest.raises(UnreadableState) as caught:
        read_state(given)
    assert found in caught.value.found
    assert caught.value.remedy


def test_a_state_that_unpacks_to_too_much_is_refused() -> None:
    with pytest.raises(UnreadableState, match="larger than"):
        read_state(gzip.compress(b" " * 100_000), most_bytes=1_000)
    with pytest.raises(UnreadableState, match="larger than"):
        read_state(b" " * 2_000, most_bytes=1_000)


def test_the_sentences_never_repeat_the_content() -> None:
    for given in (SENTINEL, f'{{"{SENTINEL}": "{SENTINEL}"}}', f'{{"version": "{SENTINEL}", "lineage": "x"}}'):
        with pytest.raises(UnreadableState) as caught:
            read_state(given)
        assert SENTINEL not in str(caught.value)
