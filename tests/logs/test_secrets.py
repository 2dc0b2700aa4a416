"""Secrets, the whole way: a sentinel in every value that the whitelist of docs/state.md leaves out comes in by every
door and appears nowhere: not in the database, not on a page, not in JSON."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient

from ingest.change import FACTS
from models import ALL_MODELS, Run, Stack
from provisioning.resources import TABLES
from tests.harness.cast import Cast, sign_in
from tests.imports.states import SENTINEL as IN_STATES
from tests.imports.states import checkpoint, entry, sst, terraform
from tests.ingest.lines import SAMPLES, SENTINEL, of_stack, sample, stack_event, step
from tests.ingest.test_parser_secrets import (
    _KEPT_OF_CLOUDFORMATION,
    _KEPT_OF_PULUMI,
    _KEPT_OF_TERRAFORM,
    planted,
)
from tests.manual.conftest import bearer


def objects(name: str) -> list[Any]:
    return [json.loads(line) for line in sample(name)]


SECRET_OUTPUTS = {
    "password": SENTINEL, "publicIp": SENTINEL, "url": f"https://user:{SENTINEL}@shop.example",
    "_metadata": {"url": f"https://shop.example/?token={SENTINEL}", "server": SENTINEL},
    "environment": {"variables": {"TOKEN": SENTINEL}},
}  # fmt: skip
STREAMS: list[tuple[str, list[Any], frozenset[str]]] = [
    ("terraform", objects("terraform/apply.jsonl"), _KEPT_OF_TERRAFORM),
    ("terraform", objects("terraform/real-failed-apply.jsonl"), _KEPT_OF_TERRAFORM),
    ("terraform", objects("terraform/equiv-fully_populated_complex-apply.json"), _KEPT_OF_TERRAFORM),
    ("opentofu", objects("opentofu/apply.jsonl"), _KEPT_OF_TERRAFORM),
    ("pulumi", objects("pulumi/up.jsonl"), _KEPT_OF_PULUMI | {"id"}),
    ("pulumi", objects("pulumi/failed-stacks-dont-rewrite-operations.jsonl"), _KEPT_OF_PULUMI | {"id"}),
    (
        "sst",
        [
            step("resourcePreEvent", "create", "sst:aws:Nextjs", inputs=SECRET_OUTPUTS),
            step("resOutputsEvent", "create", "sst:aws:Nextjs", outputs=SECRET_OUTPUTS),
            step("resOutputsEvent", "create", "aws:ec2/instance:Instance", outputs=SECRET_OUTPUTS),
        ],
        _KEPT_OF_PULUMI | {"id"},
    ),
    (
        "cloudformation",
        [
            of_stack("CREATE_IN_PROGRESS"),
            stack_event("CREATE_COMPLETE", ResourceProperties=json.dumps({"MasterUserPassword": SENTINEL})),
            of_stack("CREATE_COMPLETE"),
        ],
        _KEPT_OF_CLOUDFORMATION,
    ),
]


def stored() -> str:
    """Everything in the database, as text."""
    return "\n".join(repr(row) for model in ALL_MODELS for row in model.select().tuples())


def links(page: str) -> Iterator[str]:
    """The pages and fragments that a page leads to."""
    for path in re.findall(r'(?:href|hx-get)="(/[^"#]*)', page):
        if not path.startswith(("/static", "/settings", "/imports", "/resources/new")):
            yield path.replace("&amp;", "&")


def seen(client: FlaskClient, cast: Cast) -> dict[str, str]:
    """Every page, fragment and JSON of what is provisioned, by address; found by following links."""
    found: dict[str, str] = {}
    pending = ["/", "/runs", "/stacks"]
    while pending:
        path = pending.pop()
        if path not in found:
            found[path] = client.get(path).text
            pending += links(found[path])
    headers = bearer(cast.organization.id, "read")
    paths = ["/api/v1/provisions?limit=200", "/api/v1/runs?limit=200"]
    for run in Run.select():
        paths += [f"/api/v1/runs/{run.id}", f"/api/v1/runs/{run.id}/log"]
    for table in TABLES.values():
        paths += [f"/api/v1/provisions/{row.id}" for row in table.select()]
    return found | {path: client.get(path, headers=headers).text for path in paths}


@pytest.fixture
def told(client: FlaskClient, cast: Cast) -> None:
    """Every door has been used, with a sentinel in every value that nobody may keep."""
    full = bearer(cast.organization.id, "full")
    for number, (source, lines, kept) in enumerate(STREAMS):
        body = "\n".join(json.dumps(planted(line, kept)) for line in lines)
        assert SENTINEL in body
        query = {"run": f"run-{number}", "stack": f"stack-{number}", "seq": 0, "end": "0"}
        answer = client.post(f"/api/v1/ingest/{source}", query_string=query, data=body.encode(), headers=full)
        assert answer.status_code == 200
        assert SENTINEL not in answer.text
        # What is no line of any tool is left out, with a reason that does not repeat it.
        query = {"run": f"other-{number}", "stack": f"stack-{number}", "seq": 0}
        odd = client.post(f"/api/v1/ingest/{source}", query_string=query, data=f"{SENTINEL}\n".encode(), headers=full)
        assert SENTINEL not in odd.text
    wrong = {"resourceType": "server", "name": "x", "password": SENTINEL, "productionUrl": SENTINEL}
    for path in ("resources", "runs"):
        refused = client.post(f"/api/v1/{path}", json=wrong, headers=full)
        assert (refused.status_code, SENTINEL in refused.text) == (422, False)
    sign_in(client, cast.operator)
    states = (SAMPLES / "pulumi/checkpoint-secrets.json").read_text()
    assert IN_STATES in terraform("web").decode()
    for tool, stack, state in (
        ("terraform", "imported", terraform("web", "api", status="tainted")),
        ("pulumi", "imported", checkpoint(entry("urn:pulumi:prod::shop::aws:rds/instance:Instance::orders"))),
        ("pulumi", "secrets", states.encode()),
        ("sst", "imported", sst()),
    ):
        data = {"tool": tool, "stack": stack, "files": (io.BytesIO(state), "state.json")}
        assert client.post("/imports", data=data).status_code == 303


def test_nothing_is_stored(told: None) -> None:
    text = stored()
    assert "stack-0" in text
    for sentinel in (SENTINEL, IN_STATES, "ciphertext"):
        assert sentinel not in text


def test_nothing_is_shown(told: None, client: FlaskClient, cast: Cast) -> None:
    sign_in(client, cast.operator)
    pages = seen(client, cast)
    assert len(pages) > 3 * Stack.select().count()
    for path, text in pages.items():
        for sentinel in (SENTINEL, IN_STATES, "ciphertext"):
            assert sentinel not in text, path


def test_nothing_is_logged(told: None, client: FlaskClient, cast: Cast, capfd: pytest.CaptureFixture[str]) -> None:
    sign_in(client, cast.operator)
    client.get("/", query_string={"q": SENTINEL})
    client.get("/nowhere", query_string={"token": SENTINEL})
    out, err = capfd.readouterr()
    assert SENTINEL not in out + err


def test_the_whitelist_is_written_down() -> None:
    """docs/state.md names every fact that is kept."""
    text = (SAMPLES.parent.parent / "docs" / "state.md").read_text("utf-8")
    for fact in FACTS:
        assert f"`{fact}`" in text, fact
