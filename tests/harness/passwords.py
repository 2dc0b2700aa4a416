"""Passwords that cost tests no time."""

from __future__ import annotations

import pytest
from argon2 import PasswordHasher

from provisioning import passwords


def make_passwords_cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hash with the least work argon2 takes, as the cast's passwords are: a real hash takes 64 MiB and 50 ms."""
    monkeypatch.setattr(passwords, "hasher", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
