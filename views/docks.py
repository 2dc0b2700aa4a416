"""Connected provider accounts: list, connect, change, remove, and look at one now."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, current_app, flash, redirect, render_template, request
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from pydantic import SecretStr
from pydantic.fields import FieldInfo
from wtforms import BooleanField, PasswordField, StringField, TextAreaField

from config import Settings
from docks.adapter import Adapter, DockFault, DockInput
from docks.registry import PROVIDERS, adapter_of, checked, sealed
from keys import credentials_cipher
from provisioning.audit import Actor
from provisioning.docks import (
    SYNC_STATUSES,
    DockOnPage,
    ask_for_sync,
    change_dock,
    create_dock,
    find_dock,
    remove_dock,
)
from provisioning.docks import docks as docks_of
from provisioning.errors import FaultyForm, NotFound
from views import access
from views.clock import now_ms
from views.forms import tell_faults

docks = Blueprint("docks", __name__, url_prefix="/docks")

_PLAIN = {"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}
# A password manager must not offer the person's own password for a key.
_SECRET = {"autocomplete": "new-password", "spellcheck": "false"}


@docks.get("/")
def index() -> ResponseReturnValue:
    """Which provider accounts are connected, and how their last look went."""
    here = access.current_place()
    return render_template(
        "docks/index.html", docks=docks_of(here.organization_id), providers=_offered(), statuses=SYNC_STATUSES,
        may_change=here.may("docks:full"), now=now_ms(),
    )  # fmt: skip


@docks.route("/new/<provider>", methods=["GET", "POST"])
def new(provider: str) -> ResponseReturnValue:
    """Connect a provider account."""
    adapter = next((one for one in _offered() if one.name == provider), None)
    if adapter is None:
        raise NotFound(f"There is no provider {provider!r} to connect.")
    form = _form(adapter, {}, has_credentials=False)
    if request.method == "GET":
        return render_template("docks/edit.html", form=form, adapter=adapter, dock=None)
    try:
        settings, credentials = checked(adapter, _given(form, adapter), has_credentials=False)
        assert credentials is not None
        create_dock(
            organization_id=access.current_place().organization_id,
            name=form["name"].data or "",
            provider=adapter.name,
            settings=settings.model_dump(mode="json"),
            credentials=_sealed(credentials),
            actor=_actor(),
            now=now_ms(),
        )
    except FaultyForm as error:
        tell_faults(form, error)
        return render_template("docks/edit.html", form=form, adapter=adapter, dock=None), 422
    flash("It is connected, and looked at as soon as a worker is free.")
    return redirect("/docks/", 303)


@docks.route("/<dock_id>", methods=["GET", "POST"])
def dock(dock_id: str) -> ResponseReturnValue:
    """Change what a dock reads, its name or its credentials; those are never shown."""
    found = _to_change(dock_id)
    try:
        adapter = adapter_of(found.provider)
    except DockFault as fault:
        raise NotFound(str(fault)) from None
    form = _form(adapter, {"name": found.name} | found.settings, has_credentials=found.has_credentials)
    if request.method == "GET":
        return render_template("docks/edit.html", form=form, adapter=adapter, dock=found)
    try:
        settings, credentials = checked(adapter, _given(form, adapter), has_credentials=found.has_credentials)
        change_dock(
            dock_id=found.id,
            name=form["name"].data or "",
            settings=settings.model_dump(mode="json"),
            credentials=_sealed(credentials) if credentials is not None else None,
            actor=_actor(),
            now=now_ms(),
        )
    except FaultyForm as error:
        tell_faults(form, error)
        return render_template("docks/edit.html", form=form, adapter=adapter, dock=found), 422
    flash("It is changed, and looked at as soon as a worker is free.")
    return redirect("/docks/", 303)


@docks.post("/<dock_id>/sync")
def sync(dock_id: str) -> ResponseReturnValue:
    """Have a dock looked at now."""
    found = _to_change(dock_id)
    ask_for_sync(dock_id=found.id, now=now_ms())
    flash(f"{found.name} is looked at as soon as a worker is free.")
    return redirect("/docks/", 303)


@docks.post("/<dock_id>/remove")
def remove(dock_id: str) -> ResponseReturnValue:
    """Disconnect a provider account; what it brought in stays."""
    found = _to_change(dock_id)
    remove_dock(dock_id=found.id, actor=_actor(), now=now_ms())
    flash(f"{found.name} is disconnected, and its credentials are forgotten.")
    return redirect("/docks/", 303)


def _to_change(dock_id: str) -> DockOnPage:
    return access.for_changing(find_dock(dock_id), "docks")


def _sealed(credentials: DockInput) -> str:
    return sealed(credentials, credentials_cipher(current_app.config["SETTINGS"]))


def _actor() -> Actor:
    who = access.signed_in_person()
    return Actor(who.label, who.id)


def _offered() -> list[Adapter]:
    """The providers that can be connected here: a folder of this host only where its owner named one."""
    settings: Settings = current_app.config["SETTINGS"]
    return [one for one in PROVIDERS.values() if one.name != "local" or settings.sst_folder]


def _form(adapter: Adapter, present: dict[str, Any], *, has_credentials: bool) -> Any:
    """The form of a provider: name, settings and credentials, as its models say."""
    fields: dict[str, Any] = {"name": StringField("Name", description="What your team calls it.", render_kw=_PLAIN)}
    fields |= {name: _field(info, "") for name, info in adapter.settings.model_fields.items()}
    kept = "Left empty, what is stored stays." if has_credentials else ""
    fields |= {name: _field(info, kept) for name, info in adapter.credentials.model_fields.items()}
    shown = {name: "\n".join(value) if isinstance(value, list) else value for name, value in present.items()}
    form = type("DockForm", (FlaskForm,), fields)
    return form(formdata=request.form if request.method == "POST" else None, data=shown)


def _field(info: FieldInfo, kept: str) -> Any:
    label = info.title or ""
    if info.annotation is SecretStr:
        return PasswordField(label, description=" ".join(filter(None, [info.description, kept])), render_kw=_SECRET)
    if info.annotation is bool:
        return BooleanField(label, description=info.description or "")
    if info.annotation is str:
        return StringField(label, description=info.description or "", render_kw=_PLAIN)
    return TextAreaField(label, description=info.description or "", render_kw={"rows": "4", "spellcheck": "false"})


def _given(form: Any, adapter: Adapter) -> dict[str, object]:
    names = [*adapter.settings.model_fields, *adapter.credentials.model_fields]
    return {name: form[name].data if form[name].data is not None else "" for name in names}


def required_fields(adapter: Adapter) -> set[str]:
    """The fields without which the form is not complete."""
    models = (adapter.settings, adapter.credentials)
    return {"name"} | {name for model in models for name, info in model.model_fields.items() if info.is_required()}


docks.add_app_template_global(required_fields, "required_fields")
