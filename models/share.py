"""Share links: one resource, run or stack for people without an account."""

from __future__ import annotations

from peewee import BigIntegerField, CharField, ForeignKeyField, IntegerField, JSONField

from models.base import BaseModel, TypedIdField
from models.organization import Organization
from models.user import User


class ShareLink(BaseModel):
    """A link that needs no sign-in. Only the token's SHA-256 is kept.

    `subject` is the public id of the resource, run or stack, or of the organisation for its feed of failures; `fields`
    is status, error or details; `allowed_origins` lists the origins that may embed it.
    """

    id = TypedIdField("shr")
    organization = ForeignKeyField(Organization, on_delete="CASCADE", index=False)
    token_hash = CharField(unique=True)
    prefix = CharField()
    subject = CharField()
    fields = CharField(default="error")
    allowed_origins = JSONField(default=list)
    created_by = ForeignKeyField(User, null=True, on_delete="SET NULL", index=False)
    created_at = BigIntegerField()
    expires_at = BigIntegerField(null=True)
    revoked_at = BigIntegerField(null=True)
    uses = IntegerField(default=0)
    last_used_at = BigIntegerField(null=True)

    class Meta:
        indexes = (
            # The list of an organisation's links, newest first.
            (("organization", "created_at", "id"), False),
            # The list of one subject's links, newest first.
            (("organization", "subject", "created_at", "id"), False),
            # Retention: the links that were revoked, and those whose time was over, before a moment.
            (("revoked_at",), False),
            (("expires_at",), False),
        )
