"""A real `slipway serve`, in processes of its own, as a test starts, stops and kills it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import httpx

from serving import CHECKOUT, end_with_parent, free_port


class RunningServer:
    """One server: its home folder and port stay the same over `stop`, `kill` and `start`.

    `url` is where it listens, `log` what it and its children printed. `with_worker` starts the worker, too;
    any other keyword is a setting: `watch_every_ms=200` sets SLIPWAY_WATCH_EVERY_MS.
    """

    def __init__(self, *, home: Path, database_url: str = "", with_worker: bool = False, **settings: object) -> None:
        self.home = home
        self.database_url = database_url
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log_file = home.parent / f"server-{self.port}.log"
        self._command = [sys.executable, str(CHECKOUT / "cli.py"), "serve", *([] if with_worker else ["--no-worker"])]
        self._settings = {
            "home": home,
            "bind": f"127.0.0.1:{self.port}",
            "database_url": database_url,
            # One process is enough for most tests, and two cores are soon busy.
            "web_workers": 1,
            **settings,
        }
        self._process: subprocess.Popen[bytes] | None = None
        self._log_from = 0

    @property
    def environment(self) -> dict[str, str]:
        """The environment of the server, and of `slipway` commands on the same database."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("SLIPWAY_")}
        return inherited | {
            f"SLIPWAY_{name.upper()}": str(value) for name, value in self._settings.items() if value != ""
        }

    @property
    def log(self) -> str:
        """What the server printed so far, in this test."""
        return self.log_file.read_text(errors="replace")[self._log_from :] if self.log_file.exists() else ""

    def forget_log(self) -> None:
        """Begin the log anew, for the next test."""
        self._log_from += len(self.log)

    @property
    def is_running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """The id of the supervising process."""
        assert self._process is not None
        return self._process.pid

    def start(self, *, wait: bool = True) -> None:
        """Start it, and wait until it answers."""
        assert not self.is_running, "it runs already"
        self.log_file.parent.mkdir(parents=True, exist_ok=True)
        already = len(self.log)
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                env=self.environment,
                cwd=self.log_file.parent,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=end_with_parent,  # noqa: PLW1509
            )
        if wait:
            self.wait_until(lambda: "Slipway is ready" in self.log[already:], "get ready")

    def wait_until(self, condition: object, what: str, *, seconds: float = 60) -> None:
        """Wait until `condition()` holds; fail with the log where it does not, or the server has ended."""
        assert callable(condition)
        deadline = time.monotonic() + seconds
        while not condition():
            ended = self._process is None or self._process.poll() is not None
            assert not ended, f"The server ended and did not {what}:\n{self.log}"
            assert time.monotonic() < deadline, f"The server did not {what} within {seconds} s:\n{self.log}"
            time.sleep(0.02)

    def stop(self, *, with_signal: int = signal.SIGTERM) -> int:
        """End it as Ctrl-C or the system would, and return its exit code."""
        assert self._process is not None
        self._process.send_signal(with_signal)
        code = self._process.wait(60)
        self._process = None
        return code

    def wait(self, seconds: float = 60) -> int:
        """Wait for it to end by itself, and return its exit code."""
        assert self._process is not None
        code = self._process.wait(seconds)
        self._process = None
        return code

    def kill(self) -> None:
        """End it and all its children at once, as a power cut would."""
        assert self._process is not None
        for pid in _of_session(self._process.pid):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.wait()
        self._process = None

    def end(self) -> None:
        """End whatever still runs."""
        if self._process is not None:
            self.kill()

    def slipway(self, *words: str, password: str = "") -> str:
        """Run a `slipway` command on the server's database and return what it printed on standard output."""
        environment = self.environment | ({"SLIPWAY_PASSWORD": password} if password else {})
        done = subprocess.run(
            [sys.executable, str(CHECKOUT / "cli.py"), *words],
            env=environment, capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def client(self, **options: object) -> httpx.Client:
        """An HTTP client of the server, with cookies."""
        return httpx.Client(base_url=self.url, trust_env=False, timeout=30, **options)  # type: ignore[arg-type]


def _of_session(session: int) -> list[int]:
    """The processes of a session, whose leader comes first: one that is killed first cannot start others again."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with suppress(ProcessLookupError):
                if os.getsid(int(folder.name)) == session:
                    found.append(int(folder.name))
    return sorted(found, key=lambda pid: pid != session)
