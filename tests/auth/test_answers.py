"""What every answer carries, how failures are told, and what the log holds."""

from __future__ import annotations

import logging
from dataclasses import replace

import pytest
from flask import Flask, abort
from flask.testing import FlaskClient
from peewee import PostgresqlDatabase

from config import Settings
from models import User, database
from provisioning.accounts import setup_link
from provisioning.errors import BadInput, Refused
from tests.harness.cast import NOW, Cast, sign_in
from tests.harness.statements import count_statements
from views import access
from views.access import PUBLIC
from views.errors import WORDS


class TestHeaders:
    @pytest.mark.parametrize("path", ["/signin", "/healthz", "/nothing-here", "/api/v1/nothing-here"])
    def test_forbid_what_no_page_needs(self, client: FlaskClient, path: str) -> None:
        headers = client.get(path).headers
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "same-origin"
        assert "camera=()" in headers["Permissions-Policy"]

    def test_are_there_once(self, client: FlaskClient) -> None:
        names = [name for name, _ in client.get("/signin").headers]
        assert len(names) == len(set(names))

    def test_a_view_may_bring_its_own(self, app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(access.RULES, "framed", PUBLIC)
        app.add_url_rule("/framed", "framed", lambda: ("", {"Content-Security-Policy": "frame-ancestors *"}))
        assert client.get("/framed").headers.getlist("Content-Security-Policy") == ["frame-ancestors *"]

    def test_ask_for_tls_only_over_tls(self, client: FlaskClient) -> None:
        assert "Strict-Transport-Security" not in client.get("/signin").headers
        assert "Strict-Transport-Security" in client.get("/signin", base_url="https://slipway.example").headers


class TestProxies:
    SAID = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.9", "X-Forwarded-Host": "slipway.example"}

    def test_are_not_believed_unless_they_are_known(self, client: FlaskClient) -> None:
        assert "Strict-Transport-Security" not in client.get("/signin", headers=self.SAID).headers

    def test_are_believed_when_the_setting_counts_them(self, settings: Settings, app: Flask) -> None:
        from app import create_app

        behind = create_app(replace(settings, trusted_proxies=1)).test_client()
        assert "Strict-Transport-Security" in behind.get("/signin", headers=self.SAID).headers


class TestFailures:
    @pytest.mark.parametrize("status", sorted(WORDS))
    def test_are_told_on_a_page_with_a_way_out(
        self, app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch, status: int
    ) -> None:
        monkeypatch.setitem(access.RULES, "failing", PUBLIC)
        app.add_url_rule("/failing", "failing", lambda: abort(status))
        answer = client.get("/failing")
        assert answer.status_code == status
        title, said, way_out = WORDS[status]
        for part in (title, said, way_out):
            assert part.replace("'", "&#39;") in answer.text
        assert "hx-swap-oob" not in answer.text

    @pytest.mark.parametrize("status", sorted(WORDS))
    def test_are_problem_details_for_programs(
        self, app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch, status: int
    ) -> None:
        monkeypatch.setitem(access.RULES, "failing", PUBLIC)
        app.add_url_rule("/api/failing", "failing", lambda: abort(status))
        answer = client.get("/api/failing")
        assert answer.content_type == "application/problem+json"
        told = answer.get_json(force=True)
        assert told["status"] == answer.status_code == status
        assert told["type"] == "about:blank"
        assert told["title"] and told["detail"] and told["remedy"]

    def test_are_one_line_for_htmx(self, client: FlaskClient) -> None:
        answer = client.get("/nothing-here", headers={"HX-Request": "true"})
        assert answer.status_code == 404
        assert answer.mimetype == "text/plain"

    def test_of_the_core_name_field_and_remedy(
        self, app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def bad() -> str:
            raise BadInput("The stack is “a b”.", field="stack", remedy="Use no spaces.")

        def refused() -> str:
            raise Refused("The run is finished.")

        for name, view in (("bad", bad), ("refused", refused)):
            monkeypatch.setitem(access.RULES, name, PUBLIC)
            app.add_url_rule(f"/api/{name}", name, view)
        told = client.get("/api/bad").get_json(force=True)
        assert (told["status"], told["field"], told["remedy"]) == (422, "stack", "Use no spaces.")
        told = client.get("/api/refused").get_json(force=True)
        assert (told["status"], told["detail"]) == (409, "The run is finished.")

    def test_a_method_that_is_not_taken_tells_which_are(self, client: FlaskClient) -> None:
        answer = client.post("/healthz")
        assert answer.status_code == 405
        assert "GET" in answer.headers["Allow"]

    def test_a_fault_is_told_even_when_the_page_cannot_be_made(
        self, app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def broken(*_: object, **__: object) -> str:
            raise RuntimeError("no database")

        monkeypatch.setattr("views.auth.render_template", broken)
        monkeypatch.setattr("views.errors.render_template", broken)
        app.testing = False
        answer = client.get("/signin")
        assert answer.status_code == 500
        assert "Slipway failed" in answer.text
        assert "no database" not in answer.text

    def test_a_body_that_is_too_large_is_refused(self, app: Flask, client: FlaskClient) -> None:
        app.config["MAX_CONTENT_LENGTH"] = 100
        assert client.post("/signin", data={"email": "x" * 200}).status_code == 413


class TestTheLog:
    @pytest.fixture
    def lines(self, caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
        caplog.set_level(logging.INFO, "slipway")
        return caplog

    def test_has_a_line_a_request_without_its_query(self, client: FlaskClient, lines: pytest.LogCaptureFixture) -> None:
        client.get("/signin?next=/secret")
        [line] = [record.getMessage() for record in lines.records]
        assert line.startswith("GET /signin 200 ")
        assert "secret" not in line

    def test_holds_no_token_of_a_path(self, app: Flask, client: FlaskClient, lines: pytest.LogCaptureFixture) -> None:
        secret = setup_link(NOW)
        client.get(f"/setup/{secret}")
        assert "GET /setup/<token> 200" in lines.text
        assert str(secret) not in lines.text

    def test_holds_no_token_of_a_path_that_failed(
        self, app: Flask, client: FlaskClient, lines: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def broken(*_: object, **__: object) -> str:
            raise RuntimeError("broken")

        monkeypatch.setattr("views.auth.accounts.setup_link_is_open", broken)
        app.testing = False
        assert client.get("/setup/setup_abc").status_code == 500
        assert "/setup/<token> failed" in lines.text
        assert "setup_abc" not in lines.text

    def test_holds_no_password(self, client: FlaskClient, cast: Cast, lines: pytest.LogCaptureFixture) -> None:
        client.post("/signin", data={"email": cast.owner.email, "password": "hunter2hunter2"})
        assert "hunter2" not in lines.text

    def test_writes_no_line_break_of_a_path(self, client: FlaskClient, lines: pytest.LogCaptureFixture) -> None:
        client.get("/x%0aFORGED")
        assert all("\n" not in record.getMessage() for record in lines.records)


class TestTheSystem:
    def test_is_alive_without_asking_the_database(self, client: FlaskClient) -> None:
        with count_statements() as statements:
            assert client.get("/healthz").status_code == 200
        assert not statements

    def test_is_ready(self, client: FlaskClient) -> None:
        assert client.get("/readyz").text == "ready\n"

    def test_is_not_ready_with_another_schema(self, client: FlaskClient) -> None:
        database.execute_sql("UPDATE schema_version SET version = version + 100")
        answer = client.get("/readyz")
        database.execute_sql("UPDATE schema_version SET version = version - 100")
        assert answer.status_code == 503
        assert "schema" in answer.text

    def test_hands_out_the_reporter(self, client: FlaskClient) -> None:
        answer = client.get("/reporter.py")
        assert answer.status_code == 200
        assert "python" in answer.text.splitlines()[0]


def test_a_signed_in_page_asks_for_the_user_once(client: FlaskClient, cast: Cast) -> None:
    sign_in(client, cast.owner)
    with count_statements() as statements:
        assert client.get("/settings/organization").status_code == 200
    assert len(statements) == 1, statements


class TestADeadConnection:
    """PostgreSQL was restarted, or a proxy in between cut what was idle."""

    @pytest.fixture(autouse=True)
    def on_postgresql(self, cast: Cast) -> None:
        if not isinstance(database.obj, PostgresqlDatabase):
            pytest.skip("SQLite has no connection to lose")

    def kill(self, settings: Settings) -> None:
        import psycopg

        User.select().count()
        own = database.obj.connection().info.backend_pid
        with psycopg.connect(settings.database_url, autocommit=True) as other:
            other.execute("SELECT pg_terminate_backend(%s)", (own,))
            # The server ends it in its own time.
            while other.execute("SELECT 1 FROM pg_stat_activity WHERE pid = %s", (own,)).fetchone():
                pass

    def test_is_made_anew_for_a_statement(self, settings: Settings) -> None:
        self.kill(settings)
        assert User.select().count() == 5

    def test_is_made_anew_for_a_transaction(self, settings: Settings) -> None:
        self.kill(settings)
        with database.atomic():
            assert User.select().count() == 5

    def test_is_not_hidden_inside_a_transaction(self, settings: Settings) -> None:
        import psycopg
        from peewee import PeeweeException

        def in_a_transaction() -> None:
            with database.atomic():
                self.kill(settings)
                User.select().count()

        with pytest.raises((PeeweeException, psycopg.Error)):
            in_a_transaction()
        assert User.select().count() == 5
