"""What the tests of pages share: a signed-in client, and stories told to the core at the present time."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask.testing import FlaskClient

from models import User
from provisioning.batch import Recorded
from tests.harness.cast import Cast, sign_in
from tests.provisioning.story import Story, tell
from views.clock import now_ms

Told = Callable[..., Recorded]


@pytest.fixture
def client_of(client: FlaskClient) -> Callable[[User], FlaskClient]:
    """The client, signed in as a user."""
    return lambda user: sign_in(client, user)


@pytest.fixture
def story() -> Story:
    """A run that began a minute ago."""
    return Story(now_ms() - 60_000)


@pytest.fixture
def told(cast: Cast) -> Told:
    """Tell a story to the core, as a run of the cast's organisation: `told(story, key="run-2", end="0")`."""

    def tell_it(story: Story, **more: object) -> Recorded:
        return tell(cast.organization.id, story.lines, now_ms(), **more)  # type: ignore[arg-type]

    return tell_it
