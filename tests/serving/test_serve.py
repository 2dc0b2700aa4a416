"""`slipway serve` as people meet it: it starts, tells where to go, looks after its children and ends."""

from __future__ import annotations

import re
import signal
import socket
import stat
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from config import Settings
from models import Run, database
from serving import host_and_port, local_url
from tests.harness.cast import Cast
from tests.harness.server import RunningServer

StartServer = Callable[..., RunningServer]


def test_it_starts_on_an_empty_folder_and_prints_where_to_go(start_server: StartServer, tmp_path: Path) -> None:
    server = start_server(home=tmp_path / "new" / "home", with_worker=True)
    assert f"Slipway is ready: {server.url}\n" in server.log
    link = re.search(rf"{server.url}(/setup/\S+)", server.log)
    assert link, server.log
    with server.client() as client:
        assert client.get("/healthz").status_code == 200
        assert client.get("/readyz").status_code == 200
    assert server.stop() == 0
    assert "Traceback" not in server.log


def test_it_gives_no_setup_link_once_there_is_a_user(server: RunningServer, cast: Cast) -> None:
    server.stop()
    already = len(server.log)
    server.start()
    assert "/setup/" not in server.log[already:]


def test_the_key_file_is_made_once_and_for_its_owner_alone(start_server: StartServer, tmp_path: Path) -> None:
    server = start_server()
    key_file = server.home / "secret.key"
    assert stat.S_IMODE(key_file.stat().st_mode) == 0o600
    made = key_file.read_text()
    server.stop()
    server.start()
    assert key_file.read_text() == made


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM], ids=lambda one: one.name)
def test_it_ends_with_all_its_children(start_server: StartServer, ending: signal.Signals) -> None:
    server = start_server(with_worker=True)
    children = processes_below(server.pid)
    assert len(children) >= 3, children
    # A poll that just ran leaves its connection open: that must not hold up the end.
    client = server.client()
    client.get("/healthz")
    assert server.stop(with_signal=ending) == 0
    assert not [pid for pid in children if Path(f"/proc/{pid}").exists()]
    client.close()


def test_no_child_outlives_a_killed_parent(start_server: StartServer) -> None:
    server = start_server(with_worker=True)
    children = processes_below(server.pid)
    server.stop(with_signal=signal.SIGKILL)
    deadline = time.monotonic() + 60
    while alive := [pid for pid in children if Path(f"/proc/{pid}").exists()]:
        assert time.monotonic() < deadline, f"{alive} of {children} run on"
        time.sleep(0.05)


def test_a_child_that_ends_by_itself_is_started_again(start_server: StartServer) -> None:
    server = start_server()
    (web,) = children_of(server.pid)
    # Ended from outside and politely, as an operator might by mistake.
    subprocess.run(["kill", "-TERM", str(web)], check=True)
    server.wait_until(lambda: "The web server ended with exit code" in server.log, "notice")
    server.wait_until(lambda: answers(server), "serve again", seconds=30)


def test_a_port_in_use_ends_the_start_with_a_sentence(start_server: StartServer, tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        server = RunningServer(home=tmp_path / "home", bind=f"127.0.0.1:{port}")
        server.start(wait=False)
        assert server.wait() == 1
    assert f"Error: Port {port} of 127.0.0.1 is in use" in server.log
    assert f"SLIPWAY_BIND=127.0.0.1:{port + 1}" in server.log
    assert "Traceback" not in server.log


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ({"bind": "8000"}, "SLIPWAY_BIND is '8000': expected ADDRESS:PORT"),
        ({"bind": "no.such.host.invalid:8000"}, "SLIPWAY_BIND names 'no.such.host.invalid'"),
        ({"secret_key": "short"}, "A key in SLIPWAY_SECRET_KEY has 5 characters: expected at least 32."),
        ({"web_workers": "many"}, "SLIPWAY_WEB_WORKERS is 'many': expected a whole number."),
        ({"database_url": "mysql://localhost/slipway"}, "expected postgresql://"),
    ],
    ids=["bind", "host", "secret_key", "web_workers", "database_url"],
)
def test_a_setting_that_cannot_be_used_ends_the_start_with_a_sentence(
    tmp_path: Path, setting: dict[str, object], sentence: str
) -> None:
    server = RunningServer(home=tmp_path / "home", **setting)  # type: ignore[arg-type]
    server.start(wait=False)
    assert server.wait() == 1
    assert sentence in server.log
    assert "Traceback" not in server.log


