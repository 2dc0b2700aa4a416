"""Who changed what by hand."""

from __future__ import annotations

from peewee import BigIntegerField, ForeignKeyField, TextField

from models.base import BaseModel, TypedIdField
from models.organization import Organization
from models.user import User


class AuditEntry(BaseModel):
    """One deed of a person or of the command line. `detail` is a sentence without secrets."""

    id = TypedIdField("aud")
    organization = ForeignKeyField(Organization, null=True, on_delete="CASCADE", index=False)
    user = ForeignKeyField(User, null=True, on_delete="SET NULL", index=False)
    actor = TextField()
    action = TextField()
    subject = TextField(default="")
    detail = TextField(default="")
    at = BigIntegerField()

    class Meta:
        # The audit page: one organisation's entries, newest first.
        indexes = ((("organization", "at", "id"), False),)
