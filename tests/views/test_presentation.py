"""Times and figures as templates write them."""

from __future__ import annotations

import pytest
from flask import Flask

from views.presentation import (
    MOST_LINES,
    ago,
    duration,
    exact_time,
    first_lines,
    iso_moment,
    late_from,
    lines_after,
    since,
    time_of_day,
    usual_text,
)

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        (-5_000, "0m 00s"),
        (0, "0m 00s"),
        (41_999, "0m 41s"),
        (4 * MINUTE + 12_000, "4m 12s"),
        (HOUR - 1, "59m 59s"),
        (HOUR + 4 * MINUTE, "1h 04m"),
        (3 * DAY + 2 * HOUR, "3d 02h"),
    ],
)
def test_a_duration_has_two_fixed_places(milliseconds: int, text: str) -> None:
    assert duration(milliseconds) == text


@pytest.mark.parametrize(
    ("passed", "text"),
    [
        (-MINUTE, "just now"),
        (9_999, "just now"),
        (10_000, "10 s ago"),
        (2 * MINUTE, "2 min ago"),
        (5 * HOUR, "5 h ago"),
        (DAY, "1 day ago"),
        (29 * DAY, "29 days ago"),
        (30 * DAY, "2026-10-26"),
    ],
)
def test_a_moment_is_told_by_how_long_ago_it_was(passed: int, text: str, now: int) -> None:
    assert ago(now - passed, now) == text


@pytest.mark.parametrize(
    ("passed", "text"), [(42_000, "0:42"), (365_000, "6:05"), (3_723_000, "1:02:03"), (-1, "0:00")]
)
def test_a_silence_counts_like_a_clock(passed: int, text: str, now: int) -> None:
    assert since(now - passed, now) == text


@pytest.mark.parametrize(
    ("usual", "text"),
    [
        ((20_000, 40_000), "20–40 s"),
        ((3 * MINUTE, 5 * MINUTE), "3–5 min"),
        ((170_000, 190_000), "about 3 min"),
        ((HOUR, 2 * HOUR), "1–2 h"),
        ((100, 400), "about 1 s"),
        ((30_000, 150_000), "1–2 min"),
    ],
)
def test_the_usual_time_is_a_range_of_one_unit(usual: tuple[int, int], text: str) -> None:
    assert usual_text(usual) == text


def test_longer_than_usual_begins_a_quarter_past_the_upper_end() -> None:
    assert late_from(1_000, (4_000, 8_000)) == 11_000


def test_exact_times_name_their_zone(now: int) -> None:
    assert iso_moment(now + 7) == "2026-11-25T12:00:00.007Z"
    assert exact_time(now) == "2026-11-25 12:00:00 UTC"
    assert time_of_day(now, now + HOUR) == "12:00 UTC"
    assert time_of_day(now, now + DAY) == "2026-11-25 12:00 UTC"


def test_a_long_error_shows_its_beginning_and_folds_the_rest() -> None:
    lines = [f"line {number}" for number in range(40)]
    assert first_lines("\n".join(lines)).splitlines() == lines[:MOST_LINES]
    assert lines_after("\n".join(lines)) == lines[MOST_LINES:]
    assert lines_after("short") == []


def test_a_static_files_address_changes_with_its_content_and_is_kept_for_a_year(app: Flask) -> None:
    with app.test_request_context():
        address = app.jinja_env.globals["asset"]("slipway.css")  # type: ignore[operator]
    assert address.startswith("/static/slipway.css?v=")
    client = app.test_client()
    assert "max-age=31536000" in client.get(address).headers["Cache-Control"]
    assert "max-age" not in client.get("/static/slipway.css").headers["Cache-Control"]
