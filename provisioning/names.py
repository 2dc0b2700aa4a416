"""What people may call things."""

from __future__ import annotations


def name_fault(text: str, what: str, *, most: int, optional: bool = False) -> str:
    """Why a name is not acceptable, as a sentence; empty where it is. `what` begins the sentence."""
    length = len(text.strip())
    if not length:
        return "" if optional else f"{what} is empty: give 1 to {most} characters."
    if length > most:
        return f"{what} has {length} characters: at most {most} are accepted."
    if not text.strip().isprintable():
        return f"{what} holds line breaks or control characters: leave them out."
    return ""
