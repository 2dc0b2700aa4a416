"""Resources by hand: one validation for form and JSON, legal moves only, each change in history and audit log."""

from __future__ import annotations

import re
from itertools import product
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from models import AuditEntry, Event, Organization, Resource, Server, Stack
from provisioning.manual import refusal_of
from provisioning.states import RESOURCE_MOVES, ProvisioningState
from provisioning.status_counts import counted_from_rows, status_counts
from tests.harness.cast import NOW, Cast, sign_in
from tests.manual.conftest import Ask, bearer, deed, told
from tests.provisioning.story import Story, resource_at, tell

ANY_STATE = [None, *ProvisioningState]
SERVER = {"resourceType": "server", "name": "rack-7"}


def made(ask: Ask, **more: Any) -> str:
    answer = ask("POST", "/api/v1/resources", SERVER | more)
    assert answer.status_code == 201, answer.text
    return str(told(answer)["provisionId"])


def faults(answer: TestResponse) -> dict[str, str]:
    assert answer.status_code == 422
    return {one["field"]: one["detail"] for one in told(answer)["faults"]}


def events(resource_id: str) -> list[Event]:
    return list(Event.select().where(Event.resource == resource_id).order_by(Event.id))


class TestEntering:
    def test_makes_a_resource_of_its_type_with_its_facts(self, ask: Ask, cast: Cast) -> None:
        answer = ask(
            "POST",
            "/api/v1/resources",
            SERVER
            | {
                "state": "provisioned",
                "provider": "our rack",
                "primaryIpAddress": "203.0.113.7",
                "note": "third from the top",
                "providerResourceId": "sn-4711",
            },
        )
        assert answer.status_code == 201
        assert told(answer)["status"] == "success"
        assert told(answer)["provisioningSource"] == "manual"
        assert told(answer)["note"] == "third from the top"
        row = Server.get()
        assert (row.primary_ip_address, row.provider, row.provider_resource_id) == (
            "203.0.113.7",
            "our rack",
            "sn-4711",
        )
        assert row.provisioned_at == row.state_changed_at
        assert answer.headers["Location"].endswith(f"/api/v1/provisions/{row.id}")
        assert told(ask("GET", f"/api/v1/provisions/{row.id}"))["status"] == "success"

    def test_writes_history_and_audit_log(self, ask: Ask, cast: Cast) -> None:
        resource_id = made(ask, state="failed", error="Disk is dead", errorDetail="SMART says so")
        [event] = events(resource_id)
        assert (event.kind, event.reason, event.message) == ("set", "set_by_hand", "token CI")
        assert (event.state_before, event.state_after) == (None, "failed")
        assert event.diagnostic["summary"] == "Disk is dead"
        assert deed("resource.created") == ("token CI", resource_id)

    def test_without_a_state_is_idle(self, ask: Ask, cast: Cast) -> None:
        made(ask)
        assert Server.get().card_status == "idle"

    def test_counts_and_stamps_what_pages_show(self, ask: Ask, cast: Cast) -> None:
        made(ask, state="provisioned", stack="rack")
        made(ask, name="rack-8", state="provisioning", stack="rack")
        assert status_counts(cast.organization.id) == counted_from_rows(cast.organization.id)
        assert status_counts(cast.organization.id) == {"success": 1, "provisioning": 1}
        revision = Organization.get_by_id(cast.organization.id).revision
        assert revision == Stack.get().revision == Server.get(Server.name == "rack-8").revision == 2

    def test_refuses_a_second_one_at_an_address_of_a_stack(self, ask: Ask, cast: Cast) -> None:
        first = made(ask, stack="rack")
        answer = ask("POST", "/api/v1/resources", SERVER | {"stack": "rack", "resourceType": "database"})
        assert answer.status_code == 409
        assert first in told(answer)["detail"]

    def test_tells_all_faults_at_once_each_at_its_field(self, ask: Ask, cast: Cast) -> None:
        answer = ask(
            "POST",
            "/api/v1/resources",
            {
                "resourceType": "server",
                "state": "up",
                "error": "why",
                "domainName": "shop.example",
                "primaryIpAddress": "seven",
                "secret": "x",
            },
        )
        assert set(faults(answer)) == {"name", "state", "error", "domainName", "primaryIpAddress", "secret"}
        assert "A server has no such field." in faults(answer)["domainName"]
        assert Server.select().count() == 0

    @pytest.mark.parametrize(
        "url", ["ftp://x.example", "https://user:pw@x.example", "https://x.example/?token=1", "javascript:alert(1)"]
    )
    def test_takes_no_url_that_may_not_be_shown(self, ask: Ask, cast: Cast, url: str) -> None:
        answer = ask("POST", "/api/v1/resources", {"resourceType": "webService", "name": "x", "productionUrl": url})
        assert set(faults(answer)) == {"productionUrl"}

    @pytest.mark.parametrize("body", [[], "text", 7, None, [[]], {"resourceType": []}, {"name": {"a": 1}}])
    def test_takes_nothing_but_an_object_of_texts(self, ask: Ask, cast: Cast, body: Any) -> None:
        assert ask("POST", "/api/v1/resources", body).status_code in (400, 415, 422)

    def test_answers_400_to_what_is_no_json(self, client: FlaskClient, full: dict[str, str]) -> None:
        headers = full | {"Content-Type": "application/json"}
        for body in (b"{", b"\xff\xfe", b"[" * 100_000):
            assert client.post("/api/v1/resources", data=body, headers=headers).status_code == 400

    def test_keeps_odd_texts_fit_to_be_stored(self, ask: Ask, cast: Cast) -> None:
        resource_id = made(ask, name="a\x00b\ud800\x1b[31mc", note="two\nlines\x00")
        row = Server.get_by_id(resource_id)
        assert row.name == "ab\ufffdc"
        assert row.note == "two\nlines"

    @pytest.mark.parametrize("scope", ["read", "ingest", "share"])
    def test_needs_the_scope_full(self, ask: Ask, cast: Cast, scope: str) -> None:
        headers = bearer(cast.organization.id, scope)
        assert ask("POST", "/api/v1/resources", SERVER, headers=headers).status_code == 403


