"""The engine events of Pulumi, one line at a time; SST's are the same with rules of its own (`ingest/sst.py`).

Format: pulumi's sdk/go/common/apitype/events.go; what a step is, pkg/engine/update.go. An address is a URN and `parent`
its parent's, "" for what stands directly under the stack.

How the fold should treat it:
- A preview gives PLANNED and, at its end, TOTAL without a number: Pulumi's own count has the stack and the providers in
  it, so the planned steps are what counts. No RUN_ENDED: the update may follow in the same stream.
- A replacement is planned as one `replace`. When it is carried out, `create-replacement` is `create` and
  `delete-replaced` is `delete`, both with the fact `logical`: `replace`; the logical step `replace` itself gives
  nothing. A `delete` with that fact alone clears what an earlier run left: the resource stays.
- An `import` is `create` with the fact `logical`: `import`.
- `same`, `read` and `refresh` make no steps: RESOURCE where they tell facts. A component (fact `component`: `yes`) that
  stays the same is told as RESOURCE too, because its children name it as their parent.
- A component is DONE only where the program calls registerOutputs, perhaps before its children are: its state should
  come from them, and at the end from the outcome.
- A failure is DIAGNOSTIC at the URN, then FAILED without a diagnostic.
- RUN_ENDED has the outcome "" where the summary does not say it (older versions): a summary comes after failures too,
  and `cancelEvent` only says that the stream ends.
- A log that is cut and begun again (preview, then update) is known by a prelude that is not the first line:
  RUN_INFO with `operation`: `restarted`.
- Steps of providers and of the stack itself are left out; what is said of them concerns the whole run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ingest.change import Change, ChangeKind, Diagnostic, Ignored
from ingest.json_line import other_tool, pulumi_event, read_object
from ingest.outputs import facts_of, provider_id
from ingest.resource_types import classify
from ingest.text import MOST_DETAIL, MOST_SUMMARY, clean, clean_line, fits_an_index, ms_of_seconds, small_int

STACK_TYPE = "pulumi:pulumi:Stack"
_PROVIDERS = "pulumi:providers:"

_STEPS = {
    "create": "create", "update": "update", "delete": "delete", "import": "create",
    "create-replacement": "create", "import-replacement": "create", "delete-replaced": "delete",
}  # fmt: skip
_LOGICAL = {
    "import": "import", "create-replacement": "replace", "import-replacement": "replace", "delete-replaced": "replace",
}  # fmt: skip
_PLANNED = {"create": "create", "update": "update", "delete": "delete", "import": "create", "replace": "replace"}
"""What a preview plans; the halves of a replacement are in its `replace`."""
_READ = frozenset({"same", "read", "refresh"})
_SILENT_OPS = frozenset(
    {"replace", "read-replacement", "discard", "discard-replaced", "remove-pending-replace", *_READ, *_STEPS}
)
_OUTCOMES = {"succeeded": "succeeded", "failed": "failed", "canceled": "cancelled"}
_COUNTED = ("create", "update", "replace", "delete", "import")

Facts = Callable[[str, str | None, Mapping[str, Any], str], dict[str, str]]


def output_facts(tool_type: str, kind: str | None, outputs: Mapping[str, Any], parent: str) -> dict[str, str]:
    """What Pulumi's outputs tell about a resource."""
    return facts_of(kind, outputs)


@dataclass(frozen=True, slots=True)
class Rules:
    """What differs between the tools that write engine events. `drops` tells of the text of an error that it only
    repeats another; `facts` reads (type, kind, outputs, parent)."""

    source: str
    label: str
    expected: str
    ignored_types: frozenset[str]
    drops: Callable[[str], bool]
    facts: Facts


_PULUMI = Rules(
    source="pulumi",
    label="Pulumi",
    expected="Pulumi's event log (pulumi up --event-log, PULUMI_DEBUG_COMMANDS=true), one event a line",
    ignored_types=frozenset({STACK_TYPE}),
    drops=lambda text: False,
    facts=output_facts,
)


def parse_line(number: int, text: str) -> Change | Ignored | None:
    """What one line says; None where it is understood and there is nothing to record. Never raises."""
    return parse_event(number, text, _PULUMI)


