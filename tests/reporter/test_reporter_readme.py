"""The reporter's README names every setting, flag, command and tool that there is."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from tests.reporter.stage import REPORTER

README = (REPORTER.parent / "README.md").read_text("utf-8")
SOURCE = REPORTER.read_text("utf-8")


def help_of(*command: str) -> str:
    return subprocess.run(
        [sys.executable, str(REPORTER), *command, "--help"], capture_output=True, text=True, check=True
    ).stdout


COMMANDS = re.findall(r"^    (\w+)(?: |$)", help_of(), re.MULTILINE)


def test_every_setting_is_there() -> None:
    assert set(re.findall(r"SLIPWAY_[A-Z_]+[A-Z]", SOURCE)) <= set(re.findall(r"SLIPWAY_[A-Z_]+[A-Z]", README))


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_and_flag_is_there(command: str) -> None:
    told_elsewhere = {"--help", "--region", "--profile", "--poll-seconds"}
    assert command in README
    assert set(re.findall(r"--[a-z][a-z-]+", help_of(command))) - told_elsewhere <= set(
        re.findall(r"--[a-z][a-z-]+", README)
    )


def test_the_commands_were_found() -> None:
    assert {"terraform", "watch", "cloudformation", "flush", "wait", "badge"} <= set(COMMANDS)
