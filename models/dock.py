"""Connected provider accounts."""

from __future__ import annotations

from peewee import BigIntegerField, ForeignKeyField, IntegerField, JSONField, TextField

from models.base import BaseModel, TypedIdField
from models.organization import Organization


class Dock(BaseModel):
    """A provider account. `credentials` is encrypted; nothing decrypts it but the dock's own adapter.

    `settings` is what people chose, without secrets; `memory` is what the adapter must remember from one sync to the
    next. `sync_status` is never, ok, failing (it is tried again) or stopped (it waits for a member); `backoff` counts
    failures in a row. `next_sync_at` is null where no sync is due; a worker that syncs holds the dock until
    `claimed_until`.
    """

    id = TypedIdField("dock")
    organization = ForeignKeyField(Organization, on_delete="CASCADE", index=False)
    name = TextField()
    provider = TextField()
    credentials = TextField(null=True)
    settings = JSONField(default=dict)
    memory = JSONField(default=dict)
    sync_status = TextField(default="never")
    synced_at = BigIntegerField(null=True)
    sync_error = TextField(null=True)
    backoff = IntegerField(default=0)
    next_sync_at = BigIntegerField(null=True)
    claimed_until = BigIntegerField(null=True)
    created_at = BigIntegerField()

    class Meta:
        indexes = (
            # A dock by its name: filters, ingest's `dock=`; an organisation's docks by name.
            (("organization", "name"), True),
            # The workers: the docks that are due, the one that waits longest first.
            (("next_sync_at",), False),
        )
