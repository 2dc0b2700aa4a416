"""API tokens: made once, kept as a hash, found by every request that carries one."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass

from models import ApiToken

SCOPES = ("ingest", "read", "share", "full")

SCOPE_MEANING = {
    "ingest": "send what a tool says",
    "read": "read resources, runs and stacks",
    "share": "make and revoke share links",
    "full": "all of the above, and change what is provisioned",
}

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
    row = (
        ApiToken.select(
            ApiToken.id, ApiToken.organization, ApiToken.name, ApiToken.scopes, ApiToken.created_by,
            ApiToken.expires_at, ApiToken.revoked_at, ApiToken.last_used_at,
        )
        .where(ApiToken.token_hash == secret_hash(secret))
        .tuples()
        .first()
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
