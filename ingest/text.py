"""Words of a tool, made fit to be stored and shown: no colour codes, no control characters, bounded in length."""

from __future__ import annotations

import re
from datetime import UTC, datetime

MOST_ADDRESS_BYTES = 1_500
"""Longest address that is kept, in UTF-8 bytes: it is part of index entries, which PostgreSQL bounds at 2,704."""
MOST_FACT = 500
MOST_MESSAGE = 1_000
MOST_SUMMARY = 500
MOST_DETAIL = 8_000
_LAST_MS = 10**14
"""The year 5138: what claims to be later is no time."""

_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])|\x9b[0-?]*[ -/]*[@-~]")
_PULUMI_COLOURS = re.compile(r"<\{%[^<>{}]{0,200}?%\}>")
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_SURROGATES = re.compile("[\ud800-\udfff]")


def clean(value: object, most: int = MOST_MESSAGE) -> str:
    """The text of `value`, "" where it is none: without colour codes, Pulumi's `<{%…%}>` directives, control
    characters other than line ends and tabs (PostgreSQL refuses NUL) and lone surrogates (UTF-8 has none), cut to
    `most` characters."""
    if not isinstance(value, str):
        return ""
    text = _PULUMI_COLOURS.sub("", _ESCAPES.sub("", value.replace("\r\n", "\n")))
    text = _SURROGATES.sub("\ufffd", _CONTROLS.sub("", text)).strip()
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def clean_line(value: object, most: int = MOST_MESSAGE) -> str:
    """Like `clean`, on one line."""
    return " ".join(clean(value, most).split())


def fits_an_index(text: str) -> bool:
    """Whether an address is short enough to be looked up by."""
    return len(text.encode("utf-8", "replace")) <= MOST_ADDRESS_BYTES


def ms_of_rfc3339(value: object) -> int | None:
    """Milliseconds UTC of a time such as `2026-04-11T09:14:46.108644+01:00`; None where it is none. A time without an
    offset is taken as UTC, as the AWS command line prints it."""
    if not isinstance(value, str) or len(value) > 40:
        return None
    try:
        when = datetime.fromisoformat(value)
        if when.tzinfo is None:
            when = when.replace(tzinfo=UTC)
        return ms_of_seconds(when.timestamp())
    except (ValueError, OverflowError, OSError):
        return None


def ms_of_seconds(value: object) -> int | None:
    """Milliseconds of seconds since 1970; None where it is no such time."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    # Written so that NaN fails it too.
    if not 0 <= value * 1000 < _LAST_MS:
        return None
    return round(value * 1000)


def small_int(value: object) -> int:
    """A count that a tool gives; 0 where it is none."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 10_000_000:
        return 0
    return value
