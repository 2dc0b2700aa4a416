"""The one door for change: a batch of a run's lines becomes events, steps, run and resources in one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import fields
from typing import Any

from peewee import fn

from ingest.change import Change, ChangeKind, Diagnostic
from models import Dock, Event, Organization, Run, Stack, Step, database
from models.base import ulid
from models.writes import insert_rows, update_row
from provisioning import line_ranges, logs
from provisioning.batch import Batch, Recorded
from provisioning.errors import BadInput
from provisioning.fold import RunFold, StepRecord, diagnostic_record
from provisioning.resources import ResourceWriter
from provisioning.revisions import lock_organization, next_revision
from provisioning.states import Liveness, RunOutcome, RunPhase, StepState

# A clock that is off by less than this is taken as it is: the network alone explains it.
_TOLERATED_SKEW_MS = 2_000


def record(batch: Batch, now: int) -> Recorded:
    """Apply a batch and say what became of it.

    Sent twice, a batch changes nothing; late or out of order, it ends in the state that the right order gives.
    A batch without lines is a heartbeat: it renews the run's last word.
    Raises `BadInput` where the run's key belongs to another stack or engine, or the dock does not exist.
    """
    with database.atomic():
        organization = lock_organization(batch.organization_id)
        stack = _stack(batch, now)
        run, is_new = _run(batch, stack, now)
        recording = _Recording(organization, run, stack, batch, now)
        return recording.apply(is_new=is_new)


def _stack(batch: Batch, now: int) -> Stack:
    stack, _ = Stack.get_or_create(
        organization=batch.organization_id, engine=batch.engine, name=batch.stack_name, defaults={"created_at": now}
    )
    return stack


def _run(batch: Batch, stack: Stack, now: int) -> tuple[Run, bool]:
    run = Run.get_or_none(Run.organization == batch.organization_id, Run.key == batch.run_key)
    if run is not None:
        if run.engine != batch.engine or run.stack_id != stack.id:
            raise BadInput(
                f"The run {batch.run_key!r} was begun with {run.engine} on another stack or engine than "
                f"{batch.engine} on {batch.stack_name!r}.",
                field="run",
                remedy="Give each invocation of the tool a key of its own.",
            )
        return run, False
    dock = None
    if batch.dock_name:
        dock = Dock.get_or_none(Dock.organization == batch.organization_id, Dock.name == batch.dock_name)
        if dock is None:
            raise BadInput(
                f"There is no dock {batch.dock_name!r}.",
                field="dock",
                remedy="Leave it out, or connect the dock first.",
            )
    skew = now - batch.sent_at if batch.sent_at is not None else 0
    run = Run.create(
        organization=batch.organization_id,
        stack=stack,
        dock=dock,
        key=batch.run_key,
        engine=batch.engine,
        started_at=now,
        last_word_at=now,
        clock_offset_ms=skew if abs(skew) > _TOLERATED_SKEW_MS else 0,
    )
    return run, True


class _Recording:
    """One batch on its way into the database."""

    def __init__(self, organization: Organization, run: Run, stack: Stack, batch: Batch, now: int) -> None:
        self.organization = organization
        self.run = run
        self.stack = stack
        self.batch = batch
        self.now = now
        self.rows: dict[tuple[str, str], Step] = {}
        self.fresh_events: list[Event] = []
        self.resources = ResourceWriter(
            organization_id=organization.id,
            stack=stack,
            run=run,
            provisioning_source=batch.provisioning_source,
            show_builtin_types=batch.show_builtin_types,
            now=now,
        )

    def apply(self, *, is_new: bool) -> Recorded:
        batch, run = self.batch, self.run
        last = batch.first + batch.lines - 1
        repeated = line_ranges.overlap(run.received, batch.first, last)
        fresh = sorted(
            (change for change in batch.changes if not line_ranges.contains(run.received, change.sequence)),
            key=lambda change: change.sequence,
        )
        accepted = batch.lines - repeated
        ends = batch.end is not None and run.end_code is None
        woke = run.liveness != Liveness.LIVE and run.phase != RunPhase.FINISHED
        # Whoever closed the run by hand was wrong where the tool still speaks.
        reopened = bool(run.closed_by) and (accepted > 0 or ends)
        spoke_again = reopened or run.reason == "spoke_again" or (woke and run.liveness == Liveness.LOST)
        self._take_note_of_word(ends=ends, reopened=reopened)
        run.reason = "spoke_again" if spoke_again else ""
        if accepted:
            run.received = line_ranges.add(run.received, batch.first, last)
        if is_new or accepted or ends or woke or reopened:
            self._change(fresh, is_new=is_new, back=woke or reopened)
        else:
            run.save(only=[Run.last_word_at, Run.longest_silence_ms])
        return Recorded(
            run_id=run.id,
            accepted=accepted,
            repeated=repeated,
            missing=line_ranges.gaps(run.received),
            revision=run.revision,
        )

    def _take_note_of_word(self, *, ends: bool, reopened: bool) -> None:
        run, batch = self.run, self.batch
        if run.phase != RunPhase.FINISHED:
            run.longest_silence_ms = max(run.longest_silence_ms, self.now - run.last_word_at)
        run.last_word_at = max(run.last_word_at, self.now)
        for name in ("command", "actor", "commit", "job_url"):
            if getattr(batch, name) and not getattr(run, name):
                setattr(run, name, getattr(batch, name))
        if ends:
            run.end_code = batch.end
        if reopened:
            run.closed_by = ""
            run.ended_at = None
        run.liveness = Liveness.LIVE

    def _change(self, fresh: Sequence[Change], *, is_new: bool, back: bool) -> None:
        """Take the changes; `back`: the run was silent or closed, and all that it left unfinished moves again."""
        run = self.run
        revision = next_revision(self.organization)
        self.fresh_events = [self._event(change) for change in fresh]
        logs.bound(run, self.fresh_events)
        fold, changes = self._fold_and_changes(fresh, whole=back)
        if back:
            fold.resume()
        self.resources.begin(fold, [change for change, _ in changes], replayed=fold.replayed)
        for change, event in changes:
            reason = fold.take(change, event.occurred_at)
            before, after = self.resources.follow(fold, change, event)
            _set(event, state_before=before, state_after=after, reason=reason)
        self._settle(fold, is_new=is_new, revision=revision)
        finished = run.phase == RunPhase.FINISHED
        self.resources.save(fold, finished=finished, all_cards=finished or back, revision=revision)
        for change, event in changes:
            if change.address:
                _set(event, resource=self.resources.id_at(fold, change.address))
        self._save_steps(fold)
        self._save_events([event for _, event in changes])

    def _fold_and_changes(self, fresh: Sequence[Change], *, whole: bool) -> tuple[RunFold, list[tuple[Change, Event]]]:
        """The run's state before these changes; where one of them is late, a new fold and the run's changes from the
        first. Loads the steps that may be touched: all of them where the run is, or may now be, at its end."""
        run = self.run
        late = bool(fresh) and fresh[0].sequence <= run.fold.get("last", -1)
        if late:
            stored = list(Event.select().where(Event.run == run, Event.sequence.is_null(False)))
            events = sorted([*stored, *self.fresh_events], key=lambda event: event.sequence)
            fold = RunFold(replayed=True)
            self._load_rows(None)
            return fold, [(_change_of(event), event) for event in events]
        fold = RunFold(phase=RunPhase(run.fold.get("phase", RunPhase.PLANNING)), memory=dict(run.fold))
        ends = run.end_code is not None or "said" in run.fold or _speaks_of_end(fresh)
        whole = whole or ends or run.phase == RunPhase.FINISHED or self.batch.engine == "sst"
        self._load_rows(None if whole else {change.address for change in fresh if change.address})
        fold.steps = {key: step_record(row) for key, row in self.rows.items()}
        return fold, list(zip(fresh, self.fresh_events, strict=True))

    def _load_rows(self, addresses: Iterable[str] | None) -> None:
        query = Step.select().where(Step.run == self.run)
        if addresses is not None:
            wanted = sorted(addresses)
            if not wanted:
                return
            query = query.where(Step.address.in_(wanted))
        self.rows = {(row.address, row.action): row for row in query}

    def _event(self, change: Change) -> Event:
        return Event(
            id=f"evt_{ulid(self.now)}",
            organization=self.organization,
            run=self.run,
            sequence=change.sequence,
            occurred_at=self._time_of(change),
            received_at=self.now,
            kind=str(change.kind),
            address=change.address,
            tool_type=change.tool_type,
            action=change.action,
            message=change.message,
            diagnostic=diagnostic_record(change.diagnostic) if change.diagnostic else None,
            data=_rest(change),
        )

    def _time_of(self, change: Change) -> int:
        """When it happened by our clock: the tool's time, put right by the sender's skew, and never in the future."""
        if change.occurred_at is None:
            return self.now
        return min(change.occurred_at + self.run.clock_offset_ms, self.now)

    def _settle(self, fold: RunFold, *, is_new: bool, revision: int) -> None:
        """What the run as a whole comes to now."""
        run, now = self.run, self.now
        memory = fold.memory
        if fold.has_end(run.end_code):
            # An end that was told once keeps its time, whatever late lines still say.
            ended_at = run.ended_at or (now if run.end_code is not None else memory["said_at"])
            outcome = fold.conclude(run.end_code, ended_at)
            run.phase, run.outcome, run.ended_at = RunPhase.FINISHED, outcome, ended_at
            run.reason = _reason_of_end(outcome, run.end_code)
        else:
            run.phase, run.outcome, run.ended_at = fold.phase, None, None
        memory["phase"] = str(fold.phase)
        run.fold = memory
        run.engine_version = memory.get("engine_version", run.engine_version)
        run.command = run.command or memory.get("command", "")
        if fold.earliest_at is not None and (is_new or fold.replayed):
            run.started_at = min(run.started_at, fold.earliest_at)
        if is_new:
            self.stack.last_run_at = max(self.stack.last_run_at, run.started_at)
        self.stack.revision = revision
        self.stack.save(only=[Stack.last_run_at, Stack.revision])
        run.revision = revision

    def _save_steps(self, fold: RunFold) -> None:
        run = self.run
        new: list[Step] = []
        for key in sorted(fold.touched, key=lambda key: fold.steps[key].position):
            step = fold.steps[key]
            row = self.rows.get(key)
            values = _step_values(step) | {"resource": self.resources.id_of_step(step)}
            if row is None:
                new.append(Step(id=f"stp_{ulid(self.now)}", run=run, **values))
                continue
            for name, value in values.items():
                if getattr(row, name) != value:
                    setattr(row, name, value)
            update_row(row)
        insert_rows(new)
        counts: dict[str, int] = dict(
            Step.select(Step.state, fn.COUNT(Step.id)).where(Step.run == run).group_by(Step.state).tuples()
        )
        reported = fold.memory.get("reported_total")
        total = sum(counts.values())
        run.planned_count = max(total, reported or 0)
        run.running_count = counts.get(StepState.RUNNING, 0)
        run.completed_count = counts.get(StepState.DONE, 0)
        run.failed_count = counts.get(StepState.FAILED, 0)
        run.interrupted_count = counts.get(StepState.INTERRUPTED, 0)
        planned = fold.memory.get("planned_seen", False)
        run.total_known = bool(fold.memory.get("total_told")) or (planned and fold.phase is RunPhase.APPLYING)
        run.error_summary = fold.memory.get("first_error", "")
        update_row(run)

    def _save_events(self, events: Sequence[Event]) -> None:
        fresh = {event.id for event in self.fresh_events}
        insert_rows(self.fresh_events)
        for event in events:
            if event.id not in fresh:
                update_row(event)


def _set(event: Event, **values: str | None) -> None:
    """Set what differs, so that an event that is played again is written only where it changed."""
    for name, value in values.items():
        if getattr(event, name) != value:
            setattr(event, name, value)


def _reason_of_end(outcome: RunOutcome, end_code: str | None) -> str:
    if outcome is RunOutcome.INTERRUPTED:
        return "stream_ended" if end_code == "eof" else "run_ended"
    return ""


def _speaks_of_end(changes: Sequence[Change]) -> bool:
    return any(change.kind is ChangeKind.RUN_ENDED for change in changes)


def _rest(change: Change) -> dict[str, Any] | None:
    """What of a change has no column of its own in `Event`."""
    rest = {
        "previous_address": change.previous_address,
        "parent": change.parent,
        "total": change.total,
        "outcome": change.outcome,
        "facts": dict(change.facts),
    }
    kept = {name: value for name, value in rest.items() if value not in ("", None, {})}
    return kept or None


def _change_of(event: Event) -> Change:
    """The change that an event was made of."""
    data = event.data or {}
    return Change(
        sequence=event.sequence,
        kind=ChangeKind(event.kind),
        occurred_at=event.occurred_at,
        address=event.address,
        tool_type=event.tool_type,
        action=event.action,
        message=event.message,
        diagnostic=Diagnostic(**event.diagnostic) if event.diagnostic else None,
        previous_address=data.get("previous_address", ""),
        parent=data.get("parent", ""),
        total=data.get("total"),
        outcome=data.get("outcome", ""),
        facts=data.get("facts", {}),
    )


_STEP_FIELDS = tuple(one.name for one in fields(StepRecord))


def step_record(row: Step) -> StepRecord:
    values = {name: getattr(row, name) for name in _STEP_FIELDS}
    return StepRecord(**values | {"state": StepState(row.state)})


def _step_values(step: StepRecord) -> dict[str, Any]:
    return {name: getattr(step, name) for name in _STEP_FIELDS} | {"state": str(step.state)}
