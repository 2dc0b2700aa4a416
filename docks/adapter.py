"""The interface of a provider's adapter: what it is given, what it finds, how it fails.

An adapter only reads. It yields what it finds in the order in which it is to be recorded; each finding carries what
the adapter must remember from then on, and the two are stored in one transaction: a sync that breaks off anywhere goes
on from there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict

from ingest.found import FoundState


class DockFault(Exception):
    """A sync could not be done. The text says what was found and the way out, and never holds what a provider answered
    in full or a credential. `permanent`: trying again is of no use before somebody changes the dock."""

    def __init__(self, message: str, *, permanent: bool) -> None:
        super().__init__(message)
        self.permanent = permanent


class DockInput(BaseModel):
    """What settings and credentials of every provider share. A field's `title` and `description` are what its form
    shows."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True, hide_input_in_errors=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSaid:
    """Lines of one run, oldest first: `first` is the number of the first of them.

    `end` is an exit code as text, `eof` where it ended and nobody knows how, None while it goes on or where the lines
    themselves tell the end. `at` is when this was so (milliseconds UTC) where it was not just now. A run that began
    within `told_within` (from, to) on the same stack and was reported by somebody else is the same run: it is not told
    twice.
    """

    source: str
    key: str
    stack: str
    lines: tuple[bytes, ...] = ()
    first: int = 0
    end: str | None = None
    command: str = ""
    at: int | None = None
    told_within: tuple[int, int] | None = None
    memory: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class StateRead:
    """A state that was read: what stands in a stack."""

    tool: str
    stack: str
    state: FoundState
    memory: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """Nothing to record, only to remember."""

    memory: Mapping[str, Any]


Finding = RunSaid | StateRead | Remembered


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What an adapter is given for one sync.

    `settings` and `credentials` are of its own models. `sst_folder` is the folder of this host that docks may read;
    empty: none. `now` is milliseconds UTC.
    """

    settings: DockInput
    credentials: DockInput
    memory: Mapping[str, Any]
    sst_folder: str = ""
    now: int


class Adapter(Protocol):
    """A provider. `name` is what `Dock.provider` holds, `label` is for people."""

    @property
    def name(self) -> str:
        """The provider's short name."""

    @property
    def label(self) -> str:
        """The provider's name for people."""

    @property
    def settings(self) -> type[DockInput]:
        """What people choose: no secrets."""

    @property
    def credentials(self) -> type[DockInput]:
        """What is kept encrypted."""

    def sync(self, look: Look) -> Iterator[Finding]:
        """Yield what is new since the look's memory was what it is. Raises `DockFault`, at any step."""


def is_busy(memory: Mapping[str, Any]) -> bool:
    """Whether something was under way at the last look: then the next one comes sooner."""
    return any(bool(one.get("open")) for part in memory.values() if isinstance(part, dict) for one in part.values())
