"""The one-time set-up link, and the links under which somebody new sets the password."""

from __future__ import annotations

import re

import pytest
from flask import Flask
from flask.testing import FlaskClient

from models import AuditEntry, Membership, Organization, Role, SetupLink, User
from provisioning.accounts import setup_link
from tests.harness.cast import NOW, PASSWORD, Cast, make_member, sign_in

GOOD = {
    "organization_name": "Acme",
    "slug": "acme",
    "email": "First@Acme.example",
    "name": "Fay First",
    "password": PASSWORD,
    "repeated": PASSWORD,
}


class TestTheSetUpLink:
    @pytest.fixture
    def link(self, app: Flask) -> str:
        secret = setup_link(NOW)
        assert secret is not None
        return f"/setup/{secret}"

    def test_makes_the_first_owner_and_organization(self, client: FlaskClient, link: str) -> None:
        assert client.get(link).status_code == 200
        assert client.post(link, data=GOOD).headers["Location"] == "/"
        user = User.get()
        assert (user.email, user.name) == ("first@acme.example", "Fay First")
        assert Membership.get().role.name == "Owner"
        assert sorted(role.name for role in Role.select()) == ["Operator", "Owner", "Viewer"]
        assert {entry.action for entry in AuditEntry.select()} == {"organization.created", "member.added"}
        # Signed in at once, and with the password later.
        assert client.get("/settings/members").status_code == 200

    def test_works_once(self, app: Flask, client: FlaskClient, link: str) -> None:
        client.post(link, data=GOOD)
        later = app.test_client()
        assert later.get(link).status_code == 410
        assert later.post(link, data=GOOD | {"slug": "other", "email": "b@acme.example"}).status_code == 410
        assert User.select().count() == Organization.select().count() == 1

    def test_tells_all_faults_at_once_each_at_its_field(self, client: FlaskClient, link: str) -> None:
        answer = client.post(
            link, data={"organization_name": " ", "slug": "No Slug", "email": "x", "password": "pa55", "repeated": "o"}
        )
        assert answer.status_code == 422
        for field in ("organization_name", "slug", "email", "password", "repeated"):
            assert f'id="{field}-fault"' in answer.text
            assert re.search(rf'aria-describedby="{field}-fault[^"]*"[^>]* id="{field}"', answer.text)
        assert 'value="No Slug"' in answer.text
        assert "pa55" not in answer.text
        assert User.select().count() == 0
        assert client.post(link, data=GOOD).status_code == 303

    def test_ends_when_a_newer_one_is_made(self, client: FlaskClient, link: str) -> None:
        newer = setup_link(NOW)
        assert client.get(link).status_code == 410
        assert client.get(f"/setup/{newer}").status_code == 200

    def test_is_kept_as_a_hash(self, link: str) -> None:
        assert SetupLink.get().token_hash not in link
        assert link.removeprefix("/setup/") not in str(SetupLink.select().dicts().get())

    def test_is_not_made_once_there_is_a_user(self, cast: Cast) -> None:
        assert setup_link(NOW) is None

    def test_ends_when_a_user_came_by_the_command_line(self, client: FlaskClient, link: str, cast: Cast) -> None:
        assert client.get(link).status_code == 410
        assert client.post(link, data=GOOD).status_code == 410

    def test_a_made_up_one_opens_nothing(self, client: FlaskClient) -> None:
        assert client.get("/setup/setup_guess").status_code == 410


class TestAPasswordLink:
    @pytest.fixture
    def link(self, client: FlaskClient, cast: Cast) -> str:
        """The link that an owner gets on adding somebody new."""
        sign_in(client, cast.owner)
        viewer = Role.get(Role.organization == cast.organization, Role.name == "Viewer")
        page = client.post(
            "/settings/members", data={"email": "new@acme.example", "name": "Nora New", "role": viewer.id}
        )
        found = re.search(r"http://localhost(/password/[\w.-]+)", page.text)
        assert found, page.text
        assert page.headers["Cache-Control"] == "no-store"
        return found.group(1)

    def test_sets_the_password_and_signs_in(self, app: Flask, link: str) -> None:
        browser = app.test_client()
        assert "new@acme.example" in browser.get(link).text
        assert browser.post(link, data={"password": PASSWORD, "repeated": PASSWORD}).status_code == 303
        assert browser.get("/settings/account").status_code == 200
        later = app.test_client()
        assert later.post("/signin", data={"email": "new@acme.example", "password": PASSWORD}).status_code == 303

    def test_works_once(self, app: Flask, link: str) -> None:
        app.test_client().post(link, data={"password": PASSWORD, "repeated": PASSWORD})
        later = app.test_client()
        assert later.get(link).status_code == 410
        assert (
            later.post(link, data={"password": "another password!", "repeated": "another password!"}).status_code == 410
        )

    def test_tells_faults_at_their_fields(self, app: Flask, link: str) -> None:
        answer = app.test_client().post(link, data={"password": "short", "repeated": "other"})
        assert answer.status_code == 422
        assert 'id="password-fault"' in answer.text
        assert 'id="repeated-fault"' in answer.text

    def test_ends_after_three_days(self, app: Flask, link: str, monkeypatch: pytest.MonkeyPatch) -> None:
        import time

        later = time.time() + 3 * 86_400 + 5
        monkeypatch.setattr("itsdangerous.timed.time.time", lambda: later)
        assert app.test_client().get(link).status_code == 410

    @pytest.mark.parametrize("path", ["/password/nonsense", "/password/W10.aaaa.bbbb"])
    def test_a_made_up_one_opens_nothing(self, client: FlaskClient, path: str) -> None:
        assert client.get(path).status_code == 410

    def test_does_not_take_over_somebody_who_is_elsewhere_too(self, app: Flask, link: str, cast: Cast) -> None:
        make_member(cast.other_organization, "new@acme.example", "", "Owner", {})
        assert app.test_client().get(link).status_code == 410

    def test_is_not_made_for_somebody_who_is_elsewhere_too(self, client: FlaskClient, cast: Cast) -> None:
        make_member(cast.organization, cast.stranger.email, "", "Viewer", {})
        sign_in(client, cast.owner)
        answer = client.post(f"/settings/members/{cast.stranger.id}/password-link")
        assert answer.status_code == 409
        assert "/password/" not in answer.text

    def test_a_new_one_is_made_for_a_member(self, app: Flask, client: FlaskClient, cast: Cast) -> None:
        sign_in(client, cast.owner)
        answer = client.post(f"/settings/members/{cast.viewer.id}/password-link")
        found = re.search(r"/password/[\w.-]+", answer.text)
        assert found
        assert app.test_client().get(found.group()).status_code == 200
        assert AuditEntry.get(AuditEntry.action == "password.link").subject == cast.viewer.email

    def test_is_not_made_for_a_stranger(self, client: FlaskClient, cast: Cast) -> None:
        sign_in(client, cast.owner)
        assert client.post(f"/settings/members/{cast.stranger.id}/password-link").status_code == 404
