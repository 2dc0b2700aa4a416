"""Whatever is sent as JSON: never a failure of ours, and nothing half done."""

from __future__ import annotations

import json
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models import Event, Run, Server, Step
from tests.harness.cast import Cast
from tests.manual.conftest import bearer

# Words that the interface knows, so that bodies get past the first check; and texts that databases stumble over.
WORDS = [
    "address", "action", "actor", "at", "create", "delete", "done", "error", "events", "exitCode", "failed", "jobUrl",
    "key", "log", "lostAfterMinutes", "message", "name", "note", "outcome", "primaryIpAddress", "productionUrl",
    "provisioned", "resourceType", "sentAt", "seq", "server", "stack", "started", "state", "steps", "succeeded",
    "summary", "tool", "type", "waitsFor",
]  # fmt: skip
TEXT = st.sampled_from(WORDS) | st.sampled_from(
    ["", "\x00", "\ud800", "a\x00b", "https://x/\x00", "x" * 5_000, "%s", "'"]
)
NUMBER = st.sampled_from([0, 1, -1, 2**31, 2**63, 10**30, 1.5, float("inf")])
ANY = st.recursive(
    st.none() | st.booleans() | NUMBER | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=6),
    max_leaves=12,
)
SAID = st.fixed_dictionaries(
    {"type": st.sampled_from(["started", "done", "failed", "log"]), "address": TEXT, "action": st.just("create")},
    optional={"error": ANY, "message": ANY, "at": ANY, "resourceType": st.just("server"), "name": TEXT, "region": TEXT},
)
BODIES = ANY | st.fixed_dictionaries(
    {},
    optional={
        "seq": st.integers(0, 5), "events": st.lists(SAID, max_size=3), "steps": st.lists(SAID, max_size=2),
        "key": TEXT, "stack": TEXT, "jobUrl": TEXT, "resourceType": st.just("server"), "name": TEXT, "note": TEXT,
        "state": TEXT,
        "outcome": ANY, "exitCode": ANY, "error": ANY, "lostAfterMinutes": ANY,
    },
)  # fmt: skip


@pytest.fixture
def places(client: FlaskClient, cast: Cast) -> tuple[dict[str, str], list[tuple[str, str]]]:
    """A token's header, and every address that takes JSON."""
    headers = bearer(cast.organization.id, "full")
    run = client.post("/api/v1/runs", json={"key": "k", "stack": "s"}, headers=headers).get_json()["run"]
    made = client.post("/api/v1/resources", json={"resourceType": "server", "name": "a"}, headers=headers).get_json()
    return headers, [
        ("POST", "/api/v1/resources"),
        ("PATCH", f"/api/v1/resources/{made['resourceId']}"),
        ("POST", "/api/v1/runs"),
        ("POST", f"/api/v1/runs/{run}/steps"),
        ("POST", f"/api/v1/runs/{run}/events"),
        ("POST", f"/api/v1/runs/{run}/end"),
        ("PATCH", f"/api/v1/stacks/{Run.get_by_id(run).stack_id}"),
    ]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=BODIES)
def test_no_body_makes_slipway_fail(
    client: FlaskClient, places: tuple[dict[str, str], list[tuple[str, str]]], body: Any
) -> None:
    headers, addresses = places
    for method, path in addresses:
        before = (Event.select().count(), Step.select().count(), Server.select().count())
        answer = client.open(
            path, method=method, data=json.dumps(body).encode(), headers=headers | {"Content-Type": "application/json"}
        )
        assert answer.status_code in (200, 201, 400, 409, 422), (method, path, answer.text)
        if answer.status_code >= 400:
            assert (Event.select().count(), Step.select().count(), Server.select().count()) == before
