"""The checks themselves, on routes made for the purpose."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from models import Membership, User
from provisioning.audit import COMMAND_LINE
from provisioning.tokens import create_token, revoke_token, tokens
from tests.harness.cast import NOW, Cast, make_member, sign_in
from views import access
from views.access import OF_OBJECT, POLL, SHARED, NoRule, UncheckedAnswer, token
from views.clock import now_ms

AddRoute = Callable[..., None]


@dataclass(frozen=True)
class Thing:
    """Something that belongs to an organisation."""

    organization_id: str


@pytest.fixture
def add_route(app: Flask, monkeypatch: pytest.MonkeyPatch) -> AddRoute:
    def add(path: str, rule: Any, view: Callable[[], Any]) -> None:
        endpoint = path.strip("/").replace("/", ".")
        app.add_url_rule(path, endpoint, view)
        if rule is not None:
            monkeypatch.setitem(access.RULES, endpoint, rule)

    return add


def test_an_endpoint_without_a_rule_fails_in_tests(client: FlaskClient, add_route: AddRoute) -> None:
    add_route("/unruled", None, lambda: "secret")
    with pytest.raises(NoRule):
        client.get("/unruled")


def test_an_endpoint_without_a_rule_is_refused(app: Flask, client: FlaskClient, add_route: AddRoute) -> None:
    add_route("/unruled", None, lambda: "secret")
    app.testing = False
    answer = client.get("/unruled")
    assert answer.status_code == 403
    assert "secret" not in answer.text


@pytest.mark.parametrize("rule", [OF_OBJECT, POLL, SHARED])
def test_an_answer_without_a_check_fails_closed(
    app: Flask, client: FlaskClient, cast: Cast, add_route: AddRoute, rule: Any
) -> None:
    add_route("/forgotten", rule, lambda: "secret")
    sign_in(client, cast.owner)
    with pytest.raises(UncheckedAnswer):
        client.get("/forgotten")
    app.testing = False
    answer = client.get("/forgotten")
    assert answer.status_code == 500
    assert "secret" not in answer.text


@pytest.mark.parametrize(
    ("who", "reading", "changing"),
    [
        ("owner", 200, 200),
        ("operator", 200, 200),
        ("viewer", 200, 403),
        ("outsider", 403, 403),
        ("stranger", 404, 404),
    ],
)
def test_the_loaders_let_in_by_the_role_in_the_objects_organization(
    client: FlaskClient, cast: Cast, add_route: AddRoute, who: str, reading: int, changing: int
) -> None:
    thing = Thing(cast.organization.id)
    add_route("/read", OF_OBJECT, lambda: access.for_reading(thing) and "seen")
    add_route("/change", OF_OBJECT, lambda: access.for_changing(thing) and "done")
    sign_in(client, cast.by_name(who))
    assert client.get("/read").status_code == reading
    assert client.get("/change").status_code == changing


def test_a_refusal_names_the_permission_and_who_can_give_it(
    client: FlaskClient, cast: Cast, add_route: AddRoute
) -> None:
    add_route("/change", OF_OBJECT, lambda: access.for_changing(Thing(cast.organization.id)) and "done")
    sign_in(client, cast.viewer)
    page = client.get("/change").text
    assert "provisioning:full" in page
    assert cast.owner.name in page
    assert cast.stranger.name not in page


def test_what_is_not_there_looks_like_what_is_not_yours(client: FlaskClient, cast: Cast, add_route: AddRoute) -> None:
    nothing: Thing | None = None
    add_route("/none", OF_OBJECT, lambda: access.for_reading(nothing) and "seen")
    add_route("/theirs", OF_OBJECT, lambda: access.for_reading(Thing(cast.organization.id)) and "seen")
    sign_in(client, cast.stranger)
    none, theirs = client.get("/none"), client.get("/theirs")
    assert none.status_code == theirs.status_code == 404
    told = [re.sub(r'"X-CSRFToken": "[^"]+"|name="csrf_token" value="[^"]+"', "", page.text) for page in (none, theirs)]
    assert told[0] == told[1]


def test_a_token_reads_its_own_organization_only(client: FlaskClient, cast: Cast, add_route: AddRoute) -> None:
    add_route("/api/own", token("read"), lambda: access.for_reading(Thing(cast.organization.id)) and "seen")
    add_route("/api/other", token("read"), lambda: access.for_reading(Thing(cast.other_organization.id)) and "seen")
    headers = {"Authorization": f"Bearer {a_token(cast)}"}
    assert client.get("/api/own", headers=headers).status_code == 200
    assert client.get("/api/other", headers=headers).status_code == 404


def test_the_reader_of_a_page_is_the_user(client: FlaskClient, cast: Cast, add_route: AddRoute) -> None:
    add_route("/search", OF_OBJECT, lambda: access.reader().user_id or "")
    sign_in(client, cast.viewer)
    assert client.get("/search").text == cast.viewer.id


def test_who_may_read_provisioning_nowhere_is_told_so(client: FlaskClient, cast: Cast, add_route: AddRoute) -> None:
    add_route("/search", OF_OBJECT, lambda: access.reader().user_id or "")
    sign_in(client, cast.outsider)
    answer = client.get("/search")
    assert answer.status_code == 403
    assert "provisioning:read" in answer.text


@pytest.mark.parametrize("path", ["/fragments/operations", "/fragments/runs", "/fragments/stacks"])
@pytest.mark.parametrize("since", [0, -1])
class TestAPoll:
    """Of an organisation as it is (0: nothing has happened in it yet), and of one that has changed."""

    @pytest.mark.parametrize(("who", "is_let_in"), [("owner", True), ("viewer", True), ("outsider", False)])
    def test_goes_by_the_role(
        self, client: FlaskClient, cast: Cast, path: str, since: int, who: str, is_let_in: bool
    ) -> None:
        sign_in(client, cast.by_name(who), cast.organization)
        answer = client.get(f"{path}?since={since}", headers={"HX-Request": "true"})
        expected = 204 if since == 0 else 200
        assert answer.status_code == (expected if is_let_in else 403)

    def test_ends_with_the_session(self, client: FlaskClient, cast: Cast, path: str, since: int) -> None:
        sign_in(client, cast.owner)
        User.update(version=User.version + 1).execute()
        shown_by = {"HX-Request": "true", "HX-Current-URL": "http://localhost/runs?page=2"}
        answer = client.get(f"{path}?since={since}", headers=shown_by)
        assert answer.status_code == 401
        assert answer.headers["HX-Redirect"] == "/signin?next=/runs%3Fpage%3D2"

    def test_ends_with_the_membership(self, client: FlaskClient, cast: Cast, path: str, since: int) -> None:
        sign_in(client, cast.viewer)
        Membership.delete().where(Membership.user == cast.viewer).execute()
        assert client.get(f"{path}?since={since}", headers={"HX-Request": "true"}).status_code == 404

    def test_of_another_organisation_is_not_answered(
        self, client: FlaskClient, cast: Cast, path: str, since: int
    ) -> None:
        sign_in(client, cast.stranger, cast.organization)
        assert client.get(f"{path}?since={since}", headers={"HX-Request": "true"}).status_code == 404


class TestATokenOfTheApi:
    @pytest.fixture(autouse=True)
    def route(self, add_route: AddRoute) -> None:
        add_route("/api/asked", token("read"), lambda: "told")

    @pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Bearer slipway_unknown", "Basic abc"])
    def test_is_wanted(self, client: FlaskClient, cast: Cast, header: str) -> None:
        answer = client.get("/api/asked", headers={"Authorization": header} if header else {})
        assert answer.status_code == 401
        assert answer.content_type == "application/problem+json"
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
        problem = answer.get_json(force=True)
        assert problem["status"] == 401
        assert "token" in problem["remedy"]

    def test_ends_when_it_is_revoked(self, client: FlaskClient, cast: Cast) -> None:
        secret = a_token(cast)
        assert ask(client, secret) == 200
        [shown] = tokens(cast.organization.id)
        revoke_token(organization_id=cast.organization.id, token_id=shown.id, actor=COMMAND_LINE, now=NOW)
        assert ask(client, secret) == 401

    def test_ends_by_its_time(self, client: FlaskClient, cast: Cast) -> None:
        day = 86_400_000
        assert ask(client, a_token(cast, days=1, now=now_ms() - 2 * day)) == 401
        assert ask(client, a_token(cast, days=1, now=now_ms())) == 200

    def test_tells_the_scope_that_is_missing(self, client: FlaskClient, cast: Cast) -> None:
        headers = {"Authorization": f"Bearer {a_token(cast, scope='ingest')}"}
        answer = client.get("/api/asked", headers=headers)
        assert answer.status_code == 403
        assert "read" in answer.get_json(force=True)["remedy"]


def ask(client: FlaskClient, secret: str) -> int:
    return client.get("/api/asked", headers={"Authorization": f"Bearer {secret}"}).status_code


def a_token(cast: Cast, *, scope: str = "read", days: int | None = None, now: int = NOW) -> str:
    return create_token(
        organization_id=cast.organization.id,
        name="test",
        scopes=[scope],
        expires_in_days=days,
        actor=COMMAND_LINE,
        now=now,
    )


def test_the_current_organization_falls_back_to_one_that_is_left(client: FlaskClient, cast: Cast) -> None:
    make_member(cast.other_organization, cast.owner.email, "", "Owner", {}, NOW + 1)
    sign_in(client, cast.owner, cast.organization)
    Membership.delete().where(Membership.user == cast.owner, Membership.organization == cast.organization).execute()
    assert "Globex" in client.get("/settings/organization").text
    with client.session_transaction() as session:
        # Polls know the current organisation from here alone.
        assert session["organization"] == cast.other_organization.id


@pytest.mark.parametrize("path", ["/settings/audit?before=%00", "/settings/roles/%00"])
def test_a_nul_character_in_the_address_is_refused(client: FlaskClient, cast: Cast, path: str) -> None:
    sign_in(client, cast.owner)
    assert client.get(path).status_code == 400


def test_a_nul_character_in_a_form_is_refused(client: FlaskClient, cast: Cast) -> None:
    sign_in(client, cast.owner)
    assert client.post("/settings/members", data={"email": "a\0@b.example", "role": "x"}).status_code == 400
