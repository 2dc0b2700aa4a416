"""The pages of docks: who sees them, who changes them, and that no credential ever comes back."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient

from docks.aws import AwsCredentials
from docks.registry import PROVIDERS, opened
from keys import credentials_cipher
from models import AuditEntry, Dock, Run, Stack
from tests.docks.stage import KEY_ID, KEYS, SECRET, Docks
from tests.harness.cast import NOW, Cast, sign_in

GIVEN = {"name": "prod account", "region": "eu-west-1", "stacks": "web\r\napi-*", **KEYS}


@pytest.mark.parametrize(
    ("who", "status"), [("owner", 200), ("operator", 200), ("viewer", 403), ("outsider", 403), ("stranger", 200)]
)
def test_the_list_is_for_who_may_read_docks(
    client: FlaskClient, cast: Cast, harbour: Docks, who: str, status: int
) -> None:
    harbour.connect(region="eu-west-1", stacks="web")
    answer = sign_in(client, cast.by_name(who)).get("/docks/")
    assert answer.status_code == status
    assert ("prod account" in answer.text) is (who in ("owner", "operator"))
    assert SECRET not in answer.text and KEY_ID not in answer.text


@pytest.mark.parametrize(("who", "status"), [("operator", 403), ("viewer", 403), ("stranger", 404)])
def test_only_who_has_docks_full_changes_one(
    client: FlaskClient, cast: Cast, harbour: Docks, who: str, status: int
) -> None:
    dock = harbour.connect(region="eu-west-1", stacks="web")
    sign_in(client, cast.by_name(who))
    assert client.get(f"/docks/{dock.id}").status_code == status
    for path in (f"/docks/{dock.id}", f"/docks/{dock.id}/sync", f"/docks/{dock.id}/remove"):
        assert client.post(path, data=GIVEN).status_code == status
    assert Dock.get().name == "prod account"


@pytest.mark.parametrize(("who", "shown"), [("owner", True), ("operator", True), ("viewer", False)])
def test_the_link_is_shown_to_who_may_follow_it(client: FlaskClient, cast: Cast, who: str, shown: bool) -> None:
    page = sign_in(client, cast.by_name(who)).get("/").text
    assert ('href="/docks/"' in page) is shown


def test_connecting_keeps_the_credentials_encrypted(client: FlaskClient, cast: Cast, app: Flask) -> None:
    sign_in(client, cast.owner)
    assert client.get("/docks/new/aws").status_code == 200
    assert client.post("/docks/new/aws", data=GIVEN).status_code == 303
    dock = Dock.get()
    assert (dock.name, dock.provider, dock.sync_status) == ("prod account", "aws", "never")
    assert dock.settings["stacks"] == ["web", "api-*"]
    assert dock.next_sync_at is not None
    kept = opened(PROVIDERS["aws"], dock.credentials, credentials_cipher(app.config["SETTINGS"]))
    assert isinstance(kept, AwsCredentials)
    assert kept.secret_access_key.get_secret_value() == SECRET
    assert SECRET not in str(dock.__data__)
    assert [entry.action for entry in AuditEntry.select()] == ["dock.connected"]
    page = client.get(f"/docks/{dock.id}").text
    assert SECRET not in page and KEY_ID not in page
    assert "web\napi-*" in page.replace("\r\n", "\n")


def test_all_faults_are_told_at_once_and_no_secret_is_repeated(client: FlaskClient, cast: Cast) -> None:
    sign_in(client, cast.owner)
    given = {
        "name": "x",
        "region": "Frankfurt",
        "stacks": "we/b",
        "endpoint_url": "ftp://x",
        "secret_access_key": SECRET,
    }
    answer = client.post("/docks/new/aws", data=given)
    assert answer.status_code == 422
    for sentence in ("This is no region", "is no stack’s name", "This is no address", "This is needed."):
        assert sentence.replace("’", "&#39;") in answer.text or sentence.replace("’", "'") in answer.text, sentence
    assert SECRET not in answer.text
    assert Dock.select().count() == 0


def test_a_name_is_taken_once(client: FlaskClient, cast: Cast) -> None:
    sign_in(client, cast.owner)
    client.post("/docks/new/aws", data=GIVEN)
    answer = client.post("/docks/new/aws", data=GIVEN)
    assert answer.status_code == 422
    assert "There is a dock" in answer.text


def test_changing_without_credentials_keeps_them(client: FlaskClient, cast: Cast, harbour: Docks) -> None:
    dock = harbour.connect(region="eu-west-1", stacks="web")
    sign_in(client, cast.owner)
    given = {"name": "renamed", "region": "eu-central-1", "stacks": "", "sst": "y"}
    assert client.post(f"/docks/{dock.id}", data=given).status_code == 303
    changed = Dock.get()
    assert (changed.name, changed.settings["region"], changed.settings["sst"]) == ("renamed", "eu-central-1", True)
    assert changed.credentials == dock.credentials
    given |= KEYS
    client.post(f"/docks/{dock.id}", data=given)
    assert Dock.get().credentials != dock.credentials


def test_removing_forgets_the_credentials_and_keeps_the_runs(client: FlaskClient, cast: Cast, harbour: Docks) -> None:
    dock = harbour.connect(region="eu-west-1", stacks="web")
    stack = Stack.create(organization=cast.organization, engine="cloudformation", name="web", created_at=NOW)
    Run.create(
        organization=cast.organization, stack=stack, dock=dock, key="k", engine="cloudformation", started_at=NOW,
        last_word_at=NOW,
    )  # fmt: skip
    sign_in(client, cast.owner)
    assert client.post(f"/docks/{dock.id}/remove").status_code == 303
    assert Dock.select().count() == 0
    assert Run.get().dock_id is None
    assert client.post(f"/docks/{dock.id}/remove").status_code == 404


def test_looking_now_makes_it_due(client: FlaskClient, cast: Cast, harbour: Docks) -> None:
    dock = harbour.connect(region="eu-west-1", stacks="web")
    Dock.update(sync_status="stopped", sync_error="The key is gone.", backoff=3, next_sync_at=None).execute()
    sign_in(client, cast.owner)
    page = client.get("/docks/").text
    assert "The key is gone." in page and "3 failures in a row" in page and "not before it is changed" in page
    assert client.post(f"/docks/{dock.id}/sync").status_code == 303
    assert Dock.get().next_sync_at is not None
    assert "as soon as a worker is free" in client.get("/docks/").text


def test_a_folder_of_the_server_is_offered_only_where_its_owner_named_one(client: FlaskClient, cast: Cast) -> None:
    sign_in(client, cast.owner)
    assert client.get("/docks/new/local").status_code == 404
    assert client.get("/docks/new/nowhere").status_code == 404
