"""The dashboard: all resources of the current organisation, what needs attention first, and its one poll."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Response, current_app, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from config import Settings
from provisioning import queries
from provisioning.audit import Actor
from provisioning.filters import Filters, filters_from
from provisioning.permissions import givers
from provisioning.queries import Choices, Dashboard
from provisioning.states import CARD_LOOKS, KINDS, SOURCES, Look
from provisioning.tokens import create_token
from views import access
from views.clock import now_ms
from views.links import public_url, with_query
from views.polling import interval
from views.presentation import LISTED

dashboard = Blueprint("dashboard", __name__)


@dataclass(frozen=True, slots=True)
class Chip:
    """One status with its count: a link that narrows the list to it, or widens it again."""

    look: Look
    count: int
    url: str
    is_chosen: bool


@dataclass(frozen=True, slots=True)
class Select:
    """One filter with what it offers, as (value, label)."""

    name: str
    any: str
    options: list[tuple[str, str]]
    chosen: str
    more: str = ""
    """What is said of those that it does not offer."""


@dashboard.get("/")
def index() -> str:
    """The dashboard's page."""
    filters, cursor = filters_from(request.args), request.args.get("cursor") or None
    board = queries.dashboard(access.reader(), access.current_place().organization_id, filters=filters, cursor=cursor)
    return render_template("dashboard.html", **_shown(board, filters, cursor))


@dashboard.post("/first-token")
def first_token() -> AnyResponse:
    """Make a token for the first run, and show the page with it in the commands: once, by this very answer."""
    who, here = access.signed_in_person(), access.current_place()
    board = queries.dashboard(access.reader(), here.organization_id, filters=Filters())
    if board.has_any:
        return redirect("/settings/tokens", 303)
    secret = create_token(
        organization_id=here.organization_id,
        name="First run",
        scopes=["ingest"],
        actor=Actor(who.label, who.id),
        now=now_ms(),
    )
    page = Response(render_template("dashboard.html", **_shown(board, Filters(), None), secret=secret))
    page.headers["Cache-Control"] = "no-store"
    return page


@dashboard.get("/fragments/operations")
def operations() -> str:
    """The dashboard's poll: nothing where the organisation's revision is the same, else what must be swapped."""
    # That nothing changed was answered before: see UnchangedPolls.
    since, organization_id = request.args.get("since", 0, int), access.session_organization()
    filters, cursor = filters_from(request.args), request.args.get("cursor") or None
    changes = queries.dashboard_changes(
        access.reader(),
        organization_id or access.current_place().organization_id,
        filters=filters,
        cursor=cursor,
        since=since,
        shown=request.args.get("shown", ""),
    )
    return render_template(
        "_dashboard_changes.html", **_shown(changes.dashboard, filters, cursor), changed=changes.changed
    )


def _shown(board: Dashboard, filters: Filters, cursor: str | None) -> dict[str, Any]:
    """What the templates of page and poll read: the same for both, so that a live page equals a new one."""
    settings: Settings = current_app.config["SETTINGS"]
    here = access.current_place()
    narrowed = filters.as_query()
    at = narrowed | ({"cursor": cursor} if cursor else {})
    shown: dict[str, Any] = {
        "board": board,
        "filters": filters,
        "cursor": cursor,
        "now": now_ms(),
        "chips": _chips(board, filters),
        "selects": _selects(queries.choices(board.organization_id, chosen_stack=filters.stack), filters),
        "older_url": with_query("/", narrowed | {"cursor": board.next_cursor or ""}),
        "first_url": with_query("/", narrowed),
        "poll_url": with_query("/fragments/operations", at | {"since": str(board.revision), "shown": board.digest}),
        "poll_every": interval(settings, is_moving=board.is_moving or not board.has_any),
    }
    if not board.has_any:
        may_make_token = here.may("settings:full")
        shown |= {
            "server_url": public_url(""),
            "may_make_token": may_make_token,
            "token_givers": [] if may_make_token else givers(here.organization_id),
        }
    return shown


def _chips(board: Dashboard, filters: Filters) -> list[Chip]:
    chips = []
    for status in LISTED:
        count, is_chosen = board.counts.get(status, 0), filters.status == status
        if count or is_chosen:
            query = filters.as_query() | {"status": str(status)}
            if is_chosen:
                del query["status"]
            chips.append(Chip(CARD_LOOKS[status], count, with_query("/", query), is_chosen))
    return chips


def _selects(choices: Choices, filters: Filters) -> list[Select]:
    offered: tuple[tuple[str, str, list[tuple[str, str]]], ...] = (
        ("status", "Any status", [(str(status), CARD_LOOKS[status].label) for status in LISTED]),
        ("type", "All types", list(KINDS.items())),
        ("provider", "All providers", [(provider, provider) for provider in choices.providers]),
        ("source", "All sources", list(SOURCES.items())),
        ("stack", "All stacks", choices.stacks),
        ("dock", "All docks", choices.docks),
    )
    selects = []
    for name, anything, options in offered:
        chosen = getattr(filters, name)
        if chosen and chosen not in [value for value, _ in options]:
            options = [*options, (chosen, chosen)]
        more = "Others: search their name" if name == "stack" and choices.more_stacks else ""
        selects.append(Select(name, anything, options, chosen, more))
    return selects
