"""What a share link shows to whoever has it: the page, its poll, and the same as JSON."""

from __future__ import annotations

import time
from threading import BoundedSemaphore
from typing import Any

from flask import Blueprint, Response, current_app, jsonify, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from config import Settings
from provisioning.errors import BadInput
from provisioning.shared import Shared, read_shared
from provisioning.shares import FoundLink, find_link
from views.clock import now_ms
from views.glances import Glance, glance_of
from views.links import public_url
from views.polling import interval
from views.records import run_view_as_json, stack_view_as_json
from views.runs import step_groups
from views.shared_answers import dress, open_link, revision_asked, unchanged
from views.stacks import verdict

shared = Blueprint("shared", __name__)
dress(shared)

LONGEST_WAIT_S = 60
_LOOK_EVERY_S = 0.5
# Each wait holds a thread of the server, and anybody who has a link may wait: most threads stay free for others.
_WAITS = BoundedSemaphore(6)


@shared.get("/s/<token>", provide_automatic_options=False)
def page(token: str) -> Response | str:
    """A shared resource, run or stack. With `rev`, the answer to the poll of a page that shows it at that revision."""
    link = open_link(token, "page")
    known = revision_asked()
    if known == link.revision:
        return unchanged()
    now = now_ms()
    found = read_shared(link, now=now)
    glance = glance_of(found)
    if glance is None:
        return render_template("shares/feed_only.html", token=token)
    shown = shown_parts(found, glance, link=link, now=now, poll_path=f"/s/{token}")
    if "rev" in request.args:
        template = "_card.html" if found.status is not None else "_live_answer.html"
        return render_template(template, swap="outerMorph", **shown)
    address = public_url(f"/s/{token}")
    return render_template(
        "shares/shared.html", token=token, address=address, glance=glance, expires_at=link.expires_at, **shown
    )


@shared.get("/s/<token>.json", provide_automatic_options=False)
def as_json(token: str) -> AnyResponse:
    """The contract's JSON, reduced. With `wait` (seconds, at most 60) and `rev`, answers when the revision is another
    one, or when the time is up."""
    link = open_link(token, "json")
    waited = _wait_for_change(token, link)
    if waited is not link:
        link = open_link(token, "json")
    found = read_shared(link, now=now_ms())
    answer = jsonify(shared_as_json(found, token))
    answer.headers["Cache-Control"] = "private, no-cache"
    answer.set_etag(f"json-{link.revision}")
    answer.make_conditional(request)
    return answer


def shared_as_json(found: Shared, token: str) -> dict[str, Any]:
    """What a link shows, for programs: the contract, a run or a stack, and the one word of `.txt` beside it."""
    glance = glance_of(found)
    url = public_url(f"/s/{token}")
    if found.status is not None:
        body: dict[str, Any] = found.status.as_json()
    elif found.run is not None:
        body = run_view_as_json(found.run)
    elif found.stack is not None:
        body = stack_view_as_json(found.stack)
    else:
        body = {"feed": public_url(f"/feeds/{token}.atom"), "revision": found.revision}
    if glance is not None:
        body |= {"name": glance.name, "word": glance.word}
    return body | {"url": url}


def shown_parts(found: Shared, glance: Glance, *, link: FoundLink, now: int, poll_path: str) -> dict[str, Any]:
    """What the templates of a shared page and of its poll take."""
    settings: Settings = current_app.config["SETTINGS"]
    every = interval(settings, is_moving=glance.is_moving)
    # The link's revision was read before the subject: what changed in between is asked for again.
    url = f"{poll_path}?rev={link.revision}"
    shown: dict[str, Any] = {"public": True, "shown": found.fields, "now": now, "poll_url": url, "poll_every": every}
    if found.status is not None:
        return shown | {"piece": "_card.html", "card": found.status, "alone": True, "poll": (url, every)}
    if found.run is not None:
        run = found.run
        return shown | {"piece": "_run.html", "view": run, "run": run.run, "groups": step_groups(run)}
    assert found.stack is not None
    stack = found.stack
    return shown | {"piece": "_stack.html", "view": stack, "stack": stack.stack, "verdict": verdict(stack.stack)}


def _wait_for_change(token: str, link: FoundLink) -> FoundLink | None:
    """Wait as the request asks; the link as it is then (None: its token leads nowhere any more)."""
    seconds, known = _seconds_asked(), revision_asked()
    if not seconds or known != link.revision or not _WAITS.acquire(blocking=False):
        return link
    try:
        until = time.monotonic() + seconds
        found: FoundLink | None = link
        while time.monotonic() < until:
            time.sleep(_LOOK_EVERY_S)
            found = find_link(token)
            if found is None or found.revision != known or found.state(now_ms()) != "open":
                return found
        return link
    finally:
        _WAITS.release()


def _seconds_asked() -> int:
    text = request.args.get("wait", "0")
    if not text.isdigit() or len(text) > 4 or int(text) > LONGEST_WAIT_S:
        raise BadInput(f"wait is {text[:40]!r}.", field="wait", remedy=f"A whole number from 0 to {LONGEST_WAIT_S}.")
    return int(text)
