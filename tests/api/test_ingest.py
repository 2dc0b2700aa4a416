"""POST /api/v1/ingest/<source>: what a sender is told."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

from models import Run
from tests.api.conftest import Ask, bearer
from tests.harness.cast import Cast


def hook(kind: str, action: str = "create", address: str = "aws_instance.web") -> dict[str, Any]:
    """A line of Terraform about one step."""
    tool_type, name = address.split(".")
    resource = {
        "addr": address, "module": "", "resource": address, "implied_provider": "aws", "resource_type": tool_type,
        "resource_name": name, "resource_key": None,
    }  # fmt: skip
    body = {"change": {"resource": resource, "action": action}} if kind == "planned_change" else {
        "hook": {"resource": resource, "action": action, "elapsed_seconds": 1}
    }  # fmt: skip
    return {
        "@level": "info", "@message": f"{address}: {kind}", "@module": "terraform.ui",
        "@timestamp": "2026-11-24T11:59:00.000000Z", "type": kind,
    } | body  # fmt: skip


APPLY = [hook("planned_change"), hook("apply_start"), hook("apply_complete")]


def test_it_stores_lines_and_says_so(send: Ask) -> None:
    answer = send(APPLY, end=0)
    assert answer.status_code == 200
    body = answer.get_json()
    run = Run.get()
    assert body == {
        "run": run.id, "url": f"http://localhost/runs/{run.id}", "accepted": 3, "repeated": 0, "ignored": [],
        "ignoredCount": 0, "missing": [],
    }  # fmt: skip
    assert (run.outcome, run.completed_count) == ("succeeded", 1)


def test_it_reports_lines_it_left_out_and_stores_the_rest(send: Ask) -> None:
    lines = ["not json", APPLY[0], '{"sequence": 3, "resourcePreEvent": {}}', "x" * 300_000, APPLY[1]]
    body = send(lines).get_json()
    assert [one["line"] for one in body["ignored"]] == [0, 2, 3]
    assert "300,000" in body["ignored"][2]["reason"]
    assert body["accepted"] == 5
    assert Run.get().running_count == 1


def test_it_tells_what_is_missing_and_takes_it_later(send: Ask) -> None:
    assert send(APPLY[2:], seq=2).get_json()["missing"] == [[0, 1]]
    assert send(APPLY[:2], seq=0).get_json()["missing"] == []
    assert Run.get().completed_count == 1


def test_an_empty_body_is_a_heartbeat(send: Ask) -> None:
    send(APPLY[:2])
    body = send([], seq=2).get_json()
    assert (body["accepted"], body["repeated"]) == (0, 0)


@pytest.mark.parametrize(
    ("parameters", "field"),
    [
        ({"stack": None}, "stack"),
        ({"stack": " "}, "stack"),
        ({"run": None}, "run"),
        ({"seq": "-1"}, "seq"),
        ({"seq": "many"}, "seq"),
        ({"end": "well"}, "end"),
        ({"job_url": "javascript:alert(1)"}, "job_url"),
        ({"stakc": "prod"}, "stakc"),
        ({"dock": "nowhere"}, "dock"),
    ],
)
def test_a_bad_parameter_is_named_with_its_remedy(send: Ask, parameters: dict[str, Any], field: str) -> None:
    answer = send(APPLY, **parameters)
    assert answer.status_code == 422
    assert answer.mimetype == "application/problem+json"
    body = answer.get_json()
    assert body["field"] == field
    assert body["remedy"]
    assert Run.select().count() == 0


def test_all_faults_are_told_at_once(send: Ask) -> None:
    body = send(APPLY, stack=None, seq="x").get_json()
    assert {one["field"] for one in body["faults"]} == {"stack", "seq"}


def test_an_unknown_source_is_named(send: Ask) -> None:
    answer = send(APPLY, source="ansible")
    assert (answer.status_code, answer.get_json()["field"]) == (404, "source")


def test_a_body_over_the_limit_is_refused_whole(send: Ask) -> None:
    answer = send(["x" * 9_000_000])
    assert (answer.status_code, answer.mimetype) == (413, "application/problem+json")
    assert Run.select().count() == 0


def test_no_token_and_a_wrong_one_are_401(client: FlaskClient, send: Ask) -> None:
    assert client.post("/api/v1/ingest/terraform?run=a&stack=b&seq=0").status_code == 401
    answer = send(APPLY, headers={"Authorization": "Bearer slipway_wrong"})
    assert answer.status_code == 401
    assert answer.get_json()["remedy"]


def test_a_token_without_the_scope_is_403(send: Ask, cast: Cast) -> None:
    answer = send(APPLY, headers=bearer(cast.organization.id, "read"))
    assert answer.status_code == 403
    assert "ingest" in answer.get_json()["remedy"]
