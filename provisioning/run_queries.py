"""What pages and the API ask about runs and stacks. Every answer is scoped to what the reader may see."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from ingest.resource_types import display_type, resource_name
from models import Run, Stack, Step, database
from provisioning import line_ranges
from provisioning.card_rows import RUN_SELECT, TABLE_NAMES, part, past_durations, rows_of, run_brief, usual_range
from provisioning.cursors import newest_first, page_of, read_cursor
from provisioning.errors import MissingPermission, NotFound
from provisioning.permissions import find_person, givers
from provisioning.queries import PAGE_SIZE, readable_organization
from provisioning.readers import Reader
from provisioning.revisions import revision_of
from provisioning.states import Liveness, RunPhase, StepState
from provisioning.status import Fault, ProvisionStatus, RunBrief, RunView, StackBrief, StackView, StepView
from provisioning.wording import reason_text, step_verb

MOST_STEPS = 2_000
_MOST_CARDS = 500
_LAST_RUNS = 10
_USUAL_RUNS = 20
_STEP_ORDER = {
    StepState.FAILED: 0,
    StepState.INTERRUPTED: 1,
    StepState.RUNNING: 2,
    StepState.WAITING: 3,
    StepState.DONE: 4,
}
_USUAL_SINCE_MS = 90 * 24 * 3_600_000


@dataclass(frozen=True, slots=True)
class RunsPage:
    """One page of runs, newest first."""

    runs: list[RunBrief]
    next_cursor: str | None
    revision: int


@dataclass(frozen=True, slots=True)
class StacksPage:
    """One page of stacks, the one that ran last first, as they were at a revision or later."""

    stacks: list[StackBrief]
    next_cursor: str | None
    revision: int


def list_runs(
    reader: Reader,
    organization_id: str | None = None,
    *,
    stack_id: str | None = None,
    cursor: str | None = None,
    limit: int = PAGE_SIZE,
) -> RunsPage:
    """The runs of an organisation, or of one of its stacks, newest first."""
    organization = readable_organization(reader, organization_id)
    if organization is None:
        return RunsPage([], None, 0)
    mark = database.param
    condition, values = f"n.organization_id = {mark}", [organization]
    if stack_id:
        condition, values = f"n.stack_id = {mark} AND n.organization_id = {mark}", [stack_id, organization]
    place = read_cursor(cursor, numbers=1)
    parameters: list[object] = [*values]
    if place is not None:
        condition += f" AND (n.started_at, n.id) < ({mark}, {mark})"
        parameters += [place[0][0], place[1]]
    found = _runs(f"WHERE {condition} ORDER BY n.started_at DESC, n.id DESC LIMIT {mark}", [*parameters, limit + 1])
    return RunsPage(*page_of(found, limit, lambda run: (run.started_at, run.id)), revision_of(organization))


def get_run_brief(reader: Reader, run_id: str) -> RunBrief:
    """A run without its steps. Raises `NotFound`, or `MissingPermission` for a member who may not read."""
    mark = database.param
    scope, values = reader.scope(mark, "n.organization_id")
    found = _runs(f"WHERE n.id = {mark} AND {scope}", [run_id, *values])
    if not found:
        _refuse_member(reader, Run.get_or_none(Run.id == run_id))
        raise NotFound("There is no such run here.")
    return found[0]


def get_run(reader: Reader, run_id: str, *, now: int) -> RunView:
    """A run with its steps, what failed first; the steps past `MOST_STEPS` are counted, not listed."""
    run = get_run_brief(reader, run_id)
    row = Run.select(Run.received, Run.fold, Run.phase, Run.liveness).where(Run.id == run_id).get()
    rows = list(Step.select().where(Step.run == run_id).order_by(Step.position).limit(MOST_STEPS))
    ended = run.ended_at or max(now, run.started_at + 1)
    usual = _usual_of_steps(rows, now)
    steps = [_step_view(one, run, ended, usual.get((one.resource, one.action))) for one in rows]
    # Of what failed, the causes first: a step without an error of its own only fell with another.
    steps.sort(key=lambda step: (_STEP_ORDER[step.state], step.state is StepState.FAILED and step.fault is None))
    faults = [
        Fault(one["summary"], one.get("detail", ""), one.get("where") or one.get("address", ""))
        for one in row.fold.get("faults", [])
    ]
    return RunView(
        run=run,
        steps=steps,
        steps_left_out=max(0, run.planned - len(steps)) if len(steps) == MOST_STEPS else 0,
        faults=faults,
        missing=[(first, last) for first, last in line_ranges.gaps(row.received)],
        usual_ms=_usual_of_runs(run),
        can_close=row.phase != RunPhase.FINISHED and row.liveness == Liveness.LOST,
    )


def list_stacks(
    reader: Reader,
    organization_id: str | None = None,
    *,
    q: str = "",
    cursor: str | None = None,
    limit: int = PAGE_SIZE,
) -> StacksPage:
    """The stacks of an organisation, the one that ran last first, those that never ran at the end; `q` narrows them to
    names that hold it."""
    organization = readable_organization(reader, organization_id)
    if organization is None:
        return StacksPage([], None, 0)
    # Read before the stacks: what changes in between is asked for again.
    revision = revision_of(organization)
    query = Stack.select().where(Stack.organization == organization)
    if q:
        query = query.where(Stack.name.contains(q))
    found = list(newest_first(query, Stack.last_run_at, Stack.id, cursor, limit))
    shown, next_cursor = page_of(found, limit, lambda stack: (stack.last_run_at, stack.id))
    return StacksPage(stack_briefs(shown), next_cursor, revision)


def get_stack(reader: Reader, stack_id: str) -> StackView:
    """A stack: its resources as they are now, what needs attention first, and its latest runs."""
    mark = database.param
    scope, values = reader.scope(mark)
    row = database.execute_sql(f"SELECT id FROM stack WHERE id = {mark} AND {scope}", (stack_id, *values)).fetchone()
    if row is None:
        _refuse_member(reader, Stack.get_or_none(Stack.id == stack_id))
        raise NotFound("There is no such stack here.")
    stack = Stack.get_by_id(stack_id)
    cards = _cards_of_stack(stack_id)
    runs = _runs(
        f"WHERE n.stack_id = {mark} ORDER BY n.started_at DESC, n.id DESC LIMIT {mark}", [stack_id, _LAST_RUNS]
    )
    brief = stack_briefs([stack])[0]
    shown = cards[:_MOST_CARDS]
    return StackView(
        stack=brief, resources=shown, resources_left_out=sum(brief.resources.values()) - len(shown), runs=runs
    )


def _cards_of_stack(stack_id: str) -> list[ProvisionStatus]:
    mark = database.param
    condition = f"r.stack_id = {mark} AND r.section IS NOT NULL"
    parts = [part(kind, condition, tail=f"LIMIT {_MOST_CARDS + 1}") for kind in TABLE_NAMES]
    return rows_of(parts, [stack_id] * len(parts), tail="ORDER BY u.section, u.state_changed_at DESC, u.id DESC")


def _runs(tail: str, parameters: list[object]) -> list[RunBrief]:
    rows = database.execute_sql(
        f"SELECT {RUN_SELECT}, s.name FROM run n LEFT JOIN stack s ON s.id = n.stack_id {tail}", tuple(parameters)
    ).fetchall()
    return [run_brief(row[:-1], row[-1]) for row in rows]


def _refuse_member(reader: Reader, found: Run | Stack | None) -> None:
    """Tell a member who lacks the permission apart from somebody who has no business here."""
    if found is None or reader.user_id is None:
        return
    person = find_person(reader.user_id)
    if person is not None and person.place_in(found.organization_id) is not None:
        raise MissingPermission("provisioning:read", found.organization_id, givers(found.organization_id))


def _step_view(row: Step, run: RunBrief, ended: int, usual: tuple[int, int] | None) -> StepView:
    state = StepState(row.state)
    span = max(1, ended - run.started_at)
    offset = length = 0
    if row.started_at is not None:
        offset = min(1000, max(0, (row.started_at - run.started_at) * 1000 // span))
        length = max(4, min(1000 - offset, ((row.ended_at or ended) - row.started_at) * 1000 // span))
    fault = None
    if row.diagnostic:
        fault = Fault(row.diagnostic["summary"], row.diagnostic["detail"], row.diagnostic["where"])
    elif row.reason:
        fault = Fault(reason_text(row.reason)) if state is StepState.INTERRUPTED else None
    return StepView(
        id=row.id,
        address=row.address,
        name=resource_name(run.engine, row.address),
        type_label=display_type(row.tool_type) if row.tool_type else "",
        action=row.action,
        verb=step_verb(row.action, replacing=row.replacing),
        replacing=row.replacing,
        state=state,
        state_text="Not started" if state is StepState.WAITING and run.is_finished else _step_label(state),
        resource_id=row.resource,
        fault=fault,
        waits_for=row.waits_for,
        started_at=row.started_at,
        ended_at=row.ended_at,
        usual_ms=usual,
        offset=offset,
        length=length,
    )


def _step_label(state: StepState) -> str:
    return state.value.capitalize()


def _usual_of_steps(rows: list[Step], now: int) -> dict[tuple[str, str], tuple[int, int]]:
    running = [row.resource for row in rows if row.state == StepState.RUNNING and row.resource]
    if not running:
        return {}
    durations = past_durations(running, since=now - _USUAL_SINCE_MS)
    return {key: usual for key, values in durations.items() if (usual := usual_range(values))}  # type: ignore[misc]


def _usual_of_runs(run: RunBrief) -> tuple[int, int] | None:
    """How long the stack's last successful runs took."""
    if run.stack_id is None:
        return None
    mark = database.param
    rows = database.execute_sql(
        f"SELECT ended_at - started_at FROM run WHERE stack_id = {mark} AND started_at < {mark} "
        f"AND outcome = 'succeeded' ORDER BY started_at DESC, id DESC LIMIT {mark}",
        (run.stack_id, run.started_at, _USUAL_RUNS),
    ).fetchall()
    return usual_range([row[0] for row in rows])


