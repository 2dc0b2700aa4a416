"""Retention: a link that has ended says so for some days, and is then as unknown as one that never was."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from flask.testing import FlaskClient

from config import Settings
from models import AuditEntry, Run, ShareLink
from provisioning.audit import COMMAND_LINE
from provisioning.retention import remove_ended_shares
from provisioning.shares import renew_link, revoke_link
from tasks import make_queue
from tests.harness.cast import NOW, Cast, sign_in
from tests.harness.statements import assert_index_only
from tests.shares.conftest import Clock, Make, Scene

DAY = 24 * 3_600_000


@pytest.fixture
def revoked(scene: Scene, make: Make, cast: Cast) -> str:
    """The token of a link that was revoked at once."""
    made = make(scene.failed)
    revoke_link(organization_id=cast.organization.id, link_id=made.id, actor=COMMAND_LINE, now=NOW)
    return made.token


@pytest.fixture
def expired(scene: Scene, make: Make) -> str:
    """The token of a link whose time was over after an hour."""
    return make(scene.run, expires_in_s=3600).token


def test_an_ended_link_is_gone_for_its_days_and_unknown_afterwards(
    visitor: FlaskClient, revoked: str, expired: str, clock: Clock
) -> None:
    clock.now = NOW + 90 * DAY
    assert remove_ended_shares(clock.now, keep_days=90) == 0
    assert [visitor.get(f"/s/{token}.json").status_code for token in (revoked, expired)] == [410, 410]
    clock.now += 3_600_001
    assert remove_ended_shares(clock.now, keep_days=90) == 2
    never_was = visitor.get("/s/share_nobody.json")
    for token in (revoked, expired):
        answer = visitor.get(f"/s/{token}.json")
        assert (answer.status_code, answer.data) == (never_was.status_code, never_was.data) == (404, never_was.data)


def test_what_is_open_stays_however_old(scene: Scene, make: Make, cast: Cast, expired: str) -> None:
    make(scene.stack)
    make(scene.done, expires_in_s=400 * 86_400)
    renewed = ShareLink.get(ShareLink.subject == scene.run)
    renew_link(
        organization_id=cast.organization.id, link_id=renewed.id, expires_in_s=400 * 86_400, actor=COMMAND_LINE, now=NOW
    )
    assert remove_ended_shares(NOW + 399 * DAY, keep_days=90) == 0
    assert ShareLink.select().count() == 3


def test_a_link_without_an_end_stays_where_its_subject_is_gone(scene: Scene, make: Make, visitor: FlaskClient) -> None:
    token = make(scene.run).token
    Run.delete().where(Run.id == scene.run).execute()
    assert remove_ended_shares(NOW + 400 * DAY, keep_days=90) == 0
    assert visitor.get(f"/s/{token}").status_code == 410


def test_none_is_removed_where_they_are_kept_for_ever(revoked: str, expired: str) -> None:
    assert remove_ended_shares(NOW + 4_000 * DAY, keep_days=0) == 0
    assert ShareLink.select().count() == 2


def test_the_audit_log_keeps_who_made_and_who_revoked_it(revoked: str) -> None:
    assert remove_ended_shares(NOW + 91 * DAY, keep_days=90) == 1
    assert [one.action for one in AuditEntry.select().order_by(AuditEntry.id)] == ["share.created", "share.revoked"]


def test_they_are_found_by_an_index(cast: Cast) -> None:
    for column in (ShareLink.revoked_at, ShareLink.expires_at):
        assert_index_only(ShareLink.delete().where(column < NOW))


def test_the_list_says_how_long_they_stay(client: FlaskClient, cast: Cast, revoked: str) -> None:
    sign_in(client, cast.owner)
    assert "stays in this list for 90 days" in client.get("/shares").text


def test_the_worker_removes_them(settings: Settings, revoked: str, expired: str, scene: Scene, make: Make) -> None:
    make(scene.stack)
    ShareLink.update(revoked_at=1).where(ShareLink.revoked_at.is_null(False)).execute()
    ShareLink.update(expires_at=1).where(ShareLink.expires_at.is_null(False)).execute()
    for days, left in ((0, 3), (90, 1)):
        queue: Any = make_queue(replace(settings, keep_ended_shares_days=days))
        remove: Callable[[], None] = queue.remove_ended_shares.call_local
        remove()
        assert ShareLink.select().count() == left
