"""Signing in: who gets in, where it leads, and what it gives away."""

from __future__ import annotations

import time

import pytest
from argon2 import PasswordHasher
from flask import Flask
from flask.testing import FlaskClient

from models import Membership, User
from tests.harness.cast import PASSWORD, Cast, make_member, sign_in
from views.access import safe_next
from views.clock import now_ms


def post(client: FlaskClient, email: str, password: str = PASSWORD, **more: str) -> tuple[int, str]:
    answer = client.post("/signin", data={"email": email, "password": password, **more})
    return answer.status_code, answer.headers.get("Location", "")


def test_it_leads_to_the_dashboard(client: FlaskClient, cast: Cast) -> None:
    assert post(client, cast.viewer.email) == (303, "/")
    assert client.get("/settings/account").status_code == 200


def test_it_leads_back_to_the_page_that_was_asked_for(client: FlaskClient, cast: Cast) -> None:
    assert client.get("/settings/members").headers["Location"] == "/signin?next=/settings/members"
    assert 'name="next" value="/settings/members"' in client.get("/signin?next=/settings/members").text
    assert post(client, cast.owner.email, next="/settings/members") == (303, "/settings/members")


@pytest.mark.parametrize("spelt", ["OWNER@ACME.EXAMPLE", "  owner@acme.example "])
def test_it_takes_an_email_however_it_is_spelt(client: FlaskClient, cast: Cast, spelt: str) -> None:
    assert post(client, spelt)[0] == 303


@pytest.mark.parametrize("email", ["owner@acme.example", "nobody@acme.example", "no address", ""])
def test_a_wrong_password_and_an_unknown_email_are_told_the_same(client: FlaskClient, cast: Cast, email: str) -> None:
    answer = client.post("/signin", data={"email": email, "password": "wrong"})
    assert answer.status_code == 422
    assert "No account has this email and this password." in answer.text
    assert "wrong" not in answer.text
    assert client.get("/settings/account").status_code == 303


