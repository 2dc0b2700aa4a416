"""Lists of the API: pages that neither repeat nor leave out, tags that save reading, and names for ids."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

from models import Event, Stack
from provisioning import api_lists
from tests.api.conftest import bearer
from tests.harness.cast import NOW, Cast
from tests.harness.statements import assert_index_only, count_statements, statements_with_parameters
from tests.provisioning.story import Story, tell


@pytest.fixture
def runs(cast: Cast) -> list[str]:
    """Three runs of two stacks, and a stack that never ran."""
    ids = []
    for number, stack in enumerate(("prod", "stage", "prod")):
        story = Story(NOW + number * 100_000).planned("web").started("web").done("web").ended()
        ids.append(tell(cast.organization.id, story.lines, NOW + number * 100_000 + 9_000, key=f"r{number}", end="0",
                        stack=stack).run_id)  # fmt: skip
    for name in ("empty-a", "empty-b"):
        Stack.create(organization=cast.organization, engine="terraform", name=name, created_at=NOW)
    return ids


def walk(client: FlaskClient, path: str, headers: dict[str, str], limit: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    cursor: str | None = ""
    while cursor is not None:
        query = {"limit": str(limit)} | ({"cursor": cursor} if cursor else {})
        page = client.get(f"/api/v1/{path}", query_string=query, headers=headers).get_json()
        assert len(page["items"]) <= limit
        found += page["items"]
        cursor = page["nextCursor"]
    return found


@pytest.mark.parametrize("path", ["provisions", "runs", "stacks", "events"])
@pytest.mark.parametrize("limit", [1, 2, 200])
def test_pages_neither_repeat_nor_leave_out(
    client: FlaskClient, full: dict[str, str], runs: list[str], path: str, limit: int
) -> None:
    found = [one.get("id") or one["provisionId"] for one in walk(client, path, full, limit)]
    expected = {"provisions": 2, "runs": 3, "stacks": 4, "events": Event.select().count()}[path]
    assert len(found) == len(set(found)) == expected


@pytest.mark.parametrize("path", ["provisions", "runs", "stacks", "events"])
def test_a_list_that_is_known_is_not_read(
    client: FlaskClient, full: dict[str, str], runs: list[str], cast: Cast, path: str
) -> None:
    first = client.get(f"/api/v1/{path}", headers=full)
    known = full | {"If-None-Match": first.headers["ETag"]}
    with count_statements() as statements:
        assert client.get(f"/api/v1/{path}", headers=known).status_code == 304
    assert len(statements) == 2, statements  # The token, the revision.
    tell(cast.organization.id, Story(NOW + 500_000).planned("dns").lines, NOW + 500_000, key="later")
    assert client.get(f"/api/v1/{path}", headers=known).status_code == 200


def test_another_organisations_token_sees_nothing(client: FlaskClient, runs: list[str], cast: Cast) -> None:
    other = bearer(cast.other_organization.id, "full")
    for path in ("provisions", "runs", "stacks", "events"):
        assert client.get(f"/api/v1/{path}", headers=other).get_json()["items"] == []
    assert client.get("/api/v1/stacks/prod", headers=other).status_code == 404
    assert client.get(f"/api/v1/events?run={runs[0]}", headers=other).get_json()["items"] == []


def test_events_are_narrowed_to_a_run_or_a_resource(client: FlaskClient, full: dict[str, str], runs: list[str]) -> None:
    of_run = client.get(f"/api/v1/events?run={runs[1]}", headers=full).get_json()["items"]
    assert {one["runId"] for one in of_run} == {runs[1]}
    provision = next(one["provisionId"] for one in of_run if one["provisionId"])
    of_provision = client.get(f"/api/v1/events?provision={provision}", headers=full).get_json()["items"]
    assert {one["provisionId"] for one in of_provision} == {provision}


def test_a_stack_is_asked_for_by_name_or_id(
    client: FlaskClient, full: dict[str, str], runs: list[str], cast: Cast
) -> None:
    by_name = client.get("/api/v1/stacks/prod", headers=full).get_json()
    assert client.get(f"/api/v1/stacks/{by_name['id']}", headers=full).get_json() == by_name
    assert (by_name["word"], by_name["status"], len(by_name["provisions"])) == ("OK", "success", 1)
    Stack.create(organization=cast.organization, engine="pulumi", name="prod", created_at=NOW)
    answer = client.get("/api/v1/stacks/prod", headers=full)
    assert answer.status_code == 409 and by_name["id"] in answer.get_json()["detail"]


def test_a_stacks_badge_is_drawn_for_a_token(client: FlaskClient, full: dict[str, str], runs: list[str]) -> None:
    answer = client.get("/api/v1/stacks/prod/badge.svg?label=shop", headers=full)
    assert answer.mimetype == "image/svg+xml"
    assert 'aria-label="shop: up: 1 resource"' in answer.text
    known = full | {"If-None-Match": answer.headers["ETag"]}
    assert client.get("/api/v1/stacks/prod/badge.svg?label=shop", headers=known).status_code == 304
    assert client.get("/api/v1/stacks/prod/badge.svg?style=round", headers=full).status_code == 422
    assert client.get("/api/v1/stacks/prod/badge.svg").status_code == 401


def test_their_statements_are_answered_from_indexes(cast: Cast, runs: list[str]) -> None:
    from provisioning.readers import Reader

    reader = Reader(organization_id=cast.organization.id)
    with statements_with_parameters() as asked:
        for cursor in (None, f"{NOW}.evt_x"):
            api_lists.list_events(reader, run_id=None, resource_id=None, cursor=cursor, limit=2)
            api_lists.list_events(reader, run_id=None, resource_id="srv_1", cursor=cursor, limit=2)
    for sql, params in asked:
        assert_index_only(sql, params)
