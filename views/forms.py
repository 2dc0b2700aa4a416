"""The forms of sign-in and settings.

They hold no rules: what is acceptable is decided in `provisioning/`, for pages and command line alike, and
`tell_faults` puts each fault at its field. All values but passwords are kept when a form comes back.
"""

from __future__ import annotations

from typing import Any

from flask_wtf import FlaskForm
from wtforms import (
    HiddenField,
    PasswordField,
    RadioField,
    SelectChoice,
    SelectField,
    SelectMultipleField,
    StringField,
)
from wtforms.widgets import CheckboxInput, ListWidget

from provisioning.errors import FaultyForm
from provisioning.permissions import LEVELS
from provisioning.tokens import SCOPE_MEANING, SCOPES

# What browsers and password managers are told about a field.
_EMAIL = {"autocomplete": "username", "inputmode": "email", "autocapitalize": "none", "spellcheck": "false"}
_OLD_PASSWORD = {"autocomplete": "current-password"}
_NEW_PASSWORD = {"autocomplete": "new-password"}


def tell_faults(form: Any, error: FaultyForm) -> None:
    """Put each fault at its field; one whose field the form does not show stands at the top."""
    for name, sentence in error.faults.items():
        if name in form:
            form[name].errors = [*form[name].errors, sentence]
        else:
            form.form_errors.append(sentence)


def _new_password(label: str, help_text: str = "") -> Any:
    return PasswordField(label, description=help_text, render_kw=_NEW_PASSWORD)


class SignInForm(FlaskForm):
    """Email and password."""

    email = StringField("Email", render_kw=_EMAIL | {"autofocus": True})
    password = PasswordField("Password", render_kw=_OLD_PASSWORD)
    next = HiddenField()


class SetUpForm(FlaskForm):
    """The first organisation and its owner."""

    organization_name = StringField("Organisation", description="What your team is called.")
    slug = StringField(
        "Short name",
        description="For scripts: lower-case letters, digits and hyphens, like acme-web.",
        render_kw={"autocapitalize": "none", "spellcheck": "false"},
    )
    email = StringField("Your email", render_kw=_EMAIL)
    name = StringField("Your name", render_kw={"autocomplete": "name"})
    password = _new_password("Password", "At least 12 characters.")
    repeated = _new_password("Password again")


class NewPasswordForm(FlaskForm):
    """The first password, by a link."""

    password = _new_password("Password", "At least 12 characters.")
    repeated = _new_password("Password again")


class ChangePasswordForm(FlaskForm):
    """Another password, known the current one."""

    current = PasswordField("Current password", render_kw=_OLD_PASSWORD)
    new = _new_password("New password", "At least 12 characters.")
    repeated = _new_password("New password again")


class OrganizationForm(FlaskForm):
    """The organisation's own values."""

    organization_name = StringField("Name")


class MemberForm(FlaskForm):
    """Somebody to add."""

    email = StringField("Email", render_kw=_EMAIL | {"autocomplete": "off"})
    name = StringField("Name", description="Optional; for somebody who is new here.", render_kw={"autocomplete": "off"})
    role = SelectField("Role", validate_choice=False)


class RoleForm(FlaskForm):
    """A role's name and its level in each area."""

    name = StringField("Name", render_kw={"autocomplete": "off"})
    provisioning = RadioField("Provisioning", choices=list(LEVELS), default="read", validate_choice=False)
    docks = RadioField("Docks", choices=list(LEVELS), default="none", validate_choice=False)
    settings = RadioField("Settings", choices=list(LEVELS), default="none", validate_choice=False)


class TokenForm(FlaskForm):
    """A key for scripts."""

    name = StringField(
        "Name", description="Where it is used, like “CI of the shop”.", render_kw={"autocomplete": "off"}
    )
    scopes = SelectMultipleField(
        "Scopes",
        choices=[SelectChoice(scope, f"{scope}: {SCOPE_MEANING[scope]}") for scope in SCOPES],
        validate_choice=False,
        widget=ListWidget(prefix_label=False),
        option_widget=CheckboxInput(),
    )
    expires_in_days = SelectField(
        "Expires",
        choices=[
            SelectChoice("", "never"),
            SelectChoice("7", "in 7 days"),
            SelectChoice("30", "in 30 days"),
            SelectChoice("90", "in 90 days"),
            SelectChoice("365", "in a year"),
        ],
        default="90",
        validate_choice=False,
    )
