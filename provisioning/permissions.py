"""Who may do what in which organisation.

A role gives each area a level: `none`, `read` or `full`; a permission is written `area:level`, as in
`provisioning:read`. An absent permission denies. Owners are the members whose role has `settings:full`:
they can give every permission.
"""

from __future__ import annotations

from dataclasses import dataclass

from models import Membership, Organization, Role, User
from provisioning.errors import MissingPermission, NotAMember
from provisioning.rows import rows

AREAS = ("provisioning", "docks", "settings")
LEVELS = ("none", "read", "full")

PRESETS: dict[str, dict[str, str]] = {
    "Owner": {"provisioning": "full", "docks": "full", "settings": "full"},
    "Operator": {"provisioning": "full", "docks": "read", "settings": "none"},
    "Viewer": {"provisioning": "read", "docks": "none", "settings": "none"},
}

PERMISSION_MEANING = {
    "provisioning:read": "see resources, runs and stacks",
    "provisioning:full": "close runs, share and change what is provisioned",
    "docks:read": "see connected provider accounts",
    "docks:full": "connect and change provider accounts",
    "settings:read": "see members, roles, tokens and the audit log",
    "settings:full": "manage members, roles, tokens and the organisation",
}


def level_allows(level: str, needed: str) -> bool:
    """Whether a role's level in an area is enough for the level that is needed there."""
    return LEVELS.index(level) >= LEVELS.index(needed)


@dataclass(frozen=True, slots=True)
class Place:
    """A user's place in one organisation: which, and with which role."""

    organization_id: str
    organization_name: str
    slug: str
    role_name: str
    provisioning: str
    docks: str
    settings: str

    def may(self, permission: str) -> bool:
        """Whether the role of this place includes the permission."""
        area, _, level = permission.partition(":")
        return level_allows(getattr(self, area), level)


@dataclass(frozen=True, slots=True)
class Person:
    """A user who can sign in, with all places, the oldest (the default one) first."""

    id: str
    email: str
    name: str
    version: int
    places: tuple[Place, ...]

    @property
    def label(self) -> str:
        """What pages and the audit log call the person."""
        return self.name or self.email

    def place_in(self, organization_id: str) -> Place | None:
        """The person's place in this organisation, or None."""
        for place in self.places:
            if place.organization_id == organization_id:
                return place
        return None


def find_person(user_id: str, version: int | None = None) -> Person | None:
    """The user with all places, by one query. None where there is no such user, the user is disabled, or the
    version is another one: the session was ended."""
    found = rows(
        User.select(
            User.id, User.email, User.name, User.version, User.disabled,
            Organization.id, Organization.name, Organization.slug,
            Role.name, Role.provisioning, Role.docks, Role.settings,
        )
        .left_outer_join(Membership, on=(Membership.user == User.id))
        .left_outer_join(Organization, on=(Organization.id == Membership.organization))
        .left_outer_join(Role, on=(Role.id == Membership.role))
        .where(User.id == user_id)
        .order_by(Membership.created_at, Membership.id)
    )  # fmt: skip
    if not found:
        return None
    known_id, email, name, known_version, disabled, *_ = found[0]
    if disabled or (version is not None and known_version != version):
        return None
    places = tuple(Place(*row[5:]) for row in found if row[5] is not None)
    return Person(id=known_id, email=email, name=name, version=known_version, places=places)


def may(user_id: str, organization_id: str, permission: str) -> bool:
    """Whether the user has the permission in the organisation; not a member: no."""
    person = find_person(user_id)
    place = person.place_in(organization_id) if person else None
    return place is not None and place.may(permission)


def require(person: Person, organization_id: str, permission: str) -> Place:
    """The person's place in the organisation, where its role includes the permission.

    Raises `NotAMember` where there is no such place, `MissingPermission` where the role does not include it.
    """
    place = person.place_in(organization_id)
    if place is None:
        raise NotAMember("There is no such page, or it belongs to an organisation that you are not a member of.")
    if not place.may(permission):
        raise MissingPermission(permission, organization_id, givers=givers(organization_id))
    return place


def givers(organization_id: str) -> list[str]:
    """Names of those who can give a permission in the organisation: its owners, the longest-standing first."""
    return [name or email for _, name, email in owners(organization_id)]


def owners(organization_id: str) -> list[tuple[str, str, str]]:
    """(user id, name, email) of the members whose role has `settings:full`."""
    found = rows(
        User.select(User.id, User.name, User.email)
        .join(Membership, on=(Membership.user == User.id))
        .join(Role, on=(Role.id == Membership.role))
        .where(Membership.organization == organization_id, Role.settings == "full", ~User.disabled)
        .order_by(Membership.created_at, Membership.id)
    )
    return [(user_id, name, email) for user_id, name, email in found]
