"""Whether runs still speak: live, quiet, lost; and the member who closes a lost one by hand."""

from __future__ import annotations

from collections import Counter

from models import Organization, Resource, Run, Stack, Step, database
from provisioning.audit import Actor, write_deed
from provisioning.cards import refresh_card
from provisioning.claims import claim
from provisioning.errors import NotFound, Refused
from provisioning.fold import RunFold
from provisioning.record import step_record
from provisioning.resources import TABLES, is_before, nobody_spoke_of
from provisioning.revisions import lock_organization, next_revision
from provisioning.states import Liveness, RunOutcome, RunPhase
from provisioning.status_counts import add_counts
from provisioning.timeouts import lost_after


def watch(now: int, *, quiet_after_ms: int, lost_after_ms: int) -> int:
    """Call silent runs quiet, and those silent for longer than their time-out lost; returns how many changed.

    Safe for any number of workers at once: each run is looked at again under its organisation's lock.
    """
    silent = (
        Run.select(Run.id, Run.organization)
        .where(
            Run.phase.in_([RunPhase.PLANNING, RunPhase.APPLYING]),
            Run.liveness.in_([Liveness.LIVE, Liveness.QUIET]),
            Run.last_word_at < now - quiet_after_ms,
        )
        .tuples()
    )
    changed = 0
    for run_id, organization_id in list(silent):
        with database.atomic():
            organization = lock_organization(organization_id)
            run = Run.get_by_id(run_id)
            wanted = _liveness(run, now, quiet_after_ms=quiet_after_ms, lost_after_ms=lost_after_ms)
            if run.phase == RunPhase.FINISHED or run.liveness == wanted:
                continue
            _set_liveness(organization, run, wanted)
            changed += 1
    return changed


def _liveness(run: Run, now: int, *, quiet_after_ms: int, lost_after_ms: int) -> Liveness:
    silence = now - run.last_word_at
    if silence > lost_after(run.stack, lost_after_ms):
        return Liveness.LOST
    return Liveness.QUIET if silence > quiet_after_ms else Liveness.LIVE


def _set_liveness(organization: Organization, run: Run, wanted: Liveness) -> None:
    run.liveness = wanted
    if wanted is Liveness.LOST:
        run.outcome, run.reason = RunOutcome.LOST, "no_word"
    run.revision = next_revision(organization)
    run.save()
    Stack.update(revision=run.revision).where(Stack.id == run.stack_id).execute()
    mark_resources(run, lost=wanted is Liveness.LOST)


def mark_resources(run: Run, *, lost: bool) -> None:
    """Show the run's unfinished resources as stalled, or as moving again."""
    before: Counter[str] = Counter()
    after: Counter[str] = Counter()
    for table in TABLES.values():
        unfinished = table.select().where(
            table.run_id == run.id, table.card_status.in_(["validating", "provisioning", "stalled"])
        )
        for row in unfinished:
            _count(before, row)
            refresh_card(row, run_lost=lost)
            _count(after, row)
            if row.dirty_fields:
                row.revision = run.revision
                row.save()
    add_counts(run.organization_id, before, after)


def _count(counts: Counter[str], row: Resource) -> None:
    if row.section is not None:
        counts[row.card_status] += 1


def close_run(run_id: str, *, actor: Actor, now: int) -> Run:
    """A member ends a lost run by hand: it becomes interrupted, and so does what was in flight. Audited.

    Raises `Refused` where the run is not lost, `NotFound` where there is none. The caller has checked the permission.
    """
    with database.atomic():
        run = Run.get_or_none(Run.id == run_id)
        if run is None:
            raise NotFound("There is no such run.")
        organization = lock_organization(run.organization_id)
        run = Run.get_by_id(run_id)
        if run.phase == RunPhase.FINISHED:
            raise Refused(f"The run has ended already: {run.outcome}.")
        if run.liveness != Liveness.LOST:
            raise Refused("The run still speaks, or has been silent for too short a time to be called lost.")
        revision = next_revision(organization)
        run.phase, run.outcome, run.reason = RunPhase.FINISHED, RunOutcome.INTERRUPTED, "closed_by_hand"
        run.closed_by, run.ended_at, run.revision = actor.label, now, revision
        _interrupt(run, now)
        write_deed(
            run.organization_id, actor, "run.closed", subject=run.id, detail="Closed a lost run by hand.", now=now
        )
    return run


def _interrupt(run: Run, now: int) -> None:
    """What the end of a run by hand does to its steps and resources."""
    rows = {(row.address, row.action): row for row in Step.select().where(Step.run == run)}
    fold = RunFold(
        phase=RunPhase(run.fold.get("phase", "planning")),
        steps={key: step_record(row) for key, row in rows.items()},
        memory=dict(run.fold),
    )
    fold.conclude("eof", now)
    for key in fold.touched:
        row, step = rows[key], fold.steps[key]
        row.state, row.reason, row.ended_at = str(step.state), "closed_by_hand", step.ended_at
        row.save()
    run.interrupted_count += run.running_count
    run.running_count = 0
    run.save()
    before: Counter[str] = Counter()
    after: Counter[str] = Counter()
    for table in TABLES.values():
        for resource in table.select().where(table.run_id == run.id):
            own = [fold.steps[key] for key, row in rows.items() if row.resource == resource.id]
            if not own or resource.card_status not in ("stalled", "validating", "provisioning"):
                continue
            _count(before, resource)
            said = claim(own, finished=True)
            if resource.planned_run == run.id:
                resource.planned_run = resource.planned_action = None
                resource.state_changed_at = now
                if nobody_spoke_of(resource):
                    resource.reason = "not_started"
            if said.at is not None and is_before(resource, said.at, run):
                resource.provisioning_state, resource.reason = str(said.state), "closed_by_hand"
                resource.state_changed_at = resource.operation_ended_at = now
            refresh_card(resource, run_lost=False)
            _count(after, resource)
            resource.revision = run.revision
            resource.save()
    add_counts(run.organization_id, before, after)
