"""Who may call which route: every permission check of the web side is in this file.

`RULES` names, for each endpoint, who gets in; `enforce` runs before every request and refuses an endpoint without a
rule. Six kinds of rule:

- `PUBLIC`: everybody.
- `SIGNED_IN`: whoever is signed in; the view touches nothing but what is that person's own.
- `in_organization(read, change)`: members of the current organisation whose role includes the permission.
- `OF_OBJECT`: the organisation is that of the thing in the URL. The view must get it through `for_reading` or
  `for_changing`, or search with `reader()`.
- `POLL`: a signed session is enough to get in; the poll's own SQL checks version, membership and role. Where it finds a
  change, or nothing, the view searches with `reader()`. A poll of a card or of the dashboard that finds no change is
  answered by that SQL before `enforce` is asked: `UnchangedPolls` in `views/unchanged_polls.py`.
- `SHARED`: the token in the URL decides; the view says `mark_checked()` once it has found the link. Its
  polls that find no change are answered as those of `POLL`.
- `token(scope)`: `Authorization: Bearer`, with the scope. Sessions are of no use here, so neither is a forged request.

For the kinds where the view takes part, `require_check` turns a 2xx answer that was made without any check into a 500:
a forgotten check fails closed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Protocol, TypeVar, cast
from urllib.parse import quote, urlsplit

from flask import Request, Response, abort, current_app, g, redirect, request, session
from flask_login import current_user
from htmx_flask import make_response
from werkzeug.wrappers import Response as AnyResponse

from provisioning.errors import MissingPermission, NotAMember, NotFound
from provisioning.permissions import Person, Place, givers, require
from provisioning.readers import Reader
from provisioning.tokens import TokenIdentity, find_token
from views.clock import now_ms
from views.errors import error_answer, problem, wants_fragment, wants_problem


class Kind(Enum):
    """Who decides about a request; see the top of the file."""

    PUBLIC = "public"
    SIGNED_IN = "signed in"
    ORGANIZATION = "organization"
    OBJECT = "object"
    POLL = "poll"
    SHARED = "shared"
    TOKEN = "token"


@dataclass(frozen=True, slots=True)
class Rule:
    """One endpoint's rule. `needed` is a permission, or a token's scope; `to_change` is what other methods than GET
    need, where that differs."""

    kind: Kind
    needed: str = ""
    to_change: str = ""


PUBLIC = Rule(Kind.PUBLIC)
SIGNED_IN = Rule(Kind.SIGNED_IN)
OF_OBJECT = Rule(Kind.OBJECT)
POLL = Rule(Kind.POLL)
SHARED = Rule(Kind.SHARED)


def in_organization(needed: str, to_change: str = "") -> Rule:
    """For members of the current organisation whose role includes the permission."""
    return Rule(Kind.ORGANIZATION, needed, to_change or needed)


def token(scope: str) -> Rule:
    """For bearer tokens with the scope (`full` includes every scope)."""
    return Rule(Kind.TOKEN, scope)


# Add a line for each endpoint; a test walks all routes of the app and fails on one that has none.
RULES: dict[str, Rule] = {
    "static": PUBLIC,
    "auth.sign_in": PUBLIC,
    "auth.sign_out": PUBLIC,
    "auth.sign_out_everywhere": SIGNED_IN,
    "auth.set_up": PUBLIC,
    "auth.password_link": PUBLIC,
    "auth.switch_organization": SIGNED_IN,
    "account.page": SIGNED_IN,
    "account.password": SIGNED_IN,
    "settings.index": SIGNED_IN,
    "settings.organization": in_organization("settings:read", to_change="settings:full"),
    "settings.members": in_organization("settings:read", to_change="settings:full"),
    "settings.change_member": in_organization("settings:full"),
    "settings.remove_member": in_organization("settings:full"),
    "settings.give_password_link": in_organization("settings:full"),
    "settings.roles": in_organization("settings:read", to_change="settings:full"),
    "settings.role": in_organization("settings:full"),
    "settings.delete_role": in_organization("settings:full"),
    "settings.tokens": in_organization("settings:read", to_change="settings:full"),
    "settings.revoke_token": in_organization("settings:full"),
    "settings.audit": in_organization("settings:read"),
    "dashboard.index": in_organization("provisioning:read"),
    "dashboard.first_token": in_organization("settings:full"),
    "dashboard.operations": POLL,
    "cards.page": OF_OBJECT,
    "cards.history": OF_OBJECT,
    "cards.fragment": POLL,
    "cards.history_changes": POLL,
    "runs.index": in_organization("provisioning:read"),
    "runs.run": OF_OBJECT,
    "runs.close": OF_OBJECT,
    "runs.index_changes": POLL,
    "runs.run_changes": POLL,
    "stacks.index": in_organization("provisioning:read"),
    "stacks.stack": OF_OBJECT,
    "stacks.index_changes": POLL,
    "stacks.stack_changes": POLL,
    "logs.page": OF_OBJECT,
    "logs.changes": POLL,
    "logs.as_json": token("read"),
    "stack_settings.page": OF_OBJECT,
    "stack_settings.change": token("full"),
    "docks.index": in_organization("docks:read"),
    "docks.new": in_organization("docks:full"),
    "docks.dock": OF_OBJECT,
    "docks.sync": OF_OBJECT,
    "docks.remove": OF_OBJECT,
    "imports.page": in_organization("provisioning:full"),
    "resources.new": in_organization("provisioning:full"),
    "resources.set_by_hand": OF_OBJECT,
    "resources.create": token("full"),
    "resources.change": token("full"),
    "shares.index": in_organization("provisioning:full"),
    "shares.new": OF_OBJECT,
    "shares.revoke": in_organization("provisioning:full"),
    "shares.renew": in_organization("provisioning:full"),
    "shared.page": SHARED,
    "shared.as_json": SHARED,
    "badges.svg": SHARED,
    "badges.png": SHARED,
    "badges.text": SHARED,
    "badges.shields": SHARED,
    "embeds.frame": SHARED,
    "embeds.fragment": SHARED,
    "embeds.element": SHARED,
    "embeds.oembed": SHARED,
    "embed_script.script": PUBLIC,
    "feeds.atom": SHARED,
    "api.provision": token("read"),
    "api.provisions": token("read"),
    "api.stacks": token("read"),
    "api.stack": token("read"),
    "api.stack_badge": token("read"),
    "api.events": token("read"),
    "api.share_run": token("share"),
    "api.share_stack": token("share"),
    "api.share_provision": token("share"),
    "api.list_share_links": token("share"),
    "api.revoke_share_link": token("share"),
    "openapi.document": PUBLIC,
    "openapi.docs": PUBLIC,
    "api.runs": token("read"),
    "api.run": token("read"),
    "generic_runs.begin": token("ingest"),
    "generic_runs.steps": token("ingest"),
    "generic_runs.events": token("ingest"),
    "generic_runs.end": token("ingest"),
    "ingest.take_batch": token("ingest"),
    "system.healthz": PUBLIC,
    "system.readyz": PUBLIC,
    "system.reporter": PUBLIC,
}

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

_LEFT_TO_THE_VIEW = frozenset({Kind.OBJECT, Kind.POLL, Kind.SHARED})


class NoRule(Exception):
    """An endpoint has no line in `RULES`."""


class UncheckedAnswer(Exception):
    """A view answered about an object and never asked whether it may."""


def enforce() -> AnyResponse | None:
    """Before every request: let it in by its endpoint's rule, or answer in its place."""
    # Looked up once: the proxy costs a poll more than the checks.
    asked: Request = request._get_current_object()  # type: ignore[attr-defined]
    endpoint = asked.endpoint
    if endpoint is None:
        return None  # No such route or method: Flask answers.
    rule = RULES.get(endpoint)
    if rule is None:
        if current_app.testing:
            raise NoRule(f"{endpoint} has no line in views.access.RULES.")
        return error_answer(403, detail="This page has no rule that says who may see it.")
    kind = rule.kind
    if kind is Kind.TOKEN:
        return _enforce_token(rule.needed)
    _refuse_nul(asked)
    if kind is Kind.POLL or kind is Kind.OBJECT:
        if session_identity() is None:
            return sign_in_first()
    elif kind is Kind.SIGNED_IN or kind is Kind.ORGANIZATION:
        who = person()
        if who is None:
            return sign_in_first()
        if kind is Kind.ORGANIZATION:
            _enforce_organization(who, rule.needed if asked.method in _SAFE_METHODS else rule.to_change)
    if asked.method not in _SAFE_METHODS and current_app.config["WTF_CSRF_ENABLED"]:
        # A browser sends its session with every request: another site could send one in the name of its user.
        current_app.extensions["csrf"].protect()
    return None


