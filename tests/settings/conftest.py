"""What the tests of the settings pages share."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from tests.harness.cast import Cast, sign_in


@pytest.fixture
def owner(client: FlaskClient, cast: Cast) -> FlaskClient:
    """A browser in which the organisation's owner is signed in."""
    return sign_in(client, cast.owner)
