"""A run that falls silent, is lost, interrupted, closed by hand or brought back: what card, run, stack and JSON say."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from flask.testing import FlaskClient

from ingest.change import ChangeKind
from models import Run, Stack, User
from provisioning import liveness
from provisioning.audit import COMMAND_LINE, Actor
from provisioning.tokens import create_token
from tests.harness.cast import Cast
from tests.provisioning.story import Story, resource_at, tell
from tests.views.conftest import Told
from views.clock import now_ms
from views.presentation import iso_moment

ClientOf = Callable[[User], FlaskClient]
Happens = Callable[[Cast, int], None]

ADA = Actor("Ada")


def watch_after(silence_ms: int) -> None:
    """The watch looks when the run has been silent for so long."""
    liveness.watch(Run.get().last_word_at + silence_ms, quiet_after_ms=30_000, lost_after_ms=900_000)


def quiet(cast: Cast, first: int) -> None:
    watch_after(40_000)


def lost(cast: Cast, first: int) -> None:
    watch_after(1_000_000)


def stream_ended(cast: Cast, first: int) -> None:
    tell(cast.organization.id, [], now_ms(), first=first, end="eof")


def closed(cast: Cast, first: int) -> None:
    lost(cast, first)
    liveness.close_run(Run.get().id, actor=ADA, now=now_ms())


def back(cast: Cast, first: int) -> None:
    lost(cast, first)
    tell(cast.organization.id, [], now_ms(), first=first)


def reopened(cast: Cast, first: int) -> None:
    closed(cast, first)
    tell(cast.organization.id, Story(now_ms()).say(ChangeKind.LOG, message="still here").lines, now_ms(), first=first)


@pytest.mark.parametrize(
    ("happens", "status", "of_run", "of_card", "tells_last_word"),
    [
        (quiet, "quiet", "No word for a while.", "No word for a while.", True),
        (lost, "lost", "No word for longer than its time-out.", "No word for longer than its time-out.", True),
        (stream_ended, "interrupted", "Its output stopped without an end.", "The run ended while this was", True),
        (closed, "interrupted", "Closed by hand by Ada after no more", "Closed by hand after no more word", True),
        (back, "applying", "It was taken for lost, and spoke again.", "It was taken for lost, and spoke", False),
        (reopened, "applying", "It was taken for lost, and spoke again.", "It was taken for lost, and spoke", False),
    ],
)
def test_is_told_everywhere_with_its_reason_and_the_last_word(
    cast: Cast, client_of: ClientOf, story: Story, told: Told, happens: Happens, status: str, of_run: str, of_card: str,
    tells_last_word: bool,
) -> None:  # fmt: skip
    told(story.planned("web").total(1).started("web"))
    happens(cast, len(story.lines))
    run, web, stack = Run.get(), resource_at("web"), Stack.get()
    client = client_of(cast.viewer)
    pages = {
        address: client.get(address).text
        for address in ("/", f"/p/{web.id}", f"/runs/{run.id}", "/runs", f"/stacks/{stack.id}")
    }
    for address, page in pages.items():
        assert (of_card if address in ("/", f"/p/{web.id}") else of_run) in page, address
        words = re.findall(r"(?:[Ll]ast word|no word for) <time[^>]+datetime=\"([^\"]+)\"", page)
        assert (iso_moment(run.last_word_at) in words) is tells_last_word, address

    token = create_token(
        organization_id=cast.organization.id, name="t", scopes=["read"], actor=COMMAND_LINE, now=now_ms()
    )
    headers = {"Authorization": f"Bearer {token}"}
    card = client.get(f"/api/v1/provisions/{web.id}", headers=headers).get_json()
    assert of_card in card.get("error", "") + card.get("reason", "")
    assert card["lastWordAt"] == run.last_word_at
    as_run = client.get(f"/api/v1/runs/{run.id}", headers=headers).get_json()
    as_stack = client.get(f"/api/v1/stacks/{stack.id}", headers=headers).get_json()
    for one in (as_run, as_stack["latestRun"]):
        assert one["status"] == status
        assert of_run in one["reason"]
        assert one["lastWordAt"] == run.last_word_at
        assert one["closedBy"] == ("Ada" if happens is closed else None)
