"""The `-json` stream of Terraform and OpenTofu, one line at a time.

Format: Terraform's and OpenTofu's internal/command/views/json and hook_json.go. What is kept of a line is a whitelist:
addresses, types, actions, the tool's own sentence where the tool alone words it, diagnostics without their snippets,
and the provider's id of types that have a card. Never kept: outputs' values, what provisioners print, state dumps.

How the fold should treat it: a replacement is one PLANNED `replace`, then STARTED and DONE of `delete` and of `create`
in either order. A `planned_change` that moves and also changes a resource is PLANNED with `previous_address`. FAILED
has no diagnostic: the DIAGNOSTIC with the same address comes later. A data source, an ephemeral resource and an action
that has no steps give nothing. What depends on a failed resource gets no line after its plan.
"""

from __future__ import annotations

import re
from typing import Any

from ingest.change import Change, ChangeKind, Diagnostic, Ignored
from ingest.json_line import other_tool, read_object
from ingest.outputs import provider_id
from ingest.resource_types import address_parts, classify
from ingest.text import (
    MOST_DETAIL,
    MOST_SUMMARY,
    clean,
    clean_line,
    fits_an_index,
    ms_of_rfc3339,
    small_int,
)

EXPECTED = "the output of terraform or tofu with -json, one object a line"
_LABEL = "Terraform or OpenTofu"

_STEP_ACTIONS = ("create", "update", "delete")
_HOOKS = {
    "apply_start": ChangeKind.STARTED,
    "apply_progress": ChangeKind.PROGRESS,
    "apply_complete": ChangeKind.DONE,
    "apply_errored": ChangeKind.FAILED,
}
_SILENT = frozenset(
    {
        # A failed provisioner is told again by apply_errored and a diagnostic; its output may hold secrets.
        "provision_start", "provision_progress", "provision_complete", "provision_errored",
        "refresh_start", "outputs", "planned_action_invocation", "generated_config",
        "ephemeral_op_start", "ephemeral_op_progress", "ephemeral_op_complete", "ephemeral_op_errored",
        "ephemeral_action_started", "ephemeral_action_complete", "ephemeral_action_progress",
        "ephemeral_action_errored", "action_start", "action_progress", "action_complete", "action_errored",
        "init_output", "resource_drift_summary", "deferred_change", "deferred_action_invocation",
    }
)  # fmt: skip
"""Types that are understood and change nothing."""
_SILENT_FAMILIES = ("policy_", "list_", "provider_", "migration_", "test_")
_STOPPING = re.compile(r"\s*(Interrupt received|Stopping operation|Two interrupts received)")
_ID = re.compile(r" \[[\w.]+=[^\n]*\]$")
"""The id at the end of a hook's sentence: for types such as `random_string` it is the value itself."""
_TYPE_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")


def parse_line(number: int, text: str) -> Change | Ignored | None:
    """What one line says; None where it is understood and there is nothing to record. Never raises."""
    line = read_object(number, text, expected=EXPECTED)
    if isinstance(line, Ignored):
        return line
    kind = line.get("type")
    is_ours = line.get("@module") in ("terraform.ui", "tofu.ui") or ("@module" not in line and "@message" in line)
    if not is_ours or not isinstance(kind, str):
        return other_tool(number, line, source="terraform or opentofu", label=_LABEL, expected=EXPECTED)
    return _Line(number, line).read(kind)


