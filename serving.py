"""`slipway serve`: one process that starts the web server and the worker, looks after both and ends both.

The children are processes of their own, so that either can be started alone on another host (`slipway worker`, or
granian by hand). A child that ends by itself is started again; a web server that never answers ends everything.
"""

from __future__ import annotations

import ctypes
import dataclasses
import errno
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import FrameType

from peewee import Database, OperationalError

from config import SettingError, Settings
from keys import secret_keys
from models.connection import open_database
from models.migrate import migrate

log = logging.getLogger("slipway.serve")

CHECKOUT = Path(__file__).resolve().parent

READY_WITHIN_S = 60.0
STOP_WITHIN_S = 8.0
_LONGEST_PAUSE_S = 30.0

# Threads of one web server process. Each keeps a connection to the database open, and PostgreSQL gives out about a
# hundred; more threads than this answer no more polls.
THREADS = 16

_PR_SET_PDEATHSIG = 1


class CannotServe(Exception):
    """The server cannot be started; the text says why and what to do."""


def serve(
    settings: Settings,
    *,
    with_worker: bool = True,
    beside: Sequence[Child] = (),
    say: Callable[[str], None] = print,
) -> None:
    """Run web server and worker until SIGINT or SIGTERM.

    `beside` are further children, started once the server answers. `say` prints to whoever started it.
    Raises `CannotServe` or `SettingError` where the start fails.
    """
    host, port = host_and_port(settings.bind)
    refuse_port_in_use(host, port)
    url = settings.public_url or local_url(settings.bind)
    setup_path = prepare(settings)

    stop = threading.Event()

    def ask_to_stop(_signal: int, _frame: FrameType | None) -> None:
        stop.set()

    before = {one: signal.signal(one, ask_to_stop) for one in (signal.SIGINT, signal.SIGTERM)}
    children = [Child("web server", web_command(settings), settings)]
    if with_worker:
        children.append(Child("worker", worker_command(), settings))
    try:
        for child in children:
            child.start()
        if _wait_until_ready(local_url(settings.bind), children[0], stop):
            say(f"Slipway is ready: {url}")
            if setup_path:
                say(
                    f"Nobody can sign in yet. Make the first account, with this link that works once: {url}{setup_path}"
                )
            say("Ctrl-C stops it.")
            for child in beside:
                child.start()
                children.append(child)
        while not stop.wait(0.2):
            for child in children:
                child.look_after()
    finally:
        for child in children:
            child.ask_to_end()
        deadline = time.monotonic() + STOP_WITHIN_S
        for child in children:
            child.end(deadline)
        for one, handler in before.items():
            signal.signal(one, handler)


