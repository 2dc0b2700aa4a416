"""`slipway import`."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cli import main
from config import Settings
from models import Server
from tests.harness.cast import Cast
from tests.imports.states import sst, terraform


@pytest.fixture
def run(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> object:
    """Run the command on the test's database."""
    for name in ("home", "database_url", "secret_key"):
        monkeypatch.setenv(f"SLIPWAY_{name.upper()}", getattr(settings, name))

    def run(*words: object, org: str = "acme") -> Result:
        return CliRunner().invoke(main, ["import", *map(str, words), "--org", org, "--stack", "prod"])

    return run


class TestTheCommand:
    def test_tells_what_became_of_each_file(self, run, cast: Cast, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
        first, second = tmp_path / "a.tfstate", tmp_path / "b.tfstate"
        first.write_bytes(terraform("web"))
        second.write_bytes(terraform("web", status="tainted", serial=8))
        done = run("terraform", first, second)
        assert done.exit_code == 0, done.output
        assert done.output.splitlines() == [
            f"{first}: 1 new.",
            f"{second}: 1 changed.",
            "  web: It is marked as tainted: the next apply replaces it.",
        ]
        assert Server.select().count() == 1

    def test_names_the_file_and_the_remedy(self, run, cast: Cast, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
        good, bad = tmp_path / "a.tfstate", tmp_path / "plan.json"
        good.write_bytes(terraform("web"))
        bad.write_text('{"planned_values": {}}')
        done = run("terraform", good, bad)
        assert done.exit_code == 1
        assert f"{bad}: This is a plan, not a state. Give Slipway the output" in done.output
        assert Server.select().count() == 1

    def test_refuses_another_tools_state(self, run, cast: Cast, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
        file = tmp_path / "prod.json"
        file.write_bytes(sst())
        done = run("terraform", file)
        assert (done.exit_code, "import it as sst" in done.output) == (1, True)

    def test_refuses_an_unknown_organisation(self, run, cast: Cast, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
        file = tmp_path / "prod.json"
        file.write_bytes(sst())
        assert "no organisation" in run("sst", file, org="nobody").output
