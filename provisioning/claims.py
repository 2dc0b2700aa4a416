"""What the steps of a run say about one resource, and what its card shows. Pure.

A resource's state is the word of the run whose step on it spoke last, whatever order the batches arrived in: so the
result is a function of the steps alone, and no path through them is remembered.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from provisioning.fold import StepRecord
from provisioning.states import CARD_LOOKS, CardStatus, ProvisioningState, StepState


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What one run says about one resource.

    `at` orders claims of different runs: when the last word about a begun step was said; None where no step has begun,
    and then only `plans` speaks: the run plans `operation`. `changed_at` is when the state became what it is.
    """

    at: int | None
    plans: bool
    operation: str
    state: ProvisioningState | None = None
    gone: bool = False
    reason: str = ""
    diagnostic: dict[str, str] | None = None
    changed_at: int | None = None
    started_at: int | None = None
    ended_at: int | None = None
    steps: int = 0
    steps_done: int = 0
    waits_for: str = ""


def claim(steps: Sequence[StepRecord], *, finished: bool) -> Claim:
    """What a run says about the resource whose steps these are; `finished` tells whether the run is over."""
    steps = _standing(steps)
    begun = [step for step in steps if step.state is not StepState.WAITING]
    operation = _operation(steps)
    done = [step for step in begun if step.state is StepState.DONE]
    if not begun:
        return Claim(
            at=None,
            plans=not finished and bool(steps),
            operation=operation,
            changed_at=min((step.planned_at for step in steps if step.planned_at is not None), default=None),
            steps=len(steps),
            waits_for=_waits_for(steps),
        )
    started_at = min(step.started_at for step in begun if step.started_at is not None)
    ended_at = max((step.ended_at for step in begun if step.ended_at is not None), default=None)
    state, gone, reason = _state(steps, begun, operation, finished=finished)
    faulty = [step for step in begun if step.state is StepState.FAILED] if state is ProvisioningState.FAILED else []
    diagnostic = next((step.diagnostic for step in faulty if step.diagnostic), None)
    if state in (ProvisioningState.PROVISIONING, ProvisioningState.DEPROVISIONING):
        changed_at: int | None = started_at
    elif faulty:
        changed_at = min((step.ended_at for step in faulty if step.ended_at is not None), default=ended_at)
    else:
        changed_at = ended_at
    return Claim(
        at=max(step.last_event_at for step in begun if step.last_event_at is not None),
        plans=False,
        operation=operation,
        state=state,
        gone=gone,
        reason=reason,
        diagnostic=diagnostic,
        changed_at=changed_at,
        started_at=started_at,
        ended_at=None if state in (ProvisioningState.PROVISIONING, ProvisioningState.DEPROVISIONING) else ended_at,
        steps=len(steps),
        steps_done=len(done),
        waits_for=_waits_for(steps),
    )


def _waits_for(steps: Sequence[StepRecord]) -> str:
    unfinished = (step for step in steps if step.state in (StepState.WAITING, StepState.RUNNING))
    return next((step.waits_for for step in unfinished if step.waits_for), "")


def _standing(steps: Sequence[StepRecord]) -> Sequence[StepRecord]:
    """The steps that count.

    Where one address was made and, with no replacement planned, deleted again (a rollback), or the other way round, the
    later one does; a delete after an update clears away what the update replaced.
    """
    actions = {step.action: step for step in steps}
    if len({step.address for step in steps}) != 1 or len(steps) != 2 or any(step.replacing for step in steps):
        return steps
    if actions.keys() == {"update", "delete"} and actions["update"].state is not StepState.WAITING:
        return [actions["update"]]
    if actions.keys() == {"create", "delete"} and all(step.last_event_at is not None for step in steps):
        return [max(steps, key=lambda step: (step.started_at or 0, step.position))]
    return steps


def _operation(steps: Sequence[StepRecord]) -> str:
    if any(step.replacing for step in steps):
        return "replace"
    if any(step.imported for step in steps):
        return "import"
    component = next((step for step in steps if step.is_component), None)
    if component is not None:
        return component.action
    actions = {step.action for step in steps}
    return actions.pop() if len(actions) == 1 else "update"


def _state(
    steps: Sequence[StepRecord], begun: Sequence[StepRecord], operation: str, *, finished: bool
) -> tuple[ProvisioningState | None, bool, str]:
    """(state, gone, reason code)."""
    states = {step.state for step in begun}
    if StepState.FAILED in states:
        return ProvisioningState.FAILED, False, ""
    if StepState.INTERRUPTED in states:
        return ProvisioningState.FAILED, False, "interrupted"
    if StepState.RUNNING in states or (len(begun) < len(steps) and not finished):
        moving = ProvisioningState.DEPROVISIONING if operation == "delete" else ProvisioningState.PROVISIONING
        return moving, False, ""
    if len(begun) < len(steps):
        return ProvisioningState.FAILED, False, "incomplete"
    if operation == "delete":
        return None, True, ""
    return ProvisioningState.PROVISIONED, False, ""


def card_status(state: ProvisioningState | None, *, gone: bool, planned: bool, run_lost: bool) -> CardStatus:
    """The status of the card, by the table of the contract; unfinished work of a lost run is stalled."""
    if planned:
        return CardStatus.STALLED if run_lost else CardStatus.VALIDATING
    match state:
        case ProvisioningState.PROVISIONING | ProvisioningState.DEPROVISIONING:
            return CardStatus.STALLED if run_lost else CardStatus.PROVISIONING
        case ProvisioningState.PROVISIONED:
            return CardStatus.SUCCESS
        case ProvisioningState.FAILED:
            return CardStatus.ERROR
        case None:
            return CardStatus.DELETED if gone else CardStatus.IDLE


def section(status: CardStatus, *, listed: bool) -> int | None:
    """The dashboard's section, null where no list shows it. `listed`: it is provisioned through us."""
    found = CARD_LOOKS[status].section
    return int(found) if listed and found is not None else None


def contract_status(status: CardStatus, *, planned: bool) -> str:
    """The `status` of the JSON contract: stalled work is still what it was doing; what was deleted is idle."""
    match status:
        case CardStatus.STALLED:
            return "validating" if planned else "provisioning"
        case CardStatus.DELETED:
            return "idle"
        case _:
            return str(status)