class _Line:
    """One line that is Terraform's or OpenTofu's."""

    def __init__(self, number: int, line: dict[str, Any]) -> None:
        self.number = number
        self.line = line
        self.at = ms_of_rfc3339(line.get("@timestamp"))

    def read(self, kind: str) -> Change | Ignored | None:
        if kind in _HOOKS:
            return self._hook(_HOOKS[kind])
        match kind:
            case "planned_change":
                return self._planned()
            case "resource_drift":
                return self._drift()
            case "change_summary":
                return self._summary()
            case "diagnostic":
                return self._diagnostic()
            case "refresh_complete":
                return self._refreshed()
            case "version":
                return self._version()
            case "log":
                return self._log()
        if kind in _SILENT or kind.startswith(_SILENT_FAMILIES):
            return None
        named = f"{kind!r}" if _TYPE_NAME.fullmatch(kind) else "that is no word"
        return Ignored(
            self.number,
            f"The line has the type {named}, which this version of Slipway does not know; nothing was recorded of it. "
            "If it matters, see whether a newer Slipway knows it.",
        )

    def _change(self, kind: ChangeKind, **values: Any) -> Change:
        return Change(sequence=self.number, kind=kind, occurred_at=self.at, **values)

    def _message(self) -> str:
        return _ID.sub("", clean_line(self.line.get("@message")))

    def _malformed(self, found: str) -> Ignored:
        return Ignored(self.number, f"The line {found}. Expected: {EXPECTED}.")

    # What is planned.

    def _planned(self) -> Change | Ignored | None:
        change = _object(self.line.get("change"))
        resource = _object(change.get("resource"))
        address = clean_line(resource.get("addr"), MOST_DETAIL)
        if not address:
            return self._malformed("plans a change and names no resource")
        if not fits_an_index(address):
            return self._too_long()
        if not _is_managed(address):
            return None
        previous = _previous(change)
        action = change.get("action")
        common: dict[str, Any] = {
            "address": address, "previous_address": previous, "tool_type": _type(resource), "message": self._message(),
        }  # fmt: skip
        if action in _STEP_ACTIONS or action == "replace":
            return self._change(ChangeKind.PLANNED, action=action, **common)
        if previous and previous != address and action in ("move", "noop"):
            return self._change(ChangeKind.MOVED, action="move", **common)
        if action == "import" or (action == "noop" and isinstance(change.get("importing"), dict)):
            return self._change(ChangeKind.PLANNED, action="import", **common)
        if action in ("remove", "forget"):
            return self._change(ChangeKind.PLANNED, action="forget", **common)
        return None

    def _drift(self) -> Change | Ignored | None:
        change = _object(self.line.get("change"))
        resource = _object(change.get("resource"))
        address = clean_line(resource.get("addr"), MOST_DETAIL)
        if not address:
            return self._malformed("tells of drift and names no resource")
        if not fits_an_index(address):
            return self._too_long()
        if not _is_managed(address):
            return None
        action = change.get("action")
        return self._change(
            ChangeKind.DRIFT,
            address=address,
            previous_address=_previous(change),
            tool_type=_type(resource),
            action=action if action in ("update", "delete", "move") else "",
            message=self._message(),
        )

    def _summary(self) -> Change | Ignored | None:
        changes = _object(self.line.get("changes"))
        match changes.get("operation"):
            case "plan":
                total = sum(small_int(changes.get(name)) for name in ("add", "change", "remove"))
                return self._change(ChangeKind.TOTAL, total=total, message=self._message())
            case "apply" | "destroy":
                # It is sent only after success; where it is missing the run failed or was stopped.
                return self._change(ChangeKind.RUN_ENDED, outcome="succeeded", message=self._message())
        return self._malformed("sums up an operation that is neither plan, apply nor destroy")

    # What is carried out.

    def _hook(self, kind: ChangeKind) -> Change | Ignored | None:
        hook = _object(self.line.get("hook"))
        resource = _object(hook.get("resource"))
        address = clean_line(resource.get("addr"), MOST_DETAIL)
        if not address:
            return self._malformed("tells of an operation and names no resource")
        if not fits_an_index(address):
            return self._too_long()
        action = hook.get("action")
        if action not in _STEP_ACTIONS or not _is_managed(address):
            return None
        tool_type = _type(resource)
        # The id of what is deleted may be the former half's of a replacement whose new half is already there.
        facts = _id_facts(hook, tool_type, address) if action != "delete" else {}
        return self._change(
            kind, address=address, tool_type=tool_type, action=action, message=self._message(), facts=facts
        )

    def _refreshed(self) -> Change | None:
        hook = _object(self.line.get("hook"))
        resource = _object(hook.get("resource"))
        address = clean_line(resource.get("addr"), MOST_DETAIL)
        tool_type = _type(resource)
        facts = _id_facts(hook, tool_type, address)
        if not facts or not fits_an_index(address) or not _is_managed(address):
            return None
        return self._change(ChangeKind.RESOURCE, address=address, tool_type=tool_type, action="refresh", facts=facts)

    # What is said about the whole.

    def _version(self) -> Change:
        version = self.line.get("tofu") or self.line.get("terraform")
        facts = {"engine_version": clean_line(version, 100)} if clean_line(version, 100) else {}
        return self._change(ChangeKind.RUN_INFO, message=self._message(), facts=facts)

    def _log(self) -> Change | None:
        # Any other log line may be a dump of the state, made when it could not be written.
        if _STOPPING.match(clean(self.line.get("@message"))):
            return self._change(ChangeKind.CANCELLING, message=self._message())
        return None

    def _diagnostic(self) -> Change | Ignored:
        found = _object(self.line.get("diagnostic"))
        summary = clean_line(found.get("summary"), MOST_SUMMARY)
        detail = clean(found.get("detail"), MOST_DETAIL)
        if not summary and not detail:
            return self._malformed("is a diagnostic that says nothing")
        address = clean_line(found.get("address"), MOST_DETAIL)
        diagnostic = Diagnostic(
            severity="error" if found.get("severity") == "error" else "warning",
            summary=summary or clean_line(detail, MOST_SUMMARY),
            detail=detail,
            where=_where(found),
        )
        return self._change(
            ChangeKind.DIAGNOSTIC,
            address=address if fits_an_index(address) else "",
            message=self._message(),
            diagnostic=diagnostic,
        )

    def _too_long(self) -> Ignored:
        return Ignored(self.number, "The line names a resource whose address is longer than 1,500 bytes.")


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _type(resource: dict[str, Any]) -> str:
    return clean_line(resource.get("resource_type"), 200)


def _previous(change: dict[str, Any]) -> str:
    address = clean_line(_object(change.get("previous_resource")).get("addr"), MOST_DETAIL)
    return address if fits_an_index(address) else ""


def _is_managed(address: str) -> bool:
    """Whether it is neither a data source nor ephemeral: those are only read, and make no steps."""
    parts = address_parts(address)
    while len(parts) > 2 and parts[0] == "module":
        parts = parts[2:]
    return not (len(parts) > 2 and parts[0] in ("data", "ephemeral"))


def _id_facts(hook: dict[str, Any], tool_type: str, address: str) -> dict[str, str]:
    if hook.get("id_key") not in ("id", "name", "arn"):
        return {}
    return provider_id(classify(tool_type, address, show_builtin=True).kind, hook.get("id_value"))


def _where(diagnostic: dict[str, Any]) -> str:
    """Like `main.tf line 14, in resource "aws_db_instance" "orders"`; never the source itself."""
    place = _object(diagnostic.get("range"))
    filename = clean_line(place.get("filename"), MOST_SUMMARY)
    line = small_int(_object(place.get("start")).get("line"))
    context = clean_line(_object(diagnostic.get("snippet")).get("context"), MOST_SUMMARY)
    parts = [f"{filename} line {line}" if filename and line else filename, f"in {context}" if context else ""]
    return ", ".join(part for part in parts if part)
