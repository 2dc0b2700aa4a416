"""The generic interface: any tool or script tells of its run in our words, through the door that all tools go through.

What a program says is turned into the same `Change` records that the parsers make, numbered by the program: so its
repetitions change nothing, what it sends late is put in its place, and the history is like any other tool's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints

from ingest.change import Change, ChangeKind, Diagnostic
from ingest.resource_types import OWN_TYPE, classify
from models import Run
from provisioning.batch import Batch, Recorded
from provisioning.errors import FaultyForm, Refused
from provisioning.inputs import (
    OPEN,
    Address,
    Facts,
    Input,
    Kind,
    Line,
    Message,
    Moment,
    Name,
    Text,
    WebAddress,
    Word,
    fault,
    read,
)
from provisioning.record import record
from provisioning.states import ENGINES

MOST_AT_ONCE = 1_000
"""Steps or events in one request."""
_OWN_ENGINES = frozenset({"manual", "other"})
_EXIT_CODES = {"succeeded": "0", "failed": "1", "cancelled": "130", "interrupted": "eof"}

Sequence_ = Annotated[int, Field(ge=0, le=2_000_000_000)]
Action = Literal["create", "update", "delete"]


def _tool(value: str) -> str:
    if value in ENGINES and value not in _OWN_ENGINES:
        raise fault(f"What {ENGINES[value]} says is sent as it is to /api/v1/ingest/{value}, or by the reporter.")
    return value


def _error(value: object) -> object:
    """A text stands for its summary."""
    return {"summary": value} if isinstance(value, str) else value


class NewRun(Input):
    """A run that begins. `key` is the program's own name for it, by which it is found again; `tool` is what runs, in
    lower case, like ansible."""

    key: Name
    stack: Name
    tool: Annotated[
        str, StringConstraints(pattern=r"^[a-z][a-z0-9 ._-]{0,39}$", strip_whitespace=True), AfterValidator(_tool)
    ] = "other"
    command: Line = ""
    actor: Line = ""
    commit: Line = ""
    job_url: WebAddress = ""
    sent_at: Annotated[Moment | None, OPEN] = None
    """The program's clock now: where it differs from ours, the times of its events are put right by it."""


class _OnAddress(Facts):
    """What both planned steps and events say: of which resource."""

    address: Annotated[Address | None, OPEN] = None
    resource_type: Annotated[Kind | None, OPEN] = None
    tool_type: Annotated[Word | None, OPEN] = None
    at: Annotated[Moment | None, OPEN] = None
    waits_for: Annotated[Line | None, OPEN] = None
    message: Annotated[Message | None, OPEN] = None

    def stored_type(self) -> str:
        """The tool's own type where we know it by the tables, else ours with the tool's word behind it."""
        word = self.tool_type or ""
        if self.resource_type is None or (word and classify(word, self.address or "").kind == self.resource_type):
            return word
        return f"{OWN_TYPE}:{self.resource_type}{':' * bool(word)}{word}"


class PlannedStep(_OnAddress):
    """A step that the run plans; a replacement is two of them, a deletion and a creation."""

    address: Address
    action: Literal["create", "update", "delete", "replace"]


class Error(Input):
    """Why something failed: a line, the tool's whole text, and where."""

    summary: Annotated[Line, Field(min_length=1)]
    detail: Text = ""
    where: Line = ""


class Said(_OnAddress):
    """One thing that happened. `started`, `progress`, `done` and `failed` are about a step and need `address` and
    `action`; `log` is a line for people, about an address or about the whole run."""

    type: Literal["started", "progress", "done", "failed", "log"]
    action: Annotated[Action | None, OPEN] = None
    error: Annotated[Error | None, BeforeValidator(_error), OPEN] = None
    name: Annotated[Word | None, OPEN] = None
    provider_resource_id: Annotated[Line | None, OPEN] = None
    provider_status: Annotated[Word | None, OPEN] = None


class Steps(Input):
    """Planned steps; `seq` is the number of the first of them in the run."""

    seq: Sequence_
    steps: Annotated[list[PlannedStep], Field(min_length=1, max_length=MOST_AT_ONCE)]


class Events(Input):
    """What happened, in its order; `seq` is the number of the first event in the run."""

    seq: Sequence_
    events: Annotated[list[Said], Field(max_length=MOST_AT_ONCE)]


class End(Input):
    """How the run ended: by `outcome`, or by the exit code of what ran."""

    outcome: Literal["succeeded", "failed", "cancelled", "interrupted"] | None = None
    exit_code: Annotated[int, Field(ge=-99_999, le=99_999)] | None = None
    seq: Sequence_ | None = None
    error: Annotated[Error | None, BeforeValidator(_error), OPEN] = None


