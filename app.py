"""The web app: `create_app` wires everything, read from top to bottom.

`granian --interface wsgi --factory app:create_app` serves it; `slipway serve` does that.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterable
from datetime import timedelta
from time import perf_counter
from typing import Any

from flask import Flask, Request, Response, request
from flask_login import LoginManager, current_user
from flask_wtf.csrf import CSRFProtect
from htmx_flask import Htmx
from werkzeug.middleware.proxy_fix import ProxyFix

from config import Settings, settings_from_environment
from keys import secret_keys
from logs import WrittenLater, access_record
from models.connection import open_database
from models.migrate import migrate
from views import access
from views.account import account
from views.api import api
from views.auth import auth, load_signed_in
from views.badges import badges
from views.cards import cards
from views.dashboard import dashboard
from views.docks import docks
from views.embeds import embed_script, embeds
from views.errors import register_error_pages
from views.feeds import feeds
from views.generic_runs import generic_runs
from views.imports import imports
from views.ingest import ingest
from views.logs import logs
from views.openapi import openapi
from views.presentation import register_presentation
from views.rate_limit import register_limiter
from views.resources import resources
from views.runs import runs
from views.sessions import SessionCookies
from views.settings import settings as settings_pages
from views.shared_pages import shared
from views.shares import shares
from views.stack_settings import stack_settings
from views.stacks import stacks
from views.system import system
from views.unchanged_polls import UnchangedPolls

# Every blueprint of the app; views.access.RULES says for each endpoint who may call it.
BLUEPRINTS = (
    auth, account, settings_pages, system, dashboard, cards, runs, stacks, resources, shares, shared, badges, embeds,
    embed_script, feeds, imports, docks, stack_settings, logs, openapi, api, generic_runs, ingest,
)  # fmt: skip

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)

# Set where the answer has no header of that name: a page that may be framed brings its own policy.
DEFAULT_HEADERS = (
    ("Content-Security-Policy", CONTENT_SECURITY_POLICY),
    ("X-Content-Type-Options", "nosniff"),
    # Not `no-referrer`: over TLS, forms are checked against the page they come from.
    ("Referrer-Policy", "same-origin"),
    ("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
    ("Cache-Control", "private, no-cache"),
)
STRICT_TRANSPORT = ("Strict-Transport-Security", "max-age=31536000")

log = logging.getLogger("slipway")
access_log = logging.getLogger("slipway.access")


def create_app(settings: Settings | None = None) -> Flask:
    """Make the web app from the settings (from the environment where none are given)."""
    settings = settings or settings_from_environment()
    configure_logging(settings.log_level)

    # Connections are made per thread when first needed and stay open: one a request would halve the polls.
    migrate(open_database(settings.database_url, settings.home_path))

    keys = secret_keys(settings)
    app = Slipway(__name__)
    app.config.update(
        SETTINGS=settings,
        SECRET_KEY=keys[0],
        # Keys that were in use before still open the sessions that they signed.
        SECRET_KEY_FALLBACKS=keys[1:],
        MAX_CONTENT_LENGTH=settings.max_batch_bytes,
        SESSION_COOKIE_NAME="slipway",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=settings.public_url.startswith("https://"),
        PERMANENT_SESSION_LIFETIME=timedelta(days=settings.session_days),
        # A cookie in every answer would be signed anew by every poll.
        SESSION_REFRESH_EACH_REQUEST=False,
        # A form stays good as long as its session: dashboards are open for days.
        WTF_CSRF_TIME_LIMIT=None,
        # `access.enforce` asks for the form's token, by the route's rule.
        WTF_CSRF_CHECK_DEFAULT=False,
    )
    app.session_interface = SessionCookies()
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True

    Htmx(app)
    sign_in = LoginManager()
    # All of its init_app that is used here. The rest would load the user for every template, those of polls too, and
    # look for its "remember me" cookie after every request.
    app.login_manager = sign_in  # type: ignore[attr-defined]
    sign_in.session_protection = None
    sign_in.user_loader(load_signed_in)
    app.jinja_env.globals.update(current_user=current_user, person=access.person, place=access.place)
    register_presentation(app)

    app.before_request(access.enforce)
    CSRFProtect(app)
    register_limiter(app)

    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
    register_error_pages(app)

    # Flask runs these in the reverse order: the line in the log tells the answer that is sent.
    app.after_request(write_access_log)
    app.after_request(access.require_check)

    app.wsgi_app = UnchangedPolls(app, app.wsgi_app)  # type: ignore[method-assign]
    app.wsgi_app = DefaultHeaders(app.wsgi_app)  # type: ignore[method-assign]
    if settings.trusted_proxies:
        hops = settings.trusted_proxies
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]
            app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops, x_prefix=hops
        )
    return app


class Slipway(Flask):
    """The app. It words its own log line of a failure, because Flask's holds the path with the token of a share."""

    def log_exception(self, exc_info: Any) -> None:
        """Write a failed request's traceback to the log."""
        log.error("%s %s failed", request.method, path_without_secrets(request), exc_info=exc_info)

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """No view here is a coroutine; Flask looks at every hook of every request whether one is."""
        return func

    def get_send_file_max_age(self, filename: str | None) -> int | None:
        """How long browsers may keep a static file: a year where its address holds the hash of its content."""
        return 31_536_000 if request.endpoint == "static" and "v" in request.args else None


class DefaultHeaders:
    """Adds the security headers that an answer does not have, has bodies read to their end, and notes when the request
    began.

    It works on WSGI's list: the same through Flask's header objects costs a poll ten times as much.
    """

    def __init__(self, wsgi_app: Callable[..., Iterable[bytes]]) -> None:
        self.wsgi_app = wsgi_app

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        def start_with_headers(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            # What a view adds to all its answers, polls too.
            headers.extend(environ.get("slipway.headers", ()))
            present = {name for name, _ in headers}
            headers.extend([one for one in DEFAULT_HEADERS if one[0] not in present])
            if environ["wsgi.url_scheme"] == "https":
                headers.append(STRICT_TRANSPORT)
            return start_response(status, headers, *rest)

        if environ.get("CONTENT_LENGTH"):
            # granian hands on what came of a body that was cut off as if it were whole, and says that it ends by
            # itself. Without that word werkzeug counts, and refuses it: half a batch would be taken for all of it.
            environ.pop("wsgi.input_terminated", None)
        environ["slipway.began"] = perf_counter()
        return self.wsgi_app(environ, start_with_headers)


def write_access_log(answer: Response) -> Response:
    """One line a request."""
    if access_log.isEnabledFor(logging.INFO):
        # Looked up once: the proxy costs more than what is asked of it.
        asked: Request = request._get_current_object()  # type: ignore[attr-defined]
        began = asked.environ.get("slipway.began")
        took = (perf_counter() - began) * 1000 if began else 0.0
        access_log.handle(access_record(asked.method, path_without_secrets(asked), answer.status_code, took))
    return answer


def path_without_secrets(asked: Request) -> str:
    """The request's path as it may stand in a log: no query, and the route in place of a path that holds a token."""
    rule = asked.url_rule
    path = rule.rule if rule is not None and "token" in rule.arguments else asked.path
    return path if path.isprintable() else ascii(path)


def configure_logging(level: str) -> None:
    """Send Slipway's log lines to standard error, once a process."""
    log.setLevel(level.upper())
    if not log.handlers:
        log.addHandler(WrittenLater(sys.stderr))
