"""The `slipway` command.

Each command is a function here that reads its words and calls one function elsewhere; what it prints for people goes to
standard error where standard output is for a script. Imports of what only one command needs stand in that command.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from config import SettingError, Settings, settings_from_environment
from models.connection import open_database
from models.migrate import SchemaTooNew, migrate
from provisioning.errors import SlipwayError
from serving import CannotServe


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
    database = open_database(settings.database_url, settings.home_path)
    try:
        migrate(database)
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


if __name__ == "__main__":
    sys.exit(main())
