"""The generic interface: our own words through the same door, numbered by the client."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from models import Event, Organization, Run, Stack, Step
from tests.harness.cast import NOW, Cast
from tests.manual.conftest import Ask, bearer, told
from tests.provisioning.story import Story, resource_at, tell

RUN = {"key": "deploy-1", "stack": "prod", "tool": "ansible", "command": "site.yml", "actor": "ada"}
SHOP = {"address": "web.shop", "action": "create"}


def begun(ask: Ask, **more: Any) -> str:
    answer = ask("POST", "/api/v1/runs", RUN | more)
    assert answer.status_code in (200, 201), answer.text
    return f"/api/v1/runs/{told(answer)['run']}"


def faults(answer: TestResponse) -> set[str]:
    assert answer.status_code == 422, answer.text
    return {one["field"] for one in told(answer)["faults"]}


def plan(ask: Ask, run: str) -> TestResponse:
    steps = [SHOP | {"resourceType": "webService", "waitsFor": "db.orders"}, {"address": "migrate", "action": "update"}]
    return ask("POST", f"{run}/steps", {"seq": 0, "steps": steps})


class TestARun:
    def test_is_shown_from_plan_to_end(self, ask: Ask, cast: Cast) -> None:
        run = begun(ask)
        assert plan(ask, run).status_code == 200
        shop = resource_at("web.shop")
        assert (shop.card_status, shop.name, shop.waits_for) == ("validating", "web.shop", "db.orders")
        assert shop.provisioning_source == "api"
        ask("POST", f"{run}/events", {"seq": 2, "events": [{"type": "started"} | SHOP]})
        assert resource_at("web.shop").provisioning_state == "provisioning"
        done = {"type": "done", "productionUrl": "https://shop.example", "name": "Shop"} | SHOP
        ask("POST", f"{run}/events", {"seq": 3, "events": [done]})
        shop = resource_at("web.shop")
        assert (shop.provisioning_state, shop.production_url, shop.name) == (
            "provisioned",
            "https://shop.example",
            "Shop",
        )
        assert ask("POST", f"{run}/end", {"outcome": "succeeded"}).status_code == 200
        found = told(ask("GET", run))
        assert (found["engine"], found["outcome"], found["completed"], found["planned"]) == (
            "ansible",
            "succeeded",
            1,
            2,
        )
        assert [step["state"] for step in found["steps"]] == ["not_started", "done"]
        assert Stack.get().engine == "ansible"

    def test_shows_why_a_step_failed(self, ask: Ask, cast: Cast) -> None:
        run = begun(ask)
        error = {"summary": "No quota", "detail": "0 of 3 left", "where": "site.yml line 7"}
        failed = {"type": "failed", "error": error, "resourceType": "server", "toolType": "vm"} | SHOP
        ask("POST", f"{run}/events", {"seq": 0, "events": [failed]})
        shop = resource_at("web.shop")
        assert (shop.provisioning_state, shop.error_summary) == ("failed", "No quota")
        status = told(ask("GET", f"/api/v1/provisions/{shop.id}"))
        assert status["error"] == "No quota"
        ask("POST", f"{run}/end", {"exitCode": 2})
        assert told(ask("GET", run))["outcome"] == "failed"

    def test_in_flight_at_its_end_is_interrupted(self, ask: Ask, cast: Cast) -> None:
        run = begun(ask)
        started = {"type": "started", "resourceType": "server"} | SHOP
        ask("POST", f"{run}/events", {"seq": 0, "events": [started]})
        ask("POST", f"{run}/end", {"outcome": "cancelled"})
        assert resource_at("web.shop").reason == "interrupted"
        assert Run.get().outcome == "cancelled"

    def test_takes_a_known_type_of_a_tool(self, ask: Ask, cast: Cast) -> None:
        run = begun(ask)
        event = {"type": "started", "address": "a", "action": "create", "toolType": "hcloud_server"}
        ask("POST", f"{run}/events", {"seq": 0, "events": [event]})
        assert resource_at("a").provider == "hetzner"

    def test_keeps_steps_that_have_no_card(self, ask: Ask, cast: Cast) -> None:
        run = begun(ask)
        ask("POST", f"{run}/events", {"seq": 0, "events": [{"type": "done", "address": "migrate", "action": "update"}]})
        assert Step.get().resource is None

    def test_lives_by_its_heartbeat(self, ask: Ask, cast: Cast) -> None:
        run = begun(ask)
        Run.update(last_word_at=1).execute()
        revision = Organization.get_by_id(cast.organization.id).revision
        assert ask("POST", f"{run}/events", {"seq": 0, "events": []}).status_code == 200
        assert Run.get().last_word_at > 1
        assert Organization.get_by_id(cast.organization.id).revision == revision


class TestWhatIsSentTwice:
    def test_is_stored_once(self, ask: Ask, cast: Cast) -> None:
        run = begun(ask)
        assert begun(ask) == run
        events = {"seq": 2, "events": [{"type": "started"} | SHOP, {"type": "done"} | SHOP]}
        for accepted in (2, 0):
            assert told(plan(ask, run))["accepted"] == accepted
        for accepted in (2, 0):
            assert told(ask("POST", f"{run}/events", events))["accepted"] == accepted
        ask("POST", f"{run}/end", {"outcome": "succeeded"})
        revision = Organization.get_by_id(cast.organization.id).revision
        ask("POST", f"{run}/end", {"outcome": "failed"})
        ask("POST", f"{run}/events", events)
        assert Organization.get_by_id(cast.organization.id).revision == revision
        assert Run.get().outcome == "succeeded"
        assert Event.select().count() == 4

    def test_ends_the_same_in_every_order(self, ask: Ask, cast: Cast) -> None:
        requests = [
            ("steps", {"seq": 0, "steps": [SHOP | {"resourceType": "webService"}]}),
            ("events", {"seq": 1, "events": [{"type": "started"} | SHOP]}),
            ("events", {"seq": 2, "events": [{"type": "failed", "error": "No quota"} | SHOP]}),
            ("end", {"outcome": "failed"}),
        ]
        ends = set()
        for place, order in enumerate(permutations(requests)):
            run = begun(ask, key=f"run-{place}", stack=f"stack-{place}")
            for path, body in order:
                ask("POST", f"{run}/{path}", body)
            found = told(ask("GET", run))
            [step] = found["steps"]
            ends.add((found["outcome"], found["failed"], found["planned"], step["state"], step["error"]))
        assert ends == {("failed", 1, 1, "failed", "No quota")}

    def test_tells_of_numbers_that_are_missing(self, ask: Ask, cast: Cast) -> None:
        run = begun(ask)
        answer = ask("POST", f"{run}/events", {"seq": 5, "events": [{"type": "log", "message": "hello"}]})
        assert told(answer)["missing"] == [[0, 4]]


class TestWhatDoesNotFit:
    def test_is_told_whole_each_at_its_field(self, ask: Ask, cast: Cast) -> None:
        run = begun(ask)
        assert faults(ask("POST", "/api/v1/runs", {"tool": "terraform", "jobUrl": "x"})) == {
            "key", "stack", "tool", "jobUrl",
        }  # fmt: skip
        steps = [{"address": "", "action": "make"}, {"address": "x" * 2_000, "action": "create", "resourceType": "vm"}]
        assert faults(ask("POST", f"{run}/steps", {"steps": steps})) == {
            "seq", "steps.0.address", "steps.0.action", "steps.1.address", "steps.1.resourceType",
        }  # fmt: skip
        events = [{"type": "started"}, {"type": "done", "error": "x"} | SHOP, {"type": "log"}]
        assert faults(ask("POST", f"{run}/events", {"seq": 0, "events": events})) == {
            "events.0.address", "events.0.action", "events.1.error", "events.2.message",
        }  # fmt: skip
        assert faults(ask("POST", f"{run}/end", {})) == {"outcome"}
        assert faults(ask("POST", f"{run}/end", {"outcome": "failed", "error": "x"})) == {"seq"}
        assert Event.select().count() == 0

    @pytest.mark.parametrize("body", [[], {"seq": "x"}, {"seq": 0, "events": {"a": 1}}, {"seq": 0, "events": [[]]}])
    def test_is_never_a_failure_of_ours(self, ask: Ask, cast: Cast, body: Any) -> None:
        run = begun(ask)
        for path in ("steps", "events", "end"):
            assert ask("POST", f"{run}/{path}", body).status_code == 422

    def test_is_a_key_of_another_stack(self, ask: Ask, cast: Cast) -> None:
        begun(ask)
        assert ask("POST", "/api/v1/runs", RUN | {"stack": "staging"}).status_code == 422

    def test_is_a_run_that_its_tool_tells_of(self, ask: Ask, cast: Cast) -> None:
        tell(cast.organization.id, Story(NOW).planned("web").lines, NOW)
        path = f"/api/v1/runs/{Run.get().id}"
        assert ask("POST", f"{path}/end", {"outcome": "succeeded"}).status_code == 409

    def test_is_a_run_of_another_organisation(self, ask: Ask, cast: Cast, client: FlaskClient) -> None:
        run = begun(ask)
        headers = bearer(cast.other_organization.id, "full")
        assert ask("POST", f"{run}/end", {"outcome": "succeeded"}, headers=headers).status_code == 404

    def test_needs_no_more_than_the_scope_ingest(self, ask: Ask, cast: Cast) -> None:
        headers = bearer(cast.organization.id, "ingest")
        assert ask("POST", "/api/v1/runs", RUN, headers=headers).status_code == 201
