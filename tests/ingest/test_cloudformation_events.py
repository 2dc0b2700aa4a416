"""CloudFormation: every status of the table, rollbacks as what they are, and what is only a consequence."""

from __future__ import annotations

import json

import pytest

from ingest.change import ChangeKind
from tests.ingest.lines import (
    SENTINEL,
    STACK_ID,
    everything,
    in_nested_stack,
    nothing,
    of_stack,
    one,
    read,
    reason,
    stack_event,
)


@pytest.mark.parametrize(
    ("status", "kind", "action"),
    [
        ("CREATE_IN_PROGRESS", "started", "create"),
        ("CREATE_COMPLETE", "done", "create"),
        ("CREATE_FAILED", "failed", "create"),
        ("UPDATE_IN_PROGRESS", "started", "update"),
        ("UPDATE_COMPLETE", "done", "update"),
        ("UPDATE_FAILED", "failed", "update"),
        ("DELETE_IN_PROGRESS", "started", "delete"),
        ("DELETE_COMPLETE", "done", "delete"),
        ("DELETE_FAILED", "failed", "delete"),
        ("DELETE_SKIPPED", "done", "forget"),
        ("IMPORT_IN_PROGRESS", "started", "create"),
        ("IMPORT_COMPLETE", "done", "create"),
        ("IMPORT_FAILED", "failed", "create"),
        ("EXPORT_IN_PROGRESS", "started", "forget"),
        ("EXPORT_COMPLETE", "done", "forget"),
        ("ROLLBACK_IN_PROGRESS", "started", "delete"),
        ("ROLLBACK_COMPLETE", "done", "delete"),
        ("ROLLBACK_FAILED", "failed", "delete"),
        ("UPDATE_ROLLBACK_IN_PROGRESS", "started", "update"),
        ("UPDATE_ROLLBACK_COMPLETE", "done", "update"),
        ("UPDATE_ROLLBACK_FAILED", "failed", "update"),
        ("IMPORT_ROLLBACK_COMPLETE", "done", "forget"),
        ("EXPORT_ROLLBACK_COMPLETE", "done", "forget"),
    ],
)
def test_a_resources_status_is_a_step(status: str, kind: str, action: str) -> None:
    change = one("cloudformation", stack_event(status))
    assert (str(change.kind), change.address, change.action) == (kind, "Orders", action)
    assert change.tool_type == "AWS::RDS::DBInstance"
    assert change.occurred_at == 1_775_898_886_108


@pytest.mark.parametrize(
    ("status", "operation"),
    [
        ("REVIEW_IN_PROGRESS", "plan"),
        ("CREATE_IN_PROGRESS", "apply"),
        ("UPDATE_IN_PROGRESS", "apply"),
        ("IMPORT_IN_PROGRESS", "apply"),
        ("DELETE_IN_PROGRESS", "destroy"),
        ("ROLLBACK_IN_PROGRESS", "rollback"),
        ("UPDATE_ROLLBACK_IN_PROGRESS", "rollback"),
        ("IMPORT_ROLLBACK_IN_PROGRESS", "rollback"),
        ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "cleanup"),
        ("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", "cleanup"),
    ],
)
def test_the_stacks_own_row_tells_what_the_run_does(status: str, operation: str) -> None:
    change = one("cloudformation", of_stack(status))
    assert (change.kind, change.address, dict(change.facts)) == (ChangeKind.RUN_INFO, "", {"operation": operation})


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        ("CREATE_COMPLETE", "succeeded"),
        ("UPDATE_COMPLETE", "succeeded"),
        ("DELETE_COMPLETE", "succeeded"),
        ("IMPORT_COMPLETE", "succeeded"),
        ("CREATE_FAILED", "failed"),
        ("UPDATE_FAILED", "failed"),
        ("DELETE_FAILED", "failed"),
        ("ROLLBACK_COMPLETE", "failed"),
        ("ROLLBACK_FAILED", "failed"),
        ("UPDATE_ROLLBACK_COMPLETE", "failed"),
        ("UPDATE_ROLLBACK_FAILED", "failed"),
        ("IMPORT_ROLLBACK_COMPLETE", "failed"),
        ("IMPORT_ROLLBACK_FAILED", "failed"),
    ],
)
def test_the_stacks_own_row_ends_the_run(status: str, outcome: str) -> None:
    change = one("cloudformation", of_stack(status))
    assert (change.kind, change.address, change.outcome) == (ChangeKind.RUN_ENDED, "", outcome)


