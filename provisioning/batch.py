"""What `record` takes and gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ingest.change import Change


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Lines `first` to `first + lines - 1` of one run, read by a parser.

    `end` is the exit code as text, `eof` where the stream ended without one, None while it goes on. `sent_at` is the
    sender's clock at sending, milliseconds UTC. `provisioning_source` is sst, api or manual.
    """

    organization_id: str
    engine: str
    provisioning_source: str
    run_key: str
    stack_name: str
    dock_name: str = ""
    first: int = 0
    lines: int = 0
    changes: Sequence[Change] = field(default_factory=tuple)
    end: str | None = None
    sent_at: int | None = None
    command: str = ""
    actor: str = ""
    commit: str = ""
    job_url: str = ""
    show_builtin_types: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What became of a batch, in lines; `missing` are the ranges of line numbers that have not arrived yet."""

    run_id: str
    accepted: int
    repeated: int
    missing: list[list[int]]
    revision: int
