"""What the keyboard and the small buttons do."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import Page, expect

from provisioning.tokens import tokens
from tests.browser.conftest import PHONE, on_one_database
from tests.browser.pipeline import LONG_DETAIL, Pipeline
from tests.harness.cast import Cast, make_member, make_organization
from tests.harness.server import RunningServer

pytestmark = on_one_database

PageOf = Callable[..., Page]
ADDRESSES = [f"aws_instance.node-{number}" for number in range(3)]


def focused_name(page: Page) -> str:
    """The name of the card that has the focus."""
    return str(
        page.evaluate("document.activeElement?.closest('[data-card]')?.querySelector('.name').textContent ?? ''")
    )


def test_the_list_is_walked_and_opened_by_keys(cast: Cast, page_of: PageOf, server: RunningServer) -> None:
    Pipeline(server, cast).run(*ADDRESSES)
    page = page_of(cast.viewer)
    page.goto("/")
    names = page.locator("[data-card] .name").all_inner_texts()
    page.keyboard.press("j")
    assert focused_name(page) == names[0]
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("j")
    assert focused_name(page) == names[2]
    page.keyboard.press("k")
    assert focused_name(page) == names[1]
    page.keyboard.press("/")
    expect(page.get_by_label("Search")).to_be_focused()
    # In a field they are letters.
    page.keyboard.type("j/k?")
    expect(page.get_by_label("Search")).to_have_value("j/k?")
    page.get_by_label("Search").fill("")
    page.get_by_label("Search").blur()
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url("**/p/srv_*")
    expect(page.locator("h1")).to_have_text(names[0])


def test_the_keys_are_listed(cast: Cast, page_of: PageOf, server: RunningServer) -> None:
    page = page_of(cast.viewer)
    page.goto("/runs")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog", name="Keys")).to_be_hidden()


def test_the_first_stop_of_the_tab_key_skips_to_the_content(cast: Cast, page_of: PageOf, server: RunningServer) -> None:
    page = page_of(cast.viewer)
    page.goto("/stacks")
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to the content")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()


def test_an_error_is_copied_whole(cast: Cast, page_of: PageOf, server: RunningServer) -> None:
    run = Pipeline(server, cast).run(*ADDRESSES)
    run.start(ADDRESSES[0])
    run.fail(ADDRESSES[0], "it did not start", LONG_DETAIL)
    page = page_of(cast.viewer, permissions=["clipboard-read", "clipboard-write"])
    page.goto("/?status=error")
    page.get_by_role("button", name="Copy error").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith("it did not start\nLine 1:") and "Line 40:" in copied
    expect(page.get_by_role("button", name="Copy error")).to_be_visible()


def test_the_first_run_is_sent_by_the_very_commands_of_the_page(
    cast: Cast, page_of: PageOf, server: RunningServer
) -> None:
    page = page_of(cast.owner, permissions=["clipboard-read", "clipboard-write"])
    page.goto("/")
    expect(page.locator("#command-fetch")).to_contain_text(f"{server.url}/reporter.py")
    page.get_by_role("button", name="Make a token").click()
    command = page.locator("#command-token").inner_text()
    found = re.search(r"SLIPWAY_TOKEN=(\S+)", command)
    assert found is not None and f"SLIPWAY_URL={server.url}" in command
    [made] = tokens(cast.organization.id)
    assert made.name == "First run"
    page.get_by_role("button", name="Copy").nth(1).click()
    assert page.evaluate("navigator.clipboard.readText()") == command

    pipeline = Pipeline(server, cast)
    pipeline.token = found.group(1)
    pipeline.run(*ADDRESSES)
    # The page was the answer to a form, and is live all the same.
    expect(page.locator("[data-card]")).to_have_count(3)
    page.goto("/")
    expect(page.locator("body")).not_to_contain_text(found.group(1))


def test_a_role_that_makes_no_tokens_is_told_who_does(cast: Cast, page_of: PageOf, server: RunningServer) -> None:
    page = page_of(cast.viewer)
    page.goto("/")
    expect(page.get_by_role("button", name="Make a token")).to_have_count(0)
    expect(page.locator("#first-run")).to_contain_text("Ada Owner")


def test_organisations_are_switched_in_the_header(cast: Cast, page_of: PageOf, server: RunningServer) -> None:
    second = make_organization("initech", "Initech")
    levels = {"provisioning": "read", "docks": "none", "settings": "none"}
    make_member(second, cast.viewer.email, cast.viewer.name, "Reader", levels)
    Pipeline(server, cast).run(*ADDRESSES)
    page = page_of(cast.viewer, viewport=PHONE)
    page.goto("/")
    expect(page.locator("[data-card]")).to_have_count(3)
    page.locator("#menu summary").click()
    page.get_by_role("button", name="Initech").click()
    expect(page.locator("#menu summary")).to_contain_text("Initech")
    expect(page.get_by_role("heading", name="Send your first run")).to_be_visible()
    # A poll asks for the organisation that the page shows now.
    Pipeline(server, cast).run("aws_instance.elsewhere")
    with page.expect_response(lambda answer: "/fragments/" in answer.url) as answer:
        pass
    assert answer.value.status == 204
    expect(page.locator("[data-card]")).to_have_count(0)


def test_the_menu_closes_by_escape_and_by_a_click_elsewhere(cast: Cast, page_of: PageOf, server: RunningServer) -> None:
    page = page_of(cast.viewer)
    page.goto("/runs")
    menu, summary = page.locator("#menu"), page.locator("#menu summary")
    summary.click()
    expect(menu).to_have_attribute("open", "")
    page.keyboard.press("Escape")
    expect(menu).not_to_have_attribute("open", "")
    expect(summary).to_be_focused()
    summary.click()
    page.locator("main").click()
    expect(menu).not_to_have_attribute("open", "")
