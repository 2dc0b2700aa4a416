"""What all settings pages have in common."""

from __future__ import annotations

import re

import pytest
from flask.testing import FlaskClient

from models import Organization, User
from tests.harness.cast import Cast, sign_in
from tests.harness.settings import LEVELS


class TestTheIndex:
    def test_leads_to_the_first_page_that_one_may_see(self, client: FlaskClient, cast: Cast) -> None:
        assert sign_in(client, cast.outsider).get("/settings/").headers["Location"] == "/settings/organization"
        assert sign_in(client, cast.viewer).get("/settings/").headers["Location"] == "/settings/account"


@pytest.mark.parametrize("page", ["organization", "members", "roles", "tokens", "audit"])
def test_who_may_only_read_sees_no_form(client: FlaskClient, cast: Cast, page: str) -> None:
    text = sign_in(client, cast.outsider).get(f"/settings/{page}").text
    main = text.split("<main")[1].split("</main>")[0]
    assert "<form" not in main


def test_no_page_writes_a_name_as_markup(client: FlaskClient, cast: Cast) -> None:
    evil = "<script>alert(1)</script>"
    User.update(name=evil).where(User.id == cast.owner.id).execute()
    Organization.update(name=evil).where(Organization.id == cast.organization.id).execute()
    sign_in(client, cast.owner)
    client.post("/settings/roles", data={"name": evil, **LEVELS})
    client.post("/settings/tokens", data={"name": evil, "scopes": ["read"], "expires_in_days": ""})
    for page in ("organization", "members", "roles", "tokens", "audit", "account"):
        text = client.get(f"/settings/{page}").text
        assert evil not in text
        assert "style=" not in text
        assert not re.search(r"<script(?![^>]*src=)", text)
