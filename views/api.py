"""The JSON API: provisions and runs."""

from __future__ import annotations

import time
from typing import Any

from flask import Blueprint, Response, jsonify, request
from flask.typing import ResponseReturnValue

from provisioning import queries, run_queries
from provisioning.errors import BadInput
from provisioning.filters import filters_from
from provisioning.readers import Reader
from views.access import reader
from views.clock import now_ms
from views.records import run_as_json, run_view_as_json

api = Blueprint("api", __name__, url_prefix="/api/v1")

_MOST_PER_PAGE = 200
_LONGEST_WAIT_S = 60
_LOOK_EVERY_S = 0.5


@api.get("/provisions/<path:provision_id>")
def provision(provision_id: str) -> ResponseReturnValue:
    """One resource's status by its own id, an SST resource id or a provider resource id."""
    status = queries.get_provision_status(
        reader(), provision_id, stack=request.args.get("stack"), dock=request.args.get("dock")
    )
    return _tagged(status.as_json(), status.revision)


@api.get("/provisions")
def provisions() -> ResponseReturnValue:
    """Provisioning operations, most recently updated first."""
    page = queries.list_provisioning_operations(
        reader(),
        filters=filters_from(request.args.to_dict()),
        cursor=request.args.get("cursor"),
        limit=_limit(),
    )
    return jsonify({"items": [status.as_json() for status in page.items], "nextCursor": page.next_cursor})


@api.get("/runs")
def runs() -> ResponseReturnValue:
    """Runs, newest first; `stack` narrows them to one."""
    page = run_queries.list_runs(
        reader(), stack_id=request.args.get("stack"), cursor=request.args.get("cursor"), limit=_limit()
    )
    return jsonify({"items": [run_as_json(run) for run in page.runs], "nextCursor": page.next_cursor})


@api.get("/runs/<run_id>")
def run(run_id: str) -> ResponseReturnValue:
    """One run with its steps. With `wait` (seconds, at most 60) and `rev`, answers when its revision is another one."""
    asking = reader()
    _wait_for_change(asking, run_id)
    view = run_queries.get_run(asking, run_id, now=now_ms())
    return _tagged(run_view_as_json(view), view.run.revision)


def _wait_for_change(asking: Reader, run_id: str) -> None:
    seconds = _number("wait", 0, _LONGEST_WAIT_S)
    known = _number("rev", -1, 2**62)
    until = time.monotonic() + seconds
    while seconds and known >= 0 and time.monotonic() < until:
        found = run_queries.get_run_brief(asking, run_id)
        if found.revision != known or found.is_finished:
            return
        time.sleep(_LOOK_EVERY_S)


def _tagged(body: dict[str, Any], revision: int) -> Response:
    answer = jsonify(body)
    answer.set_etag(f"{revision}")
    answer.make_conditional(request)
    return answer


def _limit() -> int:
    return _number("limit", queries.PAGE_SIZE, _MOST_PER_PAGE, least=1)


def _number(name: str, default: int, most: int, *, least: int = 0) -> int:
    text = request.args.get(name)
    if text is None:
        return default
    if not text.isdigit() or not least <= int(text) <= most:
        raise BadInput(f"{name} is {text!r}.", field=name, remedy=f"A whole number from {least} to {most}.")
    return int(text)
