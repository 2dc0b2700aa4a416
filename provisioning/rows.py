"""Rows as plain tuples. Peewee's own types call every row of a query a model, `.tuples()` or not."""

from __future__ import annotations

from typing import Any


def rows(query: Any) -> list[tuple[Any, ...]]:
    """All rows of a peewee query."""
    return list(query.tuples())


def first_row(query: Any) -> tuple[Any, ...] | None:
    """The first row of a peewee query, if there is any."""
    found: tuple[Any, ...] | None = query.tuples().first()
    return found
