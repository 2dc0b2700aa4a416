"""The tables of the docs, made from the code: `python -m tests.docs.tables` (or `make docs`) writes them anew."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import click
from flask import Flask

from app import create_app
from cli import main
from config import Settings
from views.access import RULES, Kind, Rule

CHECKOUT = Path(__file__).parents[2]
DOCS = CHECKOUT / "docs"


def rows(page: str) -> list[str]:
    """The lines of a page's tables."""
    return [line for line in (DOCS / page).read_text("utf-8").splitlines() if line.startswith("| `")]


def setting_rows() -> list[str]:
    """A row for each setting, as docs/settings.md must have it."""
    return [
        f"| `SLIPWAY_{one.name.upper()}` | {_default(one.default)} | {one.metadata['meaning']} |"
        for one in fields(Settings)
    ]


def _default(value: object) -> str:
    if value == "":
        return ""
    return f"`{ {True: 'yes', False: 'no'}.get(value, value) if isinstance(value, bool) else value }`"


def commands(command: click.Command = main, path: str = "slipway") -> Iterator[tuple[str, click.Command]]:
    """Every command that does something, by the words that call it."""
    if isinstance(command, click.Group):
        for name, inner in sorted(command.commands.items()):
            yield from commands(inner, f"{path} {name}")
        return
    yield path, command


def command_rows() -> list[str]:
    """A row for each command, as docs/commands.md must have it."""
    found = []
    for path, command in commands():
        words = [path]
        for parameter in command.params:
            if isinstance(parameter, click.Argument):
                words.append(parameter.make_metavar(click.Context(command)))
            elif not parameter.is_bool_flag:  # type: ignore[attr-defined]
                named = f"{parameter.opts[0]} {parameter.human_readable_name.upper()}"
                words.append(named if parameter.required else f"[{named}]")
            else:
                words.append(f"[{parameter.opts[0]}]")
        found.append(
            f"| `{' '.join(words)}` | {(command.help or '').split(chr(10) + chr(10))[0].replace(chr(10), ' ')} |"
        )
    return found


def route_rows(app: Flask) -> list[str]:
    """A row for each route, as docs/routes.md must have it."""
    found = []
    for rule in sorted(app.url_map.iter_rules(), key=lambda rule: (rule.rule, rule.endpoint)):
        methods = ", ".join(sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}))
        view = app.view_functions[rule.endpoint]
        said = (
            (view.__doc__ or "").strip().split("\n")[0] if rule.endpoint != "static" else "Style sheets, script, icons."
        )
        found.append(f"| `{methods} {rule.rule}` | {_who(RULES[rule.endpoint])} | {said} |")
    return found


def _who(rule: Rule) -> str:
    words = {
        Kind.PUBLIC: "everybody",
        Kind.SIGNED_IN: "signed in",
        Kind.OBJECT: "members, by the thing's organisation",
        Kind.POLL: "members, checked in the poll's statement",
        Kind.SHARED: "whoever holds the link",
        Kind.TOKEN: f"token with `{rule.needed}`",
        Kind.ORGANIZATION: f"`{rule.needed}`",
    }
    changes = f", to change `{rule.to_change}`" if rule.to_change not in ("", rule.needed) else ""
    return words[rule.kind] + changes


def write(page: str, made: list[str]) -> None:
    """Put rows in place of those that the page has; what stands above its table stays."""
    text = (DOCS / page).read_text("utf-8")
    above = text.split("| `", 1)[0].rstrip("\n")
    (DOCS / page).write_text("\n".join([above, *made]) + "\n", "utf-8")


if __name__ == "__main__":
    write("settings.md", setting_rows())
    write("commands.md", command_rows())
    with tempfile.TemporaryDirectory() as home:
        write("routes.md", route_rows(create_app(Settings(home=home, secret_key="x" * 40))))
