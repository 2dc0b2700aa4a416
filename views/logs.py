"""A run's log: its page with search, and its JSON. Its last lines stand on the run's own page."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, jsonify, render_template, request
from flask.typing import ResponseReturnValue

from provisioning import run_queries
from provisioning.errors import BadInput
from provisioning.logs import PAGE, Log, log_of
from provisioning.status import RunBrief
from views import access
from views.clock import now_ms

logs = Blueprint("logs", __name__)


@logs.get("/runs/<run_id>/log")
def page(run_id: str) -> str:
    """What a run's tool said, the latest lines last; with `q`, the lines that hold it."""
    run, log = _found(run_id)
    query = {"q": log.q} if log.q else {}
    older = f"?{urlencode(query | {'before': str(log.before)})}" if log.before is not None else ""
    latest = f"?{urlencode(query)}" if request.args.get("before") else ""
    return render_template("log.html", run=run, log=log, older=older, latest=latest, now=now_ms())


@logs.get("/api/v1/runs/<run_id>/log")
def as_json(run_id: str) -> ResponseReturnValue:
    """A run's log, the latest lines last; with `q`, the lines that hold it; with `before`, those before that line."""
    _, log = _found(run_id)
    lines = [
        {
            "number": line.number,
            "at": line.at,
            "level": line.level,
            "text": line.text,
            "detail": line.detail or None,
            "where": line.where or None,
            "address": line.address or None,
            "stepId": line.step_id,
            "provisionId": line.resource_id,
        }
        for line in log.lines
    ]
    answer: dict[str, Any] = {"lines": lines, "before": log.before, "removedAt": log.removed_at}
    return jsonify(answer)


def _found(run_id: str) -> tuple[RunBrief, Log]:
    run = run_queries.get_run_brief(access.reader(), run_id)
    before = request.args.get("before") or None
    if before is not None and not (before.isdecimal() and len(before) < 11):
        raise BadInput(f"before is {before!r}.", field="before", remedy="The number of a line, as the log tells it.")
    q = request.args.get("q", "").strip()[:200]
    return run, log_of(run.id, run.engine, q=q, before=int(before) if before else None, limit=PAGE)
