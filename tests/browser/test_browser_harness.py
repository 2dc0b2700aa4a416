"""The browser tests' own ground: Chromium runs, faults are seen, a session's cookie signs in."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page

from tests.browser.conftest import Faults
from tests.harness.cast import Cast
from tests.harness.server import RunningServer


def test_it_sees_what_the_console_reports(page: Page, faults: Faults, server: RunningServer) -> None:
    # A page of plain text names no icon, so that Chromium asks for this one.
    faults.expect("favicon.ico")
    page.goto("/healthz")
    assert page.inner_text("body").strip() == "ok"
    faults.expect("for the test")
    page.evaluate("console.error('for the test')")
    page.evaluate("setTimeout(() => { throw new Error('for the test') })")
    page.wait_for_timeout(100)
    assert [one for one in faults.found if "for the test" in one] == [
        "console: for the test ()",
        "script: for the test",
    ]
    assert faults.unexpected() == []


def test_it_sees_a_broken_content_security_policy(page: Page, faults: Faults) -> None:
    faults.expect("Content Security Policy|favicon.ico")
    page.goto("/healthz")
    page.evaluate("document.body.setAttribute('style', 'color: red')")
    page.evaluate("document.body.insertAdjacentHTML('beforeend', '<img src=\"http://example.invalid/x.png\">')")
    page.wait_for_timeout(100)
    assert any("Content Security Policy" in one for one in faults.found), faults.found


def test_a_session_cookie_signs_in(cast: Cast, page_of: Callable[..., Page]) -> None:
    page = page_of(cast.owner)
    page.goto("/settings/account")
    assert "/signin" not in page.url
