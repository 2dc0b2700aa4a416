"""The schema: brought up to date by itself, once, whoever starts first; and it is what the models say."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from peewee import Database, PostgresqlDatabase

import models
from models import ALL_MODELS
from models.connection import open_database
from models.migrate import SchemaTooNew, migrate, migrations
from serving import CHECKOUT

MIGRATE = """
import sys
from pathlib import Path
from models.connection import open_database
from models.migrate import migrate
database = open_database(sys.argv[1], Path(sys.argv[2]))
sys.stdin.readline()
print(migrate(database))
"""


@pytest.fixture
def new_database(new_database_url: str, home: Path) -> Iterator[Database]:
    opened = open_database(new_database_url, home)
    yield opened
    opened.close()


def test_it_migrates_an_empty_database_to_the_newest_schema(new_database: Database) -> None:
    newest = migrations()[-1][0]
    assert migrate(new_database) == newest
    assert versions(new_database) == [version for version, _ in migrations()]


def test_it_changes_nothing_the_second_time(new_database: Database) -> None:
    migrate(new_database)
    before = (versions(new_database), tables(new_database))
    migrate(new_database)
    assert (versions(new_database), tables(new_database)) == before


def test_it_migrates_once_when_two_processes_start_at_once(
    new_database: Database, new_database_url: str, home: Path
) -> None:
    both = [
        subprocess.Popen(
            [sys.executable, "-c", MIGRATE, new_database_url, str(home)],
            cwd=CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for _ in range(2)
    ]  # fmt: skip
    for process in both:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    answers = [process.communicate(timeout=60) for process in both]
    assert [process.returncode for process in both] == [0, 0], answers
    assert [out.strip() for out, _ in answers] == [str(migrations()[-1][0])] * 2
    assert versions(new_database) == [version for version, _ in migrations()]


def test_it_refuses_a_newer_schema_and_says_what_to_do(database: Database) -> None:
    newest = migrations()[-1][0]
    database.execute_sql(f"INSERT INTO schema_version (version, applied_at) VALUES ({newest + 1}, 0)")
    try:
        with pytest.raises(SchemaTooNew) as refused:
            migrate(models.database.obj)
    finally:
        database.execute_sql(f"DELETE FROM schema_version WHERE version > {newest}")
    assert f"has schema {newest + 1}" in str(refused.value)
    assert "Start the newer Slipway again, or restore the backup" in str(refused.value)


@pytest.mark.parametrize("model", ALL_MODELS, ids=lambda model: model.__name__)
def test_the_columns_are_those_of_the_model(database: Database, model: type[models.Resource]) -> None:
    found = {column.name: column for column in database.get_columns(model._meta.table_name)}
    wanted = {field.column_name: field for field in model._meta.sorted_fields}
    assert found.keys() == wanted.keys()
    for name, field in wanted.items():
        assert found[name].null == field.null, name
        assert found[name].primary_key == field.primary_key, name
        sql_type = kind(field.ddl_datatype(database.get_sql_context()).sql)
        found_type = kind(found[name].data_type)
        if not isinstance(models.database.obj, PostgresqlDatabase):
            # SQLite keeps JSON as text, and has one type for all whole numbers.
            sqlite = {"json": "text", "bigint": "integer", "boolean": "integer"}
            found_type, sql_type = sqlite.get(found_type, found_type), sqlite.get(sql_type, sql_type)
        assert found_type == sql_type, name


@pytest.mark.parametrize("model", ALL_MODELS, ids=lambda model: model.__name__)
def test_the_indexes_are_those_of_the_model(database: Database, model: type[models.Resource]) -> None:
    table = model._meta.table_name
    wanted = {}
    for index in model._meta.fields_to_index():
        # An index of the model as SQL says what it covers, in which order, and whether it is unique or partial.
        sql, params = database.get_sql_context().sql(index).query()
        assert not params
        wanted[shape(sql)] = index._name
    found = {shape(sql): name for name, sql in index_sql(database, table).items()}
    assert found.keys() == wanted.keys()


def test_every_table_has_a_model(database: Database) -> None:
    assert tables(database) == sorted([*(model._meta.table_name for model in ALL_MODELS), "schema_version"])


def versions(database: Database) -> list[int]:
    return [row[0] for row in database.execute_sql("SELECT version FROM schema_version ORDER BY version").fetchall()]


def tables(database: Database) -> list[str]:
    return sorted(database.get_tables())


def index_sql(database: Database, table: str) -> dict[str, str]:
    """The statements of a table's indexes by their names, without that of the primary key."""
    if isinstance(models.database.obj, PostgresqlDatabase):
        rows = database.execute_sql(
            "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename = %s", (table,)
        ).fetchall()
        return {name: sql for name, sql in rows if not name.endswith("_pkey")}
    return {index.name: index.sql for index in database.get_indexes(table) if index.sql}


def shape(sql: str) -> str:
    """What an index is, in one spelling: unique or not, columns in order, condition. Its name is left out."""
    words = " ".join(sql.replace('"', "").replace(" USING btree", "").replace("IF NOT EXISTS ", "").split())
    kind, rest = words.split("INDEX", 1)
    columns, _, condition = rest.partition(" WHERE ")
    columns = columns[columns.index("(") :].replace(" ", "").upper()
    condition = condition.replace("(", "").replace(")", "").upper()
    return f"{'UNIQUE ' if 'UNIQUE' in kind else ''}{columns} {condition}".strip()


def kind(data_type: str) -> str:
    """Both databases' words for a type, and Peewee's, in one word."""
    word = data_type.lower().split("(")[0].strip()
    return {
        "character varying": "text", "varchar": "text", "char": "text", "jsonb": "json", "bool": "boolean",
        "int": "integer", "json": "json",
    }.get(word, word)  # fmt: skip
