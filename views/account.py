"""What belongs to the signed-in person alone: password and sessions."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template
from werkzeug.wrappers import Response as AnyResponse

from provisioning import accounts
from provisioning.errors import FaultyForm
from views import access
from views.auth import begin_session
from views.clock import now_ms
from views.forms import ChangePasswordForm, tell_faults

account = Blueprint("account", __name__, url_prefix="/settings/account")


@account.get("")
def page() -> str:
    """Password and sessions."""
    return render_template("settings/account.html", form=ChangePasswordForm(formdata=None))


@account.post("/password")
def password() -> AnyResponse | tuple[str, int]:
    """Change the password; every other session ends, this one goes on."""
    form = ChangePasswordForm()
    organization = access.session_organization()
    try:
        user = accounts.change_password(
            user_id=access.signed_in_person().id,
            current=form.current.data or "",
            new=form.new.data or "",
            repeated=form.repeated.data or "",
            now=now_ms(),
        )
    except FaultyForm as error:
        tell_faults(form, error)
        return render_template("settings/account.html", form=form), 422
    begin_session(user.id, organization)
    flash("The password is changed. All other sessions have ended.")
    return redirect("/settings/account", 303)
