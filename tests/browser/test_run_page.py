"""A run's page while the run goes, with very many steps, and when it was lost."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import Page, expect

from models import AuditEntry, Run
from provisioning import liveness
from tests.browser.conftest import Faults
from tests.browser.live_page import wait_until_as_reloaded
from tests.browser.pipeline import Pipeline
from tests.harness.cast import Cast
from tests.harness.server import RunningServer
from views import presentation
from views.clock import now_ms

PageOf = Callable[..., Page]
WEB, DATABASE, ZONE = "aws_instance.web", "aws_db_instance.orders", "aws_route53_zone.shop"


def figure(page: Page, label: str) -> str:
    """What stands under a label of the run's figures."""
    return page.locator(f".figures div:has(dt:text-is('{label}')) dd").inner_text()


def test_it_follows_the_run_to_its_end(cast: Cast, page_of: PageOf, server: RunningServer) -> None:
    run = Pipeline(server, cast).run(WEB, DATABASE, ZONE)
    page = page_of(cast.viewer)
    page.goto(f"/runs/{run.id}")
    page.evaluate("window.isStillTheSamePage = true")
    expect(page.locator(".top")).to_contain_text("Planning")
    run.start(WEB, DATABASE)
    expect(page.locator(".top")).to_contain_text("Applying")
    expect(page.locator("#steps-running .row")).to_have_count(2)
    width = page.locator("#steps-running rect").first.get_attribute("width")
    # A bar grows by itself, without a poll.
    expect(page.locator("#steps-running rect").first).not_to_have_attribute("width", width or "")
    run.done(WEB)
    expect(page.locator("#steps-done .row")).to_contain_text("aws_instance.web")
    run.fail(DATABASE, "no subnet covers two zones", "It needs two.")
    expect(page.locator("#steps-failed .row .fault")).to_contain_text("It needs two.")
    assert "steps-failed" in (page.locator("section").first.get_attribute("id") or "")
    run.end(1)
    expect(page.locator(".top")).to_contain_text("Failed")
    expect(page.locator("#steps-waiting")).to_contain_text("Not started")
    assert (figure(page, "Done"), figure(page, "Failed"), figure(page, "Not started")) == ("1 of 3", "1", "1")
    assert page.evaluate("window.isStillTheSamePage") is True


def test_its_whole_log_grows_while_it_is_read(cast: Cast, page_of: PageOf, server: RunningServer) -> None:
    run = Pipeline(server, cast).run(WEB, DATABASE)
    page = page_of(cast.viewer)
    page.goto(f"/runs/{run.id}/log")
    search = page.get_by_label("Search", exact=True)
    search.fill("half a wo")
    run.start(WEB)
    expect(page.locator(".log")).to_contain_text("aws_instance.web: apply_start")
    run.fail(DATABASE, "no subnet covers two zones")
    expect(page.locator(".log")).to_contain_text("no subnet covers two zones")
    expect(search).to_be_focused()
    expect(search).to_have_value("half a wo")
    wait_until_as_reloaded(page)


def test_two_thousand_steps_can_be_used(cast: Cast, page_of: PageOf, server: RunningServer, faults: Faults) -> None:
    # A browser that shares its core draws so many rows for longer than a poll waits; the next one brings them.
    faults.expect("htmx:error: timeout")
    addresses = [f"aws_iam_role.role-{number:04}" for number in range(2_000)]
    run = Pipeline(server, cast).run(*addresses)
    run.start(*addresses)
    run.done(*addresses[10:])
    run.fail(addresses[0], "the role exists already")
    page = page_of(cast.viewer)
    page.goto(f"/runs/{run.id}")
    assert figure(page, "Done") == "1990 of 2000"
    expect(page.locator("#steps-failed .row")).to_have_count(1)
    expect(page.locator("#steps-running .row")).to_have_count(9)
    assert page.locator(".row").count() < 300
    run.done(addresses[1])
    expect(page.locator("#steps-running .row")).to_have_count(8)
    page.get_by_role("link", name=re.compile("all 1991")).click()
    expect(page.locator("#steps-done .row")).to_have_count(1991, timeout=90_000)
    run.done(addresses[2])
    expect(page.locator("#steps-done .row")).to_have_count(1992, timeout=90_000)
    wait_until_as_reloaded(page)


def test_a_lost_run_is_closed_by_those_who_may(cast: Cast, page_of: PageOf, server: RunningServer) -> None:
    run = Pipeline(server, cast).run(WEB, DATABASE)
    run.start(WEB)
    viewer, operator = page_of(cast.viewer), page_of(cast.operator)
    for page in (viewer, operator):
        page.goto(f"/runs/{run.id}")
        expect(page.get_by_role("button", name="Close this run")).to_have_count(0)
    last_word = now_ms() - 2_000_000
    Run.update(last_word_at=last_word).where(Run.id == run.id).execute()
    liveness.watch(now_ms(), quiet_after_ms=30_000, lost_after_ms=900_000)
    for page in (viewer, operator):
        expect(page.locator(".top")).to_contain_text("Lost")
        expect(page.locator(".remark time")).to_have_attribute("datetime", presentation.iso_moment(last_word))
        expect(page.locator("main")).to_contain_text(re.compile(r"Last word 3\d:\d\d"))
    expect(viewer.get_by_role("button", name="Close this run")).to_have_count(0)
    operator.get_by_role("button", name="Close this run").click()
    expect(operator.locator("main")).to_contain_text("The run is closed.")
    expect(viewer.locator(".top")).to_contain_text("Interrupted")
    assert [(one.action, one.subject) for one in AuditEntry.select().where(AuditEntry.action == "run.closed")] == [
        ("run.closed", run.id)
    ]
    # A late word brings the truth.
    run.done(WEB)
    expect(viewer.locator("#steps-done")).to_contain_text(WEB)


def test_a_card_alone_follows_and_wakes_by_itself(cast: Cast, page_of: PageOf, server: RunningServer) -> None:
    pipeline = Pipeline(server, cast)
    run = pipeline.run(WEB)
    run.start(WEB)
    page = page_of(cast.viewer)
    page.goto("/")
    page.locator("[data-card] .name a").click()
    card = page.locator("[data-card]")
    expect(card).to_contain_text("Creating")
    run.done(WEB)
    run.end()
    expect(card).to_contain_text("Created")
    again = pipeline.run(WEB, action="update")
    expect(card).to_contain_text("Planned, will update")
    again.start(WEB)
    expect(card).to_contain_text("Updating")
    again.done(WEB)
    expect(card).to_contain_text("Updated")
    gone = pipeline.run(WEB, action="delete")
    gone.start(WEB)
    expect(card).to_contain_text("Deleting")
    gone.done(WEB)
    gone.end()
    expect(card).to_contain_text("Deleted")
    wait_until_as_reloaded(page)
