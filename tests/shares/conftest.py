"""A run that made a server and failed at a database, with a sentinel in every field, and links to all of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from flask.testing import FlaskClient

from models import RESOURCE_TABLES, Run, Stack
from provisioning.audit import Actor
from provisioning.share_uses import UseCounts
from provisioning.shares import NewLink, create_link
from tests.harness.cast import NOW, Cast
from tests.provisioning.story import Story, resource_at, tell
from views import badges, embeds, feeds, shared_answers, shared_pages, shares, unchanged_polls

# Every text that a link may hold back, by what is needed to see it. Each is a word of its own in every format.
ERROR_WORDS = ("sentinelsummary", "sentineldetail", "sentinelwhere", "sentinelrunerror", "sentinelfault")
DETAIL_WORDS = (
    "sentineladdress", "sentineltype", "sentinelprovider", "sentinelproviderid", "sentinelword", "sentinelsst",
    "sentinelsststack", "sentinelwaits", "sentinelnote", "sentinelfact", "sentinelcommand", "sentinelactor",
    "shasent", "sentineljob", "sentinelversion", "sentinelcloser",
)  # fmt: skip

LATER = NOW + 60_000


@dataclass(frozen=True)
class Scene:
    """What the links of a test are about."""

    failed: str
    done: str
    run: str
    stack: str
    organization: str

    def by_kind(self, kind: str) -> str:
        """The subject of this name."""
        subject = getattr(self, kind)
        assert isinstance(subject, str)
        return subject


Make = Callable[..., NewLink]


@dataclass
class Clock:
    """What the views take for the present; a test moves it on."""

    now: int = LATER


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """A minute after the story began."""
    clock = Clock()
    for module in (badges, embeds, feeds, shared_answers, shared_pages, shares, unchanged_polls):
        monkeypatch.setattr(module, "now_ms", lambda: clock.now)
    # What another test has noted counts for nothing here.
    counts = UseCounts()
    monkeypatch.setattr(unchanged_polls, "uses", counts)
    monkeypatch.setattr(shared_answers, "uses", counts)
    monkeypatch.setattr(shares, "uses", counts)
    return clock


@pytest.fixture
def scene(cast: Cast) -> Scene:
    """A finished run of the stack "prod": web is made, orders failed."""
    story = (
        Story(NOW)
        .planned("web").planned("db").total(2)
        .started("web").done("web", primary_ip_address="sentinelfact")
        .started("db").failed("db").error("db", "sentinelsummary", "sentineldetail")
        .ended("failed")
    )  # fmt: skip
    recorded = tell(cast.organization.id, story.lines, LATER - 1000, end="1")
    failed, done = resource_at("db"), resource_at("web")
    for row in (failed, done):
        type(row).update(
            address=f"sentineladdress.{row.name}",
            tool_type="aws_sentineltype",
            provider="sentinelprovider",
            provider_resource_id="sentinelproviderid",
            status="sentinelword",
            sst_resource_id=f"sentinelsst-{row.name}",
            sst_stack_name="sentinelsststack",
            waits_for="sentinelwaits",
            note="sentinelnote",
        ).where(type(row).id == row.id).execute()
    Run.update(
        command="sentinelcommand",
        actor="sentinelactor",
        commit="shasent0001",
        job_url="https://ci.example/sentineljob",
        engine_version="sentinelversion",
        error_summary="sentinelrunerror",
        closed_by="sentinelcloser",
    ).where(Run.id == recorded.run_id).execute()
    assert {type(row) for row in (failed, done)} <= set(RESOURCE_TABLES)
    return Scene(failed.id, done.id, recorded.run_id, Stack.get().id, cast.organization.id)


@pytest.fixture
def make(cast: Cast) -> Make:
    """Make a link: `make(subject, fields="status", expires_in_s=None, allowed_origins=[])`."""

    def one(subject: str, fields: str = "status", **more: object) -> NewLink:
        options: dict[str, object] = {"expires_in_s": None, "allowed_origins": []} | more
        return create_link(
            organization_id=cast.organization.id,
            subject=subject,
            fields=fields,
            actor=Actor("Ada Owner", cast.owner.id),
            now=NOW,
            **options,  # type: ignore[arg-type]
        )

    return one


@pytest.fixture
def visitor(client: FlaskClient) -> FlaskClient:
    """Somebody who has a link and no account."""
    return client
