"""Small programs that tests write: stand-ins for the tools whose output Slipway reads."""

from __future__ import annotations

import sys
from pathlib import Path


def write_program(path: Path, body: str) -> Path:
    """Write a Python program that can be started by its name alone, by the interpreter of the tests.

    A line `#!` ends at the first space, and a checkout may lie in a folder with one: so the shell starts it, by a line
    that is a string to Python. It is what pip does for the same reason.
    """
    path.write_text(f"#!/bin/sh\n'''exec' \"{sys.executable}\" \"$0\" \"$@\"\n' '''\n{body}")
    path.chmod(0o755)
    return path
