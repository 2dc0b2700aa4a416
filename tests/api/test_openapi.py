"""The OpenAPI document: true, complete, readable, and held against the running API."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import schemathesis
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from schemathesis import checks
from schemathesis.specs.openapi import checks as openapi_checks

from models import Run, Stack
from tests.harness.cast import NOW, Cast
from tests.provisioning.story import Story, resource_at, tell
from views import api_models

HELD = (
    checks.not_a_server_error,
    openapi_checks.status_code_conformance,
    openapi_checks.content_type_conformance,
    openapi_checks.response_headers_conformance,
    openapi_checks.response_schema_conformance,
)


@pytest.fixture
def document(client: FlaskClient) -> dict[str, Any]:
    told: dict[str, Any] = client.get("/api/v1/openapi.json").get_json()
    return told


@pytest.fixture
def told(cast: Cast) -> Run:
    """A run with a step that is made and one that failed."""
    story = (
        Story(NOW)
        .planned("web").planned("db").total(2)
        .started("web").done("web").started("db").failed("db").error("db", "no subnet", "It needs two.")
        .ended("failed")
    )  # fmt: skip
    recorded = tell(cast.organization.id, story.lines, NOW + 60_000, end="1")
    run: Run = Run.get_by_id(recorded.run_id)
    return run


def test_every_route_of_the_api_is_in_it(app: Flask, document: dict[str, Any]) -> None:
    assert document["openapi"] == "3.1.0"
    for route in app.url_map.iter_rules():
        if route.rule.startswith("/api/v1/"):
            path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", route.rule)
            for method in (route.methods or set()) - {"HEAD", "OPTIONS"}:
                operation = document["paths"][path][method.lower()]
                assert operation["summary"] and operation["responses"], path


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    for name in re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(document)):
        assert name in document["components"]["schemas"]


def test_it_is_asked_for_again_by_its_tag(client: FlaskClient) -> None:
    tag = client.get("/api/v1/openapi.json").headers["ETag"]
    assert client.get("/api/v1/openapi.json", headers={"If-None-Match": tag}).status_code == 304


def test_its_page_is_readable_and_takes_nothing_from_another_host(
    client: FlaskClient, document: dict[str, Any]
) -> None:
    page = client.get("/api/v1/docs")
    assert page.status_code == 200
    for path, methods in document["paths"].items():
        for method in methods:
            assert f"<code>{method.upper()} {path}</code>" in page.text
    assert not re.findall(r'(?:src|href)="(?:https?:)?//', page.text)
    anchors = set(re.findall(r'href="#([\w-]+)"', page.text)) - {"main"}
    assert anchors <= set(re.findall(r'id="([\w-]+)"', page.text))


def test_real_answers_are_as_it_says(client: FlaskClient, full: dict[str, str], told: Run) -> None:
    def get(path: str) -> Any:
        answer = client.get(f"/api/v1/{path}", headers=full)
        assert answer.status_code == 200, answer.text
        return answer.get_json()

    api_models.Provisions.model_validate(get("provisions"))
    api_models.Provision.model_validate(get(f"provisions/{resource_at('db').id}"))
    api_models.Runs.model_validate(get("runs"))
    api_models.RunWithSteps.model_validate(get(f"runs/{told.id}"))
    api_models.Stacks.model_validate(get("stacks"))
    api_models.StackWithResources.model_validate(get("stacks/prod"))
    api_models.Events.model_validate(get("events"))
    Run.update(phase="applying", outcome=None, liveness="quiet", ended_at=None, total_known=False).execute()
    for path, model in (("runs", api_models.Runs), ("stacks", api_models.Stacks)):
        model.model_validate(get(path))


@pytest.fixture
def schema(app: Flask, told: Run, full: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Any:
    """The API as schemathesis sees it; nobody waits in it."""
    monkeypatch.setattr("views.api._LOOK_EVERY_S", 0.0)
    monkeypatch.setattr("views.api._LONGEST_WAIT_S", 60)
    monkeypatch.setattr("views.api.time.monotonic", iter(range(0, 10**9, 30)).__next__)
    Stack.update(last_run_at=NOW).execute()
    return schemathesis.openapi.from_wsgi("/api/v1/openapi.json", app)


def test_it_answers_as_it_says_whatever_is_asked(schema: Any, full: dict[str, str]) -> None:
    asked = 0
    for found in schema.get_all_operations():
        operation = found.ok()
        if "/ingest/" in operation.path:
            # Lines of a tool are no JSON that schemathesis could make; tests of the parsers do that.
            continue

        @given(case=operation.as_strategy())
        @settings(
            max_examples=8, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
        )
        def ask(case: schemathesis.Case) -> None:
            nonlocal asked
            asked += 1
            case.call_and_validate(headers=full, checks=list(HELD))

        ask()
    assert asked > 100
