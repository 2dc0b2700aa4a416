"""CloudFormation's stack events, cut into operations and numbered, from one look to the next.

Pure: pages of events in, lines out. An operation begins with the first event after the end of the one before, and ends
with the stack's own terminal event. Line 0 of its run is the change set, or blank; its events and those of the stacks
nested in it follow, oldest first, each once. What was numbered keeps its number: an event that AWS shows late comes
after.
"""

from __future__ import annotations

import heapq
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import accumulate
from typing import Any

from ingest.cloudformation import NESTED_STACK

EVENT_FIELDS = (
    "StackId", "EventId", "StackName", "LogicalResourceId", "PhysicalResourceId", "ResourceType", "Timestamp",
    "ResourceStatus", "ResourceStatusReason", "ClientRequestToken", "OperationId",
)  # fmt: skip
"""What is taken of an event. ResourceProperties are not: they hold parameters in clear."""

CHANGE_FIELDS = (
    "Action", "LogicalResourceId", "ResourceType", "Replacement", "NestedStackPath", "NestedChanges",
)  # fmt: skip
"""What is taken of a change; the last two are ours, see `ingest.cloudformation`."""

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


@dataclass(frozen=True, slots=True)
class NestedRows:
    """What the events of a stack say of one stack nested in it: its id, its logical id, since when it is at work
    (milliseconds UTC), and its latest row."""

    stack_id: str
    logical_id: str
    began_at: int
    latest: Event

    @property
    def is_settled(self) -> bool:
        """Whether nothing more happens inside before its parent has another row for it. After an update something may:
        the clean-up of a nested stack follows its UPDATE_COMPLETE."""
        return self.latest.get("ResourceStatus") in ("CREATE_COMPLETE", "DELETE_COMPLETE")


@dataclass(frozen=True, slots=True)
class StackPart:
    """What one stack says of an operation: its events, oldest first. `path` leads to it from the root by logical ids,
    and is empty for the root."""

    stack_id: str
    path: str
    events: Sequence[Event]

    @property
    def depth(self) -> int:
        """How many levels below the root it is."""
        return depth_of(self.path)

    @property
    def tells_a_failure(self) -> bool:
        """Whether a resource in it failed."""
        return any(_has_failed(event) and not is_root(event) for event in self.events)

    def identity(self, event: Event) -> str:
        """What tells an event from all others of its run. AWS makes a resource's EventId of its logical id, status and
        time, which two nested stacks of one template may share."""
        return f"{self.stack_id.rpartition('/')[2]}/{event['EventId']}" if self.path else str(event["EventId"])


@dataclass(frozen=True, slots=True)
class Told:
    """An event on its way into a run: what tells it from the others, and its line."""

    identity: str
    line: bytes


def path_to(parent_path: str, logical_id: str) -> str:
    """The path of a stack nested in the one at `parent_path`. Logical ids are of letters and digits only."""
    return f"{parent_path}/{logical_id}" if parent_path else logical_id


def depth_of(path: str) -> int:
    """How many levels below the root a path leads."""
    return path.count("/") + 1 if path else 0


def nested_rows(events: Iterable[Event]) -> list[NestedRows]:
    """The stacks nested in a stack which its events speak of, in the order in which they do."""
    began: dict[str, int] = {}
    found: dict[str, NestedRows] = {}
    for event in events:
        if event.get("ResourceType") != NESTED_STACK or is_root(event):
            continue
        logical_id = str(event.get("LogicalResourceId") or "")
        # Its first row comes before it has an id.
        began_at = began.setdefault(logical_id, moment(event.get("Timestamp")))
        stack_id = str(event.get("PhysicalResourceId") or "")
        if logical_id and ":stack/" in stack_id:
            found[stack_id] = NestedRows(stack_id, logical_id, began_at, event)
    return list(found.values())


def in_order(parts: Sequence[StackPart]) -> list[Told]:
    """The events of all parts, oldest first, each stack's in its own order: the same for the same events. Where times
    are equal, what happened deeper comes first: it is the cause, and the end of the root stays last."""
    failed_inside = {part.stack_id for part in parts if part.tells_a_failure}

    def timed(part: StackPart) -> Iterator[tuple[int, Told]]:
        # A stack's own order counts for more than its clock, which may step back within it.
        times = accumulate((moment(event.get("Timestamp")) for event in part.events), max)
        for at, event in zip(times, part.events, strict=True):
            yield at, Told(part.identity(event), _event_line(event, part.path, failed_inside))

    deepest_first = sorted(parts, key=lambda part: -part.depth)
    return [told for _, told in heapq.merge(*map(timed, deepest_first), key=lambda one: one[0])]


def is_root(event: Event) -> bool:
    """Whether the event speaks of the stack itself."""
    return bool(event.get("PhysicalResourceId") == event.get("StackId"))


def ends(event: Event) -> bool:
    """Whether the event ends an operation."""
    return is_root(event) and str(event.get("ResourceStatus", "")).endswith(("_COMPLETE", "_FAILED"))


def _has_failed(event: Event) -> bool:
    return str(event.get("ResourceStatus", "")).endswith("_FAILED")


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


def _event_line(event: Event, path: str, failed_inside: set[str]) -> bytes:
    """An event as ingest reads it: the same line that the reporter makes."""
    told = {name: plain(event[name]) for name in EVENT_FIELDS if event.get(name) is not None}
    if path:
        told["NestedStackPath"] = path
    if not is_root(event) and _has_failed(event) and event.get("PhysicalResourceId") in failed_inside:
        told["NestedCause"] = True
    return _line(told)


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
