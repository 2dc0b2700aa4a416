"""Batches: every line has its number and its fate, and no line costs the others."""

from __future__ import annotations

import json

import pytest

from ingest.change import Change, Ignored, Parsed
from ingest.source import SOURCES, Source, parse_batch
from ingest.text import clean, clean_line, ms_of_rfc3339, ms_of_seconds, small_int
from tests.ingest.lines import SAMPLES, SENTINEL, everything, parsed, planned, reason, sample


def test_there_is_a_source_for_every_tool() -> None:
    assert {name: (one.label, one.provisioning_source) for name, one in SOURCES.items()} == {
        "terraform": ("Terraform", "api"),
        "opentofu": ("OpenTofu", "api"),
        "pulumi": ("Pulumi", "api"),
        "sst": ("SST", "sst"),
        "cloudformation": ("CloudFormation", "api"),
    }


def test_changes_have_the_numbers_of_their_lines_and_blank_lines_count() -> None:
    line = json.dumps(planned("create")).encode()
    found = parsed("terraform", [b"", line, b"  \r", line + b"\r", b"\n"], first=100)
    assert [change.sequence for change in found.changes] == [101, 103]
    assert found.ignored == []


def test_a_log_reads_the_same_in_one_batch_and_line_by_line() -> None:
    lines = sample("terraform/real-failed-apply.jsonl")
    whole = parsed("terraform", lines)
    pieces = [parsed("terraform", [line], first=number) for number, line in enumerate(lines)]
    assert whole.changes == [change for piece in pieces for change in piece.changes]


def test_a_line_too_long_is_left_out_with_the_limit() -> None:
    said = parsed("terraform", [b"{" + b" " * 2_000 + b"}"], first=7, max_line_bytes=1_000).ignored
    assert [one.line for one in said] == [7]
    assert "1,000" in said[0].reason
    assert "SLIPWAY_MAX_LINE_BYTES" in said[0].reason


def test_bytes_that_are_no_text_are_left_out() -> None:
    assert "UTF-8" in reason("terraform", b'{"a": "\xff\xfe"}')
    assert "UTF-8" in reason("terraform", json.dumps(planned("create")).encode("utf-16"))


def test_a_byte_order_mark_is_no_harm() -> None:
    assert len(parsed("terraform", [b"\xef\xbb\xbf" + json.dumps(planned("create")).encode()]).changes) == 1


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        '{"a":' * 100_000,
        '{"type": NaN}',
        '{"type": Infinity}',
        '{"type": ' + "9" * 100_000 + "}",
        '{"@module": "terraform.ui", "type": "change_summary", "changes": {"add": -1' + "0" * 50 + "}}",
    ],
)
@pytest.mark.parametrize("name", sorted(SOURCES))
def test_absurd_json_is_left_out(name: str, text: str) -> None:
    reason(name, text)


def test_letters_that_a_database_refuses_are_taken_out() -> None:
    line = planned("create", "aws_db_instance.a") | {"@message": "nul \x00 half \ud800 bell \x07"}
    found = parsed("terraform", [json.dumps(line).encode()])
    assert found.changes[0].message == "nul half \ufffd bell"


def test_a_parser_that_raises_costs_its_line_only_and_repeats_nothing() -> None:
    def broken(number: int, text: str) -> Change | Ignored | None:
        raise KeyError(text)

    found = parse_batch(Source("x", "X", broken), [SENTINEL.encode(), b""], 5, max_line_bytes=100)
    assert [one.line for one in found.ignored] == [5]
    assert "KeyError" in found.ignored[0].reason
    assert SENTINEL not in everything(found)


def test_no_lines_give_nothing() -> None:
    assert parsed("terraform", []) == Parsed([], [])


def test_every_sample_is_named_with_its_source() -> None:
    named = (SAMPLES / "SOURCES.txt").read_text()
    for path in SAMPLES.rglob("*.json*"):
        assert path.relative_to(SAMPLES).as_posix() in named


def test_text_is_cleaned_of_colours_and_bounded() -> None:
    assert clean("<{%fg 1%}>red<{%reset%}> \x1b[1;31mbold\x1b[0m \x1b]8;;https://a\x07link") == "red bold link"
    assert clean("a\r\nb\tc") == "a\nb\tc"
    assert clean("x" * 50, 10) == "xxxxxxxxx…"
    assert clean(None) == clean(5) == clean({"a": 1}) == ""
    assert clean_line(" a\n\n b ") == "a b"


def test_times_are_read_or_told_to_be_none() -> None:
    assert ms_of_rfc3339("2026-04-11T09:14:46Z") == ms_of_rfc3339("2026-04-11T09:14:46") == 1_775_898_886_000
    assert ms_of_rfc3339("2026-04-11T09:14:46.5+00:00") == 1_775_898_886_500
    for no_time in ("", "x" * 100, "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", 5, None, "2026-13-01T00:00:00Z"):
        assert ms_of_rfc3339(no_time) is None
    assert ms_of_seconds(1_700_000_000) == 1_700_000_000_000
    for odd in (True, -1, 1e30, float("nan"), float("inf"), 10**40, "1", None):
        assert ms_of_seconds(odd) is None


def test_counts_are_read_or_are_none() -> None:
    assert small_int(3) == 3
    assert [small_int(odd) for odd in (True, -1, 10**20, 1.5, "3", None)] == [0] * 6
