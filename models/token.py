"""Keys for scripts."""

from __future__ import annotations

from peewee import BigIntegerField, CharField, ForeignKeyField

from models.base import BaseModel, TypedIdField
from models.organization import Organization
from models.user import User


class ApiToken(BaseModel):
    """A key of an organisation. Only its SHA-256 is kept; `prefix` is the part that pages show.

    `scopes` holds words separated by spaces: ingest, read, full, share.
    """

    id = TypedIdField("tok")
    organization = ForeignKeyField(Organization, on_delete="CASCADE", index=False)
    name = CharField()
    token_hash = CharField(unique=True)
    prefix = CharField()
    scopes = CharField()
    created_by = ForeignKeyField(User, null=True, on_delete="SET NULL", index=False)
    created_at = BigIntegerField()
    expires_at = BigIntegerField(null=True)
    last_used_at = BigIntegerField(null=True)
    revoked_at = BigIntegerField(null=True)

    class Meta:
        # The tokens page: one organisation's tokens, newest first.
        indexes = ((("organization", "created_at"), False),)
