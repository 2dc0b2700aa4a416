"""One resource: its page, its card for polls and other pages, its history."""

from __future__ import annotations

from urllib.parse import urlencode

from flask import Blueprint, Response, current_app, render_template, request

from config import Settings
from provisioning import queries
from provisioning.polls import card_unchanged
from provisioning.queries import HistoryPage
from provisioning.status import ProvisionStatus
from views import access
from views.clock import now_ms
from views.polling import interval, unchanged

cards = Blueprint("cards", __name__)


@cards.get("/p/<path:provision_id>")
def page(provision_id: str) -> str:
    """A resource's page, by its own id, its SST id or its provider's."""
    card = queries.get_provision_status(
        access.reader(), provision_id, stack=request.args.get("stack"), dock=request.args.get("dock")
    )
    return render_template("card.html", card=card, now=now_ms(), alone=True, poll=_poll(card))


@cards.get("/cards/<provision_id>")
def fragment(provision_id: str) -> str:
    """The card alone. With `rev`, as an answer to the poll of a page that shows it at that revision."""
    # That nothing changed was answered before: see UnchangedPolls.
    card = queries.get_provision_status(access.reader(), provision_id)
    swap = "outerMorph" if "rev" in request.args else None
    return render_template("_card.html", card=card, now=now_ms(), alone=True, poll=_poll(card), swap=swap)


@cards.get("/p/<path:provision_id>/history")
def history(provision_id: str) -> str:
    """What happened to a resource, newest first."""
    cursor = request.args.get("cursor") or None
    found = queries.history(access.reader(), provision_id, cursor=cursor)
    return render_template("history.html", **_history_shown(found, cursor))


@cards.get("/fragments/history/<provision_id>")
def history_changes(provision_id: str) -> Response | str:
    """The poll of a history's page."""
    revision, identity = request.args.get("rev", -1, int), access.session_identity()
    if identity and card_unchanged(identity, provision_id, revision):
        return unchanged()
    cursor = request.args.get("cursor") or None
    found = queries.history(access.reader(), provision_id, cursor=cursor)
    return render_template("_live_answer.html", piece="_history.html", **_history_shown(found, cursor))


def _poll(card: ProvisionStatus) -> tuple[str, int]:
    return f"/cards/{card.id}?rev={card.revision}", _interval(card)


def _interval(card: ProvisionStatus) -> int:
    settings: Settings = current_app.config["SETTINGS"]
    return interval(settings, is_moving=card.is_moving)


def _history_shown(found: HistoryPage, cursor: str | None) -> dict[str, object]:
    card = found.status
    query = {"rev": str(card.revision)} | ({"cursor": cursor} if cursor else {})
    return {
        "card": card,
        "entries": found.entries,
        "cursor": cursor,
        "next_cursor": found.next_cursor,
        "now": now_ms(),
        "poll_url": f"/fragments/history/{card.id}?{urlencode(query)}",
        "poll_every": _interval(card),
    }
