"""The reporter on the oldest and the newest Python that this machine has, on 3.9 at least in its grammar."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.reporter.stage import REPORTER, Home, Slipway, stand_in, terraform_lines

OLDEST = (3, 9)


def pythons() -> dict[tuple[int, ...], str]:
    """Every Python from 3.9 on, by version: pyenv's, the PATH's, our own."""
    found: dict[tuple[int, ...], str] = {sys.version_info[:3]: sys.executable}
    places = [Path.home() / ".pyenv" / "versions"]
    candidates = [str(python) for place in places for python in sorted(place.glob("*/bin/python"))]
    candidates += [path for minor in range(9, 20) if (path := shutil.which(f"python3.{minor}"))]
    for python in candidates:
        told = subprocess.run(
            [python, "-c", "import sys; print(*sys.version_info[:3])"], capture_output=True, check=False
        )
        if re.fullmatch(rb"\d+ \d+ \d+\n", told.stdout):
            version = tuple(int(part) for part in told.stdout.split())
            if version >= OLDEST:
                found.setdefault(version, python)
    return found


FOUND = pythons()
ENDS = sorted({min(FOUND), max(FOUND)})


@pytest.mark.parametrize("version", ENDS, ids=lambda version: ".".join(map(str, version)))
def test_it_reports_and_spools_and_flushes_on(
    version: tuple[int, ...], home: Home, slipway: Slipway, nobody: str
) -> None:
    python = FOUND[version]
    lines = terraform_lines(450)
    strict = ("-W", "error", str(REPORTER))
    ended = home.run("terraform", python=python, script=strict, stdin=b"\n".join(lines))
    assert ended.code == 0
    assert ended.err == f"slipway: this run, live: {slipway.url}/runs/run_1\n"
    assert slipway.lines() == lines
    slipway.runs.clear()
    slipway.close()
    home.run("terraform", "--drain-seconds", "0", python=python, script=strict, stdin=b"\n".join(lines))
    assert len(home.spooled()) == 1
    ended = home.run("flush", "--drain-seconds", "0", python=python, script=strict)
    assert ended.code == 1
    assert "450 of 450 lines are still in" in ended.err


@pytest.mark.parametrize("version", ENDS, ids=lambda version: ".".join(map(str, version)))
def test_it_watches_on(version: tuple[int, ...], home: Home, slipway: Slipway, tmp_path: Path) -> None:
    tool = stand_in(tmp_path / "bin", "sst", "print('deployed')")
    ended = home.run("watch", "--", str(tool), "deploy", python=FOUND[version])
    assert (ended.code, ended.out) == (0, "deployed\n")
    assert slipway.end() == "0"


def test_its_grammar_is_that_of_python_3_9() -> None:
    ast.parse(REPORTER.read_text("utf-8"), feature_version=OLDEST)


def test_it_imports_the_standard_library_alone() -> None:
    tree = ast.parse(REPORTER.read_text("utf-8"))
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.partition(".")[0] for name in names} <= set(sys.stdlib_module_names)


def test_it_runs_as_an_installed_command() -> None:
    code = f"import sys; sys.path.insert(0, {str(REPORTER.parent)!r}); sys.argv = ['slipway-reporter', '--version']\n"
    ended = subprocess.run(
        [sys.executable, "-c", code + "from slipway_reporter import run; run()"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stdout.startswith("slipway-reporter ")
