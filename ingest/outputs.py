"""The few facts that are taken from a resource's outputs or attributes, by a whitelist of names and of shapes.

Nothing else of them is ever kept: they hold passwords, keys and environment variables in clear. A value is taken only
where it is text of the shape that the fact has (an address, a host name, an http URL without credentials or query), so
that a secret under an innocent name does not pass. Objects are never taken, so Pulumi's secrets, which are objects with
a signature, and its blinded `[secret]` are left out.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from ingest.text import MOST_FACT, clean_line

Shape = Callable[[str], bool]


def is_ip_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def is_web_address(text: str) -> bool:
    """An http or https URL without user, password, query and fragment, which may carry keys."""
    try:
        parts = urlsplit(text)
        host = parts.hostname
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(host) and not re.search(r"[@?#\s\\]", text)


def _matches(pattern: str) -> Shape:
    compiled = re.compile(pattern)
    return lambda text: compiled.fullmatch(text) is not None


_PLACE: Shape = _matches(r"[A-Za-z][A-Za-z0-9 _-]{0,59}")
_ENGINE: Shape = _matches(r"[A-Za-z][A-Za-z0-9 ._-]{0,59}")
_VERSION: Shape = _matches(r"[A-Z_]{0,20}[0-9][0-9A-Za-z._+-]{0,39}")
_HOST_NAME: Shape = _matches(r"(?:[\w*-]{1,63}\.)+[\w-]{1,63}\.?")

_FACTS: dict[str, tuple[tuple[str, Shape, tuple[str, ...]], ...]] = {
    "server": (
        (
            "primary_ip_address", is_ip_address,
            ("publicIp", "public_ip", "ipv4Address", "ipv4_address", "publicIpAddress", "public_ip_address", "mainIp",
             "main_ip", "ipAddress", "ip_address", "natIp", "ipv6Address", "ipv6_address", "privateIp", "private_ip"),
        ),
        ("region", _PLACE, ("region", "location", "zone", "availabilityZone", "availability_zone")),
    ),
    "webService": (
        (
            "production_url", is_web_address,
            ("url", "functionUrl", "function_url", "invokeUrl", "invoke_url", "uri", "liveUrl", "live_url",
             "apiEndpoint", "api_endpoint", "web_url", "serviceUrl"),
        ),
        ("git_repo", is_web_address, ("repository",)),
    ),
    "database": (
        ("engine", _ENGINE, ("engine",)),
        (
            "version", _VERSION,
            ("engineVersionActual", "engine_version_actual", "engineVersion", "engine_version", "databaseVersion",
             "database_version", "version"),
        ),
    ),
    "domain": (
        ("domain_name", _HOST_NAME, ("fqdn", "hostname", "domainName", "domain_name", "domain", "name")),
    ),
}  # fmt: skip
"""Of each kind: a fact, its shape, and the names it goes by in outputs and attributes, the best first."""


def text_value(value: object) -> str:
    """A value as one line of text; "" where it is none, is too long to be a fact, or was blinded."""
    if not isinstance(value, str) or len(value) > MOST_FACT:
        return ""
    text = clean_line(value, MOST_FACT)
    return "" if text == "[secret]" else text


def facts_of(kind: str | None, values: object) -> dict[str, str]:
    """The facts that the outputs or attributes of a resource of this kind give."""
    if kind is None or not isinstance(values, Mapping):
        return {}
    found = {}
    for fact, has_shape, names in _FACTS[kind]:
        for name in names:
            text = text_value(values.get(name))
            if text and has_shape(text):
                found[fact] = text
                break
    return found


def web_address(value: Any) -> str:
    """A value as a URL to show; "" where it is none."""
    text = text_value(value)
    return text if is_web_address(text) else ""


def provider_id(kind: str | None, value: object) -> dict[str, str]:
    """The provider's id as a fact, for kinds that have a card: the ids of others are never looked up, and some types
    keep a secret in theirs."""
    text = text_value(value)
    return {"provider_resource_id": text} if kind is not None and text else {}
