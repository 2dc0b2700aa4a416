"""The examples of docs/api-examples are run as they stand, against a real server."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # comes with moto

from models import Run, Server, Step, WebService
from tests.conftest import missing
from tests.harness.cast import Cast
from tests.harness.server import RunningServer
from tests.manual.conftest import bearer

EXAMPLES = Path(__file__).parents[2] / "docs" / "api-examples"


@pytest.fixture
def environment(server: RunningServer, cast: Cast) -> dict[str, str]:
    """What the examples ask for: an address and a token."""
    if shutil.which("curl") is None:
        missing("curl is not installed")
    header = bearer(cast.organization.id, "full")["Authorization"]
    return {"PATH": os.environ["PATH"], "SLIPWAY_URL": server.url, "SLIPWAY_TOKEN": header.removeprefix("Bearer ")}


def ran(command: list[str], environment: dict[str, str], **more: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, check=False, env=environment, capture_output=True, text=True, timeout=60, **more)


def test_the_shell_example_tells_of_a_run(environment: dict[str, str]) -> None:
    done = ran(["sh", str(EXAMPLES / "run.sh")], environment)
    assert (done.returncode, done.stderr) == (0, "")
    run = Run.get()
    assert (run.engine, run.outcome, run.completed_count, run.planned_count) == ("deploy.sh", "succeeded", 2, 2)
    assert WebService.get().provisioning_state == "provisioned"


def test_the_shell_example_tells_why_a_step_failed(environment: dict[str, str]) -> None:
    done = ran(["sh", str(EXAMPLES / "run.sh")], environment | {"DEPLOY": "false"})
    assert done.returncode == 1
    assert Run.get().outcome == "failed"
    assert WebService.get().error_summary == "false ended with 1"


def test_the_shell_example_enters_a_resource(environment: dict[str, str]) -> None:
    done = ran(["sh", str(EXAMPLES / "resource.sh")], environment)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip() == Server.get().id
    assert Server.get().provisioning_state == "provisioned"


def test_the_python_example_tells_of_a_run(environment: dict[str, str]) -> None:
    for _ in range(2):
        # The same key: told twice, stored once.
        done = ran([sys.executable, str(EXAMPLES / "run.py")], environment | {"RUN_KEY": "deploy-1"})
        assert (done.returncode, done.stderr) == (0, "")
    assert Run.get().outcome == "succeeded"
    assert Step.select().count() == 1
    assert WebService.get().production_url == "https://shop.example.com"


@pytest.mark.parametrize(("status", "state"), [("succeeded", "provisioned"), ("failed", "failed")])
def test_the_workflow_tells_of_a_run(environment: dict[str, str], tmp_path: Path, status: str, state: str) -> None:
    workflow = yaml.safe_load((EXAMPLES / "github-actions.yml").read_text())
    variables = tmp_path / "env"
    variables.touch()
    given = environment | {
        "GITHUB_ENV": str(variables), "GITHUB_STEP_SUMMARY": str(tmp_path / "summary"), "GITHUB_RUN_ID": "4711",
        "GITHUB_RUN_ATTEMPT": "1", "GITHUB_ACTOR": "ada", "GITHUB_SHA": "0" * 40,
        "GITHUB_SERVER_URL": "https://github.com", "GITHUB_REPOSITORY": "acme/shop", "OUTCOME": status,
    }  # fmt: skip
    for step in workflow["jobs"]["deploy"]["steps"]:
        # GitHub sets what earlier steps wrote, and runs each by bash with -e.
        given |= dict(line.split("=", 1) for line in variables.read_text().splitlines())
        done = ran(["bash", "-e", "-o", "pipefail", "-c", step["run"]], given)
        assert done.returncode == 0, done.stderr
    run = Run.get()
    assert (run.outcome, run.actor, run.job_url[:19]) == (status, "ada", "https://github.com/")
    assert WebService.get().provisioning_state == state
    assert run.id in (tmp_path / "summary").read_text()


def test_the_workflow_uses_no_expression_in_a_script() -> None:
    # An expression is pasted into the script before the shell reads it: a title with a quote would be a command.
    workflow = yaml.safe_load((EXAMPLES / "github-actions.yml").read_text())
    for step in workflow["jobs"]["deploy"]["steps"]:
        assert not re.search(r"\$\{\{", step["run"])
