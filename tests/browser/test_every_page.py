"""Every page in every state: no fault that axe-core finds, nothing that scrolls sideways, and no need of JavaScript."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.conftest import PHONE, on_one_database
from tests.browser.pipeline import Pipeline
from tests.browser.stage import set_stage
from tests.harness.cast import PASSWORD, Cast
from tests.harness.server import RunningServer

pytestmark = on_one_database

PageOf = Callable[..., Page]

SETTINGS = {
    "account": "/settings/account",
    "organization": "/settings/organization",
    "members": "/settings/members",
    "roles": "/settings/roles",
    "tokens": "/settings/tokens",
    "audit": "/settings/audit",
}


EVERYTHING = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
CONTRAST = ["color-contrast"]


def faults_in_both_looks(page: Page) -> list[str]:
    """What axe-core finds on a light page, and in its colours when it is dark: a line a rule with the elements."""
    found = faults_of(page, EVERYTHING)
    page.emulate_media(color_scheme="dark")
    found += faults_of(page, CONTRAST)
    page.emulate_media(color_scheme="light")
    return found


def faults_of(page: Page, rules: list[str]) -> list[str]:
    """What axe-core finds by these rules or groups of rules, a line a rule with the elements."""
    found = Axe().run(page, options={"runOnly": rules, "resultTypes": ["violations"]})
    return [
        f"{page.url}: {one['id']}: {one['help']}: {[node['html'][:120] for node in one['nodes'][:3]]}"
        for one in found.response["violations"]
    ]


def all_pages(server: RunningServer, cast: Cast) -> Iterator[tuple[str, str]]:
    """Name and path of every page that a signed-in owner reaches."""
    stage = set_stage(Pipeline(server, cast))
    yield from stage.pages.items()
    yield from SETTINGS.items()


def test_axe_finds_nothing(
    cast: Cast,
    page_of: PageOf,
    server: RunningServer,
    screenshot: Callable[..., list[Path]],
) -> None:
    page, found = page_of(cast.owner, reduced_motion="reduce"), []
    page.goto("/")
    found += faults_in_both_looks(page)
    screenshot(page, "dashboard-first-run")
    for name, path in all_pages(server, cast):
        page.goto(path)
        found += faults_in_both_looks(page)
        screenshot(page, name.replace(" ", "-"))
    page.goto("/")
    page.locator("#menu summary").click()
    found += faults_in_both_looks(page)
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_visible()
    found += faults_in_both_looks(page)
    visitor = page_of(None, reduced_motion="reduce")
    visitor.goto("/signin")
    found += faults_in_both_looks(visitor)
    assert not found, "\n".join(found)


def test_nothing_scrolls_sideways_on_a_phone(cast: Cast, page_of: PageOf, server: RunningServer) -> None:
    page, found = page_of(cast.owner, viewport=PHONE), []
    for name, path in all_pages(server, cast):
        page.goto(path)
        width = page.evaluate("document.documentElement.scrollWidth")
        if width > PHONE["width"]:
            found.append(f"{name} is {width} px wide")
    assert not found, "\n".join(found)


def test_every_page_works_without_javascript(cast: Cast, page_of: PageOf, server: RunningServer) -> None:
    page = page_of(cast.owner, java_script_enabled=False)
    for name, path in all_pages(server, cast):
        answer = page.goto(path)
        assert answer is not None and answer.status == 200, name
        expect(page.locator("main h1").first).to_be_visible()
        # No control that only a script could serve.
        for button in page.locator("button:visible").all():
            assert button.evaluate("button => !!button.form || button.type === 'submit'"), f"{name}: {button}"


def test_signing_in_filtering_and_signing_out_work_without_javascript(
    cast: Cast, page_of: PageOf, server: RunningServer
) -> None:
    run = Pipeline(server, cast).run("aws_instance.web", "aws_db_instance.orders")
    run.start("aws_instance.web")
    page = page_of(None, java_script_enabled=False)
    page.goto("/?type=server")
    page.get_by_label("Email").fill(cast.viewer.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    assert page.url.endswith("/?type=server")
    expect(page.locator("[data-card]")).to_have_count(1)
    page.get_by_label("Type").select_option("database")
    page.get_by_role("button", name="Filter").click()
    assert "type=database" in page.url
    expect(page.locator("[data-card]")).to_contain_text("orders")
    page.locator("[data-card] .name a").click()
    expect(page.locator("[data-card]")).to_contain_text("Planned, will create")
    page.locator("#menu summary").click()
    page.get_by_role("button", name="Sign out").click()
    page.goto("/")
    assert "/signin" in page.url
