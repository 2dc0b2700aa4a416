"""What a state file says there is: the records that every reader of states gives, and their one error.

UnreadableState is the only exception that leaves `ingest/state.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace


class UnreadableState(ValueError):
    """What was given is no state that Slipway reads. `found` says what it is, `remedy` what to give instead."""

    def __init__(self, found: str, remedy: str) -> None:
        super().__init__(f"{found} {remedy}")
        self.found = found
        self.remedy = remedy


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundResource:
    """One resource of a state; an address is there once.

    `source` is the engine it belongs to. `state` is provisioned, failed, deprovisioning, interrupted, or, only where
    the tool is known to be running, provisioning. `reason` is a sentence, "" where the state is provisioned and there
    is nothing to say. `facts` are named in `ingest.change.FACTS`; a component has `component`: `yes`. `created_at` and
    `modified_at` are milliseconds UTC, None where the state does not say.
    """

    source: str
    address: str
    tool_type: str
    name: str
    provider_resource_id: str = ""
    parent: str = ""
    state: str = "provisioned"
    reason: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)
    created_at: int | None = None
    modified_at: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundState:
    """A whole state.

    `serial` grows with each version of a `lineage`: the two together tell an import apart from its repetition. Both are
    empty where the format has none. `made_at` is when it was written, milliseconds UTC, where it says so. `skipped`
    counts entries that could not be understood.
    """

    source: str
    resources: tuple[FoundResource, ...]
    engine_version: str = ""
    lineage: str = ""
    serial: int | None = None
    made_at: int | None = None
    skipped: int = 0


OLD_HALF_LEFT = "What it was before its replacement still waits to be deleted."


def one_an_address(found: Iterable[FoundResource]) -> tuple[FoundResource, ...]:
    """One record for each address.

    A state may hold a resource twice while it is replaced, as it is and as what waits to be deleted: the first is what
    is there, and its reason tells of the other.
    """
    kept: dict[str, FoundResource] = {}
    for one in found:
        other = kept.get(one.address)
        if other is None:
            kept[one.address] = one
            continue
        present, leaving = (other, one) if one.state == "deprovisioning" else (one, other)
        if leaving.state == "deprovisioning" and present.state != "deprovisioning":
            present = replace(present, reason=present.reason or OLD_HALF_LEFT)
        kept[one.address] = present
    return tuple(kept.values())
