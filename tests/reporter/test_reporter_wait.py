"""`wait URL` ends as the run ended; `badge` writes a picture or leaves what was there."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import Any

import pytest

from tests.reporter.stage import TOKEN, Answer, Home, Request, Slipway, problem

RUN = {"id": "run_1", "phase": "applying", "outcome": None, "liveness": "live", "revision": 1}


def play(slipway: Slipway, *answers: Any) -> None:
    """Answer with one after the other, the last one again and again."""
    left = list(answers)

    def next_one(_: Request) -> Answer:
        told = left.pop(0) if len(left) > 1 else left[0]
        return told if isinstance(told, Answer) else Answer(body=json.dumps(told).encode())

    slipway.play = next_one


@pytest.mark.parametrize(
    ("outcome", "code"), [("succeeded", 0), ("failed", 1), ("cancelled", 3), ("interrupted", 3), ("lost", 3)]
)
def test_the_exit_code_is_the_outcome(outcome: str, code: int, home: Home, slipway: Slipway) -> None:
    play(slipway, RUN, {**RUN, "phase": "finished", "outcome": outcome, "revision": 2})
    ended = home.run("wait", f"{slipway.url}/runs/run_1")
    assert ended.code == code
    assert outcome in ended.err
    first, second = slipway.requests
    assert first.path == second.path == "/api/v1/runs/run_1"
    assert first.headers["authorization"] == f"Bearer {TOKEN}"
    assert first.query == {"wait": "60"}
    assert second.query == {"wait": "60", "rev": "1"}


def test_a_run_gone_silent_counts_as_lost(home: Home, slipway: Slipway) -> None:
    play(slipway, {**RUN, "liveness": "lost"})
    assert home.run("wait", f"{slipway.url}/api/v1/runs/run_1").code == 3


@pytest.mark.parametrize(("statuses", "code"), [(["validating", "provisioning", "success"], 0), (["error"], 1)])
def test_a_share_link_needs_no_token(statuses: Sequence[str], code: int, home: Home, slipway: Slipway) -> None:
    del home.environ["SLIPWAY_TOKEN"]
    play(slipway, *[{"status": status, "revision": number} for number, status in enumerate(statuses)])
    assert home.run("wait", f"{slipway.url}/s/abc").code == code
    assert all(request.path == "/s/abc.json" for request in slipway.requests)
    assert all("authorization" not in request.headers for request in slipway.requests)


def test_a_share_link_is_never_shown_the_token(home: Home, slipway: Slipway) -> None:
    play(slipway, {"status": "success"})
    home.run("wait", f"{slipway.url}/s/abc.json")
    assert "authorization" not in slipway.requests[0].headers


def test_another_server_is_never_shown_the_token(home: Home, slipway: Slipway) -> None:
    ended = home.run("wait", f"{slipway.url}/runs/run_1", "--server", "https://slipway.example")
    assert ended.code == 2
    assert slipway.requests == []


def test_the_time_has_an_end(home: Home, slipway: Slipway) -> None:
    play(slipway, RUN)
    ended = home.run("wait", f"{slipway.url}/runs/run_1", "--timeout", "1")
    assert ended.code == 4
    assert "last seen: applying, live" in ended.err


def test_a_server_that_is_away_is_waited_for(home: Home, slipway: Slipway) -> None:
    play(slipway, Answer(cut=True), Answer(200, b"<html>"), {**RUN, "outcome": "succeeded"})
    ended = home.run("wait", f"{slipway.url}/runs/run_1")
    assert ended.code == 0
    assert ended.err.count("trying again") == 1


def test_a_server_that_stays_away_ends_with_the_time(home: Home, nobody: str) -> None:
    home.environ["SLIPWAY_URL"] = nobody
    assert home.run("wait", f"{nobody}/runs/run_1", "--timeout", "1").code == 4


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_a_refusal_is_said(status: int, home: Home, slipway: Slipway) -> None:
    play(slipway, problem(status, "The server's own sentence."))
    ended = home.run("wait", f"{slipway.url}/runs/run_1")
    assert ended.code == 2
    assert "The server's own sentence." in ended.err


@pytest.mark.parametrize("url", ["prod", "https://slipway.example/settings", "ftp://x/runs/1"])
def test_what_cannot_be_waited_for_is_told(url: str, home: Home) -> None:
    assert home.run("wait", url).code == 2


def test_a_server_that_does_not_wait_is_not_asked_in_a_tight_loop(home: Home, slipway: Slipway) -> None:
    play(slipway, {"status": "provisioning"})
    begun = time.monotonic()
    home.run("wait", f"{slipway.url}/s/abc", "--timeout", "3")
    assert len(slipway.requests) <= 2 + (time.monotonic() - begun) / 2


SVG = b'<svg xmlns="http://www.w3.org/2000/svg"></svg>'


def test_a_badge_of_a_share_link_is_written(home: Home, slipway: Slipway) -> None:
    play(slipway, Answer(body=SVG))
    ended = home.run("badge", "--out", "badge.svg", "--style", "flat-square", f"{slipway.url}/s/abc")
    assert ended.code == 0, ended.err
    assert (home.folder / "badge.svg").read_bytes() == SVG
    (request,) = slipway.requests
    assert (request.path, request.query) == ("/s/abc.svg", {"style": "flat-square"})
    assert "authorization" not in request.headers


def test_a_badge_of_a_stack_is_written(home: Home, slipway: Slipway) -> None:
    play(slipway, Answer(body=SVG))
    assert home.run("badge", "--out", "badge.svg", "prod/eu").code == 0
    (request,) = slipway.requests
    assert request.path == "/api/v1/stacks/prod%2Feu/badge.svg"
    assert request.headers["authorization"] == f"Bearer {TOKEN}"


@pytest.mark.parametrize("bad", [problem(410, "This link has ended."), Answer(200, b"<html>"), Answer(cut=True)])
def test_a_badge_that_cannot_be_had_leaves_the_old_one(bad: Answer, home: Home, slipway: Slipway) -> None:
    old = home.folder / "badge.svg"
    old.write_bytes(b"old")
    play(slipway, bad)
    ended = home.run("badge", "--out", "badge.svg", f"{slipway.url}/s/abc.svg")
    assert ended.code == 1
    assert "is as it was" in ended.err
    assert old.read_bytes() == b"old"
    assert list(home.folder.iterdir()) == [old]
