"""provisioning.record: the one door for change."""

from __future__ import annotations

import pytest

from ingest.change import ChangeKind
from models import Event, Organization, Run, Step
from provisioning.errors import BadInput
from provisioning.status_counts import counted_from_rows, status_counts
from tests.harness.cast import NOW, Cast
from tests.provisioning.story import Story, resource_at, tell


@pytest.fixture
def story() -> Story:
    return Story(start=NOW)


def later(story: Story) -> int:
    return story.start + 3_600_000


def test_it_plans_then_provisions_then_succeeds(cast: Cast, story: Story) -> None:
    organization = cast.organization.id
    story.planned("web").total(1)
    tell(organization, story.lines, later(story))
    row = resource_at("web")
    assert (row.card_status, row.provisioning_state, row.planned_action, row.section) == (
        "validating",
        None,
        "create",
        1,
    )
    assert row.state_changed_at == NOW

    story.started("web")
    tell(organization, story.lines[2:], later(story))
    row = resource_at("web")
    assert (row.card_status, row.provisioning_state, row.operation) == ("provisioning", "provisioning", "create")
    assert row.operation_started_at == NOW + 2000

    story.done("web", provider_resource_id="i-123")
    tell(organization, story.lines[3:], later(story), end="0")
    row = resource_at("web")
    assert (row.card_status, row.provisioning_state, row.section) == ("success", "provisioned", 2)
    assert (row.provider_resource_id, row.provisioned_at, row.operation_ended_at) == ("i-123", NOW + 3000, NOW + 3000)
    run = Run.get()
    assert (run.phase, run.outcome, run.planned_count, run.completed_count) == ("finished", "succeeded", 1, 1)


def test_it_keeps_the_error_at_its_resource(cast: Cast, story: Story) -> None:
    story.planned("db").started("db").failed("db").error("db", "no such subnet", "The group does not cover the zones.")
    tell(cast.organization.id, story.lines, later(story), end="1")
    row = resource_at("db")
    assert (row.card_status, row.provisioning_state, row.section) == ("error", "failed", 0)
    assert (row.error_summary, row.error_detail) == ("no such subnet", "The group does not cover the zones.")
    run = Run.get()
    assert (run.outcome, run.failed_count, run.error_summary) == ("failed", 1, "no such subnet")


def test_it_tells_not_started_apart_from_failed(cast: Cast, story: Story) -> None:
    story.planned("db").planned("web").total(2).started("db").failed("db").error("db", "boom")
    tell(cast.organization.id, story.lines, later(story), end="1")
    assert Step.get(Step.address == "aws_instance.web").state == "waiting"
    row = resource_at("web")
    assert (row.card_status, row.provisioning_state, row.reason) == ("idle", None, "not_started")


def test_it_reads_a_replacement_as_two_steps_of_one_resource(cast: Cast, story: Story) -> None:
    organization = cast.organization.id
    story.planned("web", "replace").total(2).started("web", "delete").done("web", "delete")
    tell(organization, story.lines, later(story))
    row = resource_at("web")
    assert (row.provisioning_state, row.operation, row.deleted_at) == ("provisioning", "replace", None)
    assert (row.own_steps, row.own_steps_done) == (2, 1)
    story.started("web").done("web").ended()
    tell(organization, story.lines[4:], later(story))
    row = resource_at("web")
    assert (row.provisioning_state, row.operation, row.own_steps_done) == ("provisioned", "replace", 2)


def test_it_calls_a_half_replacement_failed_when_the_run_is_over(cast: Cast, story: Story) -> None:
    story.planned("web", "replace").total(2).started("web", "delete").done("web", "delete")
    tell(cast.organization.id, story.lines, later(story), end="1")
    row = resource_at("web")
    assert (row.provisioning_state, row.reason) == ("failed", "incomplete")


def test_it_takes_deleted_resources_from_the_lists_and_keeps_them(cast: Cast, story: Story) -> None:
    story.planned("web", "delete").started("web", "delete").done("web", "delete").ended()
    tell(cast.organization.id, story.lines[:2], later(story))
    assert resource_at("web").provisioning_state == "deprovisioning"
    tell(cast.organization.id, story.lines[2:], later(story))
    row = resource_at("web")
    assert (row.card_status, row.provisioning_state, row.section) == ("deleted", None, None)
    assert row.deleted_at == NOW + 2000


