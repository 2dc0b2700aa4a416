"""Servers killed again and again, a network that spoils half of what is sent, four runs at once: nothing is lost,
nothing is doubled, and every state is right."""

from __future__ import annotations

import random
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from peewee import Database

from config import Settings
from models import Event, Resource, Run, Stack, Step
from provisioning.resources import TABLES
from provisioning.states import RESOURCE_MOVES, ProvisioningState
from provisioning.status_counts import counted_from_rows, status_counts
from tests.faults.proxy import FaultyProxy
from tests.faults.runs import ToldRun, four_runs
from tests.harness.cast import Cast
from tests.harness.server import RunningServer
from tests.reporter.stage import Home, stand_in, stop, with_limits

PATIENCE_S = 180.0
"""After so long something hangs; a quiet machine needs a tenth of it."""

TERRAFORM = """
import os, sys, time
from pathlib import Path
story = Path.cwd()
lines = (story / "lines.jsonl").read_text().splitlines()
for number, line in enumerate(lines):
    print(line, flush=True)
    if number % 50 == 49:
        time.sleep(0.2)
    while number == len(lines) * 3 // 4 and not (story.parent / "enough").exists():
        time.sleep(0.1)
code = int((story / "exit_code").read_text())
if code < 0:
    os.kill(os.getpid(), -code)
sys.exit(code)
"""
"""Writes its run in pieces, and the last quarter only when the server has died often enough."""

DEATHS = 4


def kill_again_and_again(
    server: RunningServer, processes: list[subprocess.Popen[bytes]], enough: Path, seed: int
) -> None:
    """Kill the server and start it again, `DEATHS` times at least, until all processes have ended; it runs then.

    In the thread of the test: a server ends with the thread that started it.
    """
    drawn = random.Random(seed)
    deadline = time.monotonic() + PATIENCE_S
    deaths = 0
    while any(process.poll() is None for process in processes):
        assert time.monotonic() < deadline, "the runs do not end"
        time.sleep(drawn.uniform(0.5, 2.5))
        server.kill()
        deaths += 1
        if deaths == DEATHS:
            enough.touch()
        server.start()
    assert deaths >= DEATHS


def reporting_home(tmp_path: Path, told: ToldRun, proxy: FaultyProxy, token: str, environ: dict[str, str]) -> Home:
    """A machine whose `terraform` plays the run, and which shares its spool with the others."""
    folder = tmp_path / told.stack
    folder.mkdir()
    (folder / "lines.jsonl").write_text("".join(f"{line}\n" for line in told.lines))
    (folder / "exit_code").write_text(str(told.exit_code))
    return Home(folder, environ | {"SLIPWAY_URL": proxy.url, "SLIPWAY_TOKEN": token, "SLIPWAY_STACK": told.stack})


@pytest.fixture
def environ(home: Path, tmp_path: Path) -> dict[str, str]:
    (tmp_path / "tmp").mkdir()
    return {
        "PATH": "/usr/bin:/bin",
        "HOME": str(tmp_path),
        "TMPDIR": str(tmp_path / "tmp"),
        "SLIPWAY_SPOOL": str(tmp_path / "spool"),
        "LANG": "C.UTF-8",
    }


def test_ten_thousand_events_of_four_runs_survive_kills_and_a_bad_network(
    settings: Settings,
    database: Database,
    cast: Cast,
    tmp_path: Path,
    environ: dict[str, str],
    start_server: Callable[..., RunningServer],
) -> None:
    server = start_server(
        home=settings.home_path, database_url=settings.database_url, secret_key=settings.secret_key, log_level="ERROR"
    )
    token = server.slipway("token", "add", "--name", "ci", "--scope", "ingest", "--org", cast.organization.slug)
    runs = four_runs()
    assert sum(len(told.lines) for told in runs) == 10_000
    terraform = stand_in(tmp_path / "bin", "terraform", TERRAFORM)
    proxy = FaultyProxy(server.port, seed=4)
    homes = [reporting_home(tmp_path, told, proxy, token, environ) for told in runs]
    # Half a minute between two attempts is right for CI, and would let most faults here pass unseen.
    reporter = with_limits(homes[0], BACKOFF_LONGEST_SECONDS=1.0)
    processes = []
    try:
        for home in homes:
            quiet: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)
            words = ("watch", "--drain-seconds", "2", "--", str(terraform), "apply", "-auto-approve")
            processes.append(home.start(*words, script=reporter, **quiet))
        kill_again_and_again(server, processes, tmp_path / "enough", seed=7)
        proxy.calm()
        flush_until_empty(homes[0], reporter)
    finally:
        for process in processes:
            stop(process)
        proxy.close()
    assert [process.returncode for process in processes] == [0, 1, 137, 0]
    assert all(proxy.done.values()), proxy.done
    for told in runs:
        assert_told_once_and_right(told)
    assert Event.select().count() == 10_000
    assert Run.select().count() == Stack.select().count() == len(runs)
    assert status_counts(cast.organization.id) == counted_from_rows(cast.organization.id)
    assert_moves_are_legal()


def flush_until_empty(home: Home, reporter: list[str]) -> None:
    """Send what the runs left in the spool."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        ended = home.run("flush", script=reporter)
        if ended.code == 0:
            break
        assert time.monotonic() < deadline, ended.err
        time.sleep(0.2)
    assert home.spooled() == []


def assert_told_once_and_right(told: ToldRun) -> None:
    """The run is in the database with each of its lines once, and all states are those that its tool told."""
    run = Run.select().join(Stack).where(Stack.name == told.stack).get()
    events = list(Event.select(Event.sequence, Event.kind).where(Event.run == run).order_by(Event.sequence).tuples())
    assert events == list(enumerate(told.kinds)), told.stack
    assert run.received == [[0, len(told.lines) - 1]]
    assert (run.phase, run.outcome, run.end_code) == (
        "finished", told.outcome, str(told.exit_code if told.exit_code >= 0 else 128 - told.exit_code),
    )  # fmt: skip
    steps = {
        (step.address, step.action): (step.state, step.diagnostic is not None)
        for step in Step.select().where(Step.run == run)
    }
    assert steps == told.steps
    states = Counter(state for state, _ in told.steps.values())
    assert (
        run.planned_count, run.running_count, run.completed_count, run.failed_count, run.interrupted_count,
    ) == (
        len(told.steps), 0, states["done"], states["failed"], states["interrupted"],
    )  # fmt: skip
    begun = {row.address: _state(row) for row in _resources(run.stack_id) if row.address in told.resources}
    assert begun == told.with_card()
    for row in _resources(run.stack_id):
        if row.address not in told.resources:
            assert row.provisioning_state is None, "planned, and never begun"


def _resources(stack_id: str) -> list[Resource]:
    return [row for table in TABLES.values() for row in table.select().where(table.stack == stack_id)]


def _state(row: Resource) -> tuple[str | None, str]:
    return ("deleted" if row.deleted_at else row.provisioning_state, row.reason)


def assert_moves_are_legal() -> None:
    """No event moved a resource in a way that the table forbids."""
    for event in Event.select().where(Event.resource.is_null(False)):
        before = ProvisioningState(event.state_before) if event.state_before else None
        after = ProvisioningState(event.state_after) if event.state_after else None
        assert after == before or after in RESOURCE_MOVES[before], (event.kind, event.action, before, after)
