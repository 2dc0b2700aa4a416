"""Counts of attempts, for the limits on sign-in."""

from __future__ import annotations

from peewee import BigIntegerField, CharField, IntegerField

from models.base import BaseModel


class RateCount(BaseModel):
    """How often something was tried in one window of time. `key` is a hash: no address or email is kept in it."""

    key = CharField(max_length=64, primary_key=True)
    count = IntegerField()
    expires_at = BigIntegerField(index=True)  # Removing the windows that are over.
