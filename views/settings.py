"""The settings of an organisation: its name, members, roles, API tokens and audit log."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, current_app, flash, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse
from wtforms import SelectChoice

from config import Settings
from provisioning import accounts
from provisioning import audit as audit_log
from provisioning import members as member_list
from provisioning import roles as role_list
from provisioning import tokens as token_list
from provisioning.audit import Actor
from provisioning.errors import FaultyForm, Refused
from provisioning.permissions import AREAS, PERMISSION_MEANING
from views import access
from views.auth import PASSWORD_LINK_DAYS, password_link_path
from views.clock import now_ms
from views.forms import MemberForm, OrganizationForm, RoleForm, TokenForm, tell_faults

settings = Blueprint("settings", __name__, url_prefix="/settings")


def _actor() -> Actor:
    who = access.signed_in_person()
    return Actor(who.label, who.id)


def _organization_id() -> str:
    return access.current_place().organization_id


@settings.get("/")
def index() -> AnyResponse:
    """The first page that the person may see."""
    here = access.place()
    sees_organization = here is not None and here.may("settings:read")
    return redirect("/settings/organization" if sees_organization else "/settings/account", 303)


# --- Organisation


@settings.route("/organization", methods=["GET", "POST"])
def organization() -> AnyResponse | tuple[str, int] | str:
    """The organisation's name."""
    here = access.current_place()
    if request.method == "GET":
        form = OrganizationForm(formdata=None, organization_name=here.organization_name)
        return render_template("settings/organization.html", form=form)
    form = OrganizationForm()
    try:
        member_list.rename_organization(
            organization_id=here.organization_id,
            name=form.organization_name.data or "",
            actor=_actor(),
            now=now_ms(),
        )
    except FaultyForm as error:
        tell_faults(form, error)
        return render_template("settings/organization.html", form=form), 422
    flash("The name is changed.")
    return redirect("/settings/organization", 303)


# --- Members


def _members_page(form: MemberForm | None = None, status: int = 200, **shown: Any) -> tuple[str, int]:
    organization_id = _organization_id()
    choices = [(role.id, role.name) for role in role_list.roles(organization_id)]
    if form is None:
        viewer = next((role_id for role_id, name in choices if name == "Viewer"), None)
        form = MemberForm(formdata=None, role=viewer)
    form.role.choices = [SelectChoice(role_id, name) for role_id, name in choices]
    found = member_list.members(organization_id)
    return render_template("settings/members.html", form=form, members=found, roles=choices, **shown), status


@settings.route("/members", methods=["GET", "POST"])
def members() -> AnyResponse | tuple[str, int]:
    """Who belongs to the organisation; adding somebody.

    Somebody new gets a one-time link to set a password: Slipway sends no mail, so whoever adds hands it on.
    """
    if request.method == "GET":
        return _members_page()
    form = MemberForm()
    organization_id = _organization_id()
    try:
        user, is_new = accounts.add_person(
            organization_id=organization_id,
            email=form.email.data or "",
            name=form.name.data or "",
            role_id=form.role.data or "",
            actor=_actor(),
            now=now_ms(),
        )
    except FaultyForm as error:
        tell_faults(form, error)
        return _members_page(form, 422)
    if not is_new:
        flash(f"{user.name or user.email} is a member now, and signs in as before.")
        return redirect("/settings/members", 303)
    return _page_with_link(user, organization_id)


def _page_with_link(user: Any, organization_id: str) -> AnyResponse:
    configured: Settings = current_app.config["SETTINGS"]
    base = configured.public_url.rstrip("/") or request.url_root.rstrip("/")
    link = base + password_link_path(user, organization_id)
    page, _ = _members_page(link=link, link_for=user.name or user.email, link_days=PASSWORD_LINK_DAYS)
    return Response(page, headers={"Cache-Control": "no-store"})


@settings.post("/members/<user_id>/role")
def change_member(user_id: str) -> AnyResponse | tuple[str, int]:
    """Give a member another role."""
    try:
        member_list.change_member_role(
            organization_id=_organization_id(),
            user_id=user_id,
            role_id=request.form.get("role", ""),
            actor=_actor(),
            now=now_ms(),
        )
    except (FaultyForm, Refused) as error:
        return _members_page(status=422 if isinstance(error, FaultyForm) else 409, refused=str(error))
    flash("The role is changed.")
    return redirect("/settings/members", 303)


@settings.post("/members/<user_id>/remove")
def remove_member(user_id: str) -> AnyResponse | tuple[str, int]:
    """End a membership; the account stays."""
    try:
        member_list.remove_member(organization_id=_organization_id(), user_id=user_id, actor=_actor(), now=now_ms())
    except Refused as error:
        return _members_page(status=409, refused=str(error))
    flash("The member is removed.")
    # Who has removed himself sees these pages no more.
    return redirect("/" if user_id == access.signed_in_person().id else "/settings/members", 303)


