"""Which worker has a dock, when it is due again, and what a failure means."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

import pytest

from docks.adapter import DockFault, DockInput, Finding, Look, Remembered, RunSaid
from docks.local import LocalCredentials, LocalSettings
from docks.registry import PROVIDERS
from docks.sync import sync_next
from models import AuditEntry, Dock, Run, database
from provisioning.audit import COMMAND_LINE
from provisioning.docks import LEASE_MS, ask_for_sync, claim_due, remove_dock
from tests.docks.stage import KEY_ID, SECRET, Docks
from tests.harness.cast import NOW
from tests.harness.statements import assert_index_only


class Played:
    """An adapter that finds what the test puts there."""

    name = "played"
    label = "Played"
    settings: type[DockInput] = LocalSettings
    credentials: type[DockInput] = LocalCredentials

    def __init__(self) -> None:
        self.findings: list[Finding | Exception] = []
        self.memories: list[Mapping[str, Any]] = []

    def sync(self, look: Look) -> Iterator[Finding]:
        self.memories.append(look.memory)
        for one in self.findings:
            if isinstance(one, Exception):
                raise one
            yield one


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> Played:
    adapter = Played()
    monkeypatch.setitem(PROVIDERS, "played", adapter)
    return adapter


def test_of_many_workers_one_gets_the_dock(harbour: Docks, played: Played) -> None:
    harbour.connect("played")
    claims = []
    ready = threading.Barrier(8)

    def work() -> None:
        ready.wait()
        try:
            claims.append(claim_due(NOW))
        finally:
            database.close()

    workers = [threading.Thread(target=work) for _ in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(claims) == 8
    assert sum(claim is not None for claim in claims) == 1


def test_a_worker_that_died_holds_it_no_longer_than_its_lease(harbour: Docks, played: Played) -> None:
    harbour.connect("played")
    assert claim_due(NOW) is not None
    assert claim_due(NOW + LEASE_MS - 1) is None
    assert claim_due(NOW + LEASE_MS) is not None


def test_what_is_found_after_the_claim_is_lost_is_not_recorded(harbour: Docks, played: Played) -> None:
    dock = harbour.connect("played")

    class Removed(Played):
        def sync(self, look: Look) -> Iterator[Finding]:
            remove_dock(dock_id=dock.id, actor=COMMAND_LINE, now=NOW)
            yield RunSaid(source="terraform", key="late", stack="prod", memory={})

    PROVIDERS["played"] = Removed()
    assert sync_next(harbour.settings, lambda: NOW)
    assert Run.select().count() == 0


def test_it_goes_on_from_what_it_remembered_before_it_failed(harbour: Docks, played: Played) -> None:
    harbour.connect("played")
    played.findings = [Remembered(memory={"at": 1}), DockFault("Throttled.", permanent=False)]
    seen = harbour.sync()
    assert (seen.sync_status, seen.sync_error, seen.memory) == ("failing", "Throttled.", {"at": 1})
    played.findings = []
    harbour.sync()
    assert played.memories == [{}, {"at": 1}]
    seen = Dock.get()
    assert (seen.sync_status, seen.sync_error, seen.backoff) == ("ok", None, 0)


def test_failures_are_tried_again_with_growing_pauses(harbour: Docks, played: Played) -> None:
    harbour.connect("played")
    played.findings = [DockFault("Throttled.", permanent=False)]
    pauses = []
    for _ in range(12):
        seen = harbour.sync(later_ms=1_000)
        pauses.append(seen.next_sync_at - harbour.now)
    assert 13_000 < pauses[0] < 17_000
    assert all(0.8 * 2 < after / before < 1.25 * 2 for before, after in pairwise(pauses[:8]))
    assert pauses[-1] <= 1.1 * 3_600_000
    assert seen.backoff == 12


def test_a_permanent_failure_waits_for_a_member(harbour: Docks, played: Played) -> None:
    dock = harbour.connect("played")
    played.findings = [DockFault("The key is gone.", permanent=True)]
    seen = harbour.sync()
    assert (seen.sync_status, seen.next_sync_at) == ("stopped", None)
    assert claim_due(NOW + 10**9) is None
    ask_for_sync(dock_id=dock.id, now=NOW + 1)
    assert claim_due(NOW + 1) is not None


def test_a_look_that_was_asked_for_meanwhile_follows_at_once(harbour: Docks, played: Played) -> None:
    dock = harbour.connect("played")

    class Asked(Played):
        def sync(self, look: Look) -> Iterator[Finding]:
            ask_for_sync(dock_id=dock.id, now=NOW + 1)
            yield Remembered(memory={})

    PROVIDERS["played"] = Asked()
    assert sync_next(harbour.settings, lambda: NOW)
    assert Dock.get().next_sync_at <= NOW


def test_an_error_nobody_foresaw_is_told_without_its_text(
    harbour: Docks, played: Played, caplog: pytest.LogCaptureFixture
) -> None:
    harbour.connect("played")
    played.findings = [RuntimeError(f"with {SECRET} in it")]
    seen = harbour.sync()
    assert seen.sync_status == "failing"
    assert "RuntimeError" in str(seen.sync_error)
    assert SECRET not in str(seen.sync_error)
    assert SECRET not in caplog.text


def test_credentials_are_stored_so_that_only_the_key_opens_them(harbour: Docks) -> None:
    dock = harbour.connect(region="eu-west-1", stacks="web")
    assert SECRET not in str(dock.__data__) and KEY_ID not in str(dock.__data__)
    assert SECRET not in "".join(str(entry.__data__) for entry in AuditEntry.select())
    # With another key, the dock says what to do.
    harbour.settings = type(harbour.settings)(
        home=harbour.settings.home, database_url=harbour.settings.database_url, secret_key="another-key-" + "y" * 32
    )
    seen = harbour.sync()
    assert seen.sync_status == "stopped"
    assert "Enter them again" in str(seen.sync_error)


def test_a_key_that_aws_refuses_stops_the_dock(harbour: Docks, monkeypatch: pytest.MonkeyPatch) -> None:
    from botocore.exceptions import ClientError

    class Refusing:
        def describe_stacks(self, **_: str) -> None:
            told = {"Error": {"Code": "AccessDenied", "Message": f"User arn:aws:iam::1:user/{SECRET} may not"}}
            raise ClientError(told, "DescribeStacks")

    monkeypatch.setattr("docks.aws.client", lambda *_, **__: Refusing())
    harbour.connect(region="eu-west-1", stacks="web")
    seen = harbour.sync()
    assert (seen.sync_status, seen.next_sync_at) == ("stopped", None)
    assert seen.sync_error == (
        "Not allowed to describe the stack 'web' (AccessDenied). Check the credentials and what they permit."
    )


def test_an_endpoint_that_is_not_there_is_tried_again(harbour: Docks) -> None:
    harbour.connect(region="eu-west-1", stacks="web", endpoint_url="http://127.0.0.1:9")
    seen = harbour.sync()
    assert (seen.sync_status, seen.backoff) == ("failing", 1)
    assert seen.sync_error == "Could not describe the stack 'web': endpoint connection error."


def test_the_docks_that_are_due_are_found_by_an_index(harbour: Docks) -> None:
    assert_index_only(Dock.select(Dock.id).where(Dock.next_sync_at <= NOW).order_by(Dock.next_sync_at).limit(5))
