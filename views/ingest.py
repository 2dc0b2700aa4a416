"""Where tools' output comes in: `POST /api/v1/ingest/<source>`."""

from __future__ import annotations

from typing import Annotated, Any

from flask import Blueprint, current_app, jsonify, request
from flask.typing import ResponseReturnValue
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from config import Settings
from ingest.source import SOURCES, parse_batch
from provisioning.batch import Batch
from provisioning.record import record
from views.access import token_identity
from views.clock import now_ms
from views.errors import problem
from views.links import public_url
from views.validation import validation_problem

ingest = Blueprint("ingest", __name__, url_prefix="/api/v1/ingest")

_MOST_IGNORED_TOLD = 100

Text = Annotated[str, StringConstraints(strip_whitespace=True, max_length=500)]
_Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]


class IngestParameters(BaseModel):
    """The parameters of one batch; see DESIGN §7 and docs/api.md."""

    model_config = ConfigDict(extra="forbid")

    run: Annotated[_Name, Field(description="The sender's own key of the run: the same in each batch.")]
    stack: Annotated[_Name, Field(description="The stack's name; it is made where there is none.")]
    seq: Annotated[int, Field(ge=0, le=2_000_000_000, description="The number of the first line in the run.")]
    end: Annotated[
        Annotated[str, StringConstraints(pattern=r"^(eof|-?\d{1,5})$")] | None,
        Field(description="With the last batch: the tool's exit code, or `eof` where it is not known."),
    ] = None
    sent: Annotated[
        int | None, Field(ge=0, le=10**14, description="The sender's clock: milliseconds since 1970, UTC.")
    ] = None
    dock: Annotated[Text, Field(description="A dock's name.")] = ""
    command: Annotated[Text, Field(description="Like terraform apply.")] = ""
    actor: Annotated[Text, Field(description="Who or what runs it.")] = ""
    commit: Text = ""
    job_url: Annotated[
        str,
        StringConstraints(max_length=2_000, pattern=r"^(https?://\S+)?$"),
        Field(description="The address of the CI job."),
    ] = ""


@ingest.post("/<source>")
def take_batch(source: str) -> ResponseReturnValue:
    """Store a batch of lines and say what became of each that was left out."""
    known = SOURCES.get(source)
    if known is None:
        return problem(404, f"There is no source {source!r}.", field="source", remedy=f"One of: {', '.join(SOURCES)}.")
    try:
        given = IngestParameters.model_validate(request.args.to_dict())
    except ValidationError as error:
        return validation_problem(error)
    identity = token_identity()
    assert identity is not None  # The route's rule let nobody else in.
    settings: Settings = current_app.config["SETTINGS"]
    body = request.get_data(cache=False)
    lines = body.split(b"\n")
    if lines[-1] == b"":
        # A final line end ends the last line; it does not begin another.
        lines.pop()
    parsed = parse_batch(known, lines, given.seq, max_line_bytes=settings.max_line_bytes)
    recorded = record(
        Batch(
            organization_id=identity.organization_id,
            engine=known.name,
            provisioning_source=known.provisioning_source,
            run_key=given.run,
            stack_name=given.stack,
            dock_name=given.dock,
            first=given.seq,
            lines=len(lines),
            changes=parsed.changes,
            end=given.end,
            sent_at=given.sent,
            command=given.command,
            actor=given.actor,
            commit=given.commit,
            job_url=given.job_url,
            show_builtin_types=settings.show_builtin_types,
        ),
        now_ms(),
    )
    answer: dict[str, Any] = {
        "run": recorded.run_id,
        "url": public_url(f"/runs/{recorded.run_id}"),
        "accepted": recorded.accepted,
        "repeated": recorded.repeated,
        "ignored": [{"line": one.line, "reason": one.reason} for one in parsed.ignored[:_MOST_IGNORED_TOLD]],
        "ignoredCount": len(parsed.ignored),
        "missing": recorded.missing,
    }
    return jsonify(answer)