def test_a_rolled_back_update_says_that_the_resources_still_stand() -> None:
    assert "still there" in one("cloudformation", of_stack("UPDATE_ROLLBACK_COMPLETE")).message
    assert "deleted" in one("cloudformation", of_stack("ROLLBACK_COMPLETE")).message


@pytest.mark.parametrize("why", ["User Initiated", "Rollback requested by user."])
def test_a_rollback_that_somebody_asked_for_is_cancelling(why: str) -> None:
    assert one("cloudformation", of_stack("UPDATE_ROLLBACK_IN_PROGRESS", why)).kind is ChangeKind.CANCELLING


def test_a_rollback_after_a_failure_was_asked_for_by_nobody_though_aws_words_it_so() -> None:
    why = "The following resource(s) failed to create: [Orders]. Rollback requested by user."
    assert one("cloudformation", of_stack("ROLLBACK_IN_PROGRESS", why)).kind is ChangeKind.RUN_INFO


def test_a_failure_has_its_reason_as_diagnostic() -> None:
    why = 'Resource handler returned message: "DB engine version 9.9 not found"\nRequest ID: 1'
    change = one("cloudformation", stack_event("CREATE_FAILED", ResourceStatusReason=why))
    assert change.diagnostic is not None
    assert change.diagnostic.summary == 'Resource handler returned message: "DB engine version 9.9 not found"'
    assert change.diagnostic.detail == "Request ID: 1"
    assert change.diagnostic.where == "AWS::RDS::DBInstance Orders"


@pytest.mark.parametrize(
    "why", ["Resource creation cancelled", "Resource update cancelled", "Resource deletion canceled"]
)
def test_what_was_only_cancelled_is_never_the_cause(why: str) -> None:
    change = one("cloudformation", stack_event("CREATE_FAILED", "Api", ResourceStatusReason=why))
    assert (change.kind, change.diagnostic) == (ChangeKind.FAILED, None)
    assert "another resource failed" in change.message


def test_creation_begins_twice_and_the_second_time_tells_the_id() -> None:
    first, second = read(
        "cloudformation",
        stack_event("CREATE_IN_PROGRESS"),
        stack_event(
            "CREATE_IN_PROGRESS", PhysicalResourceId="orders-1", ResourceStatusReason="Resource creation Initiated"
        ),
    ).changes
    assert (first.kind, dict(first.facts)) == (ChangeKind.STARTED, {})
    assert (second.kind, dict(second.facts)) == (ChangeKind.STARTED, {"provider_resource_id": "orders-1"})


def test_a_deleted_half_does_not_bring_back_its_id() -> None:
    assert one("cloudformation", stack_event("DELETE_IN_PROGRESS", PhysicalResourceId="old")).facts == {}


def test_an_import_says_so() -> None:
    change = one("cloudformation", stack_event("IMPORT_COMPLETE", PhysicalResourceId="orders-1"))
    assert change.facts == {"logical": "import", "provider_resource_id": "orders-1"}


def test_a_failed_export_is_told_and_makes_no_step() -> None:
    change = one("cloudformation", stack_event("EXPORT_FAILED", ResourceStatusReason="in use"))
    assert (change.kind, change.address, change.action) == (ChangeKind.DIAGNOSTIC, "Orders", "")