class TestSetting:
    @pytest.mark.parametrize(
        ("before", "after"), list(product([None, *ProvisioningState], [None, *ProvisioningState])), ids=str
    )
    def test_follows_the_table_of_moves(
        self, before: ProvisioningState | None, after: ProvisioningState | None
    ) -> None:
        refusal = refusal_of(before, after)
        assert (refusal == "") is (
            after == before or after in RESOURCE_MOVES[ProvisioningState(before) if before else None]
        )
        if refusal:
            assert (before or "not provisioned") in refusal

    def test_moves_the_state_and_keeps_each_move_in_history(self, ask: Ask, cast: Cast) -> None:
        resource_id = made(ask, state="provisioning")
        for state in ("provisioned", "deprovisioning", "deleted"):
            assert ask("PATCH", f"/api/v1/resources/{resource_id}", {"state": state}).status_code == 200
        assert [(one.state_before, one.state_after) for one in events(resource_id)] == [
            (None, "provisioning"),
            ("provisioning", "provisioned"),
            ("provisioned", "deprovisioning"),
            ("deprovisioning", None),
        ]
        row = Server.get_by_id(resource_id)
        assert (row.card_status, row.section, row.deleted_at) == ("deleted", None, row.state_changed_at)
        assert status_counts(cast.organization.id) == {}
        assert deed("resource.set") == ("token CI", resource_id)

    def test_refuses_an_illegal_move_naming_the_present_state(self, ask: Ask, cast: Cast) -> None:
        resource_id = made(ask, state="deprovisioning")
        revision = Organization.get_by_id(cast.organization.id).revision
        answer = ask("PATCH", f"/api/v1/resources/{resource_id}", {"state": "provisioned", "note": "new"})
        assert answer.status_code == 409
        assert "It is deprovisioning now" in told(answer)["detail"]
        assert Server.get_by_id(resource_id).note == ""
        assert Organization.get_by_id(cast.organization.id).revision == revision
        assert len(events(resource_id)) == 1

    def test_changes_nothing_where_it_is_so_already(self, ask: Ask, cast: Cast) -> None:
        resource_id = made(ask, state="provisioned", note="as it is")
        revision = Organization.get_by_id(cast.organization.id).revision
        body = {"state": "provisioned", "note": "as it is"}
        assert ask("PATCH", f"/api/v1/resources/{resource_id}", body).status_code == 200
        assert Organization.get_by_id(cast.organization.id).revision == revision
        assert AuditEntry.select().where(AuditEntry.action == "resource.set").count() == 0

    def test_takes_the_error_away_with_the_failure(self, ask: Ask, cast: Cast) -> None:
        resource_id = made(ask, state="failed", error="Disk is dead")
        assert told(ask("GET", f"/api/v1/provisions/{resource_id}"))["error"] == "Disk is dead"
        answer = ask("PATCH", f"/api/v1/resources/{resource_id}", {"state": "provisioned"})
        assert "error" not in told(answer)
        faulty = ask("PATCH", f"/api/v1/resources/{resource_id}", {"error": "late"})
        assert set(faults(faulty)) == {"error"}

    def test_forgets_what_is_given_empty_and_keeps_what_is_left_out(self, ask: Ask, cast: Cast) -> None:
        resource_id = made(ask, primaryIpAddress="203.0.113.7", region="eu", note="old")
        ask("PATCH", f"/api/v1/resources/{resource_id}", {"primaryIpAddress": None, "note": ""})
        row = Server.get_by_id(resource_id)
        assert (row.primary_ip_address, row.region, row.note) == (None, "eu", "")

    def test_does_not_reach_another_organisation(self, ask: Ask, cast: Cast) -> None:
        resource_id = made(ask)
        headers = bearer(cast.other_organization.id, "full")
        answer = ask("PATCH", f"/api/v1/resources/{resource_id}", {"note": "mine"}, headers=headers)
        assert answer.status_code == 404
        assert ask("PATCH", "/api/v1/resources/nothing", {"note": "x"}).status_code == 404


