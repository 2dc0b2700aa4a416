"""The JSON API: provisions, runs, stacks, events and share links. `views/openapi.py` describes every route."""

from __future__ import annotations

import time
from typing import Any

from flask import Blueprint, Response, g, jsonify, request
from flask.typing import ResponseReturnValue
from pydantic import ValidationError

from provisioning import api_lists, queries, run_queries
from provisioning import shares as share_links
from provisioning.audit import Actor
from provisioning.errors import BadInput, FaultyForm
from provisioning.filters import filters_from
from provisioning.readers import Reader
from provisioning.revisions import revision_of
from provisioning.shares import LinkOnPage
from provisioning.tokens import TokenIdentity
from views.access import reader, token_identity
from views.api_models import ShareLinkWanted
from views.badges import picture_answer
from views.clock import now_ms
from views.glances import of_stack
from views.links import public_url
from views.pictures import check_style
from views.records import event_as_json, run_as_json, run_view_as_json, stack_as_json, stack_view_as_json
from views.validation import faults_problem, json_body, validation_problem

api = Blueprint("api", __name__, url_prefix="/api/v1")

_MOST_PER_PAGE = 200
_LONGEST_WAIT_S = 60
_LOOK_EVERY_S = 0.5


@api.get("/provisions/<path:provision_id>")
def provision(provision_id: str) -> ResponseReturnValue:
    """One resource's status by its own id, an SST resource id or a provider resource id."""
    status = queries.get_provision_status(
        reader(), provision_id, stack=request.args.get("stack"), dock=request.args.get("dock")
    )
    return _tagged(status.as_json(), status.revision)


@api.get("/provisions")
def provisions() -> ResponseReturnValue:
    """Provisioning operations, most recently updated first."""
    asking = reader()
    if same := _unchanged_list(asking):
        return same
    page = queries.list_provisioning_operations(
        asking,
        filters=filters_from(request.args.to_dict()),
        cursor=request.args.get("cursor"),
        limit=_limit(),
    )
    return _list_answer([status.as_json() for status in page.items], page.next_cursor)


@api.get("/runs")
def runs() -> ResponseReturnValue:
    """Runs, newest first; `stack` narrows them to one."""
    asking = reader()
    if same := _unchanged_list(asking):
        return same
    page = run_queries.list_runs(
        asking, stack_id=request.args.get("stack"), cursor=request.args.get("cursor"), limit=_limit()
    )
    return _list_answer([run_as_json(run) for run in page.runs], page.next_cursor)


@api.get("/runs/<run_id>")
def run(run_id: str) -> ResponseReturnValue:
    """One run with its steps. With `wait` (seconds, at most 60) and `rev`, answers when its revision is another one."""
    asking = reader()
    _wait_for_change(asking, run_id)
    view = run_queries.get_run(asking, run_id, now=now_ms())
    return _tagged(run_view_as_json(view), view.run.revision)


@api.get("/stacks")
def stacks() -> ResponseReturnValue:
    """Stacks, the one that ran last first."""
    asking = reader()
    if same := _unchanged_list(asking):
        return same
    page = run_queries.list_stacks(asking, cursor=request.args.get("cursor"), limit=_limit())
    return _list_answer([stack_as_json(one) for one in page.stacks], page.next_cursor)


@api.get("/stacks/<path:stack>")
def stack(stack: str) -> ResponseReturnValue:
    """One stack, by its id or its name, with its resources and latest runs."""
    asking = reader()
    view = run_queries.get_stack(asking, api_lists.find_stack(asking, stack))
    return _tagged(stack_view_as_json(view), view.stack.revision)


@api.get("/stacks/<path:stack>/badge.svg")
def stack_badge(stack: str) -> ResponseReturnValue:
    """A stack's badge, or with `style=card` its card, as a picture."""
    asking = reader()
    style, look = request.args.get("style", "flat"), request.args.get("look", "auto")
    check_style(style, look)
    view = run_queries.get_stack(asking, api_lists.find_stack(asking, stack))
    answer = picture_answer(of_stack(view), style=style, look=look)
    answer.set_etag(f"{view.stack.revision}")
    return answer.make_conditional(request)


@api.get("/events")
def events() -> ResponseReturnValue:
    """What happened, newest first; `run` and `provision` narrow it to one run or resource."""
    asking = reader()
    if same := _unchanged_list(asking):
        return same
    page = api_lists.list_events(
        asking,
        run_id=request.args.get("run"),
        resource_id=request.args.get("provision"),
        cursor=request.args.get("cursor"),
        limit=_limit(),
    )
    items = [event_as_json(one) | {"provisionId": resource} for resource, one in page.events]
    return _list_answer(items, page.next_cursor)


# --- Share links


