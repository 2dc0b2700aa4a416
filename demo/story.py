"""What happens in the demo: real Terraform runs, sent through the reporter as a team would send them.

python -m demo.story SCRATCH_FOLDER     (with SLIPWAY_URL and SLIPWAY_TOKEN)
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from serving import CHECKOUT

STACKS = Path(__file__).resolve().parent / "stacks"
TERRAFORM = [sys.executable, str(CHECKOUT / "demo" / "terraform.py")]
REPORTER = [sys.executable, str(CHECKOUT / "reporter" / "slipway_reporter.py"), "terraform"]


class Workspace:
    """A copy of one of the demo's Terraform configurations, whose runs are reported under the stack's name."""

    def __init__(self, scratch: Path, configuration: str, stack: str) -> None:
        self.stack = stack
        self._folder = scratch / configuration
        shutil.copytree(STACKS / configuration, self._folder)
        self._environment = {name: value for name, value in os.environ.items() if name != "TF_CLI_CONFIG_FILE"} | {
            "CHECKPOINT_DISABLE": "1",
            "TF_IN_AUTOMATION": "1",
            "SLIPWAY_SPOOL": str(scratch / "spool"),
        }
        self._log = scratch / f"{configuration}.log"
        done = subprocess.run(
            [*TERRAFORM, "init", "-no-color"], cwd=self._folder, env=self._environment, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        if done.returncode:
            raise SystemExit(f"terraform init failed in {configuration}:\n{done.stdout}{done.stderr}")

    def terraform(self, command: str, **variables: object) -> None:
        """Run `terraform COMMAND -json -auto-approve | slipway_reporter.py terraform --stack NAME`."""
        words = [command, "-json", "-auto-approve", *(f"-var={name}={value}" for name, value in variables.items())]
        say(f"{self.stack}: terraform {' '.join(words)}")
        with self._log.open("ab") as log:
            tool = subprocess.Popen(
                [*TERRAFORM, *words], cwd=self._folder, env=self._environment, stdout=subprocess.PIPE, stderr=log
            )
            reporter = subprocess.Popen(
                [*REPORTER, "--stack", self.stack, "--command", f"terraform {command}"],
                cwd=self._folder, env=self._environment, stdin=tool.stdout, stdout=log, stderr=log,
            )  # fmt: skip
            assert tool.stdout is not None
            tool.stdout.close()
            reporter.wait()
            code = tool.wait()
        say(f"{self.stack}: {'done' if code == 0 else f'failed (exit code {code})'}")


def shop(scratch: Path) -> None:
    """A first deployment that takes a minute, then a release that replaces the services."""
    workspace = Workspace(scratch, "shop", "shop-production")
    workspace.terraform("apply")
    time.sleep(40)
    workspace.terraform("apply", release="2026.11.2")


def analytics(scratch: Path) -> None:
    """A deployment that fails and leaves a dependent not started; later its repair."""
    workspace = Workspace(scratch, "analytics", "analytics")
    time.sleep(3)
    workspace.terraform("apply")
    time.sleep(25)
    workspace.terraform("apply", warehouse_nodes=6)


def edge(scratch: Path) -> None:
    """Releases without end, so that there is something to see whenever somebody looks; every fifth is taken down."""
    workspace = Workspace(scratch, "edge", "edge-staging")
    release = 1
    while True:
        workspace.terraform("destroy" if release % 5 == 0 else "apply", release=release)
        release += 1
        time.sleep(30)


def say(text: str) -> None:
    """Tell whoever started the demo."""
    print(f"  {time.strftime('%H:%M:%S')}  {text}", flush=True)


def main() -> None:
    """Tell all stories at once, until they end or this process is ended."""
    scratch = Path(sys.argv[1])

    def end_all(_signal: int, _frame: object) -> None:
        # Terraform, the reporter and the sleeping commands are all in this process's group; nothing of them is kept.
        os.killpg(0, signal.SIGKILL)

    signal.signal(signal.SIGTERM, end_all)
    # Daemons: the main thread stays free for the signal.
    threads = [threading.Thread(target=story, args=(scratch,), daemon=True) for story in (edge, shop, analytics)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main()
