"""What a run comes to: its changes, taken in the order of their line numbers.

Pure. `RunFold` is a run's state; `take` applies one change and `conclude` what the end means. Taking changes one batch
after the other, or all again from the first, ends in the same state: so a late batch is handled by playing the run
again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from ingest.change import Change, ChangeKind, Diagnostic
from provisioning.states import STEP_MOVES, RunOutcome, RunPhase, StepState

STEP_ACTIONS = frozenset({"create", "update", "delete"})
_MOST_FAULTS = 20
_ENDED = frozenset({StepState.DONE, StepState.FAILED})


@dataclass(slots=True, kw_only=True)
class StepRecord:
    """One step; the fields are those of `models.Step`. `own` is the run's step that a component's child belongs to."""

    address: str
    action: str
    position: int
    tool_type: str = ""
    replacing: bool = False
    imported: bool = False
    parent: str = ""
    is_component: bool = False
    state: StepState = StepState.WAITING
    reason: str = ""
    waits_for: str = ""
    message: str = ""
    diagnostic: dict[str, str] | None = None
    planned_at: int | None = None
    started_at: int | None = None
    ended_at: int | None = None
    last_event_at: int | None = None


def diagnostic_record(diagnostic: Diagnostic) -> dict[str, str]:
    """The diagnostic as it is stored."""
    return {
        "severity": diagnostic.severity,
        "summary": diagnostic.summary,
        "detail": diagnostic.detail,
        "where": diagnostic.where,
    }


@dataclass(slots=True)
class RunFold:
    """The state of one run. `steps` holds those that the changes at hand may touch, by (address, action)."""

    phase: RunPhase = RunPhase.PLANNING
    steps: dict[tuple[str, str], StepRecord] = field(default_factory=dict)
    memory: dict[str, Any] = field(default_factory=dict)
    """What must be remembered between batches: next_position, cancelling, said, said_at, reported_total, operation,
    engine_version, faults, moves, last (line number)."""
    touched: set[tuple[str, str]] = field(default_factory=set)
    replayed: bool = False
    """Whether it began from nothing: then `steps` holds all steps of the run in the end."""
    earliest_at: int | None = None

    def take(self, change: Change, at: int) -> str:
        """Apply one change that happened at `at`; returns a reason code where the move was refused, else ""."""
        self.memory["last"] = max(self.memory.get("last", -1), change.sequence)
        self.earliest_at = at if self.earliest_at is None else min(self.earliest_at, at)
        match change.kind:
            case ChangeKind.PLANNED:
                return self._planned(change, at)
            case ChangeKind.STARTED | ChangeKind.PROGRESS | ChangeKind.DONE | ChangeKind.FAILED:
                return self._step_moved(change, at)
            case ChangeKind.DIAGNOSTIC:
                return self._diagnosed(change, at)
            case ChangeKind.TOTAL:
                # Pulumi's preview ends without a number of use: then the planned steps are the total.
                self.memory["total_told"] = True
                if change.total is not None:
                    self.memory["reported_total"] = change.total
            case ChangeKind.MOVED:
                self._moved(change)
            case ChangeKind.CANCELLING:
                self.memory["cancelling"] = True
            case ChangeKind.RUN_ENDED:
                self.memory["said"] = change.outcome or "summary"
                self.memory["said_at"] = at
            case ChangeKind.RUN_INFO:
                for name in ("engine_version", "operation", "command"):
                    if change.facts.get(name):
                        self.memory[name] = change.facts[name]
            case ChangeKind.RESOURCE if change.facts.get("component") == "yes":
                # It has no step in this run, and its children, which do, are shown on its card.
                components = self.memory.setdefault("components", {})
                components[change.address] = [change.tool_type, change.parent]
            case ChangeKind.DRIFT | ChangeKind.RESOURCE | ChangeKind.LOG:
                pass
        return ""

    def _moved(self, change: Change) -> None:
        moves = self.memory.setdefault("moves", [])
        move = [change.previous_address, change.address]
        if move not in moves:
            moves.append(move)

    def _forgotten(self, change: Change, at: int) -> None:
        """The tool lets go of the resource and leaves it standing."""
        self.memory.setdefault("forgotten", {})[change.address] = at

    def _planned(self, change: Change, at: int) -> str:
        if change.action == "forget":
            self._forgotten(change, at)
        halves = ("delete", "create") if change.action == "replace" else (change.action,)
        for action in halves:
            if action not in STEP_ACTIONS:
                continue
            self.memory["planned_seen"] = True
            if change.previous_address:
                self._moved(change)
            step = self._step(change, action)
            step.planned_at = at if step.planned_at is None else min(step.planned_at, at)
            step.replacing = step.replacing or change.action == "replace"
            step.waits_for = change.facts.get("waits_for", step.waits_for)
            self._touch(step, at)
        return ""

    def _step_moved(self, change: Change, at: int) -> str:
        if change.action == "forget" and change.kind is ChangeKind.DONE:
            self._forgotten(change, at)
        if change.action not in STEP_ACTIONS:
            return ""
        step = self._step(change, change.action)
        wanted = {
            ChangeKind.STARTED: StepState.RUNNING,
            ChangeKind.PROGRESS: StepState.RUNNING,
            ChangeKind.DONE: StepState.DONE,
            ChangeKind.FAILED: StepState.FAILED,
        }[change.kind]
        # An interruption is our own conclusion, not the tool's word: what the tool says next counts as if it ran on.
        current = StepState.RUNNING if step.state is StepState.INTERRUPTED else step.state
        if change.kind is ChangeKind.PROGRESS and current in _ENDED:
            return "after_the_end"
        if wanted is not current and wanted not in STEP_MOVES[current]:
            return "illegal_move"
        self.phase = RunPhase.APPLYING
        if wanted is StepState.RUNNING and current in _ENDED:
            step.started_at, step.ended_at, step.diagnostic = None, None, None
        step.state = wanted
        step.reason = ""
        if step.started_at is None:
            step.started_at = at
        step.replacing = step.replacing or change.facts.get("logical") == "replace"
        step.imported = step.imported or change.facts.get("logical") == "import"
        step.waits_for = change.facts.get("waits_for", "") if wanted is StepState.RUNNING else ""
        if wanted in _ENDED:
            step.ended_at = at
        if change.diagnostic is not None and wanted is StepState.FAILED:
            step.diagnostic = diagnostic_record(change.diagnostic)
            self.memory.setdefault("first_error", change.diagnostic.summary)
        self._touch(step, at)
        return ""

    def _diagnosed(self, change: Change, at: int) -> str:
        if change.diagnostic is None or change.diagnostic.severity != "error":
            return ""
        self.memory["error_seen"] = True
        self.memory.setdefault("first_error", change.diagnostic.summary)
        record = diagnostic_record(change.diagnostic)
        step = self._step_at_fault(change.address)
        if step is None:
            faults = self.memory.setdefault("faults", [])
            if len(faults) < _MOST_FAULTS:
                faults.append(record | {"address": change.address})
            return ""
        if step.state in (StepState.WAITING, StepState.RUNNING, StepState.INTERRUPTED):
            self.phase = RunPhase.APPLYING
            step.started_at = at if step.started_at is None else step.started_at
            step.ended_at = at
            step.state = StepState.FAILED
            step.reason = ""
        if step.diagnostic is None:
            step.diagnostic = record
        self._touch(step, at)
        return ""

    def _step_at_fault(self, address: str) -> StepRecord | None:
        """The step that an error at an address belongs to: one that failed without a word first, then a running one,
        then, once the run applies, a waiting one."""
        if not address:
            return None
        steps = sorted(
            (step for (where, _), step in self.steps.items() if where == address), key=lambda step: step.position
        )
        order = (
            lambda step: step.state is StepState.FAILED and step.diagnostic is None,
            lambda step: step.state in (StepState.RUNNING, StepState.INTERRUPTED),
            lambda step: step.state is StepState.FAILED,
            lambda step: step.state is StepState.WAITING and self.phase is RunPhase.APPLYING,
        )
        return next((step for fits in order for step in steps if fits(step)), None)

    def _step(self, change: Change, action: str) -> StepRecord:
        key = (change.address, action)
        step = self.steps.get(key)
        if step is None:
            position = self.memory.get("next_position", 0)
            self.memory["next_position"] = position + 1
            step = self.steps[key] = StepRecord(address=change.address, action=action, position=position)
        step.tool_type = step.tool_type or change.tool_type
        step.parent = step.parent or change.parent
        step.is_component = step.is_component or change.facts.get("component") == "yes"
        return step

    def _touch(self, step: StepRecord, at: int) -> None:
        step.last_event_at = at if step.last_event_at is None else max(step.last_event_at, at)
        self.touched.add((step.address, step.action))

    def resume(self) -> None:
        """Take back what an end that was none made of the steps in flight."""
        for key, step in self.steps.items():
            if step.state is StepState.INTERRUPTED:
                step.state, step.reason, step.ended_at = StepState.RUNNING, "", None
                self.touched.add(key)

    @property
    def carries_out(self) -> bool:
        """Whether what was planned without steps, moves and letting go, is seen to happen."""
        return self.phase is RunPhase.APPLYING or self.memory.get("said") == RunOutcome.SUCCEEDED

    def has_end(self, end_code: str | None) -> bool:
        """Whether the run is over: an explicit end, or the tool's own final word."""
        return end_code is not None or bool(self.memory.get("said"))

    def conclude(self, end_code: str | None, ended_at: int) -> RunOutcome:
        """What the end means. `steps` must hold all steps; those in flight become interrupted, or done where they are
        components of which the tool says no more and whose children are done.

        `end_code` is an exit code, `eof` where only the end of the stream is known, or None where the tool's own final
        word is all there is.
        """
        said = self.memory.get("said", "")
        failed = any(step.state is StepState.FAILED for step in self.steps.values())
        errors = failed or bool(self.memory.get("error_seen"))
        running = {key: step for key, step in self.steps.items() if step.state is StepState.RUNNING}
        with_children_in_flight = self._ancestors_of(step for step in running.values() if not step.is_component)
        for key, step in running.items():
            if step.is_component and said and not errors and step.address not in with_children_in_flight:
                step.state = StepState.DONE
            else:
                step.state = StepState.INTERRUPTED
                step.reason = "run_ended"
            step.ended_at = ended_at
            self.touched.add(key)
        in_flight = any(step.state is StepState.INTERRUPTED for step in self.steps.values())
        return self._outcome(end_code, said=said, errors=errors, in_flight=in_flight)

    def _ancestors_of(self, steps: Iterable[StepRecord]) -> set[str]:
        """The addresses of the components that hold these steps, however deep."""
        parents = {step.address: step.parent for step in self.steps.values()}
        found: set[str] = set()
        for step in steps:
            parent = step.parent
            while parent and parent not in found:
                found.add(parent)
                parent = parents.get(parent, "")
        return found

    def _outcome(self, end_code: str | None, *, said: str, errors: bool, in_flight: bool) -> RunOutcome:
        if end_code is not None and end_code != "eof":
            return self._outcome_of_exit(int(end_code), errors=errors, in_flight=in_flight)
        if said in (RunOutcome.CANCELLED, RunOutcome.FAILED):
            return RunOutcome(said)
        if self.memory.get("cancelling"):
            return RunOutcome.CANCELLED
        if errors:
            return RunOutcome.FAILED
        if in_flight:
            return RunOutcome.INTERRUPTED
        if said:
            return RunOutcome.SUCCEEDED
        planned_only = self.phase is RunPhase.PLANNING and bool(self.memory.get("total_told"))
        return RunOutcome.SUCCEEDED if planned_only else RunOutcome.INTERRUPTED

    def _outcome_of_exit(self, code: int, *, errors: bool, in_flight: bool) -> RunOutcome:
        if code == 0:
            if errors:
                return RunOutcome.FAILED
            return RunOutcome.INTERRUPTED if in_flight else RunOutcome.SUCCEEDED
        if self.memory.get("cancelling") or code in (130, 143):
            return RunOutcome.CANCELLED
        # `terraform plan -detailed-exitcode` ends with 2 where the plan has changes.
        if code == 2 and self.phase is RunPhase.PLANNING and self.memory.get("total_told") and not errors:
            return RunOutcome.SUCCEEDED
        # A shell tells the death by signal N as 128 + N; what a tool itself ends with, such as 255, is a failure.
        if 128 < code < 128 + 65 and not errors:
            return RunOutcome.INTERRUPTED
        return RunOutcome.FAILED
