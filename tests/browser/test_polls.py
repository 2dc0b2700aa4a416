"""How open pages ask the server: one poll a page, none from a hidden tab, fewer from one that gets no answer."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, Request, expect

from models import Organization
from tests.browser.conftest import ACTIVE_MS, Faults, on_one_database
from tests.browser.pipeline import Pipeline
from tests.harness.cast import Cast
from tests.harness.server import RunningServer

pytestmark = on_one_database

PageOf = Callable[..., Page]
WEB = "aws_instance.web"


def hide(page: Page, hidden: bool) -> None:
    """Put the tab into the background, or back: headless Chromium never does by itself."""
    page.evaluate(
        "hidden => { Object.defineProperty(document, 'hidden', { configurable: true, get: () => hidden });"
        "document.dispatchEvent(new Event('visibilitychange')); }",
        hidden,
    )


def stop_clock(page: Page) -> None:
    """From here on, timers of the page (whose clock is installed) fire only when the test lets time pass."""
    page.clock.pause_at(time.time() + 5)
    page.wait_for_load_state("networkidle")


def polls_of(page: Page) -> list[str]:
    """The paths that the page asks for from now on, with their parameters."""
    asked: list[str] = []

    def remember(request: Request) -> None:
        if "hx-request" in request.headers:
            asked.append(request.url)

    page.on("request", remember)
    return asked


def test_fifty_cards_ask_with_one_poll(cast: Cast, page_of: PageOf, server: RunningServer) -> None:
    addresses = [f"aws_instance.node-{number:02}" for number in range(50)]
    run = Pipeline(server, cast).run(*addresses)
    run.start(*addresses)
    page = page_of(cast.viewer)
    page.goto("/")
    expect(page.locator("[data-card]")).to_have_count(50)
    expect(page.locator("[data-poll]")).to_have_count(1)
    in_flight: set[Request] = set()
    most = 0

    def began(request: Request) -> None:
        nonlocal most
        in_flight.add(request)
        most = max(most, len(in_flight))

    def ended(request: Request) -> None:
        # One that was under way already when this test began to look may end, too.
        in_flight.discard(request)

    page.on("request", began)
    page.on("requestfinished", ended)
    asked = polls_of(page)
    for address in addresses[:3]:
        run.done(address)
        with page.expect_response(lambda answer: answer.status == 200):
            pass
    with page.expect_response(lambda answer: answer.status == 204):
        pass
    assert {urlsplit(one).path for one in asked} == {"/fragments/operations"}
    assert most == 1, "polls overtook each other"


def test_an_unchanged_poll_is_answered_with_nothing(cast: Cast, page_of: PageOf, server: RunningServer) -> None:
    Pipeline(server, cast).run(WEB)
    page = page_of(cast.viewer)
    page.goto("/")
    for _ in range(3):
        with page.expect_response(lambda answer: "/fragments/" in answer.url) as found:
            pass
        assert (found.value.status, found.value.headers.get("content-length", "0")) == (204, "0")


def test_a_hidden_tab_does_not_ask_and_catches_up_at_once(cast: Cast, page_of: PageOf, server: RunningServer) -> None:
    run = Pipeline(server, cast).run(WEB)
    page = page_of(cast.viewer)
    page.clock.install()
    page.goto("/")
    expect(page.locator("[data-card]")).to_contain_text("Planned")
    stop_clock(page)
    asked = polls_of(page)
    with page.expect_response(lambda answer: "/fragments/" in answer.url):
        page.clock.run_for(ACTIVE_MS + 50)
    assert len(asked) == 1

    hide(page, True)
    asked.clear()
    run.start(WEB)
    page.clock.run_for(ACTIVE_MS * 20)
    assert asked == []
    with page.expect_response(lambda answer: "/fragments/" in answer.url and answer.status == 200):
        hide(page, False)
    page.clock.run_for(100)
    expect(page.locator("[data-card]")).to_contain_text("Creating")


def test_it_says_that_it_reconnects_and_recovers_by_itself(
    cast: Cast, page_of: PageOf, server: RunningServer, faults: Faults
) -> None:
    faults.expect("Failed to load resource|Failed to fetch|ERR_")
    run = Pipeline(server, cast).run(WEB)
    page = page_of(cast.viewer)
    page.goto("/")
    live = page.locator("#live")
    expect(live).to_have_text("Live")
    server.stop()
    expect(live).to_have_text(re.compile(r"^Reconnecting, as of \d\d:\d\d:\d\d$"))
    # What is on the page stays.
    expect(page.locator("[data-card]")).to_contain_text("Planned")
    server.start()
    run.start(WEB)
    expect(live).to_have_text("Live", timeout=60_000)
    expect(page.locator("[data-card]")).to_contain_text("Creating")


def test_a_server_that_does_not_answer_is_asked_less_and_less(
    cast: Cast, page_of: PageOf, server: RunningServer, faults: Faults
) -> None:
    faults.expect("500|Failed to load resource")
    Pipeline(server, cast).run(WEB)
    page = page_of(cast.viewer)
    page.clock.install()
    page.goto("/")
    expect(page.locator("[data-card]")).to_have_count(1)
    stop_clock(page)
    page.route("**/fragments/**", lambda route: route.fulfill(status=500, body="<h1>broken</h1>"))
    asked = polls_of(page)
    for _ in range(60):
        page.clock.run_for(500)
    # Thirty seconds at the nominal rate would be 150.
    assert 2 <= len(asked) <= 8
    expect(page.locator("#live")).to_contain_text("Reconnecting")
    expect(page.locator("[data-card]")).to_have_count(1)
    expect(page.locator("h1")).to_have_text("Provisioning")


def test_the_server_says_how_often_to_ask(cast: Cast, page_of: PageOf, server: RunningServer) -> None:
    run = Pipeline(server, cast).run(WEB)
    page = page_of(cast.viewer)
    page.goto("/")
    poller = page.locator("[data-poll]")
    expect(poller).to_have_attribute("hx-trigger", re.compile(rf"^every {ACTIVE_MS}ms"))
    run.start(WEB)
    run.done(WEB)
    run.end()
    expect(poller).not_to_have_attribute("hx-trigger", re.compile(rf"^every {ACTIVE_MS}ms"))
    # It wakes by itself.
    Pipeline(server, cast).run(WEB, action="update")
    expect(poller).to_have_attribute("hx-trigger", re.compile(rf"^every {ACTIVE_MS}ms"))


@pytest.mark.parametrize("skew_minutes", [-90, 25])
def test_times_are_the_servers_whatever_the_browsers_clock(
    skew_minutes: int, cast: Cast, page_of: PageOf, server: RunningServer
) -> None:
    run = Pipeline(server, cast).run(WEB)
    run.start(WEB)
    page = page_of(cast.viewer)
    page.add_init_script(
        f"const skew = {skew_minutes * 60_000}, real = Date.now; Date.now = () => real() + skew;"
        "Object.defineProperty(performance, 'timeOrigin', { value: performance.timeOrigin + skew });"
    )
    page.goto("/")
    elapsed = page.locator("[data-card] time[data-tick=elapsed]")
    expect(elapsed).to_have_text(re.compile(r"^0m \d\ds$"))
    run.done(WEB)
    expect(page.locator("[data-card] .when")).to_contain_text("just now")


def test_a_revision_of_another_organisation_wakes_nobody(cast: Cast, page_of: PageOf, server: RunningServer) -> None:
    Pipeline(server, cast).run(WEB)
    page = page_of(cast.viewer)
    page.goto("/")
    expect(page.locator("[data-card]")).to_have_count(1)
    Organization.update(revision=Organization.revision + 1).where(
        Organization.id == cast.other_organization.id
    ).execute()
    for _ in range(2):
        with page.expect_response(lambda answer: "/fragments/" in answer.url) as found:
            pass
        assert found.value.status == 204
