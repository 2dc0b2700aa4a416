"""How the tests of parsers get lines: from the samples, and written in few words."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ingest.change import Change, Parsed
from ingest.found import FoundState
from ingest.source import SOURCES, parse_batch

SAMPLES = Path(__file__).parent.parent / "samples"
SENTINEL = "s3cr3t-sentinel-7f1e"


def sample(name: str) -> list[bytes]:
    """The lines of a sample; one that holds a JSON array gives a line for each of its objects."""
    raw = (SAMPLES / name).read_bytes()
    if raw.lstrip().startswith(b"["):
        return [json.dumps(one).encode() for one in json.loads(raw)]
    return raw.splitlines()


def parsed(source: str, lines: list[bytes], *, first: int = 0, max_line_bytes: int = 262_144) -> Parsed:
    return parse_batch(SOURCES[source], lines, first, max_line_bytes=max_line_bytes)


def read(source: str, *lines: dict[str, Any] | str, first: int = 0) -> Parsed:
    """What a source's parser makes of lines, given as objects or as text."""
    raw = [line.encode() if isinstance(line, str) else json.dumps(line).encode() for line in lines]
    return parsed(source, raw, first=first)


def one(source: str, line: dict[str, Any] | str, *, number: int = 0) -> Change:
    """The change that a line gives; fails where it gives none."""
    found = read(source, line, first=number)
    assert found.ignored == []
    assert len(found.changes) == 1
    return found.changes[0]


def nothing(source: str, line: dict[str, Any] | str) -> bool:
    """Whether a line is understood and gives nothing."""
    return read(source, line) == Parsed([], [])


def reason(source: str, line: dict[str, Any] | str | bytes, *, number: int = 0) -> str:
    """The sentence with which a line is left out; fails where it is not."""
    raw = line if isinstance(line, bytes) else (line if isinstance(line, str) else json.dumps(line)).encode()
    found = parsed(source, [raw], first=number)
    assert found.changes == []
    assert [left_out.line for left_out in found.ignored] == [number]
    return found.ignored[0].reason


def brief(change: Change) -> tuple[str, ...]:
    """A change as (kind, address, action), and its outcome or total where it has one."""
    rest = [change.outcome] if change.outcome else []
    rest += [str(change.total)] if change.total is not None else []
    return (str(change.kind), change.address, change.action, *rest)


def briefs(source: str, name: str) -> list[tuple[str, ...]]:
    """All that a sample gives; fails where a line of it is left out."""
    found = parsed(source, sample(name))
    assert found.ignored == []
    return [brief(change) for change in found.changes]


def everything(found: Parsed | FoundState | Change) -> str:
    """Every word of a result, to look for what may not be there."""
    return json.dumps(asdict(found), ensure_ascii=False, default=str)


# Terraform's lines.


def terraform_resource(address: str, tool_type: str = "aws_db_instance", **rest: Any) -> dict[str, Any]:
    module = "".join(found[0] for found in re.finditer(r'module\.\w+(\["[^"]*"\])?\.', address))
    return {
        "addr": address,
        "module": module.rstrip("."),
        "resource": address.removeprefix(module),
        "implied_provider": tool_type.split("_", 1)[0],
        "resource_type": tool_type,
        "resource_name": "x",
        "resource_key": None,
        **rest,
    }


def terraform_line(kind: str, message: str = "", **rest: Any) -> dict[str, Any]:
    return {
        "@level": "info",
        "@message": message,
        "@module": "terraform.ui",
        "@timestamp": "2026-04-11T09:14:46.108644+01:00",
        "type": kind,
        **rest,
    }


def planned(action: str, address: str = "aws_db_instance.orders", **rest: Any) -> dict[str, Any]:
    tool_type = rest.pop("tool_type", "aws_db_instance")
    change = {"resource": terraform_resource(address, tool_type), "action": action, **rest}
    return terraform_line("planned_change", f"{address}: Plan to {action}", change=change)


def hook(kind: str, action: str, address: str = "aws_db_instance.orders", **rest: Any) -> dict[str, Any]:
    tool_type = rest.pop("tool_type", "aws_db_instance")
    body = {"resource": terraform_resource(address, tool_type), "action": action, **rest}
    return terraform_line(kind, f"{address}: {kind}", hook=body)


# Pulumi's and SST's lines.

STACK_URN = "urn:pulumi:prod::shop::pulumi:pulumi:Stack::shop-prod"


def urn(types: str, name: str) -> str:
    return f"urn:pulumi:prod::shop::{types}::{name}"


def step(
    event: str,
    op: str,
    types: str = "aws:rds/instance:Instance",
    name: str = "orders",
    *,
    planning: bool = False,
    **state: Any,
) -> dict[str, Any]:
    """A step event; `state` is the resource's, such as outputs, custom, parent or id."""
    address = urn(types, name)
    tool_type = types.rsplit("$", 1)[-1]
    whole = {
        "type": tool_type, "urn": address, "custom": True, "id": "", "parent": STACK_URN, "inputs": {}, "outputs": {},
        "provider": "", **state,
    }  # fmt: skip
    is_gone = op in ("delete", "delete-replaced")
    body: dict[str, Any] = {
        "metadata": {
            "op": op, "urn": address, "type": tool_type, "old": whole if is_gone else None,
            "new": None if is_gone else whole, "logical": True, "provider": "",
        }
    }  # fmt: skip
    if planning:
        body["planning"] = True
    return {"sequence": 5, "timestamp": 1_700_000_000, event: body}


def diagnostic(message: str, severity: str = "error", **rest: Any) -> dict[str, Any]:
    body = {"message": message, "severity": severity, "color": "raw", **rest}
    return {"sequence": 6, "timestamp": 1_700_000_001, "diagnosticEvent": body}


# CloudFormation's lines.

STACK_ID = "arn:aws:cloudformation:eu-west-1:123456789012:stack/shop/2f1c"


def stack_event(status: str, logical_id: str = "Orders", **rest: Any) -> dict[str, Any]:
    return {
        "StackId": STACK_ID,
        "EventId": f"{logical_id}-{status}",
        "StackName": "shop",
        "LogicalResourceId": logical_id,
        "PhysicalResourceId": "",
        "ResourceType": "AWS::RDS::DBInstance",
        "Timestamp": "2026-04-11T09:14:46.108Z",
        "ResourceStatus": status,
        **rest,
    }


def of_stack(status: str, why: str = "") -> dict[str, Any]:
    return stack_event(
        status, "shop", PhysicalResourceId=STACK_ID, ResourceType="AWS::CloudFormation::Stack", ResourceStatusReason=why
    )


def in_nested_stack(event: dict[str, Any], path: str = "Network") -> dict[str, Any]:
    """An event as it is told of a nested stack, whose id is not the root's."""
    nested_id = STACK_ID.replace("shop", f"shop-{path.replace('/', '-')}")
    is_own = event["PhysicalResourceId"] == STACK_ID
    moved = {"StackId": nested_id, "NestedStackPath": path}
    return event | moved | ({"PhysicalResourceId": nested_id} if is_own else {})
