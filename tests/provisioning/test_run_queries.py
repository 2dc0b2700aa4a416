"""What pages and the API ask about runs and stacks."""

from __future__ import annotations

import pytest

from models import Run, Stack
from provisioning import run_queries
from provisioning.errors import MissingPermission, NotFound
from provisioning.readers import Reader
from tests.harness.cast import NOW, Cast
from tests.harness.statements import count_statements
from tests.provisioning.story import Story, tell


@pytest.fixture
def reader(cast: Cast) -> Reader:
    return Reader(user_id=cast.viewer.id)


def failed_run(cast: Cast, *, key: str = "run-1", start: int = NOW) -> None:
    """One done, one failed, one that was never begun."""
    story = Story(start=start).planned("web").planned("db").planned("dns").total(3)
    story.started("web").done("web").started("db").failed("db").error("db", "no such subnet")
    story.error("", "Error acquiring the state lock")
    tell(cast.organization.id, story.lines, start + 60_000, key=key, end="1")


def test_a_run_lists_what_failed_first_and_what_never_began(cast: Cast, reader: Reader) -> None:
    failed_run(cast)
    view = run_queries.get_run(reader, Run.get().id, now=NOW + 60_000)
    assert [(step.name, step.state_text) for step in view.steps] == [
        ("orders", "Failed"), ("shop", "Not started"), ("web", "Done"),
    ]  # fmt: skip
    fault = view.steps[0].fault
    assert fault is not None
    assert fault.summary == "no such subnet"
    assert [one.summary for one in view.faults] == ["Error acquiring the state lock"]
    assert (view.run.not_started, view.run.count_label) == (1, "1 of 3, 1 failed")


def test_of_what_failed_the_causes_come_first(cast: Cast, reader: Reader) -> None:
    story = Story(start=NOW).started("web").started("db").failed("web").failed("db").error("db", "no such subnet")
    tell(cast.organization.id, story.lines, NOW + 60_000, end="1")
    view = run_queries.get_run(reader, Run.get().id, now=NOW + 60_000)
    assert [(step.name, step.fault is not None) for step in view.steps] == [("orders", True), ("web", False)]


def test_the_bars_of_a_run_lie_within_its_time(cast: Cast, reader: Reader) -> None:
    failed_run(cast)
    for step in run_queries.get_run(reader, Run.get().id, now=NOW + 60_000).steps:
        assert 0 <= step.offset <= step.offset + step.length <= 1004


def test_a_run_costs_the_same_statements_for_any_number_of_steps(cast: Cast, reader: Reader) -> None:
    story = Story(start=NOW)
    for number in range(40):
        story.planned(f"aws_instance.n{number}").started(f"aws_instance.n{number}").done(f"aws_instance.n{number}")
    tell(cast.organization.id, story.lines, NOW + 200_000, end="0")
    with count_statements() as many:
        run_queries.get_run(reader, Run.get().id, now=NOW)
    failed_run(cast, key="small", start=NOW + 300_000)
    with count_statements() as few:
        run_queries.get_run(reader, Run.get(Run.key == "small").id, now=NOW)
    assert len(many) == len(few) <= 5


def test_runs_are_newest_first_in_pages_and_of_one_stack(cast: Cast, reader: Reader) -> None:
    for number in range(5):
        story = Story(start=NOW + number * 1000).planned("web").total(1)
        tell(cast.organization.id, story.lines, NOW + number * 1000, key=f"r{number}", stack=f"s{number % 2}")
    seen, cursor = [], None
    while True:
        page = run_queries.list_runs(reader, cursor=cursor, limit=2)
        seen += [run.stack_name for run in page.runs]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert seen == ["s0", "s1", "s0", "s1", "s0"]
    stack = Stack.get(Stack.name == "s1")
    assert len(run_queries.list_runs(reader, stack_id=stack.id).runs) == 2


def test_a_stack_answers_is_it_up(cast: Cast, reader: Reader) -> None:
    failed_run(cast)
    [brief] = run_queries.list_stacks(reader).stacks
    assert brief.resources == {"success": 1, "error": 1, "idle": 1}
    assert brief.latest_run is not None
    assert brief.latest_run.status == "failed"
    view = run_queries.get_stack(reader, brief.id)
    assert [card.card_status for card in view.resources] == ["error", "idle", "success"]
    assert view.resources_left_out == 0
    assert [run.id for run in view.runs] == [brief.latest_run.id]


def test_runs_and_stacks_of_others_are_not_there(cast: Cast) -> None:
    failed_run(cast)
    run, stack = Run.get().id, Stack.get().id
    stranger, outsider = Reader(user_id=cast.stranger.id), Reader(user_id=cast.outsider.id)
    with pytest.raises(NotFound):
        run_queries.get_run(stranger, run, now=NOW)
    with pytest.raises(NotFound):
        run_queries.get_stack(stranger, stack)
    with pytest.raises(MissingPermission):
        run_queries.get_run(outsider, run, now=NOW)
    with pytest.raises(MissingPermission):
        run_queries.get_stack(outsider, stack)
    assert run_queries.list_stacks(stranger).stacks == []
    assert run_queries.list_runs(stranger).runs == []


def test_usual_times_need_three_runs(cast: Cast, reader: Reader) -> None:
    for number in range(4):
        story = Story(start=NOW + number * 100_000).planned("web", "update").started("web", "update")
        story.done("web", "update").ended()
        tell(cast.organization.id, story.lines, story.start + 10_000, key=f"r{number}")
        view = run_queries.get_run(reader, Run.get(Run.key == f"r{number}").id, now=NOW)
        assert (view.usual_ms is not None) == (number >= 3)
    assert view.usual_ms == (3000, 3000)
