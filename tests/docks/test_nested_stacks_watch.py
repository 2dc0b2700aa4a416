"""Nested stacks, watched by a dock: their resources and what made them fail, in the run of their root."""

from __future__ import annotations

import json
import random
import urllib.request
from collections.abc import Iterator, Sequence
from typing import Any

import boto3
import pytest

import docks.aws
import docks.cloudformation
import docks.stack_reader
from docks.adapter import RunSaid
from docks.cloudformation import StackWatch
from models import ALL_MODELS, Dock, Event, Run, Step
from provisioning.batch import Batch
from provisioning.readers import Reader
from provisioning.record import record
from provisioning.run_queries import get_run
from tests.docks.stage import SECRET, Docks, PlayedCloudFormation
from tests.docks.test_cloudformation_watch import runs, states
from tests.harness import stacks
from tests.harness.stacks import STACK_TYPE
from tests.ingest.lines import parsed

QUOTA = "You have reached your quota of instances."
ENDS: dict[str, tuple[tuple[str, ...], str, str, dict[str, str]]] = {
    "created": (stacks.NESTED_CREATED, "succeeded", "", {"A": "provisioned", "Network/Gate": "provisioned"}),
    "creation failed": (
        stacks.NESTED_CREATION_FAILED,
        "failed",
        QUOTA,
        {"A": "deleted", "Network/Gate": "deleted", "Network/Host": "deleted"},
    ),
    "updated": (
        stacks.NESTED_UPDATED,
        "succeeded",
        "",
        {"Network/Gate": "deleted", "Network/Host": "provisioned"},
    ),
    "update failed": (stacks.NESTED_UPDATE_FAILED, "failed", QUOTA, {"Network/Gate": "provisioned"}),
    "deleted": (stacks.NESTED_DELETED, "succeeded", "", {"A": "deleted", "Network/Gate": "deleted"}),
    "two levels deep": (stacks.DEEP_CREATION_FAILED, "failed", QUOTA, {"Network/Inner/Host": "failed"}),
}
"""Of each sequence: the run's outcome and error, and what its resources are then."""


@pytest.fixture
def dock(harbour: Docks) -> Dock:
    return harbour.connect(region="eu-west-1", stacks="web")


@pytest.fixture
def cloudformation(cloudformation: PlayedCloudFormation, monkeypatch: pytest.MonkeyPatch) -> PlayedCloudFormation:
    """One in which `Network` is a nested stack, and `Inner` nested in that."""
    monkeypatch.setattr(docks.stack_reader, "PAUSE_BETWEEN_STACKS_S", 0)
    cloudformation.nested = {"Network": [], "Network/Inner": []}
    return cloudformation


def steps(run: Run) -> list[tuple[str, str, str, str]]:
    """(address, action, state, error) of a run's steps."""
    found = Step.select().where(Step.run == run).order_by(Step.address, Step.action)
    return [
        (step.address, step.action, step.state, step.diagnostic["summary"] if step.diagnostic else "") for step in found
    ]


def numbers_are_whole(run: Run, events: int) -> bool:
    """Whether each event has a number of its own, from 1, after the change set's."""
    numbers = [number for (number,) in Event.select(Event.sequence).where(Event.run == run).tuples()]
    return run.received == [[0, events]] and sorted(numbers) == list(range(1, events + 1))


def test_the_resources_of_a_nested_stack_have_cards_at_addresses_of_their_own(
    harbour: Docks, dock: Dock, cloudformation: PlayedCloudFormation
) -> None:
    cloudformation.tell(*stacks.NESTED_CREATED)
    harbour.sync()
    (run,) = runs()
    assert (run.outcome, run.stack.name, run.failed_count) == ("succeeded", "web", 0)
    assert states() == {"A": "provisioned", "Network/Gate": "provisioned"}
    assert ("Network", "create", "done", "") in steps(run)


def test_the_end_of_a_nested_stack_does_not_end_the_run(
    harbour: Docks, dock: Dock, cloudformation: PlayedCloudFormation
) -> None:
    for line in stacks.NESTED_CREATED[:-1]:
        cloudformation.tell(line)
        harbour.sync(later_ms=1_000)
        assert [run.phase == "finished" for run in runs()] == [False]
    cloudformation.tell(stacks.NESTED_CREATED[-1])
    harbour.sync(later_ms=1_000)
    assert [run.outcome for run in runs()] == ["succeeded"]


