"""Lists that only the API reads: stacks and events, each with keyset cursors, scoped to the reader's organisation."""

from __future__ import annotations

from dataclasses import dataclass

from models import Event, Stack
from provisioning.cursors import read_cursor, write_cursor
from provisioning.errors import NotFound, Refused
from provisioning.queries import history_entry, page_of_events, readable_organization
from provisioning.readers import Reader
from provisioning.run_queries import stack_briefs
from provisioning.status import HistoryEntry, StackBrief


@dataclass(frozen=True, slots=True)
class StacksPage:
    """One page of stacks, the one that ran last first, those that never ran at the end."""

    stacks: list[StackBrief]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class EventsPage:
    """One page of events, newest first: (resource's id, entry)."""

    events: list[tuple[str | None, HistoryEntry]]
    next_cursor: str | None


def list_stack_page(reader: Reader, *, cursor: str | None, limit: int) -> StacksPage:
    """Stacks of the reader's organisation."""
    organization = readable_organization(reader, None)
    place = read_cursor(cursor, numbers=1)
    of_organization = Stack.select().where(Stack.organization == organization)
    found: list[Stack] = []
    if place is None or place[0][0]:
        ran = of_organization.where(Stack.last_run_at.is_null(False))
        if place is not None:
            (at,), stack_id = place
            ran = ran.where((Stack.last_run_at < at) | ((Stack.last_run_at == at) & (Stack.id < stack_id)))
        found = list(ran.order_by(Stack.last_run_at.desc(), Stack.id.desc()).limit(limit + 1))
    if len(found) <= limit:
        never = of_organization.where(Stack.last_run_at.is_null())
        if place is not None and not place[0][0]:
            never = never.where(Stack.id < place[1])
        found += list(never.order_by(Stack.id.desc()).limit(limit + 1 - len(found)))
    shown = found[:limit]
    more = len(found) > limit
    return StacksPage(stack_briefs(shown), write_cursor(shown[-1].last_run_at or 0, shown[-1].id) if more else None)


def find_stack(reader: Reader, name_or_id: str) -> str:
    """The id of the stack with this id or name.

    Raises `NotFound`, and `Refused` where stacks of several engines have the name.
    """
    organization = readable_organization(reader, None)
    of_organization = Stack.select(Stack.id).where(Stack.organization == organization)
    by_id = of_organization.where(Stack.id == name_or_id).first()
    if by_id is not None:
        return str(by_id.id)
    named = [str(row.id) for row in of_organization.where(Stack.name == name_or_id).limit(10)]
    if not named:
        raise NotFound(f"There is no stack {name_or_id[:200]!r} in this token's organisation.")
    if len(named) > 1:
        raise Refused(f"{len(named)} stacks are called {name_or_id[:200]!r}. Ask by id: {', '.join(named)}.")
    return named[0]


def list_events(
    reader: Reader, *, run_id: str | None, resource_id: str | None, cursor: str | None, limit: int
) -> EventsPage:
    """What happened in the reader's organisation, or in one of its runs, or to one of its resources."""
    organization = readable_organization(reader, None)
    query = Event.select().where(Event.organization == organization)
    if run_id:
        query = query.where(Event.run == run_id)
    if resource_id:
        query = query.where(Event.resource == resource_id)
    events, next_cursor = page_of_events(query, cursor, limit)
    return EventsPage([(event.resource, history_entry(event)) for event in events], next_cursor)
