"""What can go wrong in the core.

SlipwayError
├── BadInput                a value is not acceptable; names the field and the remedy (422)
│   └── FaultyForm          several values at once; names each field's fault
├── NotFound                no such thing, or not yours: nobody can tell which (404)
│   ├── ProvisionNotFound
│   └── NotAMember          the organisation is not the user's
├── AmbiguousProvision      more than one resource has this id; carries the candidates (409)
├── MissingPermission       a member without the permission (403)
└── Refused                 the move is not legal from the present state; says so (409)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence


class SlipwayError(Exception):
    """Base of all; its text is a sentence for people."""


class BadInput(SlipwayError):
    """A value is not acceptable. `field` is its name in form, JSON or URL; `remedy` says what to do."""

    def __init__(self, message: str, *, field: str = "", remedy: str = "") -> None:
        super().__init__(message)
        self.field = field
        self.remedy = remedy


class FaultyForm(BadInput):
    """Values that are not acceptable, all told at once: `faults` maps each field to its sentence."""

    def __init__(self, faults: Mapping[str, str]) -> None:
        super().__init__(" ".join(faults.values()), field=next(iter(faults), ""))
        self.faults = dict(faults)


class NotFound(SlipwayError):
    """There is no such thing here, or it is not yours."""


class ProvisionNotFound(NotFound):
    """No resource that the user may see has this id."""


class NotAMember(NotFound):
    """The user does not belong to the organisation."""


class AmbiguousProvision(SlipwayError):
    """Several resources have this id. `candidates` are (public id, name, stack name, dock name)."""

    def __init__(self, provision_id: str, candidates: Sequence[tuple[str, str, str, str]]) -> None:
        super().__init__(
            f"{len(candidates)} resources have the id {provision_id!r}. Ask for one by its own id, or name its stack."
        )
        self.provision_id = provision_id
        self.candidates = list(candidates)


class MissingPermission(SlipwayError):
    """The user is a member, and the role does not grant this. `givers` are the names of those who can."""

    def __init__(self, permission: str, organization_id: str, givers: Sequence[str] = ()) -> None:
        super().__init__(f"Your role does not include {permission}.")
        self.permission = permission
        self.organization_id = organization_id
        self.givers = list(givers)


class Refused(SlipwayError):
    """The change is not possible from the present state."""