def test_a_deleted_resource_comes_back_under_its_id(cast: Cast, story: Story) -> None:
    story.planned("web", "delete").started("web", "delete").done("web", "delete").ended()
    tell(cast.organization.id, story.lines, later(story))
    first = resource_at("web")
    again = Story(start=NOW + 60_000).planned("web").started("web").done("web").ended()
    tell(cast.organization.id, again.lines, later(story), key="run-2")
    row = resource_at("web")
    assert (row.id, row.card_status, row.deleted_at) == (first.id, "success", None)


def test_a_plan_alone_changes_no_state(cast: Cast, story: Story) -> None:
    story.planned("web").started("web").done("web").ended()
    tell(cast.organization.id, story.lines, later(story))
    plan = Story(start=NOW + 60_000).planned("web", "update").total(1)
    tell(cast.organization.id, plan.lines, later(story), key="plan")
    row = resource_at("web")
    assert (row.card_status, row.provisioning_state) == ("validating", "provisioned")
    tell(cast.organization.id, [], later(story), key="plan", end="0")
    row = resource_at("web")
    assert (row.card_status, row.provisioning_state, row.planned_run) == ("success", "provisioned", None)
    assert Run.get(Run.key == "plan").outcome == "succeeded"


def test_what_is_in_flight_at_the_end_is_interrupted(cast: Cast, story: Story) -> None:
    story.planned("web").started("web")
    tell(cast.organization.id, story.lines, later(story), end="137")
    row = resource_at("web")
    assert (row.card_status, row.provisioning_state, row.reason) == ("error", "failed", "interrupted")
    assert Run.get().outcome == "interrupted"


@pytest.mark.parametrize(
    ("end", "cancelling", "outcome"),
    [
        ("0", False, "succeeded"),
        ("1", False, "failed"),
        ("1", True, "cancelled"),
        ("130", False, "cancelled"),
        ("137", False, "interrupted"),
        ("eof", False, "interrupted"),
        ("eof", True, "cancelled"),
    ],
)
def test_the_end_says_how_it_went(cast: Cast, story: Story, end: str, cancelling: bool, outcome: str) -> None:
    story.planned("web").started("web").done("web")
    if cancelling:
        story.say(ChangeKind.CANCELLING)
    tell(cast.organization.id, story.lines, later(story), end=end)
    assert Run.get().outcome == outcome


def test_a_batch_sent_twice_is_stored_once(cast: Cast, story: Story) -> None:
    story.planned("web").started("web").done("web")
    first = tell(cast.organization.id, story.lines, later(story))
    revision = Organization.get_by_id(cast.organization.id).revision
    second = tell(cast.organization.id, story.lines, later(story))
    assert (first.accepted, first.repeated) == (3, 0)
    assert (second.accepted, second.repeated) == (0, 3)
    assert Event.select().count() == 3
    assert Organization.get_by_id(cast.organization.id).revision == revision


def test_it_tells_the_gaps(cast: Cast, story: Story) -> None:
    story.planned("web").started("web").done("web").planned("db")
    answer = tell(cast.organization.id, story.lines[2:3], later(story))
    assert answer.missing == [[0, 1]]
    answer = tell(cast.organization.id, story.lines[:2], later(story))
    assert answer.missing == []


def test_a_late_batch_ends_in_the_same_state(cast: Cast, story: Story) -> None:
    story.planned("web").planned("db").total(2).started("web").done("web").started("db").failed("db").error("db", "no")
    for part in (story.lines[5:], story.lines[2:4], story.lines[:2], story.lines[4:5]):
        tell(cast.organization.id, part, later(story))
    tell(cast.organization.id, [], later(story), end="1")
    assert resource_at("web").card_status == "success"
    assert (resource_at("db").card_status, resource_at("db").error_summary) == ("error", "no")
    run = Run.get()
    assert (run.planned_count, run.completed_count, run.failed_count, run.total_known) == (2, 1, 1, True)


def test_an_older_run_does_not_overwrite_a_newer_one(cast: Cast) -> None:
    newer = Story(start=NOW + 600_000).planned("web").started("web").done("web").ended()
    older = Story(start=NOW).planned("web").started("web").failed("web").error("web", "old trouble")
    tell(cast.organization.id, newer.lines, NOW + 900_000, key="newer")
    tell(cast.organization.id, older.lines, NOW + 900_000, key="older", end="1")
    row = resource_at("web")
    assert (row.card_status, row.claim_run) == ("success", Run.get(Run.key == "newer").id)
    assert Event.select().where(Event.resource == row.id).count() == 7


