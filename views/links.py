"""Addresses of pages, for answers and mails that leave the browser."""

from __future__ import annotations

from flask import current_app, request

from config import Settings


def public_url(path: str) -> str:
    """The absolute address of a path: under the setting's public URL, else as this request came."""
    settings: Settings = current_app.config["SETTINGS"]
    base = settings.public_url or request.host_url
    return base.rstrip("/") + path
