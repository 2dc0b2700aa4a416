"""Imports: what stands already comes in as it is, once, without an invented history."""

from __future__ import annotations

import gzip
import io
from dataclasses import replace
from datetime import UTC, datetime
from itertools import permutations
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from ingest.change import Change, ChangeKind
from ingest.state import read_state
from models import AuditEntry, Domain, Event, Organization, Server, Stack, Step, WebService
from models import Database as DatabaseRow
from provisioning.audit import Actor
from provisioning.errors import Refused
from provisioning.imports import Imported, import_state
from provisioning.manual import change_resource
from provisioning.record import record
from provisioning.resources import TABLES
from provisioning.status_counts import counted_from_rows, status_counts
from tests.harness.cast import NOW, Cast, sign_in
from tests.imports.states import SITE, checkpoint, entry, sst, terraform
from tests.provisioning.story import Story, batch, resource_at, tell

ADA = Actor("Ada")
DB = "urn:pulumi:prod::shop::aws:rds/instance:Instance::orders"


def take(cast: Cast, state: bytes, *, tool: str = "terraform", stack: str = "prod", now: int = NOW) -> Imported:
    return import_state(cast.organization.id, stack, read_state(state), tool=tool, actor=ADA, now=now)


def revision(cast: Cast) -> int:
    return int(Organization.get_by_id(cast.organization.id).revision)


def everything() -> list[dict[str, object]]:
    tables: list[Any] = [*TABLES.values(), Event, Stack, AuditEntry]
    return [row for table in tables for row in table.select().order_by(table.id).dicts()]


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


class TestATerraformState:
    def test_comes_in_as_provisioned_without_a_history(self, cast: Cast) -> None:
        done = take(cast, terraform("web"))
        assert (done.new, done.text) == (1, "1 new")
        row = Server.get()
        assert (row.provisioning_state, row.card_status, row.operation) == ("provisioned", "success", "import")
        assert (row.name, row.provider, row.provider_resource_id) == ("web", "aws", "i-web")
        assert (row.primary_ip_address, row.provisioning_source) == ("203.0.113.7", "api")
        # The state does not say when it was made, so nobody does.
        assert (row.provisioned_at, row.operation_started_at, row.run_id, row.claim_at) == (None,) * 4
        assert Step.select().count() == 0
        [event] = Event.select()
        assert (event.kind, event.run_id, event.state_after) == ("import", None, "provisioned")
        assert status_counts(cast.organization.id) == counted_from_rows(cast.organization.id) == {"success": 1}
        assert (revision(cast), row.revision, Stack.get().revision) == (1, 1, 1)
        assert AuditEntry.select().where(AuditEntry.action == "state.imported").count() == 1

    def test_is_not_said_to_be_provisioned_when_it_was_imported(self, client: FlaskClient, cast: Cast) -> None:
        take(cast, terraform("web"))
        sign_in(client, cast.viewer)
        page = client.get(f"/p/{Server.get().id}").text
        assert "Known since" in page and "<dt>Provisioned</dt>" not in page
        assert "Imported from the tool" in client.get(f"/p/{Server.get().id}/history").text

    def test_repeated_changes_nothing(self, cast: Cast) -> None:
        take(cast, terraform("web", "api"))
        before = everything()
        done = take(cast, terraform("web", "api"), now=NOW + 60_000)
        assert (done.text, revision(cast)) == ("2 as they were", 1)
        assert everything() == before

    def test_tells_what_is_tainted_and_what_is_deposed(self, cast: Cast) -> None:
        done = take(cast, terraform("web", status="tainted"))
        row = Server.get()
        assert (row.provisioning_state, row.card_status) == ("failed", "error")
        assert "tainted" in row.error_summary
        assert done.remarks == [("web", row.error_summary)]
        take(cast, terraform("old", deposed="0123abcd"), stack="other")
        old = Server.get(Server.name == "old")
        # It waits for its deletion; nobody is at work on it.
        assert (old.card_status, old.operation, old.reason) == ("error", "delete", "interrupted")

    def test_of_an_older_serial_changes_nothing(self, cast: Cast) -> None:
        take(cast, terraform("web", status="tainted", serial=9))
        before = everything()
        done = take(cast, terraform("web", "api", serial=8))
        assert "serial 8" in done.text
        assert everything() == before

    def test_of_a_newer_serial_tells_what_changed_and_what_is_gone(self, cast: Cast) -> None:
        take(cast, terraform("web", "api", serial=8, status="tainted"))
        done = take(cast, terraform("web", serial=9), now=NOW + 60_000)
        assert (done.changed, done.gone) == (1, 1)
        assert Server.get(Server.name == "web").card_status == "success"
        gone = Server.get(Server.name == "api")
        assert (gone.card_status, gone.section) == ("deleted", None)
        assert status_counts(cast.organization.id) == counted_from_rows(cast.organization.id)

    def test_of_another_lineage_is_refused(self, cast: Cast) -> None:
        take(cast, terraform("web", lineage="abc"))
        with pytest.raises(Refused, match="another stack"):
            take(cast, terraform("web", lineage="xyz", serial=99))

    def test_does_not_overwrite_what_a_run_said(self, cast: Cast) -> None:
        story = Story(NOW).started("web").failed("web").error("web", "No quota")
        tell(cast.organization.id, story.lines, NOW + 5_000)
        done = take(cast, terraform("web"), now=NOW + 60_000)
        assert done.kept == 0
        row = resource_at("web")
        # What was not known is taken in; what a run said stays.
        assert (row.provisioning_state, row.error_summary, row.primary_ip_address) == (
            "failed",
            "No quota",
            "203.0.113.7",
        )
        assert take(cast, terraform("web"), now=NOW + 90_000).kept == 1

    def test_is_overwritten_by_a_run(self, cast: Cast) -> None:
        take(cast, terraform("web"))
        tell(cast.organization.id, Story(NOW - 9_000).started("web", "update").lines, NOW + 5_000)
        assert resource_at("web").provisioning_state == "provisioning"

    def test_does_not_overwrite_a_hand(self, cast: Cast) -> None:
        take(cast, terraform("web"))
        change_resource(Server.get().id, {"state": "failed", "error": "Burnt down"}, actor=ADA, now=NOW + 1_000)
        take(cast, terraform("web", serial=8), now=NOW + 60_000)
        assert Server.get().error_summary == "Burnt down"

    def test_keeps_counting_types_without_a_card(self, cast: Cast) -> None:
        state = terraform("web").replace(b"aws_instance", b"aws_iam_role")
        assert take(cast, state).text == "1 of types without a card"
        assert revision(cast) == 0


