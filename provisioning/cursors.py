"""Places in a list: where a page ended, as a short text that a URL can carry."""

from __future__ import annotations

from provisioning.errors import BadInput


def write_cursor(*values: object) -> str:
    """A cursor from the sort values of a page's last row."""
    return ".".join(str(value) for value in values)


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
