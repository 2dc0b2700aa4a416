"""The API's answers and bodies as pydantic models: the OpenAPI document is generated from them, and tests hold every
answer against them.

Answers are built from the core's records in `views/records.py`, not through these: that would cost each more than its
query. Names are those of the JSON. Times are milliseconds since 1970, UTC.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from provisioning.shares import MOST_ORIGINS

Status = Literal["idle", "validating", "provisioning", "success", "error"]
CardStatus = Literal["idle", "validating", "provisioning", "success", "error", "stalled", "deleted"]
Kind = Literal["server", "webService", "database", "domain"]
Source = Literal["sst", "api", "manual"]
State = Literal["provisioning", "provisioned", "failed", "deprovisioning"]
Fields = Literal["status", "error", "details"]
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


class Events(Page):
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


class Taken(BaseModel):
    """What became of what was sent, in lines."""

    run: str
    url: str
    accepted: int
    repeated: int
    missing: list[list[int]]


class Problem(BaseModel):
    """Problem details (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    field: str | None = None
    remedy: str | None = None


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


class OfEvents(OfList):
    """Parameters of the list of events."""

    run: Annotated[str | None, Field(description="A run's id.")] = None
    provision: Annotated[str | None, Field(description="A resource's own id.")] = None


class OfBadge(BaseModel):
    """Parameters of a badge."""

    style: Literal["flat", "flat-square", "for-the-badge", "card"] = "flat"
    look: Annotated[Literal["light", "dark", "auto"], Field(description="Of the style card.")] = "auto"
    label: Annotated[str | None, Field(description="The left side, where it is not the stack's name.")] = None
