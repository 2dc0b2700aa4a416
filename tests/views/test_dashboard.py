"""The dashboard's page and its poll, as a client without a browser gets them."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape

from flask.testing import FlaskClient

from models import ApiToken, User
from tests.harness.cast import Cast
from tests.harness.statements import count_statements
from tests.provisioning.story import Story, resource_at
from tests.views.conftest import Told

ClientOf = Callable[[User], FlaskClient]


def poll_url(page: str) -> str:
    """Where the page asks for what changed."""
    found = re.search(r'hx-get="([^"]+)"', page)
    assert found is not None
    return unescape(found[1])


def test_a_failed_card_comes_first_with_its_error_and_ways_on(
    cast: Cast, client_of: ClientOf, story: Story, told: Told
) -> None:
    story.planned("web").planned("db").total(2).started("web").done("web")
    story.started("db").failed("db").error("db", "no subnet <b>covers</b> two zones", "It needs two.").ended("failed")
    run = told(story, end="1").run_id
    page = client_of(cast.viewer).get("/").text
    in_order = ("Needs attention", ">orders<", "Done <span", ">web<")
    assert [page.index(words) for words in in_order] == sorted(page.index(words) for words in in_order)
    assert "Creating failed" in page
    assert "no subnet &lt;b&gt;covers&lt;/b&gt; two zones" in page and "<b>covers" not in page
    assert f'href="/runs/{run}"' in page and f'href="/p/{resource_at("db").id}/history"' in page
    assert "style=" not in page and "<style" not in page and "onclick" not in page


def test_an_unchanged_poll_is_one_statement_and_no_content(
    cast: Cast, client_of: ClientOf, story: Story, told: Told
) -> None:
    told(story.planned("web").total(1))
    client = client_of(cast.viewer)
    address = poll_url(client.get("/").text)
    with count_statements() as statements:
        answer = client.get(address, headers={"HX-Request": "true"})
    assert (answer.status_code, answer.data) == (204, b"")
    assert len(statements) == 1, statements


def test_a_changed_card_is_sent_alone_where_the_list_stays_as_it_is(
    cast: Cast, client_of: ClientOf, story: Story, told: Told
) -> None:
    told(Story(story.start - 5_000).planned("db").total(1), key="other")
    told(story.planned("web").total(1))
    client = client_of(cast.viewer)
    address = poll_url(client.get("/").text)
    told(Story(story.start + 30_000).planned("web").total(1), key="again")
    answer = client.get(address, headers={"HX-Request": "true"}).text
    web, other = resource_at("web").id, resource_at("db").id
    assert f'id="card-{web}"' in answer and f'id="card-{other}"' not in answer
    assert 'hx-swap-oob="outerMorph"' in answer and "innerMorph" not in answer
    # The new poller asks from the new revision on.
    assert client.get(poll_url(answer)).status_code == 204


def test_the_whole_list_is_sent_where_a_card_comes_or_moves(
    cast: Cast, client_of: ClientOf, story: Story, told: Told
) -> None:
    client = client_of(cast.viewer)
    address = poll_url(client.get("/").text)
    told(story.planned("web").total(1))
    answer = client.get(address, headers={"HX-Request": "true"}).text
    assert 'hx-swap-oob="innerMorph:#operations"' in answer
    assert f'id="card-{resource_at("web").id}"' in answer


def test_the_poll_keeps_to_the_filters_of_its_page(cast: Cast, client_of: ClientOf, story: Story, told: Told) -> None:
    told(story.planned("web").planned("db").total(2))
    client = client_of(cast.viewer)
    page = client.get("/?type=database&q=ord").text
    assert ">orders<" in page and ">web<" not in page
    address = poll_url(page)
    assert "type=database" in address and "q=ord" in address
    told(Story(story.start + 9_000).started("web").started("db"), first=3)
    answer = client.get(address).text
    assert ">orders<" in answer and ">web<" not in answer


def test_chips_narrow_the_list_and_widen_it_again(cast: Cast, client_of: ClientOf, story: Story, told: Told) -> None:
    told(story.planned("web").planned("db").total(2).started("web"))
    client = client_of(cast.viewer)
    assert 'href="/?type=server&amp;status=provisioning"' not in client.get("/").text
    page = client.get("/?type=server&status=validating").text
    assert 'href="/?status=provisioning&amp;type=server"' in page
    assert re.search(r'href="/\?type=server" data-status="validating" aria-current="true"', page)
    assert "Nothing matches" in page


def test_an_unknown_status_in_the_address_is_named_with_those_that_exist(cast: Cast, client_of: ClientOf) -> None:
    answer = client_of(cast.viewer).get("/?status=purple")
    assert answer.status_code == 422
    assert "purple" in answer.text and "stalled" in answer.text


def test_older_cards_are_a_link_away(cast: Cast, client_of: ClientOf, story: Story, told: Told) -> None:
    names = [f"aws_instance.host{number:03}" for number in range(60)]
    for name in names:
        story.planned(name)
    told(story.total(60))
    client = client_of(cast.viewer)
    first = client.get("/?type=server").text
    older = re.search(r'rel="next" href="([^"]+)"', first)
    assert older is not None and "type=server" in older[1]
    second = client.get(unescape(older[1])).text
    shown = [set(re.findall(r"host\d{3}", page)) for page in (first, second)]
    assert len(shown[0]) == 50 and len(shown[1]) == 10 and not shown[0] & shown[1]
    assert 'rel="next"' not in second and ">Latest<" in second


def test_the_first_run_is_explained_with_this_servers_address(cast: Cast, client_of: ClientOf) -> None:
    page = client_of(cast.owner).get("/").text
    assert "curl -fsSo slipway_reporter.py http://localhost/reporter.py" in page
    assert "terraform apply -json -auto-approve | python3 slipway_reporter.py terraform --stack prod" in page
    assert "Make a token for this" in page


def test_the_token_of_the_first_run_is_shown_once_in_the_command(cast: Cast, client_of: ClientOf) -> None:
    client = client_of(cast.owner)
    answer = client.post("/first-token")
    assert answer.headers["Cache-Control"] == "no-store"
    token = ApiToken.get()
    assert token.scopes == "ingest"
    assert f"SLIPWAY_TOKEN={token.prefix}" in answer.text
    assert token.prefix not in client.get("/").text
    # What the open page polls does not take the token away.
    assert "first-run" not in client.get(poll_url(answer.text).replace("since=0", "since=99")).text


def test_who_may_make_no_token_is_told_whom_to_ask(cast: Cast, client_of: ClientOf) -> None:
    client = client_of(cast.operator)
    page = client.get("/").text
    assert "Make a token" not in page and "Ask Ada Owner" in page
    assert client.post("/first-token").status_code == 403
    assert ApiToken.select().count() == 0


def test_no_token_is_made_where_runs_have_come(cast: Cast, client_of: ClientOf, story: Story, told: Told) -> None:
    told(story.planned("web").total(1))
    answer = client_of(cast.owner).post("/first-token")
    assert (answer.status_code, answer.location) == (303, "/settings/tokens")
    assert ApiToken.select().count() == 0


def test_strangers_poll_nothing_of_it(cast: Cast, client_of: ClientOf, story: Story, told: Told) -> None:
    told(story.planned("web").total(1))
    client = client_of(cast.stranger)
    assert ">web<" not in client.get("/").text
    assert ">web<" not in client.get("/fragments/operations?since=0").text
