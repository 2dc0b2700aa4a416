"""The generic interface: `POST /api/v1/runs` and what is told of the run that it begins."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, jsonify
from flask.typing import ResponseReturnValue

from models import Run
from provisioning import generic_runs as interface
from provisioning.batch import Recorded
from provisioning.errors import FaultyForm
from views import access
from views.clock import now_ms
from views.links import public_url
from views.validation import faults_problem, json_body

generic_runs = Blueprint("generic_runs", __name__, url_prefix="/api/v1/runs")


@generic_runs.post("")
def begin() -> ResponseReturnValue:
    """Begin a run, or find it again by its key."""
    identity = access.token_identity()
    assert identity is not None  # The route's rule let nobody else in.
    try:
        recorded, is_new = interface.begin_run(identity.organization_id, json_body(), now=now_ms())
    except FaultyForm as error:
        return faults_problem(error.faults)
    answer = _told(recorded)
    answer.headers["Location"] = public_url(f"/api/v1/runs/{recorded.run_id}")
    return answer, 201 if is_new else 200


@generic_runs.post("/<run_id>/steps")
def steps(run_id: str) -> ResponseReturnValue:
    """Take planned steps."""
    return _take(run_id, interface.plan_steps)


@generic_runs.post("/<run_id>/events")
def events(run_id: str) -> ResponseReturnValue:
    """Take what happened."""
    return _take(run_id, interface.take_events)


@generic_runs.post("/<run_id>/end")
def end(run_id: str) -> ResponseReturnValue:
    """End the run."""
    return _take(run_id, interface.end_run)


def _take(run_id: str, take: Callable[..., Recorded]) -> ResponseReturnValue:
    run: Run = access.for_changing(Run.get_or_none(Run.id == run_id))
    try:
        return _told(take(run, json_body(), now=now_ms()))
    except FaultyForm as error:
        return faults_problem(error.faults)


def _told(recorded: Recorded) -> Response:
    answer: dict[str, Any] = {
        "run": recorded.run_id,
        "url": public_url(f"/runs/{recorded.run_id}"),
        "accepted": recorded.accepted,
        "repeated": recorded.repeated,
        "missing": recorded.missing,
    }
    return jsonify(answer)
