"""Four runs of a Terraform, line by line, and what each must have come to: told here by hand, not by the code under
test."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

TYPES = ("aws_instance", "aws_db_instance", "aws_route53_record", "aws_iam_role")
"""A server, a database, a domain, and a type that has a step and no card."""


@dataclass
class ToldRun:
    """One run: the lines that its tool writes, all of which are events, and what it must have come to.

    `steps` maps (address, action) to (state, whether it has a diagnostic). `resources` maps an address to (provisioning
    state, reason), the state `deleted` standing for a card whose resource is gone; planned and never begun: absent.
    """

    stack: str
    exit_code: int
    outcome: str
    lines: list[str] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)
    steps: dict[tuple[str, str], tuple[str, bool]] = field(default_factory=dict)
    resources: dict[str, tuple[str | None, str]] = field(default_factory=dict)

    def say(self, event_kind: str, line_type: str, message: str, **more: Any) -> None:
        """Add a line, which makes an event of this kind."""
        at = datetime(2026, 11, 24, 12, tzinfo=UTC) + timedelta(milliseconds=3 * len(self.lines))
        stamp = at.isoformat(timespec="microseconds")
        line = {"@level": "info", "@message": message, "@module": "terraform.ui", "@timestamp": stamp}
        self.lines.append(json.dumps(line | {"type": line_type} | more, separators=(",", ":")))
        self.kinds.append(event_kind)

    def planned(self, address: str, action: str) -> None:
        """A step is planned; a replacement is two."""
        change = {"resource": _resource(address), "action": action}
        self.say("planned", "planned_change", f"{address}: Plan to {action}", change=change)
        for half in ("delete", "create") if action == "replace" else (action,):
            self.steps[address, half] = ("waiting", False)

    def moved(self, kind: str, address: str, action: str) -> None:
        """A step goes on: started, progress, done or failed."""
        line_type = {
            "started": "apply_start", "progress": "apply_progress", "done": "apply_complete", "failed": "apply_errored",
        }[kind]  # fmt: skip
        hook = {"resource": _resource(address), "action": action}
        if kind == "done" and action != "delete":
            hook |= {"id_key": "id", "id_value": f"id-of-{address}"}
        self.say(kind, line_type, f"{address}: {kind}", hook=hook)
        self.steps[address, action] = ({"started": "running", "progress": "running"}.get(kind, kind), False)

    def error(self, address: str, action: str) -> None:
        """The tool says why a step failed."""
        told = {"severity": "error", "summary": f"{address} broke", "detail": "Quota exceeded.", "address": address}
        self.say("diagnostic", "diagnostic", f"Error: {address} broke", diagnostic=told)
        self.steps[address, action] = ("failed", True)

    def version(self) -> None:
        """The tool's first line."""
        self.say("run_info", "version", "Terraform 1.15.0", terraform="1.15.0")

    def summary(self, event_kind: str, operation: str, **counts: int) -> None:
        """The tool's own count."""
        changes = {"add": 0, "change": 0, "remove": 0, "import": 0} | counts | {"operation": operation}
        self.say(event_kind, "change_summary", f"{operation.capitalize()}: done", changes=changes)

    def with_card(self) -> dict[str, tuple[str | None, str]]:
        """`resources` without those whose type has no card."""
        return {address: told for address, told in self.resources.items() if not address.startswith("aws_iam")}


def _resource(address: str) -> dict[str, str]:
    resource_type, name = address.split(".")
    return {"addr": address, "resource": address, "resource_type": resource_type, "resource_name": name, "module": ""}


def _addresses(count: int) -> list[str]:
    return [f"{TYPES[number % len(TYPES)]}.thing_{number}" for number in range(count)]


def _at_once(addresses: list[str], size: int = 10) -> Iterator[list[str]]:
    """Terraform works on ten resources at a time."""
    for start in range(0, len(addresses), size):
        yield addresses[start : start + size]


def all_goes_well() -> ToldRun:
    """624 resources are created: 2,499 lines."""
    run = ToldRun("well", 0, "succeeded")
    addresses = _addresses(624)
    run.version()
    for address in addresses:
        run.planned(address, "create")
    run.summary("total", "plan", add=len(addresses))
    for group in _at_once(addresses):
        for kind in ("started", "progress", "done"):
            for address in group:
                run.moved(kind, address, "create")
    run.summary("run_ended", "apply", add=len(addresses))
    run.resources = dict.fromkeys(addresses, ("provisioned", ""))
    return run


def some_fail() -> ToldRun:
    """Of 650 updates, every fifth fails and the last 50 depend on one that failed: 2,522 lines."""
    run = ToldRun("failing", 1, "failed")
    addresses = _addresses(650)
    run.version()
    for address in addresses:
        run.planned(address, "update")
    run.summary("total", "plan", change=len(addresses))
    broken = []
    for group in _at_once(addresses[:600]):
        for kind in ("started", "progress"):
            for address in group:
                run.moved(kind, address, "update")
        for number, address in enumerate(group):
            bad = number % 5 == 4
            run.moved("failed" if bad else "done", address, "update")
            run.resources[address] = ("failed", "") if bad else ("provisioned", "")
            if bad:
                broken.append(address)
    # Terraform tells the reasons at the end.
    for address in broken[:70]:
        run.error(address, "update")
    return run


def killed_in_the_middle() -> ToldRun:
    """Of 800 deletions, 560 are done and ten under way when the tool is killed: 2,492 lines."""
    run = ToldRun("killed", -9, "interrupted")
    addresses = _addresses(800)
    run.version()
    for address in addresses:
        run.planned(address, "delete")
    run.summary("total", "plan", remove=len(addresses))
    for group in _at_once(addresses[:560]):
        for kind in ("started", "progress", "done"):
            for address in group:
                run.moved(kind, address, "delete")
        run.resources |= dict.fromkeys(group, ("deleted", ""))
    for address in addresses[560:570]:
        run.moved("started", address, "delete")
        run.steps[address, "delete"] = ("interrupted", False)
        run.resources[address] = ("failed", "interrupted")
    return run


def replacements() -> ToldRun:
    """496 resources are replaced, by turns the old half first or the new one: 2,483 lines."""
    run = ToldRun("replacing", 0, "succeeded")
    addresses = _addresses(496)
    run.version()
    for address in addresses:
        run.planned(address, "replace")
    run.summary("total", "plan", add=len(addresses), remove=len(addresses))
    for turn, group in enumerate(_at_once(addresses)):
        for half in ("delete", "create") if turn % 2 == 0 else ("create", "delete"):
            for kind in ("started", "done"):
                for address in group:
                    run.moved(kind, address, half)
    run.summary("run_ended", "apply", add=len(addresses), remove=len(addresses))
    run.resources = dict.fromkeys(addresses, ("provisioned", ""))
    return run


def four_runs() -> list[ToldRun]:
    """All four: 9,996 and more lines, topped up with warnings to 10,000."""
    runs = [all_goes_well(), some_fail(), killed_in_the_middle(), replacements()]
    short = 10_000 - sum(len(run.lines) for run in runs)
    for number in range(short):
        warning = {"severity": "warning", "summary": f"Deprecated {number}", "detail": ""}
        runs[2].say("diagnostic", "diagnostic", "Warning: Deprecated", diagnostic=warning)
    return runs
