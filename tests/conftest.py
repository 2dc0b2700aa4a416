"""What all tests share: databases, settings, the app, the cast and a real server.

A test that asks for `database` (or for anything that stands on it) runs twice, on SQLite and on PostgreSQL;
SLIPWAY_TEST_DATABASES=sqlite keeps to one of them while working. A program that is missing skips its tests, and
fails them where SLIPWAY_TEST_REQUIRE_ALL is set, as in CI.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, NoReturn

import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient
from peewee import Database

import models
from config import Settings
from models.connection import open_database
from models.migrate import migrate
from tests.harness import postgresql
from tests.harness.cast import NOW, Cast, make_cast
from tests.harness.compiled_once import CompiledTemplates, compile_routes_once
from tests.harness.server import RunningServer

DATABASES = tuple(os.environ.get("SLIPWAY_TEST_DATABASES", "sqlite,postgresql").split(","))


def missing(what: str) -> NoReturn:
    """Skip the test, or fail it where nothing may be skipped."""
    if os.environ.get("SLIPWAY_TEST_REQUIRE_ALL"):
        pytest.fail(what)
    pytest.skip(what)


def pytest_make_parametrize_id(val: object) -> str | None:
    """Name a parameter of bytes by its length: several processes must find the same names, and gzip holds the time."""
    return f"{len(val)} bytes" if isinstance(val, bytes) and len(val) > 8 else None


@pytest.fixture(autouse=True, scope="session")
def _no_settings_of_the_machine() -> None:
    """Tests do not depend on what the shell that starts them has set."""
    for name in list(os.environ):
        if name.startswith("SLIPWAY_") and not name.startswith("SLIPWAY_TEST_"):
            del os.environ[name]


@pytest.fixture
def now() -> int:
    """A fixed time, in milliseconds: 2026-11-25 12:00:00 UTC."""
    return NOW


# --- Databases


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """The URL of this test process's own PostgreSQL."""
    try:
        postgresql.programs()
    except postgresql.PostgresqlMissing as error:
        missing(str(error))
    with postgresql.running_server() as url:
        yield url


@pytest.fixture(scope="session")
def _sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file to copy."""
    home = tmp_path_factory.mktemp("template")
    opened = open_database("", home)
    migrate(opened)
    # Everything into the one file that gets copied.
    opened.execute_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    opened.close()
    return home / "slipway.sqlite3"


@pytest.fixture(scope="session")
def _postgresql_template(postgresql_server: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The name of a migrated PostgreSQL database to copy."""
    opened = open_database(
        postgresql.create_database(postgresql_server, "template"), tmp_path_factory.mktemp("template")
    )
    migrate(opened)
    opened.close()
    return "template"


@pytest.fixture(scope="session")
def _postgresql_database(postgresql_server: str, _postgresql_template: str) -> str:
    """The URL of the database that the tests of this process use one after the other."""
    return postgresql.create_database(postgresql_server, "tests", template=_postgresql_template)


@pytest.fixture(params=DATABASES)
def database_kind(request: pytest.FixtureRequest) -> str:
    """`sqlite` or `postgresql`; whoever asks for it runs on both."""
    return str(request.param)


