"""Settings, Your account: the password."""

from __future__ import annotations

from flask import Flask
from flask.testing import FlaskClient

from models import Membership, User
from provisioning.passwords import password_fits
from tests.harness.cast import PASSWORD, Cast, sign_in
from tests.harness.settings import last_deed


class TestTheAccount:
    def change(self, client: FlaskClient, **values: str) -> tuple[int, str]:
        data = {"current": PASSWORD, "new": "another good one", "repeated": "another good one", **values}
        answer = client.post("/settings/account/password", data=data)
        return answer.status_code, answer.text

    def test_gets_another_password(self, app: Flask, client: FlaskClient, cast: Cast) -> None:
        here, there = sign_in(client, cast.viewer), sign_in(app.test_client(), cast.viewer)
        assert self.change(here)[0] == 303
        assert password_fits("another good one", User.get_by_id(cast.viewer.id).password_hash)
        # This session goes on in its organisation, the others have ended.
        assert here.get("/settings/account").status_code == 200
        assert there.get("/settings/account").status_code == 303
        assert last_deed(cast) == (cast.viewer.name, "password.changed", cast.viewer.email)

    def test_keeps_its_password_where_something_is_wrong(self, client: FlaskClient, cast: Cast) -> None:
        sign_in(client, cast.viewer)
        status, page = self.change(client, current="wrong", new="short", repeated="other")
        assert status == 422
        for field in ("current", "new", "repeated"):
            assert f'id="{field}-fault"' in page
        assert User.get_by_id(cast.viewer.id).version == cast.viewer.version

    def test_is_shown_to_who_belongs_nowhere(self, client: FlaskClient, cast: Cast) -> None:
        Membership.delete().where(Membership.user == cast.viewer).execute()
        page = sign_in(client, cast.viewer).get("/settings/account")
        assert page.status_code == 200
        assert cast.viewer.email in page.text
