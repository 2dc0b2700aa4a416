"""A link shows what its fields allow, in every page and format, and nothing else."""

from __future__ import annotations

import json
import re

import pytest
from flask.testing import FlaskClient

from models import Run
from tests.shares.conftest import DETAIL_WORDS, ERROR_WORDS, Make, Scene

# Every address that a token opens, with the queries that make it answer in full.
ADDRESSES = (
    "/s/{t}", "/s/{t}?rev=0", "/s/{t}.json", "/s/{t}.txt", "/s/{t}.svg", "/s/{t}.svg?style=for-the-badge",
    "/s/{t}.svg?style=card", "/s/{t}.svg?style=card&look=dark", "/s/{t}.png", "/s/{t}.png?style=card",
    "/s/{t}/shields.json", "/embed/{t}", "/embed/{t}?rev=0", "/embed/{t}/fragment", "/embed/{t}/fragment?rev=0",
    "/embed/{t}.json", "/embed/{t}.json?rev=0", "/oembed?url=http%3A%2F%2Flocalhost%2Fs%2F{t}", "/feeds/{t}.atom",
)  # fmt: skip
FORBIDDEN = {"status": (*ERROR_WORDS, *DETAIL_WORDS), "error": DETAIL_WORDS, "details": ()}
SUBJECTS = ("failed", "done", "run", "stack")


def words_in(text: str, words: tuple[str, ...]) -> list[str]:
    return [word for word in words if re.search(rf"{word}(?![a-z])", text)]


@pytest.mark.parametrize("kind", [*SUBJECTS, "organization"])
@pytest.mark.parametrize("fields", ["status", "error", "details"])
def test_no_format_tells_what_the_link_holds_back(
    visitor: FlaskClient, scene: Scene, make: Make, kind: str, fields: str
) -> None:
    token = make(scene.by_kind(kind), fields).token
    answered = 0
    for address in ADDRESSES:
        answer = visitor.get(address.format(t=token))
        # A feed of many things is no card, and a run has no feed.
        assert answer.status_code == 200 or (answer.status_code == 422 and (kind in ("organization", "run"))), address
        answered += answer.status_code == 200
        told = answer.get_data(as_text=True) if answer.mimetype != "image/png" else ""
        told += str(answer.headers)
        held_back = FORBIDDEN[fields]
        if fields == "error" and kind in ("run", "stack", "organization"):
            # Which step failed is part of why.
            held_back = tuple(word for word in held_back if word != "sentineladdress")
        assert words_in(told, held_back) == [], f"{address} of {kind} with {fields}"
    assert answered >= (4 if kind == "organization" else len(ADDRESSES) - 1)


def test_the_sentinels_are_shown_where_they_may_be(visitor: FlaskClient, scene: Scene, make: Make) -> None:
    failed = make(scene.failed, "error").token
    for address in (
        "/s/{t}",
        "/s/{t}.json",
        "/s/{t}.svg?style=card",
        "/embed/{t}",
        "/embed/{t}.json",
        "/feeds/{t}.atom",
    ):
        assert "sentinelsummary" in visitor.get(address.format(t=failed)).text, address
    details = make(scene.failed, "details").token
    page, told = visitor.get(f"/s/{details}").text, visitor.get(f"/s/{details}.json").text
    for word in ("sentineladdress", "sentinelproviderid", "sentinelnote", "sentinelactor", "sentinelcommand"):
        assert word in page, word
    for word in ("sentineladdress", "sentinelproviderid", "sentinelsst", "sentinelprovider"):
        assert word in told, word
    assert "sentinelfact" in visitor.get(f"/s/{make(scene.done, 'details').token}").text
    run = visitor.get(f"/s/{make(scene.run, 'details').token}").text
    assert all(word in run for word in ("sentinelcommand", "sentinelactor", "shasent", "sentineljob", "sentinelcloser"))


@pytest.mark.parametrize("kind", SUBJECTS)
def test_a_shared_page_leads_to_no_page_of_members(visitor: FlaskClient, scene: Scene, make: Make, kind: str) -> None:
    token = make(scene.by_kind(kind), "details").token
    for address in (f"/s/{token}", f"/embed/{token}", f"/embed/{token}/fragment"):
        links = re.findall(r'(?:href|action|src|hx-get)="([^"]+)"', visitor.get(address).text)
        for link in links:
            own = re.match(rf"(http://localhost)?/(static/|s/{token}|embed/{token}|feeds/{token}|oembed)", link)
            assert own or link in ("https://ci.example/sentineljob", "http://localhost/oembed"), (address, link)


