"""Tokens that are wrong, over or for other pages; and what every answer of a link carries."""

from __future__ import annotations

import re
import time

import pytest
from flask.testing import FlaskClient

from models import Run, ShareLink
from provisioning.audit import COMMAND_LINE
from provisioning.shares import revoke_link
from tests.harness.cast import Cast, sign_in
from tests.harness.statements import count_statements
from tests.shares.conftest import Clock, Make, Scene
from tests.shares.test_what_a_link_shows import ADDRESSES

HOUR = 3_600_000
WIKI = "https://wiki.example"


@pytest.mark.parametrize("address", ADDRESSES)
class TestAWrongToken:
    def test_gets_one_answer_however_it_is_wrong(
        self, visitor: FlaskClient, scene: Scene, make: Make, address: str
    ) -> None:
        token = make(scene.failed).token
        last = "A" if token[-1] != "A" else "B"
        wrong = {token[:-1], token[:-1] + last, token.swapcase(), "share_guess", "x" * 200, scene.failed, "..%2e"}
        answers = {(answer.status_code, answer.text, answer.headers["Content-Type"])
                   for answer in (visitor.get(address.format(t=one)) for one in wrong)}  # fmt: skip
        [(status, text, _)] = answers
        assert status == 404
        assert "orders" not in text and "Acme" not in text and token not in text

    def test_of_what_has_ended_gets_410_and_a_sentence(
        self, visitor: FlaskClient, scene: Scene, make: Make, clock: Clock, cast: Cast, address: str
    ) -> None:
        made = make(scene.failed, "details", expires_in_s=3600)
        clock.now += HOUR
        expired = visitor.get(address.format(t=made.token))
        clock.now -= HOUR
        revoke_link(organization_id=cast.organization.id, link_id=made.id, actor=COMMAND_LINE, now=clock.now)
        revoked = visitor.get(address.format(t=made.token))
        for answer, word in ((expired, "expired"), (revoked, "revoked")):
            assert answer.status_code == 410
            told = re.sub(r"<[^>]+>", " ", answer.text).lower()
            assert word in told or "the time of this link is over" in told
            assert "sentinel" not in answer.text and "orders" not in answer.text
            assert answer.headers["Cache-Control"] == "no-store"

    def test_and_a_right_one_carry_the_same_headers(
        self, visitor: FlaskClient, scene: Scene, make: Make, cast: Cast, address: str
    ) -> None:
        # The cookie of a member in the same browser is neither read nor set.
        sign_in(visitor, cast.owner)
        for token in (make(scene.failed).token, "share_guess"):
            answer = visitor.get(address.format(t=token))
            assert answer.headers["X-Robots-Tag"] == "noindex, nofollow"
            assert answer.headers["Referrer-Policy"] == "no-referrer"
            assert "Set-Cookie" not in answer.headers
            assert "Cookie" not in answer.headers.get("Vary", "")
            assert "unsafe-eval" not in answer.headers["Content-Security-Policy"]
            assert "Ada" not in answer.get_data(as_text=True) if answer.mimetype != "image/png" else True

    def test_another_sites_page_gets_nothing(
        self, visitor: FlaskClient, scene: Scene, make: Make, address: str
    ) -> None:
        token = make(scene.failed, "details", allowed_origins=[WIKI]).token
        for origin in ("https://evil.example", "null", "https://wiki.example.evil.example", "http://wiki.example", "x"):
            answer = visitor.get(address.format(t=token), headers={"Origin": origin})
            assert answer.status_code == 403
            assert "Access-Control-Allow-Origin" not in answer.headers
            assert "orders" not in answer.text and "sentinel" not in answer.text
        allowed = visitor.get(address.format(t=token), headers={"Origin": WIKI})
        assert allowed.status_code == 200
        assert allowed.headers["Access-Control-Allow-Origin"] == WIKI
        assert "Access-Control-Allow-Credentials" not in allowed.headers
        assert "Origin" in allowed.headers["Vary"]

    def test_a_link_without_origins_is_for_no_other_page(
        self, visitor: FlaskClient, scene: Scene, make: Make, address: str
    ) -> None:
        token = make(scene.failed).token
        assert visitor.get(address.format(t=token), headers={"Origin": WIKI}).status_code == 403
        own = visitor.get(address.format(t=token), headers={"Origin": "http://localhost"})
        assert own.status_code == 200


