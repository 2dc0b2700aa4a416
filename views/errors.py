"""What people and programs are told when a request fails: short pages, and problem details (RFC 9457) under /api/."""

from __future__ import annotations

import json
import logging
from typing import Any

from flask import Flask, Response, render_template, request
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException

from provisioning.errors import AmbiguousProvision, BadInput, MissingPermission, NotFound, Refused

log = logging.getLogger("slipway")

# (title, what happened, the way out). A status that is not here is told by its HTTP name.
WORDS: dict[int, tuple[str, str, str]] = {
    400: ("This request cannot be read", "Something in it is missing or malformed.", "Go back and try again."),
    401: ("Please sign in", "This page is for people who are signed in.", "Sign in and open it again."),
    403: ("You may not do this", "Your role does not allow it.", "Ask an owner of the organisation."),
    404: (
        "There is nothing here",
        "The address is wrong, the thing was removed, or it belongs to an organisation that you are not a member of.",
        "Check the address, or switch to another organisation.",
    ),
    405: ("This address does not take that", "It answers to another method.", "Go back and use the page's buttons."),
    409: ("That is not possible now", "The present state does not allow it.", "Reload the page to see how it is now."),
    410: ("This link has ended", "It was used, revoked, or its time is over.", "Ask whoever sent it for a new one."),
    413: ("This is too large", "More was sent than is accepted at once.", "Send less at once."),
    415: ("This kind of content is not accepted", "The Content-Type is another one.", "See the API's description."),
    422: ("Something does not fit", "A value is not acceptable.", "Correct it and send it again."),
    429: ("Too many attempts", "This was tried too often in a short time.", "Wait a few minutes, then try again."),
    500: (
        "Slipway failed",
        "This is a fault of Slipway, not of yours. It was written to the log.",
        "Try again; if it stays, tell whoever runs this Slipway.",
    ),
    503: ("Slipway is not ready", "The database cannot be reached.", "Try again in a moment."),
}


def problem(
    status: int,
    detail: str,
    *,
    field: str | None = None,
    remedy: str | None = None,
    title: str | None = None,
    headers: dict[str, str] | None = None,
    **more: Any,
) -> Response:
    """An answer of problem details: `type`, `title`, `status`, `detail`, and `field` and `remedy` where they help.

    `more` are members that a single kind of problem adds, such as `candidates`.
    """
    words = WORDS.get(status)
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": title or (words[0] if words else "Request failed"),
        "status": status,
        "detail": detail,
    }
    if field:
        body["field"] = field
    if remedy:
        body["remedy"] = remedy
    body.update(more)
    answer = Response(json.dumps(body, ensure_ascii=False), status=status, mimetype="application/problem+json")
    answer.headers.update(headers or {})
    return answer


def wants_problem() -> bool:
    """Whether this request is answered with problem details rather than a page."""
    return request.path.startswith("/api/")


def wants_fragment() -> bool:
    """Whether htmx asked: it swaps no error answer, so there is no page to render."""
    return request.headers.get("HX-Request") == "true"


def error_answer(
    status: int,
    *,
    detail: str = "",
    remedy: str = "",
    field: str = "",
    headers: dict[str, str] | None = None,
    template: str = "errors/error.html",
    **context: Any,
) -> Response:
    """One failed request's answer: problem details under /api/, one line for htmx, else the page."""
    title, said, way_out = WORDS.get(status, ("Request failed", "The request could not be answered.", "Go back."))
    detail, remedy = detail or said, remedy or way_out
    if wants_problem():
        return problem(status, detail, field=field, remedy=remedy, headers=headers)
    if wants_fragment():
        answer = Response(detail, status=status, mimetype="text/plain")
    else:
        page = render_template(template, status=status, title=title, detail=detail, remedy=remedy, **context)
        answer = Response(page, status=status, mimetype="text/html")
    answer.headers.update(headers or {})
    return answer


def register_error_pages(app: Flask) -> None:
    """Give the app its answers to failures."""
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(CSRFError, _stale_form)
    app.register_error_handler(NotFound, _not_found)
    app.register_error_handler(MissingPermission, _missing_permission)
    app.register_error_handler(BadInput, _bad_input)
    app.register_error_handler(Refused, _refused)
    app.register_error_handler(AmbiguousProvision, _ambiguous)
    app.register_error_handler(500, _failed)


def _http_error(error: HTTPException) -> Response:
    if error.response is not None:
        # An abort() with a ready answer, such as the redirect to sign-in.
        return error.response  # type: ignore[return-value]
    status = error.code or 500
    headers = {
        name: value for name, value in error.get_headers() if name in {"Allow", "Retry-After", "WWW-Authenticate"}
    }
    # Werkzeug's own descriptions are for developers; ours, given to abort(), are for people.
    given = error.description if error.description != type(error).description else ""
    return error_answer(status, detail=given or "", headers=headers)


def _stale_form(error: CSRFError) -> Response:
    return error_answer(
        400,
        detail="This form has grown old: you signed in or out since it was opened, or cookies are blocked.",
        remedy="Go back, reload the page and send the form again.",
    )


def _not_found(error: NotFound) -> Response:
    return error_answer(404, detail=str(error))


def _missing_permission(error: MissingPermission) -> Response:
    who = " or ".join(error.givers) or "whoever runs this Slipway"
    return error_answer(
        403,
        detail=str(error),
        remedy=f"It can be given by {who}.",
        template="errors/missing_permission.html",
        permission=error.permission,
        givers=error.givers,
    )


def _bad_input(error: BadInput) -> Response:
    return error_answer(422, detail=str(error), field=error.field, remedy=error.remedy)


def _refused(error: Refused) -> Response:
    return error_answer(409, detail=str(error))


def _ambiguous(error: AmbiguousProvision) -> Response:
    if not wants_problem():
        return error_answer(
            409,
            detail=str(error),
            template="ambiguous.html",
            provision_id=error.provision_id,
            candidates=error.candidates,
        )
    candidates = [
        {"resourceId": public_id, "name": name, "stack": stack, "dock": dock}
        for public_id, name, stack, dock in error.candidates
    ]
    return problem(
        409,
        str(error),
        remedy="Ask again with a resourceId, or with stack= or dock=.",
        candidates=candidates,
    )


def _failed(error: Exception) -> Response:
    try:
        return error_answer(500)
    except Exception:
        # What broke the request (no database, say) may break the page's frame too.
        log.exception("The error page failed as well")
        return Response(f"{WORDS[500][0]}. {WORDS[500][1]} {WORDS[500][2]}\n", status=500, mimetype="text/plain")
