"""A run's log: its page with search, and its JSON. Its last lines stand on the run's own page."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, current_app, jsonify, render_template, request
from flask.typing import ResponseReturnValue

from config import Settings
from provisioning import run_queries
from provisioning.errors import BadInput
from provisioning.logs import PAGE, Log, log_of
from provisioning.polls import run_unchanged
from provisioning.status import RunBrief
from views import access
from views.clock import now_ms
from views.links import with_query
from views.polling import interval, unchanged

logs = Blueprint("logs", __name__)


@logs.get("/runs/<run_id>/log")
def page(run_id: str) -> str:
    """What a run's tool said, the latest lines last; with `q`, the lines that hold it."""
    return render_template("log.html", **_shown(run_id))


@logs.get("/fragments/runs/<run_id>/log")
def changes(run_id: str) -> Response | str:
    """The poll of a log's latest lines."""
    revision, identity = request.args.get("rev", -1, int), access.session_identity()
    if identity and run_unchanged(identity, run_id, revision):
        return unchanged()
    return render_template("_live_answer.html", piece="_log_page.html", **_shown(run_id))


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


def _shown(run_id: str) -> dict[str, Any]:
    run, log = _found(run_id)
    settings: Settings = current_app.config["SETTINGS"]
    path, query = f"/runs/{run.id}/log", {"q": log.q} if log.q else {}
    is_latest = "before" not in request.args
    return {
        "run": run,
        "log": log,
        "older_url": with_query(path, query | {"before": str(log.before)}) if log.before is not None else "",
        "latest_url": "" if is_latest else with_query(path, query),
        "now": now_ms(),
        # What stands before a line stays as it is.
        "poll_url": with_query(f"/fragments{path}", query | {"rev": str(run.revision)}) if is_latest else "",
        "poll_every": interval(settings, is_moving=not run.is_finished),
    }


def _found(run_id: str) -> tuple[RunBrief, Log]:
    run = run_queries.get_run_brief(access.reader(), run_id)
    before = request.args.get("before") or None
    if before is not None and not (before.isdecimal() and len(before) < 11):
        raise BadInput(f"before is {before!r}.", field="before", remedy="The number of a line, as the log tells it.")
    q = request.args.get("q", "").strip()[:200]
    return run, log_of(run.id, run.engine, q=q, before=int(before) if before else None, limit=PAGE)
