"""What each new app compiles anew, compiled once a test process: its routes and its templates.

A test gets an app of its own, and the suite makes about two thousand of them. Without this, two thirds of the time
that an app takes to make and to render its first page goes into compiling the same text again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from jinja2 import BytecodeCache
from jinja2.bccache import Bucket
from werkzeug.routing import Rule


class CompiledTemplates(BytecodeCache):
    """Templates' bytecode, in memory."""

    def __init__(self) -> None:
        self._known: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        """Fill the bucket where its template is known; Jinja has put a checksum of the source into it."""
        if bucket.key in self._known:
            bucket.bytecode_from_string(self._known[bucket.key])

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep what was compiled."""
        self._known[bucket.key] = bucket.bytecode_to_string()


def compile_routes_once(patch: pytest.MonkeyPatch) -> None:
    """Let routes that are alike share the functions that build their URLs.

    Werkzeug binds these functions to their route afterwards, and reads all else from there.
    """
    compile_builder = Rule._compile_builder
    known: dict[tuple[Any, ...], Callable[..., tuple[str, str]]] = {}

    def compile_once(rule: Rule, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:
        key = (rule.rule, rule.subdomain, rule.host, repr(rule.defaults), append_unknown)
        if key not in known:
            known[key] = compile_builder(rule, append_unknown)
        return known[key]

    patch.setattr(Rule, "_compile_builder", compile_once)
