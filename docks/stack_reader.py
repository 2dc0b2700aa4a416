"""What is asked of CloudFormation about an operation: a stack's events, those of the stacks nested in it, change sets.

The events of a nested stack are read after those of its parent, so whatever made the parent's row is among them.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from docks.amazon import Refused, error_code, faults
from docks.stack_events import Event, Operation, StackPart, depth_of, ends, moment, nested_rows, path_to
from ingest.cloudformation import NESTED_STACK

log = logging.getLogger("slipway.docks")

MOST_EVENTS = 20_000
"""How far back a stack's events are read: AWS gives a hundred a page, and nobody waits for a history of more pages."""
MOST_NESTED_STACKS = 100
"""How many nested stacks of one operation are read; the rest are what their parent's rows say of them."""
MOST_DEPTH = 5
"""How many levels of nested stacks are read."""
PAUSE_BETWEEN_STACKS_S = 0.05
"""CloudFormation throttles whoever asks without a pause."""


def newest_first(client: Any, stack_id: str, name: str) -> Iterator[Event]:
    """A stack's events as AWS tells them, page after page, `MOST_EVENTS` at most; none where there is no such stack.
    Raises `DockFault`, in which the stack is called `name`."""
    with faults(f"read the events of the stack {name!r}"):
        try:
            pages = client.get_paginator("describe_stack_events").paginate(StackName=stack_id)
            yield from islice((event for page in pages for event in page.get("StackEvents") or []), MOST_EVENTS)
        except Exception as error:
            if not is_missing(error):
                raise


def is_missing(error: Exception) -> bool:
    """Whether CloudFormation knows no such stack."""
    return error_code(error) == "ValidationError" and "does not exist" in str(error)


class NestedStacks:
    """The nested stacks that one operation works on.

    `settled` is what an earlier look at the same operation left there, by stack id the EventId of the parent's row that
    said that nothing more happens inside: such a stack is not asked again before its parent says more.
    """

    def __init__(self, client: Any, settled: Mapping[str, str]) -> None:
        self._client = client
        self.settled = dict(settled)

    def parts(self, operation: Operation, stack_id: str) -> Iterator[StackPart]:
        """What each nested stack says of the operation on the stack `stack_id`, parents before their children.

        One that the key may not read, or that is not there, is left out: then its parent's row stays all that is known.
        Raises `DockFault`.
        """
        found = {stack_id}
        parents = deque([StackPart(stack_id, "", operation.events)])
        while parents:
            parent = parents.popleft()
            if parent.depth == MOST_DEPTH:
                continue
            for rows in nested_rows(parent.events):
                if rows.stack_id in found or len(found) > MOST_NESTED_STACKS:
                    continue
                found.add(rows.stack_id)
                mark = str(rows.latest["EventId"])
                if self.settled.get(rows.stack_id) == mark:
                    continue
                events = self._events(rows.stack_id, rows.logical_id, rows.began_at, operation)
                if events is None:
                    continue
                if rows.is_settled and any(ends(event) for event in events):
                    self.settled[rows.stack_id] = mark
                part = StackPart(rows.stack_id, path_to(parent.path, rows.logical_id), events)
                parents.append(part)
                yield part

    def _events(self, stack_id: str, logical_id: str, began_at: int, operation: Operation) -> list[Event] | None:
        """The events of a nested stack that belong to the operation, oldest first: those since its parent began with
        it and those with the operation's token, and none from after the operation's end. None where they may not be
        read."""
        token = operation.events[0].get("ClientRequestToken")
        found: list[Event] = []
        time.sleep(PAUSE_BETWEEN_STACKS_S)
        try:
            for event in newest_first(self._client, stack_id, logical_id):
                at = moment(event.get("Timestamp"))
                if at < began_at and not (token and event.get("ClientRequestToken") == token):
                    break
                if not operation.is_over or at <= operation.ended_at:
                    found.append(event)
        except Refused as fault:
            log.info("A nested stack is left out: %s", fault)
            return None
        return found[::-1]


def planned_changes(client: Any, change_set_id: str) -> tuple[list[dict[str, Any]], object]:
    """The changes of a change set and of the change sets that its nested stacks have (where it was made with
    IncludeNestedStacks), and when it was made. Raises what boto3 raises."""
    changes: list[dict[str, Any]] = []
    made: object = None
    wanted = deque([("", change_set_id)])
    asked = 1
    while wanted:
        path, wanted_id = wanted.popleft()
        for page in _pages_of_change_set(client, wanted_id):
            made = made or page.get("CreationTime")
            for change in (one.get("ResourceChange") for one in page.get("Changes") or []):
                if not change:
                    continue
                told = {**change, **({"NestedStackPath": path} if path else {})}
                changes.append(told)
                nested_id = change.get("ChangeSetId")
                is_nested = change.get("ResourceType") == NESTED_STACK and bool(nested_id)
                if is_nested and depth_of(path) < MOST_DEPTH and asked <= MOST_NESTED_STACKS:
                    asked += 1
                    told["NestedChanges"] = True
                    wanted.append((path_to(path, str(change["LogicalResourceId"])), nested_id))
    return changes, made


def _pages_of_change_set(client: Any, change_set_id: str) -> Iterator[Mapping[str, Any]]:
    asked = {"ChangeSetName": change_set_id}
    while True:
        page = client.describe_change_set(**asked)
        yield page
        if not page.get("NextToken"):
            return
        asked["NextToken"] = page["NextToken"]
