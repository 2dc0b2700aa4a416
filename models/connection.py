"""Opens the database that the settings name: SQLite in the home folder, or PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from peewee import Database, PostgresqlDatabase, SqliteDatabase

from models.base import database


def open_database(database_url: str, home: Path) -> Database:
    """Bind all models to a database and return it; connections are made per thread when they are needed.

    `database_url` is `postgresql://…`, or empty for `slipway.sqlite3` in `home`.
    Raises `ValueError` where the URL is of another kind.
    """
    if database_url:
        opened: Database = _postgresql(database_url)
    else:
        home.mkdir(parents=True, exist_ok=True)
        opened = _sqlite(home / "slipway.sqlite3")
    database.initialize(opened)
    return opened


def _sqlite(path: Path) -> SqliteDatabase:
    # IMMEDIATE: a deferred transaction that reads before it writes fails with "database is locked" at once,
    # whatever the time-out, when another one wrote in between.
    return SqliteDatabase(
        str(path),
        lock_type="IMMEDIATE",
        timeout=10,
        check_same_thread=False,
        pragmas={"journal_mode": "wal", "foreign_keys": 1, "synchronous": "normal", "cache_size": -16_000},
    )


def _postgresql(url: str) -> PostgresqlDatabase:
    if not url.startswith(("postgresql://", "postgres://")):
        raise ValueError(f"SLIPWAY_DATABASE_URL begins with {url.split(':', 1)[0]!r}: expected postgresql://…")
    # With a URL as the name, psycopg reads user, password, host, port, database and options from it.
    return RecoveringPostgresql(url, prefer_psycopg3=True)


class RecoveringPostgresql(PostgresqlDatabase):
    """PostgreSQL whose connections, kept open for days, may be found dead: the server was restarted, a proxy cut them.

    What was asked outside a transaction is then asked once more on a new connection; inside one it fails, for what
    was done before in the transaction is lost.
    """

    def execute_sql(self, sql: str, params: Any = None) -> Any:
        """Run a statement."""
        return self._once_more(super().execute_sql, sql, params)

    def begin(self, *args: Any) -> Any:
        """Begin a transaction."""
        return self._once_more(super().begin, *args)

    def _once_more(self, ask: Callable[..., Any], *args: Any) -> Any:
        try:
            return ask(*args)
        except Exception:
            if self.in_transaction() or self.is_closed() or not self.connection().closed:
                raise
            self.close()
            return ask(*args)
