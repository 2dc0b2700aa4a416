"""A resource's page, its card as polls get it, and its history."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask, render_template
from flask.testing import FlaskClient

from models import User
from provisioning import liveness
from provisioning.queries import get_provision_status
from provisioning.readers import Reader
from tests.harness.cast import Cast
from tests.harness.statements import count_statements
from tests.provisioning.story import Story, resource_at
from tests.views.conftest import Told
from views.clock import now_ms

ClientOf = Callable[[User], FlaskClient]
POLL = {"HX-Request": "true"}


def test_a_card_says_in_one_sentence_what_is_being_done(
    cast: Cast, client_of: ClientOf, story: Story, told: Told
) -> None:
    run = told(story.planned("web").planned("db").total(2).started("web"), command="apply", actor="deploy-bot").run_id
    page = client_of(cast.viewer).get(f"/p/{resource_at('web').id}").text
    for words in (
        '<bdi>web</bdi></h1>', '<span class="verb">Creating</span>', "Server", "Terraform", "run: 0 of 2, 1 in flight",
        'data-tick="elapsed"', f'href="/runs/{run}"', "aws_instance.web", "<progress aria-label",
    ):  # fmt: skip
        assert words in page, words
    assert "value=" not in page.split("<progress")[1].split(">")[0]


def test_the_card_of_a_moving_resource_asks_often_and_a_settled_one_seldom(
    cast: Cast, client_of: ClientOf, story: Story, told: Told
) -> None:
    told(story.planned("web").total(1).started("web"))
    address = f"/cards/{resource_at('web').id}"
    client = client_of(cast.viewer)
    assert 'hx-trigger="every 2000ms,' in client.get(address).text
    told(story.done("web").ended(), end="0")
    assert 'hx-trigger="every 30000ms,' in client.get(address).text


def test_an_unchanged_poll_is_one_statement_and_no_content(
    cast: Cast, client_of: ClientOf, story: Story, told: Told
) -> None:
    told(story.planned("web").total(1).started("web"))
    client, web = client_of(cast.viewer), resource_at("web")
    with count_statements() as statements:
        answer = client.get(f"/cards/{web.id}?rev={web.revision}", headers=POLL)
    assert (answer.status_code, answer.data) == (204, b"")
    assert len(statements) == 1, statements
    told(story.done("web").ended(), end="0")
    answer = client.get(f"/cards/{web.id}?rev={web.revision}", headers=POLL)
    assert 'hx-swap-oob="outerMorph"' in answer.text and "Created" in answer.text


def test_the_card_without_a_poll_carries_nothing_of_htmx_swaps(
    cast: Cast, client_of: ClientOf, story: Story, told: Told
) -> None:
    told(story.planned("web").total(1))
    assert "hx-swap-oob" not in client_of(cast.viewer).get(f"/cards/{resource_at('web').id}").text


def test_a_stalled_card_says_since_when_and_why(cast: Cast, client_of: ClientOf, told: Told) -> None:
    story = Story(now_ms() - 7_200_000)
    told(story.planned("web").total(1).started("web"))
    liveness.watch(now_ms() + 3_600_000, quiet_after_ms=30_000, lost_after_ms=900_000)
    page = client_of(cast.viewer).get(f"/p/{resource_at('web').id}").text
    assert 'data-status="stalled"' in page and "Creating, stalled, no word for" in page
    assert "No word for longer than its time-out." in page


def test_a_quiet_card_tells_its_last_word(cast: Cast, client_of: ClientOf, story: Story, told: Told) -> None:
    told(story.planned("web").total(1).started("web"))
    liveness.watch(now_ms() + 60_000, quiet_after_ms=30_000, lost_after_ms=900_000)
    page = client_of(cast.viewer).get(f"/p/{resource_at('web').id}").text
    assert "last word" in page and 'data-tick="since"' in page and 'data-status="provisioning"' in page


def test_a_deleted_resource_keeps_its_card_and_history(
    cast: Cast, client_of: ClientOf, story: Story, told: Told
) -> None:
    told(story.planned("web").total(1).started("web").done("web").ended(), end="0")
    after = Story(story.start + 20_000).planned("web", "delete").total(1).started("web", "delete").done("web", "delete")
    told(after.ended(), key="run-2", end="0")
    client, web = client_of(cast.viewer), resource_at("web")
    assert ">web<" not in client.get("/").text
    assert '<span class="verb">Deleted</span>' in client.get(f"/p/{web.id}").text
    assert "Planned to delete" in client.get(f"/p/{web.id}/history").text


def test_an_id_that_several_resources_have_is_a_choice(
    cast: Cast, client_of: ClientOf, story: Story, told: Told
) -> None:
    told(story.planned("web").planned("db").total(2))
    web, orders = resource_at("web"), resource_at("db")
    for one in (web, orders):
        one.provider_resource_id = "arn:aws:elb/app/one"
        one.save()
    answer = client_of(cast.viewer).get("/p/arn:aws:elb/app/one")
    assert answer.status_code == 409
    assert f'href="/p/{web.id}"' in answer.text and f'href="/p/{orders.id}"' in answer.text
    orders.provider_resource_id = None
    orders.save()
    assert client_of(cast.viewer).get("/p/arn:aws:elb/app/one").status_code == 200


def test_history_tells_every_attempt_newest_first(cast: Cast, client_of: ClientOf, story: Story, told: Told) -> None:
    story.planned("db").total(1).started("db").failed("db").error("db", "no subnet", "It needs two.").ended("failed")
    told(story, end="1")
    again = Story(story.start + 30_000).planned("db", "replace").total(2).started("db").done("db").ended()
    told(again, key="run-2", end="0")
    page = client_of(cast.viewer).get(f"/p/{resource_at('db').id}/history").text
    order = ["Created", "Creating failed", "Creating began", "Planned to create"]
    assert [page.rindex(f">{words}<") for words in order] == sorted(page.rindex(f">{words}<") for words in order)
    assert "no subnet" in page and page.count("Open run") == 2


@pytest.mark.parametrize("address", ["/p/{id}", "/p/{id}/history", "/cards/{id}", "/fragments/history/{id}"])
def test_nobody_else_sees_it(address: str, cast: Cast, client_of: ClientOf, story: Story, told: Told) -> None:
    told(story.planned("web").total(1))
    path = address.format(id=resource_at("web").id)
    assert client_of(cast.viewer).get(path).status_code == 200
    assert client_of(cast.outsider).get(path).status_code == 403
    assert client_of(cast.stranger).get(path).status_code == 404


@pytest.mark.parametrize(
    ("shown", "present", "absent"),
    [
        ("status", ["orders", "Creating failed"], ["no subnet", "It needs two.", "prod", "/runs/", "aws_db_instance"]),
        ("error", ["Creating failed", "no subnet", "It needs two."], ["prod", "/runs/", "Open run", "Copy error"]),
        ("details", ["no subnet", "prod", "/runs/", "Copy error"], []),
    ],
)
def test_a_card_tells_no_more_than_may_be_shown(
    shown: str, present: list[str], absent: list[str], app: Flask, cast: Cast, story: Story, told: Told
) -> None:
    told(story.planned("db").total(1).started("db").failed("db").error("db", "no subnet", "It needs two."))
    card = get_provision_status(Reader(user_id=cast.viewer.id), resource_at("db").id)
    with app.test_request_context():
        text = render_template("_card.html", card=card, now=now_ms(), shown=shown)
    assert [words for words in present if words not in text] == []
    assert [words for words in absent if words in text] == []


def test_a_known_number_of_steps_is_a_real_share(app: Flask, cast: Cast, story: Story, told: Told) -> None:
    story.planned("web", "replace").total(2).started("web", "delete").done("web", "delete").started("web")
    told(story)
    card: Any = get_provision_status(Reader(user_id=cast.viewer.id), resource_at("web").id)
    with app.test_request_context():
        text = render_template("_card.html", card=card, now=now_ms())
    assert '<progress value="1" max="2"' in text and "1 of 2 steps" in text and "Replacing" in text