def begin_run(
    organization_id: str, given: object, *, show_builtin_types: bool = False, now: int
) -> tuple[Recorded, bool]:
    """Begin a run, or find the one of this key again; tells whether it is new.

    Raises `FaultyForm`; `BadInput` where the key belongs to a run of another stack or tool.
    """
    new = read(NewRun, given)
    is_new = not Run.select().where(Run.organization == organization_id, Run.key == new.key).exists()
    recorded = record(
        Batch(
            organization_id=organization_id,
            engine=new.tool,
            provisioning_source="api",
            run_key=new.key,
            stack_name=new.stack,
            sent_at=new.sent_at,
            command=new.command,
            actor=new.actor,
            commit=new.commit,
            job_url=new.job_url,
            show_builtin_types=show_builtin_types,
        ),
        now,
    )
    return recorded, is_new


def plan_steps(run: Run, given: object, *, now: int) -> Recorded:
    """Take planned steps. Raises `FaultyForm`, `Refused` for a run that a tool's own output tells of."""
    steps = read(Steps, given)
    changes = [
        Change(
            sequence=number,
            kind=ChangeKind.PLANNED,
            occurred_at=step.at,
            address=step.address,
            tool_type=step.stored_type(),
            action=step.action,
            message=step.message or "",
            facts={"waits_for": step.waits_for} if step.waits_for else {},
        )
        for number, step in enumerate(steps.steps, steps.seq)
    ]
    return _record(run, steps.seq, changes, now=now)


def take_events(run: Run, given: object, *, now: int) -> Recorded:
    """Take what happened; without any event it is a heartbeat. Raises as `plan_steps` does."""
    events = read(Events, given)
    if faults := _faults_between(events.events):
        raise FaultyForm(faults)
    changes = [_change(number, said) for number, said in enumerate(events.events, events.seq)]
    return _record(run, events.seq, changes, now=now)


def end_run(run: Run, given: object, *, now: int) -> Recorded:
    """End the run. The first end that is told stays; what was in flight then is interrupted. Raises as `plan_steps`."""
    end = read(End, given)
    faults = {}
    if (end.outcome is None) == (end.exit_code is None):
        faults["outcome"] = "Say either outcome or exitCode."
    if end.error is not None and end.seq is None:
        faults["seq"] = "An error of the whole run has a number in the run, like an event."
    if faults:
        raise FaultyForm(faults)
    changes = []
    if end.error is not None and end.seq is not None:
        changes.append(Change(sequence=end.seq, kind=ChangeKind.DIAGNOSTIC, diagnostic=_diagnostic(end.error)))
    code = _EXIT_CODES[end.outcome] if end.outcome is not None else str(end.exit_code)
    return _record(run, end.seq or 0, changes, now=now, end=code)


def _faults_between(events: Sequence[Said]) -> dict[str, str]:
    faults = {}
    for place, said in enumerate(events):
        for name in ("address", "action"):
            if said.type != "log" and getattr(said, name) is None:
                faults[f"events.{place}.{name}"] = f"What {said.type} is about is needed."
        if said.error is not None and said.type != "failed":
            faults[f"events.{place}.error"] = "Only what failed has an error."
        if said.type == "log" and not said.message:
            faults[f"events.{place}.message"] = "This is needed."
    return faults


def _change(number: int, said: Said) -> Change:
    facts = said.facts()
    for name in ("name", "provider_resource_id", "provider_status", "waits_for"):
        if value := getattr(said, name):
            facts[name] = value
    return Change(
        sequence=number,
        kind=ChangeKind(said.type),
        occurred_at=said.at,
        address=said.address or "",
        tool_type=said.stored_type(),
        action=said.action or "",
        message=said.message or "",
        diagnostic=_diagnostic(said.error) if said.error is not None else None,
        facts=facts,
    )


def _diagnostic(error: Error) -> Diagnostic:
    return Diagnostic(severity="error", summary=error.summary, detail=error.detail, where=error.where)


def _record(run: Run, first: int, changes: Sequence[Change], *, now: int, end: str | None = None) -> Recorded:
    if run.engine in ENGINES and run.engine not in _OWN_ENGINES:
        raise Refused(f"This run is told by {ENGINES[run.engine]} itself; nothing can be added to it by hand.")
    batch: dict[str, Any] = {"end": end} if end is not None else {}
    return record(
        Batch(
            organization_id=run.organization_id,
            engine=run.engine,
            provisioning_source="api",
            run_key=run.key,
            stack_name=run.stack.name if run.stack is not None else "",
            first=first,
            lines=len(changes),
            changes=changes,
            **batch,
        ),
        now,
    )
