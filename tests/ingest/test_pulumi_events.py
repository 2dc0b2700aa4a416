"""Pulumi: what each engine event gives, and every pitfall of the log."""

from __future__ import annotations

import pytest

from ingest.change import ChangeKind
from ingest.json_line import read_object
from ingest.pulumi import type_in
from tests.ingest.lines import (
    SENTINEL,
    STACK_URN,
    briefs,
    diagnostic,
    everything,
    nothing,
    one,
    parsed,
    read,
    reason,
    sample,
    step,
    urn,
)

ORDERS = urn("aws:rds/instance:Instance", "orders")
SECRET = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "ciphertext": SENTINEL}


def summary(**body: object) -> dict[str, object]:
    whole = {"maybeCorrupt": False, "durationSeconds": 1, "resourceChanges": {"same": 1}, "PolicyPacks": {}, **body}
    return {"sequence": 9, "timestamp": 1_700_000_009, "summaryEvent": whole}


# The samples, whole.


def test_an_update_is_read_whole() -> None:
    cluster = "urn:pulumi:dev::eks::aws:eks/cluster:Cluster::eks-cluster"
    assert briefs("pulumi", "pulumi/up.jsonl") == [
        ("run_info", "", ""),
        ("started", cluster, "create"),
        ("done", cluster, "create"),
        ("run_ended", "", ""),
    ]
    made = parsed("pulumi", sample("pulumi/up.jsonl")).changes[2]
    assert made.facts == {"provider_resource_id": "eks-cluster-fb2cd6e"}
    assert made.occurred_at == 1_648_797_534_000


def test_an_update_that_changes_nothing_makes_no_steps() -> None:
    cluster = "urn:pulumi:dev::eks::aws:eks/cluster:Cluster::eks-cluster"
    assert briefs("pulumi", "pulumi/up-2.jsonl") == [
        ("run_info", "", ""),
        ("resource", cluster, "noop"),
        ("run_ended", "", ""),
    ]


def test_a_destroy_with_a_component_is_read_whole() -> None:
    child = "urn:pulumi:dev::myproject::my:component:Child::mychild"
    component = "urn:pulumi:dev::myproject::my:component:Component::mycomponent"
    assert briefs("pulumi", "pulumi/destroy-with-components.jsonl") == [
        ("run_info", "", ""),
        ("started", child, "delete"),
        ("done", child, "delete"),
        ("started", component, "delete"),
        ("done", component, "delete"),
        ("run_ended", "", ""),
    ]
    _, of_child, _, of_component, *_ = parsed("pulumi", sample("pulumi/destroy-with-components.jsonl")).changes
    assert (of_child.parent, dict(of_child.facts)) == (component, {})
    assert (of_component.parent, dict(of_component.facts)) == ("", {"component": "yes"})


def test_a_failed_update_ends_with_a_summary_that_does_not_say_so() -> None:
    x = "urn:pulumi:dev::test::pulumi-python:dynamic:Resource::test-x"
    r = "urn:pulumi:dev::test::pulumi-python:dynamic:Resource::test-r"
    assert briefs("pulumi", "pulumi/failed-stacks-dont-rewrite-operations.jsonl") == [
        ("run_info", "", ""),
        ("started", x, "update"),
        ("started", r, "delete"),
        ("failed", x, "update"),
        ("done", r, "delete"),
        ("run_ended", "", ""),
    ]


def test_what_an_earlier_run_left_to_delete_is_marked_as_the_half_of_a_replacement() -> None:
    found = parsed("pulumi", sample("pulumi/failed-stacks-dont-rewrite-operations.jsonl"))
    deleted = [change for change in found.changes if change.action == "delete"]
    assert [dict(change.facts) for change in deleted] == [{"logical": "replace"}, {"logical": "replace"}]


# The pitfalls.


@pytest.mark.parametrize("op", ["create", "update", "delete"])
def test_a_step_starts_and_is_done_or_fails(op: str) -> None:
    for event, kind in (("resourcePreEvent", "started"), ("resOutputsEvent", "done"), ("resOpFailedEvent", "failed")):
        change = one("pulumi", step(event, op))
        assert (str(change.kind), change.address, change.action) == (kind, ORDERS, op)
        assert change.tool_type == "aws:rds/instance:Instance"


