"""API tokens: made once, kept as a hash, found by every request that carries one."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass

from models import ApiToken, User, database
from provisioning.audit import Actor, write_deed
from provisioning.errors import FaultyForm, NotFound
from provisioning.names import name_fault
from provisioning.rows import first_row, rows

SCOPES = ("ingest", "read", "share", "full")

SCOPE_MEANING = {
    "ingest": "send what a tool says",
    "read": "read resources, runs and stacks",
    "share": "make and revoke share links",
    "full": "all of the above, and change what is provisioned",
}

# How much of a token pages show, so that people can tell two apart: `slipway_` and four characters.
_SHOWN = 12

# How long a token may have been used before that is written down again: a write a minute, not one a request.
_REMEMBER_USE_EVERY_MS = 60_000


@dataclass(frozen=True, slots=True)
class TokenIdentity:
    """Who a bearer token speaks for."""

    token_id: str
    organization_id: str
    name: str
    scopes: frozenset[str]
    created_by: str | None

    def has(self, scope: str) -> bool:
        """Whether the token has the scope; `full` includes every other."""
        return scope in self.scopes or "full" in self.scopes


def new_secret(prefix: str = "slipway") -> str:
    """A new token as it is shown once: 256 bits that nobody can guess."""
    return f"{prefix}_{secrets.token_urlsafe(32)}"


def secret_hash(secret: str) -> str:
    """What is kept of a token. A plain SHA-256 is enough, because the secret is long and random."""
    return hashlib.sha256(secret.encode()).hexdigest()


def find_token(secret: str, now: int) -> TokenIdentity | None:
    """Whose token this is; None where it is unknown, revoked or expired. Notes the use, at most once a minute."""
    row = first_row(
        ApiToken.select(
            ApiToken.id, ApiToken.organization, ApiToken.name, ApiToken.scopes, ApiToken.created_by,
            ApiToken.expires_at, ApiToken.revoked_at, ApiToken.last_used_at,
        )
        .where(ApiToken.token_hash == secret_hash(secret))
    )  # fmt: skip
    if row is None:
        return None
    token_id, organization_id, name, scopes, created_by, expires_at, revoked_at, last_used_at = row
    if revoked_at is not None or (expires_at is not None and expires_at <= now):
        return None
    if last_used_at is None or last_used_at <= now - _REMEMBER_USE_EVERY_MS:
        ApiToken.update(last_used_at=now).where(
            ApiToken.id == token_id,
            ApiToken.last_used_at.is_null() | (ApiToken.last_used_at <= now - _REMEMBER_USE_EVERY_MS),
        ).execute()
    return TokenIdentity(token_id, organization_id, name, frozenset(scopes.split()), created_by)


@dataclass(frozen=True, slots=True)
class TokenOnPage:
    """A token as the tokens page shows it: never the secret, only how it begins."""

    id: str
    name: str
    prefix: str
    scopes: list[str]
    created_by: str
    created_at: int
    expires_at: int | None
    last_used_at: int | None
    revoked_at: int | None


def tokens(organization_id: str, limit: int = 200) -> list[TokenOnPage]:
    """An organisation's tokens, the newest first, the revoked ones too."""
    found = rows(
        ApiToken.select(
            ApiToken.id, ApiToken.name, ApiToken.prefix, ApiToken.scopes, User.name, User.email,
            ApiToken.created_at, ApiToken.expires_at, ApiToken.last_used_at, ApiToken.revoked_at,
        )
        .left_outer_join(User, on=(User.id == ApiToken.created_by))
        .where(ApiToken.organization == organization_id)
        .order_by(ApiToken.created_at.desc())
        .limit(limit)
    )  # fmt: skip
    return [
        TokenOnPage(token_id, name, prefix, scopes.split(), who or email or "command line", *times)
        for token_id, name, prefix, scopes, who, email, *times in found
    ]


def create_token(
    *,
    organization_id: str,
    name: str,
    scopes: Iterable[str],
    expires_in_days: int | None = None,
    actor: Actor,
    now: int,
) -> str:
    """Make a token and return its secret, which nobody can see again. Raises `FaultyForm`."""
    wanted = list(dict.fromkeys(scopes))
    faults = {}
    if fault := name_fault(name, "The token's name", most=80):
        faults["name"] = fault
    unknown = [scope for scope in wanted if scope not in SCOPES]
    if unknown or not wanted:
        found = f"“{unknown[0]}” is no scope: choose" if unknown else "Choose"
        faults["scopes"] = f"{found} from {', '.join(SCOPES)}."
    if expires_in_days is not None and not 1 <= expires_in_days <= 3650:
        faults["expires_in_days"] = "A token lasts 1 to 3650 days, or for ever."
    if faults:
        raise FaultyForm(faults)
    secret = new_secret()
    with database.atomic():
        ApiToken.create(
            organization=organization_id,
            name=name.strip(),
            token_hash=secret_hash(secret),
            prefix=secret[:_SHOWN],
            scopes=" ".join(wanted),
            created_by=actor.user_id,
            created_at=now,
            expires_at=now + expires_in_days * 86_400_000 if expires_in_days is not None else None,
        )
        detail = f"{secret[:_SHOWN]}…, scopes {' '.join(wanted)}."
        write_deed(organization_id, actor, "token.created", subject=name.strip(), detail=detail, now=now)
    return secret


def revoke_token(*, organization_id: str, token_id: str, actor: Actor, now: int) -> None:
    """End a token at once. Revoking twice changes nothing. Raises `NotFound`."""
    with database.atomic():
        token = ApiToken.get_or_none(ApiToken.id == token_id, ApiToken.organization == organization_id)
        if token is None:
            raise NotFound("There is no such token in this organisation.")
        revoked = (
            ApiToken.update(revoked_at=now).where(ApiToken.id == token_id, ApiToken.revoked_at.is_null()).execute()
        )
        if revoked:
            write_deed(organization_id, actor, "token.revoked", subject=token.name, detail=f"{token.prefix}…", now=now)
