"""Share links by the API, as the reporter asks for them."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from flask.testing import FlaskClient

from models import AuditEntry, ShareLink
from tests.api.conftest import bearer
from tests.harness.cast import NOW, Cast
from tests.provisioning.story import Story, resource_at, tell
from views import api_models


@pytest.fixture
def run_id(cast: Cast) -> str:
    story = Story(NOW).planned("web").started("web").done("web").ended()
    return tell(cast.organization.id, story.lines, NOW + 9_000, end="0").run_id


@pytest.fixture
def share(cast: Cast) -> dict[str, str]:
    return bearer(cast.organization.id, "share")


def test_are_made_of_runs_stacks_and_resources(
    client: FlaskClient, share: dict[str, str], run_id: str, cast: Cast
) -> None:
    subjects = (f"runs/{run_id}", "stacks/prod", f"provisions/{resource_at('web').id}")
    for subject in subjects:
        answer = client.post(
            f"/api/v1/{subject}/share-links", json={"expires_in": 3600, "fields": "error"}, headers=share
        )
        assert answer.status_code == 201, answer.text
        told = answer.get_json()
        api_models.NewShareLink.model_validate(told)
        assert answer.headers["Cache-Control"] == "no-store"
        assert client.get(urlsplit(told["url"]).path).status_code == 200
    assert (
        AuditEntry.select().where(AuditEntry.action == "share.created", AuditEntry.actor == "token test").count() == 3
    )
    listed = client.get("/api/v1/share-links", headers=share).get_json()
    api_models.ShareLinks.model_validate(listed)
    assert len(listed["items"]) == 3 and "share_" in listed["items"][0]["prefix"]


def test_last_seven_days_and_show_the_status_where_nothing_is_said(
    client: FlaskClient, share: dict[str, str], run_id: str
) -> None:
    told = client.post(f"/api/v1/runs/{run_id}/share-links", headers=share).get_json()
    row = ShareLink.get()
    assert (told["fields"], told["allowedOrigins"]) == ("status", [])
    assert row.expires_at - row.created_at == 7 * 86_400_000
    never = client.post(f"/api/v1/runs/{run_id}/share-links", json={"expires_in": None}, headers=share).get_json()
    assert never["expiresAt"] is None


def test_are_revoked(client: FlaskClient, share: dict[str, str], run_id: str, cast: Cast) -> None:
    told = client.post(f"/api/v1/runs/{run_id}/share-links", headers=share).get_json()
    other = bearer(cast.other_organization.id, "share")
    assert client.delete(f"/api/v1/share-links/{told['id']}", headers=other).status_code == 404
    assert client.delete(f"/api/v1/share-links/{told['id']}", headers=share).status_code == 204
    assert client.get(urlsplit(told["url"]).path).status_code == 410


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"expires_in": 1}, "expires_in"),
        ({"expires_in": "1"}, "expires_in"),
        ({"fields": "all"}, "fields"),
        ({"allowed_origins": ["wiki"]}, "allowed_origins"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_tell_which_field_does_not_fit(
    client: FlaskClient, share: dict[str, str], run_id: str, body: dict[str, object], field: str
) -> None:
    answer = client.post(f"/api/v1/runs/{run_id}/share-links", json=body, headers=share)
    assert (answer.status_code, answer.get_json(force=True)["field"]) == (422, field)
    assert not ShareLink.select().count()


def test_are_not_for_others(client: FlaskClient, run_id: str, cast: Cast) -> None:
    path = f"/api/v1/runs/{run_id}/share-links"
    assert client.post(path, headers=bearer(cast.other_organization.id, "full")).status_code == 404
    assert client.post(path, headers=bearer(cast.organization.id, "read", "ingest")).status_code == 403
