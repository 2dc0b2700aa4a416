"""What every model shares: the database it is bound to, its id and its time."""

from __future__ import annotations

import secrets
import threading
import time

from peewee import CharField, DatabaseProxy, Model

database = DatabaseProxy()

# Crockford's base 32, as the ULID specification has it: no I, L, O, U.
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_lock = threading.Lock()
_last: tuple[int, int] = (0, 0)


def ulid(now: int | None = None) -> str:
    """A new ULID: 48 bits of milliseconds UTC and 80 random bits, 26 characters, sorted by time.

    Two made by this process in one millisecond still sort in the order they were made.
    Format: https://github.com/ulid/spec.
    """
    global _last  # noqa: PLW0603
    milliseconds = time.time_ns() // 1_000_000 if now is None else now
    with _lock:
        if milliseconds == _last[0]:
            random = _last[1] + 1
        else:
            # The top bit stays free so that counting up within a millisecond cannot overflow.
            random = secrets.randbits(79)
        _last = (milliseconds, random)
    number = (milliseconds << 80) | random
    return "".join(_ALPHABET[(number >> shift) & 31] for shift in range(125, -1, -5))


class TypedIdField(CharField):
    """A primary key like `run_01J…`: a prefix that names the table, and a ULID."""

    def __init__(self, prefix: str, **options: object) -> None:
        self.prefix = prefix
        super().__init__(max_length=40, primary_key=True, default=self.new, **options)

    def new(self) -> str:
        """A new id of this table."""
        return f"{self.prefix}_{ulid()}"


class BaseModel(Model):
    """A row of Slipway's own database."""

    class Meta:
        database = database
        legacy_table_names = False
        only_save_dirty = True
