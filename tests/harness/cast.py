"""The one cast of the whole suite: who asks, in which role, of which organisation."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from argon2 import PasswordHasher
from flask.testing import FlaskClient

from models import Membership, Organization, Role, User, database
from provisioning.permissions import PRESETS

PASSWORD = "correct horse battery staple"

# 2026-11-25 12:00:00 UTC, the time of every test that takes one.
NOW = 1_795_608_000_000


@dataclass(frozen=True)
class Cast:
    """The people, and the two organisations they belong to.

    `owner`, `operator` (provisioning full), `viewer` (provisioning read) and `outsider` (a member whose role has
    no provisioning) are in `organization`; `stranger` owns `other_organization` and is in no other.
    """

    organization: Organization
    other_organization: Organization
    owner: User
    operator: User
    viewer: User
    outsider: User
    stranger: User

    def by_name(self, name: str) -> User:
        """The person of a part's name, for parametrised tests."""
        user = getattr(self, name)
        assert isinstance(user, User)
        return user


def make_cast(now: int = NOW) -> Cast:
    """Insert the cast into the bound database."""
    acme, globex = (Organization(slug=slug, name=slug.title(), created_at=now) for slug in ("acme", "globex"))
    bookkeeper = {"provisioning": "none", "docks": "none", "settings": "read"}
    people, roles, memberships = [], [], []
    for organization, name, role_name, levels in (
        (acme, "Owner", "Owner", PRESETS["Owner"]),
        (acme, "Operator", "Operator", PRESETS["Operator"]),
        (acme, "Viewer", "Viewer", PRESETS["Viewer"]),
        (acme, "Outsider", "Bookkeeper", bookkeeper),
        (globex, "Stranger", "Owner", PRESETS["Owner"]),
    ):
        email = f"{name.lower()}@{organization.slug}.example"
        user = User(email=email, name=f"Ada {name}", password_hash=password_hash(), created_at=now)
        role = Role(organization=organization, name=role_name, **levels)
        people.append(user)
        roles.append(role)
        memberships.append(Membership(user=user, organization=organization, role=role, created_at=now))
    # One statement a table: thousands of tests begin with this.
    with database.atomic():
        for rows in ([acme, globex], people, roles, memberships):
            type(rows[0]).bulk_create(rows)
    return Cast(acme, globex, *people)


def make_organization(slug: str, name: str, now: int = NOW) -> Organization:
    """An organisation without members."""
    organization: Organization = Organization.create(slug=slug, name=name, created_at=now)
    return organization


def make_member(
    organization: Organization, email: str, name: str, role_name: str, levels: dict[str, str], now: int = NOW
) -> User:
    """A user, made where there is none of this address, as a member of the organisation under the role."""
    role, _ = Role.get_or_create(organization=organization, name=role_name, defaults=levels)
    user: User
    user, _ = User.get_or_create(
        email=email, defaults={"name": name, "password_hash": password_hash(), "created_at": now}
    )
    Membership.create(user=user, organization=organization, role=role, created_at=now)
    return user


@cache
def password_hash() -> str:
    """The hash of `PASSWORD`, as cheap to check as argon2 can be: tests sign in hundreds of times."""
    return PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)


def sign_in(client: FlaskClient, user: User, organization: Organization | None = None) -> FlaskClient:
    """Give a test client the session of a signed-in user, without the form; the client comes back."""
    with client.session_transaction() as session:
        session["_user_id"] = f"{user.id}:{user.version}"
        session["_fresh"] = True
        if organization is None:
            membership = Membership.get_or_none(Membership.user == user)
            if membership is not None:
                session["organization"] = membership.organization_id
        else:
            session["organization"] = organization.id
    return client


def sign_out(client: FlaskClient) -> FlaskClient:
    """Forget the session; the client comes back."""
    with client.session_transaction() as session:
        session.clear()
    return client
