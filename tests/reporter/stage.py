"""A server that plays well or badly, and the reporter as a real process on a machine of its own."""

from __future__ import annotations

import fcntl
import json
import os
import select
import shutil
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
import urllib.parse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.harness.programs import write_program

REPORTER = Path(__file__).parents[2] / "reporter" / "slipway_reporter.py"
SAMPLES = Path(__file__).parent / "samples"
TOKEN = "slw_test_token"
PATIENCE = 90.0
"""Seconds after which a process that should have ended counts as hanging."""


@dataclass
class Request:
    """One request that came in."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def lines(self) -> list[bytes]:
        return self.body.split(b"\n") if self.body else []


@dataclass
class Answer:
    """What the server does with a request: an answer, or silence."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    hang: bool = False
    cut: bool = False
    """Close the connection without a word."""
    raw: bytes = b""
    """Bytes instead of an HTTP answer."""
    stores: bool = False
    """The lines are taken, whatever the answer says."""


def problem(status: int, detail: str, **headers: str) -> Answer:
    body = json.dumps({"title": "No", "status": status, "detail": detail}).encode()
    return Answer(status, body, {"Content-Type": "application/problem+json", **headers})


Play = Callable[[Request], Answer | None]


class Slipway:
    """A server of the wire protocol. `play` may take a request over; what it leaves is answered as it should be."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.runs: dict[str, dict[int, bytes]] = {}
        """The stored lines of each run by number: a line that comes twice is stored once."""
        self.ends: dict[str, str] = {}
        self.play: Play = lambda _: None
        self.over = threading.Event()
        server = self

        class Wire(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                server._serve(self)

            def do_GET(self) -> None:
                server._serve(self)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Wire)
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"
        threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def close(self) -> None:
        self.over.set()
        self._http.shutdown()
        self._http.server_close()

    def batches(self) -> list[Request]:
        return [request for request in self.requests if "/ingest/" in request.path]

    def lines(self) -> list[bytes]:
        """The lines of the only run, in order; fails where a number is missing."""
        (stored,) = self.runs.values()
        assert sorted(stored) == list(range(len(stored)))
        return [stored[number] for number in sorted(stored)]

    def end(self) -> str:
        (end,) = self.ends.values()
        return end

    def store(self, request: Request) -> bytes:
        """Do what the protocol says of a batch; the answer's body."""
        run = self.runs.setdefault(request.query["run"], {})
        first = int(request.query["seq"])
        repeated = 0
        for number, line in enumerate(request.lines, first):
            repeated += number in run
            run.setdefault(number, line)
        if "end" in request.query:
            self.ends[request.query["run"]] = request.query["end"]
        missing: list[list[int]] = []
        for number in range(max(run, default=-1) + 1):
            if number not in run:
                if missing and missing[-1][1] == number - 1:
                    missing[-1][1] = number
                else:
                    missing.append([number, number])
        told = {
            "run": "run_1",
            "url": f"{self.url}/runs/run_1",
            "accepted": len(request.lines) - repeated,
            "repeated": repeated,
            "ignored": [],
            "missing": missing,
        }
        return json.dumps(told).encode()

    def _serve(self, wire: BaseHTTPRequestHandler) -> None:
        parts = urllib.parse.urlsplit(wire.path)
        body = wire.rfile.read(int(wire.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in wire.headers.items()}
        request = Request(wire.command, parts.path, dict(urllib.parse.parse_qsl(parts.query)), headers, body)
        self.requests.append(request)
        answer = self.play(request)
        ingest = "/ingest/" in request.path
        if answer is None:
            answer = Answer(body=self.store(request)) if ingest else problem(404, "There is nothing here.")
        elif answer.stores and ingest:
            self.store(request)
        if answer.hang:
            self.over.wait(PATIENCE)
        if answer.hang or answer.cut:
            wire.close_connection = True
            return
        try:
            if answer.raw:
                wire.wfile.write(answer.raw)
                wire.close_connection = True
                return
            wire.send_response(answer.status)
            for name, value in answer.headers.items():
                wire.send_header(name, value)
            wire.send_header("Content-Length", str(len(answer.body)))
            wire.end_headers()
            wire.wfile.write(answer.body)
        except OSError:
            pass


@dataclass
class Home:
    """A user's machine: home, spool, working folder and environment of the reporter."""

    folder: Path
    environ: dict[str, str]

    @property
    def spool(self) -> Path:
        return Path(self.environ["SLIPWAY_SPOOL"])

    def spooled(self) -> list[Path]:
        return sorted(self.spool.glob("*.spool"))

    def start(
        self, *arguments: str, python: str = sys.executable, script: Sequence[str] = (str(REPORTER),), **more: Any
    ) -> subprocess.Popen[bytes]:
        given: dict[str, Any] = {
            "stdin": subprocess.PIPE,
            "stdout": subprocess.PIPE,
            "stderr": subprocess.PIPE,
            "env": self.environ,
            "cwd": self.folder,
            **more,
        }
        return subprocess.Popen([python, *script, *arguments], **given)

    def run(self, *arguments: str, stdin: bytes = b"", **more: Any) -> Ended:
        """Run the reporter to its end, feeding it `stdin`."""
        process = self.start(*arguments, **more)
        try:
            out, err = process.communicate(stdin, PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            pytest.fail(f"the reporter hangs; it said {err!r}")
        return Ended(process.returncode, (out or b"").decode(), (err or b"").decode())


@dataclass
class Ended:
    """How a process ended and what it said."""

    code: int
    out: str
    err: str


class Screen:
    """A terminal of 100 by 40 with the reporter as its foreground job."""

    def __init__(self, home: Home, *arguments: str) -> None:
        self.keyboard, theirs = os.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))

        def own_the_terminal() -> None:
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        self.process = home.start(
            *arguments,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            preexec_fn=own_the_terminal,
        )
        os.close(theirs)
        self.shown = b""

    def read_until(self, text: bytes) -> None:
        deadline = time.monotonic() + PATIENCE
        while text not in self.shown:
            assert time.monotonic() < deadline, self.shown
            if select.select([self.keyboard], [], [], 0.2)[0]:
                self._read()

    def finish(self) -> int:
        deadline = time.monotonic() + PATIENCE
        while self.process.poll() is None or select.select([self.keyboard], [], [], 0)[0]:
            assert time.monotonic() < deadline, self.shown
            if select.select([self.keyboard], [], [], 0.1)[0] and not self._read():
                break
        return self.process.wait(PATIENCE)

    def _read(self) -> bool:
        try:
            piece = os.read(self.keyboard, 65536)
        except OSError:  # Linux says EIO once the last program has left the terminal
            return False
        self.shown += piece
        return bool(piece)

    def close(self) -> None:
        stop(self.process)
        os.close(self.keyboard)