@settings.post("/members/<user_id>/password-link")
def give_password_link(user_id: str) -> AnyResponse | tuple[str, int]:
    """A fresh one-time link for a member who has no password, or has lost it."""
    organization_id = _organization_id()
    try:
        user = accounts.give_password_link(
            user_id=user_id, organization_id=organization_id, actor=_actor(), now=now_ms()
        )
    except Refused as error:
        return _members_page(status=409, refused=str(error))
    return _page_with_link(user, organization_id)


# --- Roles


@settings.route("/roles", methods=["GET", "POST"])
def roles() -> AnyResponse | tuple[str, int]:
    """The organisation's roles; making another one."""
    form = RoleForm() if request.method == "POST" else RoleForm(formdata=None)
    status = 200
    if request.method == "POST":
        try:
            role_list.create_role(
                organization_id=_organization_id(),
                name=form.name.data or "",
                levels=_levels(form),
                actor=_actor(),
                now=now_ms(),
            )
        except FaultyForm as error:
            tell_faults(form, error)
            status = 422
        else:
            flash("The role is made.")
            return redirect("/settings/roles", 303)
    found = role_list.roles(_organization_id())
    page = render_template("settings/roles.html", form=form, roles=found, areas=AREAS, meanings=PERMISSION_MEANING)
    return page, status


@settings.route("/roles/<role_id>", methods=["GET", "POST"])
def role(role_id: str) -> AnyResponse | tuple[str, int]:
    """Change one of the organisation's own roles."""
    found = role_list.own_role(_organization_id(), role_id)
    form = RoleForm() if request.method == "POST" else RoleForm(formdata=None, obj=found)
    status, refused = 200, ""
    if request.method == "POST":
        try:
            role_list.change_role(
                organization_id=_organization_id(),
                role_id=role_id,
                name=form.name.data or "",
                levels=_levels(form),
                actor=_actor(),
                now=now_ms(),
            )
        except FaultyForm as error:
            tell_faults(form, error)
            status = 422
        except Refused as error:
            status, refused = 409, str(error)
        else:
            flash("The role is changed.")
            return redirect("/settings/roles", 303)
    page = render_template(
        "settings/role.html", form=form, role=found, refused=refused, areas=AREAS, meanings=PERMISSION_MEANING
    )
    return page, status


@settings.post("/roles/<role_id>/delete")
def delete_role(role_id: str) -> AnyResponse:
    """Delete one of the organisation's own roles that nobody has."""
    role_list.delete_role(organization_id=_organization_id(), role_id=role_id, actor=_actor(), now=now_ms())
    flash("The role is deleted.")
    return redirect("/settings/roles", 303)


def _levels(form: RoleForm) -> dict[str, str]:
    return {area: form[area].data or "" for area in AREAS}


# --- API tokens


@settings.route("/tokens", methods=["GET", "POST"])
def tokens() -> AnyResponse | tuple[str, int]:
    """The organisation's API tokens; making one, whose secret this very answer shows and nothing ever again."""
    form = TokenForm() if request.method == "POST" else TokenForm(formdata=None, scopes=["ingest"])
    secret, status = "", 200
    if request.method == "POST":
        days = form.expires_in_days.data or ""
        try:
            secret = token_list.create_token(
                organization_id=_organization_id(),
                name=form.name.data or "",
                scopes=form.scopes.data or [],
                # Anything but a number of days is told as a fault, like a number that is too large.
                expires_in_days=(int(days) if days.isdecimal() else 0) if days else None,
                actor=_actor(),
                now=now_ms(),
            )
        except FaultyForm as error:
            tell_faults(form, error)
            status = 422
        else:
            form = TokenForm(formdata=None, scopes=["ingest"])
    now = now_ms()
    found = token_list.tokens(_organization_id())
    page = Response(render_template("settings/tokens.html", form=form, tokens=found, secret=secret, now=now), status)
    if secret:
        page.headers["Cache-Control"] = "no-store"
    return page


@settings.post("/tokens/<token_id>/revoke")
def revoke_token(token_id: str) -> AnyResponse:
    """End a token at once."""
    token_list.revoke_token(organization_id=_organization_id(), token_id=token_id, actor=_actor(), now=now_ms())
    flash("The token is revoked.")
    return redirect("/settings/tokens", 303)


# --- Audit


@settings.get("/audit")
def audit() -> str:
    """Who changed what, newest first."""
    cursor = request.args.get("cursor")
    found, next_cursor = audit_log.deeds(_organization_id(), cursor=cursor)
    return render_template("settings/audit.html", deeds=found, next_cursor=next_cursor, is_first=not cursor)
