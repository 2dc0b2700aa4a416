"""Settings, API tokens: making and revoking them."""

from __future__ import annotations

import re

from flask import Flask
from flask.testing import FlaskClient

from models import ApiToken, AuditEntry
from tests.harness.cast import Cast, sign_in
from tests.harness.settings import last_deed


class TestTokens:
    def make(self, client: FlaskClient, **values: object) -> str:
        answer = client.post(
            "/settings/tokens", data={"name": "CI", "scopes": ["ingest", "read"], "expires_in_days": "30", **values}
        )
        assert answer.status_code == 200
        assert answer.headers["Cache-Control"] == "no-store"
        found = re.search(r"slipway_[\w-]{43}", answer.text)
        assert found
        return found.group()

    def test_are_shown_once_and_kept_as_a_hash(self, owner: FlaskClient, cast: Cast) -> None:
        secret = self.make(owner)
        assert secret not in owner.get("/settings/tokens").text
        row = ApiToken.get()
        assert secret not in str(row.__data__)
        assert row.scopes == "ingest read"
        assert row.prefix == secret[:12]
        assert row.created_by_id == cast.owner.id
        assert row.expires_at - row.created_at == 30 * 86_400_000
        assert secret not in str([entry.__data__ for entry in AuditEntry.select()])
        assert last_deed(cast) == (cast.owner.name, "token.created", "CI")

    def test_may_last_for_ever(self, owner: FlaskClient) -> None:
        self.make(owner, expires_in_days="")
        assert ApiToken.get().expires_at is None

    def test_all_faults_are_told_at_once_and_values_kept(self, owner: FlaskClient) -> None:
        answer = owner.post("/settings/tokens", data={"name": "", "scopes": ["all"], "expires_in_days": "soon"})
        assert answer.status_code == 422
        for field in ("name", "scopes", "expires_in_days"):
            assert f'id="{field}-fault"' in answer.text
        answer = owner.post("/settings/tokens", data={"name": "", "scopes": ["read"], "expires_in_days": "7"})
        assert re.search(r'<input checked[^>]*value="read"', answer.text)
        assert '<option selected value="7">' in answer.text
        assert ApiToken.select().count() == 0

    def test_are_revoked(self, owner: FlaskClient, cast: Cast) -> None:
        self.make(owner)
        token_id = ApiToken.get().id
        assert owner.post(f"/settings/tokens/{token_id}/revoke").status_code == 303
        revoked_at = ApiToken.get().revoked_at
        assert revoked_at is not None
        assert last_deed(cast) == (cast.owner.name, "token.revoked", "CI")
        # A second click changes nothing.
        assert owner.post(f"/settings/tokens/{token_id}/revoke").status_code == 303
        assert ApiToken.get().revoked_at == revoked_at

    def test_of_another_organization_are_out_of_reach(self, app: Flask, owner: FlaskClient, cast: Cast) -> None:
        self.make(sign_in(app.test_client(), cast.stranger))
        token_id = ApiToken.get().id
        assert token_id not in owner.get("/settings/tokens").text
        assert owner.post(f"/settings/tokens/{token_id}/revoke").status_code == 404
        assert ApiToken.get().revoked_at is None
