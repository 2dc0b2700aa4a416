"""Roles: three presets that stay as they are, and those that an organisation makes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from peewee import IntegrityError, fn

from models import Membership, Role, database
from provisioning.audit import Actor, write_deed
from provisioning.errors import FaultyForm, NotFound, Refused
from provisioning.members import lock_organization, refuse_without_owner
from provisioning.names import name_fault
from provisioning.permissions import AREAS, LEVELS, PRESETS
from provisioning.rows import rows


@dataclass(frozen=True, slots=True)
class RoleOnPage:
    """A role as the roles page shows it."""

    id: str
    name: str
    levels: dict[str, str]
    members: int

    @property
    def is_preset(self) -> bool:
        """Whether the role is one of the three that stay as they are."""
        return self.name in PRESETS


def roles(organization_id: str) -> list[RoleOnPage]:
    """All roles of an organisation: the presets, then its own by name."""
    counted = rows(
        Role.select(Role.id, Role.name, Role.provisioning, Role.docks, Role.settings, fn.COUNT(Membership.id))
        .left_outer_join(Membership, on=(Membership.role == Role.id))
        .where(Role.organization == organization_id)
        .group_by(Role.id, Role.name, Role.provisioning, Role.docks, Role.settings)
    )
    found = [RoleOnPage(row[0], row[1], dict(zip(AREAS, row[2:5], strict=True)), row[5]) for row in counted]
    order = list(PRESETS)
    return sorted(
        found, key=lambda role: (order.index(role.name) if role.is_preset else len(order), role.name.casefold())
    )


def find_role(organization_id: str, name: str) -> Role | None:
    """The role of this name, whatever the case of its letters."""
    return Role.get_or_none(Role.organization == organization_id, fn.LOWER(Role.name) == name.strip().lower())


def role_named(organization_id: str, name: str) -> Role:
    """The role of this name. Raises `FaultyForm` with the names there are."""
    found = find_role(organization_id, name)
    if found is None:
        known = ", ".join(role.name for role in roles(organization_id))
        raise FaultyForm({"role": f"There is no role {name!r} in this organisation: choose from {known}."})
    return found


def role_faults(organization_id: str, *, name: str, levels: Mapping[str, str], but_role: str = "") -> dict[str, str]:
    """Why a role's values are not acceptable, by field."""
    faults = {}
    if fault := name_fault(name, "The role's name", most=60):
        faults["name"] = fault
    elif (same := find_role(organization_id, name)) is not None and same.id != but_role:
        faults["name"] = f"There is a role named “{same.name}” already."
    for area in AREAS:
        if levels.get(area) not in LEVELS:
            faults[area] = f"Choose one of {', '.join(LEVELS)}."
    return faults


def create_role(*, organization_id: str, name: str, levels: Mapping[str, str], actor: Actor, now: int) -> str:
    """A role of the organisation's own; returns its id. Raises `FaultyForm`."""
    faults = role_faults(organization_id, name=name, levels=levels)
    if faults:
        raise FaultyForm(faults)
    try:
        with database.atomic():
            role = Role.create(
                organization=organization_id, name=name.strip(), **{area: levels[area] for area in AREAS}
            )
            write_deed(organization_id, actor, "role.created", subject=role.name, detail=_in_words(levels), now=now)
    except IntegrityError:
        raise FaultyForm({"name": f"There is a role named “{name.strip()}” already."}) from None
    return str(role.id)


def change_role(
    *, organization_id: str, role_id: str, name: str, levels: Mapping[str, str], actor: Actor, now: int
) -> None:
    """Change a role of the organisation's own. Raises `FaultyForm`, `NotFound`, or `Refused` for a preset and where
    nobody would be an owner any more."""
    with database.atomic():
        lock_organization(organization_id)
        own_role(organization_id, role_id)
        faults = role_faults(organization_id, name=name, levels=levels, but_role=role_id)
        if faults:
            raise FaultyForm(faults)
        if levels["settings"] != "full":
            refuse_without_owner(organization_id, without_role=role_id)
        changes = {area: levels[area] for area in AREAS} | {"name": name.strip()}
        Role.update(changes).where(Role.id == role_id).execute()
        write_deed(organization_id, actor, "role.changed", subject=name.strip(), detail=_in_words(levels), now=now)


def delete_role(*, organization_id: str, role_id: str, actor: Actor, now: int) -> None:
    """Delete a role of the organisation's own. Raises `NotFound`, or `Refused` for a preset or one that is in use."""
    with database.atomic():
        role = own_role(organization_id, role_id)
        held = Membership.select(fn.COUNT(Membership.id)).where(Membership.role == role_id).scalar()
        if held:
            raise Refused(f"{held} members have the role “{role.name}”. Give them another one first.")
        Role.delete().where(Role.id == role_id).execute()
        write_deed(organization_id, actor, "role.deleted", subject=role.name, now=now)


def own_role(organization_id: str, role_id: str) -> Role:
    """One of the organisation's own roles. Raises `NotFound`, or `Refused` for a preset."""
    role = Role.get_or_none(Role.id == role_id, Role.organization == organization_id)
    if role is None:
        raise NotFound("There is no such role in this organisation.")
    if role.name in PRESETS:
        raise Refused(f"{role.name} is a preset and stays as it is. Make a role of your own instead.")
    return role


def _in_words(levels: Mapping[str, str]) -> str:
    return ", ".join(f"{area} {levels[area]}" for area in AREAS)
