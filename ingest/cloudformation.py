"""CloudFormation's stack events, one event object a line, oldest first, of one stack and the stacks nested in it.

Format: DescribeStackEvents of the CloudFormation API (botocore data/cloudformation/2010-05-15): StackId, EventId,
StackName, LogicalResourceId, PhysicalResourceId, ResourceType, Timestamp, ResourceStatus, ResourceStatusReason; the
others are not read, ResourceProperties least of all: they hold parameters in clear. An address is a logical id. A first
line `{"ChangeSet": {"Changes": […]}}` with DescribeChangeSet's changes gives the total.

Whoever reads the events of nested stacks too adds three fields of its own, for no event of CloudFormation says them:
- `NestedStackPath`, on events and changes of a nested stack: the logical ids of the nested stacks from the root down to
  it, joined by `/`. It stands before the logical id in the address (`Network/Subnet`). A logical id has no `/`, so no
  two resources share an address.
- `NestedCause`, true on a failed row of a nested stack in its parent: what failed inside is told by rows of its own.
- `NestedChanges`, true on a nested stack in a change set: its own changes are in the same list.

How the fold should treat it:
- The stack's own row (PhysicalResourceId equals StackId) speaks of the run: RUN_INFO while it goes on (`operation`:
  plan, apply, destroy, rollback or cleanup), RUN_ENDED at its end. Every end that follows a rollback is `failed`, also
  UPDATE_ROLLBACK_COMPLETE: there the resources still stand, at their old version, as their own rows say.
- A rollback that somebody asked for is CANCELLING.
- A nested stack's own row is LOG: its parent has a row for it, which is the step, and only the root's end ends the run.
- TOTAL counts the changes, a replacement twice: its old half is deleted in the clean-up. Rolling back adds steps. There
  is none where a nested stack is changed and its changes are not told: they are steps too, and nobody knows how many.
- A resource's row is STARTED, DONE or FAILED. CREATE_IN_PROGRESS comes twice, the second time with the id. A row that
  failed only because another did ("Resource creation cancelled", or a nested stack by a resource whose own row is told)
  is FAILED without a diagnostic, so that it never looks like the cause. After a rollback one address may have a
  `create` that is done and a `delete` that is done after it: the later one tells what is there.
- An import is `create` with the fact `logical`: `import`. A replacement is not marked: it is an `update`, and a
  `delete` in the clean-up.
- DELETE_SKIPPED and EXPORT_COMPLETE are DONE `forget`: the resource exists and is no longer this stack's.
"""

from __future__ import annotations

import re
from typing import Any

from ingest.change import Change, ChangeKind, Diagnostic, Ignored
from ingest.json_line import other_tool, read_object
from ingest.outputs import provider_id
from ingest.resource_types import classify
from ingest.text import MOST_DETAIL, MOST_SUMMARY, clean, clean_line, fits_an_index, ms_of_rfc3339

NESTED_STACK = "AWS::CloudFormation::Stack"
"""The type of a nested stack in its parent, and of every stack in its own events."""
EXPECTED = "stack events of CloudFormation, one event object a line, oldest first"

_ACTIONS = {"CREATE": "create", "UPDATE": "update", "DELETE": "delete", "IMPORT": "create", "EXPORT": "forget"}
_MOVES = {"IN_PROGRESS": ChangeKind.STARTED, "COMPLETE": ChangeKind.DONE, "FAILED": ChangeKind.FAILED}
_STATUS = re.compile(r"(CREATE|UPDATE|DELETE|IMPORT|EXPORT)_(IN_PROGRESS|COMPLETE|FAILED)")
_ROLLBACK = re.compile(r"(?:(IMPORT|EXPORT|UPDATE)_)?ROLLBACK_(IN_PROGRESS|COMPLETE|FAILED)")
_OPERATIONS = {"CREATE": "apply", "UPDATE": "apply", "IMPORT": "apply", "EXPORT": "apply", "DELETE": "destroy"}
_COLLATERAL = re.compile(r"Resource (?:creation|update|deletion|import) cancell?ed\.?")
# "Embedded stack arn:… was not successfully updated. Currently in UPDATE_ROLLBACK_IN_PROGRESS with reason: The
# following resource(s) failed to update: [Fleet]." Any other reason of a nested stack is its own, such as a time-out.
_FAILED_INSIDE = re.compile(r"The following resource\(s\) failed to ")
_ASKED_FOR = re.compile(r"User Initiated|(?:Rollback|Cancel\w*) requested by user", re.IGNORECASE)
_ROLLED_BACK = {
    "ROLLBACK_COMPLETE": "Rolled back: what was created is deleted again, and the stack must be deleted too.",
    "UPDATE_ROLLBACK_COMPLETE": "Rolled back: the resources are still there, at their version before this update.",
    "IMPORT_ROLLBACK_COMPLETE": "Rolled back: the stack is as it was before the import.",
}


