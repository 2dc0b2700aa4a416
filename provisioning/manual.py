"""What people do by hand: a resource is entered, and its state, error, note and facts are set.

What is said by hand is ordered like a run's word: it counts from the moment it is said, an older word of a tool that
arrives later does not overwrite it, and a newer one does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator, Field

from models import Event, Organization, Resource, Run, Stack, database
from provisioning.audit import Actor, write_deed
from provisioning.cards import refresh_card
from provisioning.errors import FaultyForm, NotFound, Refused
from provisioning.inputs import OPEN, Address, Facts, Kind, Line, Name, Text, Word, check, fault, foreign_facts
from provisioning.resources import FACT_COLUMNS, KIND_OF_PREFIX, TABLES
from provisioning.revisions import lock_organization, next_revision
from provisioning.states import KINDS, RESOURCE_MOVES, Liveness, ProvisioningState
from provisioning.status_counts import add_counts

DELETED = "deleted"
"""What a state is called by hand that is null: gone, or never made after all."""
STATES = (*(str(state) for state in ProvisioningState), DELETED)


def _state(value: str) -> str:
    if value not in STATES:
        raise fault(f"There is no state {value!r}; one of {', '.join(STATES)}.")
    return value


class _Settable(Facts):
    """What both entering and setting may say."""

    state: Annotated[
        Annotated[str, AfterValidator(_state), Field(json_schema_extra={"enum": list(STATES)})] | None, OPEN
    ] = None
    error: Annotated[Line | None, OPEN] = None
    error_detail: Annotated[Text | None, OPEN] = None
    note: Annotated[Text | None, Field(max_length=2_000)] = None
    provider: Annotated[Word | None, OPEN] = None
    provider_resource_id: Annotated[Line | None, OPEN] = None
    provider_status: Annotated[Word | None, OPEN] = None


class NewResource(_Settable):
    """A resource to enter. `stack` is the name of a stack of what is done by hand, made where there is none; in it,
    `address` tells the resource from others, and is its name where it is left out."""

    resource_type: Kind
    name: Name
    stack: Annotated[Word | None, OPEN] = None
    address: Annotated[Address | None, OPEN] = None


class ResourceChange(_Settable):
    """What to set on a resource. What is left out stays as it is; what is given empty is forgotten."""

    name: Annotated[Name | None, OPEN] = None


def create_resource(organization_id: str, given: object, *, actor: Actor, now: int) -> str:
    """Enter a resource, as a form or JSON describes it (see `NewResource`), and return its id.

    Raises `FaultyForm` with all faults, `Refused` where the stack has a resource at this address.
    """
    new, faults = check(NewResource, given)
    told = given if isinstance(given, Mapping) else {}
    kind = told.get("resourceType")
    if isinstance(kind, str) and kind in KINDS:
        faults = foreign_facts(kind, told) | faults
    faults = _faults_of_error(told, str(told.get("state") or "")) | faults
    if told.get("state") == DELETED:
        faults["state"] = "What is deleted already need not be entered."
    if new is None or faults:
        raise FaultyForm(faults)
    with database.atomic():
        organization = lock_organization(organization_id)
        stack = _stack(organization_id, new.stack, now) if new.stack else None
        address = new.address or (new.name if stack else "")
        if stack is not None:
            _refuse_second(stack, address)
        row = TABLES[new.resource_type](
            organization=organization_id,
            stack=stack,
            address=address,
            name=new.name,
            provisioning_source="manual",
            created_at=now,
            updated_at=now,
            state_changed_at=now,
        )
        if new.state is not None:
            _move(row, ProvisioningState(new.state), now)
        _take(row, new, kind=new.resource_type)
        _save(organization, row, None, now=now, is_new=True)
        _tell(row, actor=actor, before=None, now=now, action="resource.created", fields=[])
    return str(row.id)


def change_resource(resource_id: str, given: object, *, actor: Actor, now: int) -> bool:
    """Set on a resource what a form or JSON says (see `ResourceChange`); False where all of it was so already.

    Raises `NotFound`, `FaultyForm` with all faults, `Refused` where the state cannot follow from the present one. The
    caller has checked the permission.
    """
    kind = KIND_OF_PREFIX.get(resource_id.split("_", 1)[0], "")
    table = TABLES.get(kind)
    found = table.get_or_none(table.id == resource_id) if table is not None else None
    if table is None or found is None:
        raise NotFound(f"There is no resource {resource_id!r} here.")
    change, faults = check(ResourceChange, given)
    told = given if isinstance(given, Mapping) else {}
    with database.atomic():
        organization = lock_organization(found.organization_id)
        row = table.get_by_id(resource_id)
        wanted = str(told.get("state") or row.provisioning_state or "")
        faults = foreign_facts(kind, told) | _faults_of_error(told, wanted, present=row) | faults
        if change is None or faults:
            raise FaultyForm(faults)
        card_before = row.card_status if row.section is not None else None
        state_before = row.provisioning_state
        if change.state is not None:
            state = None if change.state == DELETED else ProvisioningState(change.state)
            if refusal := refusal_of(state_before, state, is_gone=row.deleted_at is not None):
                raise Refused(refusal)
            if state != state_before or (state is None and row.deleted_at is None):
                _move(row, state, now)
        _take(row, change, kind=kind)
        changed = sorted(one.name for one in row.dirty_fields)
        if not changed:
            return False
        _save(organization, row, card_before, now=now, is_new=False)
        _tell(row, actor=actor, before=state_before, now=now, action="resource.set", fields=changed)
    return True


def stored_error(resource_id: str) -> tuple[str, str]:
    """The error that is stored of a resource and that setting compares with: a card may show another sentence."""
    table = TABLES[KIND_OF_PREFIX[resource_id.split("_", 1)[0]]]
    row = table.select(table.error_summary, table.error_detail).where(table.id == resource_id).tuples().first()
    return row if row is not None else ("", "")


def refusal_of(before: str | None, wanted: str | None, *, is_gone: bool = False) -> str:
    """Why a state cannot be set by hand from the present one, naming that; empty where it can, or is so already.

    What was never provisioned may be called deleted: it leaves the lists.
    """
    present = ProvisioningState(before) if before else None
    if wanted == before or wanted in RESOURCE_MOVES[present]:
        return ""
    possible = [str(state) for state in ProvisioningState if state in RESOURCE_MOVES[present]]
    if None in RESOURCE_MOVES[present]:
        possible.append(DELETED)
    named = str(present) if present else (DELETED if is_gone else "not provisioned")
    return f"It is {named} now: from there it can become {', '.join(possible)}, not {wanted or DELETED}."


def _faults_of_error(told: Mapping[str, object], state: str, *, present: Resource | None = None) -> dict[str, str]:
    """An error belongs to what failed. A form sends the present one along: it goes with the state."""
    if state == ProvisioningState.FAILED:
        return {}
    known = {"error": present.error_summary, "errorDetail": present.error_detail} if present is not None else {}
    return {
        name: "Only what failed has an error: set the state to failed."
        for name in ("error", "errorDetail")
        if told.get(name) not in (None, "", known.get(name))
    }


def _stack(organization_id: str, name: str, now: int) -> Stack:
    stack, _ = Stack.get_or_create(
        organization=organization_id, engine="manual", name=name, defaults={"created_at": now}
    )
    return stack


def _refuse_second(stack: Stack, address: str) -> None:
    for table in TABLES.values():
        other = table.select(table.id).where(table.stack == stack, table.address == address).scalar()
        if other is not None:
            raise Refused(f"The stack {stack.name!r} has {address!r} already: {other}. Change that one instead.")


_COLUMN = {"provider_status": "status", "error": "error_summary"}
"""The columns whose name is another than the field's."""


