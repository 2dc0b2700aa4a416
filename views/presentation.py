"""How templates write times, durations and addresses of static files: the filters and globals of Jinja.

`static/slipway.js` writes durations the same way while they tick; a browser test compares the two.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from flask import Flask, request, url_for

from provisioning.states import CardStatus

_STATIC = Path(__file__).resolve().parent.parent / "static"
_SECOND, _MINUTE, _HOUR, _DAY = 1_000, 60_000, 3_600_000, 86_400_000

LISTED = (
    CardStatus.ERROR,
    CardStatus.STALLED,
    CardStatus.PROVISIONING,
    CardStatus.VALIDATING,
    CardStatus.SUCCESS,
    CardStatus.IDLE,
)
"""The statuses that lists show, in the order of their chips."""

LONGER_THAN_USUAL = 1.25
"""How many times the upper end of the usual range an operation may take before it is called longer than usual."""

MOST_LINES = 12
"""How many lines of an error stand open; the rest is one click away."""


def register_presentation(app: Flask) -> None:
    """Give the app's templates what is written here."""
    app.jinja_env.filters.update(
        duration=duration,
        ago=ago,
        since=since,
        iso_moment=iso_moment,
        exact_time=exact_time,
        time_of_day=time_of_day,
        usual=usual_text,
        late_from=late_from,
        first_lines=first_lines,
        lines_after=lines_after,
    )
    app.jinja_env.globals.update(asset=asset)


def duration(milliseconds: int) -> str:
    """Like "0m 41s", "4m 12s", "1h 04m" or "3d 02h": two fixed places, so that figures do not jump."""
    seconds = max(0, milliseconds) // _SECOND
    if seconds < 3_600:
        return f"{seconds // 60}m {seconds % 60:02}s"
    if seconds < 86_400:
        return f"{seconds // 3_600}h {seconds % 3_600 // 60:02}m"
    return f"{seconds // 86_400}d {seconds % 86_400 // 3_600:02}h"


def ago(moment: int, now: int) -> str:
    """Like "just now", "2 min ago", "5 h ago", "3 days ago"; older than a month: the date."""
    passed = now - moment
    if passed < 10 * _SECOND:
        return "just now"
    if passed < _MINUTE:
        return f"{passed // _SECOND} s ago"
    if passed < _HOUR:
        return f"{passed // _MINUTE} min ago"
    if passed < _DAY:
        return f"{passed // _HOUR} h ago"
    days = passed // _DAY
    if days < 30:
        return "1 day ago" if days == 1 else f"{days} days ago"
    return _moment(moment).strftime("%Y-%m-%d")


def since(moment: int, now: int) -> str:
    """A silence, like "0:42", "6:05" or "1:02:03"."""
    seconds = max(0, now - moment) // _SECOND
    hours, rest = divmod(seconds, 3_600)
    minutes, seconds = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def iso_moment(moment: int) -> str:
    """For `<time datetime>`, to the millisecond: the script counts from it."""
    return _moment(moment).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def exact_time(moment: int) -> str:
    """The whole time for people, on hover; the script puts it into their own zone."""
    return _moment(moment).strftime("%Y-%m-%d %H:%M:%S UTC")


def time_of_day(moment: int, now: int) -> str:
    """Like "14:06 UTC"; with the date where it is not within a day."""
    return _moment(moment).strftime("%H:%M UTC" if abs(now - moment) < _DAY else "%Y-%m-%d %H:%M UTC")


def usual_text(usual: tuple[int, int]) -> str:
    """Like "20–40 s", "3–5 min", "1–2 h" or "about 3 min"."""
    low, high = usual
    for unit, word in ((_HOUR, "h"), (_MINUTE, "min"), (_SECOND, "s")):
        if high >= 2 * unit or unit == _SECOND:
            first, last = max(1, round(low / unit)), max(1, round(high / unit))
            return f"{first}–{last} {word}" if first < last else f"about {last} {word}"
    raise AssertionError("seconds take everything")


def late_from(started_at: int, usual: tuple[int, int]) -> int:
    """The moment from which an operation takes longer than usual."""
    return started_at + round(usual[1] * LONGER_THAN_USUAL)


def first_lines(text: str) -> str:
    """The lines of an error that stand open."""
    return "\n".join(text.splitlines()[:MOST_LINES])


def lines_after(text: str) -> list[str]:
    """The lines of an error that are folded away."""
    return text.splitlines()[MOST_LINES:]


def asset(name: str) -> str:
    """The address of a static file; it changes with the content, so that browsers may keep it for a year."""
    return _asset(name, request.script_root)


@cache
def _asset(name: str, script_root: str) -> str:
    # Made once for each place that a proxy has put the app at: a page of fifty cards has a hundred icons.
    return url_for("static", filename=name, v=hashlib.sha256((_STATIC / name).read_bytes()).hexdigest()[:12])


def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
