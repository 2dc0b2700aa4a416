"""The words in which every tool's output reaches the core: one `Change` a line, at most.

A parser is pure and looks at one line at a time; whatever needs memory (which step a diagnostic belongs to, the halves
of a replacement, children of a component) is decided in `provisioning/`, which sees the lines of a run in their order.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class ChangeKind(StrEnum):
    """What a line says."""

    RUN_INFO = "run_info"
    """About the run itself: `facts` may hold engine_version, command, operation (plan, apply, destroy, refresh)."""
    PLANNED = "planned"
    """A step of `action` on `address` is planned; action `replace` stands for its two halves."""
    MOVED = "moved"
    """`previous_address` is now called `address`; nothing else happens to it."""
    TOTAL = "total"
    """The tool's own count of planned steps: `total` (a replacement counts two)."""
    STARTED = "started"
    """The step of `action` on `address` has begun."""
    PROGRESS = "progress"
    """The step is still running; `facts` may hold waits_for."""
    DONE = "done"
    """The step succeeded; `facts` may hold what is now known of the resource."""
    FAILED = "failed"
    """The step failed; `diagnostic` where the line says why."""
    DIAGNOSTIC = "diagnostic"
    """`diagnostic` says something; `address` is empty where it concerns the whole run."""
    DRIFT = "drift"
    """The resource at `address` was found changed outside the tool."""
    RESOURCE = "resource"
    """`facts` about `address` became known; no step."""
    CANCELLING = "cancelling"
    """Somebody asked the tool to stop."""
    RUN_ENDED = "run_ended"
    """The tool's own final word; `outcome` is succeeded, failed or cancelled."""
    LOG = "log"
    """Human words worth keeping that change nothing: `message`."""


ACTIONS = ("create", "update", "delete", "replace", "import", "read", "refresh", "move", "forget", "noop")
"""Every action a `Change` may name. Only create, update and delete, and replace as its two halves, make steps."""

FACTS = (
    "engine_version", "command", "operation", "provider_resource_id", "name", "region", "primary_ip_address",
    "production_url", "environment", "git_repo", "engine", "version", "domain_name", "provider_status", "waits_for",
    "display_type", "logical", "component",
)  # fmt: skip
"""The whitelist of `facts`: nothing else of a tool's inputs, outputs or attributes is ever kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnostic:
    """Why something went wrong, in the tool's words; free of colour codes.

    `severity` is error or warning; `where` is like `main.tf line 14, in resource "aws_db_instance" "orders"`.
    Source snippets are never kept: they may hold secrets in clear.
    """

    severity: str
    summary: str
    detail: str = ""
    where: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What one line says. `sequence` is the line's number in its run, from 0; `occurred_at` is the tool's own clock in
    milliseconds UTC, None where the line does not say. `parent` is the address of the component it belongs to."""

    sequence: int
    kind: ChangeKind
    occurred_at: int | None = None
    address: str = ""
    previous_address: str = ""
    tool_type: str = ""
    action: str = ""
    parent: str = ""
    message: str = ""
    diagnostic: Diagnostic | None = None
    total: int | None = None
    outcome: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ignored:
    """A line that was left out: its number in the run and a sentence that says why."""

    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class Parsed:
    """What became of the lines of a batch. A line that is understood and changes nothing is in neither list."""

    changes: list[Change]
    ignored: list[Ignored]
