"""A run's log: what its tool said for people, line by line.

It is read from the run's events, which hold each line's words already: of a tool's output only what the parsers let
through (see docs/state.md), a line of at most 1,000 characters, and of one run at most `MOST_LINES` lines.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Any

from peewee import SQL

from ingest.change import ChangeKind
from ingest.resource_types import resource_name
from models import Event, Run, Step, database
from provisioning.states import StepState
from provisioning.wording import event_text

MOST_LINES = 20_000
"""Past these, lines that change nothing keep their place in the order and lose their words."""
TAIL = 100
PAGE = 500

_SPOKEN = ("planned", "started", "done", "failed", "moved", "drift")
"""Kinds that are worth a line even where the tool has no words for them."""
_BOUNDED = frozenset({str(ChangeKind.LOG), str(ChangeKind.PROGRESS)})
_COLUMNS = (
    Event.sequence, Event.occurred_at, Event.kind, Event.address, Event.action, Event.message, Event.diagnostic,
    Event.resource, Event.reason,
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """One line. `level` is error, warning or info; `step_id` the step that it is about, where there is one."""

    number: int
    at: int
    level: str
    text: str
    detail: str
    where: str
    address: str
    step_id: str | None
    resource_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """A part of a run's log, the oldest line first. `before` is the number to ask for what stands before it, None
    where that is all; `removed_at` is when retention took the tool's words away."""

    lines: list[LogLine]
    before: int | None
    removed_at: int | None
    q: str = ""


def bound(run: Run, events: Sequence[Event]) -> None:
    """Count the lines that these events add to the run's log, and take the words of those that are too many."""
    for event in events:
        if not event.message:
            continue
        if run.log_lines >= MOST_LINES and event.kind in _BOUNDED:
            event.message = ""
        else:
            run.log_lines += 1


def log_of(run_id: str, engine: str, *, q: str = "", before: int | None = None, limit: int = TAIL) -> Log:
    """The last lines of a run's log, or those before the number `before`; with `q`, of those that hold it.

    The caller has found the run among those that the reader may see.
    """
    query = Event.select(*_COLUMNS).where(Event.run == run_id, Event.sequence.is_null(False))
    query = query.where((Event.message != "") | Event.diagnostic.is_null(False) | Event.kind.in_(_SPOKEN))
    if before is not None:
        query = query.where(Event.sequence < before)
    if q:
        query = query.where(_holds(q))
    found = list(query.order_by(Event.sequence.desc()).limit(limit + 1).namedtuples())
    shown = found[:limit][::-1]
    steps = _steps_at(run_id, {row.address for row in shown if row.address})
    removed_at = Run.select(Run.log_removed_at).where(Run.id == run_id).scalar()
    return Log(
        lines=[_line(row, engine, steps) for row in shown],
        before=shown[0].sequence if len(found) > limit else None,
        removed_at=removed_at,
        q=q,
    )


def _holds(q: str) -> object:
    """Whether a line's words, address or error hold the text, whatever the case."""
    mark = database.param
    found: list[Any] = []

    def look_in(column: str, text: str) -> None:
        pattern = text.replace("!", "!!").replace("%", "!%").replace("_", "!_")
        found.append(SQL(f"LOWER(CAST({column} AS TEXT)) LIKE {mark} ESCAPE '!'", [f"%{pattern}%"]))

    # LOWER knows the letters of ASCII alone in SQLite, and in PostgreSQL where its locale is C.
    for lowered in sorted({q.lower(), "".join(one.lower() if one.isascii() else one for one in q)}):
        look_in('"t1"."message"', lowered)
        look_in('"t1"."address"', lowered)
        # In stored JSON, quotes and backslashes stand escaped; in SQLite's all but ASCII, too.
        for text in sorted({json.dumps(lowered)[1:-1], json.dumps(lowered, ensure_ascii=False)[1:-1]}):
            look_in('"t1"."diagnostic"', text)
    return reduce(or_, found)


def _steps_at(run_id: str, addresses: Iterable[str]) -> dict[str, list[tuple[str, str, str]]]:
    wanted = sorted(addresses)
    found: dict[str, list[tuple[str, str, str]]] = {}
    if wanted:
        rows = Step.select(Step.address, Step.id, Step.action, Step.state).where(
            Step.run == run_id, Step.address.in_(wanted)
        )
        for address, step_id, action, state in rows.order_by(Step.position).tuples():
            found.setdefault(address, []).append((step_id, action, state))
    return found


def _step_of(event: Event, steps: dict[str, list[tuple[str, str, str]]]) -> str | None:
    """The step of the line's own action, else the one that failed, else the first at its address."""
    at_address = steps.get(event.address, [])
    order = (
        [step_id for step_id, action, _ in at_address if action == event.action],
        [step_id for step_id, _, state in at_address if state in (StepState.FAILED, StepState.INTERRUPTED)],
        [step_id for step_id, _, _ in at_address],
    )
    return next((several[0] for several in order if several), None)


def _line(event: Event, engine: str, steps: dict[str, list[tuple[str, str, str]]]) -> LogLine:
    said = event.diagnostic or {}
    level = "error" if event.kind == ChangeKind.FAILED else said.get("severity", "info")
    text = event.message or said.get("summary", "")
    if not text:
        name = resource_name(engine, event.address) if event.address else ""
        text = (
            f"{name}: {event_text(event.kind, event.action, '')}" if name else event_text(event.kind, event.action, "")
        )
    summary = said.get("summary", "")
    detail = "\n".join(part for part in (summary if summary not in text else "", said.get("detail", "")) if part)
    return LogLine(
        number=event.sequence,
        at=event.occurred_at,
        level=level,
        text=text,
        detail=detail,
        where=said.get("where", ""),
        address=event.address,
        step_id=_step_of(event, steps),
        resource_id=event.resource,
    )
