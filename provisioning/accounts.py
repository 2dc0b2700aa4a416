"""People: how they come in, sign in and change their password.

Pages and command line both call these functions; whatever is not acceptable is told by `FaultyForm`, all faults at
once. Who belongs to which organisation is in `members.py`.
"""

from __future__ import annotations

from email_validator import SPECIAL_USE_DOMAIN_NAMES, EmailNotValidError, validate_email
from peewee import IntegrityError

from models import Membership, SetupLink, User, database
from provisioning.audit import Actor, write_deed
from provisioning.errors import FaultyForm, NotFound, Refused
from provisioning.members import create_organization_rows, organization_faults, preset_role_id, put_member, role_exists
from provisioning.names import name_fault
from provisioning.passwords import needs_new_hash, password_fault, password_fits, password_hash
from provisioning.rows import first_row, rows
from provisioning.tokens import new_secret, secret_hash

# People of a self-hosted app have addresses like ops@build.internal, to which the world cannot send mail.
SPECIAL_USE_DOMAIN_NAMES.clear()


def clean_email(text: str) -> tuple[str, str]:
    """(the address in the one spelling that is kept, why it is not acceptable). One of the two is empty."""
    try:
        found = validate_email(text.strip(), check_deliverability=False)
    except EmailNotValidError as error:
        return "", f"“{text.strip()[:100]}” is no email address: {error}" if text.strip() else "The email is empty."
    return found.normalized.lower(), ""


def user_faults(*, email: str, name: str = "", password: str | None = None) -> dict[str, str]:
    """Why a new user's values are not acceptable, by field; a password of None is one that is set later."""
    faults = {}
    cleaned, fault = clean_email(email)
    if fault:
        faults["email"] = fault
    if fault := name_fault(name, "The name", most=100, optional=True):
        faults["name"] = fault
    if password is not None and (fault := password_fault(password, email=cleaned)):
        faults["password"] = fault
    return faults


def create_user(*, email: str, name: str = "", password: str | None = None, now: int) -> User:
    """A new user, without any place. Raises `FaultyForm`."""
    faults = user_faults(email=email, name=name, password=password)
    if faults:
        raise FaultyForm(faults)
    address, _ = clean_email(email)
    kept = password_hash(password) if password is not None else ""
    try:
        with database.atomic():
            return User.create(email=address, name=name.strip(), password_hash=kept, created_at=now)
    except IntegrityError:
        raise FaultyForm({"email": f"{address} has an account already."}) from None


def add_person(
    *,
    organization_id: str,
    email: str,
    name: str = "",
    password: str | None = None,
    role_id: str,
    actor: Actor,
    now: int,
) -> tuple[User, bool]:
    """Make somebody a member, and a user where nobody has this email yet; returns the user and whether it is new.

    An account that exists stays as it is: its password is not touched. Raises `FaultyForm`.
    """
    user = find_user(email)
    faults = {} if user else user_faults(email=email, name=name, password=password)
    if not role_exists(organization_id, role_id):
        faults["role"] = "Choose one of the organisation's roles."
    if faults:
        raise FaultyForm(faults)
    with database.atomic():
        added = user or create_user(email=email, name=name, password=password, now=now)
        put_member(organization_id=organization_id, user=added, role_id=role_id, actor=actor, now=now)
    return added, user is None


def find_user(email: str) -> User | None:
    """The user with this email address, however it is spelt."""
    address, _ = clean_email(email)
    return User.get_or_none(User.email == address) if address else None


def authenticate(email: str, password: str, now: int) -> User | None:
    """The user whose email and password these are. Takes the same time for an unknown email and a wrong password."""
    user = find_user(email)
    kept = user.password_hash if user is not None and not user.disabled else ""
    if not password_fits(password, kept) or user is None:
        return None
    changes: dict[str, object] = {"last_signed_in_at": now}
    if needs_new_hash(kept):
        changes["password_hash"] = password_hash(password)
    User.update(changes).where(User.id == user.id).execute()
    return user


def change_password(*, user_id: str, current: str, new: str, repeated: str, now: int) -> User:
    """Give a user a new password, known the current one, and end all other sessions. Raises `FaultyForm`.

    Returns the user with the new version: the caller signs that session in again.
    """
    user = User.get_by_id(user_id)
    faults = {}
    if not password_fits(current, user.password_hash):
        faults["current"] = "This is not your current password."
    if fault := password_fault(new, email=user.email):
        faults["new"] = fault
    if new != repeated:
        faults["repeated"] = "The two new passwords differ."
    if faults:
        raise FaultyForm(faults)
    _write_password(user, new, action="password.changed", now=now)
    return User.get_by_id(user_id)


def replace_password(*, email: str, password: str, actor: Actor, now: int) -> User:
    """Give a user a new password from the command line, where the old one is lost. Raises `FaultyForm`."""
    user = find_user(email)
    if user is None:
        raise FaultyForm({"email": f"There is no user with the email address {email!r}."})
    if fault := password_fault(password, email=user.email):
        raise FaultyForm({"password": fault})
    _write_password(user, password, action="password.replaced", actor=actor, now=now)
    return user


