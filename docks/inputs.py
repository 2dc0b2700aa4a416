"""The shapes of what people choose for a dock."""

from __future__ import annotations

import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator

from provisioning.inputs import fault

_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-\d{1,2}|auto")
_NAME = re.compile(r"[A-Za-z0-9*?\-]{1,128}")
_STAGE = re.compile(r"[A-Za-z0-9._\-]{1,100}/[A-Za-z0-9._\-]{1,100}")
_MOST = 100


def lines_of(value: object) -> object:
    """A form sends one text; what is between line ends and commas are the entries."""
    if isinstance(value, str):
        return tuple(dict.fromkeys(part.strip() for part in re.split(r"[\n,]", value) if part.strip()))
    return tuple(value) if isinstance(value, list) else value


def region_like(value: str) -> str:
    """A region's name."""
    if not _REGION.fullmatch(value):
        raise fault("This is no region: expected one like eu-west-1.")
    return value


def _names(value: tuple[str, ...]) -> tuple[str, ...]:
    for one in value:
        if not _NAME.fullmatch(one):
            raise fault(f"“{one[:60]}” is no stack's name: letters, digits, hyphens, and * for anything.")
    return _not_too_many(value)


def _stages(value: tuple[str, ...]) -> tuple[str, ...]:
    for one in value:
        if not _STAGE.fullmatch(one) or ".." in one:
            raise fault(f"“{one[:60]}” is no stage: expected app/stage, like shop/production.")
    return _not_too_many(value)


def _not_too_many(value: tuple[str, ...]) -> tuple[str, ...]:
    if len(value) > _MOST:
        raise fault(f"These are {len(value)}: at most {_MOST} are accepted.")
    return value


def _endpoint(value: str) -> str:
    try:
        parts = urlsplit(value)
        is_url = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port is not False
    except ValueError:
        is_url = False
    if value and (not is_url or "@" in value or not value.isprintable() or len(value) > 500):
        raise fault("This is no address: expected https://HOST, without a password.")
    return value


Names = Annotated[tuple[str, ...], BeforeValidator(lines_of), AfterValidator(_names)]
Stages = Annotated[tuple[str, ...], BeforeValidator(lines_of), AfterValidator(_stages)]
EndpointUrl = Annotated[str, AfterValidator(_endpoint)]
