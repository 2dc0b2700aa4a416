"""The OpenAPI document: true, complete, readable, and held against the running API."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

import pytest
import schemathesis
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis.strategies import booleans
from schemathesis import checks
from schemathesis.specs.openapi import checks as openapi_checks

from models import Run, ShareLink, Stack
from provisioning.audit import COMMAND_LINE
from provisioning.generic_runs import begin_run
from provisioning.shares import FIELDS, create_link
from tests.api.conftest import Ask
from tests.harness.cast import NOW, Cast
from tests.provisioning.story import Story, resource_at, tell
from views import api_models, shared_models
from views.access import RULES, Kind

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


def test_every_answer_and_body_has_a_schema(document: dict[str, Any]) -> None:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            told = [*operation["responses"].values(), operation.get("requestBody", {})]
            for media, content in [pair for one in told for pair in one.get("content", {}).items()]:
                assert content["schema"], f"{method} {path}: {media}"
                assert not media.endswith("/json") or "$ref" in content["schema"], f"{method} {path}: {media}"
            good = [status for status in operation["responses"] if status.startswith("2")]
            assert good and all(operation["responses"][one].get("content") or one == "204" for one in good), path


def test_whatever_a_share_link_tells_programs_is_in_it(app: Flask, document: dict[str, Any]) -> None:
    pages = {"shared.page", "embeds.frame", "embeds.fragment"}
    told = {name for methods in document["paths"].values() for one in methods.values() for name in [one["operationId"]]}
    for endpoint, rule in RULES.items():
        if rule.kind is Kind.SHARED and endpoint not in pages:
            assert f"{endpoint.replace('.', '_')}_get" in told


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


def test_real_answers_are_as_it_says(
    client: FlaskClient, full: dict[str, str], send: Ask, told: Run, ambiguous: str
) -> None:
    def get(path: str, status: int = 200) -> Any:
        answer = client.get(f"/api/v1/{path}", headers=full)
        assert answer.status_code == status, answer.text
        return answer.get_json(force=True)

    api_models.Provisions.model_validate(get("provisions"))
    api_models.Provision.model_validate(get(f"provisions/{resource_at('db').id}"))
    api_models.Runs.model_validate(get("runs"))
    api_models.RunWithSteps.model_validate(get(f"runs/{told.id}"))
    log = api_models.Log.model_validate(get(f"runs/{told.id}/log"))
    assert {line.level for line in log.lines} == {"info", "error"}
    api_models.Stacks.model_validate(get("stacks"))
    api_models.StackWithResources.model_validate(get("stacks/prod"))
    api_models.History.model_validate(get("events"))
    assert len(api_models.Problem.model_validate(get(f"provisions/{ambiguous}", 409)).candidates or []) == 2
    Run.update(phase="applying", outcome=None, liveness="quiet", ended_at=None, total_known=False).execute()
    for path, model in (("runs", api_models.Runs), ("stacks", api_models.Stacks)):
        model.model_validate(get(path))
    batch = api_models.TakenBatch.model_validate(send(["no JSON"]).get_json())
    assert [one.line for one in batch.ignored] == [0]
    faulty = api_models.Problem.model_validate(send([], stack=None, seq="x").get_json(force=True))
    assert {one.field for one in faulty.faults or []} == {"stack", "seq"}


@pytest.fixture
def ambiguous(cast: Cast, told: Run) -> str:
    """A provider's id that two resources have."""
    for address in ("web", "db"):
        row = resource_at(address)
        type(row).update(provider_resource_id="i-0abc").where(type(row).id == row.id).execute()
    return "i-0abc"


@pytest.mark.parametrize("fields", FIELDS)
@pytest.mark.parametrize("kind", ["resource", "run", "stack", "failures"])
def test_what_share_links_answer_is_as_it_says(
    client: FlaskClient, cast: Cast, told: Run, kind: str, fields: str
) -> None:
    subject = {
        "resource": resource_at("db").id, "run": told.id, "stack": told.stack_id, "failures": cast.organization.id
    }[kind]  # fmt: skip
    token = a_link(cast, subject, fields=fields, origins=["https://wiki.example.com"])
    thing = shared_models.SharedThing.model_validate(client.get(f"/s/{token}.json").get_json()).root
    assert type(thing).__name__ == {
        "resource": "SharedProvision", "run": "SharedRun", "stack": "SharedStack",
        "failures": "SharedFeed",
    }[kind]  # fmt: skip
    if kind != "failures":
        shared_models.Card.model_validate(client.get(f"/embed/{token}.json").get_json())
        shared_models.ShieldsBadge.model_validate(client.get(f"/s/{token}/shields.json").get_json())
        told_of = shared_models.OEmbed.model_validate(client.get(f"/oembed?url=http://localhost/s/{token}").get_json())
        assert told_of.root.type == "rich"