@pytest.fixture
def home(request: pytest.FixtureRequest, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The test's home folder: an empty one, or that of the `server` where the test asks for that."""
    if "server" in request.fixturenames:
        folder = tmp_path_factory.getbasetemp() / f"server-{request.getfixturevalue('database_kind')}"
    else:
        folder = tmp_path / "home"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture
def database_url(database_kind: str, home: Path, request: pytest.FixtureRequest) -> str:
    """The setting of a database that has the schema and no rows: empty for SQLite in `home`."""
    if database_kind == "sqlite":
        if (home / "slipway.sqlite3").exists():
            _empty_sqlite(home / "slipway.sqlite3")
        else:
            shutil.copy(request.getfixturevalue("_sqlite_template"), home / "slipway.sqlite3")
        return ""
    url: str = request.getfixturevalue("_postgresql_database")
    _empty_postgresql(url)
    return url


@pytest.fixture
def settings(home: Path, database_url: str) -> Settings:
    """Settings of a fresh home folder and database. `dataclasses.replace(settings, …)` changes one."""
    return Settings(home=str(home), database_url=database_url, secret_key="only-for-tests-" + "x" * 32)


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    """The database with its schema and no rows, and all models bound to it."""
    open_database(settings.database_url, settings.home_path)
    yield models.database
    # Whichever is bound now: `create_app` binds the same one anew.
    models.database.close()


@pytest.fixture
def new_database_url(database_kind: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """The setting of a database without any schema, for tests of migrations and of the very first start."""
    if database_kind == "sqlite":
        yield ""
        return
    server: str = request.getfixturevalue("postgresql_server")
    name = "new"
    postgresql.drop_database(server, name)
    yield postgresql.create_database(server, name)
    models.database.obj and models.database.close()
    postgresql.drop_database(server, name)


def _empty_sqlite(path: Path) -> None:
    with closing(sqlite3.connect(path, timeout=10)) as connection, connection:
        tables = connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT IN ('schema_version', 'sqlite_sequence')"
        ).fetchall()
        for (table,) in tables:
            # Foreign keys are not enforced where nobody asks for it.
            connection.execute(f'DELETE FROM "{table}"')


def _empty_postgresql(url: str) -> None:
    # Deleting from nineteen small tables takes 3 ms; TRUNCATE takes 30, a copy of a template 70.
    with closing(psycopg.connect(url)) as connection, connection:
        # What a failed test left behind must not block the next one.
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
            "AND pid <> pg_backend_pid() AND state LIKE 'idle in transaction%'"
        )
        tables = connection.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'schema_version'"
        ).fetchall()
        # Foreign keys need no check, and tables no order, where all rows go.
        connection.execute("SET LOCAL session_replication_role = replica")
        connection.execute("; ".join(f'DELETE FROM "{table}"' for (table,) in tables).encode())


# --- People and the app


@pytest.fixture
def cast(database: Database) -> Cast:
    """Owner, operator, viewer, outsider and stranger, in their organisations."""
    return make_cast()


@pytest.fixture(scope="session")
def _compiled_once() -> Iterator[CompiledTemplates]:
    """The templates that apps of this process share; their routes are shared as long as this lasts."""
    with pytest.MonkeyPatch.context() as patch:
        compile_routes_once(patch)
        yield CompiledTemplates()


@pytest.fixture
def app(settings: Settings, database: Database, _compiled_once: CompiledTemplates) -> Flask:
    """The app on the test's database."""
    from app import create_app

    app = create_app(settings)
    app.testing = True
    app.jinja_env.bytecode_cache = _compiled_once
    # Forms are tested for what they do; that they carry a token is a test of its own.
    app.config["WTF_CSRF_ENABLED"] = False
    return app


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A browser without a session; `sign_in(client, user)` of tests.harness.cast gives it one."""
    return app.test_client()


# --- A real server


@pytest.fixture
def start_server(tmp_path: Path) -> Iterator[Callable[..., RunningServer]]:
    """Start real server processes; see `RunningServer`. All end with the test."""
    started: list[RunningServer] = []

    def start(**options: Any) -> RunningServer:
        server = RunningServer(**{"home": tmp_path / "server-home", **options})
        started.append(server)
        server.start()
        return server

    yield start
    for server in started:
        server.end()


@pytest.fixture(scope="session")
def _servers() -> Iterator[dict[str, RunningServer]]:
    """The servers of this test process, by kind of database: a start takes seconds, so one serves many tests."""
    servers: dict[str, RunningServer] = {}
    yield servers
    for server in servers.values():
        server.end()


@pytest.fixture
def server(settings: Settings, database_kind: str, _servers: dict[str, RunningServer]) -> RunningServer:
    """A real `slipway serve` on a free port, without the worker, on the test's database.

    The database is empty; ask for `database` or `cast` to put rows in from the test. The processes are those of the
    test before, unless that test stopped them: `start_server` gives a server of the test's own.
    """
    server = _servers.get(database_kind)
    if server is None:
        server = RunningServer(home=settings.home_path, database_url=settings.database_url)
        _servers[database_kind] = server
    server.forget_log()
    if not server.is_running:
        server.start()
    return server
