"""Signed session cookies, made cheap for polls: one that was verified before is not verified again."""

from __future__ import annotations

import time
from typing import Any

from flask import Flask, Request, Response, request
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface, SessionMixin
from itsdangerous import BadSignature

# Above this number of remembered cookies all are forgotten; each takes about half a kilobyte.
_MOST_REMEMBERED = 4096


class SessionCookies(SecureCookieSessionInterface):
    """Flask's session cookies, with two differences.

    They are Secure wherever the request came over TLS, behind a proxy too. And a dashboard sends the same cookie every
    two seconds: checking its signature took a third of a poll, so the content of cookies that were found good is
    remembered by their whole text. That says nothing about the session being alive still: the user's version does.
    """

    def __init__(self) -> None:
        # The cookie's text: (content, when it was signed).
        self._remembered: dict[str, tuple[dict[str, Any], float]] = {}

    def get_cookie_secure(self, app: Flask) -> bool:
        """Whether the cookie may only travel over TLS."""
        return bool(app.config["SESSION_COOKIE_SECURE"] or request.is_secure)

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        """The session of the request's cookie; an empty one without, or with one that is forged or too old."""
        text = request.cookies.get(self.get_cookie_name(app))
        content = self.content_of(app, text) if text else None
        return self.session_class(content) if content is not None else self.session_class()

    def content_of(self, app: Flask, text: str) -> dict[str, Any] | None:
        """What a cookie's text holds; None where it is forged or too old."""
        max_age = app.permanent_session_lifetime.total_seconds()
        found = self._remembered.get(text)
        if found is None:
            serializer = self.get_signing_serializer(app)
            if serializer is None:
                return None
            try:
                content, signed = serializer.loads(text, max_age=int(max_age), return_timestamp=True)
            except BadSignature:
                return None
            found = (content, signed.timestamp())
            # A value that can be changed in place would be changed for every later request.
            if all(isinstance(value, (str, int)) for value in content.values()):
                if len(self._remembered) >= _MOST_REMEMBERED:
                    self._remembered.clear()
                self._remembered[text] = found
        elif time.time() - found[1] > max_age:
            return None
        return found[0]

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        """Send the cookie where the session was changed."""
        if session.modified:
            super().save_session(app, session, response)
        elif session.accessed:
            response.headers.add("Vary", "Cookie")
