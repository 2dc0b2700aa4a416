"""A private PostgreSQL server for the tests: in a temporary folder, on a socket there, gone with the tests."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

OLDEST_VERSION = 15


class PostgresqlMissing(Exception):
    """This machine has no PostgreSQL that is new enough."""


def programs() -> Path:
    """The folder of the newest PostgreSQL's programs: Debian keeps them off the PATH."""
    found = sorted(
        (
            (int(folder.parent.name), folder)
            for folder in Path("/usr/lib/postgresql").glob("*/bin")
            if folder.parent.name.isdigit() and (folder / "initdb").exists()
        ),
        reverse=True,
    )
    if found and found[0][0] >= OLDEST_VERSION:
        return found[0][1]
    initdb = shutil.which("initdb")
    if initdb:
        version = subprocess.run([initdb, "--version"], capture_output=True, text=True, check=True).stdout.split()[2]
        if int(version.split(".")[0]) >= OLDEST_VERSION:
            return Path(initdb).parent
    raise PostgresqlMissing(f"There is no PostgreSQL {OLDEST_VERSION} or newer here: run `make programs`.")


@contextmanager
def running_server() -> Iterator[str]:
    """Start a server and give the URL of its `postgres` database; stop and remove it at the end."""
    folder = programs()
    # Not pytest's own temporary folder: that one is closed to the user the server runs as.
    home = Path(tempfile.mkdtemp(prefix="slipway-pg-"))
    account = _account()
    if account is not None:
        os.chown(home, account.pw_uid, account.pw_gid)
    try:
        data = home / "data"
        subprocess.run(
            [*_as_account(account), str(folder / "initdb"), "--pgdata", str(data), "--username", "slipway",
             "--auth", "trust", "--encoding", "UTF8", "--no-locale", "--no-sync"],
            check=True, capture_output=True, text=True, cwd=home,
        )  # fmt: skip
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(home),
            "fsync": "off",
            "full_page_writes": "off",
            "synchronous_commit": "off",
            "shared_buffers": "32MB",
            "max_connections": "300",
            "autovacuum": "off",
            "max_wal_senders": "0",
            "wal_level": "minimal",
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with (home / "log").open("wb") as log:
            server = subprocess.Popen(
                [*_as_account(account), str(folder / "postgres"), "-D", str(data), *options],
                stdout=log,
                stderr=log,
                cwd=home,
                # Ctrl-C in the terminal is for the tests, which stop the server in their own time.
                start_new_session=True,
            )
        try:
            url = f"postgresql://slipway@/postgres?host={home}"
            _wait_until_it_answers(url, server, home / "log")
            yield url
        finally:
            # SIGTERM would wait for whoever is still connected.
            server.send_signal(signal.SIGINT)
            try:
                server.wait(5)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait(5)
    finally:
        shutil.rmtree(home, ignore_errors=True)


def url_of(server: str, name: str) -> str:
    """The URL of another database of the same server."""
    return server.replace("/postgres?", f"/{name}?")


def create_database(server: str, name: str, *, template: str = "template1") -> str:
    """Make a database, as a copy of `template`, and return its URL."""
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"'.encode())
    return url_of(server, name)


def drop_database(server: str, name: str) -> None:
    """Remove a database, whoever is still connected to it."""
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'.encode())


def _account() -> pwd.struct_passwd | None:
    """PostgreSQL refuses to run as root; null where we are somebody else already."""
    if os.getuid() != 0:
        return None
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        return pwd.getpwnam("nobody")


def _as_account(account: pwd.struct_passwd | None) -> list[str]:
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        if account is not None:
            raise PostgresqlMissing("Running PostgreSQL from root needs setpriv, of Debian's package util-linux.")
        return []
    # A test run that is killed takes its server along.
    words = [setpriv, "--pdeathsig", "INT"]
    if account is not None:
        words += [f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups"]
    return words


def _wait_until_it_answers(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            psycopg.connect(url).close()
            return
        except psycopg.OperationalError:
            if server.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL did not start:\n{log.read_text(errors='replace')}") from None
            time.sleep(0.05)
