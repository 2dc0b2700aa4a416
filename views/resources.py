"""Resources by hand: entered and set, by a form or by the API."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, jsonify, redirect, render_template, request
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from wtforms import SelectChoice, SelectField, StringField, TextAreaField

from provisioning import manual, queries
from provisioning.audit import Actor
from provisioning.errors import FaultyForm, Refused
from provisioning.inputs import camel_fields
from provisioning.resources import FACT_COLUMNS
from provisioning.states import KINDS
from provisioning.status import ProvisionStatus
from views import access
from views.clock import now_ms
from views.forms import tell_faults
from views.links import public_url
from views.validation import faults_problem, json_body

resources = Blueprint("resources", __name__)

_STATE_WORDS = {
    "provisioning": "provisioning: being made or changed",
    "provisioned": "provisioned: it is as it should be",
    "failed": "failed: it needs attention",
    "deprovisioning": "deprovisioning: being deleted",
    "deleted": "deleted: it is gone",
}


class FactsForm(FlaskForm):
    """What both forms ask; the names are those of the API, and `provisioning.manual` says what is acceptable."""

    state = SelectField("State", validate_choice=False)
    error = StringField("Error", description="One line, where it failed.")
    errorDetail = TextAreaField("More about the error", render_kw={"rows": 4})
    note = TextAreaField("Note", description="For people; shown on its card.", render_kw={"rows": 2})
    provider = StringField("Provider", description="Like aws, hetzner or our own rack.")
    providerResourceId = StringField("Provider’s id")
    providerStatus = StringField("Provider’s word for its state")
    primaryIpAddress = StringField("IP address")
    region = StringField("Region")
    productionUrl = StringField("Production URL")
    environment = StringField("Environment")
    gitRepo = StringField("Repository", description="Its address on the web.")
    engine = StringField("Engine")
    version = StringField("Version")
    domainName = StringField("Domain name")


class NewResourceForm(FactsForm):
    """A resource to enter."""

    resourceType = SelectField("Type", choices=[SelectChoice(*one) for one in KINDS.items()], validate_choice=False)
    name = StringField("Name")
    stack = StringField("Stack", description="Optional: what it belongs to, like prod.")


class SetForm(FactsForm):
    """What to set on a resource."""

    name = StringField("Name")


FACTS_OF_KINDS = [(label, camel_fields(FACT_COLUMNS[kind])) for kind, label in KINDS.items()]
"""The fields that only one kind has, under its label."""


# --- The API


@resources.post("/api/v1/resources")
def create() -> ResponseReturnValue:
    """Enter a resource."""
    identity = access.token_identity()
    assert identity is not None  # The route's rule let nobody else in.
    try:
        made = manual.create_resource(identity.organization_id, json_body(), actor=_token_actor(), now=now_ms())
    except FaultyForm as error:
        return faults_problem(error.faults)
    answer = jsonify(_told(queries.get_provision_status(access.reader(), made)))
    answer.headers["Location"] = public_url(f"/api/v1/provisions/{made}")
    return answer, 201


@resources.patch("/api/v1/resources/<resource_id>")
def change(resource_id: str) -> ResponseReturnValue:
    """Set a resource's state, error, note and facts; what is left out stays as it is."""
    found = access.for_changing(queries.get_provision_status(access.reader(), resource_id))
    try:
        manual.change_resource(found.id, json_body(), actor=_token_actor(), now=now_ms())
    except FaultyForm as error:
        return faults_problem(error.faults)
    return jsonify(_told(queries.get_provision_status(access.reader(), found.id)))


def _told(status: ProvisionStatus) -> dict[str, Any]:
    return status.as_json() | {"note": status.note, "facts": status.facts, "url": public_url(f"/p/{status.id}")}


def _token_actor() -> Actor:
    identity = access.token_identity()
    assert identity is not None  # The route's rule let nobody else in.
    return Actor(f"token {identity.name}", identity.created_by)


# --- The forms


@resources.route("/resources/new", methods=["GET", "POST"])
def new() -> ResponseReturnValue:
    """Enter a resource by a form."""
    form = NewResourceForm(formdata=request.form if request.method == "POST" else None)
    form.state.choices = [SelectChoice("", "not provisioned (idle)"), *_state_choices(without=manual.DELETED)]
    if request.method in {"GET", "HEAD"}:
        return _page(form, status=200)
    try:
        made = manual.create_resource(
            access.current_place().organization_id, _given(form), actor=_person_actor(), now=now_ms()
        )
    except FaultyForm as error:
        tell_faults(form, error)
        return _page(form, status=422)
    except Refused as error:
        form.form_errors.append(str(error))
        return _page(form, status=409)
    flash("It is entered.")
    return redirect(f"/p/{made}", 303)


@resources.route("/resources/<resource_id>/set", methods=["GET", "POST"])
def set_by_hand(resource_id: str) -> ResponseReturnValue:
    """Set a resource's state, error, note and facts by a form."""
    card = access.for_changing(queries.get_provision_status(access.reader(), resource_id))
    form = SetForm(formdata=request.form if request.method == "POST" else None, data=_present(card))
    form.state.choices = [SelectChoice("", "as it is"), *_state_choices()]
    now = card.provisioning_state or ("deleted" if card.deleted_at else "not provisioned")
    form.state.description = f"It is {now} now."
    if request.method in {"GET", "HEAD"}:
        return _page(form, card=card, status=200)
    try:
        changed = manual.change_resource(
            card.id, _given(form, without_facts_of_others=card.kind), actor=_person_actor(), now=now_ms()
        )
    except FaultyForm as error:
        tell_faults(form, error)
        return _page(form, card=card, status=422)
    except Refused as error:
        form.state.errors = [str(error)]
        return _page(form, card=card, status=409)
    flash("It is set." if changed else "Nothing changed: it is so already.")
    return redirect(f"/p/{card.id}", 303)


def _page(form: FactsForm, *, status: int, card: ProvisionStatus | None = None) -> tuple[str, int]:
    groups = [(label, names) for label, names in FACTS_OF_KINDS if card is None or label == card.kind_label]
    return render_template("resources/form.html", form=form, card=card, groups=groups), status


def _given(form: FactsForm, *, without_facts_of_others: str = "") -> dict[str, Any]:
    """What the form says, by the API's names."""
    left_out = {"csrf_token"}
    if without_facts_of_others:
        # The form does not show them.
        own = camel_fields(FACT_COLUMNS[without_facts_of_others])
        left_out |= {name for _, names in FACTS_OF_KINDS for name in names if name not in own}
    return {field.name: field.data or "" for field in form if field.name not in left_out}


def _present(card: ProvisionStatus) -> dict[str, str]:
    """What the form is filled with."""
    error, error_detail = manual.stored_error(card.id)
    facts = {camel_fields([name])[0]: value for name, value in card.facts.items()}
    return facts | {
        "name": card.name,
        "note": card.note,
        "error": error,
        "errorDetail": error_detail,
        "provider": card.provider,
        "providerResourceId": card.provider_resource_id or "",
        "providerStatus": card.provider_status,
    }


def _state_choices(*, without: str = "") -> list[SelectChoice]:
    return [SelectChoice(state, _STATE_WORDS[state]) for state in manual.STATES if state != without]


def _person_actor() -> Actor:
    who = access.signed_in_person()
    return Actor(who.label, who.id)
