"""SST's home as SST writes it: in S3 behind /sst/bootstrap, in R2 without suffix, in a folder; packed or not."""

from __future__ import annotations

import dataclasses
import gzip
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest

from models import Dock, Event, Run, WebService
from tests.docks.stage import KEY_ID, SECRET, Docks

STAGE = "shop/prod"
URN = "urn:pulumi:prod::shop::"
SITE = f"{URN}sst:aws:Nextjs::Web"
TABLE = f"{URN}sst:aws:Dynamo::Orders"
MINUTE = 60_000


def update_id(began_at: int, number: int = 0) -> str:
    """An update's id as SST makes it: newer ones are smaller."""
    return f"{0xFFFF_FFFF_FFFF - began_at:012x}{number:012x}"


def rfc3339(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat().replace("+00:00", "Z")


def engine_event(number: int, at: int, **body: Any) -> dict[str, Any]:
    return {"sequence": number, "timestamp": at // 1000, **body}


def step(name: str, urn: str, op: str) -> dict[str, Any]:
    tool_type = urn.split("::")[2]
    state = {"type": tool_type, "urn": urn, "id": "", "inputs": {"password": SECRET}, "outputs": {"password": SECRET}}
    return {name: {"metadata": {"op": op, "urn": urn, "type": tool_type, "old": None, "new": state}}}


def log_of(at: int, *bodies: dict[str, Any]) -> bytes:
    """An event log, a second an event."""
    lines = [json.dumps(engine_event(number, at + number * 1000, **body)) for number, body in enumerate(bodies)]
    return "".join(f"{line}\n" for line in lines).encode()


MADE = (
    step("resourcePreEvent", SITE, "create"),
    step("resourcePreEvent", TABLE, "create"),
    step("resOutputsEvent", TABLE, "create"),
    step("resOutputsEvent", SITE, "create"),
)
SUMMARY = {"summaryEvent": {"maybeCorrupt": False, "durationSeconds": 4, "resourceChanges": {"create": 2}}}
BROKEN = (
    step("resourcePreEvent", SITE, "update"),
    {"diagnosticEvent": {"urn": SITE, "message": "error: no such certificate", "severity": "error"}},
)


def checkpoint(at: int, *urns: str) -> bytes:
    resources = [{"urn": urn, "custom": False, "type": urn.split("::")[2], "outputs": {}} for urn in urns]
    latest = {"manifest": {"time": rfc3339(at), "version": "3.215.0"}, "resources": resources}
    return json.dumps({"version": 3, "checkpoint": {"stack": "prod", "latest": latest}}).encode()


@dataclasses.dataclass
class SstHome:
    """Writes objects as SST does, wherever the home is."""

    put: Callable[[str, bytes], None]
    remove: Callable[[str], None]

    def begin(self, at: int, command: str = "deploy", number: int = 0) -> str:
        """An update begins: its record, and the lock."""
        one = update_id(at, number)
        told = {"id": one, "version": "3.17", "command": command, "errors": None, "timeStarted": rfc3339(at)}
        self.put(f"update/{STAGE}/{one}", json.dumps(told).encode())
        self.put(f"lock/{STAGE}", json.dumps({"created": rfc3339(at), "updateID": one, "command": command}).encode())
        return one

    def complete(
        self, one: str, at: int, *, log: bytes | None, errors: list[dict[str, str]] | None = None, ended_at: int
    ) -> None:
        """It ends: the log, the record anew, and the lock is taken away."""
        if log is not None:
            self.put(f"eventlog/{STAGE}/{one}", log)
        told = {
            "id": one, "version": "3.17", "command": "deploy", "errors": errors, "timeStarted": rfc3339(at),
            "timeCompleted": rfc3339(ended_at),
        }  # fmt: skip
        self.put(f"update/{STAGE}/{one}", json.dumps(told).encode())
        self.remove(f"lock/{STAGE}")


def folder_home(folder: Path, *, packed: bool = False) -> SstHome:
    def put(key: str, data: bytes) -> None:
        path = folder / f"{key}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(data) if packed else data)

    return SstHome(put, lambda key: (folder / f"{key}.json").unlink(missing_ok=True))


def bucket_home(s3: Any, bucket: str, suffix: str, *, packed: bool) -> SstHome:
    def put(key: str, data: bytes) -> None:
        more = {"ContentEncoding": "gzip"} if packed else {}
        s3.put_object(Bucket=bucket, Key=f"{key}{suffix}", Body=gzip.compress(data) if packed else data, **more)

    return SstHome(put, lambda key: s3.delete_object(Bucket=bucket, Key=f"{key}{suffix}"))


@pytest.fixture
def local(harbour: Docks, tmp_path: Path) -> SstHome:
    """A home in a folder, and a dock that reads it."""
    folder = tmp_path / "sst-state"
    folder.mkdir()
    harbour.settings = dataclasses.replace(harbour.settings, sst_folder=str(folder))
    harbour.connect("local", name="laptop")
    return folder_home(folder)


def aws_client(moto: str, service: str) -> Any:
    return boto3.client(
        service, endpoint_url=moto, region_name="eu-west-1", aws_access_key_id="x", aws_secret_access_key="y"
    )


def card_states() -> dict[str, str | None]:
    from provisioning.resources import TABLES

    return {row.name: row.provisioning_state for table in TABLES.values() for row in table.select()}


def a_deploy(home: SstHome, at: int) -> None:
    one = home.begin(at)
    home.put(f"app/{STAGE}", checkpoint(at + 4_000, SITE, TABLE))
    home.complete(one, at, log=log_of(at, *MADE, SUMMARY), ended_at=at + 5_000)


def assert_a_deploy_is_told(at: int) -> None:
    (run,) = Run.select()
    assert (run.engine, run.command, run.outcome, run.completed_count) == ("sst", "sst deploy", "succeeded", 2)
    assert run.stack.name == STAGE
    # When it was, not when it was read.
    assert (run.started_at, run.ended_at) == (at, at + 5_000)
    assert card_states() == {"Web": "provisioned", "Orders": "provisioned"}
    site = WebService.get()
    assert (site.provisioning_source, site.sst_resource_id, site.sst_stack_name) == ("sst", "Web", STAGE)


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_an_aws_home_is_found_by_its_bootstrap_parameter(harbour: Docks, moto: str, packed: bool) -> None:
    s3, ssm = aws_client(moto, "s3"), aws_client(moto, "ssm")
    bucket = f"sst-state-{'packed' if packed else 'plain'}-{harbour.cast.organization.id[-6:].lower()}"
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    ssm.put_parameter(
        Name="/sst/bootstrap", Type="String", Overwrite=True, Value=json.dumps({"version": 1, "state": bucket})
    )
    at = harbour.now - 60 * MINUTE
    a_deploy(bucket_home(s3, bucket, ".json", packed=packed), at)
    harbour.connect(region="eu-west-1", sst=True, endpoint_url=moto)
    seen = harbour.sync()
    assert (seen.sync_status, seen.sync_error) == ("ok", None)
    assert_a_deploy_is_told(at)


def test_a_cloudflare_home_has_keys_without_suffix(harbour: Docks, moto: str) -> None:
    s3 = aws_client(moto, "s3")
    bucket = f"sst-state-r2-{harbour.cast.organization.id[-6:].lower()}"
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    at = harbour.now - 60 * MINUTE
    a_deploy(bucket_home(s3, bucket, "", packed=True), at)
    harbour.connect("cloudflare", account_id="0" * 32, bucket=bucket, endpoint_url=moto)
    seen = harbour.sync()
    assert (seen.sync_status, seen.sync_error) == ("ok", None)
    assert_a_deploy_is_told(at)


def test_a_region_without_sst_stops_the_dock_and_says_why(harbour: Docks, moto: str) -> None:
    harbour.connect(region="us-east-2", sst=True, endpoint_url=moto)
    seen = harbour.sync()
    assert (seen.sync_status, seen.next_sync_at) == ("stopped", None)
    assert "There is no parameter /sst/bootstrap in this region" in str(seen.sync_error)


def test_a_deploy_is_under_way_and_then_told_from_its_log(harbour: Docks, local: SstHome) -> None:
    at = harbour.now
    one = local.begin(at)
    seen = harbour.sync(later_ms=1_000)
    (run,) = Run.select()
    assert (run.phase, run.outcome) == ("planning", None)
    assert seen.next_sync_at == harbour.now + 5_000
    # A lock without any other sign is no word: its process may be dead.
    harbour.sync(later_ms=10_000)
    assert Run.get().last_word_at == at + 1_000
    local.put(f"app/{STAGE}", checkpoint(at + 15_000, SITE))
    harbour.sync(later_ms=10_000)
    assert Run.get().last_word_at == harbour.now
    assert card_states() == {}, "a checkpoint is read when nobody holds the lock"
    local.put(f"app/{STAGE}", checkpoint(at + 29_000, SITE, TABLE))
    local.complete(one, at, log=log_of(at + 2_000, *MADE, SUMMARY), ended_at=at + 30_000)
    harbour.sync(later_ms=10_000)
    (run,) = Run.select()
    assert (run.outcome, run.ended_at, run.completed_count) == ("succeeded", at + 30_000, 2)
    before = Event.select().count()
    harbour.sync(later_ms=60_000)
    assert Event.select().count() == before
    assert card_states() == {"Web": "provisioned", "Orders": "provisioned"}


def test_no_errors_and_no_summary_is_interrupted(harbour: Docks, local: SstHome) -> None:
    at = harbour.now - 60 * MINUTE
    one = local.begin(at)
    local.complete(one, at, log=log_of(at, *MADE[:3]), ended_at=at + 3_000)
    harbour.sync()
    (run,) = Run.select()
    assert run.outcome == "interrupted"
    assert card_states() == {"Web": "failed", "Orders": "provisioned"}
    assert WebService.get().reason == "interrupted"


def test_a_failed_update_is_told_with_its_error_and_the_checkpoint_does_not_hide_it(
    harbour: Docks, local: SstHome
) -> None:
    at = harbour.now - 120 * MINUTE
    a_deploy(local, at)
    harbour.sync()
    later = at + 30 * MINUTE
    one = local.begin(later)
    local.put(f"app/{STAGE}", checkpoint(later + 2_000, SITE, TABLE))
    errors = [{"urn": SITE, "message": "no such certificate"}]
    local.complete(one, later, log=log_of(later, *BROKEN, SUMMARY), errors=errors, ended_at=later + 3_000)
    harbour.sync(later_ms=60_000)
    assert [run.outcome for run in Run.select().order_by(Run.started_at)] == ["succeeded", "failed"]
    assert card_states() == {"Web": "failed", "Orders": "provisioned"}
    assert WebService.get().error_summary == "no such certificate"


def test_the_same_at_the_first_look(harbour: Docks, local: SstHome) -> None:
    at = harbour.now - 120 * MINUTE
    a_deploy(local, at)
    later = at + 30 * MINUTE
    one = local.begin(later)
    local.put(f"app/{STAGE}", checkpoint(later + 2_000, SITE, TABLE))
    errors = [{"urn": SITE, "message": "no such certificate"}]
    local.complete(one, later, log=log_of(later, *BROKEN, SUMMARY), errors=errors, ended_at=later + 3_000)
    harbour.sync()
    assert [run.outcome for run in Run.select().order_by(Run.started_at)] == ["succeeded", "failed"]
    assert card_states() == {"Web": "failed", "Orders": "provisioned"}


def test_an_update_that_failed_before_it_began_is_told_from_its_record(harbour: Docks, local: SstHome) -> None:
    at = harbour.now - 60 * MINUTE
    one = local.begin(at)
    errors = [{"urn": "", "message": "Update did not complete and was force unlocked."}]
    told = {"id": one, "command": "deploy", "timeStarted": "", "errors": errors}
    local.put(f"update/{STAGE}/{one}", json.dumps(told).encode())
    local.remove(f"lock/{STAGE}")
    harbour.sync()
    (run,) = Run.select()
    assert (run.outcome, run.error_summary) == ("failed", "Update did not complete and was force unlocked.")
    # Its id tells when it was.
    assert run.ended_at == at


def test_a_log_that_was_pruned_leaves_the_outcome_unsaid(harbour: Docks, local: SstHome) -> None:
    at = harbour.now - 60 * MINUTE
    one = local.begin(at)
    local.put(f"app/{STAGE}", checkpoint(at + 2_000, SITE))
    local.complete(one, at, log=None, ended_at=at + 3_000)
    harbour.sync()
    assert Run.select().count() == 0
    assert card_states() == {"Web": "provisioned"}


def test_a_log_that_is_still_on_its_way_is_waited_for(harbour: Docks, local: SstHome) -> None:
    at = harbour.now
    one = local.begin(at)
    local.complete(one, at, log=None, ended_at=at + 3_000)
    harbour.sync(later_ms=4_000)
    assert Run.select().count() == 0
    local.put(f"eventlog/{STAGE}/{one}", log_of(at, *MADE, SUMMARY))
    harbour.sync(later_ms=5_000)
    assert Run.get().outcome == "succeeded"


def test_updates_are_told_in_their_order_the_newest_five_at_first(harbour: Docks, local: SstHome) -> None:
    begin = harbour.now - 600 * MINUTE
    for number in range(7):
        at = begin + number * 10 * MINUTE
        one = local.begin(at, number=number)
        bodies = (
            MADE if number == 0 else (step("resourcePreEvent", SITE, "update"), step("resOutputsEvent", SITE, "update"))
        )
        local.complete(one, at, log=log_of(at, *bodies, SUMMARY), ended_at=at + MINUTE)
    harbour.sync()
    assert [run.started_at for run in Run.select().order_by(Run.id)] == [
        begin + number * 10 * MINUTE for number in range(2, 7)
    ]


def test_a_checkpoint_that_cannot_be_read_is_said_and_hides_nothing_else(harbour: Docks, local: SstHome) -> None:
    local.put(f"app/{STAGE}", b"not json " + SECRET.encode())
    local.put("app/shop/staging", checkpoint(harbour.now, "urn:pulumi:staging::shop::sst:aws:Dynamo::Carts"))
    seen = harbour.sync()
    assert (seen.sync_status, seen.backoff) == ("failing", 1)
    assert seen.sync_error == "The checkpoint of shop/prod cannot be read: This is not JSON."
    assert card_states() == {"Carts": "provisioned"}


def test_no_secret_is_kept(harbour: Docks, local: SstHome, caplog: pytest.LogCaptureFixture) -> None:
    a_deploy(local, harbour.now - 60 * MINUTE)
    harbour.sync()
    for model in (Dock, Run, Event, WebService):
        for row in model.select():
            assert SECRET not in str(row.__data__) and KEY_ID not in str(row.__data__)
    assert SECRET not in caplog.text
