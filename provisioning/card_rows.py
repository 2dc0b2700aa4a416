"""Reads resources with all that their cards show: SQL in, `ProvisionStatus` out.

The statements are built by hand because they unite the four tables, each part answered from its own index, and because
every open page asks them: peewee's model layer costs four times the query itself.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from ingest.resource_types import display_type
from models import RESOURCE_TABLES, database
from provisioning.claims import contract_status
from provisioning.resources import FACT_COLUMNS, KIND_OF_PREFIX
from provisioning.states import CardStatus, RunStatus, run_status
from provisioning.status import Fault, Progress, ProvisionStatus, RunBrief
from provisioning.wording import INTERRUPTIONS, reason_text, run_reason, verb

_COLUMNS = (
    "id", "organization_id", "name", "address", "tool_type", "provider", "provider_resource_id", "status",
    "provisioning_source", "sst_resource_id", "sst_stack_name", "provisioning_state", "operation", "error_summary",
    "error_detail", "note", "waits_for", "run_id", "planned_run", "planned_action", "card_status", "section", "reason",
    "own_steps", "own_steps_done", "operation_started_at", "operation_ended_at", "provisioned_at", "created_at",
    "state_changed_at", "deleted_at", "revision", "dock_id", "stack_id",
)  # fmt: skip
_RUN_COLUMNS = (
    "id", "organization_id", "engine", "engine_version", "command", "actor", "commit", "job_url", "stack_id", "phase",
    "outcome", "liveness", "reason", "planned_count", "running_count", "completed_count", "failed_count",
    "interrupted_count", "total_known", "error_summary", "started_at", "ended_at", "last_word_at", "closed_by",
    "revision",
)  # fmt: skip
_MOST_FACTS = max(len(columns) for columns in FACT_COLUMNS.values())
_USUAL_SINCE_MS = 90 * 24 * 3_600_000

TABLE_NAMES: dict[str, str] = {
    kind: table._meta.table_name for kind, table in zip(KIND_OF_PREFIX.values(), RESOURCE_TABLES, strict=True)
}
"""The SQL table of each kind."""

RUN_SELECT = ", ".join(f'n."{name}"' for name in _RUN_COLUMNS)
"""The columns that `run_brief` takes, of a table called n."""


def part(kind: str, condition: str, *, tail: str = "") -> str:
    """A SELECT of one table's cards where `condition` holds; `tail` is its ORDER BY and LIMIT."""
    facts = [f'r."{name}"' for name in FACT_COLUMNS[kind]]
    facts += ["NULL"] * (_MOST_FACTS - len(facts))
    columns = ", ".join(
        [
            f"'{kind}' AS kind",
            *(f'r."{name}" AS "{name}"' for name in _COLUMNS),
            # Only a failed resource's provider data is read, for its error.
            "CASE WHEN r.provisioning_state = 'failed' THEN r.full_api_data END AS api_data",
            *(f"{value} AS fact_{place}" for place, value in enumerate(facts)),
        ]
    )
    # A derived table of its own, so that each part keeps its own ORDER BY and LIMIT.
    return f'SELECT * FROM (SELECT {columns} FROM "{TABLE_NAMES[kind]}" r WHERE {condition} {tail}) AS {kind}_part'


def rows_of(parts: Sequence[str], parameters: Sequence[object], *, tail: str = "") -> list[ProvisionStatus]:
    """The cards of several parts, with their run, stack and dock, in one statement."""
    sql = (
        f"SELECT u.*, {RUN_SELECT}, s.name, d.name, rs.name FROM ({' UNION ALL '.join(parts)}) AS u "
        "LEFT JOIN run n ON n.id = u.run_id LEFT JOIN stack s ON s.id = u.stack_id "
        "LEFT JOIN dock d ON d.id = u.dock_id LEFT JOIN stack rs ON rs.id = n.stack_id "
        f"{tail}"
    )
    found = database.execute_sql(sql, tuple(parameters)).fetchall()
    return _with_usual([_status(row) for row in found])


def run_brief(values: Sequence[Any], stack_name: str | None) -> RunBrief:
    """A run from the values of its columns, in the order of `RUN_SELECT`."""
    row = dict(zip(_RUN_COLUMNS, values, strict=True))
    status = run_status(row["phase"], row["outcome"], row["liveness"])
    return RunBrief(
        id=row["id"],
        organization_id=row["organization_id"],
        engine=row["engine"],
        engine_version=row["engine_version"],
        command=row["command"],
        actor=row["actor"],
        commit=row["commit"],
        job_url=row["job_url"],
        stack_id=row["stack_id"],
        stack_name=stack_name or "",
        status=status,
        reason=row["reason"],
        reason_text=run_reason(row["reason"], is_quiet=status is RunStatus.QUIET, closed_by=row["closed_by"]),
        closed_by=row["closed_by"],
        planned=row["planned_count"],
        running=row["running_count"],
        completed=row["completed_count"],
        failed=row["failed_count"],
        interrupted=row["interrupted_count"],
        total_known=bool(row["total_known"]),
        error_summary=row["error_summary"],
        started_at=row["started_at"],
        ended_at=row["ended_at"],
        last_word_at=row["last_word_at"],
        revision=row["revision"],
    )


