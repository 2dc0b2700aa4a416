"""An organisation's revision: one number that grows with every change its pages show."""

from __future__ import annotations

from models import Organization, database


def lock_organization(organization_id: str) -> Organization:
    """The organisation, held until the transaction ends: changes of one organisation happen one after the other.

    SQLite's immediate transactions hold the whole database anyway; PostgreSQL locks the row.
    """
    query = Organization.select().where(Organization.id == organization_id)
    if database.for_update:
        query = query.for_update()
    organization: Organization = query.get()
    return organization


def next_revision(organization: Organization) -> int:
    """Count the organisation's revision up by one and return it. To be called once in a transaction, under the lock."""
    revision: int = organization.revision + 1
    organization.revision = revision
    organization.save(only=[Organization.revision])
    return revision


def revision_of(organization_id: str) -> int:
    """The organisation's revision now."""
    query = Organization.select(Organization.revision).where(Organization.id == organization_id)
    return int(query.scalar() or 0)
