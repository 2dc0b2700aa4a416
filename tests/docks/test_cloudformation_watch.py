"""CloudFormation's documented sequences of events, watched by a dock look by look."""

from __future__ import annotations

from datetime import timedelta

import pytest

from models import ALL_MODELS, Dock, Event, Resource, Run, Stack
from provisioning.resources import TABLES
from tests.docks.stage import SECRET, Docks, PlayedCloudFormation
from tests.harness.stacks import BEGAN

CREATED = (
    "web CREATE_IN_PROGRESS User Initiated",
    "A CREATE_IN_PROGRESS",
    "A CREATE_IN_PROGRESS Resource creation Initiated",
    "B CREATE_IN_PROGRESS",
    "A CREATE_COMPLETE",
    "B CREATE_COMPLETE",
    "web CREATE_COMPLETE",
)
CREATION_FAILED = (
    "web CREATE_IN_PROGRESS User Initiated",
    "A CREATE_IN_PROGRESS",
    "B CREATE_IN_PROGRESS",
    "A CREATE_FAILED You have reached your quota of instances.",
    "B CREATE_FAILED Resource creation cancelled",
    "web ROLLBACK_IN_PROGRESS The following resource(s) failed to create: [A, B]. Rollback requested by system.",
    "B DELETE_IN_PROGRESS",
    "B DELETE_COMPLETE",
    "A DELETE_COMPLETE",
    "web ROLLBACK_COMPLETE",
)
UPDATE_FAILED = (
    "web UPDATE_IN_PROGRESS User Initiated",
    "A UPDATE_IN_PROGRESS",
    "A UPDATE_FAILED Invalid instance type.",
    "web UPDATE_ROLLBACK_IN_PROGRESS The following resource(s) failed to update: [A].",
    "A UPDATE_IN_PROGRESS",
    "A UPDATE_COMPLETE",
    "web UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS",
    "web UPDATE_ROLLBACK_COMPLETE",
)
DELETED = (
    "web DELETE_IN_PROGRESS User Initiated",
    "B DELETE_IN_PROGRESS",
    "A DELETE_IN_PROGRESS",
    "B DELETE_COMPLETE",
    "A DELETE_COMPLETE",
    "web DELETE_COMPLETE",
)


@pytest.fixture
def dock(harbour: Docks) -> Dock:
    return harbour.connect(region="eu-west-1", stacks="web")


def states(stack: Stack | None = None) -> dict[str, str | None]:
    """What each resource, of one stack or of all, is."""
    return {
        row.address: "deleted" if row.deleted_at else row.provisioning_state
        for table in TABLES.values()
        for row in table.select()
        if stack is None or row.stack == stack
    }


def runs() -> list[Run]:
    return list(Run.select().order_by(Run.started_at))


def resource(address: str) -> Resource:
    return next(row for table in TABLES.values() for row in table.select().where(table.address == address))


def test_a_creation_that_goes_well(harbour: Docks, dock: Dock, cloudformation: PlayedCloudFormation) -> None:
    cloudformation.tell(*CREATED)
    seen = harbour.sync()
    assert (seen.sync_status, seen.sync_error, seen.synced_at) == ("ok", None, harbour.now)
    (run,) = runs()
    assert (run.engine, run.outcome, run.completed_count, run.dock_id) == ("cloudformation", "succeeded", 2, dock.id)
    assert run.stack.name == "web"
    # When it was, and not when it was looked at.
    assert run.started_at == int(BEGAN.timestamp() * 1000)
    assert run.ended_at == int((BEGAN + timedelta(seconds=6)).timestamp() * 1000)
    assert states() == {"A": "provisioned", "B": "provisioned"}
    assert resource("A").provider_resource_id == "i-a"


def test_looked_at_after_every_event_it_is_told_once(
    harbour: Docks, dock: Dock, cloudformation: PlayedCloudFormation
) -> None:
    for line in CREATED:
        cloudformation.tell(line)
        seen = harbour.sync(later_ms=1000)
        harbour.sync(later_ms=1000)
    assert seen.sync_status == "ok"
    (run,) = runs()
    assert run.outcome == "succeeded"
    numbers = [sequence for (sequence,) in Event.select(Event.sequence).order_by(Event.sequence).tuples()]
    assert numbers == list(range(1, len(CREATED) + 1))
    assert run.received == [[0, len(CREATED)]]


def test_while_it_goes_on_it_is_looked_at_again_soon(
    harbour: Docks, dock: Dock, cloudformation: PlayedCloudFormation
) -> None:
    cloudformation.tell(*CREATED[:-1])
    seen = harbour.sync()
    assert seen.next_sync_at == harbour.now + 5_000
    (run,) = runs()
    assert run.phase == "applying"
    # A look that finds nothing new still says that it is at work.
    harbour.sync(later_ms=20_000)
    assert Run.get().last_word_at == harbour.now
    cloudformation.tell(CREATED[-1])
    assert harbour.sync(later_ms=5_000).next_sync_at == harbour.now + 60_000


def test_a_creation_that_fails_and_is_rolled_back(
    harbour: Docks, dock: Dock, cloudformation: PlayedCloudFormation
) -> None:
    cloudformation.tell(*CREATION_FAILED)
    harbour.sync()
    (run,) = runs()
    assert run.outcome == "failed"
    # The cause, not what was cancelled because of it.
    assert run.error_summary == "You have reached your quota of instances."
    assert set(states().values()) <= {"deleted", "failed"}
    assert states()["B"] == "deleted"


