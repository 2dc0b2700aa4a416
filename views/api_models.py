"""The API's answers and bodies as pydantic models: the OpenAPI document is generated from them, and tests hold every
answer against them.

Answers are built from the core's records in `views/records.py`, not through these: that would cost each more than its
query. Names are those of the JSON. Times are milliseconds since 1970, UTC.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, RootModel

from provisioning.shares import MOST_ORIGINS

Status = Literal["idle", "validating", "provisioning", "success", "error"]
CardStatus = Literal["idle", "validating", "provisioning", "success", "error", "stalled", "deleted"]
Kind = Literal["server", "webService", "database", "domain"]
Source = Literal["sst", "api", "manual"]
State = Literal["provisioning", "provisioned", "failed", "deprovisioning"]
Fields = Literal["status", "error", "details"]
Label = Annotated[str | None, Field(description="A badge's left side, where it is not the name.")]
Moment = Annotated[int, Field(ge=0, description="Milliseconds since 1970, UTC.")]


class Answer(BaseModel):
    """Something that the API tells. It may hold more by a later version."""

    model_config = ConfigDict(extra="forbid")


class Provision(Answer):
    """A resource's status: the contract, and what stands beside it. Optional members are left out where unknown."""

    provisionId: str
    status: Status
    resourceId: str
    resourceType: Kind
    provider: str
    dockId: str | None
    progress: Annotated[int, Field(ge=0, le=100, description="50 while it runs and its steps are not known.")]
    createdAt: Moment
    updatedAt: Annotated[int, Field(ge=0, description="When its state last changed; milliseconds since 1970, UTC.")]
    provisioningSource: Source | None
    name: str
    cardStatus: CardStatus
    verb: str
    liveness: Literal["live", "quiet", "lost"] | None
    revision: int
    error: str | None = None
    errorDetail: str | None = None
    sstResourceId: str | None = None
    sstStackName: str | None = None
    provisioningState: State | None = None
    providerResourceId: str | None = None
    address: str | None = None
    operation: str | None = None
    reason: str | None = None
    stackId: str | None = None
    stackName: str | None = None
    runId: str | None = None
    stepsDone: int | None = None
    stepsTotal: int | None = None
    waitsFor: str | None = None
    startedAt: Moment | None = None
    endedAt: Moment | None = None
    lastWordAt: Moment | None = None
    deletedAt: Moment | None = None


class ProvisionWithFacts(Provision):
    """A resource as it is after it was entered or set by hand."""

    note: str
    facts: Annotated[dict[str, str], Field(description="What is the type's own and known.")]
    url: str


class Run(Answer):
    """One invocation of a tool."""

    id: str
    url: str
    engine: str
    engineVersion: str
    command: str
    actor: str
    commit: str
    jobUrl: str
    stackId: str | None
    stackName: str
    status: Literal["planning", "applying", "quiet", "lost", "succeeded", "failed", "cancelled", "interrupted"]
    phase: Literal["planning", "applying", "finished"]
    outcome: Literal["succeeded", "failed", "cancelled", "interrupted", "lost"] | None
    liveness: Literal["live", "quiet", "lost"]
    reason: str
    closedBy: Annotated[str | None, Field(description="The member who closed a lost run by hand.")]
    planned: Annotated[int | None, Field(description="Null while the tool has told no total.")]
    running: int
    completed: int
    failed: int
    interrupted: int
    error: str | None
    startedAt: Moment
    endedAt: Moment | None
    lastWordAt: Moment
    revision: int


class Step(Answer):
    """One step of a run."""

    address: str
    action: str
    replacing: bool
    state: Literal["waiting", "running", "done", "failed", "interrupted", "not_started"]
    provisionId: str | None
    error: str | None
    errorDetail: str | None
    waitsFor: str | None
    startedAt: Moment | None
    endedAt: Moment | None


class Fault(Answer):
    """An error that belongs to no step."""

    summary: str
    detail: str
    where: str


class LogLine(Answer):
    """One line of a run's log."""

    number: int
    at: Moment
    level: Literal["error", "warning", "info"]
    text: str
    detail: str | None
    where: str | None
    address: str | None
    stepId: str | None
    provisionId: str | None


class Log(Answer):
    """A part of a run's log, the oldest line first."""

    lines: list[LogLine]
    before: Annotated[int | None, Field(description="Asks for the lines before these; null: these are the first.")]
    removedAt: Annotated[
        int | None, Field(description="When the tool's words were removed for their age; milliseconds since 1970, UTC.")
    ]


class RunWithSteps(Run):
    """A run with its steps."""

    steps: list[Step]
    faults: list[Fault]
    missing: Annotated[list[list[int]], Field(description="First and last number of lines that never arrived.")]


class Stack(Answer):
    """What people name when they ask whether it is up."""

    id: str
    url: str
    engine: str
    name: str
    status: Status
    word: Literal["OK", "FAILED", "RUNNING", "QUIET", "STALLED", "IDLE"]
    verb: str
    resources: Annotated[dict[str, int], Field(description="Number of resources by card status.")]
    latestRun: Run | None
    revision: int


class StackWithResources(Stack):
    """A stack with its resources, what needs attention first, and its latest runs."""

    provisions: list[Provision]
    provisionsLeftOut: int
    runs: list[Run]


class TimeOutInForce(Answer):
    """After how long a silence a stack's runs are called lost, and where that comes from."""

    id: str
    lostAfterMs: Annotated[int, Field(ge=0, description="Milliseconds.")]
    origin: Literal["set", "learnt", "setting"]