def test_what_failed_in_a_nested_stack_is_the_cause_and_the_stack_is_not(
    harbour: Docks, dock: Dock, cloudformation: PlayedCloudFormation
) -> None:
    cloudformation.tell(*stacks.NESTED_CREATION_FAILED)
    harbour.sync()
    (run,) = runs()
    assert (run.outcome, run.error_summary) == ("failed", QUOTA)
    assert ("Network/Host", "create", "failed", QUOTA) in steps(run)
    assert ("Network", "create", "failed", "") in steps(run)
    assert states()["Network/Gate"] == "deleted"
    view = get_run(Reader(user_id=harbour.cast.viewer.id), run.id, now=harbour.now)
    assert view.steps[0].address == "Network/Host"
    assert view.steps[0].fault is not None
    assert (view.steps[0].fault.summary, view.steps[0].fault.where) == (QUOTA, "AWS::EC2::Instance Network/Host")


def test_a_failure_two_levels_deep_is_told_where_it_was(
    harbour: Docks, dock: Dock, cloudformation: PlayedCloudFormation
) -> None:
    cloudformation.tell(*stacks.DEEP_CREATION_FAILED)
    harbour.sync()
    (run,) = runs()
    assert (run.outcome, run.error_summary) == ("failed", QUOTA)
    assert [step for step in steps(run) if step[3]] == [("Network/Inner/Host", "create", "failed", QUOTA)]
    assert states() == {"Network/Inner/Host": "failed"}


def test_an_update_of_a_nested_stack_takes_in_its_clean_up(
    harbour: Docks, dock: Dock, cloudformation: PlayedCloudFormation
) -> None:
    cloudformation.tell(*stacks.NESTED_CREATED)
    harbour.sync()
    for line in stacks.NESTED_UPDATED:
        cloudformation.tell(line)
        harbour.sync(later_ms=1_000)
    assert [run.outcome for run in runs()] == ["succeeded", "succeeded"]
    assert states() == {"A": "provisioned", "Network/Gate": "deleted", "Network/Host": "provisioned"}
    # And nothing of the operation before.
    assert numbers_are_whole(runs()[-1], len(stacks.NESTED_UPDATED))


def test_an_update_that_fails_inside_leaves_what_was_there(
    harbour: Docks, dock: Dock, cloudformation: PlayedCloudFormation
) -> None:
    cloudformation.tell(*stacks.NESTED_CREATED, *stacks.NESTED_UPDATE_FAILED)
    harbour.sync()
    (run,) = runs()
    assert (run.outcome, run.error_summary) == ("failed", QUOTA)
    assert states() == {"Network/Gate": "provisioned"}


def test_a_deletion_takes_in_what_was_nested_though_no_stack_is_listed_any_more(
    harbour: Docks, dock: Dock, cloudformation: PlayedCloudFormation
) -> None:
    cloudformation.tell(*stacks.NESTED_CREATED)
    harbour.sync()
    cloudformation.tell(*stacks.NESTED_DELETED[:3])
    harbour.sync(later_ms=5_000)
    cloudformation.tell(*stacks.NESTED_DELETED[3:])
    cloudformation.is_listed = False
    seen = harbour.sync(later_ms=5_000)
    assert [run.outcome for run in runs()] == ["succeeded", "succeeded"]
    assert states() == {"A": "deleted", "Network/Gate": "deleted"}
    assert seen.memory["stacks"] == {}


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize("name", ENDS)
def test_looked_at_after_every_event_or_once_it_comes_to_the_same(
    harbour: Docks, dock: Dock, cloudformation: PlayedCloudFormation, name: str, at_once: bool
) -> None:
    story, outcome, error, comes_to = ENDS[name]
    for part in [story] if at_once else [(line,) for line in story]:
        cloudformation.tell(*part)
        harbour.sync(later_ms=1_000)
    (run,) = runs()
    assert (run.outcome, run.error_summary, states()) == (outcome, error, comes_to)
    assert numbers_are_whole(run, len(story))
    assert run.ended_at == run.started_at + (len(story) - 1) * 1_000