def stack_briefs(stacks: list[Stack]) -> list[StackBrief]:
    """Stacks as lists tell them: what their resources and their latest run come to."""
    if not stacks:
        return []
    mark = database.param
    ids = [stack.id for stack in stacks]
    marks = ", ".join([mark] * len(ids))
    counts: dict[str, Counter[str]] = {one: Counter() for one in ids}
    union = " UNION ALL ".join(
        f'SELECT stack_id, card_status, COUNT(*) FROM "{table}" WHERE stack_id IN ({marks}) '
        "AND section IS NOT NULL GROUP BY stack_id, card_status"
        for table in TABLE_NAMES.values()
    )
    for stack_id, status, count in database.execute_sql(union, tuple(ids) * len(TABLE_NAMES)).fetchall():
        counts[stack_id][status] += count
    latest = _runs(
        "WHERE n.id IN ("
        + " UNION ALL ".join(
            f"SELECT * FROM (SELECT id FROM run WHERE stack_id = {mark} "
            f"ORDER BY started_at DESC, id DESC LIMIT 1) AS latest_{place}"
            for place in range(len(ids))
        )
        + ")",
        list(ids),
    )
    by_stack = {run.stack_id: run for run in latest}
    return [
        StackBrief(
            id=stack.id,
            organization_id=stack.organization_id,
            engine=stack.engine,
            name=stack.name,
            resources=dict(counts[stack.id]),
            latest_run=by_stack.get(stack.id),
            revision=stack.revision,
        )
        for stack in stacks
    ]
