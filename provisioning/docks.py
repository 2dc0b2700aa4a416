"""Docks: who connects which account, when each is due, and which worker has it.

What a provider's settings and credentials look like is its adapter's matter (`docks/`); here they are a dictionary and
an encrypted text.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from peewee import IntegrityError

from models import Dock, Run, database
from provisioning.audit import Actor, write_deed
from provisioning.errors import FaultyForm, NotFound
from provisioning.names import name_fault
from provisioning.rows import first_row, rows

LEASE_MS = 600_000
"""How long a worker may take for one sync; after that another one may take the dock."""

FIRST_RETRY_MS = 15_000
LONGEST_RETRY_MS = 3_600_000

SYNC_STATUSES: dict[str, str] = {
    "never": "Not read yet",
    "ok": "Reads well",
    "failing": "Could not be read; it is tried again",
    "stopped": "Waits for a change",
}
"""What a dock's last sync came to, and how pages call it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DockOnPage:
    """A dock as pages show it: of its credentials only whether there are any."""

    id: str
    organization_id: str
    name: str
    provider: str
    settings: dict[str, Any]
    has_credentials: bool
    sync_status: str
    synced_at: int | None
    sync_error: str | None
    backoff: int
    next_sync_at: int | None
    claimed_until: int | None
    created_at: int


_SHOWN = (
    Dock.id, Dock.organization, Dock.name, Dock.provider, Dock.settings, Dock.credentials.is_null(False),
    Dock.sync_status, Dock.synced_at, Dock.sync_error, Dock.backoff, Dock.next_sync_at, Dock.claimed_until,
    Dock.created_at,
)  # fmt: skip


def docks(organization_id: str) -> list[DockOnPage]:
    """An organisation's docks, by name."""
    query = Dock.select(*_SHOWN).where(Dock.organization == organization_id).order_by(Dock.name)
    return [_on_page(row) for row in rows(query)]


def find_dock(dock_id: str) -> DockOnPage | None:
    """A dock by its id, of whatever organisation: the caller asks who may see it."""
    row = first_row(Dock.select(*_SHOWN).where(Dock.id == dock_id))
    return _on_page(row) if row else None


def _on_page(row: tuple[Any, ...]) -> DockOnPage:
    names = DockOnPage.__dataclass_fields__
    values = dict(zip(names, row, strict=True))
    return DockOnPage(
        **values | {"settings": dict(values["settings"] or {}), "has_credentials": bool(values["has_credentials"])}
    )


def create_dock(
    *,
    organization_id: str,
    name: str,
    provider: str,
    settings: Mapping[str, Any],
    credentials: str,
    actor: Actor,
    now: int,
) -> str:
    """Connect an account; it is read at once. `credentials` are encrypted already. Raises `FaultyForm`."""
    _check_name(organization_id, name, but_not="")
    try:
        with database.atomic():
            dock = Dock.create(
                organization=organization_id, name=name.strip(), provider=provider, settings=dict(settings),
                credentials=credentials, next_sync_at=now, created_at=now,
            )  # fmt: skip
            write_deed(organization_id, actor, "dock.connected", subject=dock.name, detail=f"{provider}.", now=now)
    except IntegrityError:
        # Two at once.
        raise FaultyForm({"name": _taken(name)}) from None
    return str(dock.id)


def change_dock(
    *,
    dock_id: str,
    name: str,
    settings: Mapping[str, Any],
    credentials: str | None,
    actor: Actor,
    now: int,
) -> None:
    """Change a dock; None keeps its credentials. It is read at once, whatever stopped it. Raises `FaultyForm`."""
    dock = Dock.get_or_none(Dock.id == dock_id)
    if dock is None:
        raise NotFound("There is no such dock any more.")
    _check_name(dock.organization_id, name, but_not=dock_id)
    values: dict[str, Any] = {"name": name.strip(), "settings": dict(settings), "next_sync_at": now, "backoff": 0}
    if credentials is not None:
        values["credentials"] = credentials
    what = "Its credentials too." if credentials is not None else ""
    try:
        with database.atomic():
            Dock.update(**values).where(Dock.id == dock_id).execute()
            write_deed(dock.organization_id, actor, "dock.changed", subject=name.strip(), detail=what, now=now)
    except IntegrityError:
        raise FaultyForm({"name": _taken(name)}) from None


