"""The polls of open pages that find no change, answered before Flask takes them up: the cheapest answer there is."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from time import perf_counter
from typing import Any

from flask import Flask
from peewee import PeeweeException

from logs import access_record
from provisioning.polls import card_unchanged, dashboard_unchanged
from provisioning.share_uses import uses
from provisioning.shares import find_link
from views.access import identity_in
from views.clock import now_ms
from views.sessions import SessionCookies
from views.shared_answers import allowing

_CARD, _DASHBOARD = "/cards/", "/fragments/operations"
# The polls of share links: how their paths begin and end around the token, and the route, for the log.
_SHARED = (
    ("/s/", "", "/s/<token>"),
    ("/embed/", "/fragment", "/embed/<token>/fragment"),
    ("/embed/", ".json", "/embed/<token>.json"),
    ("/embed/", "", "/embed/<token>"),
)

Headers = list[tuple[str, str]]

access_log = logging.getLogger("slipway.access")


class UnchangedPolls:
    """Answers the polls of open pages (of a card, of the dashboard, of share links) before Flask takes them up.

    It only ever says "nothing changed", by the same statements as the views, which check session and role, or the link
    and its origins; whatever else is the case goes the ordinary way. Flask's own work on a request costs twice as much
    as the question.
    """

    def __init__(self, app: Flask, wsgi_app: Callable[..., Iterable[bytes]]) -> None:
        self.app = app
        self.wsgi_app = wsgi_app
        assert isinstance(app.session_interface, SessionCookies)
        self.cookies = app.session_interface
        self.cookie_start = f"{self.cookies.get_cookie_name(app)}="

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] == "GET" and environ.get("QUERY_STRING"):
            began = perf_counter()
            answer = self._unchanged(environ, environ["PATH_INFO"])
            if answer is not None:
                path, headers = answer
                if access_log.isEnabledFor(logging.INFO):
                    access_log.handle(access_record("GET", path, 204, (perf_counter() - began) * 1000))
                start_response("204 NO CONTENT", headers)
                return []
        return self.wsgi_app(environ, start_response)

    def _unchanged(self, environ: dict[str, Any], path: str) -> tuple[str, Headers] | None:
        """The path as the log may hold it, and the headers of the answer; None where it is for the views."""
        try:
            if path == _DASHBOARD or path.startswith(_CARD):
                return self._unchanged_for_members(environ, path)
            for start, end, route in _SHARED:
                if path.startswith(start) and path.endswith(end):
                    headers = _unchanged_link(environ, path[len(start) : len(path) - len(end)])
                    return None if headers is None else (route, headers)
        except (KeyError, ValueError, PeeweeException):
            pass
        return None

    def _unchanged_for_members(self, environ: dict[str, Any], path: str) -> tuple[str, Headers] | None:
        session = self._session(environ.get("HTTP_COOKIE", ""))
        identity = identity_in(session) if session else None
        if session is None or identity is None:
            return None
        query = environ["QUERY_STRING"]
        if path == _DASHBOARD:
            same = dashboard_unchanged(identity, session["organization"], _number(query, "since"))
        else:
            same = card_unchanged(identity, path[len(_CARD) :], _number(query, "rev"))
        return (path, [("Vary", "Cookie")]) if same else None

    def _session(self, cookies: str) -> dict[str, Any] | None:
        for part in cookies.split("; "):
            if part.startswith(self.cookie_start):
                return self.cookies.content_of(self.app, part[len(self.cookie_start) :])
        return None


def _unchanged_link(environ: dict[str, Any], token: str) -> Headers | None:
    """The headers of the answer to a poll of an open link that shows what it showed; None where it is for the views."""
    revision = _number(environ["QUERY_STRING"], "rev")
    found = find_link(token)
    now = now_ms()
    if found is None or found.revision != revision or found.state(now) != "open":
        return None
    # An answer without a document needs none of the headers for crawlers and the pages that a link leads to.
    headers = [("Vary", "Origin")]
    origin = environ.get("HTTP_ORIGIN")
    if origin is not None:
        if origin not in found.allowed_origins:
            return None
        headers += allowing(origin, htmx=environ["PATH_INFO"].endswith("/fragment"))
    uses.note(found.id, now, opened=False)
    return headers


def _number(query: str, name: str) -> int:
    """The number that the query gives by that name; raises `ValueError` without. A poll's has nothing to decode."""
    for part in query.split("&"):
        key, _, value = part.partition("=")
        if key == name:
            return int(value)
    raise ValueError(name)
