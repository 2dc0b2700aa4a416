"""What share links answer to programs, as pydantic models; see `views/api_models.py` for what they are for.

These answers need no API token: the address holds the link's own.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field, RootModel

from views.api_models import Answer, Label, Moment, Provision, RunWithSteps, StackWithResources

Word = Literal[
    "OK", "FAILED", "PLANNED", "RUNNING", "QUIET", "STALLED", "INTERRUPTED", "CANCELLED", "IDLE", "DELETED"
]  # fmt: skip


class SharedProvision(Provision):
    """A resource, with what the link holds back left empty; `url` is the link's page."""

    word: Word
    url: str


class SharedRun(RunWithSteps):
    """A run, with what the link holds back left empty; `url` is the link's page."""

    name: str
    word: Word


class SharedStack(StackWithResources):
    """A stack, with what the link holds back left empty; `url` is the link's page."""


class SharedFeed(Answer):
    """The link of an organisation's failures shows nothing but its feed."""

    feed: str
    revision: int
    url: str


class SharedThing(RootModel[SharedProvision | SharedRun | SharedStack | SharedFeed]):
    """What a link shows: a resource, a run, a stack, or the feed of failures."""


class Card(Answer):
    """What `<slipway-card>` shows. Optional members are left out where there is nothing to say."""

    name: str
    kind: Annotated[str, Field(description="Like Web service, Run or Stack.")]
    word: Word
    verb: Annotated[str, Field(description="Like Creating failed, Applying or Up: 12 resources.")]
    tone: Literal["idle", "validating", "provisioning", "success", "error", "stalled"]
    revision: int
    moving: bool
    updatedAt: Moment
    poll: Annotated[int, Field(description="Milliseconds after which to ask again.")]
    now: Annotated[int, Field(description="The server's clock: milliseconds since 1970, UTC.")]
    done: int | None = None
    total: int | None = None
    detail: str | None = None
    error: str | None = None
    errorDetail: str | None = None
    startedAt: Moment | None = None
    endedAt: Moment | None = None
    lastWordAt: Moment | None = None


class ShieldsBadge(Answer):
    """What the endpoint badge of shields.io reads (https://shields.io/badges/endpoint-badge)."""

    schemaVersion: Literal[1]
    label: str
    message: str
    color: Annotated[str, Field(pattern="^[0-9a-f]{6}$")]
    isError: bool
    cacheSeconds: Annotated[int, Field(ge=300)]


class _OEmbed(Answer):
    version: Literal["1.0"]
    title: str
    provider_name: str
    provider_url: str
    cache_age: Annotated[int, Field(description="Seconds.")]
    thumbnail_url: str
    thumbnail_width: int
    thumbnail_height: int
    width: int
    height: int


class OEmbedRich(_OEmbed):
    """The frame, where the link lists origins that may embed it."""

    type: Literal["rich"]
    html: str


class OEmbedPhoto(_OEmbed):
    """The picture, where no page may frame the link."""

    type: Literal["photo"]
    url: str


class OEmbed(RootModel[OEmbedRich | OEmbedPhoto]):
    """oEmbed 1.0 (https://oembed.com/)."""


# --- Parameters


class OfPoll(BaseModel):
    """Parameters of what is asked again and again."""

    rev: Annotated[int | None, Field(ge=0, description="The revision that is known: 204 while it is the same.")] = None


class OfSharedBadge(BaseModel):
    """Parameters of a picture without a style of its own."""

    label: Label = None


class OfPng(BaseModel):
    """Parameters of a PNG."""

    style: Annotated[
        Literal["flat", "flat-square", "for-the-badge", "card"] | None,
        Field(description="A badge or the card; left out: the picture for chat tools, 1200 by 630."),
    ] = None
    look: Annotated[Literal["light", "dark", "auto"], Field(description="Of the style card.")] = "light"
    label: Label = None


class OfOEmbed(BaseModel):
    """Parameters of oEmbed."""

    url: Annotated[str, Field(description="The address of a share link's page.")]
    format: Literal["json"] = "json"
    maxwidth: Annotated[int | None, Field(ge=1, le=99_999, description="Pixels.")] = None
    maxheight: Annotated[int | None, Field(ge=1, le=99_999, description="Pixels.")] = None