@pytest.mark.parametrize("name", ENDS)
def test_its_lines_repeated_and_in_any_order_come_to_the_same(
    harbour: Docks, cloudformation: PlayedCloudFormation, name: str
) -> None:
    story, outcome, error, comes_to = ENDS[name]
    cloudformation.tell(*story)
    lines = [line for said in StackWatch(cloudformation, ["web"], {}).look() if isinstance(said, RunSaid)
             for line in said.lines]  # fmt: skip
    shuffler = random.Random(name)
    arrivals = [*range(len(lines)), *range(len(lines))]
    for number in range(3):
        shuffler.shuffle(arrivals)
        for first in arrivals:
            record(
                Batch(
                    organization_id=harbour.cast.organization.id,
                    engine="cloudformation",
                    provisioning_source="api",
                    run_key=f"run-{number}",
                    stack_name=f"web-{number}",
                    first=first,
                    lines=1,
                    changes=parsed("cloudformation", lines[first : first + 1], first=first).changes,
                ),
                harbour.now,
            )
        run = Run.get(Run.key == f"run-{number}")
        assert (run.outcome, run.error_summary) == (outcome, error)
        assert states(run.stack) == comes_to


def test_an_event_that_aws_shows_late_comes_after_and_moves_no_number(
    harbour: Docks, dock: Dock, cloudformation: PlayedCloudFormation
) -> None:
    def told() -> list[tuple[int, str, str]]:
        return list(Event.select(Event.sequence, Event.kind, Event.address).order_by(Event.sequence).tuples())

    cloudformation.tell(*stacks.NESTED_CREATED[:7])
    late = cloudformation.nested["Network"].pop(1)
    harbour.sync()
    before = told()
    cloudformation.nested["Network"].insert(1, late)
    cloudformation.tell("web CREATE_COMPLETE")
    harbour.sync(later_ms=1_000)
    assert told() == [*before, (7, "started", "Network/Gate"), (8, "run_ended", "")]


@pytest.mark.parametrize("broken_at", [1, 2, 3])
def test_a_look_that_breaks_off_between_two_pieces_goes_on_with_the_same_numbers(
    harbour: Docks,
    dock: Dock,
    cloudformation: PlayedCloudFormation,
    monkeypatch: pytest.MonkeyPatch,
    broken_at: int,
) -> None:
    monkeypatch.setattr(docks.cloudformation, "_MOST_LINES", 3)
    whole = StackWatch.look

    def breaks_off(watch: StackWatch) -> Iterator[Any]:
        for number, finding in enumerate(whole(watch)):
            if number == broken_at:
                raise OSError
            yield finding

    cloudformation.tell(*stacks.NESTED_CREATED[:8])
    # What is between the pieces that were told when the worker died is shown only to the next one.
    late = cloudformation.nested["Network"].pop(0)
    with monkeypatch.context() as patched:
        patched.setattr(StackWatch, "look", breaks_off)
        assert harbour.sync().sync_status == "failing"
    assert [run.received for run in runs()] == [[[0, min(3 * broken_at, 8) - 1]]]
    cloudformation.nested["Network"].insert(0, late)
    cloudformation.tell(*stacks.NESTED_CREATED[8:])
    harbour.sync(later_ms=1_000)
    (run,) = runs()
    assert numbers_are_whole(run, len(stacks.NESTED_CREATED))
    assert sorted(Event.select(Event.kind, Event.address).tuples()) == sorted(
        [
            ("run_info", ""), ("started", "Network"), ("log", "Network"), ("started", "Network"),
            ("started", "Network/Gate"), ("started", "A"), ("done", "Network/Gate"), ("log", "Network"),
            ("done", "Network"), ("done", "A"), ("run_ended", ""),
        ]
    )  # fmt: skip


def test_a_nested_stack_that_was_changed_by_itself_later_is_not_told_as_part_of_the_operation(
    harbour: Docks, dock: Dock, cloudformation: PlayedCloudFormation
) -> None:
    cloudformation.tell(*stacks.NESTED_CREATED)
    cloudformation.tell("Network/. UPDATE_IN_PROGRESS", "Network/Gate UPDATE_FAILED no", "Network/. UPDATE_FAILED no")
    harbour.sync()
    assert states() == {"A": "provisioned", "Network/Gate": "provisioned"}
    assert numbers_are_whole(runs()[0], len(stacks.NESTED_CREATED))


