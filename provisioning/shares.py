"""Share links: made, renewed, revoked, listed, and found by their token.

What a link shows is decided in `provisioning.shared`; here is whether there is one.
"""

from __future__ import annotations

import hmac
import json
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, NamedTuple
from urllib.parse import urlsplit

from models import Organization, ShareLink, User, database
from provisioning.audit import Actor, write_deed
from provisioning.card_rows import TABLE_NAMES
from provisioning.errors import BadInput, FaultyForm, NotFound, Refused
from provisioning.resources import KIND_OF_PREFIX
from provisioning.rows import first_row, rows
from provisioning.tokens import new_secret, secret_hash

FIELDS = ("status", "error", "details")

FIELDS_MEANING = {
    "status": "the name and how it stands",
    "error": "the same, and why something failed",
    "details": "all that members see",
}

EXPIRIES: dict[str, int | None] = {
    "1h": 3_600,
    "1d": 86_400,
    "7d": 7 * 86_400,
    "30d": 30 * 86_400,
    "never": None,
}
"""What the form offers, in seconds; None: until somebody revokes it."""

MOST_ORIGINS = 20

State = Literal["open", "expired", "revoked", "gone"]

# How much of a token pages show, so that people can tell two apart: `share_` and four characters.
_SHOWN = 10
_SHORTEST_S, _LONGEST_S = 60, 10 * 365 * 86_400
_TABLES = {prefix: TABLE_NAMES[kind] for prefix, kind in KIND_OF_PREFIX.items()} | {
    "run": "run",
    "stk": "stack",
    "org": "organization",
}
_HOST = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\]")


class FoundLink(NamedTuple):
    """A link that a token belongs to. `revision` is that of its subject now; None where that is gone."""

    id: str
    organization_id: str
    subject: str
    fields: str
    origins_json: Any
    expires_at: int | None
    revoked_at: int | None
    revision: int | None

    def state(self, now: int) -> State:
        """Whether it shows anything."""
        if self.revoked_at is not None:
            return "revoked"
        if self.expires_at is not None and self.expires_at <= now:
            return "expired"
        return "open" if self.revision is not None else "gone"

    @property
    def allowed_origins(self) -> list[str]:
        """The origins whose pages may embed it."""
        # PostgreSQL hands JSON over decoded, SQLite as text.
        found = self.origins_json
        return list(json.loads(found) if isinstance(found, str) else found)


def find_link(token: str) -> FoundLink | None:
    """The link of a token, ended or not, and its subject's revision: one statement, for every poll asks it.

    None for a token that was guessed, cut or altered. The hash is looked up, so timing says nothing about tokens.
    """
    hashed = secret_hash(token)
    row = database.execute_sql(_link_sql(database.param), (hashed,)).fetchone()
    if row is None or not hmac.compare_digest(row[0], hashed):
        return None
    return FoundLink._make(row[1:])


@cache
def _link_sql(mark: str) -> str:
    # CASE looks into one table only: that which the subject's prefix names.
    whens = []
    for prefix, table in _TABLES.items():
        if table in TABLE_NAMES.values():
            revision = (
                "SELECT CASE WHEN n.revision > x.revision THEN n.revision ELSE x.revision END "
                f'FROM "{table}" x LEFT JOIN run n ON n.id = x.run_id WHERE x.id = l.subject'
            )
        else:
            revision = f'SELECT x.revision FROM "{table}" x WHERE x.id = l.subject'
        whens.append(f"WHEN '{prefix:_<3}' THEN ({revision})")
    return (
        "SELECT l.token_hash, l.id, l.organization_id, l.subject, l.fields, l.allowed_origins, l.expires_at, "
        f"l.revoked_at, CASE SUBSTR(l.subject, 1, 3) {' '.join(whens)} END "
        f"FROM share_link l WHERE l.token_hash = {mark}"
    )


# --- Making and ending them


@dataclass(frozen=True, slots=True)
class NewLink:
    """A link just made, with its token, which nobody can see again."""

    id: str
    token: str
    subject: str
    fields: str
    allowed_origins: list[str]
    expires_at: int | None


