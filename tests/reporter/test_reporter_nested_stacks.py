"""Nested stacks, polled with real boto3 against a server that plays CloudFormation's query API."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from docks.adapter import RunSaid
from docks.cloudformation import StackWatch
from tests.docks.stage import PlayedCloudFormation
from tests.harness import stacks
from tests.harness.stacks import STACK_TYPE, PlayedStacks, nested_id
from tests.reporter.played_cloudformation import SENTINEL, CloudFormation, poll, sent
from tests.reporter.stage import Home, Slipway, with_limits

pytest.importorskip("boto3")

SEQUENCES = {
    "created": stacks.NESTED_CREATED,
    "creation failed": stacks.NESTED_CREATION_FAILED,
    "updated": stacks.NESTED_UPDATED,
    "update failed": stacks.NESTED_UPDATE_FAILED,
    "deleted": stacks.NESTED_DELETED,
    "two levels deep": stacks.DEEP_CREATION_FAILED,
}


def played(*story: str) -> list[dict[str, str]]:
    """The events of a sequence, in which `Network` is nested and `Inner` nested in that, as the query API has them."""
    told = PlayedStacks(SENTINEL)
    told.nested = {"Network": [], "Network/Inner": []}
    return [{**event, "Timestamp": event["Timestamp"].isoformat()} for event in told.tell(*story)]


def briefs(slipway: Slipway) -> list[str]:
    """The events that were sent, as the sequences have them."""
    return [brief(line) for line in sent(slipway) if "EventId" in line]


def brief(line: dict[str, Any]) -> str:
    path, logical = line.get("NestedStackPath", ""), line["LogicalResourceId"]
    name = ("." if path else "web") if line["PhysicalResourceId"] == line["StackId"] else logical
    reason = f" {line['ResourceStatusReason']}" if line.get("ResourceStatusReason") else ""
    return f"{path}{'/' if path else ''}{name} {line['ResourceStatus']}{reason}"


def lines_of_a_dock(story: Sequence[str]) -> list[dict[str, Any]]:
    """What the watcher of a dock makes of the same events."""
    api = PlayedCloudFormation()
    api.nested = {"Network": [], "Network/Inner": []}
    api.tell(*story)
    found = StackWatch(api, ["web"], {}).look()
    return [json.loads(line) for said in found if isinstance(said, RunSaid) for line in said.lines if line]


@pytest.mark.parametrize("name", SEQUENCES)
def test_what_is_sent_is_what_a_dock_tells(home: Home, slipway: Slipway, aws: CloudFormation, name: str) -> None:
    story = SEQUENCES[name]
    aws.history = played(*story)
    ended = poll(home, "--last")
    assert ended.code == (1 if "failed" in name or "deep" in name else 0), ended.err
    assert sent(slipway) == lines_of_a_dock(story)
    assert briefs(slipway) == list(story)
    assert slipway.end() == str(ended.code)


@pytest.mark.parametrize("name", SEQUENCES)
def test_polled_after_every_event_it_sends_the_same(
    home: Home, slipway: Slipway, aws: CloudFormation, name: str
) -> None:
    story = SEQUENCES[name]
    aws.to_come = [[event] for event in played(*story)]
    poll(home)
    assert briefs(slipway) == list(story)
    assert sent(slipway) == lines_of_a_dock(story)


def test_people_see_where_a_resource_is(home: Home, slipway: Slipway, aws: CloudFormation) -> None:
    aws.history = played(*stacks.DEEP_CREATION_FAILED)
    ended = poll(home, "--last")
    assert "Network/Inner/Host CREATE_FAILED: You have reached your quota of instances." in ended.out


def test_what_was_before_the_operation_and_after_it_is_left_out(
    home: Home, slipway: Slipway, aws: CloudFormation
) -> None:
    later = ("Network/. UPDATE_IN_PROGRESS", "Network/Host UPDATE_FAILED no", "Network/. UPDATE_FAILED no")
    aws.history = played(*stacks.NESTED_CREATED, *stacks.NESTED_UPDATED, *later)
    assert poll(home, "--last").code == 0
    assert briefs(slipway) == list(stacks.NESTED_UPDATED)


def test_throttling_at_a_nested_stack_holds_back_its_parents_row(
    home: Home, slipway: Slipway, aws: CloudFormation
) -> None:
    story = played(*stacks.NESTED_CREATION_FAILED)
    begins = 6
    assert story[begins - 1]["StackId"] == nested_id("Network")
    aws.to_come = [story[:begins], story[begins:]]
    throttled = ("Throttling", "Rate exceeded")
    # The second poll breaks off between two pages, the third at the first.
    aws.nested_trouble = {nested_id("Network"): [None, None, throttled, throttled]}
    ended = poll(home)
    assert ended.code == 1
    assert "Rate exceeded" in ended.err
    assert briefs(slipway) == list(stacks.NESTED_CREATION_FAILED)


@pytest.mark.parametrize(
    ("trouble", "limits"),
    [
        (("AccessDenied", "not allowed"), {}),
        (("InternalFailure", "no answer"), {"MOST_NESTED_FAILURES": 3}),
    ],
)
def test_a_nested_stack_that_cannot_be_read_is_left_out_and_said_so(
    home: Home, slipway: Slipway, aws: CloudFormation, trouble: tuple[str, str], limits: dict[str, float]
) -> None:
    aws.history = played(*stacks.NESTED_CREATION_FAILED)
    aws.nested_trouble = {nested_id("Network"): [trouble] * 10}
    ended = poll(home, "--last", script=with_limits(home, **limits))
    assert ended.code == 1
    assert ended.err.count("the nested stack Network is left out") == 1
    assert briefs(slipway) == [line for line in stacks.NESTED_CREATION_FAILED if not line.startswith("Network/")]
    assert not any("NestedCause" in line for line in sent(slipway))


def test_a_nested_stack_that_is_made_is_asked_again_only_when_its_parent_says_more(
    home: Home, slipway: Slipway, aws: CloudFormation
) -> None:
    made = played(*stacks.NESTED_CREATED)
    aws.to_come = [made[:9], [], [], [], made[9:]]
    assert poll(home).code == 0
    assert aws.asked_for.count(nested_id("Network")) == 1
    assert briefs(slipway) == list(stacks.NESTED_CREATED)


@pytest.mark.parametrize("limits", [{"MOST_NESTED_LEVELS": 1}, {"MOST_NESTED_STACKS": 1}])
def test_levels_and_number_of_nested_stacks_are_bounded_and_it_says_so(
    home: Home, slipway: Slipway, aws: CloudFormation, limits: dict[str, float]
) -> None:
    aws.history = played(*stacks.DEEP_CREATION_FAILED)
    ended = poll(home, "--last", script=with_limits(home, **limits))
    assert ended.err.count("nested stacks are polled") == 1
    assert briefs(slipway) == [line for line in stacks.DEEP_CREATION_FAILED if not line.startswith("Network/Inner/")]
    (inner,) = [line for line in sent(slipway) if brief(line).startswith("Network/Inner CREATE_FAILED")]
    assert "NestedCause" not in inner


def test_nested_change_sets_are_sent_with_their_root(home: Home, slipway: Slipway, aws: CloudFormation) -> None:
    aws.history = played(*stacks.NESTED_CREATED)

    def change(logical_id: str, kind: str = "AWS::EC2::Instance", **more: str) -> dict[str, str]:
        return {"Action": "Add", "LogicalResourceId": logical_id, "ResourceType": kind, **more}

    aws.changes = [change("A"), change("Network", STACK_TYPE, ChangeSetId="arn:nested"), change("Other", STACK_TYPE)]
    aws.nested_changes = {"arn:nested": [change("Gate"), change("Host"), change("Pool")]}
    poll(home, "--last")
    inside = [change(name, NestedStackPath="Network") for name in ("Gate", "Host", "Pool")]
    assert sent(slipway)[0]["ChangeSet"]["Changes"] == [
        change("A"), change("Network", STACK_TYPE) | {"NestedChanges": True}, change("Other", STACK_TYPE), *inside
    ]  # fmt: skip


def test_no_value_of_a_nested_stack_leaves(home: Home, slipway: Slipway, aws: CloudFormation) -> None:
    aws.history = played(*stacks.DEEP_CREATION_FAILED)
    ended = poll(home, "--last")
    assert all(SENTINEL not in repr(request) for request in slipway.requests)
    assert SENTINEL not in ended.out + ended.err
