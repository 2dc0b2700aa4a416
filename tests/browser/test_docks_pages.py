"""The pages of docks, as an owner sees them: nothing that axe-core finds, nothing that scrolls sideways."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page

from config import Settings
from models import Dock
from tests.browser.conftest import PHONE, on_one_database
from tests.browser.test_every_page import EVERYTHING, faults_of
from tests.docks.stage import Docks
from tests.harness.cast import NOW, Cast
from tests.harness.server import RunningServer

pytestmark = on_one_database


def test_they_are_read_and_used_by_everybody(
    cast: Cast,
    settings: Settings,
    page_of: Callable[..., Page],
    server: RunningServer,
    screenshot: Callable[..., list[Path]],
) -> None:
    harbour = Docks(settings, cast)
    well = harbour.connect(region="eu-west-1", stacks="web", name="prod account")
    harbour.connect(region="eu-west-1", stacks="*", name="staging account")
    Dock.update(sync_status="ok", synced_at=NOW, next_sync_at=NOW + 60_000).where(Dock.id == well.id).execute()
    Dock.update(
        sync_status="stopped", backoff=3, next_sync_at=None,
        sync_error="Not allowed to list the stacks (AccessDenied). Check the credentials and what they permit.",
    ).where(Dock.id != well.id).execute()  # fmt: skip
    paths = {"docks": "/docks/", "dock": f"/docks/{well.id}", "dock-new": "/docks/new/aws"}
    page, found = page_of(cast.owner), []
    for name, path in paths.items():
        page.goto(path)
        found += faults_of(page, EVERYTHING)
        screenshot(page, name)
    phone = page_of(cast.owner, viewport=PHONE)
    for path in paths.values():
        phone.goto(path)
        found += faults_of(phone, EVERYTHING)
        if phone.evaluate("document.documentElement.scrollWidth") > PHONE["width"]:
            found.append(f"{path} scrolls sideways")
    assert not found, "\n".join(found)
