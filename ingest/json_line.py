"""One line of output as a JSON object, whatever the line holds; and whose line it is."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from ingest.change import Ignored

_MOST_DIGITS = 40


class _NoNumberError(ValueError):
    pass


def _int(digits: str) -> int:
    # Numbers of thousands of digits take quadratic time to read, and nothing here needs one.
    if len(digits) > _MOST_DIGITS:
        raise _NoNumberError
    return int(digits)


def _constant(name: str) -> NoReturn:
    # NaN and Infinity are no JSON, and no database column takes them.
    raise _NoNumberError


_DECODER = json.JSONDecoder(parse_int=_int, parse_constant=_constant)


def read_object(number: int, text: str, *, expected: str) -> dict[str, Any] | Ignored:
    """The object on a line. `expected` names what should be there and how it is had, such as "Terraform output made
    with -json": it ends the sentence of what is left out. No sentence repeats the line's content."""
    try:
        found = _DECODER.decode(text)
    except _NoNumberError:
        return Ignored(number, f"The line holds a number that is no JSON number. Expected: {expected}.")
    except ValueError:
        return Ignored(number, f"The line is not JSON. Expected: {expected}.")
    except RecursionError:
        return Ignored(number, f"The line is nested too deep. Expected: {expected}.")
    if not isinstance(found, dict):
        return Ignored(number, f"The line is JSON, but no object. Expected: {expected}.")
    return found


_PULUMI_EVENTS = frozenset(
    {
        "preludeEvent", "resourcePreEvent", "resOutputsEvent", "resOpFailedEvent", "diagnosticEvent", "summaryEvent",
        "cancelEvent", "stdoutEvent", "policyEvent", "policyRemediationEvent", "policyLoadEvent",
        "policyAnalyzeSummaryEvent", "policyRemediateSummaryEvent", "policyAnalyzeStackSummaryEvent", "progressEvent",
        "startDebuggingEvent", "errorEvent",
    }
)  # fmt: skip
"""The one field beside `sequence` and `timestamp` of a Pulumi engine event (pulumi sdk/go/common/apitype/events.go)."""


def pulumi_event(line: dict[str, Any]) -> str:
    """The name of the engine event that a line is; "" where it is none."""
    return next((name for name in line if name in _PULUMI_EVENTS), "")


def whose(line: dict[str, Any]) -> str:
    """What an object is, in words: the tool whose line it is, or "" where its shape is of none."""
    module = line.get("@module")
    if module == "terraform.ui":
        return "a line of Terraform"
    if module == "tofu.ui":
        return "a line of OpenTofu"
    if "@module" in line or "@level" in line:
        return "a line of a tool's own log"
    if pulumi_event(line):
        return "an engine event of Pulumi or SST"
    if "StackEvents" in line:
        return "a whole answer of DescribeStackEvents"
    if "ResourceStatus" in line or "ChangeSet" in line or "EventId" in line:
        return "an event of CloudFormation"
    if "lineage" in line or "format_version" in line:
        return "a state or plan of Terraform"
    if "checkpoint" in line or "deployment" in line:
        return "a state of Pulumi"
    return ""


def other_tool(number: int, line: dict[str, Any], *, source: str, label: str, expected: str) -> Ignored:
    """The sentence for a line that is not one of `source`."""
    found = whose(line) or "no line of a tool that Slipway knows"
    return Ignored(
        number,
        f"The line is {found}, sent to the source {source} ({label}). Expected: {expected}; "
        "send other tools' output to their own source.",
    )
