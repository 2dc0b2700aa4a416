"""Sharing as a member does it, and the shared page as whoever has the link sees it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import BrowserContext, Page, expect

from models import ShareLink, Stack
from provisioning.audit import COMMAND_LINE
from provisioning.shares import create_link
from tests.browser.conftest import Faults, on_one_database
from tests.browser.pipeline import Pipeline
from tests.browser.test_every_page import faults_in_both_looks
from tests.harness.cast import Cast
from tests.harness.server import RunningServer
from tests.provisioning.story import resource_at
from views.clock import now_ms

pytestmark = on_one_database

PageOf = Callable[..., Page]
WEB, DATABASE = "aws_instance.web", "aws_db_instance.orders"


def link_of(page: Page) -> str:
    """The address that the page shows once."""
    return page.locator("#the-link").inner_text().strip()


def test_a_member_shares_a_resource_and_somebody_without_an_account_watches_it(
    cast: Cast, page_of: PageOf, page: Page, server: RunningServer, faults: Faults
) -> None:
    faults.expect("410")
    run = Pipeline(server, cast).run(WEB, DATABASE)
    run.start(DATABASE)
    member = page_of(cast.operator)
    member.goto(f"/p/{resource_at(DATABASE).id}")
    member.get_by_role("link", name="Share…").click()
    member.get_by_label("The same, and why something failed").check()
    member.get_by_label("1 day").check()
    member.get_by_role("button", name="Make the link").click()
    address = link_of(member)
    assert re.fullmatch(rf"{server.url}/s/share_[\w-]{{43}}", address)

    page.goto(address)
    expect(page.locator("[data-card]")).to_contain_text("Creating")
    page.evaluate("window.isStillTheSamePage = true")
    run.fail(DATABASE, "no subnet covers two zones", "It needs two.")
    expect(page.locator("[data-card]")).to_contain_text("no subnet covers two zones")
    expect(page.locator("#live")).to_have_text("Live")
    assert page.evaluate("window.isStillTheSamePage") is True
    assert page.context.cookies() == []
    assert page.evaluate("document.referrer") == ""

    member.goto("/shares")
    row = member.locator("tbody tr")
    expect(row).to_contain_text("orders")
    expect(row).to_contain_text("Ada Operator")
    row.get_by_role("button", name="Revoke").click()
    expect(member.locator(".told")).to_contain_text("revoked")
    expect(page.get_by_role("heading", name="This link has ended")).to_be_visible()
    expect(page.locator("main")).to_contain_text("revoked")
    expect(page.locator("main")).not_to_contain_text("orders")


def test_an_open_page_notices_that_its_time_is_over(
    cast: Cast, page: Page, server: RunningServer, faults: Faults
) -> None:
    faults.expect("410")
    run = Pipeline(server, cast).run(WEB)
    run.start(WEB)
    for subject in (run.id, Stack.get().id):
        made = create_link(
            organization_id=cast.organization.id, subject=subject, fields="details", expires_in_s=3600,
            actor=COMMAND_LINE, now=now_ms(),
        )  # fmt: skip
        page.goto(f"/s/{made.token}")
        expect(page.locator("h1")).to_contain_text("prod")
        ShareLink.update(expires_at=now_ms()).where(ShareLink.id == made.id).execute()
        expect(page.get_by_role("heading", name="This link has ended")).to_be_visible()


def test_a_viewer_is_offered_no_sharing(cast: Cast, page_of: PageOf, server: RunningServer, faults: Faults) -> None:
    faults.expect("403")
    Pipeline(server, cast).run(WEB)
    subject = resource_at(WEB).id
    page = page_of(cast.viewer)
    page.goto(f"/p/{subject}")
    expect(page.locator("[data-card]")).to_be_visible()
    expect(page.get_by_role("link", name="Share…")).to_have_count(0)
    page.goto(f"/shares/new?subject={subject}")
    expect(page.locator("main")).to_contain_text("provisioning:full")


def test_the_previews_are_live_and_what_is_copied_is_what_is_shown(
    cast: Cast, open_context: Callable[..., BrowserContext], server: RunningServer
) -> None:
    run = Pipeline(server, cast).run(WEB, DATABASE)
    context = open_context(cast.owner, permissions=["clipboard-read", "clipboard-write"])
    page = context.new_page()
    page.goto(f"/shares/new?subject={resource_at(WEB).id}")
    page.get_by_label("Pages that may embed it").fill("https://wiki.example.com\nhttp://localhost:3000")
    page.get_by_role("button", name="Make the link").click()
    frame = page.frame_locator("iframe").locator("article.card")
    element, fragment = page.locator("slipway-card article"), page.locator(".preview .slipway-card")
    for one in (frame, element, fragment):
        expect(one).to_contain_text("Planned, will create")
    run.start(WEB)
    for one in (frame, element, fragment):
        expect(one).to_contain_text("Creating")
    for name in ("badge-text", "frame-text", "element-text", "fragment-text", "text-text"):
        section = page.locator(".command").filter(has=page.locator(f"#{name}"))
        section.get_by_role("button", name="Copy").click()
        expect(section.get_by_role("button")).to_have_text("Copied")
        assert page.evaluate("navigator.clipboard.readText()") == page.locator(f"#{name}").text_content()
    assert page.locator("img").evaluate_all("all => all.every(one => one.complete && one.naturalWidth > 0)")


def test_sharing_needs_no_script(
    cast: Cast, page_of: PageOf, open_context: Callable[..., BrowserContext], server: RunningServer, faults: Faults
) -> None:
    faults.expect("422")
    Pipeline(server, cast).run(WEB)
    member = page_of(cast.owner, java_script_enabled=False)
    member.goto(f"/shares/new?subject={resource_at(WEB).id}")
    member.get_by_label("Pages that may embed it").fill("wiki")
    member.get_by_role("button", name="Make the link").click()
    expect(member.locator(".field-fault")).to_contain_text("“wiki” is no origin")
    member.get_by_label("Pages that may embed it").fill("")
    member.get_by_role("button", name="Make the link").click()
    visitor = open_context(java_script_enabled=False).new_page()
    visitor.goto(link_of(member))
    expect(visitor.locator("[data-card]")).to_contain_text("web")
    expect(visitor.get_by_role("link", name="reload")).to_be_visible()


def test_axe_finds_nothing_on_the_pages_of_sharing(
    cast: Cast, page_of: PageOf, server: RunningServer, faults: Faults,
    screenshot: Callable[..., list[Path]],
) -> None:  # fmt: skip
    faults.expect("410|404")
    run = Pipeline(server, cast).run(WEB, DATABASE)
    run.start(WEB, DATABASE)
    run.fail(DATABASE, "no subnet covers two zones", "It needs two.\n  on main.tf line 14")
    found: list[str] = []
    page = page_of(cast.owner, reduced_motion="reduce")

    def look_at(address: str, name: str) -> None:
        if address:
            page.goto(address)
        page.wait_for_timeout(300)
        found.extend(faults_in_both_looks(page))
        screenshot(page, name)

    look_at("/shares", "share-list-empty")
    look_at(f"/shares/new?subject={resource_at(DATABASE).id}", "share-form")
    page.get_by_label("The same, and why something failed").check()
    page.get_by_label("Pages that may embed it").fill("https://wiki.example.com")
    page.get_by_role("button", name="Make the link").click()
    expect(page.locator("slipway-card article")).to_contain_text("Creating failed")
    address = link_of(page)
    look_at("", "share-made")
    look_at(f"/p/{resource_at(DATABASE).id}", "card-with-share")
    look_at("/shares", "share-list")
    page = page_of(None, reduced_motion="reduce")
    look_at(address, "shared-resource")
    for fields in ("status", "details"):
        for subject, name in ((run.id, "run"), (Stack.get().id, "stack")):
            made = create_link(
                organization_id=cast.organization.id, subject=subject, fields=fields, expires_in_s=3600,
                actor=COMMAND_LINE, now=now_ms(),
            )  # fmt: skip
            look_at(f"/s/{made.token}", f"shared-{name}-{fields}")
    look_at(address.replace("/s/", "/embed/"), "embed-frame")
    look_at("/s/share_wrong", "shared-unknown")
    ShareLink.update(expires_at=now_ms()).execute()
    look_at(address, "shared-expired")
    look_at("/api/v1/docs", "api-docs")
    assert not found, "\n".join(found)
