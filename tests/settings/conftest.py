"""What the tests of the settings pages share."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from tests.harness.cast import Cast, sign_in
from tests.harness.passwords import make_passwords_cheap


@pytest.fixture
def owner(client: FlaskClient, cast: Cast) -> FlaskClient:
    """A browser in which the organisation's owner is signed in."""
    return sign_in(client, cast.owner)


@pytest.fixture(autouse=True)
def _cheap_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    make_passwords_cheap(monkeypatch)
