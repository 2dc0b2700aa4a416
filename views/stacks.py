"""Stacks: the list, and one stack's answer to "is prod up?"."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint, Response, current_app, render_template, request

from config import Settings
from provisioning import run_queries
from provisioning.polls import dashboard_unchanged, stack_unchanged
from provisioning.states import CARD_LOOKS, CardStatus, Look
from provisioning.status import StackBrief
from views import access
from views.clock import now_ms
from views.links import with_query
from views.polling import interval, unchanged
from views.presentation import LISTED

stacks = Blueprint("stacks", __name__)

_MOVING = (CardStatus.PROVISIONING, CardStatus.VALIDATING)


@dataclass(frozen=True, slots=True)
class Verdict:
    """A stack in one sentence."""

    look: Look
    text: str
    counts: list[tuple[Look, int]]


@stacks.get("/stacks")
def index() -> str:
    """The stacks of the current organisation, the one that ran last first."""
    return render_template("stacks.html", **_list_shown())


@stacks.get("/fragments/stacks")
def index_changes() -> Response | str:
    """The poll of the list of stacks."""
    since = request.args.get("since", -1, int)
    organization_id, identity = access.session_organization(), access.session_identity()
    if organization_id and identity and dashboard_unchanged(identity, organization_id, since):
        return unchanged()
    return render_template("_live_answer.html", piece="_stacks.html", **_list_shown())


@stacks.get("/stacks/<stack_id>")
def stack(stack_id: str) -> str:
    """One stack's page."""
    return render_template("stack.html", **_stack_shown(stack_id))


@stacks.get("/fragments/stacks/<stack_id>")
def stack_changes(stack_id: str) -> Response | str:
    """The poll of a stack's page."""
    revision, identity = request.args.get("rev", -1, int), access.session_identity()
    if identity and stack_unchanged(identity, stack_id, revision):
        return unchanged()
    return render_template("_live_answer.html", piece="_stack.html", **_stack_shown(stack_id))


def verdict(stack: StackBrief) -> Verdict:
    """What the stack's resources and its latest run come to."""
    counts = {CardStatus(name): count for name, count in stack.resources.items() if count}
    number = sum(counts.values())
    run = stack.latest_run
    if failed := counts.get(CardStatus.ERROR, 0):
        status, text = CardStatus.ERROR, f"{failed} of {number} {_resources(number)} failed"
    elif stalled := counts.get(CardStatus.STALLED, 0):
        status, text = CardStatus.STALLED, f"{stalled} of {number} {_resources(number)} stalled"
    elif moving := sum(counts.get(one, 0) for one in _MOVING):
        status, text = CardStatus.PROVISIONING, f"{moving} of {number} {_resources(number)} changing"
    elif run is not None and run.look.tone in ("error", "stalled"):
        status = CardStatus.ERROR if run.look.tone == "error" else CardStatus.STALLED
        text = f"The latest run: {run.look.label.lower()}"
    elif number:
        status, text = CardStatus.SUCCESS, f"Up: {number} {_resources(number)}"
    else:
        status, text = CardStatus.IDLE, "Nothing is provisioned here"
    ordered = [(CARD_LOOKS[one], counts[one]) for one in LISTED if one in counts]
    return Verdict(CARD_LOOKS[status], text, ordered)


def _resources(count: int) -> str:
    return "resource" if count == 1 else "resources"


def _list_shown() -> dict[str, object]:
    organization_id = access.session_organization() or access.current_place().organization_id
    q, cursor = request.args.get("q", "").strip()[:200], request.args.get("cursor") or None
    page = run_queries.list_stacks(access.reader(), organization_id, q=q, cursor=cursor)
    is_moving = any(one.latest_run is not None and not one.latest_run.is_finished for one in page.stacks)
    narrowed = {"q": q} if q else {}
    at = narrowed | ({"cursor": cursor} if cursor else {})
    return {
        "stacks": [(one, verdict(one)) for one in page.stacks],
        "q": q,
        "now": now_ms(),
        "first_url": with_query("/stacks", narrowed) if cursor else "",
        "older_url": with_query("/stacks", narrowed | {"cursor": page.next_cursor}) if page.next_cursor else "",
        "poll_url": with_query("/fragments/stacks", at | {"since": str(page.revision)}),
        "poll_every": _interval(is_moving),
    }


def _stack_shown(stack_id: str) -> dict[str, object]:
    view = run_queries.get_stack(access.reader(), stack_id)
    run = view.stack.latest_run
    return {
        "view": view,
        "stack": view.stack,
        "verdict": verdict(view.stack),
        "now": now_ms(),
        "poll_url": f"/fragments/stacks/{stack_id}?rev={view.stack.revision}",
        "poll_every": _interval(run is not None and not run.is_finished),
    }


def _interval(is_moving: bool) -> int:
    settings: Settings = current_app.config["SETTINGS"]
    return interval(settings, is_moving=is_moving)