def create_link(
    *,
    organization_id: str,
    subject: str,
    fields: str,
    expires_in_s: int | None,
    allowed_origins: Iterable[str] = (),
    actor: Actor,
    now: int,
) -> NewLink:
    """Make a link to a resource, a run, a stack, or (for its feed of failures) an organisation.

    The caller has checked that the actor may change the subject. Raises `FaultyForm`, and `NotFound` where the
    organisation has no such subject.
    """
    faults: dict[str, str] = {}
    origins: list[str] = []
    if fields not in FIELDS:
        faults["fields"] = f"“{fields}” is none of {', '.join(FIELDS)}."
    if fault := _expiry_fault(expires_in_s):
        faults["expires_in"] = fault
    try:
        origins = read_origins(allowed_origins)
    except BadInput as error:
        faults["allowed_origins"] = f"{error} {error.remedy}".strip()
    if faults:
        raise FaultyForm(faults)
    if not _belongs(subject, organization_id):
        raise NotFound("There is no such resource, run or stack here.")
    token = new_secret("share")
    expires_at = now + expires_in_s * 1000 if expires_in_s is not None else None
    with database.atomic():
        link = ShareLink.create(
            organization=organization_id,
            token_hash=secret_hash(token),
            prefix=token[:_SHOWN],
            subject=subject,
            fields=fields,
            allowed_origins=origins,
            created_by=actor.user_id,
            created_at=now,
            expires_at=expires_at,
        )
        detail = f"{token[:_SHOWN]}…, shows {fields}, {_lasts(expires_in_s)}."
        write_deed(organization_id, actor, "share.created", subject=subject, detail=detail, now=now)
    return NewLink(link.id, token, subject, fields, origins, expires_at)


def renew_link(*, organization_id: str, link_id: str, expires_in_s: int | None, actor: Actor, now: int) -> None:
    """Let a link last that much longer from now, an expired one too.

    Raises `NotFound`, `FaultyForm`, and `Refused` where it was revoked: whoever revoked it meant it.
    """
    if fault := _expiry_fault(expires_in_s):
        raise FaultyForm({"expires_in": fault})
    with database.atomic():
        link = _own_link(organization_id, link_id)
        expires_at = now + expires_in_s * 1000 if expires_in_s is not None else None
        renewed = (
            ShareLink.update(expires_at=expires_at)
            .where(ShareLink.id == link_id, ShareLink.revoked_at.is_null())
            .execute()
        )
        if not renewed:
            raise Refused("This link was revoked. Make a new one.")
        detail = f"{link.prefix}…, {_lasts(expires_in_s)}."
        write_deed(organization_id, actor, "share.renewed", subject=link.subject, detail=detail, now=now)


def revoke_link(*, organization_id: str, link_id: str, actor: Actor, now: int) -> None:
    """End a link at once. Revoking twice changes nothing. Raises `NotFound`."""
    with database.atomic():
        link = _own_link(organization_id, link_id)
        revoked = (
            ShareLink.update(revoked_at=now).where(ShareLink.id == link_id, ShareLink.revoked_at.is_null()).execute()
        )
        if revoked:
            write_deed(organization_id, actor, "share.revoked", subject=link.subject, detail=f"{link.prefix}…", now=now)


def _own_link(organization_id: str, link_id: str) -> ShareLink:
    link: ShareLink | None = ShareLink.get_or_none(ShareLink.id == link_id, ShareLink.organization == organization_id)
    if link is None:
        raise NotFound("There is no such share link in this organisation.")
    return link


def read_origins(given: Iterable[str]) -> list[str]:
    """Origins as browsers write them: scheme, host, and the port where it is not the scheme's own.

    Raises `BadInput` for what is none. Nothing but letters, digits, dots, hyphens and brackets comes through: the
    result stands in a Content-Security-Policy.
    """
    origins: dict[str, None] = {}
    for text in given:
        text = text.strip()
        if text:
            origins[_origin(text)] = None
    if len(origins) > MOST_ORIGINS:
        raise BadInput(f"These are {len(origins)} origins.", field="allowed_origins", remedy=f"At most {MOST_ORIGINS}.")
    return list(origins)


def _origin(text: str) -> str:
    wrong = BadInput(
        f"“{text[:80]}” is no origin.",
        field="allowed_origins",
        remedy="Write scheme, host and port, like https://wiki.example.com or http://localhost:3000.",
    )
    try:
        parts = urlsplit(text)
        port = parts.port
        host = (parts.hostname or "").encode("idna").decode() if ":" not in (parts.hostname or "") else parts.hostname
    except (ValueError, UnicodeError):
        raise wrong from None
    if host and ":" in host:
        host = f"[{host}]"
    extra = parts.path not in ("", "/") or parts.query or parts.fragment or "@" in parts.netloc
    if parts.scheme not in ("http", "https") or not host or extra or not _HOST.fullmatch(host.lower()):
        raise wrong
    shown_port = f":{port}" if port not in (None, {"http": 80, "https": 443}[parts.scheme]) else ""
    return f"{parts.scheme}://{host.lower()}{shown_port}"


