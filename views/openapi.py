"""The OpenAPI 3.1 document, generated from the routes, their rules and their models; and a page of it.

Every route of `/api/v1` is in it by itself: path, method, what it does (the view's docstring), the token's scope (its
rule) and the failures. `OPERATIONS` adds parameters, body and answer, and what share links answer to programs.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cache
from inspect import cleandoc
from typing import Any, cast

from flask import Blueprint, Flask, current_app, jsonify, render_template, request
from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema
from werkzeug.routing import Rule as Route
from werkzeug.wrappers import Response as AnyResponse

from provisioning import generic_runs, manual
from provisioning.timeouts import TimeOut
from views import api_models as model
from views import shared_models as shared
from views.access import RULES, Kind
from views.ingest import IngestParameters
from views.shared_answers import Form

openapi = Blueprint("openapi", __name__, url_prefix="/api/v1")

References = dict[Any, dict[str, Any]]

_CONVERTER = re.compile(r"<(?:\w+:)?(\w+)>")
_REFERENCE = "#/components/schemas/{model}"


@dataclass(frozen=True, kw_only=True)
class Operation:
    """What a route's path, docstring and rule do not tell."""

    query: type[BaseModel] | None = None
    body: type[BaseModel] | None = None
    body_media: str = "application/json"
    body_needed: bool = True
    answer: type[BaseModel] | None = None
    status: int = 200
    again: int | None = None
    """Another status of success with the same answer."""
    media: str = "application/json"
    cached: bool = False
    """Whether it answers with ETag, and 304 to If-None-Match."""
    polled: bool = False
    """Whether it answers 204 while what is asked for is as it was."""
    form: Form | None = None
    """Of a share link: the form in which it says that there is no such link, or that it has ended."""
    failures: tuple[int, ...] = ()
    """Other statuses than 401, 403 and what follows from path, query and body."""


_NEW_LINK = Operation(
    body=model.ShareLinkWanted, body_needed=False, answer=model.NewShareLink, status=201, failures=(409,)
)
_TAKEN = Operation(body=generic_runs.NewRun, answer=model.Taken, failures=(409,))

OPERATIONS: dict[str, Operation] = {
    "api.provisions": Operation(query=model.OfProvisions, answer=model.Provisions, cached=True),
    "api.provision": Operation(query=model.OfProvision, answer=model.Provision, cached=True, failures=(409,)),
    "api.runs": Operation(query=model.OfRuns, answer=model.Runs, cached=True),
    "api.run": Operation(query=model.OfRun, answer=model.RunWithSteps, cached=True),
    "logs.as_json": Operation(query=model.OfLog, answer=model.Log),
    "api.stacks": Operation(query=model.OfList, answer=model.Stacks, cached=True),
    "api.stack": Operation(answer=model.StackWithResources, cached=True, failures=(409,)),
    "api.stack_badge": Operation(query=model.OfBadge, media="image/svg+xml", cached=True, failures=(409,)),
    "stack_settings.change": Operation(body=TimeOut, answer=model.TimeOutInForce),
    "api.events": Operation(query=model.OfEvents, answer=model.History, cached=True),
    "api.share_run": replace(_NEW_LINK, failures=()),
    "api.share_stack": _NEW_LINK,
    "api.share_provision": _NEW_LINK,
    "api.list_share_links": Operation(answer=model.ShareLinks),
    "api.revoke_share_link": Operation(status=204),
    "generic_runs.begin": replace(_TAKEN, body=generic_runs.NewRun, status=201, again=200),
    "generic_runs.steps": replace(_TAKEN, body=generic_runs.Steps),
    "generic_runs.events": replace(_TAKEN, body=generic_runs.Events),
    "generic_runs.end": replace(_TAKEN, body=generic_runs.End),
    "resources.create": Operation(
        body=manual.NewResource, answer=model.ProvisionWithFacts, status=201, failures=(409,)
    ),
    "resources.change": Operation(body=manual.ResourceChange, answer=model.ProvisionWithFacts, failures=(409,)),
    "openapi.docs": Operation(media="text/html"),
    "openapi.document": Operation(answer=model.OpenApi, cached=True),
    "ingest.take_batch": Operation(
        query=IngestParameters, body_media="application/x-ndjson", body_needed=False, answer=model.TakenBatch
    ),
    "shared.as_json": Operation(query=model.OfRun, answer=shared.SharedThing, cached=True, form="json"),
    "badges.text": Operation(media="text/plain", form="text"),
    "badges.svg": Operation(query=model.OfBadge, media="image/svg+xml", cached=True, form="picture"),
    "badges.png": Operation(query=shared.OfPng, media="image/png", cached=True, form="picture"),
    "badges.shields": Operation(query=shared.OfSharedBadge, answer=shared.ShieldsBadge, cached=True, form="json"),
    "feeds.atom": Operation(media="application/atom+xml", cached=True, form="text"),
    "embeds.element": Operation(query=shared.OfPoll, answer=shared.Card, polled=True, form="json"),
    "embeds.oembed": Operation(query=shared.OfOEmbed, answer=shared.OEmbed, form="json", failures=(501,)),
}