def _take(row: Resource, given: _Settable, *, kind: str) -> None:
    """Everything but the state and where it belongs."""
    names = ["name", "note", "provider", "provider_resource_id", "provider_status", *FACT_COLUMNS[kind]]
    if row.provisioning_state == ProvisioningState.FAILED:
        names += ["error", "error_detail"]
    for name in names:
        if name not in given.model_fields_set:
            continue
        value = getattr(given, name)
        column = _COLUMN.get(name, name)
        if value is None and name == "name":
            continue
        if value is None and not type(row)._meta.fields[column].null:
            value = ""
        if getattr(row, column) != value:
            setattr(row, column, value)


def _move(row: Resource, state: ProvisioningState | None, now: int) -> None:
    """Make the state what the hand says, from now on."""
    before = row.provisioning_state
    moving = state in (ProvisioningState.PROVISIONING, ProvisioningState.DEPROVISIONING)
    if state is None or state is ProvisioningState.DEPROVISIONING:
        row.operation = "delete"
    elif state is ProvisioningState.PROVISIONING:
        row.operation = "update" if before == ProvisioningState.PROVISIONED else "create"
    elif row.operation == "delete" and state is ProvisioningState.PROVISIONED:
        row.operation = None
    was_moving = before in (ProvisioningState.PROVISIONING, ProvisioningState.DEPROVISIONING)
    if moving:
        row.operation_started_at, row.operation_ended_at = now, None
    elif was_moving:
        row.operation_ended_at = now
    else:
        # Nobody said when it began.
        row.operation_started_at = row.operation_ended_at = None
    row.provisioning_state = str(state) if state else None
    row.deleted_at = now if state is None else None
    row.state_changed_at = now
    row.reason = row.waits_for = ""
    row.own_steps = row.own_steps_done = 0
    row.claim_run, row.claim_at = None, now
    if state is not ProvisioningState.FAILED:
        row.error_summary = row.error_detail = ""
    if state is ProvisioningState.PROVISIONED and (row.provisioned_at is None or row.operation != "update"):
        row.provisioned_at = now
    if row.planned_run is None:
        # The card tells of no run any more, until one speaks again.
        row.run_id = None
    if row.provisioning_source is None:
        row.provisioning_source = "manual"


