"""Share links as pictures and as one word: badges, cards, what chat tools show, and `.txt` for scripts."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify, request

from provisioning.errors import BadInput
from provisioning.shared import read_shared
from provisioning.shares import FoundLink
from views import pictures
from views.clock import now_ms
from views.glances import Glance, glance_of
from views.shared_answers import Form, dress, not_modified, open_link, tagged

badges = Blueprint("badges", __name__)
dress(badges)

# No script runs in a picture that is opened by itself, whatever a name holds; its own style sheet does apply.
PICTURE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; sandbox"

_SHIELDS_COLORS = {tone: light.removeprefix("#") for tone, (light, _) in pictures.TONES.items()}


@badges.get("/s/<token>.svg", provide_automatic_options=False)
def svg(token: str) -> Response:
    """A badge, or with `style=card` the whole card."""
    link = open_link(token, "picture")
    style, look = request.args.get("style", "flat"), request.args.get("look", "auto")
    pictures.check_style(style, look)
    if same := not_modified(link):
        return same
    glance = _glance(link)
    return tagged(link, picture_answer(glance, style=style, look=look), is_moving=glance.is_moving)


def picture_answer(glance: Glance, *, style: str, look: str) -> Response:
    """A glance as the picture that was asked for; `label` in the request is a badge's own left side."""
    if style == "card":
        drawn = pictures.card(glance, look=look)
    else:
        label = request.args.get("label", glance.name)
        drawn = pictures.badge(label=label, message=glance.short, tone=glance.tone, style=style)
    return Response(drawn, mimetype="image/svg+xml", headers={"Content-Security-Policy": PICTURE_POLICY})


@badges.get("/s/<token>.png", provide_automatic_options=False)
def png(token: str) -> Response:
    """The picture that chat tools show with the link: 1200 by 630; with `style` that badge or card."""
    link = open_link(token, "picture")
    style, look = request.args.get("style", ""), request.args.get("look", "light")
    pictures.check_style(style or "card", look)
    if same := not_modified(link):
        return same
    glance = _glance(link)
    if not style:
        drawn = pictures.unfurled(glance)
    elif style == "card":
        # A PNG knows no colour scheme.
        drawn = pictures.card(glance, look="dark" if look == "dark" else "light")
    else:
        label = request.args.get("label", glance.name)
        drawn = pictures.badge(label=label, message=glance.short, tone=glance.tone, style=style)
    return tagged(link, Response(pictures.png(drawn), mimetype="image/png"), is_moving=glance.is_moving)


@badges.get("/s/<token>.txt", provide_automatic_options=False)
def text(token: str) -> Response:
    """How it stands in one word: `OK`, `FAILED`, `RUNNING` and so on; see `views.glances.WORDS`."""
    link = open_link(token, "text")
    return Response(f"{_glance(link, 'text').word}\n", mimetype="text/plain")


@badges.get("/s/<token>/shields.json", provide_automatic_options=False)
def shields(token: str) -> Response:
    """What the endpoint badge of shields.io reads."""
    link = open_link(token, "json")
    if same := not_modified(link):
        return same
    glance = _glance(link, "json")
    body = {
        "schemaVersion": 1,
        "label": request.args.get("label", glance.name)[: pictures.MOST_LABEL],
        "message": glance.short,
        "color": _SHIELDS_COLORS[glance.tone],
        "isError": glance.tone == "error",
        # The least that shields.io takes.
        "cacheSeconds": 300,
    }
    return tagged(link, jsonify(body), is_moving=glance.is_moving)


def _glance(link: FoundLink, form: Form = "picture") -> Glance:
    glance = glance_of(read_shared(link, now=now_ms()))
    if glance is None:
        raise BadInput(
            "This link is a feed of many things.", field="token", remedy="Read it as /feeds/….atom, or share one thing."
        )
    return glance
