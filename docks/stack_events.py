"""CloudFormation's stack events, cut into operations and numbered, from one look to the next.

Pure: pages of events in, lines out. An operation begins with the first event after the end of the one before, and ends
with the stack's own terminal event. Line 0 of its run is the change set, or blank; its events follow, oldest first,
each once by its EventId. What was numbered keeps its number: an event that AWS shows late comes after.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

EVENT_FIELDS = (
    "StackId", "EventId", "StackName", "LogicalResourceId", "PhysicalResourceId", "ResourceType", "Timestamp",
    "ResourceStatus", "ResourceStatusReason", "ClientRequestToken", "OperationId",
)  # fmt: skip
"""What is taken of an event. ResourceProperties are not: they hold parameters in clear."""

CHANGE_FIELDS = ("Action", "LogicalResourceId", "ResourceType", "Replacement")

Event = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation on a stack: its events, oldest first. `is_over`: the last one ends it."""

    events: tuple[Event, ...]
    is_over: bool

    @property
    def key(self) -> str:
        """What tells it from every other operation: the id of its first event."""
        return f"cloudformation:{self.events[0]['EventId']}"

    @property
    def began_at(self) -> int:
        """When it began, milliseconds UTC."""
        return moment(self.events[0].get("Timestamp"))

    @property
    def ended_at(self) -> int:
        """When its last event was, milliseconds UTC."""
        return moment(self.events[-1].get("Timestamp"))


def is_root(event: Event) -> bool:
    """Whether the event speaks of the stack itself."""
    return bool(event.get("PhysicalResourceId") == event.get("StackId"))


def ends(event: Event) -> bool:
    """Whether the event ends an operation."""
    return is_root(event) and str(event.get("ResourceStatus", "")).endswith(("_COMPLETE", "_FAILED"))


def moment(value: object) -> int:
    """Milliseconds UTC of one of boto3's times."""
    return int(value.timestamp() * 1000) if isinstance(value, datetime) else 0


def operations(oldest_first: Sequence[Event]) -> Iterator[Operation]:
    """The operations in a stretch of history that begins with the begin of one."""
    held: list[Event] = []
    for event in oldest_first:
        if not held and not (is_root(event) and not ends(event)):
            # What still comes of the one before: a clean-up, or an event that was shown late.
            continue
        if is_root(event) and event.get("ResourceStatus") == "REVIEW_IN_PROGRESS":
            # Only a change set was made: nothing is under way.
            continue
        held.append(event)
        if ends(event):
            yield Operation(tuple(held), is_over=True)
            held = []
    if held:
        yield Operation(tuple(held), is_over=False)


def lines(events: Iterable[Event]) -> tuple[bytes, ...]:
    """Events as ingest reads them: the same lines that the reporter makes."""
    return tuple(
        _line({name: plain(event[name]) for name in EVENT_FIELDS if event.get(name) is not None}) for event in events
    )


def change_set_line(changes: Sequence[Event], stack_name: str, made: object) -> bytes:
    """The change set as ingest reads it."""
    told = [{name: change[name] for name in CHANGE_FIELDS if change.get(name)} for change in changes]
    return _line({"ChangeSet": {"Changes": told, "StackName": stack_name, "Timestamp": plain(made)}})


def plain(value: object) -> object:
    """A time as RFC 3339 text; everything else as it is."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return value


def _line(told: Mapping[str, object]) -> bytes:
    return json.dumps(told, separators=(",", ":")).encode()