def test_a_change_set_gives_the_total_with_replacements_twice() -> None:
    changes = [
        {"Action": "Add", "LogicalResourceId": "A", "ResourceType": "AWS::EC2::Instance"},
        {"Action": "Modify", "LogicalResourceId": "B", "ResourceType": "AWS::EC2::Instance", "Replacement": "True"},
        {"Action": "Modify", "LogicalResourceId": "C", "Replacement": "Conditional"},
        {"Action": "Remove", "LogicalResourceId": "D"},
    ]
    plain = {"ChangeSet": {"Changes": changes, "StackName": "shop", "Timestamp": "2026-04-11T09:14:46Z"}}
    wrapped = {"ChangeSet": {"Changes": [{"Type": "Resource", "ResourceChange": change} for change in changes]}}
    for line, at in ((plain, 1_775_898_886_000), (wrapped, None)):
        change = one("cloudformation", line)
        assert (change.kind, change.total, change.occurred_at) == (ChangeKind.TOTAL, 5, at)


def nested_row(status: str, why: str = "", **rest: object) -> dict[str, object]:
    """The row of a nested stack in its parent."""
    nested_id = STACK_ID.replace("shop", "shop-Network")
    kind = "AWS::CloudFormation::Stack"
    return stack_event(
        status, "Network", ResourceType=kind, PhysicalResourceId=nested_id, ResourceStatusReason=why, **rest
    )


EMBEDDED = "Embedded stack arn:aws:cloudformation:eu-west-1:123456789012:stack/shop-Network/2f1c was not successfully "
FAILED_INSIDE = (
    EMBEDDED + "created: The following resource(s) failed to create: [Subnet].",
    EMBEDDED
    + "updated. Currently in UPDATE_ROLLBACK_IN_PROGRESS with reason: The following resource(s) failed to update: "
    "[Subnet].",
    EMBEDDED + "deleted: The following resource(s) failed to delete: [Subnet]. ",
)


def test_a_nested_stack_is_a_resource_of_its_parent() -> None:
    change = one("cloudformation", nested_row("CREATE_COMPLETE"))
    assert (change.kind, change.address) == (ChangeKind.DONE, "Network")


def test_a_resource_of_a_nested_stack_has_the_way_to_it_in_its_address() -> None:
    why = "no free addresses"
    failed = in_nested_stack(stack_event("CREATE_FAILED", "Subnet", ResourceStatusReason=why), "Network/Inner")
    change = one("cloudformation", failed)
    assert (change.kind, change.address) == (ChangeKind.FAILED, "Network/Inner/Subnet")
    assert change.diagnostic is not None
    assert (change.diagnostic.summary, change.diagnostic.where) == (why, "AWS::RDS::DBInstance Network/Inner/Subnet")


@pytest.mark.parametrize(
    "status",
    ["CREATE_IN_PROGRESS", "CREATE_COMPLETE", "CREATE_FAILED", "DELETE_COMPLETE", "ROLLBACK_IN_PROGRESS",
     "ROLLBACK_COMPLETE", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "UPDATE_ROLLBACK_COMPLETE", "UPDATE_ROLLBACK_FAILED"],
)  # fmt: skip
def test_a_nested_stacks_own_row_neither_ends_the_run_nor_says_what_it_does(status: str) -> None:
    change = one("cloudformation", in_nested_stack(of_stack(status, "User Initiated")))
    assert (change.kind, change.address, change.message) == (ChangeKind.LOG, "Network", f"{status}: User Initiated")
    assert (change.outcome, dict(change.facts)) == ("", {})


@pytest.mark.parametrize("why", FAILED_INSIDE)
def test_a_nested_stack_that_failed_by_what_is_told_inside_is_never_the_cause(why: str) -> None:
    change = one("cloudformation", nested_row("UPDATE_FAILED", why, NestedCause=True))
    assert (change.kind, change.diagnostic, change.message) == (ChangeKind.FAILED, None, why.strip())


@pytest.mark.parametrize(
    ("why", "told_inside"),
    [
        *((why, None) for why in FAILED_INSIDE),
        (EMBEDDED + "created: Stack creation time exceeded the specified timeout", True),
        ("Output 'VpcId' not found in stack", True),
    ],
)
def test_a_nested_stack_whose_cause_nobody_else_tells_is_the_cause(why: str, told_inside: bool | None) -> None:
    change = one("cloudformation", nested_row("CREATE_FAILED", why, NestedCause=told_inside))
    assert change.diagnostic is not None
    assert change.diagnostic.summary == why.strip()


