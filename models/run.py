"""Runs and their steps: what a tool was asked to do, and how far it is."""

from __future__ import annotations

from peewee import (
    BigIntegerField,
    BooleanField,
    ForeignKeyField,
    IntegerField,
    JSONField,
    TextField,
)

from models.base import BaseModel, TypedIdField
from models.dock import Dock
from models.organization import Organization
from models.stack import Stack


class Run(BaseModel):
    """One invocation of a tool.

    `phase` is planning, applying or finished; `outcome` is null until it is known; `liveness` is live, quiet or lost
    while it is not finished. `received` lists the ranges of line numbers that arrived, as [[first, last], …].
    `end_code` is the exit code as text, or `eof` where the stream ended and nobody knows the code.
    `longest_silence_ms` is between two of its words; `log_lines` counts the lines that are kept for people to read,
    `log_removed_at` is when retention took them away.
    """

    id = TypedIdField("run")
    organization = ForeignKeyField(Organization, on_delete="CASCADE", index=False)
    stack = ForeignKeyField(Stack, null=True, on_delete="SET NULL", index=False)
    dock = ForeignKeyField(Dock, null=True, on_delete="SET NULL", index=False)
    key = TextField()
    engine = TextField()
    engine_version = TextField(default="")
    command = TextField(default="")
    actor = TextField(default="")
    commit = TextField(default="")
    job_url = TextField(default="")

    phase = TextField(default="planning")
    outcome = TextField(null=True)
    liveness = TextField(default="live")
    reason = TextField(default="")
    planned_count = IntegerField(default=0)
    running_count = IntegerField(default=0)
    completed_count = IntegerField(default=0)
    failed_count = IntegerField(default=0)
    interrupted_count = IntegerField(default=0)
    total_known = BooleanField(default=False)
    error_summary = TextField(default="")

    started_at = BigIntegerField()
    ended_at = BigIntegerField(null=True)
    last_word_at = BigIntegerField()
    longest_silence_ms = BigIntegerField(default=0)
    log_lines = IntegerField(default=0)
    log_removed_at = BigIntegerField(null=True)
    end_code = TextField(null=True)
    closed_by = TextField(default="")
    received = JSONField(default=list)
    fold = JSONField(default=dict)
    clock_offset_ms = BigIntegerField(default=0)
    revision = BigIntegerField(default=0)

    class Meta:
        indexes = (
            # Ingest: the run that a batch names.
            (("organization", "key"), True),
            # /runs: one organisation's runs, newest first.
            (("organization", "started_at", "id"), False),
            # A stack's page: its runs, newest first.
            (("stack", "started_at", "id"), False),
            # The watch for silent runs: unfinished ones by their last word.
            (("phase", "liveness", "last_word_at"), False),
            # Retention: runs that ended long ago and still have their log.
            (("log_removed_at", "ended_at"), False),
        )


class Step(BaseModel):
    """One planned or begun operation of a run, whether its type has a card or not.

    `state` is waiting, running, done, failed or interrupted. A replacement is two steps of one address, a `delete` and
    a `create`, both `replacing`. `resource` is the public id of the card, whichever of the four tables it is in.
    """

    id = TypedIdField("stp")
    run = ForeignKeyField(Run, on_delete="CASCADE", backref="steps", index=False)
    position = IntegerField()
    address = TextField()
    tool_type = TextField(default="")
    action = TextField()
    replacing = BooleanField(default=False)
    imported = BooleanField(default=False)
    parent = TextField(default="")
    is_component = BooleanField(default=False)
    resource = TextField(null=True)
    state = TextField(default="waiting")
    reason = TextField(default="")
    waits_for = TextField(default="")
    message = TextField(default="")
    diagnostic = JSONField(null=True)
    planned_at = BigIntegerField(null=True)
    started_at = BigIntegerField(null=True)
    ended_at = BigIntegerField(null=True)
    last_event_at = BigIntegerField(null=True)

    class Meta:
        indexes = (
            # Ingest: the step that a line speaks of.
            (("run", "address", "action"), True),
            # A run's page: its steps in their order.
            (("run", "position"), False),
            # A card's own steps, and how long they took before: newest first.
            (("resource", "last_event_at"), False),
        )