@pytest.mark.parametrize(("token", "left_out"), [("", 1), ("deploy-1", 0)])
def test_what_the_operations_token_marks_is_part_of_it_though_it_is_dated_before(
    harbour: Docks, dock: Dock, cloudformation: PlayedCloudFormation, token: str, left_out: int
) -> None:
    told = cloudformation.tell(*stacks.NESTED_CREATED)
    cloudformation.nested["Network"][0]["Timestamp"] = told[0]["Timestamp"]
    for event in told if token else []:
        event["ClientRequestToken"] = token
    harbour.sync()
    assert numbers_are_whole(runs()[0], len(told) - left_out)


def test_a_nested_stack_that_may_not_be_read_is_what_its_parent_says_of_it(
    harbour: Docks, dock: Dock, cloudformation: PlayedCloudFormation
) -> None:
    cloudformation.troubles = {"Network": "AccessDenied"}
    cloudformation.tell(*stacks.NESTED_CREATION_FAILED)
    assert harbour.sync().sync_status == "ok"
    (run,) = runs()
    assert run.outcome == "failed"
    assert run.error_summary.endswith("The following resource(s) failed to create: [Host].")
    assert set(states()) == {"A"}


def test_throttling_at_a_nested_stack_loses_nothing(
    harbour: Docks, dock: Dock, cloudformation: PlayedCloudFormation
) -> None:
    cloudformation.tell(*stacks.NESTED_CREATION_FAILED[:8])
    harbour.sync()
    cloudformation.tell(*stacks.NESTED_CREATION_FAILED[8:])
    cloudformation.troubles = {"Network": "Throttling"}
    assert harbour.sync(later_ms=5_000).sync_status == "failing"
    # The stack's row waits for what made it fail.
    assert runs()[0].failed_count == 0
    cloudformation.troubles = {}
    harbour.sync(later_ms=15_000)
    (run,) = runs()
    assert run.error_summary == QUOTA
    assert numbers_are_whole(run, len(stacks.NESTED_CREATION_FAILED))


def test_a_nested_stack_that_is_made_is_asked_again_only_when_its_parent_says_more(
    harbour: Docks, dock: Dock, cloudformation: PlayedCloudFormation
) -> None:
    cloudformation.tell(*stacks.NESTED_CREATED[:-1])
    harbour.sync()
    cloudformation.asked_for_events_of.clear()
    harbour.sync(later_ms=5_000)
    assert cloudformation.asked_for_events_of == ["web"]
    cloudformation.tell("web ROLLBACK_IN_PROGRESS", "Network DELETE_IN_PROGRESS", "Network/Gate DELETE_COMPLETE")
    harbour.sync(later_ms=5_000)
    assert states()["Network/Gate"] == "deleted"


@pytest.mark.parametrize(
    ("limits", "addresses"),
    [
        ({"MOST_DEPTH": 1}, {"Network/Host"}),
        ({"MOST_DEPTH": 2}, {"Network/Host", "Network/Inner/Host"}),
        ({"MOST_NESTED_STACKS": 1}, {"Network/Host"}),
        ({"MOST_NESTED_STACKS": 0}, set()),
    ],
)
def test_levels_and_number_of_nested_stacks_are_bounded(
    harbour: Docks,
    dock: Dock,
    cloudformation: PlayedCloudFormation,
    monkeypatch: pytest.MonkeyPatch,
    limits: dict[str, int],
    addresses: set[str],
) -> None:
    for name, limit in limits.items():
        monkeypatch.setattr(docks.stack_reader, name, limit)
    cloudformation.tell(*stacks.DEEP_CREATION_FAILED[:3], "Network/Host CREATE_IN_PROGRESS")
    cloudformation.tell(*stacks.DEEP_CREATION_FAILED[3:])
    harbour.sync()
    assert set(states()) == addresses
    (run,) = runs()
    assert run.outcome == "failed"
    assert run.error_summary == QUOTA if "Network/Inner/Host" in addresses else "Embedded stack" in run.error_summary


def a_change(logical_id: str, **more: str) -> dict[str, str]:
    return {"Action": "Add", "LogicalResourceId": logical_id, "ResourceType": "AWS::EC2::Instance", **more}


