"""Settings, Roles: making, changing and deleting them."""

from __future__ import annotations

import re

import pytest
from flask import Flask
from flask.testing import FlaskClient

from models import Membership, Role
from tests.harness.cast import Cast, sign_in
from tests.harness.settings import LEVELS, last_deed, role_id


class TestRoles:
    def test_are_made(self, owner: FlaskClient, cast: Cast) -> None:
        answer = owner.post("/settings/roles", data={"name": "Release", **LEVELS})
        assert answer.status_code == 303
        role = Role.get(Role.name == "Release")
        assert (role.provisioning, role.docks, role.settings) == ("full", "none", "full")
        assert role.organization_id == cast.organization.id
        assert last_deed(cast) == (cast.owner.name, "role.created", "Release")

    @pytest.mark.parametrize("name", ["", "owner", "x" * 61])
    def test_are_not_made_with_a_name_that_is_no_good(self, owner: FlaskClient, cast: Cast, name: str) -> None:
        before = Role.select().count()
        answer = owner.post("/settings/roles", data={"name": name, "provisioning": "all"})
        assert answer.status_code == 422
        assert 'id="name-fault"' in answer.text
        assert 'id="provisioning-fault"' in answer.text
        assert Role.select().count() == before

    def test_are_changed(self, owner: FlaskClient, cast: Cast) -> None:
        bookkeeper = role_id(cast, "Bookkeeper")
        page = owner.get(f"/settings/roles/{bookkeeper}").text
        assert 'value="Bookkeeper"' in page
        assert re.search(r'<input checked[^>]*name="settings"[^>]*value="read"', page)
        answer = owner.post(f"/settings/roles/{bookkeeper}", data={"name": "Books", **LEVELS})
        assert answer.status_code == 303
        assert Role.get_by_id(bookkeeper).name == "Books"
        assert last_deed(cast) == (cast.owner.name, "role.changed", "Books")

    def test_a_change_counts_at_once(self, app: Flask, owner: FlaskClient, cast: Cast) -> None:
        theirs = sign_in(app.test_client(), cast.outsider)
        assert theirs.get("/settings/members").status_code == 200
        levels = {"provisioning": "none", "docks": "none", "settings": "none"}
        owner.post(f"/settings/roles/{role_id(cast, 'Bookkeeper')}", data={"name": "Bookkeeper", **levels})
        assert theirs.get("/settings/members").status_code == 403

    def test_presets_stay_as_they_are(self, owner: FlaskClient, cast: Cast) -> None:
        viewer = role_id(cast, "Viewer")
        assert owner.get(f"/settings/roles/{viewer}").status_code == 409
        assert owner.post(f"/settings/roles/{viewer}", data={"name": "Viewer", **LEVELS}).status_code == 409
        assert owner.post(f"/settings/roles/{viewer}/delete").status_code == 409
        assert Role.get_by_id(viewer).provisioning == "read"

    def test_the_last_owners_role_keeps_settings(self, owner: FlaskClient, cast: Cast) -> None:
        owner.post("/settings/roles", data={"name": "Boss", **LEVELS})
        boss = role_id(cast, "Boss")
        Membership.update(role=boss).where(Membership.user == cast.owner).execute()
        answer = owner.post(f"/settings/roles/{boss}", data={"name": "Boss", **LEVELS, "settings": "read"})
        assert answer.status_code == 409
        assert "without an owner" in answer.text
        assert Role.get_by_id(boss).settings == "full"

    def test_are_deleted_when_nobody_has_them(self, owner: FlaskClient, cast: Cast) -> None:
        bookkeeper = role_id(cast, "Bookkeeper")
        assert owner.post(f"/settings/roles/{bookkeeper}/delete").status_code == 409
        Membership.delete().where(Membership.role == bookkeeper).execute()
        assert owner.post(f"/settings/roles/{bookkeeper}/delete").status_code == 303
        assert Role.get_or_none(Role.id == bookkeeper) is None

    def test_of_another_organization_are_out_of_reach(self, owner: FlaskClient, cast: Cast) -> None:
        theirs = Role.create(organization=cast.other_organization, name="Theirs", settings="read")
        assert owner.get(f"/settings/roles/{theirs.id}").status_code == 404
        assert owner.post(f"/settings/roles/{theirs.id}", data={"name": "Mine", **LEVELS}).status_code == 404
        assert owner.post(f"/settings/roles/{theirs.id}/delete").status_code == 404