def test_it_answers_again_after_a_power_cut(server: RunningServer) -> None:
    server.kill()
    with pytest.raises(httpx.TransportError):
        httpx.get(server.url, trust_env=False)
    server.start()
    assert answers(server)


def test_it_answers_again_after_the_database_was_restarted(
    start_server: StartServer, settings: Settings, cast: Cast, database_kind: str
) -> None:
    if database_kind == "sqlite":
        return  # A file is not restarted.
    server = start_server(home=settings.home_path, database_url=settings.database_url)
    with server.client() as client:
        assert client.get("/readyz").status_code == 200
        cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> %s"
        database.execute_sql(cut, (database.execute_sql("SELECT pg_backend_pid()").fetchone()[0],))
        # The thread that meets the broken connection first may fail, once.
        answers = [client.get("/readyz").status_code for _ in range(40)]
    assert answers[-20:] == [200] * 20, answers


def test_the_worker_calls_a_silent_run_quiet(start_server: StartServer, settings: Settings, cast: Cast) -> None:
    words = int(time.time() * 1000) - 60_000
    run = Run.create(
        organization=cast.organization, key="silent", engine="terraform", phase="applying",
        started_at=words, last_word_at=words,
    )  # fmt: skip
    server = start_server(
        home=settings.home_path, database_url=settings.database_url, with_worker=True, watch_every_ms=200
    )
    server.wait_until(lambda: Run.get_by_id(run.id).liveness == "quiet", "call the run quiet")
    assert database.execute_sql("SELECT 1").fetchone() == (1,)


def test_two_workers_share_one_database(start_server: StartServer, settings: Settings, cast: Cast) -> None:
    options = {"home": settings.home_path, "database_url": settings.database_url, "with_worker": True}
    servers = [start_server(**options, watch_every_ms=100) for _ in range(2)]
    words = int(time.time() * 1000) - 60_000
    for number in range(5):
        Run.create(
            organization=cast.organization, key=f"silent-{number}", engine="terraform", phase="applying",
            started_at=words, last_word_at=words,
        )  # fmt: skip
    servers[0].wait_until(lambda: Run.select().where(Run.liveness == "quiet").count() == 5, "call the runs quiet")
    time.sleep(0.5)
    for server in servers:
        assert "Traceback" not in server.log, server.log
        assert "ended with exit code" not in server.log, server.log


@pytest.mark.parametrize(
    ("bind", "parts", "url"),
    [
        ("127.0.0.1:8000", ("127.0.0.1", 8000), "http://127.0.0.1:8000"),
        ("0.0.0.0:80", ("0.0.0.0", 80), "http://127.0.0.1:80"),
        ("[::]:8000", ("::", 8000), "http://[::1]:8000"),
        ("localhost:8000", ("localhost", 8000), "http://localhost:8000"),
    ],
)
def test_it_reads_an_address_and_tells_where_to_reach_it(bind: str, parts: tuple[str, int], url: str) -> None:
    assert host_and_port(bind) == parts
    assert local_url(bind) == url


def answers(server: RunningServer) -> bool:
    try:
        return httpx.get(f"{server.url}/healthz", trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


def children_of(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def processes_below(pid: int) -> list[int]:
    found = []
    for child in children_of(pid):
        found += [child, *processes_below(child)]
    return found