class Event(Answer):
    """One thing that a tool, a person or Slipway itself said."""

    id: str
    occurredAt: Moment
    receivedAt: Moment
    kind: str
    text: str
    error: str | None
    errorDetail: str | None
    stateBefore: str | None
    stateAfter: str | None
    reason: str | None
    runId: str | None
    provisionId: str | None


class Page(Answer):
    """One page of a list; `nextCursor` asks for the next, null on the last."""

    nextCursor: str | None


class Provisions(Page):
    """A page of provisions."""

    items: list[Provision]


class Runs(Page):
    """A page of runs."""

    items: list[Run]


class Stacks(Page):
    """A page of stacks."""

    items: list[Stack]


class History(Page):
    """A page of events."""

    items: list[Event]


class ShareLink(Answer):
    """A share link; its token is told once, when it is made."""

    id: str
    prefix: str
    subject: str
    subjectName: str
    fields: Fields
    allowedOrigins: list[str]
    createdBy: str
    createdAt: Moment
    expiresAt: Moment | None
    revokedAt: Moment | None
    state: Literal["open", "expired", "revoked", "gone"]
    uses: int
    lastUsedAt: Moment | None


class ShareLinks(Answer):
    """The latest 200 share links."""

    items: list[ShareLink]


class NewShareLink(Answer):
    """A share link just made. The token cannot be seen again."""

    id: str
    url: str
    token: str
    subject: str
    fields: Fields
    allowedOrigins: list[str]
    expiresAt: Moment | None


class ShareLinkWanted(BaseModel):
    """A share link to make."""

    model_config = ConfigDict(extra="forbid", strict=True)

    expires_in: Annotated[
        int | None, Field(ge=60, le=315_360_000, description="Seconds; null: until it is revoked.")
    ] = 7 * 86_400
    fields: Annotated[Fields, Field(description="What it shows.")] = "status"
    allowed_origins: Annotated[
        list[Annotated[str, Field(max_length=300)]],
        Field(max_length=MOST_ORIGINS, description="Origins whose pages may embed it, like https://wiki.example.com."),
    ] = []


class Taken(Answer):
    """What became of what was sent, in lines."""

    run: str
    url: str
    accepted: int
    repeated: Annotated[int, Field(description="Of them, those that had arrived before.")]
    missing: Annotated[list[list[int]], Field(description="First and last number of lines that have not arrived.")]


class LeftOut(Answer):
    """A line that was left out, and why."""

    line: int
    reason: str


class TakenBatch(Taken):
    """What became of a batch of a tool's lines."""

    ignored: Annotated[list[LeftOut], Field(description="The first 100 lines that were left out.")]
    ignoredCount: int


class Faulty(Answer):
    """One field that does not fit."""

    field: str
    detail: str


class Candidate(Answer):
    """One of several resources that have the id."""

    resourceId: str
    name: str
    stack: str
    dock: str


class Problem(Answer):
    """Problem details (RFC 9457). Optional members are left out where there is nothing to say."""

    type: str
    title: str
    status: int
    detail: str
    field: Annotated[str | None, Field(description="What does not fit.")] = None
    remedy: Annotated[str | None, Field(description="The way out.")] = None
    faults: Annotated[list[Faulty] | None, Field(description="Every field that does not fit.")] = None
    candidates: Annotated[list[Candidate] | None, Field(description="With 409: which ones have the id.")] = None


class OpenApi(RootModel[dict[str, object]]):
    """An OpenAPI document (https://spec.openapis.org/oas/v3.1.0)."""


# --- Parameters


class OfList(BaseModel):
    """Parameters of every list."""

    cursor: Annotated[str | None, Field(max_length=100, description="`nextCursor` of the page before.")] = None
    limit: Annotated[int, Field(ge=1, le=200)] = 50


class OfProvisions(OfList):
    """Parameters of the list of provisions."""

    status: CardStatus | None = None
    type: Kind | None = None
    provider: str | None = None
    source: Source | None = None
    dock: Annotated[str | None, Field(description="A dock's id.")] = None
    stack: Annotated[str | None, Field(description="A stack's id.")] = None
    q: Annotated[str | None, Field(description="A piece of name, address, stack or id.")] = None


class OfProvision(BaseModel):
    """Parameters of one provision."""

    stack: Annotated[str | None, Field(description="Id or name, where several resources have the id.")] = None
    dock: Annotated[str | None, Field(description="Id or name, where several resources have the id.")] = None


class OfRuns(OfList):
    """Parameters of the list of runs."""

    stack: Annotated[str | None, Field(description="A stack's id.")] = None


class OfRun(BaseModel):
    """Parameters of one run."""

    wait: Annotated[int, Field(ge=0, le=60, description="Seconds to wait for another revision than `rev`.")] = 0
    rev: Annotated[int | None, Field(ge=0, description="The revision that is known.")] = None


class OfLog(BaseModel):
    """Parameters of a run's log."""

    before: Annotated[int | None, Field(ge=0, le=9_999_999_999, description="A line's number: earlier ones.")] = None
    q: Annotated[str | None, Field(description="A piece of a line, of its address or of its error.")] = None


class OfEvents(OfList):
    """Parameters of the list of events."""

    run: Annotated[str | None, Field(description="A run's id.")] = None
    provision: Annotated[str | None, Field(description="A resource's own id.")] = None


class OfBadge(BaseModel):
    """Parameters of a badge."""

    style: Literal["flat", "flat-square", "for-the-badge", "card"] = "flat"
    look: Annotated[Literal["light", "dark", "auto"], Field(description="Of the style card.")] = "auto"
    label: Label = None