def test_a_change_set_has_a_total_only_where_the_changes_of_its_nested_stacks_are_told() -> None:
    nested = {"Action": "Modify", "LogicalResourceId": "Network", "ResourceType": "AWS::CloudFormation::Stack"}
    inner = {"Action": "Add", "LogicalResourceId": "Subnet", "ResourceType": "AWS::EC2::Subnet"}
    told = [nested | {"NestedChanges": True}, inner | {"NestedStackPath": "Network"}]
    assert one("cloudformation", {"ChangeSet": {"Changes": told}}).total == 2
    assert nothing("cloudformation", {"ChangeSet": {"Changes": [nested, inner]}})
    assert nothing("cloudformation", {"ChangeSet": {"Changes": [*told, {"ResourceChange": nested}]}})


def test_an_event_whose_nested_stack_cannot_be_read_is_left_out() -> None:
    ends = in_nested_stack(of_stack("CREATE_COMPLETE"))
    for path in ("", " \x00", 5, None):
        assert "does not say which" in reason("cloudformation", ends | {"NestedStackPath": path})
    assert "1,500 bytes" in reason("cloudformation", ends | {"NestedStackPath": "x/" * 1_000})
    assert "status" in reason("cloudformation", in_nested_stack(of_stack("TELEPATHY")))


def test_an_update_that_fails_and_rolls_back_tells_each_step() -> None:
    lines = [
        of_stack("UPDATE_IN_PROGRESS", "User Initiated"),
        stack_event("UPDATE_IN_PROGRESS", "Api"),
        stack_event("UPDATE_IN_PROGRESS"),
        stack_event("UPDATE_FAILED", ResourceStatusReason="no such engine"),
        stack_event("UPDATE_FAILED", "Api", ResourceStatusReason="Resource update cancelled"),
        of_stack("UPDATE_ROLLBACK_IN_PROGRESS", "The following resource(s) failed to update: [Orders]."),
        stack_event("UPDATE_COMPLETE"),
        stack_event("UPDATE_COMPLETE", "Api"),
        of_stack("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS"),
        of_stack("UPDATE_ROLLBACK_COMPLETE"),
    ]
    found = read("cloudformation", *lines)
    assert found.ignored == []
    assert [(str(change.kind), change.address) for change in found.changes] == [
        ("run_info", ""),
        ("started", "Api"),
        ("started", "Orders"),
        ("failed", "Orders"),
        ("failed", "Api"),
        ("run_info", ""),
        ("done", "Orders"),
        ("done", "Api"),
        ("run_info", ""),
        ("run_ended", ""),
    ]
    assert [change.address for change in found.changes if change.diagnostic] == ["Orders"]


def test_properties_are_never_kept() -> None:
    line = stack_event("CREATE_COMPLETE", ResourceProperties=json.dumps({"MasterUserPassword": SENTINEL}))
    assert SENTINEL not in everything(one("cloudformation", line))


def test_events_of_newer_interfaces_without_a_resource_give_nothing() -> None:
    assert nothing("cloudformation", {"StackId": STACK_ID, "EventId": "1", "EventType": "PROGRESS_EVENT"})


def test_a_whole_answer_says_how_to_make_lines_of_it() -> None:
    assert "jq" in reason("cloudformation", {"StackEvents": [stack_event("CREATE_COMPLETE")]})


@pytest.mark.parametrize(
    "line", [stack_event("TELEPATHY"), of_stack("TELEPATHY"), {**stack_event("X"), "ResourceStatus": 5}]
)
def test_an_unknown_status_is_left_out(line: dict[str, object]) -> None:
    assert "status" in reason("cloudformation", line)


def test_an_event_of_nothing_and_one_of_another_tool_are_left_out() -> None:
    assert "names no resource" in reason("cloudformation", stack_event("CREATE_COMPLETE", ""))
    assert "1,500 bytes" in reason("cloudformation", stack_event("CREATE_COMPLETE", "x" * 2_000))
    assert "list of changes" in reason("cloudformation", {"ChangeSet": {"Changes": 5}})
    assert "a line of Terraform" in reason("cloudformation", {"@module": "terraform.ui", "type": "version"})
