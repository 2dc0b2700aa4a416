"""How many listed resources have each card status, kept as they change so that no page counts rows."""

from __future__ import annotations

from collections import Counter

from peewee import fn

from models import RESOURCE_TABLES, StatusCount
from models.base import ulid


def add_counts(organization_id: str, before: Counter[str], after: Counter[str]) -> None:
    """Add the difference of two counts to the organisation's. To be called in the transaction that changes the rows."""
    for status in sorted(set(before) | set(after)):
        difference = after[status] - before[status]
        if difference:
            StatusCount.insert(
                id=f"cnt_{ulid()}", organization=organization_id, card_status=status, count=difference
            ).on_conflict(
                conflict_target=[StatusCount.organization, StatusCount.card_status],
                update={StatusCount.count: StatusCount.count + difference},
            ).execute()


def status_counts(organization_id: str) -> dict[str, int]:
    """The organisation's counts by card status."""
    rows = StatusCount.select(StatusCount.card_status, StatusCount.count).where(
        StatusCount.organization == organization_id, StatusCount.count > 0
    )
    return dict(rows.tuples())


def counted_from_rows(organization_id: str) -> dict[str, int]:
    """The same, counted row by row: for tests and for repair after a restored backup."""
    counts: Counter[str] = Counter()
    for table in RESOURCE_TABLES:
        rows = (
            table.select(table.card_status, fn.COUNT(table.id))
            .where(table.organization == organization_id, table.section.is_null(False))
            .group_by(table.card_status)
        )
        counts.update(dict(rows.tuples()))
    return dict(counts)