def test_a_replacement_is_planned_once() -> None:
    ops = ("create-replacement", "replace", "delete-replaced")
    found = read("pulumi", *(step("resourcePreEvent", op, planning=True) for op in ops))
    assert [(change.kind, change.action) for change in found.changes] == [(ChangeKind.PLANNED, "replace")]


@pytest.mark.parametrize(
    "order", [("create-replacement", "delete-replaced"), ("delete-replaced", "create-replacement")]
)
def test_a_replacement_is_carried_out_as_marked_halves_in_either_order(order: tuple[str, str]) -> None:
    found = read("pulumi", *(step("resourcePreEvent", op) for op in (order[0], "replace", order[1])))
    assert [change.action for change in found.changes] == [op.split("-", 1)[0] for op in order]
    assert all(change.facts == {"logical": "replace"} for change in found.changes)


def test_the_deleted_half_of_a_replacement_does_not_bring_back_what_it_was() -> None:
    gone = step("resOutputsEvent", "delete-replaced", id="db-old", outputs={"engine": "mysql"})
    assert one("pulumi", gone).facts == {"logical": "replace"}


def test_an_import_is_a_create_that_says_so() -> None:
    change = one("pulumi", step("resOutputsEvent", "import", id="db-1"))
    assert (change.action, dict(change.facts)) == ("create", {"logical": "import", "provider_resource_id": "db-1"})


@pytest.mark.parametrize("op", ["same", "read", "refresh"])
def test_what_is_only_looked_at_makes_no_step_and_may_tell_facts(op: str) -> None:
    assert nothing("pulumi", step("resourcePreEvent", op))
    assert nothing("pulumi", step("resOutputsEvent", op))
    assert nothing("pulumi", step("resOpFailedEvent", op))
    told = one("pulumi", step("resOutputsEvent", op, id="db-1", outputs={"engine": "postgres", "password": SENTINEL}))
    assert told.kind is ChangeKind.RESOURCE
    assert told.facts == {"provider_resource_id": "db-1", "engine": "postgres"}


@pytest.mark.parametrize("op", ["discard", "discard-replaced", "remove-pending-replace", "read-replacement", "replace"])
def test_an_operation_of_the_engine_alone_gives_nothing(op: str) -> None:
    for event in ("resourcePreEvent", "resOutputsEvent", "resOpFailedEvent"):
        assert nothing("pulumi", step(event, op))


def test_a_component_that_stays_the_same_is_told_for_its_children() -> None:
    # Lines of components have no `custom` at all.
    component = step("resourcePreEvent", "same", "my:web:Site", "site", custom=False)
    del component["resourcePreEvent"]["metadata"]["new"]["custom"]
    told = one("pulumi", component)
    assert (told.kind, told.address, dict(told.facts)) == (
        ChangeKind.RESOURCE,
        urn("my:web:Site", "site"),
        {"component": "yes"},
    )


def test_a_parent_is_named_unless_it_is_the_stack() -> None:
    component = urn("my:web:Site", "site")
    assert one("pulumi", step("resourcePreEvent", "create", parent=component)).parent == component
    assert one("pulumi", step("resourcePreEvent", "create", parent=STACK_URN)).parent == ""
    assert one("pulumi", step("resourcePreEvent", "create", parent="")).parent == ""


def test_the_stack_and_providers_make_no_steps() -> None:
    for types in ("pulumi:pulumi:Stack", "pulumi:providers:aws", "my:web:Site$pulumi:providers:kubernetes"):
        for event in ("resourcePreEvent", "resOutputsEvent", "resOpFailedEvent"):
            assert nothing("pulumi", step(event, "create", types, "default_6_0_0"))


def test_a_preview_plans_steps_and_ends_without_a_number_and_without_ending_the_run() -> None:
    found = read(
        "pulumi",
        step("resourcePreEvent", "create", planning=True),
        step("resOutputsEvent", "create", planning=True),
        step("resourcePreEvent", "same", name="other", planning=True),
        summary(isPreview=True, resourceChanges={"create": 2, "same": 1, SENTINEL: 4}),
    )
    # Pulumi counts the stack and the providers too, so its number would never be reached.
    assert [(change.kind, change.action, change.total) for change in found.changes] == [
        (ChangeKind.PLANNED, "create", None),
        (ChangeKind.TOTAL, "", None),
    ]
    assert found.changes[1].message == "Preview: 2 to create"
    assert SENTINEL not in everything(found)


