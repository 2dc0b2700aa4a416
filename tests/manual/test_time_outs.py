"""Time-outs of stacks: set by hand, or learnt from what the stack's own runs survived."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from ingest.change import Change
from models import Organization, Run, Stack
from provisioning.liveness import watch
from provisioning.timeouts import LONGEST_LEARNT_MS, in_force, lost_after
from tests.harness.cast import NOW, Cast, sign_in
from tests.manual.conftest import Ask, deed, told
from tests.provisioning.story import Story, tell

MINUTE = 60_000
SETTING = 15 * MINUTE


def run_with_silences(cast: Cast, *silences: int, key: str = "run-1", start: int = NOW, end: str | None = "0") -> int:
    """A run that speaks, is silent, speaks again; returns when it ended."""
    story = Story(start).started("web")
    now = start
    tell(cast.organization.id, story.lines, now, key=key)
    for silence in silences:
        now += silence
        tell(cast.organization.id, list[Change](), now, key=key, first=1)
    story.done("web")
    tell(cast.organization.id, story.lines[1:], now, key=key, end=end)
    return now


def stack() -> Stack:
    found: Stack = Stack.get()
    return found


class TestWhatIsLearnt:
    def test_is_the_setting_where_there_is_no_past(self, cast: Cast) -> None:
        tell(cast.organization.id, Story(NOW).started("web").lines, NOW)
        assert lost_after(stack(), SETTING) == lost_after(None, SETTING) == SETTING

    def test_is_three_times_the_longest_silence_of_successful_runs(self, cast: Cast) -> None:
        run_with_silences(cast, 2 * MINUTE, 9 * MINUTE, 3 * MINUTE)
        assert Run.get().longest_silence_ms == 9 * MINUTE
        assert lost_after(stack(), SETTING) == 27 * MINUTE
        assert in_force(stack(), SETTING).origin == "learnt"

    def test_is_never_less_than_the_setting_nor_more_than_a_day(self, cast: Cast) -> None:
        run_with_silences(cast, MINUTE)
        assert lost_after(stack(), SETTING) == SETTING
        run_with_silences(cast, 20 * 60 * MINUTE, key="run-2", start=NOW + MINUTE)
        assert lost_after(stack(), SETTING) == LONGEST_LEARNT_MS

    def test_leaves_out_runs_that_did_not_succeed(self, cast: Cast) -> None:
        run_with_silences(cast, 30 * MINUTE, end="1")
        assert lost_after(stack(), SETTING) == SETTING

    def test_forgets_what_was_long_ago(self, cast: Cast) -> None:
        run_with_silences(cast, 30 * MINUTE)
        for number in range(20):
            run_with_silences(cast, MINUTE, key=f"later-{number}", start=NOW + (number + 1) * 3_600_000)
        assert lost_after(stack(), SETTING) == SETTING

    def test_does_not_count_what_is_sent_after_the_end(self, cast: Cast) -> None:
        ended = run_with_silences(cast, MINUTE)
        tell(cast.organization.id, Story(NOW).started("db").lines, ended + 600 * MINUTE, first=9)
        assert Run.get().longest_silence_ms == MINUTE

    def test_decides_when_a_run_is_lost(self, cast: Cast) -> None:
        start = run_with_silences(cast, 10 * MINUTE) + MINUTE
        tell(cast.organization.id, Story(start).started("web", "update").lines, start, key="run-2")
        watch(start + 29 * MINUTE, quiet_after_ms=30_000, lost_after_ms=SETTING)
        assert Run.get(Run.key == "run-2").liveness == "quiet"
        watch(start + 31 * MINUTE, quiet_after_ms=30_000, lost_after_ms=SETTING)
        assert Run.get(Run.key == "run-2").liveness == "lost"


class TestWhatIsSet:
    def test_counts_whatever_was_learnt(self, ask: Ask, cast: Cast) -> None:
        run_with_silences(cast, 10 * MINUTE)
        answer = ask("PATCH", f"/api/v1/stacks/{stack().id}", {"lostAfterMinutes": 5})
        assert told(answer) == {"id": stack().id, "lostAfterMs": 5 * MINUTE, "origin": "set"}
        assert lost_after(stack(), SETTING) == 5 * MINUTE
        assert deed("stack.time_out_set") == ("token CI", stack().id)
        assert stack().revision == Organization.get_by_id(cast.organization.id).revision
        ask("PATCH", f"/api/v1/stacks/{stack().id}", {"lostAfterMinutes": None})
        assert in_force(stack(), SETTING).origin == "learnt"

    @pytest.mark.parametrize("body", [{}, {"lostAfterMinutes": 0}, {"lostAfterMinutes": 99_999}, {"x": 1}, []])
    def test_is_a_number_of_minutes(self, ask: Ask, cast: Cast, body: object) -> None:
        run_with_silences(cast)
        assert ask("PATCH", f"/api/v1/stacks/{stack().id}", body).status_code == 422

    def test_is_set_by_a_form_of_the_stack(self, client: FlaskClient, cast: Cast) -> None:
        run_with_silences(cast, 10 * MINUTE)
        sign_in(client, cast.operator)
        path = f"/stacks/{stack().id}/settings"
        assert path in client.get(f"/stacks/{stack().id}").text
        page = client.get(path).text
        assert "30m 00s" in page and "10m 00s" in page
        assert client.post(path, data={"lostAfterMinutes": "45"}).status_code == 303
        assert stack().lost_after_ms == 45 * MINUTE
        assert 'value="45"' in client.get(path).text
        answer = client.post(path, data={"lostAfterMinutes": "soon"})
        assert (answer.status_code, 'id="lostAfterMinutes-fault"' in answer.text) == (422, True)
        assert client.post(path, data={"lostAfterMinutes": ""}).status_code == 303
        assert stack().lost_after_ms is None

    def test_is_for_those_who_may_change(self, client: FlaskClient, cast: Cast) -> None:
        run_with_silences(cast)
        sign_in(client, cast.viewer)
        assert client.get(f"/stacks/{stack().id}/settings").status_code == 403
        sign_in(client, cast.stranger)
        assert client.post(f"/stacks/{stack().id}/settings", data={}).status_code == 404