def _save(organization: Organization, row: Resource, before: str | None, *, now: int, is_new: bool) -> None:
    planner = Run.get_or_none(Run.id == row.planned_run) if row.planned_run is not None else None
    still_lost = row.liveness == Liveness.LOST and row.run_id is not None
    refresh_card(row, run_lost=planner.liveness == Liveness.LOST if planner is not None else still_lost)
    row.revision = next_revision(organization)
    row.updated_at = now
    row.save(force_insert=is_new)
    if row.stack_id is not None:
        Stack.update(revision=row.revision).where(Stack.id == row.stack_id).execute()
    counted = Counter([before] if before is not None else [])
    add_counts(organization.id, counted, Counter([row.card_status] if row.section is not None else []))


def _tell(row: Resource, *, actor: Actor, before: str | None, now: int, action: str, fields: list[str]) -> None:
    """Write it into the history and into the audit log."""
    failed = row.provisioning_state == ProvisioningState.FAILED
    Event.create(
        organization=row.organization_id,
        resource=row.id,
        occurred_at=now,
        received_at=now,
        kind="set",
        address=row.address,
        tool_type=row.tool_type,
        message=actor.label,
        diagnostic={"severity": "error", "summary": row.error_summary, "detail": row.error_detail, "where": ""}
        if failed and row.error_summary
        else None,
        data={"fields": fields} if fields else None,
        state_before=before,
        state_after=row.provisioning_state,
        reason="set_by_hand",
    )
    if action == "resource.created":
        detail = f"Entered {row.name!r} by hand as {row.provisioning_state or 'idle'}."
    elif before != row.provisioning_state:
        detail = f"Set {row.name!r} from {before or 'none'} to {row.provisioning_state or DELETED}."
    else:
        detail = f"Changed what is told of {row.name!r}."
    write_deed(row.organization_id, actor, action, subject=row.id, detail=detail, now=now)
