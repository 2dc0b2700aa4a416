"""What pydantic finds wrong with an input, told as a problem: every fault at once, each at its field."""

from __future__ import annotations

from flask import Response
from pydantic import ValidationError

from views.errors import problem


def faults_of(error: ValidationError) -> dict[str, str]:
    """A sentence for each field, by its name; of several faults of one field, the first."""
    faults: dict[str, str] = {}
    for one in error.errors(include_url=False, include_input=False, include_context=False):
        name = ".".join(str(part) for part in one["loc"]) or "body"
        words = {
            "missing": "This is needed.",
            "extra_forbidden": "There is no such field.",
        }.get(one["type"], f"{one['msg']}.".replace("..", "."))
        faults.setdefault(name, words)
    return faults


def validation_problem(error: ValidationError) -> Response:
    """A 422 that names the first field and lists the faults of all."""
    faults = faults_of(error)
    field, said = next(iter(faults.items()))
    return problem(
        422,
        f"{field}: {said}",
        field=field,
        remedy="Correct the named fields and send it again; nothing was stored.",
        faults=[{"field": name, "detail": words} for name, words in faults.items()],
    )
