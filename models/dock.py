"""Connected provider accounts."""

from __future__ import annotations

from peewee import BigIntegerField, ForeignKeyField, IntegerField, TextField

from models.base import BaseModel, TypedIdField
from models.organization import Organization


class Dock(BaseModel):
    """A provider account. `credentials` is encrypted; nothing decrypts it but the dock's own adapter."""

    id = TypedIdField("dock")
    organization = ForeignKeyField(Organization, on_delete="CASCADE", index=False)
    name = TextField()
    provider = TextField()
    credentials = TextField(null=True)
    sync_status = TextField(default="never")
    synced_at = BigIntegerField(null=True)
    sync_error = TextField(null=True)
    backoff = IntegerField(default=0)
    created_at = BigIntegerField()

    class Meta:
        # A dock by its name: filters, ingest's `dock=`.
        indexes = ((("organization", "name"), True),)