def _status(row: Sequence[Any]) -> ProvisionStatus:
    kind = row[0]
    first_fact = 1 + len(_COLUMNS) + 1
    first_run = first_fact + _MOST_FACTS
    one = dict(zip(_COLUMNS, row[1 : first_fact - 1], strict=True))
    facts = dict(zip(FACT_COLUMNS[kind], row[first_fact : first_fact + len(FACT_COLUMNS[kind])], strict=True))
    run_values = row[first_run : first_run + len(_RUN_COLUMNS)]
    stack_name, dock_name, run_stack_name = row[first_run + len(_RUN_COLUMNS) :]
    run = run_brief(run_values, run_stack_name) if run_values[0] is not None else None
    card = CardStatus(one["card_status"])
    planned = one["planned_run"] is not None
    unfinished = card in (CardStatus.VALIDATING, CardStatus.PROVISIONING, CardStatus.STALLED)
    moving_run = run if unfinished else None
    api_error = _api_error(row[first_fact - 1])
    return ProvisionStatus(
        id=one["id"],
        kind=kind,
        organization_id=one["organization_id"],
        name=one["name"],
        address=one["address"],
        type_label=display_type(one["tool_type"]) if one["tool_type"] else "",
        provider=one["provider"],
        provider_resource_id=one["provider_resource_id"],
        provider_status=one["status"],
        provisioning_source=one["provisioning_source"],
        sst_resource_id=one["sst_resource_id"],
        sst_stack_name=one["sst_stack_name"],
        provisioning_state=one["provisioning_state"],
        operation=one["planned_action"] if planned else one["operation"],
        status=contract_status(card, planned=planned),
        card_status=card,
        verb=verb(card, one["operation"], one["planned_action"], reason=one["reason"]),
        reason=one["reason"],
        reason_text=_reason_text(card, one["reason"], run),
        liveness=_liveness(moving_run),
        progress=Progress(one["own_steps_done"], one["own_steps"] or None) if unfinished and not planned else None,
        fault=_fault(one, api_error, run) if card is CardStatus.ERROR else None,
        waits_for=one["waits_for"] if unfinished else "",
        note=one["note"],
        dock_id=one["dock_id"],
        dock_name=dock_name or "",
        stack_id=one["stack_id"],
        stack_name=stack_name or "",
        run=run,
        started_at=None if card is CardStatus.VALIDATING else one["operation_started_at"],
        ended_at=None if unfinished else one["operation_ended_at"],
        usual_ms=None,
        created_at=one["provisioned_at"] or one["created_at"],
        updated_at=one["state_changed_at"],
        last_word_at=run.last_word_at if run and (unfinished or one["reason"] in INTERRUPTIONS) else None,
        deleted_at=one["deleted_at"],
        revision=max(one["revision"], run.revision if run else 0),
        facts={name: str(value) for name, value in facts.items() if value},
    )


def _reason_text(card: CardStatus, reason: str, run: RunBrief | None) -> str:
    """Why the card says what it says, where that needs a reason."""
    if card in (CardStatus.STALLED, CardStatus.PROVISIONING, CardStatus.VALIDATING):
        return run.reason_text if run is not None and not run.is_finished else ""
    return reason_text(reason) if card in (CardStatus.ERROR, CardStatus.IDLE) else ""


def _liveness(run: RunBrief | None) -> str:
    if run is None:
        return ""
    return str(run.status) if run.status in ("quiet", "lost") else "live"


def _api_error(data: object) -> str:
    """`error.message` of what the provider's API said; PostgreSQL hands JSON over decoded, SQLite as text."""
    if isinstance(data, str):
        data = json.loads(data)
    error = data.get("error") if isinstance(data, dict) else None
    message = error.get("message") if isinstance(error, dict) else None
    return message if isinstance(message, str) else ""


def _fault(one: dict[str, Any], api_error: str, run: RunBrief | None) -> Fault:
    if api_error:
        return Fault(
            api_error, one["error_detail"] if one["error_summary"] in ("", api_error) else one["error_summary"]
        )
    if one["error_summary"]:
        return Fault(one["error_summary"], one["error_detail"])
    unexplained = not one["reason"] and run is not None and not run.is_finished
    return Fault(
        reason_text(one["reason"]) or "Provisioning failed",
        "The tool has not said why yet; Terraform does when its run ends." if unexplained else one["error_detail"],
    )


def _with_usual(cards: list[ProvisionStatus]) -> list[ProvisionStatus]:
    """Add how long the same operation usually takes to the cards that move; a second statement only where some do."""
    moving = [card for card in cards if card.is_moving]
    if not moving:
        return cards
    newest = max(card.updated_at for card in moving)
    durations = past_durations([card.id for card in moving], since=newest - _USUAL_SINCE_MS)
    usual = {
        card.id: usual_range(durations.get((card.id, "create" if card.operation == "replace" else card.operation), ()))
        for card in moving
    }
    return [replace(card, usual_ms=usual.get(card.id)) for card in cards]


def past_durations(resource_ids: Iterable[str], *, since: int) -> dict[tuple[str, str | None], list[int]]:
    """How long done steps of these resources took since a moment, in milliseconds, by (resource id, action)."""
    ids = list(resource_ids)
    marks = ", ".join([database.param] * len(ids))
    rows = database.execute_sql(
        f"SELECT resource, action, ended_at - started_at FROM step WHERE resource IN ({marks}) "
        f"AND last_event_at > {database.param} AND state = 'done' AND started_at IS NOT NULL",
        (*ids, since),
    ).fetchall()
    found: dict[tuple[str, str | None], list[int]] = defaultdict(list)
    for resource, action, duration in rows:
        found[(resource, action)].append(duration)
    return found


def usual_range(durations: Sequence[int]) -> tuple[int, int] | None:
    """The middle half of past durations, in milliseconds; None below three, for two do not make a habit."""
    if len(durations) < 3:
        return None
    ordered = sorted(durations)
    return ordered[len(ordered) // 4], ordered[(3 * len(ordered)) // 4]