def sign_out_everywhere(*, user_id: str, now: int) -> None:
    """End every session of the user, this one too."""
    user = User.get_by_id(user_id)
    with database.atomic():
        User.update(version=User.version + 1).where(User.id == user_id).execute()
        _write_everywhere(user, "sessions.ended", Actor(user.name or user.email, user.id), now=now)


# --- Password links: how somebody who was added sets the first password, without mail


def password_link_subject(user_id: str, organization_id: str) -> User:
    """The user for whom an owner of this organisation may make a password link.

    Only where the user belongs to no other organisation: the link's owner could otherwise sign in there as somebody
    else. Raises `NotFound` or `Refused`.
    """
    places = [row[0] for row in rows(Membership.select(Membership.organization).where(Membership.user == user_id))]
    if organization_id not in places:
        raise NotFound("There is no such member in this organisation.")
    user = User.get_by_id(user_id)
    if len(places) > 1:
        raise Refused(
            f"{user.name or user.email} belongs to other organisations too, so nobody here can set that password. "
            f"Whoever runs this Slipway can: `slipway user password {user.email}`."
        )
    return user


def give_password_link(*, user_id: str, organization_id: str, actor: Actor, now: int) -> User:
    """Write down that an owner makes a password link, and return the user it is for. Raises as above."""
    user = password_link_subject(user_id, organization_id)
    write_deed(organization_id, actor, "password.link", subject=user.email, now=now)
    return user


def use_password_link(
    *, user_id: str, version: int, organization_id: str, password: str, repeated: str, now: int
) -> User:
    """Set the password by a link; that spends the link, for its version is then another one.

    Raises `FaultyForm`, `NotFound` or `Refused`.
    """
    user = password_link_subject(user_id, organization_id)
    if user.version != version or user.disabled:
        raise Refused("This link was used already, or the account has changed since it was made.")
    faults = {}
    if fault := password_fault(password, email=user.email):
        faults["password"] = fault
    if password != repeated:
        faults["repeated"] = "The two passwords differ."
    if faults:
        raise FaultyForm(faults)
    _write_password(user, password, action="password.set", now=now)
    return User.get_by_id(user_id)


# --- The set-up link: how the very first owner comes in


def anybody_exists() -> bool:
    """Whether there is any user at all."""
    return first_row(User.select(User.id).limit(1)) is not None


def setup_link(now: int) -> str | None:
    """A fresh one-time token for `/setup/<token>`; None once a user exists. Earlier tokens end."""
    if anybody_exists():
        return None
    secret = new_secret("setup")
    with database.atomic():
        SetupLink.delete().where(SetupLink.used_at.is_null()).execute()
        SetupLink.create(token_hash=secret_hash(secret), created_at=now)
    return secret


def setup_link_is_open(secret: str) -> bool:
    """Whether the set-up link can still be used."""
    link = SetupLink.get_or_none(SetupLink.token_hash == secret_hash(secret))
    return link is not None and link.used_at is None and not anybody_exists()


def use_setup_link(
    *,
    secret: str,
    organization_name: str,
    slug: str,
    email: str,
    name: str,
    password: str,
    repeated: str,
    now: int,
) -> User:
    """Make the first organisation and its owner. Raises `FaultyForm`, or `Refused` where the link was used."""
    faults = organization_faults(name=organization_name, slug=slug)
    faults |= user_faults(email=email, name=name, password=password)
    if password != repeated:
        faults["repeated"] = "The two passwords differ."
    if faults:
        raise FaultyForm(faults)
    used = Refused("This set-up link was used already. Sign in, or ask whoever did the set-up to add you.")
    with database.atomic():
        # Two browsers may send the form at once: whoever changes the row has the link.
        claimed = (
            SetupLink.update(used_at=now)
            .where(SetupLink.token_hash == secret_hash(secret), SetupLink.used_at.is_null())
            .execute()
        )
        if claimed != 1 or anybody_exists():
            raise used
        user = create_user(email=email, name=name, password=password, now=now)
        actor = Actor(user.name or user.email, user.id)
        organization = create_organization_rows(name=organization_name, slug=slug, actor=actor, now=now)
        Membership.create(
            user=user, organization=organization, role=preset_role_id(organization.id, "Owner"), created_at=now
        )
        write_deed(organization.id, actor, "member.added", subject=user.email, detail="First owner, by set-up", now=now)
    return user


def _write_password(user: User, password: str, *, action: str, actor: Actor | None = None, now: int) -> None:
    kept = password_hash(password)
    with database.atomic():
        changed = (
            User.update(password_hash=kept, version=User.version + 1)
            .where(User.id == user.id, User.version == user.version)
            .execute()
        )
        if changed != 1:
            raise Refused("The account was changed at the same moment. Try again.")
        _write_everywhere(user, action, actor or Actor(user.name or user.email, user.id), now=now)


def _write_everywhere(user: User, action: str, actor: Actor, *, now: int) -> None:
    """Write a deed about the account itself down in each organisation that the user belongs to."""
    for (organization_id,) in rows(Membership.select(Membership.organization).where(Membership.user == user.id)):
        write_deed(organization_id, actor, action, subject=user.email, now=now)