class TestAPulumiState:
    def test_has_the_times_that_it_tells(self, cast: Cast) -> None:
        times = {"created": "2025-01-02T03:04:05Z", "modified": "2026-02-03T04:05:06Z"}
        take(cast, checkpoint(entry(DB, **times)), tool="pulumi")
        row = DatabaseRow.get()
        assert row.created_at == row.provisioned_at == at("2025-01-02T03:04:05")
        assert row.state_changed_at == at("2026-02-03T04:05:06")
        assert row.claim_at == at("2026-04-11T09:14:46")

    def test_tells_what_was_under_way_and_what_is_unhealthy(self, cast: Cast) -> None:
        pending = [{"resource": entry(DB), "type": "creating"}]
        take(cast, checkpoint(entry(SITE), pending_operations=pending), tool="sst")
        row = DatabaseRow.get()
        assert (row.provisioning_state, row.reason) == ("failed", "interrupted")
        assert "being created" in row.error_summary
        take(cast, checkpoint(entry(DB, initErrors=["never became ready"])), tool="pulumi", stack="b")
        assert DatabaseRow.get(DatabaseRow.error_summary == "never became ready").card_status == "error"

    def test_overwrites_what_was_said_before_it_was_written_and_nothing_else(self, cast: Cast) -> None:
        take(cast, checkpoint(entry(DB), time="2026-04-11T09:00:00Z"), tool="pulumi")
        resource_id = DatabaseRow.get().id
        change_resource(resource_id, {"state": "failed"}, actor=ADA, now=at("2026-04-11T10:00:00"))
        kept = take(cast, checkpoint(entry(DB), time="2026-04-11T09:30:00Z"), tool="pulumi")
        assert (kept.kept, DatabaseRow.get().provisioning_state) == (1, "failed")
        taken = take(cast, checkpoint(entry(DB), time="2026-04-11T10:30:00Z"), tool="pulumi")
        assert (taken.changed, DatabaseRow.get().provisioning_state) == (1, "provisioned")
        older = take(cast, checkpoint(entry(DB), time="2026-04-11T10:20:00Z"), tool="pulumi")
        assert "before" in older.text

    def test_counts_from_when_it_was_written_whatever_came_first(self, cast: Cast) -> None:
        ends = set()
        written = at("2026-04-11T10:00:00")
        for place, order in enumerate(permutations(("import", "earlier", "between"))):
            stack = f"stack-{place}"
            for one in order:
                if one == "import":
                    take(cast, checkpoint(entry(DB), time="2026-04-11T10:00:00Z"), tool="pulumi", stack=stack)
                    continue
                start = written - (60_000 if one == "earlier" else 30_000)
                kind = ChangeKind.DONE if one == "earlier" else ChangeKind.FAILED
                said = Change(
                    sequence=0, kind=kind, occurred_at=start, address=DB, tool_type=DB.split("::")[2], action="create"
                )
                lines = batch(cast.organization.id, [said], key=f"{one}-{place}", stack=stack)
                record(replace(lines, engine="pulumi"), NOW)
            row = DatabaseRow.get(DatabaseRow.stack == Stack.get(Stack.name == stack))
            ends.add((row.provisioning_state, row.error_summary, row.claim_at))
        assert ends == {("provisioned", "", written)}

    def test_of_another_project_is_refused(self, cast: Cast) -> None:
        take(cast, checkpoint(entry(DB)), tool="pulumi")
        with pytest.raises(Refused, match="another stack"):
            take(cast, checkpoint(entry(DB.replace("shop", "other"))), tool="pulumi")


