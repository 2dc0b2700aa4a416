"""Recorded streams, from parser to database: what each must come to, however it is cut and delivered."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from ingest.source import SOURCES, parse_batch
from models import ALL_MODELS, Organization, Run
from provisioning.batch import Batch
from provisioning.record import record
from tests.harness.cast import NOW, Cast
from tests.ingest.lines import sample
from tests.provisioning.test_order_of_arrival import final_state

LATER = NOW + 400 * 86_400_000

# sample, source, end → (outcome, planned, completed, failed, interrupted, not started)
STREAMS: list[tuple[str, str, str | None, tuple[str | None, int, int, int, int, int]]] = [
    ("terraform/apply.jsonl", "terraform", None, ("succeeded", 1, 1, 0, 0, 0)),
    ("terraform/plan.jsonl", "terraform", None, (None, 1, 0, 0, 0, 1)),
    ("terraform/plan.jsonl", "terraform", "0", ("succeeded", 1, 0, 0, 0, 1)),
    ("terraform/plan.jsonl", "terraform", "eof", ("succeeded", 1, 0, 0, 0, 1)),
    ("terraform/real-failed-apply.jsonl", "terraform", "1", ("failed", 5, 3, 1, 0, 1)),
    ("terraform/real-failed-apply.jsonl", "terraform", "eof", ("failed", 5, 3, 1, 0, 1)),
    ("terraform/real-interrupted-apply.jsonl", "terraform", "1", ("cancelled", 3, 1, 1, 0, 1)),
    ("opentofu/apply.jsonl", "opentofu", None, ("succeeded", 1, 1, 0, 0, 0)),
    ("terraform/equiv-fully_populated_complex-apply.json", "terraform", None, ("succeeded", 1, 1, 0, 0, 0)),
    ("terraform/equiv-fully_populated_complex_update-apply.json", "terraform", None, ("succeeded", 1, 1, 0, 0, 0)),
    ("terraform/equiv-fully_populated_complex_destroy-apply.json", "terraform", None, ("succeeded", 1, 1, 0, 0, 0)),
    ("terraform/equiv-multiple_block_types_update-apply.json", "terraform", None, ("succeeded", 1, 1, 0, 0, 0)),
    ("pulumi/up.jsonl", "pulumi", "0", ("succeeded", 1, 1, 0, 0, 0)),
    ("pulumi/up.jsonl", "pulumi", None, ("succeeded", 1, 1, 0, 0, 0)),
    ("pulumi/up-2.jsonl", "pulumi", "0", ("succeeded", 0, 0, 0, 0, 0)),
    ("pulumi/failed-stacks-dont-rewrite-operations.jsonl", "pulumi", "eof", ("failed", 2, 1, 1, 0, 0)),
    ("pulumi/destroy-with-components.jsonl", "pulumi", "0", ("succeeded", 2, 2, 0, 0, 0)),
]
NAMES = [f"{name.rsplit('/', 1)[-1]}, end {end}" for name, _, end, _ in STREAMS]


def deliver(name: str, source: str, pieces: Iterable[tuple[int, list[bytes]]], end: str | None) -> dict[str, Any]:
    """Record the pieces (first line's number, lines) in a clean database, then the end; the final state."""
    for model in reversed(ALL_MODELS):
        model.delete().execute()
    organization = Organization.create(name="Acme", slug="acme", created_at=NOW).id
    for first, lines in [*pieces, *([(0, [])] if end is not None else [])]:
        known = SOURCES[source]
        parsed = parse_batch(known, lines, first, max_line_bytes=262_144)
        assert parsed.ignored == []
        record(
            Batch(
                organization_id=organization, engine=source, provisioning_source=known.provisioning_source,
                run_key=name, stack_name="prod", first=first, lines=len(lines), changes=parsed.changes,
                end=None if lines else end, show_builtin_types=True,
            ),
            LATER,
        )  # fmt: skip
    return final_state(organization)


def cut(lines: list[bytes]) -> list[tuple[int, list[bytes]]]:
    return [(number, [line]) for number, line in enumerate(lines)]


@pytest.mark.parametrize(("name", "source", "end", "expected"), STREAMS, ids=NAMES)
def test_a_recorded_stream_comes_to_what_it_must(
    cast: Cast, name: str, source: str, end: str | None, expected: tuple[str | None, int, int, int, int, int]
) -> None:
    lines = sample(name)
    whole = deliver(name, source, [(0, lines)], end)
    run = Run.get()
    assert (
        run.outcome, run.planned_count, run.completed_count, run.failed_count, run.interrupted_count,
        run.planned_count - run.completed_count - run.failed_count - run.interrupted_count - run.running_count,
    ) == expected  # fmt: skip
    single = cut(lines)
    half = len(single) // 2
    interleaved = [one for pair in zip(single[half:], single[:half], strict=False) for one in pair]
    interleaved += single[2 * half :]
    for pieces in (single, [*single, *single], single[::-1], interleaved, [(0, lines), (0, lines)]):
        assert deliver(name, source, pieces, end) == whole
