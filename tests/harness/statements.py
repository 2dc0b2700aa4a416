"""What the code under test asks of the database: how many statements, and how each is answered."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from peewee import PostgresqlDatabase

from models import database


@contextmanager
def count_statements() -> Iterator[list[str]]:
    """Collect the SQL of every statement that is run inside the block, in any thread.

    BEGIN and COMMIT are not among them::

        with count_statements() as statements:
            client.get("/cards/srv_1")
        assert len(statements) == 1, statements
    """
    statements: list[str] = []
    with _listening(lambda event: statements.append(event.sql)):
        yield statements


@contextmanager
def statements_with_parameters() -> Iterator[list[tuple[str, Sequence[object]]]]:
    """As `count_statements`, and what each was run with: so it can be explained."""
    asked: list[tuple[str, Sequence[object]]] = []
    with _listening(lambda event: asked.append((event.sql, event.params))):
        yield asked


@contextmanager
def _listening(remember: Callable[[Any], None]) -> Iterator[None]:
    opened = database.obj
    opened.query_hooks.append(remember)
    try:
        yield
    finally:
        opened.query_hooks.remove(remember)


def explain(sql: Any, params: Sequence[object] = ()) -> list[str]:
    """The lines of the plan that the database makes for a statement: SQL with parameters, or a Peewee query.

    PostgreSQL reads small tables whole and sorts the rows, however good the index; told not to where there is any
    other way, it shows whether there is one.
    """
    if not isinstance(sql, str):
        sql, params = sql.sql()
    if not isinstance(database.obj, PostgresqlDatabase):
        return [str(row[3]) for row in database.execute_sql(f"EXPLAIN QUERY PLAN {sql}", tuple(params)).fetchall()]
    with database.atomic():
        database.execute_sql(
            "SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off; SET LOCAL enable_sort = off"
        )
        return [str(row[0]) for row in database.execute_sql(f"EXPLAIN (COSTS OFF) {sql}", tuple(params)).fetchall()]


def assert_index_only(sql: Any, params: Sequence[object] = (), *, allow: Sequence[str] = ()) -> list[str]:
    """Fail where answering the statement reads a table whole or sorts; the plan is returned for closer looks.

    A line of the plan that contains one of `allow` is let pass: say beside it why it is bounded.
    """
    plan = explain(sql, params)
    bad = [line for line in plan if _reads_whole_or_sorts(line) and not any(part in line for part in allow)]
    assert not bad, "Not answered from indexes alone:\n" + "\n".join(plan)
    return plan


def _reads_whole_or_sorts(line: str) -> bool:
    text = line.strip().removeprefix("->").strip()
    if text.startswith("SCAN CONSTANT ROW"):
        return False
    # SQLite says SCAN and TEMP B-TREE; PostgreSQL Seq Scan, Sort and Incremental Sort. "Sort Key: …" explains a node.
    return (
        text.startswith(("SCAN ", "Sort", "Incremental Sort", "Parallel Seq Scan", "Seq Scan"))
        and not text.startswith("Sort Key")
    ) or "TEMP B-TREE" in text
