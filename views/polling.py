"""What all polls of open pages share: the cheapest answer there is, and how often to ask."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from time import perf_counter
from typing import Any
from urllib.parse import parse_qs

from flask import Flask, Response
from peewee import PeeweeException

from config import Settings
from logs import access_record
from provisioning.polls import card_unchanged, dashboard_unchanged
from views.access import identity_in, mark_checked
from views.sessions import SessionCookies

_CARD, _DASHBOARD = "/cards/", "/fragments/operations"

access_log = logging.getLogger("slipway.access")


def unchanged() -> Response:
    """The answer to a poll whose own SQL found, permission included, that nothing changed."""
    mark_checked()
    return Response(status=204)


def interval(settings: Settings, *, is_moving: bool) -> int:
    """Milliseconds until an open page asks again."""
    return settings.poll_active_ms if is_moving else settings.poll_settled_ms


class UnchangedPolls:
    """Answers the two polls that every open page sends, of a card and of the dashboard, before Flask takes them up.

    It only ever says "nothing changed", by the same statement as the views, which checks session and role; whatever
    else is the case goes the ordinary way. Flask's own work on a request costs twice as much as the question.
    """

    def __init__(self, app: Flask, wsgi_app: Callable[..., Iterable[bytes]]) -> None:
        self.app = app
        self.wsgi_app = wsgi_app
        assert isinstance(app.session_interface, SessionCookies)
        self.cookies = app.session_interface
        self.cookie_start = f"{self.cookies.get_cookie_name(app)}="

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if environ["REQUEST_METHOD"] == "GET" and (path == _DASHBOARD or path.startswith(_CARD)):
            began = perf_counter()
            if self._unchanged(environ, path):
                if access_log.isEnabledFor(logging.INFO) and path.isprintable():
                    access_log.handle(access_record("GET", path, 204, (perf_counter() - began) * 1000))
                start_response("204 NO CONTENT", [("Vary", "Cookie")])
                return []
        return self.wsgi_app(environ, start_response)

    def _unchanged(self, environ: dict[str, Any], path: str) -> bool:
        session = self._session(environ.get("HTTP_COOKIE", ""))
        identity = identity_in(session) if session else None
        if session is None or identity is None:
            return False
        asked = parse_qs(environ.get("QUERY_STRING", ""))
        try:
            if path == _DASHBOARD:
                return dashboard_unchanged(identity, session["organization"], int(asked["since"][0]))
            return card_unchanged(identity, path[len(_CARD) :], int(asked["rev"][0]))
        except (KeyError, ValueError, PeeweeException):
            return False

    def _session(self, cookies: str) -> dict[str, Any] | None:
        for part in cookies.split("; "):
            if part.startswith(self.cookie_start):
                return self.cookies.content_of(self.app, part[len(self.cookie_start) :])
        return None
