"""The fixtures of the docks' tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from peewee import Database

import docks.aws
from config import Settings
from tests.docks.stage import Docks, PlayedCloudFormation, moto_server
from tests.harness.cast import Cast


@pytest.fixture(scope="session")
def moto() -> Iterator[str]:
    """The URL of a moto server."""
    pytest.importorskip("moto")
    with moto_server() as url:
        yield url


@pytest.fixture
def harbour(settings: Settings, database: Database, cast: Cast) -> Docks:
    """Docks of the cast's organisation."""
    return Docks(settings, cast)


@pytest.fixture
def cloudformation(monkeypatch: pytest.MonkeyPatch) -> PlayedCloudFormation:
    """The CloudFormation that an `aws` dock meets."""
    played = PlayedCloudFormation()
    monkeypatch.setattr(docks.aws, "client", lambda *_, **__: played)
    return played
