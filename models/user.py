"""People, and what they may do in which organisation."""

from __future__ import annotations

from peewee import BigIntegerField, BooleanField, CharField, ForeignKeyField, IntegerField, TextField

from models.base import BaseModel, TypedIdField
from models.organization import Organization


class User(BaseModel):
    """A person who signs in. A higher `version` ends every session made before it."""

    id = TypedIdField("usr")
    email = CharField(unique=True)
    name = TextField(default="")
    password_hash = TextField()
    version = IntegerField(default=1)
    created_at = BigIntegerField()
    last_signed_in_at = BigIntegerField(null=True)
    disabled = BooleanField(default=False)


class Role(BaseModel):
    """A named set of permissions of one organisation; each area is `none`, `read` or `full`."""

    id = TypedIdField("rol")
    organization = ForeignKeyField(Organization, on_delete="CASCADE", index=False)
    name = CharField()
    provisioning = CharField(default="none")
    docks = CharField(default="none")
    settings = CharField(default="none")

    class Meta:
        # A role by its name in its organisation: forms and `slipway user add`.
        indexes = ((("organization", "name"), True),)


class Membership(BaseModel):
    """A user's place in an organisation, under one role."""

    id = TypedIdField("mem")
    user = ForeignKeyField(User, on_delete="CASCADE", backref="memberships", index=False)
    organization = ForeignKeyField(Organization, on_delete="CASCADE", index=False)
    role = ForeignKeyField(Role, on_delete="RESTRICT", index=False)
    created_at = BigIntegerField()

    class Meta:
        indexes = (
            # Every permission check: this user's place in this organisation.
            (("user", "organization"), True),
            # The members page, and "who can give this permission".
            (("organization", "created_at"), False),
            # "Is this role still in use?"
            (("role",), False),
        )


class SetupLink(BaseModel):
    """The one-time link that makes the first owner; only its hash is kept."""

    id = TypedIdField("set")
    token_hash = CharField(unique=True)
    created_at = BigIntegerField()
    used_at = BigIntegerField(null=True)
