"""The OpenAPI 3.1 document of `/api/v1`, generated from the routes, their rules and their models; and a page of it.

Every route of the API is in it by itself: path, method, what it does (the view's docstring), the token's scope (its
rule) and the failures. `OPERATIONS` adds parameters, body and answer.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from inspect import cleandoc
from typing import Any, cast

from flask import Blueprint, Flask, current_app, jsonify, render_template, request
from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema
from werkzeug.routing import Rule as Route
from werkzeug.wrappers import Response as AnyResponse

from provisioning import generic_runs, manual
from views import api_models as model
from views.access import RULES, Kind
from views.ingest import IngestParameters

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
    answer: type[BaseModel] | None = None
    status: int = 200
    media: str = "application/json"
    cached: bool = False
    """Whether it answers with ETag, and 304 to If-None-Match."""
    failures: tuple[int, ...] = ()
    """Other statuses than 401, 403 and what follows from path, query and body."""


OPERATIONS: dict[str, Operation] = {
    "api.provisions": Operation(query=model.OfProvisions, answer=model.Provisions, cached=True),
    "api.provision": Operation(query=model.OfProvision, answer=model.Provision, cached=True, failures=(409,)),
    "api.runs": Operation(query=model.OfRuns, answer=model.Runs, cached=True),
    "api.run": Operation(query=model.OfRun, answer=model.RunWithSteps, cached=True),
    "api.stacks": Operation(query=model.OfList, answer=model.Stacks, cached=True),
    "api.stack": Operation(answer=model.StackWithResources, cached=True, failures=(409,)),
    "api.stack_badge": Operation(query=model.OfBadge, media="image/svg+xml", cached=True, failures=(409,)),
    "api.events": Operation(query=model.OfEvents, answer=model.Events, cached=True),
    "api.share_run": Operation(body=model.ShareLinkWanted, answer=model.NewShareLink, status=201),
    "api.share_stack": Operation(body=model.ShareLinkWanted, answer=model.NewShareLink, status=201, failures=(409,)),
    "api.share_provision": Operation(
        body=model.ShareLinkWanted, answer=model.NewShareLink, status=201, failures=(409,)
    ),
    "api.list_share_links": Operation(answer=model.ShareLinks),
    "api.revoke_share_link": Operation(status=204),
    "generic_runs.begin": Operation(body=generic_runs.NewRun, answer=model.Taken, status=201, failures=(409,)),
    "generic_runs.steps": Operation(body=generic_runs.Steps, answer=model.Taken, failures=(409,)),
    "generic_runs.events": Operation(body=generic_runs.Events, answer=model.Taken, failures=(409,)),
    "generic_runs.end": Operation(body=generic_runs.End, answer=model.Taken, failures=(409,)),
    "resources.create": Operation(body=manual.NewResource, status=201, failures=(409,)),
    "resources.change": Operation(body=manual.ResourceChange, failures=(409,)),
    "openapi.docs": Operation(media="text/html"),
    "openapi.document": Operation(cached=True),
    "ingest.take_batch": Operation(query=IngestParameters, body_media="application/x-ndjson", answer=model.Taken),
}

_STATUS_WORDS = {
    304: "Nothing changed since the ETag in If-None-Match.",
    400: "The request cannot be read.",
    401: "No token, or one that is unknown, revoked or expired.",
    403: "The token lacks the scope.",
    404: "There is no such thing in the token's organisation.",
    409: "Not possible in the present state, or more than one thing has this id or name.",
    413: "The body is too large.",
    415: "The Content-Type is another one.",
    422: "A value is not acceptable: `field` names it.",
    429: "Too many requests.",
}


@openapi.get("/openapi.json")
def document() -> AnyResponse:
    """This document."""
    answer = jsonify(openapi_document())
    answer.headers["Cache-Control"] = "public, max-age=300"
    answer.headers["Access-Control-Allow-Origin"] = "*"
    answer.add_etag()
    answer.make_conditional(request)
    return answer


@openapi.get("/docs")
def docs() -> str:
    """The document as a page."""
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
        if not route.rule.startswith("/api/v1/"):
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
                "belongs to; times are milliseconds since 1970, UTC; failures are problem details (RFC 9457)."
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
    scope = f"Token scope: `{rule.needed}` (or `full`)." if needs_token else "No token needed."
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
        schema = references[known.body] if known.body else {}
        told["requestBody"] = {"required": False, "content": {known.body_media: {"schema": schema}}}
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
    content = {known.media: {"schema": references[known.answer] if known.answer else {}}}
    answers: dict[str, Any] = {
        str(known.status): {"description": "As asked."} | ({"content": content} if known.status != 204 else {})
    }
    if known.cached:
        answers[str(known.status)]["headers"] = {"ETag": {"schema": {"type": "string"}}}
        answers["304"] = {"description": _STATUS_WORDS[304]}
    statuses = {400, 422, *known.failures} | ({401, 403} if needs_token else set()) | ({404} if has_path else set())
    if method in ("POST", "PATCH", "PUT"):
        statuses |= {413, 415}
    problem = {"application/problem+json": {"schema": references[model.Problem]}}
    for status in sorted(statuses):
        answers[str(status)] = {"description": _STATUS_WORDS[status], "content": problem}
    return answers


def _tag(path: str) -> str:
    return "share-links" if "share-links" in path else path.removeprefix("/api/v1/").split("/")[0].partition(".")[0]


def _operations_by_tag(told: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for path, methods in told["paths"].items():
        for method, operation in methods.items():
            found.setdefault(operation["tags"][0], []).append(operation | {"path": path, "method": method.upper()})
    return found
