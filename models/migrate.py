"""Brings the database to the schema of this code: by itself, once, whoever starts first."""

from __future__ import annotations

import time
from pathlib import Path

from peewee import Database, PostgresqlDatabase

_FOLDER = Path(__file__).parent / "migrations"

# Any fixed number: it names Slipway's lock among the advisory locks of a PostgreSQL database.
_ADVISORY_LOCK = 7_262_031


class SchemaTooNew(Exception):
    """The database was made by a newer Slipway than this code."""


def migrations() -> list[tuple[int, str]]:
    """All migrations as (version, SQL template), in order."""
    return [(int(path.name[:4]), path.read_text("utf-8")) for path in sorted(_FOLDER.glob("[0-9]*.sql"))]


def migrate(database: Database) -> int:
    """Apply what is missing, in one transaction, and return the version the database has then.

    Safe to call twice and from several processes at once: the second waits for the first and finds nothing to do.
    Raises `SchemaTooNew` where the database is ahead of this code.
    """
    is_postgresql = isinstance(database, PostgresqlDatabase)
    known = migrations()
    newest = known[-1][0]
    with database.atomic():
        if is_postgresql:
            database.execute_sql("SELECT pg_advisory_xact_lock(%s)", (_ADVISORY_LOCK,))
        database.execute_sql(
            "CREATE TABLE IF NOT EXISTS schema_version "
            "(version INTEGER NOT NULL PRIMARY KEY, applied_at BIGINT NOT NULL)"
        )
        found = database.execute_sql("SELECT COALESCE(MAX(version), 0) FROM schema_version").fetchone()[0]
        if found > newest:
            raise SchemaTooNew(
                f"The database has schema {found}, this Slipway knows schemas up to {newest}. "
                "Start the newer Slipway again, or restore the backup that was made before it ran."
            )
        mark = "%s" if is_postgresql else "?"
        for version, template in known:
            if version <= found:
                continue
            for statement in _statements(template.replace("{json}", "JSONB" if is_postgresql else "TEXT")):
                database.execute_sql(statement)
            database.execute_sql(
                f"INSERT INTO schema_version (version, applied_at) VALUES ({mark}, {mark})",
                (version, time.time_ns() // 1_000_000),
            )
    return newest


def _statements(text: str) -> list[str]:
    lines = [line for line in text.splitlines() if not line.startswith("--")]
    return [part.strip() for part in "\n".join(lines).split(";") if part.strip()]
