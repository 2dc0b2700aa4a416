"""Tokens and browsers for the tests of what is done by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from models import AuditEntry
from provisioning.audit import COMMAND_LINE
from provisioning.tokens import create_token
from tests.harness.cast import NOW, Cast, sign_in

Ask = Callable[..., TestResponse]


def bearer(organization_id: str, *scopes: str) -> dict[str, str]:
    """The header of a new token with these scopes."""
    secret = create_token(organization_id=organization_id, name="CI", scopes=scopes, actor=COMMAND_LINE, now=NOW)
    return {"Authorization": f"Bearer {secret}"}


def told(answer: TestResponse) -> Any:
    """The JSON of an answer."""
    return answer.get_json()


def deed(action: str) -> tuple[str, str]:
    """(actor, subject) of the newest entry of the audit log with this action."""
    entry = AuditEntry.select().where(AuditEntry.action == action).order_by(AuditEntry.id.desc()).get()
    return entry.actor, entry.subject


@pytest.fixture
def full(cast: Cast) -> dict[str, str]:
    """The header of a token that may do everything in the cast's organisation."""
    return bearer(cast.organization.id, "full")


@pytest.fixture
def ask(client: FlaskClient, full: dict[str, str]) -> Ask:
    """Ask the API: `ask("POST", "/api/v1/resources", {…})`."""

    def ask(method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> TestResponse:
        more = {} if body is None else {"json": body}
        return client.open(path, method=method, headers=headers or full, **more)

    return ask


@pytest.fixture
def operator(client: FlaskClient, cast: Cast) -> FlaskClient:
    """A browser of somebody who may change what is provisioned, and no settings."""
    return sign_in(client, cast.operator)
