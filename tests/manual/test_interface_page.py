"""docs/api-examples/README.md names every field that the interface takes."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import BaseModel

from provisioning import generic_runs, manual, timeouts

PAGE = (Path(__file__).parents[2] / "docs" / "api-examples" / "README.md").read_text("utf-8")
INPUTS: list[type[BaseModel]] = [
    generic_runs.NewRun, generic_runs.Steps, generic_runs.PlannedStep, generic_runs.Events, generic_runs.Said,
    generic_runs.Error, generic_runs.End, manual.NewResource, manual.ResourceChange, timeouts.TimeOut,
]  # fmt: skip


@pytest.mark.parametrize("model", INPUTS, ids=lambda model: model.__name__)
def test_every_field_is_told(model: type[BaseModel]) -> None:
    for field in model.model_fields.values():
        assert f"`{field.alias}`" in PAGE, field.alias