def parse_line(number: int, text: str) -> Change | Ignored | None:
    """What one line says; None where it is understood and there is nothing to record. Never raises."""
    line = read_object(number, text, expected=EXPECTED)
    if isinstance(line, Ignored):
        return line
    if "ChangeSet" in line:
        return _change_set(number, line["ChangeSet"])
    if isinstance(line.get("StackEvents"), list):
        return Ignored(
            number,
            f"The line is a whole answer of DescribeStackEvents. Expected: {EXPECTED}, as "
            "jq -c '.StackEvents | reverse | .[]' writes them.",
        )
    if "ResourceStatus" not in line:
        if "EventId" in line and "StackId" in line:
            # Progress and validation events of newer APIs, which speak of no resource.
            return None
        return other_tool(number, line, source="cloudformation", label="CloudFormation", expected=EXPECTED)
    return _Event(number, line).read()


def _change_set(number: int, change_set: object) -> Change | Ignored | None:
    changes = change_set.get("Changes") if isinstance(change_set, dict) else None
    if not isinstance(change_set, dict) or not isinstance(changes, list):
        return Ignored(number, "The change set has no list of changes. Expected: the answer of DescribeChangeSet.")
    total = 0
    for change in changes:
        if isinstance(change, dict):
            # DescribeChangeSet wraps each change in ResourceChange.
            inner = change.get("ResourceChange")
            found = inner if isinstance(inner, dict) else change
            if found.get("ResourceType") == NESTED_STACK and found.get("NestedChanges") is not True:
                return None
            total += 2 if found.get("Replacement") == "True" else 1
    return Change(
        sequence=number,
        kind=ChangeKind.TOTAL,
        occurred_at=ms_of_rfc3339(change_set.get("Timestamp") or change_set.get("CreationTime")),
        total=total,
        message=f"Change set: {total} steps",
    )


