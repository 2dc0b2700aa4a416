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


class WrittenLater(logging.Handler):
    """Keeps records and writes them in one go, five times a second."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
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
