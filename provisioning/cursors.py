"""Places in a list: where a page ended, as a short text that a URL can carry."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from peewee import Field, ModelSelect, Tuple

from provisioning.errors import BadInput

Item = TypeVar("Item")


def page_of(
    found: Sequence[Item], limit: int, place: Callable[[Item], tuple[object, ...]]
) -> tuple[list[Item], str | None]:
    """The first `limit` of what was found, and the cursor of the next page, None on the last one.

    The caller asks for one row more than `limit`, which tells whether there is a next page. `place` gives an item's
    sort values, its id last.
    """
    shown = list(found[:limit])
    return shown, ".".join(map(str, place(shown[-1]))) if len(found) > limit else None


def newest_first(query: ModelSelect, at: Field, item_id: Field, cursor: str | None, limit: int) -> ModelSelect:
    """The query's rows from the cursor's place on, by time and id, and one more than `limit` of them: see `page_of`.

    Raises `BadInput` where the cursor is not one of this list.
    """
    place = read_cursor(cursor, numbers=1)
    if place is not None:
        (moment,), last_id = place
        query = query.where(Tuple(at, item_id) < Tuple(moment, last_id))
    return query.order_by(at.desc(), item_id.desc()).limit(limit + 1)


def read_cursor(text: str | None, *, numbers: int) -> tuple[list[int], str] | None:
    """The numbers and the id of a cursor, None for none.

    Raises `BadInput` where it is not a cursor of this list.
    """
    if not text:
        return None
    parts = text.split(".")
    if len(parts) != numbers + 1 or not all(part.isdigit() and len(part) < 20 for part in parts[:numbers]):
        raise BadInput("This place in the list does not exist.", field="cursor", remedy="Start again without it.")
    return [int(part) for part in parts[:numbers]], parts[numbers]
