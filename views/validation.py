"""What pydantic finds wrong with an input, told as a problem: every fault at once, each at its field."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Response, abort, request
from pydantic import ValidationError

from provisioning.inputs import faults_of
from views.errors import problem


def validation_problem(error: ValidationError) -> Response:
    """A 422 that names the first field and lists the faults of all."""
    return faults_problem(faults_of(error))


def faults_problem(faults: Mapping[str, str]) -> Response:
    """A 422 that names the first faulty field and lists the faults of all, by field."""
    field, said = next(iter(faults.items()))
    return problem(
        422,
        f"{field}: {said}",
        field=field,
        remedy="Correct the named fields and send it again; nothing was stored.",
        faults=[{"field": name, "detail": words} for name, words in faults.items()],
    )


def json_body() -> Any:
    """The JSON that a program sent; ends the request with 400 or 415 where it is none."""
    try:
        return request.get_json(cache=False)
    except RecursionError:
        abort(400, "The body is nested too deep.")
