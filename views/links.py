"""Addresses of pages."""

from __future__ import annotations

from urllib.parse import urlencode

from flask import current_app, request

from config import Settings


def public_url(path: str) -> str:
    """The absolute address of a path: under the setting's public URL, else as this request came."""
    settings: Settings = current_app.config["SETTINGS"]
    base = settings.public_url or request.host_url
    return base.rstrip("/") + path


def with_query(path: str, query: dict[str, str]) -> str:
    """A path with its query, without the question mark where there is none."""
    return f"{path}?{urlencode(query)}" if query else path
