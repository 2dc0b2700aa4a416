"""The audit log: every deed of a person or of the command line that changes who may do what."""

from __future__ import annotations

from dataclasses import dataclass

from models import AuditEntry
from provisioning.cursors import newest_first, page_of
from provisioning.rows import rows


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does it: a user, or the command line (no user)."""

    label: str
    user_id: str | None = None


COMMAND_LINE = Actor("command line")


def write_deed(
    organization_id: str | None, actor: Actor, action: str, *, subject: str = "", detail: str = "", now: int
) -> None:
    """Write one deed down. `action` is a short stored code like `member.added`; `detail` is a sentence without secrets.

    Call it in the transaction of the deed itself, so that neither is kept without the other.
    """
    AuditEntry.create(
        organization=organization_id,
        user=actor.user_id,
        actor=actor.label,
        action=action,
        subject=subject,
        detail=detail,
        at=now,
    )


@dataclass(frozen=True, slots=True)
class Deed:
    """One entry as the audit page shows it."""

    id: str
    at: int
    actor: str
    action: str
    subject: str
    detail: str


def deeds(organization_id: str, *, cursor: str | None = None, limit: int = 50) -> tuple[list[Deed], str | None]:
    """One page of an organisation's deeds, newest first, and the cursor of the next page, None on the last one."""
    entries = AuditEntry.select(
        AuditEntry.id, AuditEntry.at, AuditEntry.actor, AuditEntry.action, AuditEntry.subject, AuditEntry.detail
    ).where(AuditEntry.organization == organization_id)
    found = rows(newest_first(entries, AuditEntry.at, AuditEntry.id, cursor, limit))
    return page_of([Deed(*row) for row in found], limit, lambda deed: (deed.at, deed.id))
