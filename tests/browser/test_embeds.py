"""Slipway inside another site's pages: framed, as an element, and as a bare fragment."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect

from models import ShareLink
from provisioning.audit import COMMAND_LINE
from provisioning.shares import NewLink, create_link, revoke_link
from tests.browser.conftest import PHONE, Faults, on_one_database
from tests.browser.pipeline import Pipeline, PipelineRun
from tests.browser.test_every_page import CONTRAST, EVERYTHING, faults_of
from tests.harness.cast import Cast
from tests.harness.host import HostSite, running_host
from tests.harness.server import RunningServer
from tests.provisioning.story import resource_at
from views.clock import now_ms

pytestmark = on_one_database

WEB, DATABASE = "aws_instance.web", "aws_db_instance.orders"
WAYS = ("frame", "element", "fragment")


@pytest.fixture(scope="module")
def host() -> Iterator[HostSite]:
    with running_host() as site:
        yield site


@pytest.fixture
def run(server: RunningServer, cast: Cast) -> PipelineRun:
    """A run of two resources; the one that is shared has begun."""
    begun = Pipeline(server, cast).run(WEB, DATABASE)
    begun.start(DATABASE)
    return begun


def share(cast: Cast, subject: str, *origins: str, fields: str = "error") -> NewLink:
    return create_link(
        organization_id=cast.organization.id, subject=subject, fields=fields, expires_in_s=3600,
        allowed_origins=origins, actor=COMMAND_LINE, now=now_ms(),
    )  # fmt: skip


def markup(way: str, token: str, server: RunningServer) -> str:
    """What the share page gives to copy."""
    return {
        "frame": f'<iframe src="{server.url}/embed/{token}" width="100%" height="50" frameborder="0" title="orders">'
        "</iframe>"
        f'<script defer src="{server.url}/embed.js"></script>',
        "element": f'<script defer src="{server.url}/embed.js"></script><slipway-card token="{token}"></slipway-card>',
        "fragment": f'<div hx-get="{server.url}/embed/{token}/fragment" hx-trigger="load" hx-swap="outerHTML"></div>',
    }[way]


# Documented in docs/embedding.md as the least that is needed.
def policy(way: str, server: RunningServer) -> str:
    home = server.url
    return {
        "frame": f"default-src 'self'; script-src 'self' {home}; frame-src {home}",
        "element": f"default-src 'self'; script-src 'self' {home}; connect-src {home}; "
        "require-trusted-types-for 'script'",
        "fragment": f"default-src 'self'; connect-src {home}",
    }[way]


HTMX = """<meta name="htmx-config" content='{"mode":"cors"}'><script defer src="/htmx.js"></script>"""


def shown(page: Page, way: str) -> Locator:
    """The card, wherever it is."""
    if way == "frame":
        return page.frame_locator("iframe >> nth=0").locator("article.card, .notice")
    return page.locator("slipway-card article" if way == "element" else ".slipway-card")


def open_host(page: Page, host: HostSite, way: str, token: str, server: RunningServer) -> Locator:
    head = HTMX if way == "fragment" else ""
    page.goto(host.page(way, markup(way, token, server), policy=policy(way, server), head=head))
    return shown(page, way)


@pytest.mark.parametrize("way", WAYS)
def test_a_card_is_live_in_another_sites_page(
    way: str, host: HostSite, run: PipelineRun, cast: Cast, page: Page, server: RunningServer
) -> None:
    link = share(cast, resource_at(DATABASE).id, host.origin)
    card = open_host(page, host, way, link.token, server)
    expect(card).to_contain_text("orders")
    expect(card).to_contain_text("Creating")
    run.fail(DATABASE, "no subnet covers two zones", "It needs two.")
    expect(card).to_contain_text("Creating failed")
    expect(card).to_contain_text("no subnet covers two zones")
    # No cookie of Slipway has come into the browser.
    assert page.context.cookies() == []


@pytest.mark.parametrize("way", WAYS)
def test_a_card_says_when_its_link_is_revoked(
    way: str, host: HostSite, run: PipelineRun, cast: Cast, page: Page, server: RunningServer, faults: Faults
) -> None:
    faults.expect("410")
    link = share(cast, resource_at(DATABASE).id, host.origin)
    card = open_host(page, host, way, link.token, server)
    expect(card).to_contain_text("Creating")
    revoke_link(organization_id=cast.organization.id, link_id=link.id, actor=COMMAND_LINE, now=now_ms())
    expect(card).to_contain_text("revoked")
    expect(card).not_to_contain_text("orders")


@pytest.mark.parametrize("way", WAYS)
def test_a_card_says_when_its_link_is_over(
    way: str, host: HostSite, run: PipelineRun, cast: Cast, page: Page, server: RunningServer, faults: Faults
) -> None:
    faults.expect("410")
    link = share(cast, resource_at(DATABASE).id, host.origin)
    card = open_host(page, host, way, link.token, server)
    expect(card).to_contain_text("Creating")
    ShareLink.update(expires_at=now_ms()).execute()
    expect(card).to_contain_text("The time of this link is over")


@pytest.mark.parametrize("way", WAYS)
def test_a_page_of_another_origin_gets_nothing(
    way: str, host: HostSite, run: PipelineRun, cast: Cast, page: Page, server: RunningServer, faults: Faults
) -> None:
    faults.expect("CORS|Content Security Policy|frame-ancestors|net::ERR|Failed to|403|htmx")
    # The same machine and port under its other name is another origin.
    link = share(cast, resource_at(DATABASE).id, f"http://127.0.0.1:{host.port}", "https://wiki.example")
    open_host(page, host, way, link.token, server)
    page.wait_for_timeout(1_000)
    if way == "frame":
        assert not any(one.locator("article.card").count() for one in page.frames[1:])
    elif way == "element":
        expect(shown(page, way)).to_contain_text("cannot be reached")
    else:
        expect(shown(page, way)).to_have_count(0)
    assert "Creating" not in page.content()


def test_the_element_says_as_of_when_its_server_is_away(
    host: HostSite, run: PipelineRun, cast: Cast, page: Page, server: RunningServer, faults: Faults
) -> None:
    faults.expect("net::ERR|Failed to load")
    link = share(cast, resource_at(DATABASE).id, host.origin)
    card = open_host(page, host, "element", link.token, server)
    expect(card).to_contain_text("Creating")
    server.stop()
    expect(card).to_contain_text(re.compile(r"Reconnecting, as of \d\d:\d\d:\d\d"))
    expect(card).to_contain_text("Creating")
    server.start()
    expect(card).not_to_contain_text("Reconnecting", timeout=40_000)


def test_the_hosts_style_sheet_does_not_reach_the_element(
    host: HostSite, run: PipelineRun, cast: Cast, page: Page, server: RunningServer
) -> None:
    link = share(cast, resource_at(DATABASE).id, host.origin)
    loud = "<style>* { color: red !important; font-size: 40px !important } b { display: none }</style>"
    page.goto(host.page("loud", markup("element", link.token, server), head=loud))
    card = shown(page, "element")
    expect(card).to_contain_text("Creating")
    style = card.locator("strong").evaluate("one => [getComputedStyle(one).fontSize, getComputedStyle(one).color]")
    assert style[0] == "14px" and style[1] != "rgb(255, 0, 0)"
    expect(card.locator("b")).to_be_visible()
    # And custom properties do.
    themed = "<style>slipway-card { --slipway-surface: rgb(1, 2, 3) }</style>"
    page.goto(host.page("themed", markup("element", link.token, server), head=themed))
    expect(shown(page, "element")).to_contain_text("Creating")
    assert shown(page, "element").evaluate("one => getComputedStyle(one).backgroundColor") == "rgb(1, 2, 3)"


def test_a_frame_grows_with_its_card(
    host: HostSite, run: PipelineRun, cast: Cast, page: Page, server: RunningServer
) -> None:
    link = share(cast, resource_at(DATABASE).id, host.origin)
    card = open_host(page, host, "frame", link.token, server)
    expect(card).to_contain_text("Creating")
    frame = page.locator("iframe")
    expect(frame).not_to_have_attribute("height", "50")
    before = int(frame.get_attribute("height") or 0)
    run.fail(DATABASE, "no subnet covers two zones", "\n".join(f"line {number}" for number in range(9)))
    expect(card).to_contain_text("line 8")
    page.wait_for_function("before => document.querySelector('iframe').height > before + 60", arg=before)
    # Nothing in the frame scrolls.
    inner = page.frames[1].evaluate("[document.documentElement.scrollHeight, innerHeight]")
    assert inner[0] <= inner[1] + 1


@pytest.mark.parametrize("way", ["frame", "element"])
def test_nothing_is_wider_than_the_hosts_page_on_a_phone(
    way: str, host: HostSite, run: PipelineRun, cast: Cast, open_context: Callable[..., BrowserContext],
    server: RunningServer,
) -> None:  # fmt: skip
    run.fail(DATABASE, "a-word-without-an-end-" * 20, "It needs two. " * 40)
    link = share(cast, resource_at(DATABASE).id, host.origin)
    page = open_context(viewport=PHONE).new_page()
    head = '<meta name="viewport" content="width=device-width">'
    page.goto(host.page(f"phone-{way}", markup(way, link.token, server), head=head))
    expect(shown(page, way)).to_contain_text("a-word-without-an-end")
    for one in page.frames:
        assert one.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


@pytest.mark.parametrize("kind", ["run", "stack"])
@pytest.mark.parametrize("way", WAYS)
def test_runs_and_stacks_are_cards_too(
    way: str, kind: str, host: HostSite, run: PipelineRun, cast: Cast, page: Page, server: RunningServer
) -> None:
    from models import Stack

    link = share(cast, run.id if kind == "run" else Stack.get().id, host.origin)
    card = open_host(page, host, way, link.token, server)
    expect(card).to_contain_text("prod")
    run.start(WEB)
    run.done(WEB, DATABASE)
    run.end()
    expect(card).to_contain_text("Succeeded" if kind == "run" else "Up: 2 resources")


def test_the_element_is_small_and_needs_nothing(page: Page, server: RunningServer) -> None:
    import gzip

    with server.client() as client:
        script = client.get("/embed.js").content
    assert len(gzip.compress(script, 9)) < 5_000
    assert b"innerHTML" not in script.replace(b"no innerHTML", b"") and b"eval(" not in script


@pytest.mark.parametrize("look", ["light", "dark"])
def test_every_way_on_a_light_and_a_dark_host(
    look: str, host: HostSite, run: PipelineRun, cast: Cast, open_context: Callable[..., object],
    server: RunningServer, screenshot: Callable[..., list[Path]],
) -> None:  # fmt: skip
    run.fail(DATABASE, "no subnet covers two zones", "It needs two.\n  on main.tf line 14")
    tokens = [share(cast, one, host.origin).token for one in (resource_at(DATABASE).id, run.id)]
    page = open_context(look=look, reduced_motion="reduce").new_page()  # type: ignore[attr-defined]
    body = "".join(markup(way, token, server) for way in WAYS for token in tokens)
    colours = "<style>:root { color-scheme: light dark } body { font: 16px sans-serif; max-width: 520px }</style>"
    page.goto(host.page(f"all-{look}", f"<h1>A wiki</h1>{body}", head=HTMX + colours))
    for way in WAYS:
        expect(shown(page, way).first).to_contain_text("no subnet")
    assert faults_of(page, EVERYTHING if look == "light" else CONTRAST) == []
    if look == "light":
        screenshot(page, "embeds-on-a-host")