def require_check(answer: Response) -> Response:
    """After every request: fail closed where the view had to check and did not."""
    if 200 <= answer.status_code < 300:
        endpoint = request.endpoint
        rule = RULES.get(endpoint) if endpoint is not None else None
        if rule is not None and rule.kind in _LEFT_TO_THE_VIEW and not g.get("access_checked"):
            raise UncheckedAnswer(f"{endpoint} answered {answer.status_code} without a check of access.")
    return answer


def mark_checked() -> None:
    """Say that this request's access was decided, where no function here did it."""
    g.access_checked = True


# --- Who asks


def session_identity() -> tuple[str, int] | None:
    """(user id, version) from the signed session, without a query; None where nobody is signed in.

    The version is to be compared with the user's own: a session that was ended still carries a good signature.
    """
    return identity_in(session)


def identity_in(content: Mapping[str, object]) -> tuple[str, int] | None:
    """(user id, version) in the content of a session."""
    text = content.get("_user_id")
    if not isinstance(text, str):
        return None
    user_id, _, version = text.partition(":")
    return (user_id, int(version)) if version.isdigit() else None


def session_organization() -> str | None:
    """The id of the current organisation from the session, without a query and unchecked: for a poll's own SQL."""
    return cast("str | None", session.get("organization"))


def person() -> Person | None:
    """Who is signed in, with all places: one query, made at most once a request. Not for polls."""
    return current_user.person if current_user.is_authenticated else None


