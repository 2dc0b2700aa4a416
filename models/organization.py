"""Organisations: the tenants. Every other row belongs to one."""

from __future__ import annotations

from peewee import BigIntegerField, CharField, ForeignKeyField, IntegerField

from models.base import BaseModel, TypedIdField


class Organization(BaseModel):
    """A team. `revision` grows by one with each batch that changes anything its pages show."""

    id = TypedIdField("org")
    name = CharField()
    slug = CharField(unique=True)
    revision = BigIntegerField(default=0)
    created_at = BigIntegerField()


class StatusCount(BaseModel):
    """How many listed resources of an organisation have a card status, so that no page counts rows."""

    id = TypedIdField("cnt")
    organization = ForeignKeyField(Organization, on_delete="CASCADE", index=False)
    card_status = CharField()
    count = IntegerField(default=0)

    class Meta:
        # The dashboard's chips: one organisation's counts.
        indexes = ((("organization", "card_status"), True),)
