"""The watcher of CloudFormation: stacks are listed, those that moved are asked for their events.

At the first look at a stack, its latest operation is told, or the one under way; from then on each. A stack is known
by its id: one that is deleted still tells its end, and one that is made again under its name is another.

In memory, under `stacks`, by stack id: `name`, `seen` (what the stack said of itself at the last look), `after` (the
event that ended the last operation told) with its time `after_at`, and while one is under way `open`: its run key, the
ids of its events and its nested stacks' in the order of their numbers, and which nested stacks are `settled`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from docks.adapter import Finding, Remembered, RunSaid
from docks.amazon import faults
from docks.stack_events import Event, Operation, StackPart, change_set_line, ends, in_order, moment, operations
from docks.stack_reader import PAUSE_BETWEEN_STACKS_S, NestedStacks, is_missing, newest_first, planned_changes

_MOST_STACKS = 500
_MOST_LINES = 500
# What was reported by somebody else began at about the same time.
_SAME_RUN_WITHIN_MS = 120_000


class StackWatch:
    """One look at the stacks of a region."""

    def __init__(self, client: Any, wanted: Sequence[str], memory: Mapping[str, Any]) -> None:
        """`wanted` are names of stacks, in which `*` stands for anything."""
        self._client = client
        self._wanted = wanted
        self._memory: dict[str, Any] = {key: dict(one) for key, one in memory.items() if isinstance(one, dict)}

    def look(self) -> Iterator[Finding]:
        """What is new. Raises `DockFault`."""
        found = {str(stack["StackId"]): stack for stack in self._stacks()}
        for stack_id, stack in found.items():
            seen = _said(stack)
            known = self._memory.get(stack_id, {})
            if known.get("seen") == seen and not known.get("open"):
                continue
            yield from self._look_at(stack_id, str(stack["StackName"]), seen, stack)
            time.sleep(PAUSE_BETWEEN_STACKS_S)
        for stack_id in [key for key in self._memory if key not in found]:
            name = str(self._memory[stack_id].get("name", ""))
            if name and any(fnmatchcase(name, pattern) for pattern in self._wanted):
                yield from self._look_at(stack_id, name, "gone", None)
            if self._memory.get(stack_id, {}).get("open"):
                continue
            self._memory.pop(stack_id, None)
            yield self._remembered()

    def _remembered(self) -> Remembered:
        return Remembered(memory={"stacks": self._copy()})

    def _copy(self) -> dict[str, Any]:
        return {key: dict(one) for key, one in self._memory.items()}

    def _stacks(self) -> Iterator[Mapping[str, Any]]:
        """The wanted stacks, nested ones left out: their parent tells of them."""
        patterns = [name for name in self._wanted if any(sign in name for sign in "*?[")]
        listed: set[str] = set()
        if patterns:
            with faults("list the stacks"):
                for page in self._client.get_paginator("describe_stacks").paginate():
                    for stack in page.get("Stacks") or []:
                        name = str(stack["StackName"])
                        is_wanted = any(fnmatchcase(name, pattern) for pattern in self._wanted)
                        if is_wanted and not stack.get("ParentId") and len(listed) < _MOST_STACKS:
                            listed.add(name)
                            yield stack
        for name in self._wanted:
            if name not in patterns and name not in listed:
                yield from self._stack(name)

    def _stack(self, name: str) -> Iterator[Mapping[str, Any]]:
        with faults(f"describe the stack {name!r}"):
            try:
                yield from self._client.describe_stacks(StackName=name).get("Stacks") or []
            except Exception as error:
                # Not made yet, or deleted: neither is a fault of the dock.
                if not is_missing(error):
                    raise

    def _look_at(self, stack_id: str, name: str, seen: str, stack: Mapping[str, Any] | None) -> Iterator[Finding]:
        known = self._memory.setdefault(stack_id, {})
        known["name"] = name
        history = self._history(stack_id, known)
        found = list(operations(history))
        if not known.get("after") and not known.get("open"):
            before = [event for event in history if ends(event)]
            if found and found[-1].is_over:
                before.pop()
            found = found[-1:]
            if before:
                # The end of the operation before the first one that is told: later looks go back to here.
                known["after"] = str(before[-1]["EventId"])
                known["after_at"] = moment(before[-1].get("Timestamp"))
        for operation in found:
            yield from self._tell(operation, stack_id, known, stack)
        known["seen"] = seen
        yield self._remembered()

    def _history(self, stack_id: str, known: Mapping[str, Any]) -> list[Event]:
        """Events since the last operation that was told, oldest first; at the first look, of the last two."""
        history: list[Event] = []
        after = known.get("after")
        ended = 0
        for event in newest_first(self._client, stack_id, known["name"]):
            if event["EventId"] == after:
                break
            history.append(event)
            ended += ends(event)
            if after is None and ended > 1:
                break
        return history[::-1]

    def _tell(
        self, operation: Operation, stack_id: str, known: dict[str, Any], stack: Mapping[str, Any] | None
    ) -> Iterator[Finding]:
        opened = known.get("open") or {}
        is_new = opened.get("key") != operation.key
        numbered: list[str] = [] if is_new else list(opened["ids"])
        already = set(numbered)
        nested = NestedStacks(self._client, {} if is_new else opened.get("settled") or {})
        parts = [StackPart(stack_id, "", operation.events), *nested.parts(operation, stack_id)]
        fresh = [told for told in in_order(parts) if told.identity not in already]
        told_lines = [told.line for told in fresh]
        ids = [told.identity for told in fresh]
        first = 1 + len(numbered)
        if is_new:
            first = 0
            told_lines.insert(0, self._change_set(operation, known, stack))
        # Without anything new it is a heartbeat: the stack says that it is still at work.
        for start in range(0, max(len(told_lines), 1), _MOST_LINES):
            piece = told_lines[start : start + _MOST_LINES]
            # Each piece remembers what it numbers: what breaks off goes on with the same numbers, though by then
            # another stack may have told of an event in between.
            reached = first + start + len(piece) - 1 - len(numbered)
            known["open"] = {"key": operation.key, "ids": numbered + ids[:reached]}
            if start + _MOST_LINES >= len(told_lines):
                known["open"]["settled"] = nested.settled
                if operation.is_over:
                    del known["open"]
                    known["after"] = str(operation.events[-1]["EventId"])
                    known["after_at"] = operation.ended_at
            yield RunSaid(
                source="cloudformation",
                key=operation.key,
                stack=known["name"],
                lines=tuple(piece),
                first=first + start,
                at=operation.ended_at if operation.is_over else None,
                told_within=(operation.began_at - _SAME_RUN_WITHIN_MS, operation.ended_at + _SAME_RUN_WITHIN_MS),
                memory={"stacks": self._copy()},
            )

    def _change_set(self, operation: Operation, known: Mapping[str, Any], stack: Mapping[str, Any] | None) -> bytes:
        """The changes that were planned, as a line; a blank one where CloudFormation tells none for this operation."""
        if stack is None or not stack.get("ChangeSetId"):
            return b""
        try:
            changes, made = planned_changes(self._client, stack["ChangeSetId"])
        except Exception:
            # Without it there is no total; the events come all the same.
            return b""
        # A stack keeps the change set of an earlier operation, when this one was begun without any.
        if not changes or not int(known.get("after_at", 0)) < moment(made) <= operation.began_at + 60_000:
            return b""
        return change_set_line(changes, str(stack["StackName"]), made)


def _said(stack: Mapping[str, Any]) -> str:
    times = (stack.get("CreationTime"), stack.get("LastUpdatedTime"), stack.get("DeletionTime"))
    return "|".join([str(stack.get("StackStatus", "")), *(str(moment(one)) for one in times)])
