"""Log lines are written later, in order, whole, and not lost at the end."""

from __future__ import annotations

import io
import logging
import subprocess
import sys
import threading
import time
from collections.abc import Callable

import pytest

from logs import LineFormatter, WrittenLater, access_record
from serving import CHECKOUT
from tests.harness.server import RunningServer


@pytest.fixture
def written() -> tuple[logging.Logger, io.StringIO]:
    stream = io.StringIO()
    logger = logging.Logger("test")
    handler = WrittenLater(stream)
    handler.setFormatter(logging.Formatter("%(message)s"))
    logger.addHandler(handler)
    return logger, stream


def test_a_line_is_written_soon(written: tuple[logging.Logger, io.StringIO]) -> None:
    logger, stream = written
    logger.info("first")
    logger.info("second")
    deadline = time.monotonic() + 60
    while stream.getvalue() != "first\nsecond\n":
        assert time.monotonic() < deadline, stream.getvalue()
        time.sleep(0.01)


def test_a_warning_is_written_at_once_and_after_what_came_before(
    written: tuple[logging.Logger, io.StringIO],
) -> None:
    logger, stream = written
    logger.info("before")
    logger.warning("trouble")
    assert stream.getvalue() == "before\ntrouble\n"


def test_lines_of_many_threads_are_whole(written: tuple[logging.Logger, io.StringIO]) -> None:
    logger, stream = written

    def write(name: int) -> None:
        for number in range(200):
            logger.info("%d:%d", name, number)

    threads = [threading.Thread(target=write, args=(name,)) for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    logger.handlers[0].flush()
    lines = stream.getvalue().splitlines()
    assert sorted(lines) == sorted(f"{name}:{number}" for name in range(8) for number in range(200))


def test_a_closed_stream_harms_nobody(written: tuple[logging.Logger, io.StringIO]) -> None:
    logger, stream = written
    stream.close()
    logger.warning("nobody reads this")


@pytest.mark.parametrize("ending", ["", "import multiprocessing.util as u, os; u._exit_function(); os._exit(0)"])
def test_the_last_lines_are_not_lost(ending: str) -> None:
    script = (
        "import logging, sys; from logs import WrittenLater; logger = logging.getLogger('x'); logger.setLevel('INFO'); "
        f"logger.addHandler(WrittenLater(sys.stderr)); logger.info('the last one'); {ending}"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=CHECKOUT, capture_output=True, text=True, check=True)
    assert done.stderr.endswith("INFO x the last one\n")


def test_a_server_that_is_stopped_writes_its_last_request(start_server: Callable[..., RunningServer]) -> None:
    server = start_server()
    with server.client() as client:
        client.get("/readyz")
    server.stop()
    assert "GET /readyz 200" in server.log


def test_a_line_tells_the_time_as_logging_does() -> None:
    usual = logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s")
    ours = LineFormatter()
    for created in (0.0, 1_795_608_000.125, 1_795_608_000.999, 1_795_608_001.5):
        record = access_record("GET", "/cards/srv_1", 204, 0.26)
        record.created, record.msecs = created, created % 1 * 1000
        assert ours.format(record) == usual.format(record)
        assert ours.format(record).endswith("INFO slipway.access GET /cards/srv_1 204 0.3ms")