def _expiry_fault(seconds: int | None) -> str:
    if seconds is None or _SHORTEST_S <= seconds <= _LONGEST_S:
        return ""
    return f"A link lasts from {_SHORTEST_S} seconds to ten years, or until it is revoked."


def _lasts(seconds: int | None) -> str:
    return "until revoked" if seconds is None else f"for {seconds} s"


def _belongs(subject: str, organization_id: str) -> bool:
    table = _TABLES.get(subject.split("_", 1)[0])
    if table is None:
        return False
    column, mark = "id" if table == "organization" else "organization_id", database.param
    row = database.execute_sql(
        f'SELECT 1 FROM "{table}" WHERE id = {mark} AND {column} = {mark}', (subject, organization_id)
    ).fetchone()
    return row is not None


# --- The list


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkOnPage:
    """A link as the list shows it: never the token, only how it begins."""

    id: str
    prefix: str
    subject: str
    subject_name: str
    fields: str
    allowed_origins: list[str]
    created_by: str
    created_at: int
    expires_at: int | None
    revoked_at: int | None
    uses: int
    last_used_at: int | None

    def state(self, now: int) -> State:
        """Whether it shows anything."""
        if self.revoked_at is not None:
            return "revoked"
        if self.expires_at is not None and self.expires_at <= now:
            return "expired"
        return "open" if self.subject_name else "gone"


def links(organization_id: str, *, subject: str | None = None, limit: int = 200) -> list[LinkOnPage]:
    """An organisation's links (or those of one subject), the newest first, the ended ones too."""
    query = (
        ShareLink.select(
            ShareLink.id, ShareLink.prefix, ShareLink.subject, ShareLink.fields, ShareLink.allowed_origins,
            User.name, User.email, ShareLink.created_at, ShareLink.expires_at, ShareLink.revoked_at, ShareLink.uses,
            ShareLink.last_used_at,
        )
        .left_outer_join(User, on=(User.id == ShareLink.created_by))
        .where(ShareLink.organization == organization_id)
    )  # fmt: skip
    if subject is not None:
        query = query.where(ShareLink.subject == subject)
    found = rows(query.order_by(ShareLink.created_at.desc(), ShareLink.id.desc()).limit(limit))
    names = _names({row[2] for row in found})
    return [
        LinkOnPage(
            id=link_id,
            prefix=prefix,
            subject=about,
            subject_name=names.get(about, ""),
            fields=fields,
            allowed_origins=list(origins),
            created_by=who or email or "API token or command line",
            created_at=created_at,
            expires_at=expires_at,
            revoked_at=revoked_at,
            uses=uses,
            last_used_at=last_used_at,
        )
        for link_id, prefix, about, fields, origins, who, email, created_at, expires_at, revoked_at, uses, last_used_at
        in found
    ]  # fmt: skip


def _names(subjects: Iterable[str]) -> dict[str, str]:
    """What the subjects are called; those that are gone are missing."""
    by_table: dict[str, list[str]] = defaultdict(list)
    for subject in subjects:
        by_table[_TABLES[subject.split("_", 1)[0]]].append(subject)
    names: dict[str, str] = {}
    for table, ids in by_table.items():
        marks = ", ".join([database.param] * len(ids))
        if table == "run":
            joined = "run n LEFT JOIN stack s ON s.id = n.stack_id"
            sql = f"SELECT n.id, s.name, n.command FROM {joined} WHERE n.id IN ({marks})"
        else:
            sql = f'SELECT x.id, x.name, NULL FROM "{table}" x WHERE x.id IN ({marks})'
        for found_id, name, command in database.execute_sql(sql, tuple(ids)).fetchall():
            words = f"{name or ''} {command or ''}".strip() or "Run"
            names[found_id] = f"Failures of {words}" if table == "organization" else words
    return names


def organization_of(subject: str) -> str | None:
    """The organisation that a subject belongs to, for checks of access; None where there is no such subject."""
    prefix = subject.split("_", 1)[0]
    table = _TABLES.get(prefix)
    if table is None:
        return None
    if prefix == "org":
        row = first_row(Organization.select(Organization.id).where(Organization.id == subject))
    else:
        row = database.execute_sql(
            f'SELECT organization_id FROM "{table}" WHERE id = {database.param}', (subject,)
        ).fetchone()
    return str(row[0]) if row else None


def subject_name(subject: str) -> str:
    """What a subject is called; empty where it is gone."""
    return _names([subject]).get(subject, "")