def terraform_line(number: int, **more: Any) -> bytes:
    """A line as Terraform writes it, told apart by its number."""
    event = {"@level": "info", "@message": f"message {number}", "@module": "terraform.ui", "type": "apply_progress"}
    return json.dumps({**event, "hook": {"elapsed_seconds": number}, **more}, separators=(",", ":")).encode()


def terraform_lines(count: int) -> list[bytes]:
    return [terraform_line(number) for number in range(count)]


def until(true: Callable[[], Any], seconds: float = PATIENCE) -> None:
    """Wait until something is so; fail where it does not come."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not come in time"
        time.sleep(0.02)


def with_limits(home: Home, **limits: float) -> list[str]:
    """The reporter with some of its limits changed, so that a test need not wait for minutes."""
    script = home.folder.parent / "with_limits.py"
    changes = "\n".join(f"slipway_reporter.{name} = {value!r}" for name, value in limits.items())
    script.write_text(
        f"import sys\nsys.path.insert(0, {str(REPORTER.parent)!r})\nimport slipway_reporter\n{changes}\n"
        "slipway_reporter.run()\n"
    )
    return [str(script)]


def stand_in(folder: Path, name: str, body: str) -> Path:
    """A command of a tool's name, written in Python, in a folder of its own."""
    folder.mkdir(exist_ok=True)
    return write_program(folder / name, body)


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a process that a failed test left."""
    if process.poll() is None:
        process.send_signal(signal.SIGKILL)
        process.wait(PATIENCE)


def copy_sample(name: str, to: Path) -> Path:
    return Path(shutil.copy(SAMPLES / name, to))
