"""Imports: what a state file says there is. Pure, like the parsers of streams: bytes in, records out."""

from __future__ import annotations

import json
import zlib
from typing import Any, NoReturn

from ingest.found import FoundResource, FoundState, UnreadableState
from ingest.json_line import pulumi_event, whose
from ingest.pulumi_state import deployment_in, read_deployment
from ingest.terraform_state import read_show_json, read_state_file

__all__ = ["FoundResource", "FoundState", "UnreadableState", "read_state"]

READABLE = (
    "Slipway reads: a Terraform or OpenTofu state file (terraform.tfstate), the output of `terraform show -json`, "
    "the output of `pulumi stack export`, and a Pulumi or SST checkpoint (SST: app/<app>/<stage>.json of its state)."
)
MOST_BYTES = 256 * 1024 * 1024
"""Largest state that is read, after unpacking: a few kilobytes of gzip can hold gigabytes."""


def read_state(given: str | bytes, *, running: bool = False, most_bytes: int = MOST_BYTES) -> FoundState:
    """Read a state of any known format, packed by gzip or not (SST may pack what it keeps in S3).

    `running` tells that the tool holds its lock, so that pending operations are under way and not interrupted. Raises
    `UnreadableState`, with what was found and the remedy, for anything else; its sentences never repeat the content.
    """
    state = _load(given, most_bytes)
    if not isinstance(state, dict):
        raise UnreadableState("This is JSON, but no object.", READABLE)
    if "encrypted_data" in state:
        raise UnreadableState("This is an encrypted OpenTofu state.", "Give Slipway the output of `tofu show -json`.")
    if "planned_values" in state or "resource_changes" in state:
        raise UnreadableState("This is a plan, not a state.", "Give Slipway the output of `terraform show -json`.")
    if deployment_in(state) is not None:
        return read_deployment(state, running=running)
    if "format_version" in state:
        return read_show_json(state)
    if "version" in state and ("lineage" in state or "serial" in state or "terraform_version" in state):
        return read_state_file(state)
    raise UnreadableState(_described(state), READABLE)


def _described(state: dict[str, Any]) -> str:
    if "timeStarted" in state or "updateID" in state:
        return "This is an update record or a lock of SST, not its state."
    if pulumi_event(state) or "@module" in state or "ResourceStatus" in state:
        return f"This is {whose(state)}, from a log, not a state."
    return "This is JSON, but no state of a tool that Slipway knows."


def _load(given: str | bytes, most_bytes: int) -> object:
    if isinstance(given, bytes):
        raw = _unpacked(given, most_bytes)
        if len(raw) > most_bytes:
            raise UnreadableState(
                f"The state is larger than {most_bytes:,} bytes.", "Split the stack, or raise the limit."
            )
        try:
            text = raw.decode("utf-8-sig")
        except UnicodeDecodeError:
            raise UnreadableState(
                "This is neither gzip nor text in UTF-8; SST's secrets, for example, are kept encrypted.",
                READABLE,
            ) from None
    else:
        text = given
    try:
        loaded: object = json.loads(text, parse_int=_int, parse_constant=_constant)
        return loaded
    except RecursionError:
        raise UnreadableState("This is nested too deep to be a state.", READABLE) from None
    except ValueError:
        raise UnreadableState(_no_json(text), READABLE) from None


def _int(digits: str) -> int | float:
    # A state may hold any number among its attributes; thousands of digits take quadratic time to read.
    return int(digits) if len(digits) <= 40 else float("inf")


def _constant(name: str) -> NoReturn:
    raise ValueError(name)


def _no_json(text: str) -> str:
    first, _, rest = text.lstrip().partition("\n")
    if first.startswith("{") and rest.lstrip().startswith("{"):
        return "This is a log of one JSON object a line, not a state."
    return "This is not JSON." if text.strip() else "This is empty."


def _unpacked(given: bytes, most_bytes: int) -> bytes:
    if not given.startswith(b"\x1f\x8b"):
        return given
    unpacker = zlib.decompressobj(wbits=31)
    try:
        raw = unpacker.decompress(given, most_bytes + 1)
    except zlib.error:
        raise UnreadableState("This begins like gzip and cannot be unpacked.", "Fetch the file again.") from None
    if not unpacker.eof and len(raw) <= most_bytes:
        raise UnreadableState("This gzip file ends too early.", "Fetch the file again.")
    return raw
