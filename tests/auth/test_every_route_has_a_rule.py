"""Every route of the app has a rule, and every rule lets in whom it should and nobody else."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.routing import Rule as Route

from provisioning.audit import COMMAND_LINE
from provisioning.tokens import create_token
from tests.harness.cast import NOW, Cast, sign_in
from views.access import RULES, Kind

# Somebody of the cast who is a member and whose role lacks the permission.
LACKS = {
    "provisioning:read": "outsider",
    "provisioning:full": "viewer",
    "docks:read": "viewer",
    "docks:full": "operator",
    "settings:read": "viewer",
    "settings:full": "outsider",
}


def of_kind(*kinds: Kind) -> list[str]:
    return sorted(endpoint for endpoint, rule in RULES.items() if rule.kind in kinds)


def ask(app: Flask, client: FlaskClient, endpoint: str, **headers: str) -> list[tuple[str, int, str]]:
    """Call every method of every route of the endpoint; (method, status, Location or HX-Redirect)."""
    answers = []
    for route in app.url_map.iter_rules(endpoint):
        for method in sorted((route.methods or set()) & {"GET", "POST", "PUT", "PATCH", "DELETE"}):
            answer = client.open(a_path(app, route), method=method, headers=headers)
            answers.append(
                (method, answer.status_code, answer.headers.get("Location") or answer.headers.get("HX-Redirect", ""))
            )
    assert answers, f"{endpoint} is no endpoint of the app"
    return answers


def a_path(app: Flask, route: Route) -> str:
    with app.test_request_context():
        return app.url_map.bind("localhost").build(route.endpoint, dict.fromkeys(route.arguments, "nothing"))


def is_to_sign_in(location: str) -> bool:
    return location.split("?")[0] == "/signin"


def test_no_route_is_without_a_rule(app: Flask) -> None:
    endpoints = {route.endpoint for route in app.url_map.iter_rules()}
    assert endpoints - set(RULES) == set(), "add a line to views.access.RULES"


def test_no_rule_is_without_a_route(app: Flask) -> None:
    endpoints = {route.endpoint for route in app.url_map.iter_rules()}
    assert set(RULES) - endpoints == set(), "take the line out of views.access.RULES"


@pytest.mark.parametrize("endpoint", of_kind(Kind.PUBLIC))
def test_a_public_route_lets_everybody_in(app: Flask, client: FlaskClient, endpoint: str) -> None:
    for method, status, location in ask(app, client, endpoint):
        assert status not in {401, 403}, method
        # Signing out leads to sign-in, whoever asks.
        assert endpoint == "auth.sign_out" or not is_to_sign_in(location), method


@pytest.mark.parametrize("endpoint", of_kind(Kind.SIGNED_IN, Kind.ORGANIZATION, Kind.OBJECT, Kind.POLL))
class TestWhoIsNotSignedIn:
    def test_is_led_to_sign_in(self, app: Flask, client: FlaskClient, endpoint: str) -> None:
        for method, status, location in ask(app, client, endpoint):
            assert status == 303, method
            assert is_to_sign_in(location), method

    def test_is_told_by_htmx_to_load_the_sign_in_page(self, app: Flask, client: FlaskClient, endpoint: str) -> None:
        for method, status, location in ask(app, client, endpoint, **{"HX-Request": "true"}):
            assert status == 401, method
            assert is_to_sign_in(location), method


@pytest.mark.parametrize("endpoint", of_kind(Kind.SIGNED_IN))
def test_a_route_for_the_signed_in_lets_them_in(app: Flask, client: FlaskClient, cast: Cast, endpoint: str) -> None:
    sign_in(client, cast.outsider)
    for method, status, location in ask(app, client, endpoint):
        assert status not in {401, 403}, method
        assert endpoint == "auth.sign_out_everywhere" or not is_to_sign_in(location), method


@pytest.mark.parametrize("endpoint", of_kind(Kind.ORGANIZATION))
class TestARouteOfTheCurrentOrganization:
    def test_lets_an_owner_in(self, app: Flask, client: FlaskClient, cast: Cast, endpoint: str) -> None:
        sign_in(client, cast.owner)
        for method, status, location in ask(app, client, endpoint):
            assert status not in {401, 403}, method
            assert not is_to_sign_in(location), method

    def test_refuses_a_member_without_the_permission(
        self, app: Flask, client: FlaskClient, cast: Cast, endpoint: str
    ) -> None:
        rule = RULES[endpoint]
        for method in ("GET", "POST"):
            needed = rule.needed if method == "GET" else rule.to_change
            sign_in(client, cast.by_name(LACKS[needed]))
            for asked, status, _ in ask(app, client, endpoint):
                if (asked == "GET") is (method == "GET"):
                    assert status == 403, asked

    def test_refuses_a_user_without_an_organization(
        self, app: Flask, client: FlaskClient, cast: Cast, endpoint: str
    ) -> None:
        from models import Membership

        Membership.delete().where(Membership.user == cast.stranger).execute()
        sign_in(client, cast.stranger)
        for method, status, _ in ask(app, client, endpoint):
            assert status == 404, method


@pytest.mark.parametrize("endpoint", of_kind(Kind.OBJECT))
def test_a_route_of_an_object_hides_what_is_not_there(
    app: Flask, client: FlaskClient, cast: Cast, endpoint: str
) -> None:
    sign_in(client, cast.owner)
    for method, status, _ in ask(app, client, endpoint):
        assert status in {404, 405}, method


@pytest.mark.parametrize("endpoint", of_kind(Kind.TOKEN))
class TestARouteForTokens:
    def test_refuses_who_has_none(self, app: Flask, client: FlaskClient, cast: Cast, endpoint: str) -> None:
        sign_in(client, cast.owner)  # A session is of no use here.
        for method, status, _ in ask(app, client, endpoint):
            assert status == 401, method

    def test_refuses_another_scope(self, app: Flask, client: FlaskClient, cast: Cast, endpoint: str) -> None:
        other = "read" if RULES[endpoint].needed != "read" else "ingest"
        for method, status, _ in ask(app, client, endpoint, **bearer(cast, other)):
            assert status == 403, method

    @pytest.mark.parametrize("scope", ["its own", "full"])
    def test_lets_its_scope_in(self, app: Flask, client: FlaskClient, cast: Cast, endpoint: str, scope: str) -> None:
        given = RULES[endpoint].needed if scope == "its own" else scope
        for method, status, _ in ask(app, client, endpoint, **bearer(cast, given)):
            assert status not in {401, 403}, method


def bearer(cast: Cast, scope: str) -> dict[str, str]:
    secret = create_token(
        organization_id=cast.organization.id, name="test", scopes=[scope], actor=COMMAND_LINE, now=NOW
    )
    return {"Authorization": f"Bearer {secret}"}
