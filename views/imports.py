"""State files, uploaded: what stands already comes in."""

from __future__ import annotations

from flask import Blueprint, current_app, flash, redirect, render_template
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from werkzeug.datastructures import FileStorage
from wtforms import MultipleFileField, SelectChoice, SelectField, StringField

from config import Settings
from ingest.state import UnreadableState, read_state
from provisioning.audit import Actor
from provisioning.errors import Refused
from provisioning.imports import TOOLS, Imported, import_state
from views import access
from views.clock import now_ms

imports = Blueprint("imports", __name__)

_MOST_TOLD = 800
_MOST_UNPACKED = 16
"""How many times the largest request a state may hold after unpacking."""


class ImportForm(FlaskForm):
    """State files of one stack."""

    tool = SelectField(
        "Tool",
        choices=[
            SelectChoice("terraform", "Terraform or OpenTofu"),
            SelectChoice("pulumi", "Pulumi"),
            SelectChoice("sst", "SST"),
        ],
        validate_choice=False,
    )
    stack = StringField("Stack", description="The name under which its runs are reported, like prod.")
    files = MultipleFileField(
        "State files",
        description="terraform.tfstate, or the output of terraform show -json; the output of pulumi stack export, or a "
        "checkpoint; app/<app>/<stage>.json of SST. Packed by gzip or not.",
    )


@imports.route("/imports", methods=["GET", "POST"])
def page() -> ResponseReturnValue:
    """Bring in what state files know."""
    form = ImportForm()
    if not form.is_submitted():
        return _page(form)
    stack, tool = (form.stack.data or "").strip(), form.tool.data or ""
    given = [one for one in form.files.data or [] if isinstance(one, FileStorage) and one.filename]
    if not 0 < len(stack) <= 200 or not stack.isprintable():
        form.stack.errors = ["Name the stack, in at most 200 characters."]
    if tool not in TOOLS:
        form.tool.errors = [f"One of {', '.join(TOOLS)}."]
    if not given:
        form.files.errors = ["Choose at least one file."]
    if form.errors:
        return _page(form, 422)
    stack_id, told = "", list[str]()
    for one in given:
        try:
            done = _take(one, stack, tool)
        except UnreadableState as error:
            form.files.errors = [*form.files.errors, f"{one.filename}: {error}"]
        except Refused as error:
            form.files.errors = [*form.files.errors, f"{one.filename}: {error}"]
        else:
            stack_id = done.stack_id
            told += [f"{one.filename}: {done.text}".rstrip(".") + "."]
            told += [f"{name}: {remark}" for name, remark in done.remarks]
    _tell(told)
    if form.errors:
        return _page(form, 422)
    return redirect(f"/stacks/{stack_id}", 303)


def _tell(lines: list[str]) -> None:
    """Show the lines on the next page. They travel in the session's cookie, of which browsers keep 4 KB at most."""
    room = _MOST_TOLD
    for place, line in enumerate(lines):
        if len(line) > room:
            flash(f"And {len(lines) - place} more lines; the cards say the same.")
            return
        flash(line)
        room -= len(line)


def _take(given: FileStorage, stack: str, tool: str) -> Imported:
    settings: Settings = current_app.config["SETTINGS"]
    who = access.signed_in_person()
    found = read_state(given.read(), most_bytes=_MOST_UNPACKED * settings.max_batch_bytes)
    return import_state(
        access.current_place().organization_id,
        stack,
        found,
        tool=tool,
        actor=Actor(who.label, who.id),
        now=now_ms(),
        show_builtin_types=settings.show_builtin_types,
    )


def _page(form: ImportForm, status: int = 200) -> tuple[str, int]:
    settings: Settings = current_app.config["SETTINGS"]
    return render_template("imports/page.html", form=form, most_mib=settings.max_batch_bytes // 2**20), status
