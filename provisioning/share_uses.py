"""Counts the uses of share links without a write a request: thousands of viewers must cost what one does."""

from __future__ import annotations

import logging
from threading import Lock

from peewee import PeeweeException

from models import ShareLink, database

log = logging.getLogger("slipway")

WRITE_EVERY_MS = 60_000
# How exact the time of a last use is, where a thousand pages poll the same link.
SAME_MOMENT_MS = 1_000


class UseCounts:
    """The uses of one process that are not written yet.

    The first use of a link is written at once, later ones together, a minute after the write before: the list is at
    most a minute behind while a link is in use.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        # By link: uses since its last write, the last one's time, and when it was written.
        self._waiting: dict[str, tuple[int, int, int]] = {}
        self._swept = 0

    def note(self, link_id: str, now: int, *, opened: bool) -> None:
        """Note a use. A poll of an open page is none: it only says that the link is in use still."""
        if not opened and (known := self._waiting.get(link_id)) is not None and now - known[1] < SAME_MOMENT_MS:
            return
        due: list[tuple[str, int, int]] = []
        with self._lock:
            uses, _, written = self._waiting.get(link_id, (0, 0, 0))
            self._waiting[link_id] = (uses + opened, now, written)
            if written <= now - WRITE_EVERY_MS or self._swept <= now - WRITE_EVERY_MS:
                due = self._take(now)
        _write(due)

    def write_all(self) -> None:
        """Write what waits, before a list is shown."""
        with self._lock:
            due = [(one, uses, last) for one, (uses, last, _) in self._waiting.items() if uses]
            self._waiting = {one: (0, last, written) for one, (_, last, written) in self._waiting.items()}
        _write(due)

    def _take(self, now: int) -> list[tuple[str, int, int]]:
        self._swept = now
        due, kept = [], {}
        for link_id, (uses, last, written) in self._waiting.items():
            if written > now - WRITE_EVERY_MS:
                kept[link_id] = (uses, last, written)
            elif last > written:
                due.append((link_id, uses, last))
                kept[link_id] = (0, last, now)
        # What was written a minute ago and not used since is forgotten.
        self._waiting = kept
        return due


def _write(due: list[tuple[str, int, int]]) -> None:
    if not due:
        return
    try:
        with database.atomic():
            for link_id, uses, last in due:
                ShareLink.update(uses=ShareLink.uses + uses, last_used_at=last).where(ShareLink.id == link_id).execute()
    except PeeweeException:
        # Whoever looks at a shared page gets it, counted or not.
        log.exception("The uses of share links were not written")


uses = UseCounts()
