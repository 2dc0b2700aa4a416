"""The list of stacks, and a stack's answer to "is prod up?"."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape

import pytest
from flask.testing import FlaskClient

from models import Run, Stack, User
from tests.harness.cast import Cast
from tests.harness.statements import count_statements
from tests.provisioning.story import Story
from tests.views.conftest import Told

ClientOf = Callable[[User], FlaskClient]


def poll_url(page: str) -> str:
    """Where the page asks for what changed."""
    found = re.search(r'hx-get="([^"]+)"', page)
    assert found is not None
    return unescape(found[1])


def test_the_verdict_follows_what_happens(cast: Cast, client_of: ClientOf, story: Story, told: Told) -> None:
    told(story.planned("web").planned("db").total(2).started("web").started("db"))
    client, stack_id = client_of(cast.viewer), Stack.get().id
    assert "2 of 2 resources changing" in client.get(f"/stacks/{stack_id}").text
    address = poll_url(client.get(f"/stacks/{stack_id}").text)
    told(story.done("web").done("db").ended(), end="0")
    answer = client.get(address).text
    assert "Up: 2 resources" in answer and 'hx-swap-oob="innerMorph:#live-region"' in answer
    again = Story(story.start + 30_000).planned("db", "update").total(1).started("db", "update").failed("db", "update")
    told(again.error("db", "no subnet").ended("failed"), key="run-2", end="1")
    page = client.get(f"/stacks/{stack_id}").text
    assert "1 of 2 resources failed" in page and page.count("run-row") == 2
    assert page.index(">orders<") < page.index(">web<")
    assert "1 of 2 resources failed" in client.get("/stacks").text


def test_a_run_that_failed_before_its_first_step_is_told(
    cast: Cast, client_of: ClientOf, story: Story, told: Told
) -> None:
    told(story.planned("web").total(1).started("web").done("web").ended(), end="0")
    told(Story(story.start + 20_000).error("", "state lock").ended("failed"), key="run-2", end="1")
    assert "The latest run: failed" in client_of(cast.viewer).get(f"/stacks/{Stack.get().id}").text


def test_unchanged_polls_are_one_statement(cast: Cast, client_of: ClientOf, story: Story, told: Told) -> None:
    told(story.planned("web").total(1))
    client = client_of(cast.viewer)
    for page in ("/stacks", f"/stacks/{Stack.get().id}"):
        address = poll_url(client.get(page).text)
        with count_statements() as statements:
            assert client.get(address).status_code == 204
        assert len(statements) == 1, statements


def many_stacks(cast: Cast, count: int) -> list[Stack]:
    """Stacks of one organisation, each of which ran later than the one before."""
    return [
        Stack.create(
            organization=cast.organization,
            engine="terraform",
            name=f"team-{number:03}",
            last_run_at=number,
            created_at=0,
        )
        for number in range(count)
    ]


def test_older_stacks_are_a_link_away_and_found_by_name(cast: Cast, client_of: ClientOf) -> None:
    stacks = many_stacks(cast, 60)
    client = client_of(cast.viewer)
    first = client.get("/stacks").text
    assert first.index(">team-059<") < first.index(">team-010<") and ">team-009<" not in first
    older = re.search(r'rel="next" href="([^"]+)"', first)
    assert older is not None
    second = client.get(unescape(older[1])).text
    assert ">team-009<" in second and ">team-000<" in second and ">team-010<" not in second
    assert client.get(poll_url(second)).status_code == 204
    found = client.get("/stacks?q=TEAM-00").text
    assert ">team-003<" in found and ">team-013<" not in found and 'value="TEAM-00"' in found
    # What is typed is no pattern.
    assert "No stack’s name holds “%”" in client.get("/stacks?q=%25").text
    address = poll_url(client.get("/stacks?q=team-00").text)
    Stack.update(name="team-0x").where(Stack.id == stacks[3].id).execute()
    cast.organization.revision += 1
    cast.organization.save()
    answer = client.get(address).text
    assert ">team-0x<" not in answer and ">team-004<" in answer


def test_a_dashboards_filter_offers_the_stacks_that_ran_last_and_the_chosen_one(
    cast: Cast, client_of: ClientOf, story: Story, told: Told
) -> None:
    told(story.planned("web").total(1))
    stacks = many_stacks(cast, 60)
    client = client_of(cast.viewer)
    page = client.get("/").text
    assert page.count("<option") < 80
    assert ">team-059</option>" in page and ">team-005</option>" not in page
    assert "Others: search their name" in page
    chosen = client.get(f"/?stack={stacks[5].id}").text
    assert f'<option value="{stacks[5].id}" selected>team-005</option>' in chosen
    other = Stack.create(organization=cast.other_organization, engine="terraform", name="theirs", created_at=0)
    assert "theirs" not in client.get(f"/?stack={other.id}").text


def test_an_organisation_without_stacks_is_told_how_one_comes(cast: Cast, client_of: ClientOf) -> None:
    assert "No stacks yet" in client_of(cast.viewer).get("/stacks").text


@pytest.mark.parametrize("address", ["/stacks/{id}", "/fragments/stacks/{id}"])
def test_nobody_else_sees_it(address: str, cast: Cast, client_of: ClientOf, story: Story, told: Told) -> None:
    path = address.format(id=Run.get_by_id(told(story.planned("web").total(1)).run_id).stack_id)
    assert client_of(cast.viewer).get(path).status_code == 200
    assert client_of(cast.outsider).get(path).status_code == 403
    assert client_of(cast.stranger).get(path).status_code == 404