def prepare(settings: Settings) -> str:
    """Bring key file and database up to date; return the path of the set-up page where there is no user yet."""
    # Imported here: the command line of scripts need not load what only a first start needs.
    from provisioning.accounts import setup_link

    secret_keys(settings)
    database = ready_database(settings)
    try:
        token = setup_link(time.time_ns() // 1_000_000)
    finally:
        # The children open their own.
        database.close()
    return f"/setup/{token}" if token else ""


def ready_database(settings: Settings) -> Database:
    """Bind all models to the settings' database, with its schema brought up to date.

    Raises `SettingError` where the settings name none that can be used.
    """
    try:
        database = open_database(settings.database_url, settings.home_path)
        database.connect(reuse_if_open=True)
    except ValueError as error:
        raise SettingError(str(error)) from None
    except (OperationalError, OSError) as error:
        where = "SLIPWAY_DATABASE_URL" if settings.database_url else f"SLIPWAY_HOME ({settings.home_path})"
        raise SettingError(f"The database of {where} cannot be opened: {error}") from None
    migrate(database)
    return database


class Child:
    """A process that is kept running, or, where it `ends_by_itself`, only ended with the others."""

    def __init__(
        self,
        name: str,
        command: list[str],
        settings: Settings,
        *,
        more_environment: Mapping[str, str] | None = None,
        ends_by_itself: bool = False,
    ) -> None:
        self.name = name
        self._command = command
        self._environment = environment_of(settings) | dict(more_environment or {})
        self._ends_by_itself = ends_by_itself
        self._process: subprocess.Popen[bytes] | None = None
        self._pause_s = 1.0
        self._started_at = 0.0
        self._start_again_at: float | None = None

    def start(self) -> None:
        """Start it."""
        self._started_at = time.monotonic()
        self._start_again_at = None
        self._process = subprocess.Popen(
            self._command,
            env=self._environment,
            # Ctrl-C in the terminal reaches this process alone, which then ends the others, each by one signal:
            # granian takes a second one for "at once" and leaves its own children behind.
            process_group=0,
            # This process has no threads, which could hold a lock between fork and exec.
            preexec_fn=end_with_parent,  # noqa: PLW1509
        )

    def exit_code(self) -> int | None:
        """The exit code of a process that has ended, else None."""
        return self._process.poll() if self._process else None

    def look_after(self) -> None:
        """Start it again where it has ended, after a pause that grows while it keeps ending."""
        code = self.exit_code()
        now = time.monotonic()
        if code is None or self._ends_by_itself:
            if now - self._started_at > 2 * _LONGEST_PAUSE_S:
                self._pause_s = 1.0
            return
        if self._start_again_at is None:
            log.error("The %s ended with exit code %d; it is started again in %.0f s.", self.name, code, self._pause_s)
            self._start_again_at = now + self._pause_s
            self._pause_s = min(2 * self._pause_s, _LONGEST_PAUSE_S)
        elif now >= self._start_again_at:
            self.start()

    def ask_to_end(self) -> None:
        """Ask the process to end."""
        if self._process and self._process.poll() is None:
            self._process.terminate()

    def end(self, deadline: float) -> None:
        """Wait until the process has ended, and no longer than the deadline."""
        if self._process is None:
            return
        try:
            self._process.wait(max(deadline - time.monotonic(), 0.1))
        except subprocess.TimeoutExpired:
            log.warning("The %s did not end in time and is killed.", self.name)
            self._process.kill()
            self._process.wait()


def web_command(settings: Settings, app: str = "app:create_app") -> list[str]:
    """The command of the web server; `bench` measures another app's factory under the very same one."""
    host, port = host_and_port(settings.bind)
    return [
        # -P: an app.py in the folder where the command is typed is not ours.
        sys.executable, "-P", "-m", "granian", app, "--factory", "--interface", "wsgi",
        "--working-dir", str(CHECKOUT), "--host", host, "--port", str(port),
        "--workers", str(settings.web_workers), "--respawn-failed-workers", "--workers-kill-timeout", "3",
        "--no-ws", "--log-level", "error", "--blocking-threads", str(THREADS),
    ]  # fmt: skip


def worker_command() -> list[str]:
    """The command of the worker."""
    return [sys.executable, "-P", str(CHECKOUT / "cli.py"), "worker"]


def environment_of(settings: Settings) -> dict[str, str]:
    """This process's environment with these settings in it."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SLIPWAY_")}
    for one in dataclasses.fields(settings):
        value = getattr(settings, one.name)
        if value != one.default:
            environment[f"SLIPWAY_{one.name.upper()}"] = str(value)
    # The checkout's modules are found from wherever the command was typed.
    environment["PYTHONPATH"] = os.pathsep.join([str(CHECKOUT), *filter(None, [environment.get("PYTHONPATH")])])
    return environment


def host_and_port(bind: str) -> tuple[str, int]:
    """The two parts of SLIPWAY_BIND: `127.0.0.1:8000`, `[::1]:8000`."""
    host, colon, port = bind.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not host or not port.isdigit() or not 0 < int(port) < 65_536:
        raise SettingError(f"SLIPWAY_BIND is {bind!r}: expected ADDRESS:PORT, like 127.0.0.1:8000 or [::]:8000.")
    return host, int(port)


def local_url(bind: str) -> str:
    """The URL under which this host reaches what listens at SLIPWAY_BIND."""
    host, port = host_and_port(bind)
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def refuse_port_in_use(host: str, port: int) -> None:
    """Raise `CannotServe` where the address is taken or is not this host's."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except socket.gaierror as error:
        raise SettingError(
            f"SLIPWAY_BIND names {host!r}, which is no address of this host: {error.strerror}."
        ) from None
    with socket.socket(found[0], found[1]) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(found[4])
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise CannotServe(
                    f"Port {port} of {host} is in use: another Slipway, or another program. "
                    f"Stop it, or choose another port: SLIPWAY_BIND={host}:{port + 1}"
                ) from None
            raise CannotServe(f"Slipway cannot listen on {host}:{port}: {error.strerror}.") from None


def free_port() -> int:
    """A port on loopback that nobody listens on, for tests and bench."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def end_with_parent() -> None:
    """Ask Linux to end this process when the one that started it dies, however that dies."""
    if _libc is not None:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _load_libc() -> ctypes.CDLL | None:
    return ctypes.CDLL(None) if sys.platform == "linux" else None


# Loaded before any fork: the child between fork and exec must not load a library.
_libc = _load_libc()


def _wait_until_ready(url: str, web_server: Child, stop: threading.Event) -> bool:
    """Wait until the web server answers; False where the wait was ended from outside."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + READY_WITHIN_S
    while not stop.is_set():
        code = web_server.exit_code()
        if code is not None:
            raise CannotServe(f"The web server ended with exit code {code} before it answered; see above.")
        try:
            with opener.open(f"{url}/healthz", timeout=2):
                return True
        except OSError:
            if time.monotonic() > deadline:
                raise CannotServe(f"The web server did not answer within {READY_WITHIN_S:.0f} s; see above.") from None
        stop.wait(0.05)
    return False
