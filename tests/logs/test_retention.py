"""Retention: the words of old runs go, what they came to stays; applies are kept longer than plans."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask.testing import FlaskClient

from config import Settings
from ingest.change import ChangeKind
from models import Event, Run
from provisioning.logs import log_of
from provisioning.retention import remove_old_logs
from tasks import make_queue
from tests.harness.cast import NOW, Cast, sign_in
from tests.provisioning.story import Story, resource_at, tell

DAY = 24 * 3_600_000


def apply(cast: Cast, key: str = "apply") -> str:
    story = Story(NOW).started("web").say(ChangeKind.LOG, message="hello")
    story.say(ChangeKind.FAILED, "web", "create", message="web: failed").error("web", "No quota")
    return tell(cast.organization.id, story.lines, NOW + 9_000, key=key, end="1").run_id


def plan(cast: Cast) -> str:
    story = Story(NOW).say(ChangeKind.PLANNED, "db", "create", message="db: Plan to create").total(1)
    return tell(cast.organization.id, story.lines, NOW + 9_000, key="plan", end="0").run_id


def removed(days_later: int, *, keep_apply: int = 365, keep_plan: int = 30) -> int:
    return remove_old_logs(NOW + days_later * DAY, keep_apply_days=keep_apply, keep_plan_days=keep_plan)


class TestOldLogs:
    def test_of_applies_are_kept_longer_than_those_of_plans(self, cast: Cast) -> None:
        applied, planned = apply(cast), plan(cast)
        assert removed(29) == 0
        assert removed(31) == 1
        assert Run.get_by_id(planned).log_removed_at == NOW + 31 * DAY
        assert Run.get_by_id(applied).log_removed_at is None
        assert (removed(366), removed(367)) == (1, 0)

    def test_are_kept_for_ever_where_the_setting_says_so(self, cast: Cast) -> None:
        apply(cast), plan(cast)
        assert removed(9_999, keep_apply=0, keep_plan=0) == 0

    def test_lose_their_words_and_keep_errors_and_history(self, cast: Cast) -> None:
        run_id = apply(cast)
        removed(366)
        assert [(event.kind, event.message) for event in Event.select().order_by(Event.sequence)] == [
            ("started", ""), ("failed", ""), ("diagnostic", ""),
        ]  # fmt: skip
        assert resource_at("web").error_summary == "No quota"
        log = log_of(run_id, "terraform")
        assert [line.text for line in log.lines] == ["web: Creating began", "web: Creating failed", "No quota"]
        assert log.removed_at == NOW + 366 * DAY

    def test_of_unfinished_runs_stay(self, cast: Cast) -> None:
        tell(cast.organization.id, Story(NOW).say(ChangeKind.LOG, message="hello").lines, NOW)
        assert removed(9_999) == 0

    def test_leave_a_run_that_late_lines_still_put_right(self, cast: Cast) -> None:
        story = Story(NOW).started("web").say(ChangeKind.LOG, message="hello").done("web")
        tell(cast.organization.id, [story.lines[0], story.lines[1]], NOW + 9_000, key="late", end="0")
        assert resource_at("web").reason == "interrupted"
        removed(366)
        tell(cast.organization.id, [story.lines[1], story.lines[2]], NOW + 367 * DAY, key="late", end="0")
        assert resource_at("web").provisioning_state == "provisioned"
        assert Run.get().outcome == "succeeded"

    def test_are_said_to_be_removed(self, client: FlaskClient, cast: Cast) -> None:
        run_id = apply(cast)
        removed(366)
        sign_in(client, cast.viewer)
        assert "own words were removed 2027-" in client.get(f"/runs/{run_id}/log").text


def test_the_worker_removes_them(settings: Settings, cast: Cast) -> None:
    run_id = apply(cast)
    Run.update(ended_at=1).execute()
    queue: Any = make_queue(settings)
    remove: Callable[[], None] = queue.remove_old_logs.call_local
    remove()
    assert Run.get_by_id(run_id).log_removed_at is not None
