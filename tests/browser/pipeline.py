"""A pipeline as the server sees it: lines of `terraform apply -json`, sent to the ingest API as they come."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from typing import Any

from provisioning.audit import COMMAND_LINE
from provisioning.tokens import create_token
from tests.harness.cast import Cast
from tests.harness.server import RunningServer

_KEYS = count(1)

LONG_DETAIL = "\n".join(f"Line {number}: waiting for the state to become available" for number in range(1, 41))


@dataclass
class Pipeline:
    """Whoever sends runs to a server, with a token of the cast's organisation."""

    server: RunningServer
    cast: Cast
    token: str = ""

    def __post_init__(self) -> None:
        self.token = create_token(
            organization_id=self.cast.organization.id,
            name="pipeline",
            scopes=["ingest"],
            actor=COMMAND_LINE,
            now=time.time_ns() // 1_000_000,
        )

    def run(self, *planned: str, stack: str = "prod", action: str = "create") -> PipelineRun:
        """Begin a run that plans these addresses."""
        begun = PipelineRun(self, f"run-{next(_KEYS)}", stack, action)
        begun.send(
            {"type": "version", "@message": "Terraform 1.15.0", "terraform": "1.15.0", "ui": "1.2"},
            *[begun.line("planned_change", address) for address in planned],
            *[
                {
                    "type": "change_summary",
                    "@message": "Plan",
                    "changes": _counted(action, len(planned)) | {"operation": "plan"},
                }
            ]
            * bool(planned),
        )
        return begun


def _counted(action: str, number: int) -> dict[str, int]:
    names = {"create": "add", "update": "change", "delete": "remove"}
    return {"add": 0, "change": 0, "import": 0, "remove": 0} | {names[action]: number}


@dataclass(eq=False)
class PipelineRun:
    """One run. Each verb sends its lines at once; `id` is the run's public id."""

    pipeline: Pipeline
    key: str
    stack: str
    action: str
    id: str = ""
    sent: int = 0
    begun: dict[str, float] = field(default_factory=dict)

    def start(self, *addresses: str) -> None:
        """Begin to make them."""
        self.begun |= dict.fromkeys(addresses, time.monotonic())
        self.send(*[self.line("apply_start", address) for address in addresses])

    def done(self, *addresses: str) -> None:
        """Say that they are made."""
        self.send(*[self.line("apply_complete", address) for address in addresses])

    def fail(self, address: str, summary: str, detail: str = "") -> None:
        """Say that it failed, and why."""
        self.send(
            self.line("apply_errored", address),
            {
                "type": "diagnostic",
                "@level": "error",
                "@message": f"Error: {summary}",
                "diagnostic": {"severity": "error", "summary": summary, "detail": detail, "address": address},
            },
        )

    def end(self, code: int = 0) -> None:
        """The tool's process has ended."""
        self.send(end=code)

    def line(self, kind: str, address: str) -> dict[str, Any]:
        """A line about one step."""
        tool_type, name = address.split(".")[-2:]
        resource = {
            "addr": address,
            "module": "",
            "resource": address,
            "implied_provider": tool_type.split("_")[0],
            "resource_type": tool_type,
            "resource_name": name,
            "resource_key": None,
        }
        part = "change" if kind == "planned_change" else "hook"
        seconds = round(time.monotonic() - self.begun.get(address, time.monotonic()))
        return {
            "type": kind,
            "@message": f"{address}: {kind}",
            part: {"resource": resource, "action": self.action, "elapsed_seconds": seconds},
        }

    def send(self, *lines: dict[str, Any], end: int | None = None) -> None:
        """Send a batch; every line of it must be accepted."""
        stamp = {"@level": "info", "@module": "terraform.ui", "@timestamp": datetime.now(UTC).isoformat()}
        body = "".join(json.dumps(stamp | line) + "\n" for line in lines)
        parameters: dict[str, Any] = {"run": self.key, "stack": self.stack, "seq": self.sent, "command": "apply"}
        if end is not None:
            parameters["end"] = end
        with self.pipeline.server.client() as client:
            answer = client.post(
                "/api/v1/ingest/terraform",
                params=parameters,
                content=body.encode(),
                headers={"Authorization": f"Bearer {self.pipeline.token}"},
            )
        assert answer.status_code == 200, answer.text
        told = answer.json()
        assert told["ignored"] == [] and told["accepted"] == len(lines), told
        self.sent += len(lines)
        self.id = told["run"]
