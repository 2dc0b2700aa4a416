"""docs/embedding.md is true: every address in it answers, every snippet is what the share page gives."""

from __future__ import annotations

import html
import re

from flask import Flask
from flask.testing import FlaskClient

from serving import CHECKOUT
from tests.harness.cast import Cast, sign_in
from tests.shares.conftest import Make, Scene
from views.glances import WORDS
from views.pictures import LOOKS, STYLES

DOCS = (CHECKOUT / "docs/embedding.md").read_text()
HOME = "https://slipway.example.com"


def test_every_address_in_it_answers(visitor: FlaskClient, scene: Scene, make: Make) -> None:
    token = make(scene.stack, allowed_origins=["https://wiki.example.com"]).token
    addresses = set(re.findall(rf"(?:{HOME}|`)(/(?:s|embed|feeds)/share_TOKEN[\w./?=&-]*)", DOCS))
    assert len(addresses) >= 11
    for address in addresses:
        assert visitor.get(address.replace("share_TOKEN", token).replace("rev=R", "rev=0")).status_code == 200, address
    assert visitor.get("/embed.js").status_code == 200


def test_the_share_page_gives_the_same_snippets(client: FlaskClient, scene: Scene, cast: Cast) -> None:
    sign_in(client, cast.owner)
    page = client.post(
        "/shares/new",
        data={"subject": scene.stack, "fields": "status", "expires_in": "1d", "allowed_origins": "https://a.example"},
    ).text
    [token] = set(re.findall(r"share_[\w-]{43}", page))
    given = [html.unescape(one) for one in re.findall(r'<pre id="[\w-]+">(.*?)</pre>', page, re.S)]
    assert len(given) >= 8
    for snippet in given:
        for line in snippet.splitlines():
            assert line.replace(token, "share_TOKEN").replace("http://localhost", HOME) in DOCS, line


def test_it_names_every_word_style_and_property(app: Flask) -> None:
    script = (CHECKOUT / "static/embed.js").read_text()
    for word in (*WORDS, *STYLES, *LOOKS):
        assert word in DOCS, word
    assert set(re.findall(r"--slipway-([\w-]+)", DOCS)) <= {
        "font", "radius", "surface", "success", *re.findall(r"--slipway-([\w-]+)", script)
    }  # fmt: skip
