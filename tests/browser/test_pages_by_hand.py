"""The pages of what is done by hand, imported and logged: none is too wide, and none needs a script."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.browser.conftest import PHONE, Faults, on_one_database
from tests.harness.cast import Cast
from tests.harness.server import RunningServer

pytestmark = on_one_database

PageOf = Callable[..., Page]


def paths(server: RunningServer, cast: Cast) -> list[str]:
    from models import Run, Server
    from tests.provisioning.story import Story, tell

    story = Story(1_795_600_000_000).started("web").started("db").failed("db").error("db", "No quota", "3 of 3 used")
    tell(cast.organization.id, story.lines, 1_795_600_009_000, end="1")
    run = Run.get()
    return [
        "/imports",
        "/resources/new",
        f"/resources/{Server.get().id}/set",
        f"/runs/{run.id}",
        f"/runs/{run.id}/log",
        f"/runs/{run.id}/log?q=nobody",
        f"/stacks/{run.stack_id}/settings",
    ]


def test_nothing_scrolls_sideways_on_a_phone(cast: Cast, page_of: PageOf, server: RunningServer) -> None:
    page = page_of(cast.owner, viewport=PHONE)
    for path in paths(server, cast):
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], path


def test_a_person_enters_a_resource_and_sets_it_without_javascript(
    cast: Cast, page_of: PageOf, server: RunningServer, faults: Faults
) -> None:
    faults.expect("status of 422")
    page = page_of(cast.operator, java_script_enabled=False)
    page.goto("/resources/new")
    page.get_by_label("Name", exact=True).fill("rack-7")
    page.get_by_text("Of a server").click()
    page.get_by_label("IP address").fill("seven")
    page.get_by_role("button", name="Enter").click()
    expect(page.locator("#primaryIpAddress-fault")).to_contain_text("no IP address")
    page.get_by_label("IP address").fill("203.0.113.7")
    page.get_by_role("button", name="Enter").click()
    expect(page.get_by_text("It is entered.")).to_be_visible()
    page.get_by_role("link", name="Set by hand").click()
    page.get_by_label("State", exact=True).select_option("failed")
    page.get_by_text("Why it failed").click()
    page.get_by_label("Error", exact=True).fill("Disk 2 is dead")
    page.get_by_role("button", name="Set").click()
    expect(page.get_by_text("Disk 2 is dead").first).to_be_visible()
