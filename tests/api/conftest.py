"""A client of the API: it sends a bearer token with every request."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from provisioning.audit import COMMAND_LINE
from provisioning.tokens import create_token
from tests.harness.cast import NOW, Cast

Ask = Callable[..., TestResponse]


def bearer(organization_id: str, *scopes: str) -> dict[str, str]:
    """The header of a new token with these scopes."""
    secret = create_token(organization_id=organization_id, name="test", scopes=scopes, actor=COMMAND_LINE, now=NOW)
    return {"Authorization": f"Bearer {secret}"}


@pytest.fixture
def full(cast: Cast) -> dict[str, str]:
    """The header of a token that may do everything in the cast's organisation."""
    return bearer(cast.organization.id, "full")


@pytest.fixture
def send(client: FlaskClient, full: dict[str, str]) -> Ask:
    """Send lines to the ingest: `send(lines, seq=0, run="r", stack="prod", source="terraform", **parameters)`."""

    def post(
        lines: list[Any], *, source: str = "terraform", headers: dict[str, str] | None = None, **parameters: Any
    ) -> TestResponse:
        body = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
        query = {"run": "run-1", "stack": "prod", "seq": 0} | parameters
        return client.post(
            f"/api/v1/ingest/{source}",
            query_string={k: v for k, v in query.items() if v is not None},
            data=body.encode(),
            headers=headers or full,
        )

    return post