@pytest.mark.parametrize(("has_own", "planned", "total_known"), [(True, 5, True), (False, 3, False)])
def test_the_total_is_told_only_where_nested_change_sets_tell_it(
    harbour: Docks,
    dock: Dock,
    cloudformation: PlayedCloudFormation,
    has_own: bool,
    planned: int,
    total_known: bool,
) -> None:
    nested = {"ChangeSetId": "arn:nested"} if has_own else {}
    cloudformation.change_set = [a_change("A"), a_change("Network", **{**nested, "ResourceType": STACK_TYPE})]
    cloudformation.change_sets = {"arn:nested": [a_change("Gate"), a_change("Host"), a_change("Pool")]}
    cloudformation.tell("web REVIEW_IN_PROGRESS User Initiated")
    harbour.sync()
    cloudformation.tell(*stacks.NESTED_CREATED[:7])
    harbour.sync(later_ms=5_000)
    (run,) = runs()
    assert (run.planned_count, run.total_known, run.completed_count) == (planned, total_known, 1)


def test_no_secret_of_a_nested_stack_is_kept(
    harbour: Docks, dock: Dock, cloudformation: PlayedCloudFormation, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "slipway.docks")
    cloudformation.tell(*stacks.DEEP_CREATION_FAILED)
    cloudformation.troubles = {"Network/Inner": "AccessDenied"}
    harbour.sync()
    for model in ALL_MODELS:
        for row in model.select():
            assert SECRET not in str(row.__data__), model
    assert "left out" in caplog.text
    assert SECRET not in caplog.text


class WithRowsOfResources:
    """boto3's client of a moto server, which makes nested stacks and tells no row of any resource: the root's rows of
    its nested stack are added. All else is moto's."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def _rows(self, root: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        (nested,) = [one for one in self._client.describe_stacks()["Stacks"] if "-Nested-" in one["StackName"]]
        for place, status in ((0, "COMPLETE"), (-1, "IN_PROGRESS")):
            yield root[place] | {
                "EventId": f"Nested-{status}",
                "LogicalResourceId": "Nested",
                "PhysicalResourceId": nested["StackId"],
                "ResourceStatus": f"CREATE_{status}",
            }

    def get_paginator(self, name: str) -> Any:
        pages = self._client.get_paginator(name)
        client = self

        class Pages:
            def paginate(self, **asked: str) -> Iterator[dict[str, Any]]:
                for page in pages.paginate(**asked):
                    events = page.get("StackEvents") or []
                    if len(events) == 2 and events[0]["StackName"] == "web":
                        page["StackEvents"] = [events[0], *client._rows(events), events[1]]
                    yield page

        return Pages()


def test_a_nested_stack_that_moto_makes_is_read(harbour: Docks, moto: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def boto(service: str) -> Any:
        keys = {"aws_access_key_id": "x", "aws_secret_access_key": "y"}
        return boto3.client(service, endpoint_url=moto, region_name="eu-west-1", **keys)

    # One server is there for the whole session, and has what the tests before have made.
    urllib.request.urlopen(urllib.request.Request(f"{moto}/moto-api/reset", method="POST")).close()
    s3, client = boto("s3"), boto("cloudformation")
    s3.create_bucket(Bucket="templates", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    inner = {"Resources": {"Queue": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "jobs"}}}}
    s3.put_object(Bucket="templates", Key="inner.json", Body=json.dumps(inner))
    where = {"TemplateURL": "https://templates.s3.amazonaws.com/inner.json"}
    outer = {"Resources": {"Nested": {"Type": STACK_TYPE, "Properties": where}}}
    client.create_stack(StackName="web", TemplateBody=json.dumps(outer))
    monkeypatch.setattr(docks.aws, "client", lambda *_, **__: WithRowsOfResources(client))
    harbour.connect(region="eu-west-1", stacks="web")
    assert harbour.sync().sync_status == "ok"
    (run,) = runs()
    assert (run.outcome, steps(run)) == ("succeeded", [("Nested", "create", "done", "")])
    told = Event.select(Event.kind, Event.address, Event.message).order_by(Event.sequence).tuples()
    assert [row for row in told if row[0] == "log"] == [
        ("log", "Nested", "CREATE_IN_PROGRESS: User Initiated"), ("log", "Nested", "CREATE_COMPLETE"),
    ]  # fmt: skip
    assert numbers_are_whole(run, 6)
