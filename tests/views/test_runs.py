"""The list of runs, and a run's page."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from html import unescape

import pytest
from flask.testing import FlaskClient

from models import AuditEntry, Run, User
from provisioning import liveness
from tests.harness.cast import Cast
from tests.harness.statements import count_statements
from tests.provisioning.story import Story
from tests.views.conftest import Told
from views.clock import now_ms
from views.runs import STEPS_SHOWN

ClientOf = Callable[[User], FlaskClient]


def poll_url(page: str) -> str:
    """Where the page asks for what changed."""
    found = re.search(r'hx-get="([^"]+)"', page)
    assert found is not None
    return unescape(found[1])


def lost(told: Told) -> str:
    """A run that has stopped speaking."""
    story = Story(now_ms() - 7_200_000)
    run_id = told(story.planned("web").total(1).started("web"), key="lost").run_id
    liveness.watch(now_ms() + 3_600_000, quiet_after_ms=30_000, lost_after_ms=900_000)
    return run_id


def test_what_failed_comes_first_then_what_runs_and_waits(
    cast: Cast, client_of: ClientOf, story: Story, told: Told
) -> None:
    story.planned("web").planned("db").planned("dns").planned("aws_vpc.main").total(4)
    story.started("aws_vpc.main").done("aws_vpc.main").started("web").started("db").failed("db")
    story.error("db", "no subnet covers two zones", "It needs two.")
    run_id = told(story, command="apply", actor="deploy-bot", commit="3f9c2e1d").run_id
    page = client_of(cast.viewer).get(f"/runs/{run_id}").text
    order = ["aws_db_instance.orders", "aws_instance.web", "aws_route53_record.shop", "aws_vpc.main"]
    assert [page.index(f"<bdi>{words}<") for words in order] == sorted(page.index(f"<bdi>{words}<") for words in order)
    assert "no subnet covers two zones" in page and "by <bdi>deploy-bot" in page and "1 of 4" in page
    assert '<rect x="' in page and "style=" not in page


def test_at_the_end_it_says_done_failed_and_not_started(
    cast: Cast, client_of: ClientOf, story: Story, told: Told
) -> None:
    story.planned("web").planned("db").planned("dns").total(3).started("web").done("web").started("db").failed("db")
    run_id = told(story.error("db", "no subnet").ended("failed"), end="1").run_id
    page = client_of(cast.viewer).get(f"/runs/{run_id}").text
    figures = dict(re.findall(r"<dt>([^<]+)</dt><dd[^>]*>([^<]+)", page))
    assert (figures["Done"], figures["Failed"], figures["Not started"]) == ("1 of 3", "1", "1")
    assert "In flight" not in figures and "Took" in figures


def test_an_unchanged_poll_is_one_statement_and_a_changed_one_equals_the_page(
    cast: Cast, client_of: ClientOf, story: Story, told: Told
) -> None:
    run_id = told(story.planned("web").total(1).started("web")).run_id
    client = client_of(cast.viewer)
    address = poll_url(client.get(f"/runs/{run_id}").text)
    with count_statements() as statements:
        assert client.get(address).status_code == 204
    assert len(statements) == 1, statements
    told(story.done("web").ended(), end="0")
    answer, page = client.get(address).text, client.get(f"/runs/{run_id}").text
    assert "Succeeded" in answer and 'hx-swap-oob="innerMorph:#live-region"' in answer
    assert poll_url(answer) == poll_url(page)


def test_many_steps_are_listed_in_parts(cast: Cast, client_of: ClientOf, story: Story, told: Told) -> None:
    names = [f"aws_vpc.net{number:03}" for number in range(STEPS_SHOWN + 50)]
    for name in names:
        story.planned(name)
    run_id = told(story.total(len(names)).started(names[-1])).run_id
    client = client_of(cast.viewer)
    page = client.get(f"/runs/{run_id}").text
    assert page.count("<li class") == STEPS_SHOWN + 1 and names[-1] in page
    assert f"Show all {len(names) - 1}" in page
    whole = client.get(f"/runs/{run_id}?all=waiting").text
    assert whole.count("<li class") == len(names)
    # What it polls lists as much.
    assert "all=waiting" in poll_url(whole)


def test_lines_that_never_arrived_are_told(cast: Cast, client_of: ClientOf, story: Story, told: Told) -> None:
    told(story.planned("web").total(1))
    late = [replace(line, sequence=line.sequence + 40) for line in Story(story.start).started("web").lines]
    story.lines[:] = late
    run_id = told(story).run_id
    assert "have not arrived: 2–39." in client_of(cast.viewer).get(f"/runs/{run_id}").text


def test_an_error_of_the_run_itself_is_shown_first(cast: Cast, client_of: ClientOf, story: Story, told: Told) -> None:
    run_id = told(story.error("", "Error acquiring the state lock", "Who: ada").ended("failed"), end="1").run_id
    page = client_of(cast.viewer).get(f"/runs/{run_id}").text
    assert "Error acquiring the state lock" in page and "No steps" in page


def test_a_member_with_full_permission_closes_a_lost_run(cast: Cast, client_of: ClientOf, told: Told) -> None:
    run_id = lost(told)
    client = client_of(cast.operator)
    assert "Close this run" in client.get(f"/runs/{run_id}").text
    answer = client.post(f"/runs/{run_id}/close", follow_redirects=True)
    assert "The run is closed." in answer.text and "Interrupted" in answer.text
    assert Run.get_by_id(run_id).outcome == "interrupted"
    assert [deed.action for deed in AuditEntry.select()] == ["run.closed"]
    # The second click finds it ended already.
    assert client.post(f"/runs/{run_id}/close").status_code == 409


@pytest.mark.parametrize(("who", "status"), [("viewer", 403), ("outsider", 403), ("stranger", 404)])
def test_nobody_else_closes_it(who: str, status: int, cast: Cast, client_of: ClientOf, told: Told) -> None:
    run_id = lost(told)
    client = client_of(cast.by_name(who))
    assert client.post(f"/runs/{run_id}/close").status_code == status
    assert Run.get_by_id(run_id).phase != "finished"


def test_a_viewer_is_not_offered_to_close_it(cast: Cast, client_of: ClientOf, told: Told) -> None:
    page = client_of(cast.viewer).get(f"/runs/{lost(told)}").text
    assert "Last word" in page and "Close this run" not in page


def test_a_run_that_speaks_cannot_be_closed(cast: Cast, client_of: ClientOf, story: Story, told: Told) -> None:
    run_id = told(story.planned("web").total(1)).run_id
    client = client_of(cast.operator)
    assert "Close this run" not in client.get(f"/runs/{run_id}").text
    answer = client.post(f"/runs/{run_id}/close")
    assert answer.status_code == 409 and "still speaks" in answer.text


def test_the_list_is_newest_first_and_narrows_to_a_stack(
    cast: Cast, client_of: ClientOf, story: Story, told: Told
) -> None:
    told(Story(story.start - 60_000).planned("web").total(1), key="first", command="plan")
    run_id = told(story.planned("db").total(1), key="second", command="apply").run_id
    client = client_of(cast.viewer)
    page = client.get("/runs").text
    assert page.index("</bdi> apply") < page.index("</bdi> plan")
    stack_id = Run.get_by_id(run_id).stack_id
    narrowed = client.get(f"/runs?stack={stack_id}").text
    assert "</bdi> apply" in narrowed and f"stack={stack_id}" in poll_url(narrowed)
    assert "No runs yet" in client.get("/runs?stack=stk_none").text


def test_the_lists_unchanged_poll_is_one_statement(cast: Cast, client_of: ClientOf, story: Story, told: Told) -> None:
    told(story.planned("web").total(1))
    client = client_of(cast.viewer)
    address = poll_url(client.get("/runs").text)
    with count_statements() as statements:
        assert client.get(address).status_code == 204
    assert len(statements) == 1, statements
    told(story.started("web"))
    assert "1 in flight" in client.get(address).text


@pytest.mark.parametrize("address", ["/runs/{id}", "/fragments/runs/{id}"])
def test_nobody_else_sees_it(address: str, cast: Cast, client_of: ClientOf, story: Story, told: Told) -> None:
    path = address.format(id=told(story.planned("web").total(1)).run_id)
    assert client_of(cast.viewer).get(path).status_code == 200
    assert client_of(cast.outsider).get(path).status_code == 403
    assert client_of(cast.stranger).get(path).status_code == 404


def test_a_job_address_that_is_no_web_page_is_no_link(
    cast: Cast, client_of: ClientOf, story: Story, told: Told
) -> None:
    run_id = told(story.planned("web").total(1), job_url="javascript:alert(1)").run_id
    assert "javascript:" not in client_of(cast.viewer).get(f"/runs/{run_id}").text
