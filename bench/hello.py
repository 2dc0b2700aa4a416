"""The floor: what Flask answers on this server when it has nothing to do."""

from __future__ import annotations

from flask import Flask


def create_app() -> Flask:
    """An app with one route."""
    app = Flask(__name__)

    @app.get("/")
    def hello() -> str:
        return "Hello, world!"

    return app