def test_an_update_that_fails_leaves_what_was_there(
    harbour: Docks, dock: Dock, cloudformation: PlayedCloudFormation
) -> None:
    cloudformation.tell(*CREATED)
    harbour.sync()
    for line in UPDATE_FAILED:
        cloudformation.tell(line)
        harbour.sync(later_ms=1000)
    created, updated = runs()
    assert (created.outcome, updated.outcome) == ("succeeded", "failed")
    assert updated.error_summary == "Invalid instance type."
    assert states() == {"A": "provisioned", "B": "provisioned"}


def test_a_deletion_is_told_though_the_stack_is_listed_no_more(
    harbour: Docks, dock: Dock, cloudformation: PlayedCloudFormation
) -> None:
    cloudformation.tell(*CREATED)
    harbour.sync()
    cloudformation.tell(*DELETED[:3])
    harbour.sync(later_ms=5_000)
    cloudformation.tell(*DELETED[3:])
    cloudformation.is_listed = False
    seen = harbour.sync(later_ms=5_000)
    assert [run.outcome for run in runs()] == ["succeeded", "succeeded"]
    assert states() == {"A": "deleted", "B": "deleted"}
    assert seen.memory["stacks"] == {}
    assert harbour.sync(later_ms=60_000).sync_status == "ok"
    assert len(runs()) == 2


def test_at_the_first_look_only_the_latest_operation_is_told(
    harbour: Docks, dock: Dock, cloudformation: PlayedCloudFormation
) -> None:
    cloudformation.tell(*CREATED, *UPDATE_FAILED)
    harbour.sync()
    assert [run.outcome for run in runs()] == ["failed"]


def test_an_operation_under_way_at_the_first_look_brings_no_older_one(
    harbour: Docks, dock: Dock, cloudformation: PlayedCloudFormation
) -> None:
    cloudformation.tell(*CREATED, *UPDATE_FAILED[:3])
    harbour.sync()
    cloudformation.tell(*UPDATE_FAILED[3:5])
    harbour.sync(later_ms=5_000)
    cloudformation.tell(*UPDATE_FAILED[5:])
    harbour.sync(later_ms=5_000)
    (run,) = runs()
    assert (run.outcome, run.received) == ("failed", [[0, len(UPDATE_FAILED)]])


def test_a_change_set_of_long_ago_gives_no_total_at_the_first_look(
    harbour: Docks, dock: Dock, cloudformation: PlayedCloudFormation
) -> None:
    cloudformation.change_set = [{"Action": "Add", "LogicalResourceId": "A", "ResourceType": "AWS::EC2::Instance"}]
    cloudformation.tell(*CREATED, *UPDATE_FAILED[:3])
    harbour.sync()
    assert Run.get().total_known is False


def test_several_operations_between_two_looks_are_all_told(
    harbour: Docks, dock: Dock, cloudformation: PlayedCloudFormation
) -> None:
    cloudformation.tell(*CREATED)
    harbour.sync()
    cloudformation.tell(*UPDATE_FAILED, *UPDATE_FAILED, *DELETED[:2])
    harbour.sync(later_ms=60_000)
    assert [run.outcome for run in runs()] == ["succeeded", "failed", "failed", None]


def test_the_total_comes_from_the_change_set_of_this_operation(
    harbour: Docks, dock: Dock, cloudformation: PlayedCloudFormation
) -> None:
    cloudformation.change_set = [
        {"Action": "Add", "LogicalResourceId": name, "ResourceType": "AWS::EC2::Instance"} for name in ("A", "B", "C")
    ]
    cloudformation.tell("web REVIEW_IN_PROGRESS User Initiated")
    harbour.sync()
    assert runs() == [], "a change set alone is no operation"
    cloudformation.tell(*CREATED[:3])
    harbour.sync(later_ms=5_000)
    (run,) = runs()
    assert (run.planned_count, run.total_known) == (3, True)
    cloudformation.tell(*CREATED[3:])
    harbour.sync(later_ms=5_000)
    # The next operation was begun without one; the stack still names the old.
    cloudformation.tell(*UPDATE_FAILED[:2])
    harbour.sync(later_ms=5_000)
    assert runs()[-1].total_known is False


def test_a_look_is_cheap_where_nothing_moved(harbour: Docks, dock: Dock, cloudformation: PlayedCloudFormation) -> None:
    cloudformation.tell(*CREATED)
    harbour.sync()
    cloudformation.asked.clear()
    harbour.sync(later_ms=60_000)
    assert cloudformation.asked == ["describe_stacks"]


def test_a_run_that_the_reporter_tells_is_not_told_twice(
    harbour: Docks, dock: Dock, cloudformation: PlayedCloudFormation
) -> None:
    stack = Stack.create(
        organization=harbour.cast.organization, engine="cloudformation", name="web", created_at=harbour.now
    )
    began = int(BEGAN.timestamp() * 1000) + 3_000
    Run.create(
        organization=harbour.cast.organization, stack=stack, key="of-the-reporter", engine="cloudformation",
        started_at=began, last_word_at=began,
    )  # fmt: skip
    cloudformation.tell(*CREATED[:4])
    harbour.sync()
    cloudformation.tell(*CREATED[4:])
    harbour.sync(later_ms=5_000)
    assert [run.key for run in runs()] == ["of-the-reporter"]


def test_no_secret_of_a_stack_or_of_the_dock_is_kept(
    harbour: Docks, dock: Dock, cloudformation: PlayedCloudFormation, caplog: pytest.LogCaptureFixture
) -> None:
    cloudformation.tell(*CREATION_FAILED)
    harbour.sync()
    for model in ALL_MODELS:
        for row in model.select():
            assert SECRET not in str(row.__data__), model
    assert SECRET not in caplog.text
