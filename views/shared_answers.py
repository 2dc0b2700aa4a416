"""What all answers to share links have in common: finding the link, whom it may be shown to, how it says that it has
ended, and headers.

No answer sets or reads a cookie, so none of this asks who is signed in.
"""

from __future__ import annotations

from typing import Literal
from urllib.parse import urlsplit

from flask import Blueprint, Request, Response, abort, current_app, g, render_template, request

from config import Settings
from provisioning.errors import BadInput, NotFound
from provisioning.share_uses import uses
from provisioning.shares import FoundLink, State, find_link
from views import pictures
from views.access import mark_checked
from views.clock import now_ms
from views.errors import problem

Form = Literal["page", "fragment", "json", "text", "picture"]

ENDED: dict[State, str] = {
    "revoked": "This link was revoked by whoever shared it.",
    "expired": "The time of this link is over.",
    "gone": "What this link showed is no longer kept.",
}
WAY_OUT = "Ask whoever sent it for a new one."

# Part of every ETag: to be counted up where the same state is drawn or written in another way than before.
_EDITION = 2

# htmx 2 looks for each of these in every answer, and Chromium complains of each that is not exposed by its name.
_HTMX_LOOKS_FOR = (
    "Access-Control-Expose-Headers",
    "HX-Location, HX-Push, HX-Push-Url, HX-Redirect, HX-Refresh, HX-Replace-Url, HX-Reselect, HX-Reswap, HX-Retarget, "
    "HX-Trigger, HX-Trigger-After-Settle, HX-Trigger-After-Swap",
)

_HEADERS = (
    ("X-Robots-Tag", "noindex, nofollow"),
    ("Referrer-Policy", "no-referrer"),
    ("Vary", "Origin"),
)


def open_link(token: str, form: Form) -> FoundLink:
    """The link of the token, where it shows something to whoever asks; else ends the request.

    A token that was guessed, cut or altered: 404, always the same answer. Another site's page that is not among the
    link's origins: 403, and nothing else. An ended link: 410 with a sentence, in the form that was asked for.
    """
    # Looked up once: the proxy costs a poll more than the checks.
    asked: Request = request._get_current_object()  # type: ignore[attr-defined]
    mark_checked()
    found = find_link(token)
    if found is None:
        abort(_unknown(form))
    g.share_link = found
    if "HTTP_ORIGIN" in asked.environ:
        _refuse_foreign(found)
    now = now_ms()
    state = found.state(now)
    if state != "open":
        abort(_ended(state, form))
    uses.note(found.id, now, opened="rev" not in asked.args)
    return found


def allow_preflight(token: str) -> None:
    """Let a browser ask whether it may ask. For an ended link too: its page is to hear that it has ended."""
    mark_checked()
    found = find_link(token)
    if found is None:
        abort(_unknown("text"))
    g.share_link = found
    _refuse_foreign(found)


def revision_asked() -> int:
    """The revision that a poll knows; -1 without one."""
    text = request.args.get("rev", "")
    return int(text) if text.isdigit() and len(text) < 19 else -1


def unchanged() -> Response:
    """The answer to a poll of what is as it was."""
    return Response(status=204)


def tagged(link: FoundLink, answer: Response, *, is_moving: bool) -> Response:
    """Let caches and image proxies keep a picture for seconds, and ask whether it is still so."""
    answer.set_etag(_etag(link))
    answer.headers["Cache-Control"] = f"max-age={10 if is_moving else 60}, must-revalidate"
    return answer


def not_modified(link: FoundLink) -> Response | None:
    """304 where the asker has the present state, without reading it; else None."""
    asked: Request = request
    if not asked.if_none_match.contains(_etag(link)):
        return None
    answer = Response(status=304)
    answer.set_etag(_etag(link))
    answer.headers["Cache-Control"] = "max-age=10, must-revalidate"
    return answer


def _etag(link: FoundLink) -> str:
    return f"{_EDITION}-{link.id[-10:]}-{link.revision}"


def allowing(origin: str, *, htmx: bool) -> list[tuple[str, str]]:
    """The headers by which a page of this origin may read an answer, by htmx where it is the fragment."""
    allowed = ("Access-Control-Allow-Origin", origin)
    return [allowed, _HTMX_LOOKS_FOR] if htmx else [allowed]


def add_headers(answer: Response) -> Response:
    """What every answer of a share link carries; CORS for the origins that the link allows."""
    asked: Request = request._get_current_object()  # type: ignore[attr-defined]
    # `app.DefaultHeaders` sends them: through Flask's header objects they would cost a poll a tenth of its time.
    asked.environ["slipway.headers"] = _HEADERS
    origin = asked.environ.get("HTTP_ORIGIN")
    if origin:
        found: FoundLink | None = g.get("share_link")
        if found is not None and (origin in found.allowed_origins or origin in own_origins()):
            answer.headers.extend(allowing(origin, htmx=asked.endpoint == "embeds.fragment"))
    if answer.status_code >= 400:
        answer.headers["Cache-Control"] = "no-store"
    return answer


def dress(blueprint: Blueprint) -> None:
    """Give all answers of a blueprint, refusals too, the headers of share links."""
    blueprint.after_request(add_headers)
    # The app's own pages for these tell who is signed in.
    blueprint.register_error_handler(BadInput, _bad_input)
    blueprint.register_error_handler(NotFound, lambda error: _ended("gone", "json"))


def _bad_input(error: BadInput) -> Response:
    return problem(422, str(error), field=error.field, remedy=error.remedy)


def own_origins() -> set[str]:
    """The origins of Slipway's own pages."""
    settings: Settings = current_app.config["SETTINGS"]
    parts = urlsplit(settings.public_url)
    return {request.host_url.rstrip("/"), f"{parts.scheme}://{parts.netloc}"}


def _refuse_foreign(found: FoundLink) -> None:
    origin = request.headers.get("Origin")
    if origin and origin not in found.allowed_origins and origin not in own_origins():
        # Without CORS headers the page there cannot even read that it was refused.
        abort(Response("This link may not be embedded there.\n", status=403, mimetype="text/plain"))


def _unknown(form: Form) -> Response:
    said = "There is no such link. It may have been cut when it was copied."
    if form == "json":
        return problem(404, said, remedy="Copy the whole link.")
    if form == "page" and "rev" not in request.args:
        return _notice(404, "There is no such link", said)
    return Response(f"{said}\n" if form != "text" else "UNKNOWN\n", status=404, mimetype="text/plain")


def _ended(state: State, form: Form) -> Response:
    said = ENDED[state]
    if form == "json":
        return problem(410, said, remedy=WAY_OUT, title="This link has ended")
    if form == "text":
        return Response(f"{state.upper()}\n", status=410, mimetype="text/plain")
    if form == "picture":
        drawn = pictures.badge(label="share link", message=state, tone="idle")
        return Response(drawn, status=410, mimetype="image/svg+xml")
    if form == "fragment":
        return Response(f'<p class="slipway-card" data-word="{state.upper()}">{said}</p>\n', status=410)
    if "rev" in request.args:
        # An open page: htmx loads it anew, and finds the page that says so.
        return Response(f"{said}\n", status=410, mimetype="text/plain", headers={"HX-Redirect": request.path})
    return _notice(410, "This link has ended", said, remedy=WAY_OUT)


def _notice(status: int, title: str, said: str, *, remedy: str = "") -> Response:
    page = render_template(
        "shares/ended.html",
        status=status,
        title=title,
        detail=said,
        remedy=remedy,
        framed=request.endpoint == "embeds.frame",
    )
    return Response(page, status=status)
