"""History, append-only."""

from __future__ import annotations

from peewee import BigIntegerField, ForeignKeyField, IntegerField, JSONField, TextField

from models.base import BaseModel, TypedIdField
from models.organization import Organization
from models.run import Run


class Event(BaseModel):
    """One thing that a tool, a person or Slipway itself said.

    `sequence` is the line's number in its run; null for what was said outside a run. The columns after `kind` hold the
    line's `Change` (see `ingest/change.py`) whole, so that a run can be played again from its events in order.
    `state_before` and `state_after` are the resource's provisioning state.
    """

    id = TypedIdField("evt")
    organization = ForeignKeyField(Organization, on_delete="CASCADE", index=False)
    run = ForeignKeyField(Run, null=True, on_delete="CASCADE", index=False)
    sequence = IntegerField(null=True)
    resource = TextField(null=True)
    occurred_at = BigIntegerField()
    received_at = BigIntegerField()
    kind = TextField()
    address = TextField(default="")
    tool_type = TextField(default="")
    action = TextField(default="")
    message = TextField(default="")
    diagnostic = JSONField(null=True)
    data = JSONField(null=True)
    state_before = TextField(null=True)
    state_after = TextField(null=True)
    reason = TextField(default="")

    class Meta:
        indexes = (
            # "Sent twice is stored once", and playing a run again in order.
            (("run", "sequence"), True),
            # A card's history, newest first.
            (("resource", "occurred_at", "id"), False),
            # An organisation's history, newest first.
            (("organization", "occurred_at", "id"), False),
        )
