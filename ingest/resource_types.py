"""What a tool's resource types are to us: which of the four kinds, whose product, and how they read.

Kinds come from exact tables of whole types: rules on parts of a name misfire (`aws_opensearch_domain` is a database,
`vercel_project` a web service and `neon_project` a database). The tables are in `ingest/type_tables.py`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ingest.type_tables import DYNAMIC_NAMES, KIND_OF_TYPE, PROVIDER_WORDS

DYNAMIC_TYPE = "pulumi-nodejs:dynamic:Resource"
"""The type under which Pulumi's engine sees SST's own resource classes; which class it is stands in the name."""
BUILTIN_TYPE = "terraform_data"
OWN_TYPE = "slipway"
"""Begins the types of what the generic interface tells: `slipway:server` or `slipway:server:what its tool calls it`."""

_COMPONENT_PACKAGES = frozenset({"sst", "awsx", "cloud", "eks"})
_SST_CLASS = re.compile(r"(?P<name>.+)\.(?P<type>sst\.[a-z0-9]+\.[A-Za-z0-9]+)", re.DOTALL)
_KINDS = frozenset({"server", "webService", "database", "domain"})
_WORDS = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z0-9]+|[A-Z0-9]+")


@dataclass(frozen=True, slots=True)
class Classified:
    """`kind` is server, webService, database, domain, or None where the type has no card; `provider` is in plain
    words, such as aws, google or hetzner, "" where the type names none."""

    kind: str | None
    provider: str


def classify(tool_type: str, address: str = "", *, show_builtin: bool = False) -> Classified:
    """The kind and the provider of a type of any tool.

    `address` tells SST's dynamic resources apart, which all have one type. Terraform's built-in `terraform_data` has no
    card unless `show_builtin`, for demo and tests: then it is a server.
    """
    if tool_type == BUILTIN_TYPE:
        return Classified("server" if show_builtin else None, "terraform")
    if tool_type.startswith(f"{OWN_TYPE}:"):
        kind = tool_type.split(":", 2)[1]
        return Classified(kind if kind in _KINDS else None, "")
    if tool_type == DYNAMIC_TYPE:
        sst_type = _sst_type_in_name(address)
        return Classified(DYNAMIC_NAMES.get(sst_type), _provider(sst_type.replace(".", ":")) or "pulumi")
    return Classified(KIND_OF_TYPE.get(tool_type), _provider(tool_type))


def _sst_type_in_name(address: str) -> str:
    """`sst.cloudflare.DnsRecord` of a URN whose name is `X.sst.cloudflare.DnsRecord`; "" where there is none."""
    found = _SST_CLASS.fullmatch(_urn_name(address))
    return found["type"] if found else ""


def _provider(tool_type: str) -> str:
    if "::" in tool_type:
        word = tool_type.split("::", 1)[0].lower()
        return "aws" if word == "custom" else PROVIDER_WORDS.get(word, word)
    if ":" in tool_type:
        package, rest = tool_type.split(":", 1)
        if package == "sst" or tool_type.startswith("pulumi:providers:"):
            package = rest.removeprefix("providers:").split(":", 1)[0]
        return PROVIDER_WORDS.get(package, package)
    word = tool_type.split("_", 1)[0]
    return PROVIDER_WORDS.get(word, word)


def is_component(tool_type: str) -> bool:
    """Whether a type of SST or Pulumi is known to be a component, a resource that only groups others.

    A type alone tells this for packages that hold nothing else; an engine event also says it of each resource (it has
    no `custom`), and `ingest/pulumi.py` goes by that.
    """
    return ":" in tool_type and "::" not in tool_type and tool_type.split(":", 1)[0] in _COMPONENT_PACKAGES


def display_type(tool_type: str) -> str:
    """A type as people read it, without its provider: `aws_db_instance` is "db instance", `aws:rds/instance:Instance`
    "rds instance", `AWS::RDS::DBInstance` "rds db instance"; SST's own names stay as SST writes them ("Nextjs")."""
    if "::" in tool_type:
        parts = tool_type.split("::")[1:]
        service, rest = (parts[0].lower(), parts[1:]) if len(parts) > 1 else ("", parts)
        return " ".join([service, *_words(rest)]).strip()
    if ":" in tool_type:
        if tool_type.startswith(f"{OWN_TYPE}:"):
            return "".join(tool_type.split(":", 2)[2:])
        tokens = tool_type.split(":")
        last = tokens[-1]
        if tokens[0] == "sst":
            return last
        module = tokens[1].split("/", 1)[0] if len(tokens) > 2 else ""
        words = _words([last])
        if module in ("", "index") or module.lower() in words:
            return " ".join(words)
        return " ".join([module.lower(), *words])
    if tool_type == BUILTIN_TYPE:
        return "terraform data"
    return (tool_type.partition("_")[2] or tool_type).replace("_", " ")


def _words(parts: list[str]) -> list[str]:
    return [word.lower() for part in parts for word in _WORDS.findall(part)]


def resource_name(source: str, address: str) -> str:
    """The short readable name in an address.

    Terraform and OpenTofu: the name with its key, after the names of its modules
    (`module.shop.aws_instance.web["eu"]` is `shop.web[eu]`). Pulumi: what follows the type in the URN; SST: the same
    without the class that SST writes behind the name (`X.sst.cloudflare.DnsRecord` is `X`). Any other: the address.
    """
    if address.startswith("urn:pulumi:"):
        name = _urn_name(address)
        found = _SST_CLASS.fullmatch(name)
        return found["name"] if found else name
    if source in ("terraform", "opentofu"):
        return _terraform_name(address)
    return address


def _urn_name(address: str) -> str:
    """The name in `urn:pulumi:<stack>::<project>::<types>::<name>`; it may hold `::` itself."""
    parts = address.split("::", 3)
    return parts[3] if len(parts) == 4 else address


def address_parts(address: str) -> list[str]:
    """A Terraform address at its dots, those in keys left alone: `module.a["x.y"].aws_instance.web` has four parts."""
    parts = [""]
    quoted, depth, escaped = False, 0, False
    for character in address:
        if quoted:
            quoted = escaped or character != '"'
            escaped = character == "\\" and not escaped
        elif character == '"':
            quoted = True
        elif character in "[]":
            depth += 1 if character == "[" else -1
        elif character == "." and depth <= 0:
            parts.append("")
            continue
        parts[-1] += character
    return parts


def _terraform_name(address: str) -> str:
    parts = address_parts(address)
    modules = []
    while len(parts) > 2 and parts[0] == "module":
        modules.append(parts[1])
        parts = parts[2:]
    if len(parts) > 2 and parts[0] in ("data", "ephemeral"):
        parts = parts[1:]
    name = ".".join(parts[1:]) if len(parts) > 1 else address
    return ".".join([*modules, name]).replace('["', "[").replace('"]', "]")
