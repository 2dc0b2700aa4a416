"""The script writes times as the server does, and keeps them ticking."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.browser.conftest import on_one_database
from tests.browser.pipeline import Pipeline
from tests.harness.cast import Cast
from tests.harness.server import RunningServer
from views import presentation
from views.clock import now_ms

pytestmark = on_one_database

PageOf = Callable[..., Page]

# Each in the middle of what its words last, so that a slow test does not move it into the next.
PASSED = [4, 5 * 60 + 30, 59 * 60 + 30, 3_600 * 2 + 30, 86_400 - 30, 86_400 + 1_800, 86_400 * 3 + 1_800, 86_400 * 40]


def test_relative_times_are_worded_alike(cast: Cast, page_of: PageOf, server: RunningServer) -> None:
    page = page_of(cast.viewer)
    page.goto("/")
    for passed in PASSED:
        moment = now_ms() - round(passed * 1000)
        shown = page.evaluate(
            """moment => new Promise(done => {
              const time = document.createElement('time');
              time.dateTime = moment;
              time.dataset.tick = 'ago';
              new MutationObserver(() => time.textContent && done(time.textContent))
                .observe(time, { childList: true, characterData: true, subtree: true });
              document.querySelector('main').append(time);
            })""",
            presentation.iso_moment(moment),
        )
        assert shown == presentation.ago(moment, now_ms())


def test_durations_are_worded_alike(cast: Cast, page_of: PageOf, server: RunningServer) -> None:
    page = page_of(cast.viewer)
    page.goto("/")
    for name, write in (
        ("elapsed", presentation.duration),
        ("since", lambda ms: presentation.since(0, ms)),
    ):
        for passed in (2, 61, 3_599, 3_600, 7_322, 86_399, 200_000):
            moment = now_ms() - passed * 1000
            # The page's clock is the server's to a second or two: one of these moments must be the one shown.
            before = now_ms()
            shown = page.evaluate(
                """([name, moment]) => new Promise(done => {
                  const time = document.createElement('time');
                  time.dateTime = moment;
                  time.dataset.tick = name;
                  new MutationObserver(() => time.textContent && done(time.textContent))
                    .observe(time, { childList: true, characterData: true, subtree: true });
                  document.querySelector('main').append(time);
                })""",
                [name, presentation.iso_moment(moment)],
            )
            possible = {write(at - moment) for at in range(before - 3_000, now_ms() + 3_000, 250)}
            assert shown in possible


def test_elapsed_time_ticks_without_a_poll(cast: Cast, page_of: PageOf, server: RunningServer) -> None:
    run = Pipeline(server, cast).run("aws_instance.web")
    run.start("aws_instance.web")
    page = page_of(cast.viewer)
    page.goto("/")
    page.route("**/fragments/**", lambda route: route.fulfill(status=204))
    elapsed = page.locator("[data-card] time[data-tick=elapsed]")
    shown = elapsed.inner_text()
    expect(elapsed).not_to_have_text(shown)


def test_the_exact_time_is_there_in_the_readers_own_zone(cast: Cast, page_of: PageOf, server: RunningServer) -> None:
    run = Pipeline(server, cast).run("aws_instance.web")
    run.start("aws_instance.web")
    page = page_of(cast.viewer, timezone_id="Asia/Kathmandu")
    page.goto("/")
    started = page.locator("[data-card] time[data-tick=clock]")
    expect(started).to_have_text(
        page.evaluate(
            "moment => new Date(moment).toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit' })",
            started.get_attribute("datetime"),
        )
    )
    without = page_of(cast.viewer, timezone_id="Asia/Kathmandu", java_script_enabled=False)
    without.goto("/")
    assert (without.locator("[data-card] time").first.get_attribute("title") or "").endswith(" UTC")