def test_an_unknown_email_takes_the_same_work(client: FlaskClient, cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    from provisioning import passwords

    checked = []
    verify = passwords.hasher.verify

    def counted(_: object, kept: str, given: str) -> bool:
        checked.append(kept)
        return verify(kept, given)

    monkeypatch.setattr(passwords.hasher.__class__, "verify", counted)
    post(client, cast.owner.email, "wrong")
    post(client, "nobody@acme.example", "wrong")
    assert len(checked) == 2


def test_the_email_is_kept_in_the_form_and_the_password_is_not(client: FlaskClient, cast: Cast) -> None:
    page = client.post("/signin", data={"email": cast.owner.email, "password": "secret guess"}).text
    assert f'value="{cast.owner.email}"' in page
    assert "secret guess" not in page


def test_a_disabled_user_stays_out(client: FlaskClient, cast: Cast) -> None:
    User.update(disabled=True).where(User.id == cast.viewer).execute()
    assert post(client, cast.viewer.email)[0] == 422


def test_a_user_who_was_disabled_is_out_at_once(client: FlaskClient, cast: Cast) -> None:
    sign_in(client, cast.viewer)
    User.update(disabled=True).where(User.id == cast.viewer).execute()
    assert client.get("/settings/account").status_code == 303


def test_a_user_without_a_password_stays_out(client: FlaskClient, cast: Cast) -> None:
    User.update(password_hash="").where(User.id == cast.viewer).execute()
    assert post(client, cast.viewer.email, "")[0] == 422


def test_nothing_of_an_earlier_session_is_left(client: FlaskClient, cast: Cast) -> None:
    with client.session_transaction() as session:
        session["organization"] = cast.other_organization.id
        session["planted"] = "by somebody else"
    post(client, cast.viewer.email)
    with client.session_transaction() as session:
        assert "planted" not in session
        assert session["organization"] == cast.organization.id
        assert session["_user_id"] == f"{cast.viewer.id}:{cast.viewer.version}"


def test_a_hash_of_other_strength_is_made_anew(client: FlaskClient, cast: Cast) -> None:
    weak = PasswordHasher(time_cost=2, memory_cost=8, parallelism=1).hash(PASSWORD)
    User.update(password_hash=weak).where(User.id == cast.viewer.id).execute()
    post(client, cast.viewer.email)
    assert User.get_by_id(cast.viewer.id).password_hash != weak
    assert post(client, cast.viewer.email)[0] == 303


def test_who_is_signed_in_already_goes_on(client: FlaskClient, cast: Cast) -> None:
    sign_in(client, cast.viewer)
    assert client.get("/signin?next=/runs").headers["Location"] == "/runs"


def test_with_no_user_at_all_the_page_tells_of_the_set_up_link(client: FlaskClient) -> None:
    assert "set-up link" in client.get("/signin").text


@pytest.mark.parametrize(
    ("target", "followed"),
    [
        ("/runs?page=2", "/runs?page=2"),
        ("", "/"),
        (None, "/"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("https://evil.example", "/"),
        ("javascript:alert(1)", "/"),
        ("runs", "/"),
        ("/\n/evil.example", "/"),
    ],
)
def test_it_leads_to_no_other_site(target: str | None, followed: str) -> None:
    assert safe_next(target) == followed


class TestTheSessionCookie:
    def test_is_out_of_reach_of_scripts_and_other_sites(self, client: FlaskClient, cast: Cast) -> None:
        cookie = set_cookie(client, cast)
        assert "HttpOnly" in cookie
        assert "SameSite=Lax" in cookie
        assert "Secure" not in cookie

    def test_is_secure_over_tls(self, client: FlaskClient, cast: Cast) -> None:
        assert "Secure" in set_cookie(client, cast, base_url="https://slipway.example")

    def test_lasts_as_long_as_the_setting_says(self, app: Flask, client: FlaskClient, cast: Cast) -> None:
        days = (app.permanent_session_lifetime.total_seconds()) / 86_400
        assert days == app.config["SETTINGS"].session_days
        assert "Expires=" in set_cookie(client, cast)

    def test_is_not_sent_again_with_every_answer(self, client: FlaskClient, cast: Cast) -> None:
        post(client, cast.viewer.email)
        client.get("/settings/account")
        assert "Set-Cookie" not in client.get("/settings/account").headers

    def test_that_was_good_once_is_not_taken_for_ever(
        self, app: Flask, client: FlaskClient, cast: Cast, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        post(client, cast.viewer.email)
        for _ in range(2):
            assert client.get("/settings/account").status_code == 200
        later = time.time() + (app.config["SETTINGS"].session_days + 1) * 86_400
        monkeypatch.setattr("views.sessions.time.time", lambda: later)
        assert client.get("/settings/account").status_code == 303

    def test_is_refused_when_it_is_forged(self, client: FlaskClient, cast: Cast) -> None:
        post(client, cast.viewer.email)
        cookie = client.get_cookie("slipway")
        assert cookie is not None
        # The signature's first character: the last one's low bits are padding, which base64 leaves unread.
        signed, signature = cookie.value.rsplit(".", 1)
        client.set_cookie("slipway", f"{signed}.{'A' if signature[0] != 'A' else 'B'}{signature[1:]}")
        assert client.get("/settings/account").status_code == 303

    def test_tells_a_message_once_only(self, client: FlaskClient, cast: Cast) -> None:
        # Verified cookies are remembered; what one request takes out of its session must not come back with the next.
        sign_in(client, cast.owner)
        for _ in range(2):
            client.post("/settings/organization", data={"organization_name": "Acme"})
            assert client.get("/settings/organization").text.count("The name is changed.") == 1
            assert "The name is changed." not in client.get("/settings/organization").text


def set_cookie(client: FlaskClient, cast: Cast, **more: str) -> str:
    answer = client.post("/signin", data={"email": cast.viewer.email, "password": PASSWORD}, **more)
    return answer.headers["Set-Cookie"]


class TestGuessing:
    def test_is_stopped_for_one_account_from_one_address(self, client: FlaskClient, cast: Cast) -> None:
        for _ in range(10):
            assert post(client, cast.owner.email, "wrong")[0] == 422
        answer = client.post("/signin", data={"email": cast.owner.email.upper(), "password": PASSWORD})
        assert answer.status_code == 429
        assert 0 < int(answer.headers["Retry-After"]) <= 900
        # Others behind the same address, and the owner somewhere else, still get in.
        assert post(client, cast.viewer.email)[0] == 303
        elsewhere = client.post(
            "/signin",
            data={"email": cast.owner.email, "password": PASSWORD},
            environ_overrides={"REMOTE_ADDR": "203.0.113.9"},
        )
        assert elsewhere.status_code == 303

    def test_is_forgotten_once_the_owner_came(self, client: FlaskClient, cast: Cast) -> None:
        for _ in range(3):
            for _ in range(9):
                post(client, cast.owner.email, "wrong")
            assert post(client, cast.owner.email)[0] == 303

    def test_is_stopped_for_all_accounts_from_one_address(
        self, client: FlaskClient, cast: Cast, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from limits import parse

        from views import rate_limit

        monkeypatch.setattr(rate_limit, "PER_ADDRESS", parse("3 per minute"))
        for number in range(3):
            assert post(client, f"guess{number}@acme.example", "wrong")[0] == 422
        assert post(client, cast.viewer.email)[0] == 429

    def test_may_go_on_after_the_window(self, client: FlaskClient, cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
        clock = [now_ms()]
        monkeypatch.setattr("views.rate_limit.now_ms", lambda: clock[0])
        for _ in range(10):
            assert post(client, cast.viewer.email, "wrong")[0] == 422
        clock[0] += 15 * 60_000 - 1
        answer = client.post("/signin", data={"email": cast.viewer.email, "password": PASSWORD})
        assert (answer.status_code, answer.headers["Retry-After"]) == (429, "1")
        clock[0] += 1
        assert post(client, cast.viewer.email)[0] == 303

    def test_is_counted_across_processes(self, app: Flask, client: FlaskClient, cast: Cast) -> None:
        from app import create_app

        for _ in range(10):
            post(client, cast.owner.email, "wrong")
        other = create_app(app.config["SETTINGS"])
        other.config["WTF_CSRF_ENABLED"] = False
        assert post(other.test_client(), cast.owner.email)[0] == 429


class TestSigningOut:
    def test_ends_this_session(self, client: FlaskClient, cast: Cast) -> None:
        sign_in(client, cast.viewer)
        assert client.post("/signout").headers["Location"] == "/signin"
        assert client.get("/settings/account").status_code == 303

    def test_everywhere_ends_every_session(self, app: Flask, client: FlaskClient, cast: Cast) -> None:
        here, there = sign_in(client, cast.viewer), sign_in(app.test_client(), cast.viewer)
        somebody_else = sign_in(app.test_client(), cast.owner)
        assert here.post("/signout/everywhere").status_code == 303
        assert here.get("/settings/account").status_code == 303
        assert there.get("/settings/account").status_code == 303
        assert somebody_else.get("/settings/account").status_code == 200

    @pytest.mark.parametrize("path", ["/signout", "/signout/everywhere"])
    def test_takes_no_link(self, client: FlaskClient, cast: Cast, path: str) -> None:
        sign_in(client, cast.viewer)
        assert client.get(path).status_code == 405


class TestSwitchingTheOrganization:
    def test_shows_the_other_one(self, client: FlaskClient, cast: Cast) -> None:
        make_member(cast.other_organization, cast.owner.email, "", "Owner", {})
        sign_in(client, cast.owner, cast.organization)
        answer = client.post("/organization", data={"organization": cast.other_organization.id, "next": "/runs"})
        assert (answer.status_code, answer.headers["Location"]) == (303, "/runs")
        assert "Globex" in client.get("/settings/organization").text

    def test_is_only_for_members(self, client: FlaskClient, cast: Cast) -> None:
        sign_in(client, cast.owner)
        assert client.post("/organization", data={"organization": cast.other_organization.id}).status_code == 404
        assert client.post("/organization").status_code == 404
        with client.session_transaction() as session:
            assert session["organization"] == cast.organization.id

    def test_the_default_is_the_oldest_membership(self, client: FlaskClient, cast: Cast) -> None:
        make_member(cast.other_organization, cast.owner.email, "", "Owner", {})
        Membership.update(created_at=1).where(
            Membership.user == cast.owner, Membership.organization == cast.other_organization
        ).execute()
        post(client, cast.owner.email)
        with client.session_transaction() as session:
            assert session["organization"] == cast.other_organization.id


class TestForgedForms:
    @pytest.fixture(autouse=True)
    def with_tokens(self, app: Flask) -> None:
        app.config["WTF_CSRF_ENABLED"] = True

    def test_are_refused(self, client: FlaskClient, cast: Cast) -> None:
        sign_in(client, cast.owner)
        answer = client.post("/settings/organization", data={"organization_name": "Forged"})
        assert answer.status_code == 400
        assert "grown old" in answer.text

    def test_signing_in_needs_a_token_too(self, client: FlaskClient, cast: Cast) -> None:
        assert post(client, cast.owner.email)[0] == 400

    def test_whoever_is_signed_out_meanwhile_is_led_to_sign_in(self, client: FlaskClient, cast: Cast) -> None:
        answer = client.post("/settings/organization", data={"organization_name": "Late"})
        assert (answer.status_code, answer.headers["Location"]) == (303, "/signin")

    def test_htmx_sends_the_token_in_a_header(self, client: FlaskClient, cast: Cast) -> None:
        sign_in(client, cast.owner)
        page = client.get("/settings/organization").text
        given = page.split('name="csrf_token" value="')[1].split('"')[0]
        answer = client.post(
            "/settings/organization", data={"organization_name": "Mine"}, headers={"X-CSRFToken": given}
        )
        assert answer.status_code == 303


def test_looking_at_the_sign_in_page_by_head_is_no_attempt(client: FlaskClient) -> None:
    assert client.head("/signin").status_code == 200
