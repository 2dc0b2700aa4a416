"""The dashboard while things move: nobody reloads it."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import Faults
from tests.browser.pipeline import LONG_DETAIL, Pipeline
from tests.harness.cast import PASSWORD, Cast
from tests.harness.server import RunningServer

PageOf = Callable[..., Page]
WEB, DATABASE, ZONE = "aws_instance.web", "aws_db_instance.orders", "aws_route53_zone.shop"


def card(page: Page, name: str) -> Locator:
    """The card of this name."""
    return page.locator("[data-card]").filter(has=page.locator(".name", has_text=name))


@pytest.mark.parametrize("role", ["owner", "operator", "viewer"])
def test_each_role_sees_cards_move_without_a_reload(role: str, cast: Cast, page: Page, server: RunningServer) -> None:
    page.goto("/")
    page.get_by_label("Email").fill(cast.by_name(role).email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Send your first run")).to_be_visible()
    page.evaluate("window.isStillTheSamePage = true")

    run = Pipeline(server, cast).run(WEB, DATABASE)
    web, orders = card(page, "web"), card(page, "orders")
    expect(web).to_contain_text("Planned, will create")
    expect(orders).to_have_attribute("data-status", "validating")
    run.start(WEB, DATABASE)
    expect(web).to_contain_text("Creating")
    expect(web.locator("progress")).to_be_visible()
    expect(web).to_contain_text("run: 0 of 2, 2 in flight")
    run.done(WEB)
    expect(web).to_contain_text("Created")
    expect(web).to_have_attribute("data-status", "success")
    expect(page.locator("#section-2")).to_contain_text("web")
    run.fail(DATABASE, "creating the instance: no subnet covers two zones", "It needs two.\n  on main.tf line 14")
    run.end(1)
    expect(orders).to_contain_text("Creating failed")
    expect(orders).to_contain_text("creating the instance: no subnet covers two zones")
    expect(orders).to_contain_text("on main.tf line 14")
    expect(page.locator("#section-0")).to_contain_text("orders")
    expect(page.locator("#counts")).to_contain_text("1 failed")
    # Status changes are told to those who listen.
    expect(page.locator("#announcer")).to_contain_text("orders: Creating failed")
    assert page.evaluate("window.isStillTheSamePage") is True


def test_a_member_without_the_permission_is_told_which_one_is_missing(
    cast: Cast, page_of: PageOf, faults: Faults
) -> None:
    faults.expect("403")
    page = page_of(cast.outsider)
    answer = page.goto("/")
    assert answer is not None and answer.status == 403
    expect(page.locator("main")).to_contain_text("provisioning:read")
    expect(page.locator("main")).to_contain_text("Ada Owner")


def test_another_organisation_sees_nothing_of_it(cast: Cast, page_of: PageOf, server: RunningServer) -> None:
    Pipeline(server, cast).run(WEB)
    page = page_of(cast.stranger)
    page.goto("/")
    expect(page.get_by_role("heading", name="Send your first run")).to_be_visible()
    expect(page.locator("[data-card]")).to_have_count(0)


def test_open_details_focus_and_typed_text_survive_swaps(cast: Cast, page_of: PageOf, server: RunningServer) -> None:
    run = Pipeline(server, cast).run(WEB, DATABASE, ZONE)
    run.start(WEB, DATABASE)
    run.fail(DATABASE, "timeout while waiting", LONG_DETAIL)
    page = page_of(cast.viewer)
    page.goto("/")
    rest = card(page, "orders").locator("details")
    rest.locator("summary").click()
    search = page.get_by_label("Search")
    search.fill("half-typ")
    search.evaluate("field => field.setSelectionRange(2, 5)")

    # A card alone changes: it is swapped in its place.
    run.start(ZONE)
    expect(card(page, "shop")).to_contain_text("Creating")
    # A card moves to another section: the whole list is swapped.
    run.done(WEB)
    expect(page.locator("#section-2")).to_contain_text("web")
    # What stayed open changes itself.
    run.end(1)
    expect(card(page, "shop")).to_contain_text("Creating interrupted")
    expect(rest).to_have_attribute("open", "")
    expect(search).to_have_value("half-typ")
    expect(search).to_be_focused()
    assert search.evaluate("field => [field.selectionStart, field.selectionEnd]") == [2, 5]

    link = card(page, "orders").locator(".name a")
    link.focus()
    again = Pipeline(server, cast).run(DATABASE, action="update")
    again.start(DATABASE)
    expect(page.locator("#section-1")).to_contain_text("orders")
    expect(link).to_be_focused()


def test_an_ended_session_leads_to_the_sign_in(
    cast: Cast, page_of: PageOf, faults: Faults, server: RunningServer
) -> None:
    faults.expect("401")
    Pipeline(server, cast).run(WEB)
    page = page_of(cast.viewer)
    page.goto("/?type=server")
    expect(card(page, "web")).to_be_visible()
    cast.viewer.version += 1
    cast.viewer.save()
    page.wait_for_url(re.compile(r"/signin\?next=/"))
    assert "type%3Dserver" in page.url


def test_filters_stand_in_the_address_and_apply_at_once(cast: Cast, page_of: PageOf, server: RunningServer) -> None:
    run = Pipeline(server, cast).run(WEB, DATABASE)
    page = page_of(cast.viewer)
    page.goto("/")
    page.get_by_label("Type").select_option("database")
    page.wait_for_url(re.compile(r"/\?type=database$"))
    expect(page.locator("[data-card]")).to_have_count(1)
    expect(card(page, "orders")).to_be_visible()
    page.get_by_label("Search").fill("nothing like it")
    page.get_by_label("Search").press("Enter")
    expect(page.get_by_role("heading", name="Nothing matches")).to_be_visible()
    assert "q=nothing" in page.url and "type=database" in page.url and "status" not in page.url
    page.get_by_role("link", name="Show everything").click()
    expect(page.locator("[data-card]")).to_have_count(2)
    run.start(WEB)
    page.locator("#counts").get_by_role("link", name="1 provisioning").click()
    page.wait_for_url(re.compile(r"/\?status=provisioning$"))
    expect(page.locator("[data-card]")).to_have_count(1)
    # A card that no longer fits leaves by itself.
    run.done(WEB)
    expect(page.get_by_role("heading", name="Nothing matches")).to_be_visible()
