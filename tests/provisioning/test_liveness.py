"""provisioning.liveness: silent runs are called quiet, then lost; a late word brings them back."""

from __future__ import annotations

import pytest

from models import AuditEntry, Organization, Run, Stack, Step
from provisioning import queries, run_queries
from provisioning.audit import Actor
from provisioning.errors import Refused
from provisioning.liveness import close_run, watch
from provisioning.readers import Reader
from provisioning.status_counts import counted_from_rows, status_counts
from tests.harness.cast import NOW, Cast
from tests.provisioning.story import Story, resource_at, tell

QUIET, LOST = 30_000, 900_000
ACTOR = Actor("ada@acme.example")


@pytest.fixture
def story(cast: Cast) -> Story:
    """A run with one resource in flight and one planned, whose last word came at NOW + 10 s."""
    story = Story(start=NOW).planned("web").planned("db").total(2).started("web")
    tell(cast.organization.id, story.lines, NOW + 10_000)
    return story


def look(after_ms: int) -> int:
    """What the watch does at a moment after the last word."""
    return watch(NOW + 10_000 + after_ms, quiet_after_ms=QUIET, lost_after_ms=LOST)


def revision(cast: Cast) -> int:
    return int(Organization.get_by_id(cast.organization.id).revision)


def test_a_run_that_speaks_is_left_alone(cast: Cast, story: Story) -> None:
    assert look(QUIET) == 0
    assert Run.get().liveness == "live"


def test_a_silent_run_is_quiet_once(cast: Cast, story: Story) -> None:
    before = revision(cast)
    assert look(QUIET + 1) == 1
    assert look(QUIET + 2) == 0
    assert (Run.get().liveness, Run.get().outcome) == ("quiet", None)
    assert revision(cast) == before + 1
    status = queries.get_provision_status(Reader(user_id=cast.viewer.id), resource_at("web").id)
    assert (status.liveness, status.card_status, status.last_word_at) == ("quiet", "provisioning", NOW + 10_000)


def test_a_run_that_stays_silent_is_lost_and_its_resources_stalled(cast: Cast, story: Story) -> None:
    look(QUIET + 1)
    assert look(LOST + 1) == 1
    run = Run.get()
    assert (run.liveness, run.outcome, run.reason, run.phase) == ("lost", "lost", "no_word", "applying")
    for name in ("web", "db"):
        assert (resource_at(name).card_status, resource_at(name).section) == ("stalled", 0)
    status = queries.get_provision_status(Reader(user_id=cast.viewer.id), resource_at("web").id)
    assert status.reason_text.startswith("No word")
    assert status.as_json()["status"] == "provisioning"
    assert status_counts(cast.organization.id) == counted_from_rows(cast.organization.id) == {"stalled": 2}


def test_the_stacks_own_time_out_goes_before_the_setting(cast: Cast, story: Story) -> None:
    Stack.update(lost_after_ms=60_000).execute()
    look(60_001)
    assert Run.get().liveness == "lost"


def test_a_heartbeat_brings_a_quiet_run_back(cast: Cast, story: Story) -> None:
    look(QUIET + 1)
    tell(cast.organization.id, [], NOW + 60_000, first=len(story.lines))
    assert Run.get().liveness == "live"


def test_a_late_line_brings_a_lost_run_and_its_resources_back(cast: Cast, story: Story) -> None:
    look(LOST + 1)
    story.done("web").started("db")
    tell(cast.organization.id, story.lines[4:], NOW + 2_000_000)
    run = Run.get()
    assert (run.liveness, run.outcome, run.reason) == ("live", None, "spoke_again")
    assert (resource_at("web").card_status, resource_at("db").card_status) == ("success", "provisioning")
    assert status_counts(cast.organization.id) == counted_from_rows(cast.organization.id)


def test_a_heartbeat_alone_brings_back_all_resources_of_a_lost_run(cast: Cast, story: Story) -> None:
    look(LOST + 1)
    tell(cast.organization.id, [], NOW + 2_000_000, first=len(story.lines))
    assert (resource_at("web").card_status, resource_at("db").card_status) == ("provisioning", "validating")


def test_a_member_may_close_a_lost_run(cast: Cast, story: Story) -> None:
    look(LOST + 1)
    close_run(Run.get().id, actor=ACTOR, now=NOW + 1_000_000)
    run = Run.get()
    assert (run.phase, run.outcome, run.reason, run.ended_at) == (
        "finished", "interrupted", "closed_by_hand", NOW + 1_000_000,
    )  # fmt: skip
    assert (run.running_count, run.interrupted_count) == (0, 1)
    assert (resource_at("web").provisioning_state, resource_at("web").card_status) == ("failed", "error")
    assert (resource_at("db").card_status, resource_at("db").reason) == ("idle", "not_started")
    assert Step.get(Step.address == "aws_instance.web").state == "interrupted"
    entry = AuditEntry.get()
    assert (entry.action, entry.actor, entry.subject) == ("run.closed", ACTOR.label, run.id)
    assert status_counts(cast.organization.id) == counted_from_rows(cast.organization.id)
    view = run_queries.get_run(Reader(user_id=cast.viewer.id), run.id, now=NOW + 2_000_000)
    assert not view.can_close
    assert [step.state_text for step in view.steps] == ["Interrupted", "Not started"]


def test_closing_a_run_that_only_planned_leaves_the_reason_of_what_is(cast: Cast) -> None:
    before = Story(start=NOW - 600_000).planned("web").total(1).started("web")
    tell(cast.organization.id, before.lines, NOW - 500_000, key="before", end="eof")
    assert (resource_at("web").provisioning_state, resource_at("web").reason) == ("failed", "interrupted")
    again = Story(start=NOW).planned("web", "update").planned("db").total(2)
    run_id = tell(cast.organization.id, again.lines, NOW + 10_000, key="again").run_id
    look(LOST + 1)
    close_run(run_id, actor=ACTOR, now=NOW + 1_000_000)
    assert (resource_at("web").card_status, resource_at("web").reason) == ("error", "interrupted")
    assert (resource_at("db").card_status, resource_at("db").reason) == ("idle", "not_started")


def test_a_late_line_reopens_a_run_closed_by_hand(cast: Cast, story: Story) -> None:
    look(LOST + 1)
    close_run(Run.get().id, actor=ACTOR, now=NOW + 1_000_000)
    story.done("web")
    tell(cast.organization.id, story.lines[4:], NOW + 2_000_000)
    run = Run.get()
    assert (run.phase, run.outcome, run.closed_by, run.ended_at) == ("applying", None, "", None)
    assert resource_at("web").card_status == "success"
    assert resource_at("db").card_status == "validating"
    tell(cast.organization.id, [], NOW + 2_000_000, end="0")
    assert Run.get().outcome == "succeeded"


def test_a_run_that_is_not_lost_cannot_be_closed(cast: Cast, story: Story) -> None:
    with pytest.raises(Refused):
        close_run(Run.get().id, actor=ACTOR, now=NOW + 20_000)
    tell(cast.organization.id, [], NOW + 20_000, end="0")
    with pytest.raises(Refused, match="ended already"):
        close_run(Run.get().id, actor=ACTOR, now=NOW + 30_000)
