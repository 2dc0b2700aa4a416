"""Every state there is, what is true in it, and which moves are legal.

One vocabulary: code, templates, badges and JSON read the tables of this module and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum


class ProvisioningState(StrEnum):
    """What a resource's own provisioning came to. A resource that nobody provisioned through us has none (null)."""

    PROVISIONING = "provisioning"
    """A step that makes, changes or replaces it has begun and not ended."""
    PROVISIONED = "provisioned"
    """It exists as its last run wanted it."""
    FAILED = "failed"
    """Its last step failed or was interrupted: it may exist in part, or not at all."""
    DEPROVISIONING = "deprovisioning"
    """A step that deletes it has begun and not ended."""


_P = ProvisioningState
RESOURCE_MOVES: dict[ProvisioningState | None, frozenset[ProvisioningState | None]] = {
    None: frozenset({_P.PROVISIONING, _P.PROVISIONED, _P.FAILED, _P.DEPROVISIONING}),
    _P.PROVISIONING: frozenset({_P.PROVISIONED, _P.FAILED, _P.DEPROVISIONING, None}),
    _P.PROVISIONED: frozenset({_P.PROVISIONING, _P.FAILED, _P.DEPROVISIONING, None}),
    _P.FAILED: frozenset({_P.PROVISIONING, _P.PROVISIONED, _P.DEPROVISIONING, None}),
    _P.DEPROVISIONING: frozenset({_P.FAILED, _P.PROVISIONING, None}),
}
"""Legal moves within one tool's word, or by hand. Null after a state means: gone, or never made after all.
What is being deleted cannot be called provisioned; it fails to be deleted, is gone, or is made again."""


class StepState(StrEnum):
    """Where one step of a run stands."""

    WAITING = "waiting"
    """Planned, not begun. At the end of the run this is "not started"."""
    RUNNING = "running"
    """Begun, not ended."""
    DONE = "done"
    """Ended well."""
    FAILED = "failed"
    """Ended badly; the message says why."""
    INTERRUPTED = "interrupted"
    """Begun, and its run ended without a word about it."""


_S = StepState
STEP_MOVES: dict[StepState, frozenset[StepState]] = {
    _S.WAITING: frozenset({_S.RUNNING, _S.DONE, _S.FAILED}),
    _S.RUNNING: frozenset({_S.DONE, _S.FAILED, _S.INTERRUPTED}),
    _S.DONE: frozenset({_S.FAILED, _S.RUNNING}),
    _S.FAILED: frozenset({_S.RUNNING, _S.DONE}),
    _S.INTERRUPTED: frozenset({_S.RUNNING, _S.DONE, _S.FAILED}),
}
"""Done again or failed after done: a tool retries, and a component fails after its own word. Never back to waiting."""


class RunPhase(StrEnum):
    """How far a run is."""

    PLANNING = "planning"
    """It works out what to do; no step has begun."""
    APPLYING = "applying"
    """A step has begun."""
    FINISHED = "finished"
    """It ended, or somebody ended it; `outcome` says how."""


class RunOutcome(StrEnum):
    """What a finished run came to."""

    SUCCEEDED = "succeeded"
    """The tool ended well and no step failed."""
    FAILED = "failed"
    """The tool ended badly, or a step failed."""
    CANCELLED = "cancelled"
    """Somebody asked the tool to stop, and it did."""
    INTERRUPTED = "interrupted"
    """Its stream ended, or a member closed it, without a word how it went."""
    LOST = "lost"
    """It stopped speaking and its time-out passed. A late word brings it back."""


class Liveness(StrEnum):
    """Whether an unfinished run still speaks."""

    LIVE = "live"
    """A word came within the last half minute."""
    QUIET = "quiet"
    """No word for half a minute; it may be at work still."""
    LOST = "lost"
    """No word for longer than its time-out: nobody knows."""


