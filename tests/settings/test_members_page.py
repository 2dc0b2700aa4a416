"""Settings, Members: adding, changing and removing people."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient

from models import AuditEntry, Role, User
from tests.harness.cast import Cast, make_member, sign_in
from tests.harness.settings import last_deed, role_id, role_of
from tests.harness.statements import count_statements


class TestMembers:
    def test_are_listed(self, owner: FlaskClient, cast: Cast) -> None:
        page = owner.get("/settings/members").text
        for user in (cast.owner, cast.operator, cast.viewer, cast.outsider):
            assert user.email in page
        assert cast.stranger.email not in page

    def test_are_added_with_a_link(self, owner: FlaskClient, cast: Cast) -> None:
        answer = owner.post(
            "/settings/members",
            data={"email": "New@Acme.example", "name": "Nora", "role": role_id(cast, "Operator")},
        )
        assert answer.status_code == 200
        assert "/password/" in answer.text
        user = User.get(User.email == "new@acme.example")
        assert role_of(cast, user) == "Operator"
        assert user.password_hash == ""
        assert last_deed(cast) == (cast.owner.name, "member.added", "new@acme.example")
        assert "has not set a password yet" in owner.get("/settings/members").text

    def test_who_have_an_account_keep_it(self, owner: FlaskClient, cast: Cast) -> None:
        answer = owner.post(
            "/settings/members",
            data={"email": cast.stranger.email, "name": "Renamed", "role": role_id(cast, "Viewer")},
        )
        assert answer.status_code == 303
        user = User.get_by_id(cast.stranger.id)
        assert (user.name, user.password_hash) == (cast.stranger.name, cast.stranger.password_hash)
        assert role_of(cast, user) == "Viewer"

    def test_are_not_added_twice(self, owner: FlaskClient, cast: Cast) -> None:
        answer = owner.post("/settings/members", data={"email": cast.viewer.email, "role": role_id(cast, "Viewer")})
        assert answer.status_code == 422
        assert "is a member already" in answer.text

    def test_all_faults_are_told_at_once_and_values_kept(self, owner: FlaskClient, cast: Cast) -> None:
        answer = owner.post("/settings/members", data={"email": "no address", "name": "n" * 101, "role": "rol_x"})
        assert answer.status_code == 422
        for field in ("email", "name", "role"):
            assert f'id="{field}-fault"' in answer.text
        assert 'value="no address"' in answer.text

    def test_a_role_of_another_organization_is_none(self, owner: FlaskClient, cast: Cast) -> None:
        theirs = Role.get(Role.organization == cast.other_organization)
        answer = owner.post("/settings/members", data={"email": "x@acme.example", "role": theirs.id})
        assert answer.status_code == 422
        assert User.get_or_none(User.email == "x@acme.example") is None

    def test_get_another_role(self, owner: FlaskClient, cast: Cast) -> None:
        answer = owner.post(f"/settings/members/{cast.viewer.id}/role", data={"role": role_id(cast, "Operator")})
        assert answer.status_code == 303
        assert role_of(cast, cast.viewer) == "Operator"
        assert last_deed(cast) == (cast.owner.name, "member.role", cast.viewer.email)

    def test_are_removed(self, app: Flask, owner: FlaskClient, cast: Cast) -> None:
        theirs = sign_in(app.test_client(), cast.outsider)
        assert theirs.get("/settings/members").status_code == 200
        assert owner.post(f"/settings/members/{cast.outsider.id}/remove").status_code == 303
        assert theirs.get("/settings/members").status_code == 404
        assert User.get_or_none(User.id == cast.outsider.id) is not None
        assert last_deed(cast) == (cast.owner.name, "member.removed", cast.outsider.email)

    @pytest.mark.parametrize("deed", ["role", "remove"])
    def test_the_last_owner_stays(self, owner: FlaskClient, cast: Cast, deed: str) -> None:
        before = AuditEntry.select().count()
        answer = owner.post(f"/settings/members/{cast.owner.id}/{deed}", data={"role": role_id(cast, "Viewer")})
        assert answer.status_code == 409
        assert "without an owner" in answer.text
        assert role_of(cast, cast.owner) == "Owner"
        assert AuditEntry.select().count() == before

    @pytest.mark.parametrize("deed", ["role", "remove"])
    def test_the_last_but_one_owner_may_go(self, owner: FlaskClient, cast: Cast, deed: str) -> None:
        make_member(cast.organization, "second@acme.example", "Sue Second", "Owner", {})
        answer = owner.post(f"/settings/members/{cast.owner.id}/{deed}", data={"role": role_id(cast, "Viewer")})
        assert answer.status_code == 303

    def test_an_owner_who_is_disabled_does_not_count(self, owner: FlaskClient, cast: Cast) -> None:
        second = make_member(cast.organization, "second@acme.example", "Sue Second", "Owner", {})
        User.update(disabled=True).where(User.id == second.id).execute()
        assert owner.post(f"/settings/members/{cast.owner.id}/remove").status_code == 409

    @pytest.mark.parametrize("deed", ["role", "remove"])
    def test_of_another_organization_are_out_of_reach(self, owner: FlaskClient, cast: Cast, deed: str) -> None:
        answer = owner.post(f"/settings/members/{cast.stranger.id}/{deed}", data={"role": role_id(cast, "Viewer")})
        assert answer.status_code == 404

    def test_are_listed_by_as_many_statements_however_many_they_are(self, owner: FlaskClient, cast: Cast) -> None:
        owner.get("/settings/members")
        with count_statements() as few:
            owner.get("/settings/members")
        for number in range(20):
            make_member(cast.organization, f"m{number}@acme.example", "", "Viewer", {})
        with count_statements() as many:
            owner.get("/settings/members")
        assert len(few) == len(many) == 3, many