def parse_event(number: int, text: str, rules: Rules) -> Change | Ignored | None:
    """The same by the rules of a tool."""
    line = read_object(number, text, expected=rules.expected)
    if isinstance(line, Ignored):
        return line
    name = pulumi_event(line)
    if not name:
        if "sequence" in line and "timestamp" in line:
            return Ignored(number, "The line is an engine event of a kind that this version of Slipway does not know.")
        return other_tool(number, line, source=rules.source, label=rules.label, expected=rules.expected)
    if not isinstance(line[name], dict):
        return Ignored(number, f"The line's {name} is no object. Expected: {rules.expected}.")
    return _Event(number, line, line[name], rules).read(name)


class _Event:
    """One engine event."""

    def __init__(self, number: int, line: dict[str, Any], body: dict[str, Any], rules: Rules) -> None:
        self.number = number
        self.at = ms_of_seconds(line.get("timestamp"))
        self.body = body
        self.rules = rules

    def read(self, name: str) -> Change | Ignored | None:
        match name:
            case "resourcePreEvent" | "resOutputsEvent" | "resOpFailedEvent":
                return self._step(name)
            case "diagnosticEvent":
                return self._diagnostic()
            case "policyEvent":
                return self._policy()
            case "errorEvent":
                return self._fault("error", self.body.get("error"), "")
            case "summaryEvent":
                return self._summary()
            case "preludeEvent":
                facts = {"operation": "restarted"} if self.number else {}
                return self._change(ChangeKind.RUN_INFO, facts=facts)
        return None

    def _change(self, kind: ChangeKind, **values: Any) -> Change:
        return Change(sequence=self.number, kind=kind, occurred_at=self.at, **values)

    # Steps.

    def _step(self, name: str) -> Change | Ignored | None:
        metadata = self.body.get("metadata")
        if not isinstance(metadata, dict):
            return Ignored(self.number, f"The {name} tells of no resource. Expected: {self.rules.expected}.")
        urn = clean_line(metadata.get("urn"), MOST_DETAIL)
        op = metadata.get("op")
        if not urn.startswith("urn:pulumi:") or not isinstance(op, str):
            return Ignored(self.number, f"The {name} names no URN and operation. Expected: {self.rules.expected}.")
        if not fits_an_index(urn):
            return Ignored(self.number, "The line names a resource whose URN is longer than 1,500 bytes.")
        tool_type = clean_line(metadata.get("type"), 200) or type_in(urn)
        if tool_type in self.rules.ignored_types or tool_type.startswith(_PROVIDERS):
            return None
        state = _state(metadata)
        common = {"address": urn, "tool_type": tool_type, "parent": parent_of(state)}
        is_component = bool(state) and state.get("custom") is not True
        marks = {"component": "yes"} if is_component else {}
        if op in _LOGICAL:
            marks["logical"] = _LOGICAL[op]
        if self.body.get("planning") is True:
            if name != "resourcePreEvent" or op not in _PLANNED:
                return None
            return self._change(ChangeKind.PLANNED, action=_PLANNED[op], facts=marks, **common)
        if op in _STEPS:
            return self._carried_out(name, _STEPS[op], marks, state, common)
        if op in _READ:
            return self._read(name, op, marks, state, common)
        if op not in _SILENT_OPS:
            return Ignored(self.number, f"The {name} has an operation that this version of Slipway does not know.")
        return None

    def _carried_out(
        self, name: str, action: str, marks: dict[str, str], state: dict[str, Any], common: dict[str, str]
    ) -> Change:
        match name:
            case "resourcePreEvent":
                kind = ChangeKind.STARTED
            case "resOpFailedEvent":
                kind = ChangeKind.FAILED
            case _:
                kind = ChangeKind.DONE
        # What a deleted half was is not what the resource now is.
        told = self._facts(state, common) if kind is ChangeKind.DONE and action != "delete" else {}
        return self._change(kind, action=action, facts=marks | told, **common)

    def _read(
        self, name: str, op: str, marks: dict[str, str], state: dict[str, Any], common: dict[str, str]
    ) -> Change | None:
        told = self._facts(state, common) if name == "resOutputsEvent" else {}
        if told or (marks and name == "resourcePreEvent"):
            action = "noop" if op == "same" else op
            return self._change(ChangeKind.RESOURCE, action=action, facts=marks | told, **common)
        return None

    def _facts(self, state: dict[str, Any], common: dict[str, str]) -> dict[str, str]:
        tool_type = common["tool_type"]
        kind = classify(tool_type, common["address"]).kind
        outputs = state.get("outputs")
        told = self.rules.facts(tool_type, kind, outputs if isinstance(outputs, dict) else {}, common["parent"])
        return provider_id(kind, state.get("id")) | told

    # Words.

    def _diagnostic(self) -> Change | None:
        severity = self.body.get("severity")
        # Lower severities are what programs and plugins print, and may hold anything.
        if severity not in ("error", "warning") or self.body.get("ephemeral") is True:
            return None
        return self._fault(severity, self.body.get("message"), self.body.get("urn"))

    def _policy(self) -> Change | None:
        level = self.body.get("enforcementLevel")
        if level not in ("mandatory", "advisory"):
            return None
        severity = "error" if level == "mandatory" else "warning"
        pack = clean_line(self.body.get("policyPackName"), 100)
        name = clean_line(self.body.get("policyName"), 100)
        where = f"policy {name} of {pack}" if name and pack else ""
        return self._fault(severity, self.body.get("message"), self.body.get("resourceUrn"), where)

    def _fault(self, severity: str, message: object, urn: object, where: str = "") -> Change | None:
        text = clean(message, MOST_DETAIL).removeprefix(f"{severity}:").strip()
        if not text or self.rules.drops(text):
            return None
        head, _, rest = text.partition("\n")
        address = clean_line(urn, MOST_DETAIL)
        tool_type = type_in(address)
        if tool_type in self.rules.ignored_types or tool_type.startswith(_PROVIDERS) or not fits_an_index(address):
            address, tool_type = "", ""
        return self._change(
            ChangeKind.DIAGNOSTIC,
            address=address if tool_type else "",
            tool_type=tool_type,
            diagnostic=Diagnostic(
                severity=severity, summary=clean_line(head, MOST_SUMMARY), detail=rest.strip(), where=where
            ),
        )

    def _summary(self) -> Change:
        changes = self.body.get("resourceChanges")
        counts = changes if isinstance(changes, dict) else {}
        words = ", ".join(f"{count} to {op}" for op in _COUNTED if (count := small_int(counts.get(op))))
        if self.body.get("isPreview") is True:
            return self._change(ChangeKind.TOTAL, message=f"Preview: {words or 'no changes'}")
        result = self.body.get("result")
        return self._change(ChangeKind.RUN_ENDED, outcome=_OUTCOMES.get(result, "") if isinstance(result, str) else "")


def _state(metadata: dict[str, Any]) -> dict[str, Any]:
    """The resource after the step, or before it where it is deleted."""
    for name in ("new", "old"):
        state = metadata.get(name)
        if isinstance(state, dict):
            return state
    return {}


def parent_of(state: Mapping[str, Any]) -> str:
    """The URN of a resource's parent; "" where that is the stack."""
    parent = clean_line(state.get("parent"), MOST_DETAIL)
    return "" if type_in(parent) in ("", STACK_TYPE) or not fits_an_index(parent) else parent


def first_type_in(urn: str) -> str:
    """The type of what stands under the stack, `a` of `urn:pulumi:<stack>::<project>::<a>$<b>$<c>::<name>`."""
    parts = urn.split("::", 3)
    if len(parts) != 4 or not urn.startswith("urn:pulumi:"):
        return ""
    return parts[2].split("$", 1)[0]


def type_in(urn: str) -> str:
    """The type in a URN, `c` of `urn:pulumi:<stack>::<project>::<a>$<b>$<c>::<name>`; "" where it is no URN."""
    parts = urn.split("::", 3)
    if len(parts) != 4 or not urn.startswith("urn:pulumi:"):
        return ""
    return parts[2].rsplit("$", 1)[-1]
