"""The docs name every setting, command and route there is, and none that there is not."""

from __future__ import annotations

import re

import pytest
from flask import Flask

from tests.docs.tables import CHECKOUT, DOCS, command_rows, route_rows, rows, setting_rows


def assert_same(page: str, expected: list[str]) -> None:
    found = rows(page)
    lacking = [row for row in expected if row not in found]
    stale = [row for row in found if row not in expected]
    assert not lacking, f"docs/{page} lacks (make docs writes it):\n" + "\n".join(lacking)
    assert not stale, f"docs/{page} tells of what is not there:\n" + "\n".join(stale)


def test_every_setting_is_told_with_its_default_and_meaning() -> None:
    assert_same("settings.md", setting_rows())


def test_every_command_is_told() -> None:
    assert_same("commands.md", command_rows())


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_every_route_is_told_with_who_may_call_it(app: Flask) -> None:
    assert_same("routes.md", route_rows(app))


def test_every_folder_has_its_room_in_the_architecture() -> None:
    text = (DOCS / "architecture.md").read_text("utf-8")
    rooms = [path.name for path in CHECKOUT.iterdir() if path.is_dir() and (path / "__init__.py").exists()]
    assert [room for room in rooms if f"`{room}/`" not in text] == []


def test_links_between_the_docs_lead_somewhere() -> None:
    for page in [CHECKOUT / "README.md", CHECKOUT / "reporter" / "README.md", *DOCS.glob("*.md")]:
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text("utf-8")):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name} links to {target}"
