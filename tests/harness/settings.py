"""What the tests of the settings pages look up."""

from __future__ import annotations

from models import Membership, Role, User
from provisioning.audit import deeds
from tests.harness.cast import Cast

LEVELS = {"provisioning": "full", "docks": "none", "settings": "full"}


def role_id(cast: Cast, name: str) -> str:
    """The id of one of the organisation's roles."""
    return str(Role.get(Role.organization == cast.organization, Role.name == name).id)


def role_of(cast: Cast, user: User) -> str:
    """The name of the role that the user has in the organisation."""
    return str(Membership.get(Membership.user == user, Membership.organization == cast.organization).role.name)


def last_deed(cast: Cast) -> tuple[str, str, str]:
    """(actor, action, subject) of the newest entry of the audit log."""
    [newest, *_], _ = deeds(cast.organization.id)
    return newest.actor, newest.action, newest.subject