def test_a_page_that_embeds_hears_that_the_link_has_ended(
    visitor: FlaskClient, scene: Scene, make: Make, cast: Cast, clock: Clock
) -> None:
    made = make(scene.failed, allowed_origins=[WIKI])
    revoke_link(organization_id=cast.organization.id, link_id=made.id, actor=COMMAND_LINE, now=clock.now)
    for address in (f"/embed/{made.token}.json?rev=1", f"/embed/{made.token}/fragment?rev=1"):
        answer = visitor.get(address, headers={"Origin": WIKI})
        assert (answer.status_code, answer.headers["Access-Control-Allow-Origin"]) == (410, WIKI)
    frame = visitor.get(f"/embed/{made.token}")
    assert frame.status_code == 410
    assert f"frame-ancestors 'self' {WIKI}" in frame.headers["Content-Security-Policy"]
    # A frame has room for a card, not for a page.
    assert "was revoked" in frame.text and "<header" not in frame.text


def test_only_the_links_origins_may_frame_it(visitor: FlaskClient, scene: Scene, make: Make) -> None:
    token = make(scene.failed, allowed_origins=[WIKI, "http://localhost:3000"]).token
    policy = visitor.get(f"/embed/{token}").headers["Content-Security-Policy"]
    assert policy.endswith(f"frame-ancestors 'self' {WIKI} http://localhost:3000")
    assert "unsafe" not in policy
    for address in (f"/s/{token}", f"/s/{token}.json"):
        assert "frame-ancestors 'none'" in visitor.get(address).headers["Content-Security-Policy"]
    alone = visitor.get(f"/embed/{make(scene.failed).token}")
    assert alone.headers["Content-Security-Policy"].endswith("frame-ancestors 'self'")