def a_link(cast: Cast, subject: str, *, fields: str = "details", origins: Sequence[str] = ()) -> str:
    """The token of a new link."""
    return create_link(
        organization_id=cast.organization.id, subject=subject, fields=fields, expires_in_s=None,
        allowed_origins=origins, actor=COMMAND_LINE, now=NOW,
    ).token  # fmt: skip


@pytest.fixture
def schema(app: Flask, told: Run, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The API as schemathesis sees it; nobody waits in it."""
    for module in ("api", "shared_pages"):
        monkeypatch.setattr(f"views.{module}._LOOK_EVERY_S", 0.0)
        monkeypatch.setattr(f"views.{module}.time.monotonic", iter(range(0, 10**9, 30)).__next__)
    Stack.update(last_run_at=NOW).execute()
    return schemathesis.openapi.from_wsgi("/api/v1/openapi.json", app)


@pytest.fixture
def real(cast: Cast, told: Run) -> dict[str, str]:
    """For each parameter of a path, something that there is."""
    a_link(cast, told.id)
    to_revoke = ShareLink.get().id
    return {
        "run_id": told.id, "provision_id": resource_at("web").id, "resource_id": resource_at("db").id,
        "stack_id": str(told.stack_id), "stack": "prod", "token": a_link(cast, resource_at("db").id),
        "link_id": to_revoke, "source": "terraform",
    }  # fmt: skip


# What fits, where the schema alone does not tell.
BODIES: dict[str, Any] = {
    "POST /api/v1/runs": {"key": "deploy-7", "stack": "hosts", "tool": "ansible"},
    "POST /api/v1/runs/{run_id}/steps": {"seq": 0, "steps": [{"address": "web", "action": "create"}]},
    "POST /api/v1/runs/{run_id}/events": {"seq": 1, "events": [{"type": "log", "message": "Begun."}]},
    "POST /api/v1/runs/{run_id}/end": {"outcome": "succeeded"},
    "POST /api/v1/resources": {"resourceType": "server", "name": "rack 7", "state": "provisioned"},
    "PATCH /api/v1/resources/{resource_id}": {"note": "Kept for the audit."},
    "PATCH /api/v1/stacks/{stack_id}": {"lostAfterMinutes": 30},
}


def test_each_operation_succeeds_as_it_says(
    schema: Any, cast: Cast, real: dict[str, str], full: dict[str, str]
) -> None:
    of_script, _ = begin_run(cast.organization.id, {"key": "r", "stack": "hosts"}, now=NOW)
    for found in schema.get_all_operations():
        operation = found.ok()
        label, query, options = operation.label, dict[str, object](), {}
        wanted = {name: real[name] for name in re.findall(r"{(\w+)}", operation.path)}
        if label in BODIES:
            options = {"body": BODIES[label], "media_type": "application/json"}
        if operation.path.endswith(("/steps", "/events", "/end")):
            wanted["run_id"] = of_script.run_id
        elif operation.path == "/oembed":
            query = {"url": f"http://localhost/s/{real['token']}"}
        elif "/ingest/" in operation.path:
            query = {"run": "another", "stack": "prod", "seq": 0}
        case = operation.Case(path_parameters=wanted, query=query, **options)
        answer = case.call_and_validate(headers=full, checks=list(HELD))
        assert answer.status_code < 300, f"{label}: {answer.text}"


def test_it_answers_as_it_says_whatever_is_asked(schema: Any, real: dict[str, str], full: dict[str, str]) -> None:
    asked = 0
    for found in schema.get_all_operations():
        operation = found.ok()
        if "/ingest/" in operation.path:
            # Lines of a tool are no JSON that schemathesis could make; tests of the parsers do that.
            continue

        @given(case=operation.as_strategy(), is_real=booleans())
        @settings(
            max_examples=8, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
        )
        def ask(case: schemathesis.Case, is_real: bool) -> None:
            nonlocal asked
            asked += 1
            if is_real:
                case.path_parameters = {name: real[name] for name in case.path_parameters}
            case.call_and_validate(headers=full, checks=list(HELD))

        ask()
    assert asked > 200
