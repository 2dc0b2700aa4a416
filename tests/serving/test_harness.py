"""The suite's own ground: clean databases, counted statements, plans that are read right, keys."""

from __future__ import annotations

import dataclasses
import stat
import threading
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from peewee import Database

from config import SettingError, Settings
from keys import credentials_cipher, secret_key, secret_keys
from models import Organization, Run, Server, User
from tests.harness.cast import NOW, PASSWORD, Cast, sign_in
from tests.harness.statements import assert_index_only, count_statements, explain


@pytest.mark.parametrize("time", [1, 2])
def test_each_test_finds_an_empty_database(database: Database, time: int) -> None:
    assert Organization.select().count() == 0
    Organization.create(slug="left-behind", name="Left behind", created_at=NOW)


def test_statements_are_counted_in_every_thread(database: Database) -> None:
    with count_statements() as statements:
        list(User.select())
        thread = threading.Thread(target=lambda: (list(User.select()), database.close()))
        thread.start()
        thread.join()
    list(User.select())
    assert len(statements) == 2, statements


def test_an_index_is_told_from_reading_everything(database: Database) -> None:
    assert_index_only(Run.select(Run.id).where(Run.organization == "org_1", Run.key == "k"))
    assert_index_only(
        Run.select(Run.id).where(Run.organization == "org_1").order_by(Run.started_at.desc(), Run.id.desc()).limit(5)
    )
    with pytest.raises(AssertionError, match="Not answered from indexes alone"):
        assert_index_only(Server.select(Server.id).where(Server.region == "eu"))
    with pytest.raises(AssertionError, match="Not answered from indexes alone"):
        assert_index_only(Run.select(Run.id).where(Run.organization == "org_1").order_by(Run.actor))


def test_a_plan_is_made_of_sql_with_parameters(database: Database) -> None:
    mark = database.param
    assert explain(f'SELECT id FROM "user" WHERE email = {mark}', ("a@b.example",))


def test_the_cast_can_sign_in(client: FlaskClient, cast: Cast) -> None:
    sign_in(client, cast.viewer)
    assert client.get("/settings/account").status_code == 200
    assert PASSWORD not in client.get("/settings/account").text


def test_the_first_key_signs_and_older_ones_still_open(home: Path) -> None:
    old, new = "o" * 40, "n" * 40
    before = Settings(home=str(home), secret_key=old)
    after = dataclasses.replace(before, secret_key=f"{new} {old}")
    closed = credentials_cipher(before).encrypt(b"secret")
    assert credentials_cipher(after).decrypt(closed) == b"secret"
    assert secret_key(after) == new
    assert secret_keys(after) == [new, old]


def test_a_key_is_made_once(home: Path) -> None:
    settings = Settings(home=str(home / "not-yet-there"))
    made = secret_key(settings)
    assert len(made) >= 32
    assert secret_key(settings) == made
    assert stat.S_IMODE((home / "not-yet-there" / "secret.key").stat().st_mode) == 0o600
    assert [path.name for path in (home / "not-yet-there").iterdir()] == ["secret.key"]


def test_many_threads_that_start_at_once_share_one_key(home: Path) -> None:
    settings = Settings(home=str(home))
    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.append(secret_key(settings))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1


@pytest.mark.parametrize("content", ["", "short", "ümlaut" * 8], ids=["empty", "short", "not ascii"])
def test_a_key_file_that_is_none_is_refused_with_a_remedy(home: Path, content: str) -> None:
    (home / "secret.key").write_text(content, encoding="utf-8")
    with pytest.raises(SettingError, match=r"secret\.key"):
        secret_key(Settings(home=str(home)))