class CardStatus(StrEnum):
    """What a card says at a glance. The first five are the `status` of the JSON contract."""

    IDLE = "idle"
    VALIDATING = "validating"
    PROVISIONING = "provisioning"
    SUCCESS = "success"
    ERROR = "error"
    STALLED = "stalled"
    """Unfinished, and its run is lost."""
    DELETED = "deleted"
    """It was deprovisioned; the card and the history stay."""


class Section(IntEnum):
    """The dashboard's sections, in their order. A resource that no list shows has none (null)."""

    ATTENTION = 0
    IN_PROGRESS = 1
    DONE = 2


@dataclass(frozen=True, slots=True)
class Look:
    """How a status is told: its word, its icon in the sprite, its tone and the dashboard's section."""

    label: str
    icon: str
    tone: str
    section: Section | None


CARD_LOOKS: dict[CardStatus, Look] = {
    CardStatus.IDLE: Look("Idle", "circle", "idle", Section.DONE),
    CardStatus.VALIDATING: Look("Planned", "search", "validating", Section.IN_PROGRESS),
    CardStatus.PROVISIONING: Look("Provisioning", "loader", "provisioning", Section.IN_PROGRESS),
    CardStatus.SUCCESS: Look("Done", "check", "success", Section.DONE),
    CardStatus.ERROR: Look("Failed", "x", "error", Section.ATTENTION),
    CardStatus.STALLED: Look("Stalled", "alert", "stalled", Section.ATTENTION),
    CardStatus.DELETED: Look("Deleted", "trash", "idle", None),
}

STEP_LOOKS: dict[StepState, Look] = {
    StepState.WAITING: Look("Waiting", "clock", "validating", None),
    StepState.RUNNING: Look("Running", "loader", "provisioning", None),
    StepState.DONE: Look("Done", "check", "success", None),
    StepState.FAILED: Look("Failed", "x", "error", None),
    StepState.INTERRUPTED: Look("Interrupted", "alert", "stalled", None),
}


class RunStatus(StrEnum):
    """What a run says at a glance: its phase, outcome and liveness in one word."""

    PLANNING = "planning"
    APPLYING = "applying"
    QUIET = "quiet"
    LOST = "lost"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"


RUN_LOOKS: dict[RunStatus, Look] = {
    RunStatus.PLANNING: Look("Planning", "search", "validating", Section.IN_PROGRESS),
    RunStatus.APPLYING: Look("Applying", "loader", "provisioning", Section.IN_PROGRESS),
    RunStatus.QUIET: Look("Quiet", "loader", "stalled", Section.IN_PROGRESS),
    RunStatus.LOST: Look("Lost", "alert", "stalled", Section.ATTENTION),
    RunStatus.SUCCEEDED: Look("Succeeded", "check", "success", Section.DONE),
    RunStatus.FAILED: Look("Failed", "x", "error", Section.ATTENTION),
    RunStatus.CANCELLED: Look("Cancelled", "ban", "idle", Section.DONE),
    RunStatus.INTERRUPTED: Look("Interrupted", "alert", "stalled", Section.ATTENTION),
}


def run_status(phase: str, outcome: str | None, liveness: str) -> RunStatus:
    """The one word for a run."""
    if phase == RunPhase.FINISHED:
        return RunStatus(outcome or RunOutcome.INTERRUPTED)
    if liveness == Liveness.LOST:
        return RunStatus.LOST
    if liveness == Liveness.QUIET:
        return RunStatus.QUIET
    return RunStatus(phase)


KINDS: dict[str, str] = {
    "server": "Server",
    "webService": "Web service",
    "database": "Database",
    "domain": "Domain",
}
"""The four resource types of the JSON contract, and their words."""

ENGINES: dict[str, str] = {
    "terraform": "Terraform",
    "opentofu": "OpenTofu",
    "pulumi": "Pulumi",
    "sst": "SST",
    "cloudformation": "CloudFormation",
    "dock": "Dock",
    "manual": "By hand",
    "other": "Other tool",
}
"""The engines we know, and their words. A run of the generic interface may name any other tool, which is its label."""

SOURCES: dict[str, str] = {"sst": "SST", "api": "Tool or API", "manual": "By hand"}