def test_a_shared_page_says_what_it_shows_and_until_when(visitor: FlaskClient, scene: Scene, make: Make) -> None:
    for expires_in_s, until in ((7 * 86_400, "until 2026-12-02 12:00 UTC."), (None, "until it is revoked.")):
        page = visitor.get(f"/s/{make(scene.failed, 'error', expires_in_s=expires_in_s).token}").text
        assert "It shows the name, how it stands, and why something failed, " + until in re.sub(r"<[^>]+>", "", page)


def test_the_json_keeps_the_contract(visitor: FlaskClient, scene: Scene, make: Make) -> None:
    told = visitor.get(f"/s/{make(scene.failed).token}.json").get_json()
    assert told["provisionId"] == told["resourceId"] == scene.failed
    assert (told["status"], told["resourceType"], told["progress"], told["word"]) == ("error", "database", 0, "FAILED")
    assert "error" not in told and "address" not in told and told["provisioningSource"] is None
    assert {"provider", "dockId", "createdAt", "updatedAt", "revision", "url"} <= set(told)


@pytest.mark.parametrize(
    ("kind", "word"), [("failed", "FAILED"), ("done", "OK"), ("run", "FAILED"), ("stack", "FAILED")]
)
def test_the_text_is_one_word(visitor: FlaskClient, scene: Scene, make: Make, kind: str, word: str) -> None:
    answer = visitor.get(f"/s/{make(scene.by_kind(kind)).token}.txt")
    assert answer.text == f"{word}\n"
    assert answer.mimetype == "text/plain"


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ({"phase": "applying", "outcome": None, "liveness": "live", "ended_at": None}, "RUNNING"),
        ({"phase": "applying", "outcome": None, "liveness": "quiet", "ended_at": None}, "QUIET"),
        ({"phase": "applying", "outcome": None, "liveness": "lost", "ended_at": None}, "STALLED"),
        ({"outcome": "succeeded"}, "OK"),
        ({"outcome": "cancelled"}, "CANCELLED"),
        ({"outcome": "interrupted"}, "INTERRUPTED"),
    ],
)
def test_a_badge_tells_running_quiet_and_lost_apart(
    visitor: FlaskClient, scene: Scene, make: Make, values: dict[str, object], word: str
) -> None:
    Run.update(values).where(Run.id == scene.run).execute()
    token = make(scene.run).token
    assert visitor.get(f"/s/{token}.txt").text == f"{word}\n"
    drawn = visitor.get(f"/s/{token}.svg").text
    assert {"RUNNING": "applying", "QUIET": "quiet", "STALLED": "lost", "OK": "succeeded"}.get(
        word, word.lower()
    ) in drawn


def test_shields_reads_its_own_format(visitor: FlaskClient, scene: Scene, make: Make) -> None:
    told = visitor.get(f"/s/{make(scene.failed).token}/shields.json?label=shop").get_json()
    assert told["schemaVersion"] == 1
    assert (told["label"], told["message"], told["isError"]) == ("shop", "creating failed", True)
    assert re.fullmatch(r"[0-9a-f]{6}", told["color"])


def test_chat_tools_find_what_they_unfurl(visitor: FlaskClient, scene: Scene, make: Make) -> None:
    token = make(scene.failed, "error", allowed_origins=["https://wiki.example"]).token
    page = visitor.get(f"/s/{token}").text
    assert '<meta property="og:title" content="orders: Creating failed">' in page
    assert f'<meta property="og:image" content="http://localhost/s/{token}.png">' in page
    [address] = re.findall(r'json\+oembed" href="http://localhost([^"]+)"', page)
    told = visitor.get(address.replace("&amp;", "&")).get_json()
    assert (told["version"], told["type"], told["width"]) == ("1.0", "rich", 480)
    assert f'src="http://localhost/embed/{token}"' in told["html"]
    # No page may frame this one.
    alone = make(scene.failed).token
    told = visitor.get(f"/oembed?url=http://localhost/s/{alone}&maxwidth=100").get_json()
    assert (told["type"], told["url"]) == ("photo", f"http://localhost/s/{alone}.png")
    assert visitor.get("/oembed?url=http://localhost/s/nothing").status_code == 404
    assert visitor.get(f"/oembed?format=xml&url=http://localhost/s/{alone}").status_code == 501


def test_the_picture_for_chat_tools_is_a_png(visitor: FlaskClient, scene: Scene, make: Make) -> None:
    answer = visitor.get(f"/s/{make(scene.failed).token}.png")
    assert answer.mimetype == "image/png"
    assert answer.data.startswith(b"\x89PNG") and int.from_bytes(answer.data[16:20]) == 1200


def test_a_stack_tells_scripts_its_status(visitor: FlaskClient, scene: Scene, make: Make) -> None:
    told = visitor.get(f"/s/{make(scene.stack).token}.json").get_json()
    assert (told["status"], told["word"], told["provisions"]) == ("error", "FAILED", [])
    assert json.dumps(told).count("sentinel") == 0
