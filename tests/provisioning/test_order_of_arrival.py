"""Whatever order batches arrive in, however often: the same final state, no event lost or doubled."""

from __future__ import annotations

import itertools
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from ingest.change import Change, ChangeKind
from models import ALL_MODELS, Event, Organization, Run, Step
from provisioning.resources import TABLES
from provisioning.states import RESOURCE_MOVES, ProvisioningState
from provisioning.status_counts import counted_from_rows, status_counts
from tests.harness.cast import NOW, Cast
from tests.provisioning.story import TYPES, Story, resource_at, tell

LATER = NOW + 10_000_000

MANY = settings(
    max_examples=80,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@st.composite
def stories(draw: st.DrawFn) -> tuple[list[Change], str | None]:
    """One run of a tool that keeps its own order: it plans, then each planned step may begin and end, or fail."""
    story = Story(start=NOW + draw(st.integers(0, 60)) * 1000)
    planned = draw(st.lists(st.sampled_from(sorted(TYPES)), unique=True, min_size=1))
    actions = {name: draw(st.sampled_from(["create", "update", "delete", "replace"])) for name in planned}
    if draw(st.booleans()):
        for name in planned:
            story.planned(name, actions[name])
        story.total(sum(2 if action == "replace" else 1 for action in actions.values()))
    halves = [
        (name, half) for name in planned
        for half in (("delete", "create") if actions[name] == "replace" else (actions[name],))
    ]  # fmt: skip
    for name, half in draw(st.permutations(halves)):
        ending = draw(st.sampled_from(["done", "failed", "error only", "open", "not begun"]))
        if ending == "not begun":
            continue
        story.started(name, half)
        if ending == "done":
            story.done(name, half)
        if ending == "failed":
            story.failed(name, half)
        if ending in ("failed", "error only") and draw(st.booleans()):
            story.error(name, f"{name} broke")
    end = draw(st.sampled_from([None, "0", "1", "130", "eof"]))
    if end is None and draw(st.booleans()):
        story.ended()
    return story.lines, end


@st.composite
def deliveries(
    draw: st.DrawFn,
) -> tuple[list[tuple[list[Change], str | None]], list[tuple[int, list[Change], str | None]]]:
    """Runs, and the order in which pieces of them arrive: cut anywhere, shuffled, some of them twice."""
    runs = draw(st.lists(stories(), min_size=1, max_size=3))
    pieces: list[tuple[int, list[Change], str | None]] = []
    for number, (lines, end) in enumerate(runs):
        cuts = sorted({0, len(lines), *draw(st.lists(st.integers(0, len(lines)), max_size=3))})
        parts = [(number, lines[a:b], None) for a, b in itertools.pairwise(cuts)]
        pieces += parts
        pieces += draw(st.lists(st.sampled_from(parts), max_size=2)) if parts else []
        if end is not None:
            pieces.append((number, [], end))
    return runs, draw(st.permutations(pieces))


def final_state(organization_id: str) -> dict[str, Any]:
    """All that is stored, in the terms of the stories: no ids of ours, no time of receipt."""
    keys = {run.id: run.key for run in Run.select()}
    resources = {
        (kind, row.address): (
            row.provisioning_state, row.operation, row.card_status, row.section, row.error_summary, row.reason,
            keys.get(row.claim_run), keys.get(row.planned_run), row.claim_at, row.operation_started_at,
            row.operation_ended_at, row.own_steps, row.own_steps_done, row.deleted_at,
        )
        for kind, table in TABLES.items() for row in table.select()
    }  # fmt: skip
    steps = {
        (keys[step.run_id], step.address, step.action): (
            step.state, step.replacing, step.reason, step.started_at, step.diagnostic, step.position,
        )
        for step in Step.select()
    }  # fmt: skip
    runs = {
        run.key: (
            run.phase, run.outcome, run.planned_count, run.running_count, run.completed_count, run.failed_count,
            run.interrupted_count, run.total_known, run.error_summary, run.received,
        )
        for run in Run.select()
    }  # fmt: skip
    events = sorted((keys[event.run_id], event.sequence, event.kind) for event in Event.select())
    assert status_counts(organization_id) == counted_from_rows(organization_id)
    return {"resources": resources, "steps": steps, "runs": runs, "events": events}


def clean() -> str:
    for model in reversed(ALL_MODELS):
        model.delete().execute()
    return str(Organization.create(name="Acme", slug="acme", created_at=NOW).id)


@MANY
@given(deliveries())
def test_every_order_of_arrival_ends_in_the_same_state(
    cast: Cast, delivery: tuple[list[tuple[list[Change], str | None]], list[tuple[int, list[Change], str | None]]]
) -> None:
    runs, pieces = delivery
    organization = clean()
    for number, (lines, end) in enumerate(runs):
        if lines or end is not None:
            tell(organization, lines, LATER, key=f"run-{number}", end=end, first=0)
    expected = final_state(organization)

    organization = clean()
    for number, lines, end in pieces:
        tell(organization, lines, LATER, key=f"run-{number}", end=end, first=lines[0].sequence if lines else 0)
    assert final_state(organization) == expected
    assert_moves_are_legal()


def test_a_plan_of_another_run_takes_the_place_of_one_that_was_not_carried_out(cast: Cast) -> None:
    """Found by the test above, in one of some thousand deliveries."""
    abandoned = Story(start=NOW).planned("db").planned("web").started("web").failed("web").lines
    again = Story(start=NOW).planned("db").lines
    states = []
    for order in ("0e1", "01e", "10e"):
        organization = clean()
        for one in order:
            lines, end = {"0": (abandoned, None), "e": ([], "1"), "1": (again, None)}[one]
            tell(organization, lines, LATER, key="run-1" if one == "1" else "run-0", end=end, first=0)
        states.append(final_state(organization))
    assert states[0] == states[1] == states[2]
    assert resource_at("db").reason == ""


def assert_moves_are_legal() -> None:
    """No run's word moved a resource in a way that the table forbids. From one run's word to another's, all may be."""
    last: dict[tuple[str, str], str | None] = {}
    for event in Event.select().where(Event.resource.is_null(False)).order_by(Event.run, Event.sequence):
        key = (event.run_id, event.resource)
        before = ProvisioningState(event.state_before) if event.state_before else None
        after = ProvisioningState(event.state_after) if event.state_after else None
        if key in last and last[key] == event.state_before:
            assert after == before or after in RESOURCE_MOVES[before], (event.kind, event.action, before, after)
        last[key] = event.state_after


# --- The simple model: what people would say who read all lines at once


def last_words(lines: list[Change], address: str) -> dict[str, tuple[str, int]]:
    """For each half of a resource's steps that began: how it stands, and when its last word was said."""
    halves: dict[str, tuple[str, int]] = {}
    for change in lines:
        if change.address != address or change.kind is ChangeKind.PLANNED or change.occurred_at is None:
            continue
        if change.kind is ChangeKind.DIAGNOSTIC:
            # Said of whatever failed without a word, else of what is under way.
            silent = [half for half, (word, _) in halves.items() if word == "failed"]
            running = [half for half, (word, _) in halves.items() if word == "started"]
            for half in (silent or running)[:1]:
                halves[half] = ("failed, told why", change.occurred_at)
        else:
            halves[change.action] = (str(change.kind), change.occurred_at)
    return halves


def told_state(runs: list[tuple[list[Change], str | None]], address: str) -> str | None:
    """The provisioning state of a resource: the word of the run whose step on it spoke last."""
    said: list[tuple[int, int, str | None]] = []
    for number, (lines, end) in enumerate(runs):
        halves = last_words(lines, address)
        if not halves:
            continue
        over = end is not None or any(change.kind is ChangeKind.RUN_ENDED for change in lines)
        replaced = any(c.address == address and c.kind is ChangeKind.PLANNED and c.action == "replace" for c in lines)
        latest = max(halves, key=lambda half: _began(lines, address, half))
        counted = set(halves) if replaced else {latest}
        words = {halves[half][0].split(",")[0] for half in counted}
        missing = replaced and len(halves) < 2
        if "failed" in words or (over and ("started" in words or missing)):
            state: str | None = "failed"
        elif "started" in words or missing:
            state = "deprovisioning" if counted == {"delete"} and not replaced else "provisioning"
        else:
            state = None if counted == {"delete"} and not replaced else "provisioned"
        said.append((max(at for _, at in halves.values()), number, state))
    return max(said, key=lambda one: (one[0], one[1]))[2] if said else None


def _began(lines: list[Change], address: str, half: str) -> int:
    return next(
        change.sequence
        for change in lines
        if change.address == address and change.kind is ChangeKind.STARTED and change.action == half
    )


@MANY
@given(deliveries())
def test_every_resource_is_what_a_simple_model_says(
    cast: Cast,
    delivery: tuple[list[tuple[list[Change], str | None]], list[tuple[int, list[Change], str | None]]],
) -> None:
    runs, pieces = delivery
    organization = clean()
    for number, lines, end in pieces:
        tell(organization, lines, LATER, key=f"run-{number}", end=end, first=lines[0].sequence if lines else 0)
    for table in TABLES.values():
        for row in table.select():
            assert row.provisioning_state == told_state(runs, row.address), row.address