def signed_in_person() -> Person:
    """Who is signed in; ends the request with the way to sign-in where nobody is."""
    who = person()
    if who is None:
        abort(sign_in_first())
    return who


def place() -> Place | None:
    """The place in the current organisation: the one chosen in the header, else the default one, else None."""
    who = person()
    if who is None or not who.places:
        return None
    return who.place_in(session.get("organization") or "") or who.places[0]


def current_place() -> Place:
    """The place in the current organisation; raises `NotAMember` where the person has no place at all."""
    here = place()
    if here is None:
        raise NotAMember("You do not belong to any organisation yet. Ask an owner to add you.")
    return here


def token_identity() -> TokenIdentity | None:
    """Whose bearer token this request carries; None without one, or with one that is unknown, revoked or over."""
    if "token_identity" not in g:
        scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
        g.token_identity = find_token(secret.strip(), now_ms()) if scheme.lower() == "bearer" and secret else None
    return cast("TokenIdentity | None", g.token_identity)


def reader() -> Reader:
    """The reader of this request for `provisioning.queries`, which search only what it may see.

    A member who may read provisioning nowhere is told which permission is missing.
    """
    mark_checked()
    by_token = g.get("token_identity")
    if by_token is not None:
        return Reader(organization_id=by_token.organization_id)
    who = signed_in_person()
    if not any(one.may("provisioning:read") for one in who.places):
        here = current_place()
        raise MissingPermission("provisioning:read", here.organization_id, givers=givers(here.organization_id))
    return Reader(user_id=who.id)


# --- The paired loaders