@api.post("/runs/<run_id>/share-links")
def share_run(run_id: str) -> ResponseReturnValue:
    """Make a share link of a run."""
    return _share(run_queries.get_run_brief(reader(), run_id).id)


@api.post("/stacks/<path:stack>/share-links")
def share_stack(stack: str) -> ResponseReturnValue:
    """Make a share link of a stack, by its id or its name."""
    return _share(api_lists.find_stack(reader(), stack))


@api.post("/provisions/<path:provision_id>/share-links")
def share_provision(provision_id: str) -> ResponseReturnValue:
    """Make a share link of a resource."""
    return _share(queries.get_provision_status(reader(), provision_id).id)


@api.get("/share-links")
def list_share_links() -> ResponseReturnValue:
    """The organisation's share links, newest first (the latest 200); never their tokens."""
    now = now_ms()
    found = share_links.links(_identity().organization_id)
    return jsonify({"items": [_link_as_json(one, now) for one in found]})


@api.delete("/share-links/<link_id>")
def revoke_share_link(link_id: str) -> ResponseReturnValue:
    """End a share link at once."""
    share_links.revoke_link(organization_id=_identity().organization_id, link_id=link_id, actor=_actor(), now=now_ms())
    return "", 204


def _share(subject: str) -> ResponseReturnValue:
    try:
        wanted = ShareLinkWanted.model_validate(json_body() if request.get_data() else {})
    except ValidationError as error:
        return validation_problem(error)
    try:
        made = share_links.create_link(
            organization_id=_identity().organization_id,
            subject=subject,
            fields=wanted.fields,
            expires_in_s=wanted.expires_in,
            allowed_origins=wanted.allowed_origins,
            actor=_actor(),
            now=now_ms(),
        )
    except FaultyForm as error:
        return faults_problem(error.faults)
    url = public_url(f"/s/{made.token}")
    body = {
        "id": made.id,
        "url": url,
        "token": made.token,
        "subject": made.subject,
        "fields": made.fields,
        "allowedOrigins": made.allowed_origins,
        "expiresAt": made.expires_at,
    }
    answer = jsonify(body)
    answer.status_code = 201
    answer.headers["Location"] = url
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _link_as_json(link: LinkOnPage, now: int) -> dict[str, Any]:
    return {
        "id": link.id,
        "prefix": link.prefix,
        "subject": link.subject,
        "subjectName": link.subject_name,
        "fields": link.fields,
        "allowedOrigins": link.allowed_origins,
        "createdBy": link.created_by,
        "createdAt": link.created_at,
        "expiresAt": link.expires_at,
        "revokedAt": link.revoked_at,
        "state": link.state(now),
        "uses": link.uses,
        "lastUsedAt": link.last_used_at,
    }


def _identity() -> TokenIdentity:
    identity = token_identity()
    assert identity is not None  # The route's rule let nobody else in.
    return identity


def _actor() -> Actor:
    identity = _identity()
    return Actor(f"token {identity.name}", identity.created_by)


# --- What they share


def _wait_for_change(asking: Reader, run_id: str) -> None:
    seconds = _number("wait", 0, _LONGEST_WAIT_S)
    known = _number("rev", -1, 2**62)
    until = time.monotonic() + seconds
    while seconds and known >= 0 and time.monotonic() < until:
        found = run_queries.get_run_brief(asking, run_id)
        if found.revision != known or found.is_finished:
            return
        time.sleep(_LOOK_EVERY_S)


def _unchanged_list(asking: Reader) -> Response | None:
    """304 where the asker has the list at the organisation's present revision, without reading it; else None."""
    assert asking.organization_id is not None
    tag = f"{revision_of(asking.organization_id)}"
    # Remembered for the answer: a change in between is asked for again.
    g.list_tag = tag
    if not request.if_none_match.contains(tag):
        return None
    answer = Response(status=304)
    answer.set_etag(tag)
    return answer


def _list_answer(items: list[dict[str, Any]], next_cursor: str | None) -> Response:
    answer = jsonify({"items": items, "nextCursor": next_cursor})
    answer.set_etag(g.list_tag)
    answer.headers["Vary"] = "Authorization"
    return answer


def _tagged(body: dict[str, Any], revision: int) -> Response:
    answer = jsonify(body)
    answer.set_etag(f"{revision}")
    answer.make_conditional(request)
    return answer


def _limit() -> int:
    return _number("limit", queries.PAGE_SIZE, _MOST_PER_PAGE, least=1)


def _number(name: str, default: int, most: int, *, least: int = 0) -> int:
    text = request.args.get(name)
    if text is None:
        return default
    if not text.isdigit() or not least <= int(text) <= most:
        raise BadInput(f"{name} is {text!r}.", field=name, remedy=f"A whole number from {least} to {most}.")
    return int(text)
