"""The demo's Slipway: a home folder that is thrown away, an organisation, a person a role, and a token."""

from __future__ import annotations

import dataclasses
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from config import Settings
from serving import Child, local_url, ready_database, serve

ROLES = ("Owner", "Operator", "Viewer")


def run_demo(settings: Settings, say: Callable[[str], None] = print) -> None:
    """Serve a scratch Slipway with runs to watch, until Ctrl-C; of `settings`, the address and the like are kept."""
    scratch = Path(tempfile.mkdtemp(prefix="slipway-demo-"))
    try:
        settings = dataclasses.replace(
            settings, home=str(scratch / "home"), database_url="", secret_key="", show_builtin_types=True
        )
        people, token = _populate(settings)
        say("A Slipway to look around in; everything is thrown away at the end. Sign in as one of:")
        for role, email, password in people:
            say(f"    {role:<10}{email:<24}{password}")
        story = Child(
            "story of the demo",
            [sys.executable, "-P", "-m", "demo.story", str(scratch)],
            settings,
            more_environment={"SLIPWAY_URL": local_url(settings.bind), "SLIPWAY_TOKEN": token},
            ends_by_itself=True,
        )
        serve(settings, beside=[story], say=say)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _populate(settings: Settings) -> tuple[list[tuple[str, str, str]], str]:
    """Make organisation, people and token; returns (role, email, password) of each, and the token."""
    from provisioning.accounts import add_person
    from provisioning.audit import COMMAND_LINE
    from provisioning.members import create_organization, preset_role_id
    from provisioning.tokens import create_token

    now = time.time_ns() // 1_000_000
    database = ready_database(settings)
    try:
        organization = create_organization(slug="acme", name="Acme", actor=COMMAND_LINE, now=now)
        people = []
        for role in ROLES:
            email, password = f"{role.lower()}@acme.example", secrets.token_urlsafe(9)
            add_person(
                organization_id=organization.id,
                email=email,
                name=f"Demo {role}",
                password=password,
                role_id=preset_role_id(organization.id, role),
                actor=COMMAND_LINE,
                now=now,
            )
            people.append((role, email, password))
        token = create_token(
            organization_id=organization.id, name="demo", scopes=["ingest"], actor=COMMAND_LINE, now=now
        )
    finally:
        database.close()
    return people, token