class _Event:
    """One event."""

    def __init__(self, number: int, line: dict[str, Any]) -> None:
        self.number = number
        self.at = ms_of_rfc3339(line.get("Timestamp"))
        self.status = clean_line(line.get("ResourceStatus"), 100)
        self.path = clean_line(line.get("NestedStackPath"), MOST_DETAIL)
        self.has_unreadable_path = "NestedStackPath" in line and not self.path
        logical_id = clean_line(line.get("LogicalResourceId"), MOST_DETAIL)
        self.address = f"{self.path}/{logical_id}" if self.path and logical_id else logical_id
        self.tool_type = clean_line(line.get("ResourceType"), 200)
        self.physical_id = line.get("PhysicalResourceId")
        self.reason = clean(line.get("ResourceStatusReason"), MOST_DETAIL)
        stack_id = line.get("StackId")
        self.is_stack = isinstance(stack_id, str) and bool(stack_id) and self.physical_id == stack_id
        self.is_told_inside = line.get("NestedCause") is True and bool(_FAILED_INSIDE.search(self.reason))

    def _change(self, kind: ChangeKind, **values: Any) -> Change:
        return Change(sequence=self.number, kind=kind, occurred_at=self.at, **values)

    def read(self) -> Change | Ignored | None:
        if self.has_unreadable_path:
            return Ignored(self.number, "The event is of a nested stack, and does not say which.")
        if self.is_stack:
            return self._of_nested_stack() if self.path else self._of_stack()
        if not self.address:
            return Ignored(self.number, f"The event names no resource. Expected: {EXPECTED}.")
        if not fits_an_index(self.address):
            return Ignored(self.number, "The event names a resource whose logical id is longer than 1,500 bytes.")
        return self._of_resource()

    def _unknown(self) -> Ignored:
        return Ignored(self.number, "The event has a status that this version of Slipway does not know.")

    # The run.

    def _of_stack(self) -> Change | Ignored:
        rollback = _ROLLBACK.fullmatch(self.status)
        if rollback:
            return self._of_rollback(rollback[2])
        plain = _STATUS.fullmatch(self.status)
        message = clean_line(self.reason)
        if plain and plain[2] == "IN_PROGRESS":
            return self._run_info(_OPERATIONS[plain[1]], message)
        if plain:
            outcome = "succeeded" if plain[2] == "COMPLETE" else "failed"
            return self._change(ChangeKind.RUN_ENDED, outcome=outcome, message=message)
        match self.status:
            case "REVIEW_IN_PROGRESS":
                return self._run_info("plan", message)
            case "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS":
                return self._run_info("cleanup", message or "Updated; what is no longer needed is being deleted.")
            case "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS":
                return self._run_info("cleanup", message or "Rolled back; what is no longer needed is being deleted.")
        return self._unknown()

    def _of_rollback(self, state: str) -> Change:
        message = clean_line(self.reason)
        if state == "IN_PROGRESS":
            # "The following resource(s) failed to create: [Fleet]. Rollback requested by user." is what AWS says of
            # every rollback that a failure began; nobody stopped anything.
            if _ASKED_FOR.search(self.reason) and not _FAILED_INSIDE.search(self.reason):
                return self._change(ChangeKind.CANCELLING, message=message)
            return self._run_info("rollback", message or "Rolling back.")
        told = _ROLLED_BACK.get(self.status, "") if state == "COMPLETE" else "The rollback failed."
        return self._change(
            ChangeKind.RUN_ENDED, outcome="failed", message=" ".join(part for part in (told, message) if part)
        )

    def _of_nested_stack(self) -> Change | Ignored:
        if not fits_an_index(self.path):
            return Ignored(self.number, "The event names nested stacks whose path is longer than 1,500 bytes.")
        if isinstance(self._of_stack(), Ignored):
            return self._unknown()
        message = clean_line(f"{self.status}: {self.reason}" if self.reason else self.status)
        return self._change(ChangeKind.LOG, address=self.path, tool_type=NESTED_STACK, message=message)

    def _run_info(self, operation: str, message: str) -> Change:
        return self._change(ChangeKind.RUN_INFO, message=message, facts={"operation": operation})

    # A resource.

    def _of_resource(self) -> Change | Ignored:
        if self.status == "DELETE_SKIPPED":
            return self._step(ChangeKind.DONE, "forget", message="Kept: it exists and is no longer managed.")
        rollback = _ROLLBACK.fullmatch(self.status)
        if rollback:
            # A resource that is put back: what was created is deleted, what was imported or exported changes hands.
            action = {"UPDATE": "update", "IMPORT": "forget", "EXPORT": "forget"}.get(rollback[1] or "", "delete")
            return self._moved(action, rollback[2])
        plain = _STATUS.fullmatch(self.status)
        if not plain:
            return self._unknown()
        return self._moved(_ACTIONS[plain[1]], plain[2], {"logical": "import"} if plain[1] == "IMPORT" else None)

    def _moved(self, action: str, state: str, marks: dict[str, str] | None = None) -> Change:
        kind = _MOVES[state]
        facts = dict(marks or {})
        # What a deleted half was is not what the resource now is.
        if action in ("create", "update"):
            facts |= provider_id(classify(self.tool_type, self.address).kind, self.physical_id)
        if kind is not ChangeKind.FAILED or not self.reason:
            return self._step(kind, action, message=clean_line(self.reason), facts=facts)
        if _COLLATERAL.fullmatch(self.reason):
            return self._step(kind, action, message="Cancelled, because another resource failed.", facts=facts)
        if self.is_told_inside:
            return self._step(kind, action, message=clean_line(self.reason), facts=facts)
        head, _, rest = self.reason.partition("\n")
        diagnostic = Diagnostic(
            severity="error",
            summary=clean_line(head, MOST_SUMMARY),
            detail=rest.strip() if len(head) <= MOST_SUMMARY else self.reason,
            where=f"{self.tool_type} {self.address}".strip() if len(self.address) <= MOST_SUMMARY else "",
        )
        if action == "forget":
            return self._change(
                ChangeKind.DIAGNOSTIC, address=self.address, tool_type=self.tool_type, diagnostic=diagnostic
            )
        return self._step(kind, action, diagnostic=diagnostic, facts=facts)

    def _step(self, kind: ChangeKind, action: str, **values: Any) -> Change:
        return self._change(kind, address=self.address, tool_type=self.tool_type, action=action, **values)
