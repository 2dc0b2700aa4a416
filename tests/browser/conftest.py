"""Chromium for the browser tests: one a process, a fresh context for each person, and no fault goes unseen."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import pytest
from flask import Flask
from flask.sessions import SecureCookieSessionInterface
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Error, Page, expect, sync_playwright

from config import Settings
from keys import secret_key
from models import Membership, User
from tests.conftest import missing
from tests.harness.server import RunningServer

CHROMIUM = os.environ.get("SLIPWAY_TEST_CHROMIUM") or shutil.which("chromium") or "/usr/bin/chromium"

# Without these, Chromium looks for its maker's servers at every start.
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip

DESKTOP = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 844}

ACTIVE_MS, SETTLED_MS = 200, 400

# How long a test waits for what comes in a moment on a machine that is not busy.
PATIENCE_MS = 30_000
expect.set_options(timeout=PATIENCE_MS)

on_one_database = pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
"""For tests of what happens in the browser alone: `pytestmark = on_one_database`."""

Look = Literal["light", "dark"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every test of this folder drives a browser."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's Chromium."""
    if not Path(CHROMIUM).exists():
        missing(f"There is no Chromium at {CHROMIUM}: run `make programs`.")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


class Faults:
    """What went wrong in the pages of one test. The test fails at its end where there is any."""

    def __init__(self) -> None:
        self.found: list[str] = []
        self.expected: list[re.Pattern[str]] = []

    def expect(self, pattern: str) -> None:
        """Say that faults with this text belong to the test: a server that was stopped, a 404 that was asked for."""
        self.expected.append(re.compile(pattern))

    def unexpected(self) -> list[str]:
        """Those that nobody expected."""
        return [one for one in self.found if not any(pattern.search(one) for pattern in self.expected)]

    def watch(self, page: Page) -> None:
        """Remember what this page's console and scripts report."""
        page.on("console", self._console)
        page.on("pageerror", self._page_error)

    def _console(self, message: ConsoleMessage) -> None:
        # Chromium reports a broken content security policy as an error in the console.
        if message.type == "error" or "Content Security Policy" in message.text:
            self.found.append(f"console: {message.text} ({message.location.get('url', '')})")

    def _page_error(self, error: Error) -> None:
        self.found.append(f"script: {error.message}")


@pytest.fixture
def faults() -> Iterator[Faults]:
    """Console errors, violations of the content security policy and script errors; `faults.expect(…)` allows some."""
    faults = Faults()
    yield faults
    assert not faults.unexpected(), "\n".join(faults.unexpected())


@pytest.fixture(scope="session")
def _quick_servers() -> Iterator[dict[str, RunningServer]]:
    """The servers of the browser tests of this process, by kind of database."""
    servers: dict[str, RunningServer] = {}
    yield servers
    for server in servers.values():
        server.end()


@pytest.fixture
def server(settings: Settings, database_kind: str, _quick_servers: dict[str, RunningServer]) -> RunningServer:
    """A real server whose pages ask several times a second, so that no test waits for their next poll."""
    server = _quick_servers.get(database_kind)
    if server is None:
        server = RunningServer(
            home=settings.home_path,
            database_url=settings.database_url,
            poll_active_ms=ACTIVE_MS,
            poll_settled_ms=SETTLED_MS,
            show_builtin_types="yes",
        )
        _quick_servers[database_kind] = server
    server.forget_log()
    if not server.is_running:
        server.start()
    return server


@pytest.fixture
def open_context(browser: Browser, server: RunningServer, faults: Faults) -> Iterator[Callable[..., BrowserContext]]:
    """Open browser contexts on the test's server::

    context = open_context(look="dark", viewport=PHONE)
    context = open_context(cast.viewer, java_script_enabled=False)

    With a user it is signed in, by the session's cookie; any other keyword is Playwright's.
    """
    opened: list[BrowserContext] = []

    def open_one(user: User | None = None, *, look: Look = "light", **options: object) -> BrowserContext:
        options.setdefault("viewport", DESKTOP)
        context = browser.new_context(base_url=server.url, color_scheme=look, **options)  # type: ignore[arg-type]
        # Loopback is quick: what takes longer than this does not come.
        context.set_default_timeout(PATIENCE_MS)
        context.on("page", faults.watch)
        if user is not None:
            context.add_cookies([{"name": "slipway", "value": session_cookie(server, user), "url": server.url}])
        opened.append(context)
        return context

    yield open_one
    for context in opened:
        context.close()


@pytest.fixture
def page(open_context: Callable[..., BrowserContext]) -> Page:
    """A page of a visitor who is not signed in."""
    return open_context().new_page()


@pytest.fixture
def page_of(open_context: Callable[..., BrowserContext]) -> Callable[..., Page]:
    """A page of a signed-in user: `page_of(cast.owner)`, `page_of(cast.viewer, look="dark", viewport=PHONE)`."""

    def page_of(user: User, **options: object) -> Page:
        return open_context(user, **options).new_page()

    return page_of


@pytest.fixture
def screenshot(request: pytest.FixtureRequest) -> Callable[..., list[Path]]:
    """Take pictures of a page: desktop and phone, light and dark::

        screenshot(page, "dashboard-busy")

    They go to SLIPWAY_TEST_SCREENSHOTS where that is set, and are not taken otherwise.
    """
    folder = os.environ.get("SLIPWAY_TEST_SCREENSHOTS")

    def take(page: Page, name: str) -> list[Path]:
        if not folder:
            return []
        taken = []
        before = page.viewport_size
        looks: tuple[Look, ...] = ("light", "dark")
        for size_name, size in (("desktop", DESKTOP), ("phone", PHONE)):
            page.set_viewport_size(size)  # type: ignore[arg-type]
            for look in looks:
                page.emulate_media(color_scheme=look)
                path = Path(folder) / f"{name}-{size_name}-{look}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                page.screenshot(path=path, full_page=True, animations="disabled")
                taken.append(path)
        page.emulate_media(color_scheme=None)
        if before is not None:
            page.set_viewport_size(before)
        return taken

    return take


def session_cookie(server: RunningServer, user: User) -> str:
    """The cookie that the sign-in form would have given the user."""
    # Flask's own signer, with the key of the server's home folder.
    signer = Flask("signer")
    signer.secret_key = secret_key(Settings(home=str(server.home)))
    serializer = SecureCookieSessionInterface().get_signing_serializer(signer)
    assert serializer is not None
    membership = Membership.get_or_none(Membership.user == user)
    content = {"_user_id": f"{user.id}:{user.version}", "_fresh": True, "_permanent": True}
    if membership is not None:
        content["organization"] = membership.organization_id
    return str(serializer.dumps(content))
