"""docs/state.md says what the code does: its tables of states and moves are those of provisioning/states.py."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from provisioning.logs import MOST_LINES
from provisioning.states import RESOURCE_MOVES, ProvisioningState, RunOutcome, StepState
from provisioning.timeouts import LONGEST_LEARNT_MS, RUNS_LEARNT_FROM

PAGE = (Path(__file__).parents[2] / "docs" / "state.md").read_text("utf-8")


@pytest.mark.parametrize("state", [None, *ProvisioningState], ids=str)
def test_every_move_is_told(state: ProvisioningState | None) -> None:
    first = f"`{state}`" if state else "none"
    row = re.search(rf"^\| {first} \| .+ \| (.+) \|$", PAGE, re.MULTILINE)
    assert row is not None
    assert set(row[1].split(", ")) == {str(move or "none") for move in RESOURCE_MOVES[state]}


@pytest.mark.parametrize("word", [*StepState, *(one for one in RunOutcome if one is not RunOutcome.LOST)], ids=str)
def test_every_state_of_steps_and_runs_is_told(word: str) -> None:
    assert f"`{word}`" in PAGE


def test_its_numbers_are_those_of_the_code() -> None:
    assert f"{MOST_LINES:,} lines" in PAGE
    assert f"{RUNS_LEARNT_FROM} latest successful runs" in PAGE
    assert f"at most {LONGEST_LEARNT_MS // 3_600_000} hours" in PAGE
