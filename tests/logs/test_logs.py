"""A run's log: its tool's words, bounded, searchable, with the errors linked to their steps."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest
from flask.testing import FlaskClient

from ingest.change import ChangeKind
from models import Event, Run, Step
from provisioning import logs
from provisioning.logs import log_of
from tests.harness.cast import NOW, Cast, sign_in
from tests.harness.statements import assert_index_only, count_statements, statements_with_parameters
from tests.manual.conftest import bearer
from tests.provisioning.story import TYPES, Story, tell


def told(cast: Cast, story: Story, **more: Any) -> str:
    return tell(cast.organization.id, story.lines, story.start + 60_000, **more).run_id


def failed_run(cast: Cast) -> str:
    story = Story(NOW).planned("web").planned("db").started("web").started("db")
    story.say(ChangeKind.PROGRESS, "web", "create", message="web: Still creating... [10s elapsed]")
    story.say(ChangeKind.DONE, "web", "create", message="web: Creation complete after 12s")
    story.failed("db").error("db", 'creating "orders": no Ünit', "Quota of 3 reached\nask for more")
    story.say(ChangeKind.LOG, message="100% done_ish!")
    return told(cast, story, end="1")


class TestTheLog:
    def test_holds_each_line_in_the_words_of_its_tool_or_ours(self, cast: Cast) -> None:
        log = log_of(failed_run(cast), "terraform")
        assert [line.text for line in log.lines] == [
            "web: Planned to create",
            "orders: Planned to create",
            "web: Creating began",
            "orders: Creating began",
            "web: Still creating... [10s elapsed]",
            "web: Creation complete after 12s",
            "orders: Creating failed",
            'creating "orders": no Ünit',
            "100% done_ish!",
        ]
        assert [line.number for line in log.lines] == list(range(9))
        assert log.before is None

    def test_links_errors_to_their_steps(self, cast: Cast) -> None:
        run_id = failed_run(cast)
        step = Step.get(Step.address == TYPES["db"])
        errors = [line for line in log_of(run_id, "terraform").lines if line.level == "error"]
        assert [line.step_id for line in errors] == [step.id, step.id]
        assert errors[1].detail == "Quota of 3 reached\nask for more"
        assert errors[1].resource_id == step.resource

    @pytest.mark.parametrize(
        ("q", "numbers"),
        [
            ("STILL creating", [4]),
            ("aws_db_instance", [1, 3, 6, 7]),
            ("quota of 3", [7]),
            ('"orders"', [7]),
            ("no Ünit", [7]),
            ("100%", [8]),
            ("100_", []),
            ("done_ish!", [8]),
            ("nobody said this", []),
        ],
    )
    def test_is_searched_in_words_addresses_and_errors(self, cast: Cast, q: str, numbers: list[int]) -> None:
        assert [line.number for line in log_of(failed_run(cast), "terraform", q=q).lines] == numbers

    def test_is_read_in_pages_from_its_end(self, cast: Cast) -> None:
        run_id = failed_run(cast)
        last = log_of(run_id, "terraform", limit=4)
        assert ([line.number for line in last.lines], last.before) == ([5, 6, 7, 8], 5)
        first = log_of(run_id, "terraform", limit=5, before=last.before)
        assert ([line.number for line in first.lines], first.before) == ([0, 1, 2, 3, 4], None)

    def test_is_in_order_whatever_order_it_arrived_in(self, cast: Cast) -> None:
        story = Story(NOW).planned("web").started("web").done("web")
        tell(cast.organization.id, story.lines[2:], NOW + 5_000)
        run_id = tell(cast.organization.id, story.lines[:2], NOW + 6_000).run_id
        assert [line.number for line in log_of(run_id, "terraform").lines] == [0, 1, 2]

    def test_is_bounded(self, cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(logs, "MOST_LINES", 3)
        story = Story(NOW)
        for number in range(5):
            story.say(ChangeKind.LOG, message=f"line {number}")
        story.say(ChangeKind.DONE, "web", "create", message="Creation complete")
        run_id = told(cast, story)
        assert [line.text for line in log_of(run_id, "terraform").lines] == [
            "line 0", "line 1", "line 2", "Creation complete",
        ]  # fmt: skip
        # Every line keeps its place: nothing is lost from the history.
        assert Event.select().count() == 6
        assert Run.get().log_lines == 4

    def test_repeated_counts_once(self, cast: Cast) -> None:
        failed_run(cast)
        counted = Run.get().log_lines
        failed_run(cast)
        assert Run.get().log_lines == counted == 3


class TestTheRunsPage:
    def test_shows_the_last_lines_and_the_way_to_all(self, client: FlaskClient, cast: Cast) -> None:
        run_id = failed_run(cast)
        sign_in(client, cast.viewer)
        step = Step.get(Step.address == TYPES["db"])
        page = client.get(f"/runs/{run_id}").text
        assert "Still creating... [10s elapsed]" in page
        assert f'<a href="#{step.id}">its step</a>' in page
        assert f'id="{step.id}"' in page
        assert f'href="/runs/{run_id}/log"' in page

    def test_is_live(self, client: FlaskClient, cast: Cast) -> None:
        story = Story(NOW).started("web")
        run_id = told(cast, story)
        sign_in(client, cast.viewer)
        client.get(f"/runs/{run_id}")
        revision = Run.get().revision
        assert client.get(f"/fragments/runs/{run_id}?rev={revision}").status_code == 204
        story.say(ChangeKind.LOG, message="Uploading 14 files")
        tell(cast.organization.id, story.lines[1:], NOW + 9_000)
        assert "Uploading 14 files" in client.get(f"/fragments/runs/{run_id}?rev={revision}").text


class TestTheLogsPage:
    def test_searches(self, client: FlaskClient, cast: Cast) -> None:
        run_id = failed_run(cast)
        sign_in(client, cast.viewer)
        page = client.get(f"/runs/{run_id}/log?q=quota").text
        assert "Quota of 3 reached" in page
        assert "Still creating" not in page
        assert 'value="quota"' in page
        nothing = client.get(f"/runs/{run_id}/log", query_string={"q": "<b>'"}).text
        assert "No line holds “&lt;b&gt;&#39;”." in nothing

    def test_leads_to_earlier_lines(self, client: FlaskClient, cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("views.logs.PAGE", 3)
        run_id = failed_run(cast)
        sign_in(client, cast.viewer)
        page = client.get(f"/runs/{run_id}/log").text
        step = Step.get(Step.address == TYPES["db"])
        assert f'href="/runs/{run_id}#{step.id}"' in page
        assert f'href="/runs/{run_id}/log?before=6"' in page
        earlier = client.get(f"/runs/{run_id}/log?before=6").text
        assert "data-poll" in page and "data-poll" not in earlier
        assert "Creation complete" in earlier
        assert f'href="/runs/{run_id}/log">Latest lines' in earlier

    @pytest.mark.parametrize("q", ["", "files"])
    def test_is_live(self, client: FlaskClient, cast: Cast, q: str) -> None:
        story = Story(NOW).started("web")
        run_id = told(cast, story)
        sign_in(client, cast.viewer)
        page = client.get(f"/runs/{run_id}/log?q={q}").text
        found = re.search(r'hx-get="([^"]+)"', page)
        assert found is not None
        address = unescape(found[1])
        with count_statements() as statements:
            assert client.get(address).status_code == 204
        assert len(statements) == 1, statements
        story.say(ChangeKind.LOG, message="Uploading 14 files").say(ChangeKind.LOG, message="Done & dusted")
        tell(cast.organization.id, story.lines[1:], NOW + 9_000)
        answer = client.get(address).text
        assert "Uploading 14 files" in answer and ("Done &amp; dusted" in answer) is (q == "")
        assert 'hx-swap-oob="innerMorph:#live-region"' in answer and f"rev={Run.get().revision}" in answer

    def test_belongs_to_the_organisation(self, client: FlaskClient, cast: Cast) -> None:
        run_id = failed_run(cast)
        for path in (f"/runs/{run_id}/log", f"/fragments/runs/{run_id}/log?rev={Run.get().revision}"):
            sign_in(client, cast.stranger)
            assert client.get(path).status_code == 404
            sign_in(client, cast.outsider)
            assert client.get(path).status_code == 403

    def test_is_json_for_programs(self, client: FlaskClient, cast: Cast) -> None:
        run_id = failed_run(cast)
        headers = bearer(cast.organization.id, "read")
        answer = client.get(f"/api/v1/runs/{run_id}/log?q=quota", headers=headers).get_json()
        assert [line["number"] for line in answer["lines"]] == [7]
        assert answer["lines"][0]["level"] == "error"
        assert client.get(f"/api/v1/runs/{run_id}/log?before=x", headers=headers).status_code == 422
        other = bearer(cast.other_organization.id, "full")
        assert client.get(f"/api/v1/runs/{run_id}/log", headers=other).status_code == 404


def test_the_log_is_read_from_the_index_of_its_run(cast: Cast) -> None:
    run_id = failed_run(cast)
    with statements_with_parameters() as asked:
        log_of(run_id, "terraform", q="quota", before=9)
    assert len(asked) == 3
    for sql, params in asked:
        # The steps of one page of lines are few: they may be sorted.
        assert_index_only(sql, params, allow=["TEMP B-TREE", "Sort"] if '"step"' in sql else [])