def test_a_browser_may_ask_first_for_the_fragment_alone(visitor: FlaskClient, scene: Scene, make: Make) -> None:
    token = make(scene.failed, allowed_origins=[WIKI]).token
    asked = {"Origin": WIKI, "Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "hx-request"}
    answer = visitor.options(f"/embed/{token}/fragment", headers=asked)
    assert answer.status_code == 204
    assert "HX-Request" in answer.headers["Access-Control-Allow-Headers"]
    assert answer.headers["Access-Control-Allow-Origin"] == WIKI
    foreign = visitor.options(f"/embed/{token}/fragment", headers=asked | {"Origin": "https://evil.example"})
    assert foreign.status_code == 403 and "Access-Control-Allow-Origin" not in foreign.headers
    assert visitor.options(f"/embed/{token}.json", headers=asked).status_code == 405


@pytest.mark.parametrize("kind", ["failed", "run", "stack"])
@pytest.mark.parametrize("path", ["/s/{t}", "/embed/{t}", "/embed/{t}/fragment", "/embed/{t}.json"])
def test_an_unchanged_poll_costs_one_statement(
    visitor: FlaskClient, scene: Scene, make: Make, kind: str, path: str
) -> None:
    token = make(scene.by_kind(kind), allowed_origins=[WIKI]).token
    revision = visitor.get(f"/s/{token}.json").get_json()["revision"]
    with count_statements() as statements:
        for _ in range(5):
            assert visitor.get(f"{path.format(t=token)}?rev={revision}").status_code == 204
    assert len(statements) == 5, statements
    allowed = visitor.get(f"{path.format(t=token)}?rev={revision}", headers={"Origin": WIKI})
    assert (allowed.status_code, allowed.headers["Access-Control-Allow-Origin"]) == (204, WIKI)
    looked_for = allowed.headers.get("Access-Control-Expose-Headers", "")
    assert ("HX-Trigger" in looked_for) == path.endswith("/fragment")
    assert allowed.headers["Vary"] == "Origin"
    foreign = visitor.get(f"{path.format(t=token)}?rev={revision}", headers={"Origin": "https://evil.example"})
    assert foreign.status_code == 403 and "Access-Control-Allow-Origin" not in foreign.headers
    changed = visitor.get(f"{path.format(t=token)}?rev={revision - 1}")
    assert changed.status_code == 200
    assert path.endswith(".json") or f"rev={revision}" in changed.text


@pytest.mark.parametrize("path", ["/s/{t}", "/embed/{t}", "/embed/{t}/fragment", "/embed/{t}.json"])
def test_a_poll_leaves_no_token_in_the_log(
    visitor: FlaskClient, scene: Scene, make: Make, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    token = make(scene.failed).token
    revision = visitor.get(f"/s/{token}.json").get_json()["revision"]
    caplog.clear()
    assert visitor.get(f"{path.format(t=token)}?rev={revision}").status_code == 204
    assert [record.getMessage().rpartition(" ")[0] for record in caplog.records] == [
        f"GET {path.format(t='<token>')} 204"
    ]


@pytest.mark.parametrize("query", ["rev=", "rev=x", "rev", "rev=1e3", "REV=1", "rev=99999999999999999999999"])
def test_a_poll_that_asks_for_nothing_known_gets_the_whole(
    visitor: FlaskClient, scene: Scene, make: Make, query: str
) -> None:
    token = make(scene.failed).token
    assert visitor.get(f"/s/{token}?{query}").status_code == 200


def test_a_poll_of_an_ended_link_loads_the_page_anew(
    visitor: FlaskClient, scene: Scene, make: Make, clock: Clock
) -> None:
    token = make(scene.failed, expires_in_s=3600).token
    clock.now += HOUR
    for path in (f"/s/{token}", f"/embed/{token}"):
        answer = visitor.get(f"{path}?rev=1", headers={"HX-Request": "true"})
        assert (answer.status_code, answer.headers["HX-Redirect"]) == (410, path)


@pytest.mark.parametrize("address", ["/s/{t}.svg", "/s/{t}.png?style=flat", "/s/{t}/shields.json", "/feeds/{t}.atom"])
def test_pictures_are_kept_for_seconds_and_asked_for_again(
    visitor: FlaskClient, scene: Scene, make: Make, address: str
) -> None:
    token = make(scene.stack).token
    first = visitor.get(address.format(t=token))
    assert re.fullmatch(r"max-age=(10|60), must-revalidate", first.headers["Cache-Control"])
    known = {"If-None-Match": first.headers["ETag"]}
    with count_statements() as statements:
        assert visitor.get(address.format(t=token), headers=known).status_code == 304
    assert len(statements) == 1
    from models import Stack

    Stack.update(revision=Stack.revision + 1).execute()
    assert visitor.get(address.format(t=token), headers=known).status_code == 200


class TestWaiting:
    def test_ends_with_a_change(self, visitor: FlaskClient, scene: Scene, make: Make) -> None:
        token = make(scene.run).token
        revision = visitor.get(f"/s/{token}.json").get_json()["revision"]
        assert visitor.get(f"/s/{token}.json?wait=30&rev={revision - 1}").status_code == 200
        assert visitor.get(f"/s/{token}.json?wait=30").status_code == 200

    def test_ends_with_its_time(self, visitor: FlaskClient, scene: Scene, make: Make) -> None:
        token = make(scene.run).token
        revision = visitor.get(f"/s/{token}.json").get_json()["revision"]
        began = time.monotonic()
        answer = visitor.get(f"/s/{token}.json?wait=1&rev={revision}")
        assert answer.get_json()["revision"] == revision
        assert time.monotonic() - began > 0.9

    def test_ends_with_the_link(
        self, visitor: FlaskClient, scene: Scene, make: Make, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        token = make(scene.run).token
        revision = visitor.get(f"/s/{token}.json").get_json()["revision"]
        monkeypatch.setattr(
            "views.shared_pages.time.sleep", lambda _: ShareLink.update(revoked_at=1).execute() and None
        )
        assert visitor.get(f"/s/{token}.json?wait=30&rev={revision}").status_code == 410

    @pytest.mark.parametrize("wait", ["61", "-1", "x", "1.5", "99999"])
    def test_is_bounded(self, visitor: FlaskClient, scene: Scene, make: Make, wait: str) -> None:
        answer = visitor.get(f"/s/{make(scene.run).token}.json?wait={wait}")
        assert answer.status_code == 422
        assert answer.content_type == "application/problem+json"
        assert answer.get_json()["field"] == "wait"


@pytest.mark.parametrize("query", ["style=round", "style=card&look=blue"])
def test_a_picture_that_there_is_not_is_told(visitor: FlaskClient, scene: Scene, make: Make, query: str) -> None:
    token = make(scene.failed).token
    for form in ("svg", "png"):
        assert visitor.get(f"/s/{token}.{form}?{query}").status_code == 422


def test_what_is_gone_is_over(visitor: FlaskClient, scene: Scene, make: Make) -> None:
    token = make(scene.run).token
    Run.delete().where(Run.id == scene.run).execute()
    answer = visitor.get(f"/s/{token}")
    assert answer.status_code == 410 and "no longer kept" in answer.text


def test_a_near_miss_costs_what_a_wild_guess_costs(visitor: FlaskClient, scene: Scene, make: Make) -> None:
    token = make(scene.failed).token
    last = "A" if token[-1] != "A" else "B"

    def asked(one: str) -> list[str]:
        with count_statements() as statements:
            assert visitor.get(f"/embed/{one}.json").status_code == 404
        return statements

    # What is looked up is the hash: how much of a token is right makes no difference to what is done.
    assert asked(token[:-1] + last) == asked("share_" + "z" * 43)
