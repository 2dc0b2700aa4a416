"""Settings, Audit log: who changed what."""

from __future__ import annotations

import re

import pytest
from flask import Flask
from flask.testing import FlaskClient

from provisioning.audit import COMMAND_LINE, deeds, write_deed
from tests.harness.cast import NOW, Cast
from tests.harness.statements import assert_index_only, statements_with_parameters


class TestTheAuditLog:
    def write(self, cast: Cast, number: int) -> None:
        for one in range(number):
            # Several in one millisecond: pages must neither lose nor repeat one.
            write_deed(cast.organization.id, COMMAND_LINE, "test.deed", subject=f"deed {one:03}", now=NOW + one // 7)

    def test_is_paged_without_losing_or_repeating_one(self, owner: FlaskClient, cast: Cast) -> None:
        self.write(cast, 120)
        seen: list[str] = []
        url: str | None = "/settings/audit"
        while url:
            page = owner.get(url).text
            seen += re.findall(r"deed \d{3}", page)
            following = re.search(r'rel="next" href="([^"]+)"', page)
            url = following.group(1) if following else None
        assert seen == [f"deed {one:03}" for one in reversed(range(120))]

    def test_shows_the_organizations_own_only(self, app: Flask, owner: FlaskClient, cast: Cast) -> None:
        write_deed(cast.other_organization.id, COMMAND_LINE, "test.deed", subject="of others", now=NOW)
        assert "of others" not in owner.get("/settings/audit").text

    @pytest.mark.parametrize("cursor", ["nonsense", ".", "99999999999999999999.x", "-5.aud_x"])
    def test_a_cursor_that_cannot_be_read_is_told(self, owner: FlaskClient, cast: Cast, cursor: str) -> None:
        self.write(cast, 3)
        answer = owner.get("/settings/audit", query_string={"cursor": cursor})
        assert answer.status_code == 422
        assert "This place in the list does not exist." in answer.text

    def test_is_answered_from_its_index(self, cast: Cast) -> None:
        self.write(cast, 3)
        with statements_with_parameters() as asked:
            deeds(cast.organization.id, cursor=f"{NOW}.aud_x")
        assert len(asked) == 1
        assert_index_only(*asked[0])