@pytest.mark.parametrize(
    ("result", "outcome"), [("succeeded", "succeeded"), ("failed", "failed"), ("canceled", "cancelled"), ("odd", "")]
)
def test_a_summary_ends_the_run_with_what_it_says(result: str, outcome: str) -> None:
    ended = one("pulumi", summary(result=result))
    assert (ended.kind, ended.outcome) == (ChangeKind.RUN_ENDED, outcome)


def test_a_summary_that_says_no_result_leaves_it_open() -> None:
    assert one("pulumi", summary()).outcome == ""


def test_the_end_of_the_stream_is_not_a_cancellation() -> None:
    assert nothing("pulumi", {"sequence": 9, "timestamp": 1, "cancelEvent": {}})


def test_a_log_that_begins_again_is_recognised() -> None:
    prelude = {"sequence": 0, "timestamp": 1, "preludeEvent": {"config": {"aws:region": "x", "key": SENTINEL}}}
    assert one("pulumi", prelude).facts == {}
    again = one("pulumi", prelude, number=17)
    assert (again.kind, dict(again.facts)) == (ChangeKind.RUN_INFO, {"operation": "restarted"})
    assert SENTINEL not in everything(again)


def test_an_error_is_told_at_its_resource_without_colours() -> None:
    text = (
        "<{%fg 9%}>error: <{%reset%}>creating RDS instance: \x1b[1mDBInstanceAlreadyExists\x1b[0m\n  status code: 400\n"
    )
    told = one("pulumi", diagnostic(text, urn=ORDERS))
    assert (told.kind, told.address, told.tool_type) == (ChangeKind.DIAGNOSTIC, ORDERS, "aws:rds/instance:Instance")
    assert told.diagnostic is not None
    assert told.diagnostic.severity == "error"
    assert told.diagnostic.summary == "creating RDS instance: DBInstanceAlreadyExists"
    assert told.diagnostic.detail == "status code: 400"


def test_an_error_of_the_stack_or_of_a_provider_concerns_the_whole_run() -> None:
    for where in (STACK_URN, urn("pulumi:providers:aws", "default"), "", "no urn"):
        told = one("pulumi", diagnostic("error: program failed", urn=where))
        assert (told.address, told.tool_type) == ("", "")


def test_a_warning_is_no_error() -> None:
    told = one("pulumi", diagnostic("warning: deprecated", "warning", urn=ORDERS)).diagnostic
    assert told is not None
    assert (told.severity, told.summary) == ("warning", "deprecated")


def test_what_programs_print_is_dropped() -> None:
    for severity in ("info", "info#err", "debug", "odd"):
        assert nothing("pulumi", diagnostic(f"token is {SENTINEL}", severity, urn=ORDERS))
    assert nothing("pulumi", diagnostic("working", "error", ephemeral=True))
    assert nothing("pulumi", diagnostic("", "error"))
    assert nothing("pulumi", {"sequence": 1, "timestamp": 1, "stdoutEvent": {"message": SENTINEL, "color": "raw"}})


def test_a_mandatory_policy_is_an_error_and_an_advisory_one_a_warning() -> None:
    body = {"resourceUrn": ORDERS, "message": "must be encrypted", "policyName": "rds", "policyPackName": "aws"}
    for level, severity in (("mandatory", "error"), ("advisory", "warning")):
        line = {"sequence": 1, "timestamp": 1, "policyEvent": {**body, "enforcementLevel": level, "severity": "high"}}
        told = one("pulumi", line)
        assert told.address == ORDERS
        assert told.diagnostic is not None
        assert (told.diagnostic.severity, told.diagnostic.where) == (severity, "policy rds of aws")
    assert nothing("pulumi", {"sequence": 1, "timestamp": 1, "policyEvent": {**body, "enforcementLevel": "remediate"}})


def test_an_error_event_is_an_error_of_the_run() -> None:
    told = one("pulumi", {"sequence": 1, "timestamp": 1, "errorEvent": {"error": "the engine gave up"}})
    assert told.diagnostic is not None
    assert (told.address, told.diagnostic.summary) == ("", "the engine gave up")


