"""What machines ask of Slipway itself: is it alive, is it ready, and the reporter to download."""

from __future__ import annotations

import logging
from pathlib import Path

from flask import Blueprint, Response, abort, send_file

from models import database
from models.migrate import migrations

log = logging.getLogger("slipway")

system = Blueprint("system", __name__)

_REPORTER = Path(__file__).parent.parent / "reporter" / "slipway_reporter.py"


@system.get("/healthz")
def healthz() -> Response:
    """Alive: the process answers. It asks nothing of the database, so that a slow one gets no process restarted."""
    return Response("ok\n", mimetype="text/plain")


@system.get("/readyz")
def readyz() -> Response:
    """Ready: the database answers and has the schema of this code."""
    try:
        found = database.execute_sql("SELECT MAX(version) FROM schema_version").fetchone()[0]
    except Exception:
        # The reason goes to the log only: a driver's message may hold the host and the user's name.
        log.exception("The database does not answer")
        return Response("The database does not answer.\n", status=503, mimetype="text/plain")
    newest = migrations()[-1][0]
    if found != newest:
        return Response(
            f"The database has schema {found}, this Slipway expects {newest}.\n", status=503, mimetype="text/plain"
        )
    return Response("ready\n", mimetype="text/plain")


@system.get("/reporter.py")
def reporter() -> Response:
    """The reporter: one file to put beside a pipeline."""
    if not _REPORTER.is_file():
        abort(404, "This Slipway was started without its reporter folder.")
    return send_file(_REPORTER, mimetype="text/x-python", download_name="slipway_reporter.py", max_age=300)
