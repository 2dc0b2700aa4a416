"""The states of Pulumi and SST: a deployment alone, in a checkpoint, or as `pulumi stack export` writes it.

Format: pulumi's sdk/go/common/apitype/core.go. What is taken is the whitelist of `ingest/outputs.py`; Pulumi's secrets
are objects there, and no object is taken. Left out: the stack, providers, what is only read (`external`), and SST's own
records. A failed resource is not in a state at all; only the event log shows it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from ingest import pulumi, sst
from ingest.found import FoundResource, FoundState, UnreadableState, one_an_address
from ingest.outputs import provider_id
from ingest.pulumi import STACK_TYPE, parent_of, type_in
from ingest.resource_types import classify, resource_name
from ingest.text import clean, clean_line, fits_an_index, ms_of_rfc3339

_VERSIONS = (1, 2, 3, 4)
"""Version 4 is 3 with a list of features; the older ones lack what is optional in 3."""
_LEFT_OUT = frozenset({STACK_TYPE, "sst:sst:Version", "sst:sst:LinkRef"})
_PENDING = {
    "creating": ("provisioning", "It was being created when the tool stopped; whether it exists is not known."),
    "updating": ("provisioning", "It was being updated when the tool stopped; whether it was is not known."),
    "deleting": ("deprovisioning", "It was being deleted when the tool stopped; whether it still exists is not known."),
}
_DELETED_TO_BE_REPLACED = "It was deleted to be replaced, and has not been created again."
_TAINTED = "It is marked as tainted: the next update replaces it."
_LEAVING = "It was replaced, and what it was before waits to be deleted."


def deployment_in(state: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The deployment in a state of Pulumi, whatever it is wrapped in; None where there is none."""
    checkpoint = state.get("checkpoint")
    for holder, name in ((checkpoint, "latest"), (state, "deployment"), (state, "latest")):
        found = holder.get(name) if isinstance(holder, dict) else None
        if isinstance(found, dict):
            return found
    if isinstance(state.get("resources"), list) and isinstance(state.get("manifest"), dict):
        return state
    return None


def read_deployment(state: Mapping[str, Any], *, running: bool) -> FoundState:
    """A state of Pulumi or SST. Pending operations are under way where the tool is known to be `running`, because it
    holds the lock; otherwise they were interrupted. Raises `UnreadableState` for versions that are not known."""
    version = state.get("version", 3)
    if isinstance(version, bool) or version not in _VERSIONS:
        raise UnreadableState(
            "This is a Pulumi state of an unknown version; Slipway reads versions 1 to 4.",
            "Export it with `pulumi stack export`.",
        )
    deployment = deployment_in(state) or {}
    entries = [entry for entry in _list(deployment.get("resources")) if isinstance(entry, dict)]
    skipped = len(_list(deployment.get("resources"))) - len(entries)
    is_sst = any(_type(entry).startswith("sst:") for entry in entries)
    source = "sst" if is_sst else "pulumi"
    found: list[FoundResource] = []
    for entry in entries:
        if _is_left_out(entry):
            continue
        one = _found(entry, source)
        if one is None:
            skipped += 1
        else:
            found.append(one)
    resources = {one.address: one for one in one_an_address(found)}
    for one in _pending(deployment, resources, source, running=running):
        resources[one.address] = one
    manifest = deployment.get("manifest")
    about = manifest if isinstance(manifest, dict) else {}
    made_at = ms_of_rfc3339(about.get("time"))
    return FoundState(
        source=source,
        resources=tuple(resources.values()),
        engine_version=clean_line(about.get("version"), 100),
        made_at=made_at or None,
        skipped=skipped,
    )


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _type(entry: Mapping[str, Any]) -> str:
    return clean_line(entry.get("type"), 200) or type_in(clean_line(entry.get("urn"), 4_000))


def _is_left_out(entry: Mapping[str, Any]) -> bool:
    tool_type = _type(entry)
    return entry.get("external") is True or tool_type in _LEFT_OUT or tool_type.startswith("pulumi:providers:")


def _found(entry: Mapping[str, Any], source: str) -> FoundResource | None:
    urn = clean_line(entry.get("urn"), 4_000)
    if not urn.startswith("urn:pulumi:") or not fits_an_index(urn):
        return None
    tool_type = _type(entry)
    kind = classify(tool_type, urn).kind
    parent = parent_of(entry)
    outputs = entry.get("outputs")
    told = outputs if isinstance(outputs, dict) else {}
    facts = sst.output_facts if source == "sst" else pulumi.output_facts
    state, reason = _state(entry)
    return FoundResource(
        source=source,
        address=urn,
        tool_type=tool_type,
        name=resource_name(source, urn),
        provider_resource_id=provider_id(kind, entry.get("id")).get("provider_resource_id", ""),
        parent=parent,
        state=state,
        reason=reason,
        facts=facts(tool_type, kind, told, parent) | ({} if entry.get("custom") is True else {"component": "yes"}),
        created_at=ms_of_rfc3339(entry.get("created")),
        modified_at=ms_of_rfc3339(entry.get("modified")),
    )


def _state(entry: Mapping[str, Any]) -> tuple[str, str]:
    """(state, reason)."""
    if entry.get("delete") is True:
        return "deprovisioning", _LEAVING
    errors = [text for error in _list(entry.get("initErrors")) if (text := clean(error))]
    if errors:
        return "failed", errors[0]
    if entry.get("pendingReplacement") is True:
        return "interrupted", _DELETED_TO_BE_REPLACED
    if entry.get("taint") is True:
        return "failed", _TAINTED
    return "provisioned", ""


def _pending(
    deployment: Mapping[str, Any], resources: Mapping[str, FoundResource], source: str, *, running: bool
) -> Iterator[FoundResource]:
    """The resources that an operation was under way on."""
    for operation in _list(deployment.get("pending_operations")):
        entry = operation.get("resource") if isinstance(operation, dict) else None
        kind = operation.get("type") if isinstance(operation, dict) else None
        if not isinstance(entry, dict) or not isinstance(kind, str) or kind not in _PENDING or _is_left_out(entry):
            continue
        moving, reason = _PENDING[kind]
        one = resources.get(clean_line(entry.get("urn"), 4_000)) or _found(entry, source)
        if one is not None:
            state, why = (moving, "") if running else ("interrupted", reason)
            yield replace(one, state=state, reason=why)