def remove_dock(*, dock_id: str, actor: Actor, now: int) -> None:
    """Disconnect an account and forget its credentials; what it brought in stays. Removing twice changes nothing."""
    with database.atomic():
        dock = Dock.get_or_none(Dock.id == dock_id)
        if dock is None:
            return
        # As the foreign keys say; by statement, so that it also holds where they are not enforced.
        Run.update(dock=None).where(Run.dock == dock_id).execute()
        Dock.delete().where(Dock.id == dock_id).execute()
        write_deed(dock.organization_id, actor, "dock.removed", subject=dock.name, now=now)


def ask_for_sync(*, dock_id: str, now: int) -> None:
    """Have it read as soon as a worker is free, whatever stopped it."""
    Dock.update(next_sync_at=now, backoff=0).where(Dock.id == dock_id).execute()


def _check_name(organization_id: str, name: str, *, but_not: str) -> None:
    fault = name_fault(name, "The dock's name", most=80)
    if not fault:
        taken = Dock.select().where(Dock.organization == organization_id, Dock.name == name.strip(), Dock.id != but_not)
        fault = _taken(name) if taken.exists() else ""
    if fault:
        raise FaultyForm({"name": fault})


def _taken(name: str) -> str:
    return f"There is a dock “{name.strip()}” already."


# --- The workers


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimedDock:
    """A dock that this worker has until `claimed_until`; `credentials` are still encrypted."""

    id: str
    organization_id: str
    name: str
    provider: str
    settings: dict[str, Any]
    credentials: str | None
    memory: dict[str, Any]
    backoff: int
    claimed_until: int


def claim_due(now: int) -> ClaimedDock | None:
    """Take the dock that has been due longest; None where none is due. Of any number of workers, one gets it."""
    due = (
        Dock.select(Dock.id)
        .where(Dock.next_sync_at <= now, Dock.claimed_until.is_null() | (Dock.claimed_until <= now))
        .order_by(Dock.next_sync_at)
        .limit(5)
    )
    for (dock_id,) in rows(due):
        until = now + LEASE_MS
        is_mine = (
            Dock.update(claimed_until=until)
            .where(
                Dock.id == dock_id,
                Dock.next_sync_at <= now,
                Dock.claimed_until.is_null() | (Dock.claimed_until <= now),
            )
            .execute()
        )
        if is_mine == 1:
            dock = Dock.get_or_none(Dock.id == dock_id)
            if dock is None:
                continue
            return ClaimedDock(
                id=dock.id, organization_id=dock.organization_id, name=dock.name, provider=dock.provider,
                settings=dict(dock.settings or {}), credentials=dock.credentials, memory=dict(dock.memory or {}),
                backoff=dock.backoff, claimed_until=until,
            )  # fmt: skip
    return None


class ClaimLost(Exception):
    """The dock was removed, or another worker has it: what this one still finds is not recorded."""


def remember(claim: ClaimedDock, memory: Mapping[str, Any]) -> None:
    """Store what the adapter must remember, in the transaction of what it found. Raises `ClaimLost`."""
    changed = (
        Dock.update(memory=dict(memory)).where(Dock.id == claim.id, Dock.claimed_until == claim.claimed_until).execute()
    )
    if changed != 1:
        raise ClaimLost


def conclude_well(claim: ClaimedDock, *, now: int, next_in_ms: int) -> None:
    """The sync went well; the next one is due `next_in_ms` from now, or at once where somebody asked meanwhile."""
    _conclude(claim, now, {"sync_status": "ok", "synced_at": now, "sync_error": None, "backoff": 0}, now + next_in_ms)


def conclude_badly(claim: ClaimedDock, *, error: str, permanent: bool, now: int, spread: float) -> None:
    """The sync failed: tried again with growing pauses, or, where that is of no use, not before somebody changes it.

    `spread` (0 to 1) moves the next attempt a little, so that docks that failed together do not come back together.
    """
    pause = min(FIRST_RETRY_MS * 2 ** min(claim.backoff, 20), LONGEST_RETRY_MS)
    values = {
        "sync_status": "stopped" if permanent else "failing", "sync_error": error[:1_000], "backoff": claim.backoff + 1,
    }  # fmt: skip
    _conclude(claim, now, values, None if permanent else now + int(pause * (0.9 + 0.2 * spread)))


def _conclude(claim: ClaimedDock, now: int, values: dict[str, Any], next_sync_at: int | None) -> None:
    began = claim.claimed_until - LEASE_MS
    with database.atomic():
        mine = (Dock.id == claim.id) & (Dock.claimed_until == claim.claimed_until)
        # Whoever asked, or changed it, while this ran is answered by the next sync.
        asked = first_row(Dock.select(Dock.id).where(mine, Dock.next_sync_at > began))
        values |= {"claimed_until": None, "next_sync_at": now if asked else next_sync_at}
        Dock.update(**values).where(mine).execute()