class TestAnSstState:
    def test_folds_children_into_their_component_and_keeps_domains(self, cast: Cast) -> None:
        done = take(cast, sst(), tool="sst", stack="shop/prod")
        site, record = WebService.get(), Domain.get()
        assert (site.name, site.sst_resource_id, site.sst_stack_name) == ("Web", "Web", "shop/prod")
        assert (site.production_url, site.provisioning_source) == ("https://shop.example", "sst")
        assert (record.name, done.new) == ("WebRecord", 2)

    def test_is_not_taken_for_another_tools(self, cast: Cast) -> None:
        with pytest.raises(Refused, match="import it as sst"):
            take(cast, sst(), tool="pulumi")


class TestTheUpload:
    def send(self, client: FlaskClient, *files: tuple[str, bytes], **more: str) -> TestResponse:
        data: dict[str, Any] = {"tool": "terraform", "stack": "prod"} | more
        return client.post("/imports", data=data | {"files": [(io.BytesIO(body), name) for name, body in files]})

    def test_brings_in_several_files(self, client: FlaskClient, cast: Cast) -> None:
        sign_in(client, cast.operator)
        states = [("a.tfstate", terraform("web")), ("b.tfstate.gz", gzip.compress(terraform("web", "api", serial=8)))]
        answer = self.send(client, *states)
        assert answer.status_code == 303
        page = client.get(f"/stacks/{Stack.get().id}").text
        assert "a.tfstate: 1 new." in page
        assert "b.tfstate.gz: 1 new, 1 as they were." in page

    def test_names_the_file_and_the_remedy(self, client: FlaskClient, cast: Cast) -> None:
        sign_in(client, cast.operator)
        answer = self.send(client, ("notes.txt", b"hello"))
        assert answer.status_code == 422
        text = answer.text
        assert 'id="files-fault"' in text
        assert "notes.txt: This is not JSON. Slipway reads:" in text
        assert Stack.select().count() == 0

    def test_tells_all_faults_at_once(self, client: FlaskClient, cast: Cast) -> None:
        sign_in(client, cast.operator)
        answer = client.post("/imports", data={"tool": "ansible", "stack": " "})
        assert answer.status_code == 422
        for field in ("tool", "stack", "files"):
            assert f'id="{field}-fault"' in answer.text

    def test_keeps_the_session_whatever_there_is_to_tell(self, client: FlaskClient, cast: Cast) -> None:
        sign_in(client, cast.operator)
        answer = self.send(client, ("a", terraform(*(f"web{n}" for n in range(300)), status="tainted")))
        assert max(len(value) for value in answer.headers.getlist("Set-Cookie")) < 4_000
        page = client.get(answer.headers["Location"]).text
        assert "a: 300 new." in page
        assert "more lines; the cards say the same." in page

    def test_refuses_a_bomb(self, client: FlaskClient, cast: Cast) -> None:
        sign_in(client, cast.operator)
        answer = self.send(client, ("bomb.gz", gzip.compress(b" " * 200_000_000, compresslevel=1)))
        assert answer.status_code == 422

    def test_is_bounded_in_size(self, client: FlaskClient, cast: Cast) -> None:
        sign_in(client, cast.operator)
        assert self.send(client, ("big", b"x" * 9_000_000)).status_code == 413

    def test_is_for_those_who_may_change(self, client: FlaskClient, cast: Cast) -> None:
        sign_in(client, cast.viewer)
        assert client.get("/imports").status_code == 403
        assert "/imports" not in client.get("/stacks").text
        sign_in(client, cast.operator)
        assert "/imports" in client.get("/stacks").text
        assert client.get("/imports").status_code == 200
