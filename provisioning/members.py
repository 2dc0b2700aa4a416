"""Organisations and who belongs to them. An organisation always keeps an owner: a member whose role has
`settings:full`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from peewee import IntegrityError

from models import Membership, Organization, Role, User, database
from provisioning.audit import Actor, write_deed
from provisioning.errors import FaultyForm, NotFound, Refused
from provisioning.names import name_fault
from provisioning.permissions import PRESETS, owners
from provisioning.rows import rows

_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


def organization_faults(*, name: str, slug: str | None = None) -> dict[str, str]:
    """Why an organisation's values are not acceptable, by field."""
    faults = {}
    if fault := name_fault(name, "The organisation's name", most=100):
        faults["organization_name"] = fault
    if slug is not None and not (len(slug) <= 40 and _SLUG.fullmatch(slug)):
        found = f"The short name is {slug[:60]!r}" if slug else "The short name is empty"
        faults["slug"] = f"{found}: use up to 40 lower-case letters, digits and single hyphens, like acme-web."
    return faults


def create_organization(*, slug: str, name: str = "", actor: Actor, now: int) -> Organization:
    """A new organisation with its preset roles and no members. Raises `FaultyForm`."""
    faults = organization_faults(name=name or slug, slug=slug)
    if faults:
        raise FaultyForm(faults)
    with database.atomic():
        return create_organization_rows(name=name or slug, slug=slug, actor=actor, now=now)


def create_organization_rows(*, name: str, slug: str, actor: Actor, now: int) -> Organization:
    """As `create_organization`, for values that were looked at and inside a transaction that is open already."""
    try:
        with database.atomic():
            organization = Organization.create(name=name.strip(), slug=slug, created_at=now)
    except IntegrityError:
        raise FaultyForm({"slug": f"There is an organisation with the short name {slug!r} already."}) from None
    for role_name, levels in PRESETS.items():
        Role.create(organization=organization, name=role_name, **levels)
    write_deed(organization.id, actor, "organization.created", subject=slug, now=now)
    return organization


def rename_organization(*, organization_id: str, name: str, actor: Actor, now: int) -> None:
    """Give the organisation another name; its short name stays, for scripts name it. Raises `FaultyForm`."""
    faults = organization_faults(name=name)
    if faults:
        raise FaultyForm(faults)
    with database.atomic():
        before = Organization.get_by_id(organization_id).name
        Organization.update(name=name.strip()).where(Organization.id == organization_id).execute()
        detail = f"“{before}” is now “{name.strip()}”."
        write_deed(organization_id, actor, "organization.renamed", subject=name.strip(), detail=detail, now=now)


def find_organization(slug: str) -> Organization | None:
    """The organisation with this short name."""
    return Organization.get_or_none(Organization.slug == slug)


def preset_role_id(organization_id: str, name: str) -> str:
    """The id of one of the preset roles."""
    return str(Role.get(Role.organization == organization_id, Role.name == name).id)


def role_exists(organization_id: str, role_id: str) -> bool:
    """Whether the organisation has this role."""
    return Role.get_or_none(Role.id == role_id, Role.organization == organization_id) is not None


@dataclass(frozen=True, slots=True)
class Member:
    """A member as the members page shows it."""

    user_id: str
    email: str
    name: str
    role_id: str
    role_name: str
    is_owner: bool
    has_password: bool
    joined_at: int
    last_signed_in_at: int | None


def members(organization_id: str) -> list[Member]:
    """All members of an organisation, the longest-standing first."""
    found = rows(
        Membership.select(
            User.id, User.email, User.name, Role.id, Role.name, Role.settings, User.password_hash != "",
            Membership.created_at, User.last_signed_in_at,
        )
        .join(User, on=(User.id == Membership.user))
        .join(Role, on=(Role.id == Membership.role))
        .where(Membership.organization == organization_id)
        .order_by(Membership.created_at, Membership.id)
    )  # fmt: skip
    return [
        Member(user_id, email, name, role_id, role_name, settings == "full", bool(has_password), joined, seen)
        for user_id, email, name, role_id, role_name, settings, has_password, joined, seen in found
    ]


def put_member(*, organization_id: str, user: User, role_id: str, actor: Actor, now: int) -> None:
    """Give a user a place in the organisation. Raises `FaultyForm` where there is one already, or no such role."""
    role = Role.get_or_none(Role.id == role_id, Role.organization == organization_id)
    if role is None:
        raise FaultyForm({"role": "Choose one of the organisation's roles."})
    try:
        with database.atomic():
            Membership.create(user=user, organization=organization_id, role=role, created_at=now)
            write_deed(organization_id, actor, "member.added", subject=user.email, detail=f"As {role.name}.", now=now)
    except IntegrityError:
        raise FaultyForm({"email": f"{user.email} is a member already."}) from None


def change_member_role(*, organization_id: str, user_id: str, role_id: str, actor: Actor, now: int) -> None:
    """Give a member another role. Raises `NotFound`, `FaultyForm`, or `Refused` for the last owner."""
    with database.atomic():
        lock_organization(organization_id)
        membership = _membership(organization_id, user_id)
        role = Role.get_or_none(Role.id == role_id, Role.organization == organization_id)
        if role is None:
            raise FaultyForm({"role": "Choose one of the organisation's roles."})
        if role.settings != "full":
            refuse_without_owner(organization_id, without_user=user_id)
        before = membership.role.name
        Membership.update(role=role).where(Membership.id == membership.id).execute()
        detail = f"{before} is now {role.name}."
        write_deed(organization_id, actor, "member.role", subject=membership.user.email, detail=detail, now=now)


def remove_member(*, organization_id: str, user_id: str, actor: Actor, now: int) -> None:
    """End a membership. Raises `NotFound`, or `Refused` for the last owner."""
    with database.atomic():
        lock_organization(organization_id)
        membership = _membership(organization_id, user_id)
        refuse_without_owner(organization_id, without_user=user_id)
        Membership.delete().where(Membership.id == membership.id).execute()
        write_deed(organization_id, actor, "member.removed", subject=membership.user.email, now=now)


def lock_organization(organization_id: str) -> None:
    """Make other transactions that change this organisation's owners wait for this one: two owners who demote each
    other at the same moment must not both succeed. A write locks the row on both databases."""
    Organization.update(name=Organization.name).where(Organization.id == organization_id).execute()


def refuse_without_owner(organization_id: str, *, without_user: str = "", without_role: str = "") -> None:
    """Raise `Refused` where nobody could manage the organisation once this user, or this role, is no owner."""
    left = [user_id for user_id, _, _ in owners(organization_id) if user_id != without_user]
    if without_role:
        in_role = Membership.select(Membership.user).where(
            Membership.organization == organization_id, Membership.role == without_role
        )
        gone = {row[0] for row in rows(in_role)}
        left = [user_id for user_id in left if user_id not in gone]
    if not left:
        raise Refused(
            "This would leave the organisation without an owner. Give somebody else a role with settings:full first."
        )


def _membership(organization_id: str, user_id: str) -> Membership:
    found = Membership.get_or_none(Membership.organization == organization_id, Membership.user == user_id)
    if found is None:
        raise NotFound("There is no such member in this organisation.")
    return found
