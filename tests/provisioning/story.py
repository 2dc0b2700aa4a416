"""Tells the core a run's story, line by line, without any tool's format."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ingest.change import Change, ChangeKind, Diagnostic
from models import Resource
from provisioning.batch import Batch, Recorded
from provisioning.record import record
from provisioning.resources import TABLES

TYPES = {"web": "aws_instance.web", "db": "aws_db_instance.orders", "dns": "aws_route53_record.shop"}
"""Short names for three addresses whose types have cards: a server, a database, a domain."""


@dataclass
class Story:
    """The lines of one run; each call adds one, a second after the other."""

    start: int
    lines: list[Change] = field(default_factory=list)

    def say(self, kind: ChangeKind, address: str = "", action: str = "", **more: object) -> Story:
        """Add a line."""
        full = TYPES.get(address, address)
        tool_type = full.rsplit("module.", 1)[-1].split(".")[-2] if "." in full else ""
        number = len(self.lines)
        change = Change(
            sequence=number,
            kind=kind,
            occurred_at=self.start + number * 1000,
            address=full,
            tool_type=tool_type,
            action=action,
            **more,  # type: ignore[arg-type]
        )
        self.lines.append(change)
        return self

    def planned(self, address: str, action: str = "create") -> Story:
        """The tool plans a step."""
        return self.say(ChangeKind.PLANNED, address, action)

    def total(self, count: int) -> Story:
        """The tool tells how many steps it plans."""
        return self.say(ChangeKind.TOTAL, total=count)

    def started(self, address: str, action: str = "create") -> Story:
        """A step begins."""
        return self.say(ChangeKind.STARTED, address, action)

    def done(self, address: str, action: str = "create", **facts: str) -> Story:
        """A step ends well."""
        return self.say(ChangeKind.DONE, address, action, facts=facts)

    def failed(self, address: str, action: str = "create") -> Story:
        """A step ends badly."""
        return self.say(ChangeKind.FAILED, address, action)

    def error(self, address: str, summary: str, detail: str = "") -> Story:
        """The tool says why."""
        return self.say(
            ChangeKind.DIAGNOSTIC, address, diagnostic=Diagnostic(severity="error", summary=summary, detail=detail)
        )

    def ended(self, outcome: str = "succeeded") -> Story:
        """The tool's own final word."""
        return self.say(ChangeKind.RUN_ENDED, outcome=outcome)


def batch(
    organization_id: str,
    changes: Sequence[Change],
    *,
    key: str = "run-1",
    stack: str = "prod",
    end: str | None = None,
    first: int | None = None,
    **more: object,
) -> Batch:
    """A batch of consecutive lines."""
    begin = first if first is not None else (changes[0].sequence if changes else 0)
    return Batch(
        organization_id=organization_id,
        engine="terraform",
        provisioning_source="api",
        run_key=key,
        stack_name=stack,
        first=begin,
        lines=len(changes),
        changes=changes,
        end=end,
        **more,  # type: ignore[arg-type]
    )


def tell(
    organization_id: str,
    changes: Sequence[Change],
    now: int,
    *,
    key: str = "run-1",
    end: str | None = None,
    **more: object,
) -> Recorded:
    """Record a batch."""
    return record(batch(organization_id, changes, key=key, end=end, **more), now)  # type: ignore[arg-type]


def resource_at(address: str) -> Resource:
    """The resource at an address, whichever table it is in."""
    full = TYPES.get(address, address)
    found: list[Resource] = [row for table in TABLES.values() for row in table.select().where(table.address == full)]
    assert len(found) == 1, f"{len(found)} resources at {full}"
    return found[0]
