"""Passwords: argon2id, with the same work whether the account exists or not."""

from __future__ import annotations

import threading
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

LEAST_LENGTH = 12
_MOST_LENGTH = 1024

hasher = PasswordHasher()

# Each hash takes 64 MiB while it is made: a burst of sign-ins must not take the whole machine's memory.
_at_once = threading.BoundedSemaphore(4)


def password_hash(password: str) -> str:
    """What is kept of a password."""
    with _at_once:
        return hasher.hash(password)


def password_fits(password: str, kept: str) -> bool:
    """Whether the password is the one that was kept.

    Where nothing was kept (no such user, or no password yet) a decoy is checked, so that the time tells nothing.
    """
    decoy = _decoy()
    try:
        with _at_once:
            return hasher.verify(kept or decoy, password) and bool(kept)
    except (VerificationError, InvalidHashError):
        return False


def needs_new_hash(kept: str) -> bool:
    """Whether the hash was made with weaker parameters than today's."""
    return hasher.check_needs_rehash(kept)


def password_fault(password: str, *, email: str = "") -> str:
    """Why a new password is not acceptable, as a sentence; empty where it is."""
    if len(password) < LEAST_LENGTH:
        return f"The password needs at least {LEAST_LENGTH} characters; this one has {len(password)}."
    if len(password) > _MOST_LENGTH:
        return f"The password may have {_MOST_LENGTH} characters at most; this one has {len(password)}."
    if len(set(password)) < 4:
        return "The password repeats a few characters only: mix more of them."
    if email and password.lower() == email.lower():
        return "The password is the email address: choose another one."
    return ""


@cache
def _decoy() -> str:
    return password_hash("nobody has this password")
