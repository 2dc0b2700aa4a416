"""What a list is narrowed to; the same words in the URL, in the API and in the core."""

from __future__ import annotations

from dataclasses import dataclass, fields

from provisioning.errors import BadInput
from provisioning.states import KINDS, SOURCES, CardStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """Empty means: any. `q` is a piece of the name, address, stack or an id, whatever its case."""

    status: str = ""
    type: str = ""
    provider: str = ""
    source: str = ""
    dock: str = ""
    stack: str = ""
    q: str = ""

    @property
    def is_empty(self) -> bool:
        """Whether nothing is narrowed."""
        return self == Filters()

    def as_query(self) -> dict[str, str]:
        """The parameters of a URL that asks for this, the empty ones left out."""
        return {one.name: value for one in fields(self) if (value := getattr(self, one.name))}


def filters_from(source: dict[str, str]) -> Filters:
    """Read filters from a URL's parameters; unknown parameters are not ours to judge.

    Raises `BadInput` for a status, type or source that does not exist, naming those that do.
    """
    values = {one.name: source.get(one.name, "").strip()[:200] for one in fields(Filters)}
    for name, known in (("status", list(CardStatus)), ("type", list(KINDS)), ("source", list(SOURCES))):
        if values[name] and values[name] not in known:
            raise BadInput(
                f"There is no {name} {values[name]!r}.", field=name, remedy=f"One of: {', '.join(map(str, known))}."
            )
    return Filters(**values)
