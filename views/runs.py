"""Runs: the list, and one run with its steps in time."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby

from flask import Blueprint, Response, current_app, flash, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from config import Settings
from provisioning import liveness, run_queries
from provisioning.audit import Actor
from provisioning.logs import log_of
from provisioning.polls import dashboard_unchanged, run_unchanged
from provisioning.run_queries import RunsPage
from provisioning.states import StepState
from provisioning.status import RunView, StepView
from views import access
from views.clock import now_ms
from views.links import with_query
from views.polling import interval, unchanged

runs = Blueprint("runs", __name__)

# How many steps of one state a run's page lists at first: what fails and what runs comes before them anyway.
STEPS_SHOWN = 100

_GROUP_LABELS = {
    StepState.FAILED: "Failed",
    StepState.INTERRUPTED: "Interrupted",
    StepState.RUNNING: "In flight",
    StepState.WAITING: "Waiting",
    StepState.DONE: "Done",
}


@dataclass(frozen=True, slots=True)
class StepGroup:
    """The steps of one state: those listed, and how many there are."""

    state: StepState
    label: str
    steps: list[StepView]
    count: int
    all_url: str
    """Where all of them are listed; empty where they are."""


@runs.get("/runs")
def index() -> str:
    """The runs of the current organisation, newest first."""
    return render_template("runs.html", **_list_shown())


@runs.get("/fragments/runs")
def index_changes() -> Response | str:
    """The poll of the list of runs."""
    since = request.args.get("since", -1, int)
    organization_id, identity = access.session_organization(), access.session_identity()
    if organization_id and identity and dashboard_unchanged(identity, organization_id, since):
        return unchanged()
    return render_template("_live_answer.html", piece="_runs.html", **_list_shown())


@runs.get("/runs/<run_id>")
def run(run_id: str) -> str:
    """One run's page."""
    found = run_queries.get_run(access.reader(), run_id, now=now_ms())
    return render_template("run.html", **_run_shown(found))


@runs.get("/fragments/runs/<run_id>")
def run_changes(run_id: str) -> Response | str:
    """The poll of a run's page."""
    revision, identity = request.args.get("rev", -1, int), access.session_identity()
    if identity and run_unchanged(identity, run_id, revision):
        return unchanged()
    found = run_queries.get_run(access.reader(), run_id, now=now_ms())
    return render_template("_live_answer.html", piece="_run.html", **_run_shown(found))


@runs.post("/runs/<run_id>/close")
def close(run_id: str) -> AnyResponse:
    """End a lost run by hand."""
    brief = access.for_changing(run_queries.get_run_brief(access.reader(), run_id))
    who = access.signed_in_person()
    liveness.close_run(brief.id, actor=Actor(who.label, who.id), now=now_ms())
    flash("The run is closed. What was in flight is called interrupted.")
    return redirect(f"/runs/{brief.id}", 303)


def _list_shown() -> dict[str, object]:
    organization_id = access.session_organization() or access.current_place().organization_id
    cursor, stack_id = request.args.get("cursor") or None, request.args.get("stack") or None
    page: RunsPage = run_queries.list_runs(access.reader(), organization_id, stack_id=stack_id, cursor=cursor)
    narrowed = {"stack": stack_id} if stack_id else {}
    at = narrowed | ({"cursor": cursor} if cursor else {})
    settings: Settings = current_app.config["SETTINGS"]
    is_moving = any(not one.is_finished for one in page.runs)
    return {
        "runs": page.runs,
        "cursor": cursor,
        "stack_id": stack_id,
        "stack_name": page.runs[0].stack_name if stack_id and page.runs else "",
        "now": now_ms(),
        "first_url": with_query("/runs", narrowed),
        "older_url": with_query("/runs", narrowed | {"cursor": page.next_cursor}) if page.next_cursor else "",
        "poll_url": with_query("/fragments/runs", at | {"since": str(page.revision)}),
        "poll_every": interval(settings, is_moving=is_moving),
    }


def _run_shown(found: RunView) -> dict[str, object]:
    settings: Settings = current_app.config["SETTINGS"]
    run = found.run
    place = access.signed_in_person().place_in(run.organization_id)
    all_of = request.args.get("all", "")
    groups = step_groups(found, all_of)
    rows = sum(len(group.steps) for group in groups)
    query = {"rev": str(run.revision)} | ({"all": all_of} if all_of else {})
    return {
        "view": found,
        "run": run,
        "groups": groups,
        "log": log_of(run.id, run.engine),
        "may_close": found.can_close and place is not None and place.may("provisioning:full"),
        "now": now_ms(),
        "poll_url": with_query(f"/fragments/runs/{run.id}", query),
        # A list of 2,000 rows costs both sides half a second: it is asked for less often.
        "poll_every": interval(settings, is_moving=not run.is_finished) * (1 + rows // 500),
    }


def step_groups(found: RunView, all_of: str = "") -> list[StepGroup]:
    """The steps by state, as the core has ordered them; of the state `all_of` all of them are listed."""
    groups = []
    for state, steps in groupby(found.steps, key=lambda step: step.state):
        several = list(steps)
        is_cut = len(several) > STEPS_SHOWN and all_of != state
        label = several[0].state_text if state is StepState.WAITING else _GROUP_LABELS[state]
        groups.append(
            StepGroup(
                state=state,
                label=label,
                steps=several[:STEPS_SHOWN] if is_cut else several,
                count=len(several),
                all_url=f"/runs/{found.run.id}?all={state}" if is_cut else "",
            )
        )
    return groups
