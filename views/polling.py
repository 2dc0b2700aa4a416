"""What all polls of open pages share: the answer where nothing changed, and how often to ask."""

from __future__ import annotations

from flask import Response

from config import Settings
from views.access import mark_checked


def unchanged() -> Response:
    """The answer to a poll whose own SQL found, permission included, that nothing changed."""
    mark_checked()
    return Response(status=204)


def interval(settings: Settings, *, is_moving: bool) -> int:
    """Milliseconds until an open page asks again."""
    return settings.poll_active_ms if is_moving else settings.poll_settled_ms
