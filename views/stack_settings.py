"""A stack's own settings: after how long a silence its runs are called lost."""

from __future__ import annotations

from flask import Blueprint, current_app, flash, jsonify, redirect, render_template, request
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from wtforms import StringField

from config import Settings
from models import Stack
from provisioning.audit import Actor
from provisioning.errors import FaultyForm
from provisioning.timeouts import in_force, set_time_out
from views import access
from views.clock import now_ms
from views.forms import tell_faults
from views.validation import faults_problem, json_body

stack_settings = Blueprint("stack_settings", __name__)


class TimeOutForm(FlaskForm):
    """After how many minutes of silence a run is lost."""

    lostAfterMinutes = StringField(
        "Lost after (minutes)",
        description="Left empty, it is learnt from the stack’s own runs.",
        render_kw={"inputmode": "numeric"},
    )


@stack_settings.route("/stacks/<stack_id>/settings", methods=["GET", "POST"])
def page(stack_id: str) -> ResponseReturnValue:
    """The time-out of a stack."""
    stack: Stack = access.for_changing(Stack.get_or_none(Stack.id == stack_id))
    present = str(stack.lost_after_ms // 60_000) if stack.lost_after_ms is not None else ""
    form = TimeOutForm(formdata=request.form if request.method == "POST" else None, lostAfterMinutes=present)
    if request.method == "GET":
        return _page(stack, form)
    who = access.signed_in_person()
    try:
        given = {"lostAfterMinutes": form.lostAfterMinutes.data or ""}
        set_time_out(stack.id, given, actor=Actor(who.label, who.id), now=now_ms())
    except FaultyForm as error:
        tell_faults(form, error)
        return _page(stack, form, 422)
    flash("The time-out is set.")
    return redirect(f"/stacks/{stack.id}", 303)


@stack_settings.patch("/api/v1/stacks/<stack_id>")
def change(stack_id: str) -> ResponseReturnValue:
    """Set a stack's time-out: `lostAfterMinutes`, or null to have it learnt."""
    stack: Stack = access.for_changing(Stack.get_or_none(Stack.id == stack_id))
    identity = access.token_identity()
    assert identity is not None  # The route's rule let nobody else in.
    try:
        actor = Actor(f"token {identity.name}", identity.created_by)
        set_time_out(stack.id, json_body(), actor=actor, now=now_ms())
    except FaultyForm as error:
        return faults_problem(error.faults)
    counts = in_force(Stack.get_by_id(stack.id), _settings().lost_after_ms)
    return jsonify({"id": stack.id, "lostAfterMs": counts.lost_after_ms, "origin": counts.origin})


def _page(stack: Stack, form: TimeOutForm, status: int = 200) -> tuple[str, int]:
    counts = in_force(stack, _settings().lost_after_ms)
    return render_template("stack_settings.html", stack=stack, form=form, counts=counts), status


def _settings() -> Settings:
    settings: Settings = current_app.config["SETTINGS"]
    return settings
