"""The pages of members: who may share, what the form says, and the list."""

from __future__ import annotations

import html
import re

import pytest
from flask.testing import FlaskClient
from markdown_it import MarkdownIt

from models import Database, ShareLink
from tests.harness.cast import Cast, sign_in
from tests.shares.conftest import LATER, Make, Scene

GOOD = {"fields": "error", "expires_in": "1d", "allowed_origins": "https://a.example, https://b.example\n"}


@pytest.mark.parametrize(("who", "status"), [("owner", 200), ("operator", 200), ("viewer", 403), ("outsider", 403),
                                             ("stranger", 404)])  # fmt: skip
@pytest.mark.parametrize("kind", ["failed", "run", "stack", "organization"])
def test_those_who_may_change_it_may_share_it(
    client: FlaskClient, scene: Scene, cast: Cast, who: str, status: int, kind: str
) -> None:
    sign_in(client, cast.by_name(who))
    subject = scene.by_kind(kind)
    assert client.get(f"/shares/new?subject={subject}").status_code == status
    assert client.post("/shares/new", data=GOOD | {"subject": subject}).status_code == status
    assert ShareLink.select().count() == (status == 200)


def test_the_link_is_shown_once(client: FlaskClient, scene: Scene, cast: Cast) -> None:
    sign_in(client, cast.owner)
    page = client.post("/shares/new", data=GOOD | {"subject": scene.failed})
    [token] = set(re.findall(r"share_[\w-]{43}", page.text))
    assert page.headers["Cache-Control"] == "no-store"
    assert "frame-src 'self'" in page.headers["Content-Security-Policy"]
    row = ShareLink.get()
    assert row.allowed_origins == ["https://a.example", "https://b.example"]
    assert row.expires_at == LATER + 86_400_000 and row.created_by_id == cast.owner.id
    for path in ("/shares", f"/shares/new?subject={scene.failed}", "/settings/audit"):
        assert token not in client.get(path).text


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"fields": "all"}, "none of status"),
        ({"allowed_origins": "wiki"}, "is no origin"),
        ({"expires_in": "9y"}, "no time"),
    ],
)
def test_a_fault_is_told_and_nothing_is_made(
    client: FlaskClient, scene: Scene, cast: Cast, change: dict[str, str], said: str
) -> None:
    sign_in(client, cast.owner)
    answer = client.post("/shares/new", data=GOOD | {"subject": scene.failed} | change)
    assert answer.status_code == 422 and said in answer.text
    assert not ShareLink.select().count()


@pytest.mark.parametrize(
    "name", ["orders", "orders[0]", 'db["a b"]', "]", "a*b*c", "<b>&amp;`x`", "back\\slash[", "名前"]
)
def test_the_markdown_is_a_picture_that_links_whatever_the_name_is(
    client: FlaskClient, scene: Scene, cast: Cast, name: str
) -> None:
    Database.update(name=name).where(Database.id == scene.failed).execute()
    sign_in(client, cast.owner)
    page = client.post("/shares/new", data=GOOD | {"subject": scene.failed}).text
    for snippet, ending in (("badge-text", ".svg"), ("card-text", ".svg?style=card")):
        [given] = re.findall(rf'<pre id="{snippet}">(.*?)</pre>', page, re.S)
        [block] = [one for one in MarkdownIt("commonmark").parse(html.unescape(given)) if one.type == "inline"]
        link, image, _ = block.children or []
        address = str(link.attrs["href"])
        assert re.fullmatch(r"http://localhost/s/share_[\w-]{43}", address)
        assert (image.type, image.attrs["src"]) == ("image", address + ending)
        assert "".join(one.content for one in image.children or []) == name


def test_the_list_renews_and_revokes(client: FlaskClient, scene: Scene, cast: Cast, make: Make) -> None:
    made = make(scene.failed, expires_in_s=60)
    sign_in(client, cast.operator)
    assert "ended" in client.get("/shares").text
    assert client.post(f"/shares/{made.id}/renew", data={"expires_in": "30d"}).status_code == 303
    assert ShareLink.get().expires_at == LATER + 30 * 86_400_000
    assert client.post(f"/shares/{made.id}/revoke").status_code == 303
    assert client.get(f"/s/{made.token}").status_code == 410
    assert client.post(f"/shares/{made.id}/renew", data={"expires_in": "30d"}).status_code == 409
    sign_in(client, cast.stranger)
    assert client.post(f"/shares/{made.id}/revoke").status_code == 404


def test_opening_a_link_counts_and_polling_does_not(client: FlaskClient, scene: Scene, cast: Cast, make: Make) -> None:
    token = make(scene.failed).token
    for address in ("/s/{t}", "/s/{t}.svg", "/s/{t}?rev=0", "/embed/{t}.json?rev=0"):
        client.get(address.format(t=token))
    sign_in(client, cast.owner)
    client.get("/shares")
    row = ShareLink.get()
    assert (row.uses, row.last_used_at) == (2, LATER)


def test_a_signed_out_member_comes_back_to_the_permalink(client: FlaskClient, scene: Scene) -> None:
    answer = client.get(f"/p/{scene.failed}")
    assert (answer.status_code, answer.headers["Location"]) == (303, f"/signin?next=/p/{scene.failed}")
