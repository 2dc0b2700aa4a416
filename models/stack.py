"""Stacks: what people name when they ask "is prod up?"."""

from __future__ import annotations

from peewee import BigIntegerField, ForeignKeyField, TextField

from models.base import BaseModel, TypedIdField
from models.organization import Organization


class Stack(BaseModel):
    """A named set of resources that one engine provisions together.

    `lost_after_ms` is the stack's own time-out; null: the setting's, or what its past has taught.
    `last_run_at` is when its latest run began to speak, 0 before the first one, for the list of stacks. `state_*` tell
    of the newest state file that was imported: which state it is of, which version of it, when it was written; null
    where it does not say.
    """

    id = TypedIdField("stk")
    organization = ForeignKeyField(Organization, on_delete="CASCADE", index=False)
    engine = TextField()
    name = TextField()
    lost_after_ms = BigIntegerField(null=True)
    last_run_at = BigIntegerField(default=0)
    state_lineage = TextField(default="")
    state_serial = BigIntegerField(null=True)
    state_made_at = BigIntegerField(null=True)
    revision = BigIntegerField(default=0)
    created_at = BigIntegerField()

    class Meta:
        indexes = (
            # Ingest: the stack that a batch names.
            (("organization", "engine", "name"), True),
            # The list of stacks, latest run first; the stacks that a dashboard's filter offers.
            (("organization", "last_run_at", "id"), False),
        )