_STATUS_WORDS = {
    304: "Nothing changed since the ETag in If-None-Match.",
    400: "The request cannot be read.",
    401: "No token, or one that is unknown, revoked or expired.",
    403: "The token lacks the scope.",
    404: "There is no such thing in the token's organisation.",
    409: "Not possible in the present state, or more than one thing has this id or name.",
    410: "The link has ended: it was revoked, its time is over, or what it showed is no longer kept.",
    413: "The body is too large.",
    415: "The Content-Type is another one.",
    422: "A value is not acceptable: `field` names it.",
    429: "Too many requests.",
    501: "Another format than JSON.",
}

_SHARED_WORDS = {
    403: "The page that asks is of an origin that the link does not allow.",
    404: "There is no such link.",
}

_REFUSALS: dict[Form, dict[int, str]] = {
    "json": {404: "application/problem+json", 410: "application/problem+json"},
    "text": {404: "text/plain", 410: "text/plain"},
    "picture": {404: "text/plain", 410: "image/svg+xml"},
}
"""In which type a share link's answers say that there is no such link, or that it has ended."""


@openapi.get("/openapi.json")
def document() -> AnyResponse:
    """The OpenAPI document of this API."""
    answer = jsonify(openapi_document())
    answer.headers["Cache-Control"] = "public, max-age=300"
    answer.headers["Access-Control-Allow-Origin"] = "*"
    answer.add_etag()
    answer.make_conditional(request)
    return answer


@openapi.get("/docs")
def docs() -> str:
    """This API as a page for people."""
    told = openapi_document()
    return render_template("api_docs.html", told=told, operations=_operations_by_tag(told))


def openapi_document() -> dict[str, Any]:
    """The document of the running app."""
    return _document(current_app._get_current_object())  # type: ignore[attr-defined]


@cache
def _document(app: Flask) -> dict[str, Any]:
    references, schemas = _schemas()
    paths: dict[str, dict[str, Any]] = {}
    for route in sorted(app.url_map.iter_rules(), key=lambda one: one.rule):
        if not route.rule.startswith("/api/v1/") and route.endpoint not in OPERATIONS:
            continue
        path = _CONVERTER.sub(r"{\1}", route.rule)
        for method in sorted((route.methods or set()) - {"HEAD", "OPTIONS"}):
            paths.setdefault(path, {})[method.lower()] = _operation(app, route, method, references)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Slipway",
            "version": "1",
            "description": (
                "How the provisioning of cloud resources goes. Every answer is of the organisation that the token "
                "belongs to, or of what the share link in the address shows; times are milliseconds since 1970, UTC; "
                "failures are problem details (RFC 9457)."
            ),
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": schemas.get("$defs", {}),
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "An API token, from Settings, API tokens. Its scopes say what it may do.",
                }
            },
        },
    }


def _schemas() -> tuple[References, dict[str, Any]]:
    """The schema of every model that an operation refers to, and how to refer to it."""
    wanted: dict[tuple[type[BaseModel], JsonSchemaMode], None] = {(model.Problem, "serialization"): None}
    for operation in OPERATIONS.values():
        if operation.body is not None:
            wanted[operation.body, "validation"] = None
        if operation.answer is not None:
            wanted[operation.answer, "serialization"] = None
    found, schemas = models_json_schema(list(wanted), ref_template=_REFERENCE)
    return {cast("type[BaseModel]", one): schema for (one, _), schema in found.items()}, schemas


