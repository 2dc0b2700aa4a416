"""Atom that feed readers take, and SVG that holds whatever a name may be."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from flask.testing import FlaskClient

from models import Database, Run
from provisioning.status import Fault
from tests.shares.conftest import Make, Scene
from views import pictures
from views.glances import Glance
from views.text_widths import fitting, text_width

ATOM = "{http://www.w3.org/2005/Atom}"
NASTY = (
    "<script>alert(1)</script>",
    "a & b \"c\" 'd'",
    "بخير",
    "名前",
    "x" * 300,
    "a\u202eb",
    "a\x00\x1bb\n",
    "\ufffe",
    "",
    "🚀",
)


def feed(client: FlaskClient, token: str) -> ElementTree.Element:
    answer = client.get(f"/feeds/{token}.atom")
    assert answer.status_code == 200 and answer.mimetype == "application/atom+xml"
    root = ElementTree.fromstring(answer.data)
    assert root.tag == f"{ATOM}feed"
    for part in ("id", "title", "updated"):
        assert root.findtext(f"{ATOM}{part}")
    ids = [entry.findtext(f"{ATOM}id") for entry in root.iter(f"{ATOM}entry")]
    assert len(ids) == len(set(ids))
    return root


def test_a_resources_feed_is_its_history(visitor: FlaskClient, scene: Scene, make: Make) -> None:
    root = feed(visitor, make(scene.failed, "error").token)
    titles = [entry.findtext(f"{ATOM}title") for entry in root.iter(f"{ATOM}entry")]
    assert "orders: Creating failed" in titles and "orders: Creating began" in titles
    assert "sentinelsummary" in ElementTree.tostring(root, encoding="unicode")


def test_a_stacks_feed_is_its_runs(visitor: FlaskClient, scene: Scene, make: Make) -> None:
    root = feed(visitor, make(scene.stack, "details").token)
    [entry] = root.iter(f"{ATOM}entry")
    assert entry.findtext(f"{ATOM}title") == "prod sentinelcommand: failed"
    assert "by sentinelactor" in (entry.findtext(f"{ATOM}content") or "")


def test_an_organisations_feed_is_what_failed(visitor: FlaskClient, scene: Scene, make: Make) -> None:
    token = make(scene.organization, "error").token
    assert len(list(feed(visitor, token).iter(f"{ATOM}entry"))) == 1
    page = visitor.get(f"/s/{token}")
    assert page.status_code == 200 and f"/feeds/{token}.atom" in page.text
    Run.update(outcome="succeeded", revision=99).execute()
    assert list(feed(visitor, token).iter(f"{ATOM}entry")) == []
    assert visitor.get(f"/feeds/{make(scene.run).token}.atom").status_code == 422


def a_glance(name: str = "orders", **more: object) -> Glance:
    values: dict[str, object] = {
        "name": name, "kind": "Database", "word": "FAILED", "verb": "Creating failed", "short": "creating failed",
        "tone": "error", "icon": "x", "detail": name, "fault": Fault(name, name), "updated_at": 1, "revision": 1,
        "is_moving": False,
    } | more  # fmt: skip
    return Glance(**values)  # type: ignore[arg-type]


@pytest.mark.parametrize("text", NASTY)
def test_pictures_hold_any_name(text: str) -> None:
    drawn = [pictures.badge(label=text, message=text, tone="error", style=style) for style in pictures.STYLES[:3]]
    drawn += [pictures.card(a_glance(text), look=look) for look in pictures.LOOKS]
    drawn.append(pictures.unfurled(a_glance(text)))
    for one in drawn:
        root = ElementTree.fromstring(one)
        assert not [tag for tag in root.iter() if tag.tag.endswith(("script", "image", "foreignObject"))]
        assert "\u202e" not in one
    assert pictures.png(drawn[0]).startswith(b"\x89PNG")


def test_a_badge_has_an_accessible_title_and_room_for_its_text() -> None:
    for message in ("ok", "iiiiiiii", "WWWWWWWW", "up: 12 resources"):
        root = ElementTree.fromstring(pictures.badge(label="prod", message=message, tone="success"))
        assert root.attrib["aria-label"] == f"prod: {message}" and root.attrib["role"] == "img"
        assert root.findtext("{http://www.w3.org/2000/svg}title") == f"prod: {message}"
        texts = list(root.iter("{http://www.w3.org/2000/svg}text"))
        end = float(texts[-1].attrib["x"]) + text_width(message, 11)
        assert 4 <= float(root.attrib["width"]) - end <= 8


def test_a_card_has_room_for_when_the_last_word_was() -> None:
    silent = a_glance(
        word="STALLED", tone="stalled", icon="alert", last_word_at=1_795_608_000_000, fault=None,
        detail="No word for longer than its time-out. It may be at work still, and nobody knows.",
    )  # fmt: skip
    assert "last word 2026-11-25 12:00 UTC" in pictures.card(silent)


def test_a_bar_claims_nothing_where_nothing_is_done() -> None:
    for done, bars in ((0, 1), (1, 2)):
        glance = a_glance(done=done, total=3, is_moving=True, fault=None)
        assert pictures.card(glance, look="light").count('rx="2.5"') == bars
        assert pictures.unfurled(glance).count('rx="8"') == bars


def test_every_tone_can_be_read_on() -> None:
    def light(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        red, green, blue = (one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    for ground, _ in pictures.TONES.values():
        assert 1.05 / (light(ground) + 0.05) >= 4.5


def test_text_that_is_too_long_is_cut_to_fit() -> None:
    assert fitting("short", 11, 100) == "short"
    cut = fitting("a rather long name of a thing", 11, 80)
    assert cut.endswith("…") and text_width(cut, 11) <= 80
    assert text_width("名", 10) == 10


def test_a_new_name_is_in_the_picture(visitor: FlaskClient, scene: Scene, make: Make) -> None:
    token = make(scene.failed).token
    Database.update(name="renamed", revision=Database.revision + 100).execute()
    assert "renamed" in visitor.get(f"/s/{token}.svg").text