def test_a_run_belongs_to_one_stack(cast: Cast, story: Story) -> None:
    story.planned("web")
    tell(cast.organization.id, story.lines, later(story))
    with pytest.raises(BadInput) as caught:
        tell(cast.organization.id, story.lines, later(story), stack="other")
    assert caught.value.field == "run"


def test_equal_keys_and_addresses_of_two_organisations_do_not_meet(cast: Cast, story: Story) -> None:
    story.planned("web").started("web")
    tell(cast.organization.id, story.lines, later(story))
    tell(cast.other_organization.id, story.lines, later(story))
    assert Run.select().count() == 2


def test_a_heartbeat_makes_no_revision(cast: Cast, story: Story) -> None:
    story.planned("web").started("web")
    tell(cast.organization.id, story.lines, NOW + 5000)
    before = Organization.get_by_id(cast.organization.id).revision
    tell(cast.organization.id, [], NOW + 15_000, first=2)
    assert Run.get().last_word_at == NOW + 15_000
    assert Organization.get_by_id(cast.organization.id).revision == before


def test_a_clock_that_is_wrong_is_put_right(cast: Cast) -> None:
    # The sender's clock is an hour ahead: sent at NOW + 1 h by it, received at NOW by ours.
    story = Story(start=NOW + 3_600_000 - 5_000).planned("web").started("web")
    tell(cast.organization.id, story.lines, NOW, sent_at=NOW + 3_600_000)
    assert resource_at("web").operation_started_at == NOW - 4_000


def test_a_time_in_the_future_becomes_now(cast: Cast) -> None:
    story = Story(start=NOW + 3_600_000).planned("web").started("web")
    tell(cast.organization.id, story.lines, NOW)
    assert resource_at("web").operation_started_at == NOW


def test_history_says_what_each_line_changed(cast: Cast, story: Story) -> None:
    story.planned("web").started("web").done("web").ended()
    tell(cast.organization.id, story.lines, later(story))
    moves = [
        (event.kind, event.state_before, event.state_after)
        for event in Event.select().where(Event.resource == resource_at("web").id).order_by(Event.sequence)
    ]
    assert moves == [
        ("planned", None, None),
        ("started", None, "provisioning"),
        ("done", "provisioning", "provisioned"),
    ]


def test_counts_by_status_are_kept_true(cast: Cast, story: Story) -> None:
    organization = cast.organization.id
    story.planned("web").planned("db").planned("dns").total(3).started("web").done("web").started("db").failed("db")
    for number in range(len(story.lines)):
        tell(organization, story.lines[number : number + 1], later(story))
        assert status_counts(organization) == counted_from_rows(organization)
    tell(organization, [], later(story), end="1")
    assert status_counts(organization) == counted_from_rows(organization) == {"success": 1, "error": 1, "idle": 1}


def test_a_moved_resource_keeps_its_card(cast: Cast, story: Story) -> None:
    story.planned("web").started("web").done("web").ended()
    tell(cast.organization.id, story.lines, later(story))
    before = resource_at("web")
    move = Story(start=NOW + 60_000)
    move.say(ChangeKind.MOVED, "aws_instance.site", "move", previous_address="aws_instance.web").total(0).ended()
    tell(cast.organization.id, move.lines, later(story), key="move")
    assert resource_at("aws_instance.site").id == before.id


def test_what_a_tool_forgets_leaves_the_lists_and_stands(cast: Cast, story: Story) -> None:
    story.planned("web").started("web").done("web").ended()
    tell(cast.organization.id, story.lines, later(story))
    forget = Story(start=NOW + 60_000).planned("web", "forget").total(0)
    tell(cast.organization.id, forget.lines, later(story), key="forget")
    assert resource_at("web").card_status == "success"
    forget.ended()
    tell(cast.organization.id, forget.lines[2:], later(story), key="forget")
    row = resource_at("web")
    assert (row.section, row.provisioning_source, row.deleted_at, row.reason) == (None, None, None, "retained")
    assert status_counts(cast.organization.id) == counted_from_rows(cast.organization.id) == {}
    again = Story(start=NOW + 120_000).planned("web", "update").started("web", "update").done("web", "update").ended()
    tell(cast.organization.id, again.lines, later(story), key="again")
    row = resource_at("web")
    assert (row.section, row.provisioning_source, row.reason) == (2, "api", "")