def _operation(app: Flask, route: Route, method: str, references: References) -> dict[str, Any]:
    endpoint, arguments = route.endpoint, route.arguments
    known = OPERATIONS.get(endpoint, Operation())
    rule = RULES[endpoint]
    said = cleandoc(app.view_functions[endpoint].__doc__ or endpoint)
    summary, _, more = said.partition("\n")
    needs_token = rule.kind is Kind.TOKEN
    if needs_token:
        scope = f"Token scope: `{rule.needed}` (or `full`)."
    else:
        scope = "No API token: the link's own is in the address." if rule.kind is Kind.SHARED else "No token needed."
    told: dict[str, Any] = {
        "operationId": f"{endpoint.replace('.', '_')}_{method.lower()}",
        "tags": [_tag(route.rule)],
        "summary": summary,
        "description": "\n\n".join(part for part in (more.strip(), scope) if part),
        "parameters": [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
            for name in sorted(arguments)
        ],
        "responses": _responses(known, references, needs_token=needs_token, has_path=bool(arguments), method=method),
        "security": [{"token": []}] if needs_token else [],
    }
    if known.query is not None:
        told["parameters"] += _query_parameters(known.query)
    if method in ("POST", "PATCH", "PUT"):
        schema = references[known.body] if known.body else {"type": "string"}
        told["requestBody"] = {"required": known.body_needed, "content": {known.body_media: {"schema": schema}}}
    return told


def _query_parameters(parameters: type[BaseModel]) -> list[dict[str, Any]]:
    schema = parameters.model_json_schema(ref_template=_REFERENCE)
    needed = schema.get("required", [])
    found = []
    for name, one in schema["properties"].items():
        # An empty parameter is left out, not sent as null.
        choices = [choice for choice in one.pop("anyOf", []) if choice != {"type": "null"}]
        one |= choices[0] if len(choices) == 1 else {}
        one.pop("title", None)
        if one.get("default", 0) is None:
            del one["default"]
        parameter = {"name": name, "in": "query", "required": name in needed, "schema": one}
        if description := one.pop("description", ""):
            parameter["description"] = description
        found.append(parameter)
    return found


def _responses(
    known: Operation, references: References, *, needs_token: bool, has_path: bool, method: str
) -> dict[str, Any]:
    schema = references[known.answer] if known.answer else {"type": "string"}
    answered: dict[str, Any] = {"description": "As asked."}
    if known.status != 204:
        answered["content"] = {known.media: {"schema": schema}}
    if known.cached:
        answered["headers"] = {"ETag": {"schema": {"type": "string"}}}
    answers = {str(known.status): answered}
    if known.again is not None:
        answers[str(known.again)] = answered | {"description": "It was told before."}
    if known.polled:
        answers["204"] = {"description": "It is as it was at the revision `rev`."}
    if known.cached:
        answers["304"] = {"description": _STATUS_WORDS[304]}
    statuses = {400, 422, *known.failures} | ({401, 403} if needs_token else set()) | ({404} if has_path else set())
    if method in ("POST", "PATCH", "PUT"):
        statuses |= {413, 415}
    media = dict.fromkeys(statuses, "application/problem+json")
    if known.form is not None:
        # Only a page of an origin that the link does not allow hears 403, and in few words.
        media |= _REFUSALS[known.form] | {403: "text/plain"}
    for status in sorted(media):
        schema = references[model.Problem] if media[status].endswith("json") else {"type": "string"}
        words = _SHARED_WORDS.get(status) if known.form is not None else None
        answers[str(status)] = {
            "description": words or _STATUS_WORDS[status],
            "content": {media[status]: {"schema": schema}},
        }
    return answers


def _tag(path: str) -> str:
    if not path.startswith("/api/v1/"):
        return "shared"
    return "share-links" if "share-links" in path else path.removeprefix("/api/v1/").split("/")[0].partition(".")[0]


def _operations_by_tag(told: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for path, methods in told["paths"].items():
        for method, operation in methods.items():
            found.setdefault(operation["tags"][0], []).append(operation | {"path": path, "method": method.upper()})
    return found
