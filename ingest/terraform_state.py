"""The states of Terraform and OpenTofu: the state file, version 4, and what `show -json` prints.

Formats: internal/states/statefile/version4.go and internal/command/jsonstate. Both hold every attribute in clear; what
is taken is the whitelist of `ingest/outputs.py`, without what the state itself marks as sensitive.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ingest.found import FoundResource, FoundState, UnreadableState, one_an_address
from ingest.outputs import facts_of, provider_id
from ingest.resource_types import classify, resource_name
from ingest.text import clean_line, fits_an_index

_TAINTED = "It is marked as tainted: the next apply replaces it."
_DEPOSED = "It was replaced, and what it was before waits to be deleted."
_LATEST_VERSION = 4


def read_state_file(state: Mapping[str, Any]) -> FoundState:
    """A state file. Raises `UnreadableState` for other versions than 4."""
    version = state.get("version")
    if version != _LATEST_VERSION or isinstance(version, bool):
        known = f"version {version}" if isinstance(version, int) else "an unknown version"
        raise UnreadableState(
            f"This is a Terraform state of {known}; Slipway reads version 4.",
            "Give it the output of `terraform show -json`, or a state written by Terraform 0.13 or later.",
        )
    found: list[FoundResource] = []
    skipped = 0
    entries = state.get("resources")
    for entry in entries if isinstance(entries, list) else []:
        if not isinstance(entry, dict):
            skipped += 1
            continue
        if entry.get("mode") != "managed":
            continue
        for instance in entry["instances"] if isinstance(entry.get("instances"), list) else []:
            one = _instance(entry, instance) if isinstance(instance, dict) else None
            if one is None:
                skipped += 1
            else:
                found.append(one)
    serial = state.get("serial")
    return FoundState(
        source=_engine(found),
        resources=one_an_address(found),
        engine_version=clean_line(state.get("terraform_version"), 100),
        lineage=clean_line(state.get("lineage"), 200),
        serial=serial if isinstance(serial, int) and not isinstance(serial, bool) and 0 <= serial < 2**63 else None,
        skipped=skipped,
    )


def _engine(found: list[FoundResource]) -> str:
    return found[0].source if found else "terraform"


def _instance(entry: Mapping[str, Any], instance: Mapping[str, Any]) -> FoundResource | None:
    tool_type = clean_line(entry.get("type"), 200)
    name = clean_line(entry.get("name"), 500)
    if not tool_type or not name:
        return None
    module = clean_line(entry.get("module"), 1_500)
    address = f"{module}." * bool(module) + f"{tool_type}.{name}{_key(instance.get('index_key'))}"
    attributes = instance.get("attributes")
    sensitive = _sensitive_names(instance.get("sensitive_attributes"))
    reason, state = "", "provisioned"
    if instance.get("status") == "tainted":
        reason, state = _TAINTED, "failed"
    if instance.get("deposed"):
        reason, state = _DEPOSED, "deprovisioning"
    return _found(
        entry.get("provider"), tool_type, address, attributes, sensitive=sensitive, state=state, reason=reason
    )


def _key(key: object) -> str:
    if isinstance(key, bool) or key is None:
        return ""
    if isinstance(key, int):
        return f"[{key}]"
    if isinstance(key, str):
        escaped = clean_line(key, 500).replace("\\", "\\\\").replace('"', '\\"')
        return f'["{escaped}"]'
    return ""


def _sensitive_names(paths: object) -> frozenset[str]:
    """The names of top-level attributes in `sensitive_attributes`, a list of paths of steps."""
    names = set()
    for path in paths if isinstance(paths, list) else []:
        step = path[0] if isinstance(path, list) and path else None
        value = step.get("value") if isinstance(step, dict) else None
        if isinstance(value, str):
            names.add(value)
    return frozenset(names)


def _found(
    provider: object,
    tool_type: str,
    address: str,
    attributes: object,
    *,
    sensitive: frozenset[str],
    state: str,
    reason: str,
) -> FoundResource | None:
    if not fits_an_index(address):
        return None
    kind = classify(tool_type, address, show_builtin=True).kind
    given = attributes if isinstance(attributes, dict) else {}
    told = {name: value for name, value in given.items() if name not in sensitive}
    source = "opentofu" if isinstance(provider, str) and "registry.opentofu.org" in provider else "terraform"
    return FoundResource(
        source=source,
        address=address,
        tool_type=tool_type,
        name=resource_name(source, address),
        provider_resource_id=provider_id(kind, told.get("id")).get("provider_resource_id", ""),
        state=state,
        reason=reason,
        facts=facts_of(kind, told),
    )


def read_show_json(shown: Mapping[str, Any]) -> FoundState:
    """What `terraform show -json` or `tofu show -json` prints of a state."""
    found: list[FoundResource] = []
    skipped = 0
    for entry in _shown_resources(shown.get("values")):
        if not isinstance(entry, dict):
            skipped += 1
            continue
        if entry.get("mode") != "managed":
            continue
        one = _shown(entry)
        if one is None:
            skipped += 1
        else:
            found.append(one)
    return FoundState(
        source=_engine(found),
        resources=one_an_address(found),
        engine_version=clean_line(shown.get("terraform_version"), 100),
        skipped=skipped,
    )


def _shown_resources(values: object) -> Iterator[object]:
    """The resources of the root module and of all below it."""
    pending = [values.get("root_module")] if isinstance(values, dict) else []
    while pending:
        module = pending.pop(0)
        if not isinstance(module, dict):
            continue
        resources = module.get("resources")
        yield from resources if isinstance(resources, list) else []
        children = module.get("child_modules")
        pending.extend(children if isinstance(children, list) else [])


def _shown(entry: Mapping[str, Any]) -> FoundResource | None:
    tool_type = clean_line(entry.get("type"), 200)
    address = clean_line(entry.get("address"), 4_000)
    if not tool_type or not address:
        return None
    marked = entry.get("sensitive_values")
    # An empty object or list stands for what could hold something sensitive and does not.
    sensitive = frozenset(name for name, mark in marked.items() if mark) if isinstance(marked, dict) else frozenset()
    reason, state = "", "provisioned"
    if entry.get("tainted") is True:
        reason, state = _TAINTED, "failed"
    if entry.get("deposed_key"):
        reason, state = _DEPOSED, "deprovisioning"
    return _found(
        entry.get("provider_name"),
        tool_type,
        address,
        entry.get("values"),
        sensitive=sensitive,
        state=state,
        reason=reason,
    )
