"""Log lines that are written a moment later, by a thread of their own.

A poll is answered in a quarter of a millisecond; making a line of text and handing it to the system would be a tenth of
that, and where standard error is a slow pipe, all of it. Warnings and errors are written at once.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import deque
from multiprocessing.util import Finalize
from typing import TextIO

WRITE_EVERY_S = 0.2

# Lines that wait while nobody reads standard error; the oldest of more are dropped, before memory is.
MOST_WAITING = 50_000


# What all records of the access log have in common.
_ACCESS: dict[str, object] = logging.LogRecord(
    "slipway.access", logging.INFO, __file__, 0, "%s %s %d %.1fms", None, None
).__dict__


def access_record(method: str, path: str, status: int, took_ms: float) -> logging.LogRecord:
    """A record of one request. `logging` would ask for its caller, thread and process, which no line here tells:
    that takes ten times as long."""
    record = logging.LogRecord.__new__(logging.LogRecord)
    now = time.time()
    record.__dict__.update(_ACCESS, args=(method, path, status, took_ms), created=now, msecs=now % 1 * 1000)
    return record


class LineFormatter(logging.Formatter):
    """One line a record, as `2026-11-24 12:00:00,123 INFO slipway.access …`."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s %(message)s")
        self._second = (-1, "")

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:
        """The time; the part that is the same for a whole second is made once a second."""
        second = int(record.created)
        known, text = self._second
        if second != known:
            text = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(second))
            self._second = (second, text)
        return f"{text},{int(record.msecs):03d}"


class WrittenLater(logging.Handler):
    """Keeps records and writes them in one go, five times a second."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self.setFormatter(LineFormatter())
        self._stream = stream
        self._waiting: deque[logging.LogRecord] = deque(maxlen=MOST_WAITING)
        self._writer_of: int | None = None
        self._writing = threading.Lock()
        # Processes that multiprocessing started, as granian's are, end without atexit.
        Finalize(None, self.flush, exitpriority=1)

    def createLock(self) -> None:
        """None is needed: a deque takes records from any thread."""
        self.lock = None

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a record; write at once where it is a warning or worse."""
        self._waiting.append(record)
        if record.levelno >= logging.WARNING:
            self.flush()
        elif self._writer_of != os.getpid():
            # Started by the first line: a thread does not survive a fork.
            self._writer_of = os.getpid()
            threading.Thread(target=self._write_on, name="log", daemon=True).start()

    def flush(self) -> None:
        """Write what waits."""
        with self._writing:
            lines = []
            while self._waiting:
                record = self._waiting.popleft()
                try:
                    lines.append(self.format(record))
                except Exception:
                    self.handleError(record)
            if lines:
                try:
                    self._stream.write("\n".join(lines) + "\n")
                    self._stream.flush()
                except (OSError, ValueError):
                    # Nobody reads any more. There is no place to say so.
                    pass

    def _write_on(self) -> None:
        while True:
            time.sleep(WRITE_EVERY_S)
            self.flush()
