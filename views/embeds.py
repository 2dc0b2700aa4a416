"""Share links inside other pages: the frame, the bare fragment, the custom element's data and script, and oEmbed."""

from __future__ import annotations

import hashlib
import re
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

from flask import Blueprint, Response, current_app, g, jsonify, render_template, request
from markupsafe import escape
from werkzeug.wrappers import Response as AnyResponse

from config import Settings
from provisioning.errors import BadInput
from provisioning.shared import Shared, read_shared
from provisioning.shares import FoundLink
from views.clock import now_ms
from views.errors import problem
from views.glances import Glance, glance_of
from views.links import public_url
from views.polling import interval
from views.shared_answers import add_headers, allow_preflight, dress, open_link, revision_asked, unchanged

embeds = Blueprint("embeds", __name__)
dress(embeds)

# The script has no link, so nothing of `dress` fits it.
embed_script = Blueprint("embed_script", __name__)

_SCRIPT = Path(__file__).resolve().parent.parent / "static" / "embed.js"
_FRAME_WIDTH, _FRAME_HEIGHT = 480, 132

# The headers that htmx sends, versions 2 and 4: a fragment's host sends them, and its browser asks first.
_HTMX_HEADERS = (
    "HX-Request, HX-Request-Type, HX-Current-URL, HX-Source, HX-Target, HX-Trigger, HX-Trigger-Name, HX-Boosted, "
    "HX-Prompt, HX-History-Restore-Request"
)


@embeds.get("/embed/<token>", provide_automatic_options=False)
def frame(token: str) -> Response | str:
    """The card for an `<iframe>`. With `rev`, the answer to its poll."""
    link = open_link(token, "page")
    if revision_asked() == link.revision:
        return unchanged()
    found, glance = _read(link)
    every = _every(glance)
    url = f"/embed/{token}?rev={link.revision}"
    shown = {"public": True, "shown": found.fields, "now": now_ms(), "alone": True, "poll": (url, every)}
    shown |= {"card": found.status, "glance": glance, "subject": found.subject}
    piece = "_card.html" if found.status else "shares/_glance.html"
    if "rev" in request.args:
        return render_template(piece, swap="outerMorph", **shown)
    return render_template("shares/frame.html", piece=piece, token=token, **shown)


@embeds.after_request
def allow_frames(answer: Response) -> Response:
    """Let the pages of the link's origins, and our own preview, frame the frame: what says that it has ended, too."""
    link: FoundLink | None = g.get("share_link")
    if request.endpoint == "embeds.frame" and link is not None:
        ancestors = " ".join(["'self'", *link.allowed_origins])
        answer.headers["Content-Security-Policy"] = (
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
            f"base-uri 'none'; form-action 'none'; frame-ancestors {ancestors}"
        )
    return answer


@embeds.route("/embed/<token>/fragment", methods=["GET", "OPTIONS"], provide_automatic_options=False)
def fragment(token: str) -> Response | str:
    """The bare card, for pages that have htmx themselves; it asks for itself. With `rev`, the answer to that."""
    if request.method == "OPTIONS":
        allow_preflight(token)
        answer = Response(status=204)
        answer.headers["Access-Control-Allow-Methods"] = "GET"
        answer.headers["Access-Control-Allow-Headers"] = _HTMX_HEADERS
        answer.headers["Access-Control-Max-Age"] = "600"
        return answer
    link = open_link(token, "fragment")
    if revision_asked() == link.revision:
        return unchanged()
    _, glance = _read(link)
    url = public_url(f"/embed/{token}/fragment?rev={link.revision}")
    return render_template(
        "shares/_fragment.html", glance=glance, subject=link.subject, now=now_ms(), url=url, every=_every(glance)
    )


@embeds.get("/embed/<token>.json", provide_automatic_options=False)
def element(token: str) -> Response:
    """What `<slipway-card>` shows; with `rev`, 204 while it is as it was. Nothing here makes a browser ask first."""
    link = open_link(token, "json")
    if revision_asked() == link.revision:
        return unchanged()
    _, glance = _read(link)
    return jsonify(glance.as_json() | {"revision": link.revision, "poll": _every(glance), "now": now_ms()})


@embed_script.get("/embed.js")
def script() -> AnyResponse:
    """The custom element `<slipway-card>`."""
    text, tag = _script()
    answer = Response(text, mimetype="text/javascript")
    answer.set_etag(tag)
    answer.headers["Cache-Control"] = "public, max-age=300"
    answer.headers["Access-Control-Allow-Origin"] = "*"
    answer.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    answer.make_conditional(request)
    return answer


@cache
def _script() -> tuple[bytes, str]:
    content = _SCRIPT.read_bytes()
    return content, hashlib.sha256(content).hexdigest()[:16]


@embeds.get("/oembed", provide_automatic_options=False)
def oembed() -> Response:
    """oEmbed 1.0 (https://oembed.com/): how to embed a share link's address. A link that no page may frame is told as
    a picture."""
    if request.args.get("format", "json") != "json":
        answer = problem(501, "Only format=json is answered.", title="Not implemented")
        return add_headers(answer)
    found = re.fullmatch(r"/(?:s|embed)/([\w-]{1,100})", urlsplit(request.args.get("url", "")).path)
    token = found[1] if found else ""
    link = open_link(token, "json")
    _, glance = _read(link)
    body: dict[str, object] = {
        "version": "1.0",
        "title": f"{glance.name}: {glance.verb}",
        "provider_name": "Slipway",
        "provider_url": public_url("/"),
        "cache_age": 60,
        "thumbnail_url": public_url(f"/s/{token}.png"),
        "thumbnail_width": 1200,
        "thumbnail_height": 630,
    }
    if link.allowed_origins:
        width, height = _most("maxwidth", _FRAME_WIDTH), _most("maxheight", _FRAME_HEIGHT)
        html = (
            f'<iframe src="{escape(public_url(f"/embed/{token}"))}" width="{width}" height="{height}" frameborder="0" '
            f'title="{escape(glance.name)}" loading="lazy" referrerpolicy="no-referrer"></iframe>'
        )
        body |= {"type": "rich", "html": html, "width": width, "height": height}
    else:
        body |= {"type": "photo", "url": public_url(f"/s/{token}.png"), "width": 1200, "height": 630}
    return jsonify(body)


def _most(name: str, usual: int) -> int:
    text = request.args.get(name, "")
    return min(usual, max(1, int(text))) if text.isdigit() and len(text) < 6 else usual


def _read(link: FoundLink) -> tuple[Shared, Glance]:
    found = read_shared(link, now=now_ms())
    glance = glance_of(found)
    if glance is None:
        raise BadInput("This link is a feed of many things.", field="token", remedy="Read it as /feeds/….atom.")
    return found, glance


def _every(glance: Glance) -> int:
    settings: Settings = current_app.config["SETTINGS"]
    return interval(settings, is_moving=glance.is_moving)
