"""The dashboard arrives quickly on a slow line."""

from __future__ import annotations

import gzip
import re

from flask.testing import FlaskClient

from tests.harness.cast import Cast, sign_in
from tests.provisioning.story import Story, tell

MOST = 60_000


def test_the_dashboard_weighs_less_than_sixty_kilobytes(client: FlaskClient, cast: Cast, now: int) -> None:
    story = Story(now - 600_000)
    addresses = [f"aws_instance.node-{number:02}" for number in range(50)]
    for address in addresses:
        story.planned(address).started(address)
    for address in addresses[:5]:
        story.failed(address).error(address, "it did not start", "\n".join(f"Line {n}: because" for n in range(30)))
    tell(cast.organization.id, story.lines, now)
    page = sign_in(client, cast.viewer).get("/")
    assert page.text.count("data-card") == 50
    parts = {"page": page.data}
    for address in set(re.findall(r'"(/static/[^"#]+)', page.text)):
        parts[address] = client.get(address).data
    assert len(parts) >= 5
    weights = {name: len(gzip.compress(content)) for name, content in parts.items()}
    assert sum(weights.values()) < MOST, weights
