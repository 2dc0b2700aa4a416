"""What a shared resource, run or stack comes to at a glance: the one record that badges, pictures, embeds, unfurled
links and the `.txt` are made from. It is made from a reduced record, so it holds nothing that the link does not allow.
"""

from __future__ import annotations

from dataclasses import dataclass

from provisioning.shared import Shared
from provisioning.states import CardStatus, RunStatus, StepState
from provisioning.status import Fault, ProvisionStatus, RunBrief, RunView, StackBrief, StackView
from views.stacks import verdict

WORDS = {
    "OK": "it is as its last run wanted it",
    "FAILED": "the last step, run, or one of the resources failed",
    "PLANNED": "a run has planned it and not begun",
    "RUNNING": "at work, and speaking",
    "QUIET": "at work as far as is known; no word for a while",
    "STALLED": "unfinished, and nobody knows whether anything still works on it",
    "INTERRUPTED": "the run ended without a word how it went",
    "CANCELLED": "somebody stopped the run",
    "IDLE": "nothing was provisioned",
    "DELETED": "it was deprovisioned",
}
"""The words of `.txt`, for scripts, and what is true then."""

_CARD_WORDS = {
    CardStatus.IDLE: "IDLE",
    CardStatus.VALIDATING: "PLANNED",
    CardStatus.PROVISIONING: "RUNNING",
    CardStatus.SUCCESS: "OK",
    CardStatus.ERROR: "FAILED",
    CardStatus.STALLED: "STALLED",
    CardStatus.DELETED: "DELETED",
}
_RUN_WORDS = {
    RunStatus.PLANNING: "RUNNING",
    RunStatus.APPLYING: "RUNNING",
    RunStatus.QUIET: "QUIET",
    RunStatus.LOST: "STALLED",
    RunStatus.SUCCEEDED: "OK",
    RunStatus.FAILED: "FAILED",
    RunStatus.CANCELLED: "CANCELLED",
    RunStatus.INTERRUPTED: "INTERRUPTED",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Glance:
    """How something stands. Times are milliseconds UTC."""

    name: str
    kind: str
    """Like "Web service", "Run" or "Stack"."""
    word: str
    """One of `WORDS`."""
    verb: str
    """Like "Creating failed", "Applying" or "Up: 12 resources"."""
    short: str
    """The same for a badge, like "creating 3/7"."""
    tone: str
    icon: str
    done: int | None = None
    total: int | None = None
    detail: str = ""
    """Like "12 of 20, 3 in flight"."""
    fault: Fault | None = None
    started_at: int | None = None
    ended_at: int | None = None
    updated_at: int
    last_word_at: int | None = None
    revision: int
    is_moving: bool

    @property
    def percent(self) -> int | None:
        """The true share that is done; None where it is not known."""
        return round(100 * (self.done or 0) / self.total) if self.total else None

    @property
    def is_quiet(self) -> bool:
        """Whether the last word is worth telling."""
        return self.word in ("QUIET", "STALLED") and self.last_word_at is not None

    def as_json(self) -> dict[str, object]:
        """For the custom element; what there is nothing to say about is left out."""
        told: dict[str, object | None] = {
            "name": self.name,
            "kind": self.kind,
            "word": self.word,
            "verb": self.verb,
            "tone": self.tone,
            "done": self.done,
            "total": self.total,
            "detail": self.detail,
            "error": self.fault.summary if self.fault else None,
            "errorDetail": self.fault.detail if self.fault else None,
            "startedAt": self.started_at,
            "endedAt": self.ended_at,
            "updatedAt": self.updated_at,
            "lastWordAt": self.last_word_at if self.is_quiet else None,
            "revision": self.revision,
            "moving": self.is_moving,
        }
        return {key: value for key, value in told.items() if value not in (None, "")}


def glance_of(shared: Shared) -> Glance | None:
    """The glance at what a link shows; None for the feed of an organisation, which is no single thing."""
    if shared.status is not None:
        return of_status(shared.status)
    if shared.run is not None:
        return of_run(shared.run)
    return of_stack(shared.stack) if shared.stack is not None else None


def of_status(card: ProvisionStatus) -> Glance:
    """A resource at a glance."""
    own = card.progress if card.progress and card.progress.is_known and card.card_status != CardStatus.SUCCESS else None
    is_quiet = card.is_moving and card.liveness == "quiet"
    share = f" {own.done}/{own.total}" if own else ""
    return Glance(
        name=card.name,
        kind=card.kind_label,
        word="QUIET" if is_quiet else _CARD_WORDS[card.card_status],
        verb=f"{card.verb}, quiet" if is_quiet else card.verb,
        short=f"{card.verb.lower()}{share}{', quiet' if is_quiet else ''}",
        tone="stalled" if is_quiet else card.look.tone,
        icon=card.look.icon,
        done=own.done if own else None,
        total=own.total if own else None,
        detail=own.label if own else card.reason_text,
        fault=card.fault,
        started_at=card.started_at,
        ended_at=card.ended_at,
        updated_at=card.updated_at,
        last_word_at=card.last_word_at,
        revision=card.revision,
        is_moving=card.is_moving,
    )


def of_run(view: RunView) -> Glance:
    """A run at a glance; its fault is the first of its steps' or its own."""
    run = view.run
    faults = [step.fault for step in view.steps if step.fault and step.state is StepState.FAILED] + view.faults
    fault = next(iter(faults), Fault(run.error_summary) if run.error_summary else None)
    counts = f" {run.completed}/{run.planned}" if not run.is_finished and run.total_known and run.planned else ""
    return Glance(
        name=f"{run.stack_name} {run.command}".strip() or "Run",
        kind="Run",
        word=_RUN_WORDS[run.status],
        verb=run.look.label,
        short=f"{run.look.label.lower()}{counts}",
        tone=run.look.tone,
        icon=run.look.icon,
        done=run.completed + run.failed + run.interrupted if counts else None,
        total=run.planned if counts else None,
        detail=run.count_label,
        fault=fault,
        started_at=run.started_at,
        ended_at=run.ended_at,
        updated_at=run.ended_at or run.last_word_at,
        last_word_at=run.last_word_at,
        revision=run.revision,
        is_moving=not run.is_finished,
    )


def of_stack(view: StackView) -> Glance:
    """A stack at a glance."""
    fault = next((one.fault for one in view.resources if one.fault), None)
    return of_stack_brief(view.stack, fault=fault)


def of_stack_brief(stack: StackBrief, *, fault: Fault | None = None) -> Glance:
    """The same from what a list knows."""
    told, run = verdict(stack), stack.latest_run
    is_moving = run is not None and not run.is_finished
    word = _stack_word(told.look.tone, run)
    share = run if run is not None and is_moving and run.total_known and run.planned else None
    return Glance(
        name=stack.name,
        kind="Stack",
        word=word,
        verb=f"{told.text}, quiet" if word == "QUIET" else told.text,
        short=f"{told.text[0].lower()}{told.text[1:]}{', quiet' if word == 'QUIET' else ''}",
        tone="stalled" if word == "QUIET" else told.look.tone,
        icon=told.look.icon,
        done=share.completed + share.failed + share.interrupted if share else None,
        total=share.planned if share else None,
        detail=f"Latest run: {run.look.label.lower()}, {run.count_label}" if run else "",
        fault=fault,
        started_at=run.started_at if run else None,
        ended_at=run.ended_at if run else None,
        updated_at=(run.ended_at or run.last_word_at) if run else 0,
        last_word_at=run.last_word_at if run else None,
        revision=stack.revision,
        is_moving=is_moving,
    )


def _stack_word(tone: str, run: RunBrief | None) -> str:
    words = {"error": "FAILED", "stalled": "STALLED", "provisioning": "RUNNING", "success": "OK"}
    word = words.get(tone, "IDLE")
    is_quiet = run is not None and run.status is RunStatus.QUIET
    return "QUIET" if word == "RUNNING" and is_quiet else word
