"""How long a stack's runs may be silent before they are called lost: set by hand, or learnt from its own past."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from models import Run, Stack, database
from provisioning.audit import Actor, write_deed
from provisioning.errors import NotFound
from provisioning.inputs import OPEN, Input, read
from provisioning.revisions import lock_organization, next_revision
from provisioning.states import RunOutcome

RUNS_LEARNT_FROM = 20
TIMES_THE_SILENCE = 3
LONGEST_LEARNT_MS = 24 * 3_600_000
"""A night without network teaches no more than this."""
_MINUTE_MS = 60_000


class TimeOut(Input):
    """A stack's time-out in minutes, at most a week; none: it is learnt."""

    lost_after_minutes: Annotated[Annotated[int, Field(ge=1, le=10_080)] | None, OPEN]


@dataclass(frozen=True, slots=True)
class InForce:
    """The time-out that counts, where it comes from (`set`, `learnt` or `setting`), and the longest silence of the
    stack's latest successful runs, in milliseconds; None where there was none."""

    lost_after_ms: int
    origin: str
    longest_silence_ms: int | None


def lost_after(stack: Stack | None, default_ms: int) -> int:
    """The stack's time-out in milliseconds: its own; else three times the longest silence that its latest successful
    runs survived, at least the setting's and at most a day."""
    return in_force(stack, default_ms).lost_after_ms


def in_force(stack: Stack | None, default_ms: int) -> InForce:
    """The time-out that counts for a stack, and why."""
    if stack is None:
        return InForce(default_ms, "setting", None)
    silence = _longest_silence(stack.id)
    if stack.lost_after_ms is not None:
        return InForce(int(stack.lost_after_ms), "set", silence)
    learnt = min(TIMES_THE_SILENCE * (silence or 0), LONGEST_LEARNT_MS)
    if learnt > default_ms:
        return InForce(learnt, "learnt", silence)
    return InForce(default_ms, "setting", silence)


def _longest_silence(stack_id: str) -> int | None:
    latest = (
        Run.select(Run.longest_silence_ms)
        .where(Run.stack == stack_id, Run.outcome == RunOutcome.SUCCEEDED)
        .order_by(Run.started_at.desc(), Run.id.desc())
        .limit(RUNS_LEARNT_FROM)
    )
    return max((silence for (silence,) in latest.tuples()), default=None)


def set_time_out(stack_id: str, given: object, *, actor: Actor, now: int) -> bool:
    """Set a stack's time-out, or have it learnt again; False where it is so already.

    Raises `FaultyForm`, `NotFound`. The caller has checked the permission.
    """
    minutes = read(TimeOut, given).lost_after_minutes
    wanted = minutes * _MINUTE_MS if minutes is not None else None
    found = Stack.get_or_none(Stack.id == stack_id)
    if found is None:
        raise NotFound("There is no such stack here.")
    with database.atomic():
        organization = lock_organization(found.organization_id)
        stack = Stack.get_by_id(stack_id)
        if stack.lost_after_ms == wanted:
            return False
        stack.lost_after_ms = wanted
        stack.revision = next_revision(organization)
        stack.save()
        words = f"Runs of {stack.name!r} are lost after {minutes} min." if minutes else f"Learnt for {stack.name!r}."
        write_deed(organization.id, actor, "stack.time_out_set", subject=stack.id, detail=words, now=now)
    return True