@pytest.mark.parametrize(
    "event",
    ["policyRemediationEvent", "policyLoadEvent", "policyAnalyzeSummaryEvent", "policyRemediateSummaryEvent",
     "policyAnalyzeStackSummaryEvent", "progressEvent", "startDebuggingEvent"],
)  # fmt: skip
def test_events_that_change_nothing_give_nothing(event: str) -> None:
    assert nothing("pulumi", {"sequence": 1, "timestamp": 1, event: {"message": SENTINEL, "done": False}})


def test_facts_are_taken_by_name_and_shape_and_never_from_objects() -> None:
    outputs = {
        "publicIp": "203.0.113.7", "availabilityZone": "eu-west-1a", "userData": SENTINEL, "tags": {"a": SENTINEL},
        "password": SENTINEL,
    }  # fmt: skip
    server = step("resOutputsEvent", "create", "aws:ec2/instance:Instance", "web", id="i-1", outputs=outputs)
    assert one("pulumi", server).facts == {
        "provider_resource_id": "i-1", "primary_ip_address": "203.0.113.7", "region": "eu-west-1a",
    }  # fmt: skip
    for odd in (SENTINEL, SECRET, "[secret]", 7, None, ["203.0.113.7"], "203.0.113.7 " + "x" * 600):
        line = step("resOutputsEvent", "create", "aws:ec2/instance:Instance", "web", outputs={"publicIp": odd})
        assert one("pulumi", line).facts == {}


def test_a_url_with_a_password_or_a_query_is_not_taken() -> None:
    for url, is_taken in (
        ("https://shop.example.com/a", True),
        ("http://user:pw@shop.example.com", False),
        ("https://shop.example.com/?token=x", False),
        ("https://shop.example.com/#x", False),
        ("postgres://shop.example.com", False),
        ("https://", False),
        ("https://[", False),
    ):
        line = step("resOutputsEvent", "create", "aws:lambda/function:Function", "f", outputs={"functionUrl": url})
        assert ("production_url" in one("pulumi", line).facts) is is_taken


def test_the_id_of_a_type_without_a_card_is_not_taken() -> None:
    line = step("resOutputsEvent", "create", "random:index/randomString:RandomString", "r", id=SENTINEL)
    assert SENTINEL not in everything(one("pulumi", line))


# What is no event.


def test_an_unknown_event_and_an_unknown_operation_are_named() -> None:
    assert "kind" in reason("pulumi", {"sequence": 1, "timestamp": 2, "telepathyEvent": {SENTINEL: SENTINEL}})
    assert "operation" in reason("pulumi", step("resourcePreEvent", "telepathy"))


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        "x",
        {},
        {"metadata": 5},
        {"metadata": {"op": "create"}},
        {"metadata": {"op": 5, "urn": ORDERS}},
        {"metadata": {"op": "create", "urn": "x"}},
    ],
)
def test_a_step_of_no_resource_is_left_out(body: object) -> None:
    assert "Expected" in reason("pulumi", {"sequence": 1, "timestamp": 2, "resourcePreEvent": body})


def test_a_urn_too_long_for_an_index_is_left_out() -> None:
    assert "1,500 bytes" in reason("pulumi", step("resourcePreEvent", "create", name="x" * 1_600))


def test_a_line_of_terraform_is_named_with_the_remedy() -> None:
    said = reason("pulumi", {"@module": "terraform.ui", "type": "version"})
    assert "a line of Terraform" in said
    assert "event log" in said


def test_a_line_that_is_no_json_says_what_is_expected() -> None:
    assert "event log" in reason("pulumi", "Updating (dev)")


def test_the_type_is_the_last_in_a_urn() -> None:
    assert type_in(urn("sst:aws:Nextjs$aws:lambda/function:Function", "a::b")) == "aws:lambda/function:Function"
    assert type_in("urn:pulumi:a::b") == type_in("") == type_in("a::b::c::d") == ""


def test_the_words_of_a_reading_fault_name_no_content() -> None:
    found = read_object(3, SENTINEL, expected="x")
    assert SENTINEL not in str(found)
