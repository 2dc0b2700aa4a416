"""Share links for members: making one, with what to paste where, and the list of all."""

from __future__ import annotations

import re
from dataclasses import dataclass

from flask import Blueprint, Response, current_app, flash, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from config import Settings
from provisioning import shares as share_links
from provisioning.audit import Actor
from provisioning.errors import BadInput, FaultyForm
from provisioning.share_uses import uses
from provisioning.shares import EXPIRIES, FIELDS_MEANING
from views import access
from views.clock import now_ms
from views.links import public_url

shares = Blueprint("shares", __name__)

EXPIRY_WORDS = {"1h": "1 hour", "1d": "1 day", "7d": "7 days", "30d": "30 days", "never": "never"}

# The app's own policy, and frames of our own for the preview.
_PREVIEW_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; frame-src 'self'"
)


@dataclass(frozen=True, slots=True)
class Subject:
    """What a link is to be about, as far as access is decided by it."""

    id: str
    organization_id: str


@shares.get("/shares")
def index() -> str:
    """The share links of the current organisation, the newest first, the ended ones too."""
    here = access.current_place()
    uses.write_all()
    found = share_links.links(here.organization_id)
    settings: Settings = current_app.config["SETTINGS"]
    return render_template(
        "shares/list.html",
        links=found,
        here=here,
        expiries=EXPIRY_WORDS,
        keep_days=settings.keep_ended_shares_days,
        now=now_ms(),
    )


@shares.route("/shares/new", methods=["GET", "POST"])
def new() -> AnyResponse | str | tuple[str, int]:
    """Make a link to the `subject`. The answer to the form is the only one that ever shows the link."""
    about = request.values.get("subject", "")
    organization_id = share_links.organization_of(about)
    subject = access.for_changing(Subject(about, organization_id) if organization_id else None)
    if request.method == "GET":
        return _form(subject)
    try:
        made = share_links.create_link(
            organization_id=subject.organization_id,
            subject=subject.id,
            fields=request.form.get("fields", ""),
            expires_in_s=_expiry(request.form.get("expires_in", "")),
            allowed_origins=request.form.get("allowed_origins", "").replace(",", "\n").splitlines(),
            actor=_actor(),
            now=now_ms(),
        )
    except FaultyForm as error:
        return _form(subject, faults=error.faults), 422
    name = share_links.subject_name(subject.id)
    page = render_template(
        "shares/made.html",
        link=made,
        name=name,
        markdown_name=_in_markdown(name),
        is_feed=subject.id.startswith("org_"),
        has_history=not subject.id.startswith("run_"),
        base=public_url(""),
        now=now_ms(),
    )
    return Response(page, headers={"Cache-Control": "no-store", "Content-Security-Policy": _PREVIEW_POLICY})


@shares.post("/shares/<link_id>/revoke")
def revoke(link_id: str) -> AnyResponse:
    """End a link at once."""
    organization_id = access.current_place().organization_id
    share_links.revoke_link(organization_id=organization_id, link_id=link_id, actor=_actor(), now=now_ms())
    flash("The link is revoked. Pages that show it end with their next poll.")
    return redirect("/shares", 303)


@shares.post("/shares/<link_id>/renew")
def renew(link_id: str) -> AnyResponse:
    """Let a link last longer, from now."""
    share_links.renew_link(
        organization_id=access.current_place().organization_id,
        link_id=link_id,
        expires_in_s=_expiry(request.form.get("expires_in", "")),
        actor=_actor(),
        now=now_ms(),
    )
    flash("The link is renewed.")
    return redirect("/shares", 303)


def _form(subject: Subject, faults: dict[str, str] | None = None) -> str:
    return render_template(
        "shares/new.html",
        subject=subject.id,
        name=share_links.subject_name(subject.id),
        links=share_links.links(subject.organization_id, subject=subject.id, limit=20),
        faults=faults or {},
        given=request.form,
        fields=FIELDS_MEANING,
        expiries=EXPIRY_WORDS,
        now=now_ms(),
    )


def _in_markdown(name: str) -> str:
    """A name as the text of a link or picture in CommonMark, where `web[0]` would end the brackets around it."""
    return re.sub(r"([\\`*\[\]<&])", r"\\\1", name)


def _expiry(choice: str) -> int | None:
    if choice not in EXPIRIES:
        raise BadInput(f"“{choice[:40]}” is no time that is offered.", field="expires_in", remedy="Choose one of them.")
    return EXPIRIES[choice]


def _actor() -> Actor:
    who = access.signed_in_person()
    return Actor(who.label, who.id)
