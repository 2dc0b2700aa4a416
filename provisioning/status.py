"""The records that views read: a resource's status, a run, a stack, as they are at one moment.

Times are milliseconds UTC. Everything is already decided: templates word nothing and compute nothing but relative time.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from provisioning.states import (
    CARD_LOOKS,
    ENGINES,
    KINDS,
    RUN_LOOKS,
    SOURCES,
    STEP_LOOKS,
    CardStatus,
    Look,
    RunStatus,
    StepState,
)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a resource is by its own steps. `total` is None where it is not known: then nothing is claimed."""

    done: int
    total: int | None

    @property
    def percent(self) -> int:
        """The contract's number: the true share, or 50 where the total is unknown or a single step runs."""
        if self.total is None or self.total <= 1:
            return 50
        return round(100 * self.done / self.total)

    @property
    def is_known(self) -> bool:
        """Whether a bar may show a share; otherwise it is indeterminate."""
        return self.total is not None and self.total > 1

    @property
    def label(self) -> str:
        """Like "3 of 7 steps"; empty where nothing is known."""
        return f"{self.done} of {self.total} steps" if self.is_known else ""


@dataclass(frozen=True, slots=True)
class Fault:
    """Why something failed: one line, the tool's whole text, and where in the configuration."""

    summary: str
    detail: str = ""
    where: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunBrief:
    """A run as a card, a list row or a stack's page shows it."""

    id: str
    organization_id: str
    engine: str
    engine_version: str
    command: str
    actor: str
    commit: str
    job_url: str
    stack_id: str | None
    stack_name: str
    status: RunStatus
    reason: str
    reason_text: str
    closed_by: str
    planned: int
    running: int
    completed: int
    failed: int
    interrupted: int
    total_known: bool
    error_summary: str
    started_at: int
    ended_at: int | None
    last_word_at: int
    revision: int

    @property
    def look(self) -> Look:
        """Word, icon and tone."""
        return RUN_LOOKS[self.status]

    @property
    def engine_label(self) -> str:
        """Like "OpenTofu 1.10"."""
        return f"{ENGINES.get(self.engine, self.engine)} {self.engine_version}".strip()

    @property
    def is_finished(self) -> bool:
        """Whether it ended."""
        return self.ended_at is not None

    @property
    def fell_silent(self) -> bool:
        """Whether it is, or ended, without a word: then the time of the last one is told."""
        return self.status in (RunStatus.QUIET, RunStatus.LOST, RunStatus.INTERRUPTED)

    @property
    def not_started(self) -> int:
        """Planned steps that never began."""
        return max(0, self.planned - self.running - self.completed - self.failed - self.interrupted)

    @property
    def count_label(self) -> str:
        """Like "12 of 20, 3 in flight, 1 failed"; without a total "12 done, 3 in flight"."""
        parts = [f"{self.completed} of {self.planned}" if self.total_known else f"{self.completed} done"]
        if self.running:
            parts.append(f"{self.running} in flight")
        if self.failed:
            parts.append(f"{self.failed} failed")
        if self.interrupted:
            parts.append(f"{self.interrupted} interrupted")
        return ", ".join(parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvisionStatus:
    """A resource's status: all that one card shows, and the JSON of the contract."""

    id: str
    kind: str
    organization_id: str
    name: str
    address: str
    type_label: str
    provider: str
    provider_resource_id: str | None
    provider_status: str
    provisioning_source: str | None
    sst_resource_id: str | None
    sst_stack_name: str | None
    provisioning_state: str | None
    operation: str | None
    status: str
    card_status: CardStatus
    verb: str
    reason: str
    reason_text: str
    liveness: str
    progress: Progress | None
    fault: Fault | None
    waits_for: str
    note: str
    dock_id: str | None
    dock_name: str
    stack_id: str | None
    stack_name: str
    run: RunBrief | None
    started_at: int | None
    ended_at: int | None
    usual_ms: tuple[int, int] | None
    created_at: int
    updated_at: int
    last_word_at: int | None
    deleted_at: int | None
    revision: int
    facts: dict[str, str] = field(default_factory=dict)
    """What is the type's own and known: production_url, primary_ip_address, region, engine, version, domain_name…"""

    @property
    def look(self) -> Look:
        """Word, icon, tone and section."""
        return CARD_LOOKS[self.card_status]

    @property
    def kind_label(self) -> str:
        """Like "Web service"."""
        return KINDS[self.kind]

    @property
    def source_label(self) -> str:
        """The engine that provisions it where a run says so, else its source."""
        if self.run is not None:
            return ENGINES.get(self.run.engine, self.run.engine)
        return SOURCES.get(self.provisioning_source or "", "")

    @property
    def is_moving(self) -> bool:
        """Whether a step of it is planned or running: such a card polls fast."""
        return self.card_status in (CardStatus.VALIDATING, CardStatus.PROVISIONING)

    @property
    def contract_progress(self) -> int:
        """0, 50, 100 or the true share, by the table of the contract."""
        if self.status == "success":
            return 100
        if self.status == "provisioning":
            return self.progress.percent if self.progress else 50
        return 0

    def as_json(self) -> dict[str, object]:
        """The JSON of the contract. Optional keys are left out where there is nothing to say."""
        answer: dict[str, object] = {
            "provisionId": self.id,
            "status": self.status,
            "resourceId": self.id,
            "resourceType": self.kind,
            "provider": self.provider,
            "dockId": self.dock_id,
            "progress": self.contract_progress,
            "createdAt": self.created_at,
            "updatedAt": self.updated_at,
            "provisioningSource": self.provisioning_source,
            "name": self.name,
            "cardStatus": str(self.card_status),
            "verb": self.verb,
            "liveness": self.liveness or None,
            "revision": self.revision,
        }
        optional = {
            "error": self.fault.summary if self.fault else None,
            "errorDetail": self.fault.detail if self.fault else None,
            "sstResourceId": self.sst_resource_id,
            "sstStackName": self.sst_stack_name,
            "provisioningState": self.provisioning_state,
            "providerResourceId": self.provider_resource_id,
            "address": self.address,
            "operation": self.operation,
            "reason": self.reason_text,
            "stackId": self.stack_id,
            "stackName": self.stack_name,
            "runId": self.run.id if self.run else None,
            "stepsDone": self.progress.done if self.progress else None,
            "stepsTotal": self.progress.total if self.progress else None,
            "waitsFor": self.waits_for,
            "startedAt": self.started_at,
            "endedAt": self.ended_at,
            "lastWordAt": self.last_word_at,
            "deletedAt": self.deleted_at,
        }
        return answer | {key: value for key, value in optional.items() if value not in (None, "")}


@dataclass(frozen=True, slots=True, kw_only=True)
class StepView:
    """One step of a run's page. `offset` and `length` place its bar in the run's time, in per mille of it."""

    id: str
    address: str
    name: str
    type_label: str
    action: str
    verb: str
    replacing: bool
    state: StepState
    state_text: str
    resource_id: str | None
    fault: Fault | None
    waits_for: str
    started_at: int | None
    ended_at: int | None
    usual_ms: tuple[int, int] | None
    offset: int
    length: int

    @property
    def look(self) -> Look:
        """Word, icon and tone."""
        return STEP_LOOKS[self.state]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunView:
    """A run's page: the run, its steps (failed first, then running, waiting, done), and what it says as a whole."""

    run: RunBrief
    steps: list[StepView]
    steps_left_out: int
    faults: list[Fault]
    """Errors that belong to no step."""
    missing: list[tuple[int, int]]
    """Ranges of line numbers that never arrived."""
    usual_ms: tuple[int, int] | None
    can_close: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StackBrief:
    """A stack in the list: "is prod up?" in one row."""

    id: str
    organization_id: str
    engine: str
    name: str
    resources: dict[str, int]
    """Number of resources by card status."""
    latest_run: RunBrief | None
    revision: int

    @property
    def engine_label(self) -> str:
        """Like "Terraform"."""
        return ENGINES.get(self.engine, self.engine)


@dataclass(frozen=True, slots=True, kw_only=True)
class StackView:
    """A stack's page."""

    stack: StackBrief
    resources: list[ProvisionStatus]
    resources_left_out: int
    runs: list[RunBrief]


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryEntry:
    """One line of a resource's history."""

    id: str
    at: int
    received_at: int
    kind: str
    text: str
    fault: Fault | None
    state_before: str | None
    state_after: str | None
    reason_text: str
    run_id: str | None