class OfOrganization(Protocol):
    """Anything that belongs to an organisation."""

    @property
    def organization_id(self) -> str:
        """Its organisation."""


Found = TypeVar("Found", bound=OfOrganization)


def for_reading(found: Found | None, area: str = "provisioning") -> Found:
    """Give back what was found where the reader may see it: a 404 for None and for another organisation's, a 403
    for a member without the permission. For a token its own organisation counts."""
    return _allowed(found, f"{area}:read")


def for_changing(found: Found | None, area: str = "provisioning") -> Found:
    """As `for_reading`, for those who may also change it."""
    return _allowed(found, f"{area}:full")


def _allowed(found: Found | None, permission: str) -> Found:
    mark_checked()
    by_token = g.get("token_identity")
    if by_token is not None:
        # Its scope was checked by the route's rule.
        if found is None or found.organization_id != by_token.organization_id:
            raise NotFound("There is no such thing in this token's organisation.")
        return found
    who = signed_in_person()
    if found is None:
        raise NotFound("There is no such page, or it belongs to an organisation that you are not a member of.")
    require(who, found.organization_id, permission)
    return found


# --- The way in


def sign_in_first() -> AnyResponse:
    """The answer to whoever must sign in: a redirect for a page, 401 for programs and for htmx.

    htmx follows a redirect and would poll the sign-in page for ever; 401 with `HX-Redirect` moves the whole page.
    """
    if wants_problem():
        return _token_wanted("This needs an API token.")
    if wants_fragment():
        shown = urlsplit(request.headers.get("HX-Current-URL", ""))
        answer = make_response("Sign in again.", 401, redirect=_sign_in_url(shown.path, shown.query))
        answer.mimetype = "text/plain"
        return cast("AnyResponse", answer)
    if request.method == "GET":
        return redirect(_sign_in_url(request.path, request.query_string.decode("latin-1")), 303)
    return redirect("/signin", 303)


def safe_next(target: str | None) -> str:
    """Where to go after signing in: a path on this site, else the dashboard.

    Only a path that begins with one slash is followed: `//host` and `/\\host` are other sites to a browser.
    """
    if target and target.startswith("/") and target[1:2] not in {"/", "\\"} and target.isprintable():
        return target
    return "/"


def _sign_in_url(path: str, query: str) -> str:
    target = safe_next(f"{path}?{query}" if query else path)
    return "/signin" if target == "/" else f"/signin?next={quote(target, safe='/')}"


def _enforce_organization(who: Person, needed: str) -> None:
    here = current_place()
    require(who, here.organization_id, needed)
    if session.get("organization") != here.organization_id:
        # Polls read the current organisation from the session alone.
        session["organization"] = here.organization_id


def _refuse_nul(asked: Request) -> None:
    """Refuse the character that PostgreSQL stores in no text, before any view hands it on. The bodies of programs are
    looked at by what reads them: here it would consume a batch that says it is a form."""
    if "\0" in asked.path or b"%00" in asked.query_string:
        abort(400, "The address holds a NUL character.")
    if asked.method == "POST" and any("\0" in text for text in asked.form.values()):
        abort(400, "A field of the form holds a NUL character.")


def _enforce_token(scope: str) -> AnyResponse | None:
    identity = token_identity()
    if identity is None:
        given = bool(request.headers.get("Authorization"))
        return _token_wanted("The API token is unknown, revoked or expired." if given else "This needs an API token.")
    if not identity.has(scope):
        return problem(
            403,
            f"The token “{identity.name}” has the scopes {' '.join(sorted(identity.scopes))}, not {scope}.",
            remedy=f"Make a token with the scope {scope} under Settings, API tokens.",
        )
    return None


def _token_wanted(detail: str) -> Response:
    return problem(
        401,
        detail,
        remedy="Send `Authorization: Bearer TOKEN`; make one under Settings, API tokens, or by `slipway token add`.",
        headers={"WWW-Authenticate": 'Bearer realm="Slipway"'},
    )
