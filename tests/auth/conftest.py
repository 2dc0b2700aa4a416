"""What the tests of sign-in and access share."""

from __future__ import annotations

import pytest

from tests.harness.passwords import make_passwords_cheap


@pytest.fixture(autouse=True)
def _cheap_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    make_passwords_cheap(monkeypatch)