class TestATool:
    """A run and a hand speak of one resource."""

    def created(self, cast: Cast) -> Resource:
        story = Story(NOW).planned("web").started("web").done("web")
        tell(cast.organization.id, story.lines, NOW + 5_000)
        return resource_at("web")

    def test_is_overwritten_by_a_later_hand(self, ask: Ask, cast: Cast) -> None:
        row = self.created(cast)
        answer = ask("PATCH", f"/api/v1/resources/{row.id}", {"state": "failed", "error": "Burnt down"})
        assert told(answer)["error"] == "Burnt down"
        assert "runId" not in told(answer)
        assert told(answer)["provisioningSource"] == "api"

    def test_does_not_overwrite_a_later_hand_with_an_older_word(self, ask: Ask, cast: Cast) -> None:
        row = self.created(cast)
        ask("PATCH", f"/api/v1/resources/{row.id}", {"state": "failed", "error": "Burnt down"})
        said_at = Server.get_by_id(row.id).claim_at
        late = Story(said_at - 60_000).started("web", "update").done("web", "update")
        tell(cast.organization.id, late.lines, said_at + 60_000, key="run-0")
        assert resource_at("web").provisioning_state == "failed"

    def test_overwrites_a_hand_with_a_newer_word(self, ask: Ask, cast: Cast) -> None:
        row = self.created(cast)
        ask("PATCH", f"/api/v1/resources/{row.id}", {"state": "failed", "error": "Burnt down"})
        later = Server.get_by_id(row.id).claim_at + 60_000
        story = Story(later).started("web", "update").done("web", "update")
        tell(cast.organization.id, story.lines, later + 5_000, key="run-2")
        found = resource_at("web")
        assert (found.provisioning_state, found.error_summary) == ("provisioned", "")


