"""What only the API asks: events as a list, and a stack by its name, scoped to the reader's organisation."""

from __future__ import annotations

from dataclasses import dataclass

from models import Event, Stack
from provisioning.errors import NotFound, Refused
from provisioning.queries import history_entry, page_of_events, readable_organization
from provisioning.readers import Reader
from provisioning.status import HistoryEntry


@dataclass(frozen=True, slots=True)
class EventsPage:
    """One page of events, newest first: (resource's id, entry)."""

    events: list[tuple[str | None, HistoryEntry]]
    next_cursor: str | None


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