class TestTheForm:
    FORM = {"resourceType": "database", "name": "orders", "state": "", "stack": "prod", "engine": "postgres"}

    def test_enters_a_resource(self, operator: FlaskClient, cast: Cast) -> None:
        answer = operator.post("/resources/new", data=self.FORM)
        assert answer.status_code == 303
        page = operator.get(answer.headers["Location"])
        assert "It is entered." in page.text
        assert deed("resource.created")[0] == cast.operator.name

    def test_tells_the_same_faults_as_the_api(self, operator: FlaskClient, ask: Ask, cast: Cast) -> None:
        wrong = {"resourceType": "server", "name": "", "state": "up", "primaryIpAddress": "seven", "engine": "x"}
        expected = faults(ask("POST", "/api/v1/resources", wrong))
        answer = operator.post("/resources/new", data=wrong)
        assert answer.status_code == 422
        assert set(expected) == {"name", "state", "primaryIpAddress", "engine"}
        for field in expected:
            assert f'id="{field}-fault"' in answer.text, field

    def test_sets_a_state_and_shows_the_present_one(self, operator: FlaskClient, cast: Cast) -> None:
        place = operator.post("/resources/new", data=self.FORM | {"state": "failed", "error": "Full"})
        resource_id = place.headers["Location"].removeprefix("/p/")
        page = operator.get(f"/resources/{resource_id}/set").text
        assert "It is failed now." in page
        assert 'value="Full"' in page
        # A browser sends the whole form.
        filled = {"name": "orders", "state": "provisioned", "error": "Full", "engine": "postgres"}
        assert operator.post(f"/resources/{resource_id}/set", data=filled).status_code == 303
        assert 'data-status="success"' in operator.get(f"/p/{resource_id}").text

    def test_takes_no_sentence_of_the_card_for_an_error(self, operator: FlaskClient, cast: Cast) -> None:
        tell(cast.organization.id, Story(NOW).started("web").lines, NOW + 5_000, end="1")
        row = resource_at("web")
        page = operator.get(f"/resources/{row.id}/set").text
        # What the card says of an interruption is no error of its own.
        filled = dict(re.findall(r'<input [^>]*name="(\w+)"[^>]*value="([^"]*)"', page))
        filled.pop("csrf_token", None)
        assert (filled["name"], filled["error"]) == ("web", "")
        answer = operator.post(f"/resources/{row.id}/set", data=filled | {"state": "provisioned"})
        assert answer.status_code == 303, answer.text
        assert resource_at("web").provisioning_state == "provisioned"

    def test_tells_a_refused_move_at_the_state(self, operator: FlaskClient, cast: Cast) -> None:
        place = operator.post("/resources/new", data=self.FORM | {"state": "deprovisioning"})
        resource_id = place.headers["Location"].removeprefix("/p/")
        answer = operator.post(f"/resources/{resource_id}/set", data={"name": "orders", "state": "provisioned"})
        assert answer.status_code == 409
        assert 'id="state-fault"' in answer.text
        assert "It is deprovisioning now" in answer.text

    def test_is_for_those_who_may_change(self, client: FlaskClient, ask: Ask, cast: Cast) -> None:
        resource_id = made(ask)
        sign_in(client, cast.viewer)
        assert client.get("/resources/new").status_code == 403
        assert client.post(f"/resources/{resource_id}/set", data={"note": "x"}).status_code == 403
        assert "Set by hand" not in client.get(f"/p/{resource_id}").text
        sign_in(client, cast.stranger)
        assert client.get(f"/resources/{resource_id}/set").status_code == 404

    def test_is_offered_on_the_card(self, operator: FlaskClient, ask: Ask, cast: Cast) -> None:
        resource_id = made(ask)
        assert f'href="/resources/{resource_id}/set"' in operator.get(f"/p/{resource_id}").text
        history = operator.get(f"/p/{resource_id}/history").text
        assert "Set by hand by token CI" in history
