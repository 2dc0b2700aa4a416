"""CloudFormation's events of stacks and of those nested in them, told in few words, and the documented sequences."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

STACK_ID = "arn:aws:cloudformation:eu-west-1:123456789012:stack/web/11111111-2222-3333-4444-555555555555"
STACK_TYPE = "AWS::CloudFormation::Stack"
BEGAN = datetime(2026, 11, 24, 11, 0, tzinfo=UTC)


def nested_id(path: str) -> str:
    """The id of the nested stack at a path such as `Network/Inner`."""
    name = f"web-{path.replace('/', '-')}-1A2B3C"
    return f"{STACK_ID.rsplit('/', 2)[0]}/{name}/{uuid.uuid5(uuid.NAMESPACE_URL, path)}"


class PlayedStacks:
    """What has happened in the stack `web` and the stacks nested in it, each event a second after the last.

    `nested` holds the histories of nested stacks by their path; a path that is there makes a row of that logical id the
    row of a nested stack in its parent. `secret` is planted in each event's properties.
    """

    def __init__(self, secret: str) -> None:
        self.secret = secret
        self.history: list[dict[str, Any]] = []
        self.nested: dict[str, list[dict[str, Any]]] = {}

    @property
    def said(self) -> int:
        """How many events there are."""
        return len(self.history) + sum(len(events) for events in self.nested.values())

    def tell(self, *story: str) -> list[dict[str, Any]]:
        """Events as `LOGICAL STATUS` or `LOGICAL STATUS reason …`. `Network/Host` is a resource of the nested stack
        `Network`, and `Network/.` that stack itself."""
        told = []
        for line in story:
            logical, status, *reason = line.split(" ", 2)
            told.append(self.say(logical, status, " ".join(reason)))
        return told

    def say(self, logical: str, status: str, reason: str = "") -> dict[str, Any]:
        """One more event. Ids of events begin anew in each stack, as they may on AWS."""
        path, _, name = logical.rpartition("/")
        stack_id, events = (nested_id(path), self.nested[path]) if path else (STACK_ID, self.history)
        is_own, is_nested = name == "." or logical == "web", logical in self.nested
        physical = nested_id(logical) if is_nested else f"i-{logical.replace('/', '-').lower()}"
        if is_nested and status == "CREATE_IN_PROGRESS" and reason != "Resource creation Initiated":
            # It is not there yet.
            physical = ""
        event = {
            "StackId": stack_id,
            "EventId": f"event-{len(events)}",
            "StackName": stack_id.split("/")[1],
            "LogicalResourceId": stack_id.split("/")[1] if is_own else name,
            "PhysicalResourceId": stack_id if is_own else physical,
            "ResourceType": STACK_TYPE if is_own or is_nested else "AWS::EC2::Instance",
            "Timestamp": BEGAN + timedelta(seconds=self.said),
            "ResourceStatus": status,
            **({"ResourceStatusReason": reason} if reason else {}),
            "ResourceProperties": f'{{"MasterUserPassword": "{self.secret}"}}',
        }
        events.append(event)
        return event


# The sequences of an operation on `web`, in which `Network` is nested.

_QUOTA = "You have reached your quota of instances."
_EMBEDDED = f"Embedded stack {nested_id('Network')} was not successfully"

NESTED_CREATED = (
    "web CREATE_IN_PROGRESS User Initiated",
    "Network CREATE_IN_PROGRESS",
    "Network/. CREATE_IN_PROGRESS User Initiated",
    "Network CREATE_IN_PROGRESS Resource creation Initiated",
    "Network/Gate CREATE_IN_PROGRESS",
    "A CREATE_IN_PROGRESS",
    "Network/Gate CREATE_COMPLETE",
    "Network/. CREATE_COMPLETE",
    "Network CREATE_COMPLETE",
    "A CREATE_COMPLETE",
    "web CREATE_COMPLETE",
)
NESTED_CREATION_FAILED = (
    "web CREATE_IN_PROGRESS User Initiated",
    "A CREATE_IN_PROGRESS",
    "Network CREATE_IN_PROGRESS",
    "Network/. CREATE_IN_PROGRESS User Initiated",
    "Network CREATE_IN_PROGRESS Resource creation Initiated",
    "Network/Gate CREATE_IN_PROGRESS",
    "Network/Host CREATE_IN_PROGRESS",
    "Network/Gate CREATE_COMPLETE",
    f"Network/Host CREATE_FAILED {_QUOTA}",
    "Network/. CREATE_FAILED The following resource(s) failed to create: [Host].",
    f"Network CREATE_FAILED {_EMBEDDED} created: The following resource(s) failed to create: [Host].",
    "A CREATE_FAILED Resource creation cancelled",
    "web ROLLBACK_IN_PROGRESS The following resource(s) failed to create: [Network, A]. Rollback requested by user.",
    "A DELETE_COMPLETE",
    "Network DELETE_IN_PROGRESS",
    "Network/. DELETE_IN_PROGRESS User Initiated",
    "Network/Host DELETE_COMPLETE",
    "Network/Gate DELETE_IN_PROGRESS",
    "Network/Gate DELETE_COMPLETE",
    "Network/. DELETE_COMPLETE",
    "Network DELETE_COMPLETE",
    "web ROLLBACK_COMPLETE",
)
NESTED_UPDATED = (
    "web UPDATE_IN_PROGRESS User Initiated",
    "Network UPDATE_IN_PROGRESS",
    "Network/. UPDATE_IN_PROGRESS User Initiated",
    "Network/Host CREATE_IN_PROGRESS",
    "Network/Host CREATE_COMPLETE",
    "Network/. UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
    "Network UPDATE_COMPLETE",
    "web UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
    # A nested stack clears away what it has replaced when the root does, after its own row says that it is updated.
    "Network/Gate DELETE_IN_PROGRESS",
    "Network/Gate DELETE_COMPLETE",
    "Network/. UPDATE_COMPLETE",
    "web UPDATE_COMPLETE",
)
NESTED_UPDATE_FAILED = (
    "web UPDATE_IN_PROGRESS User Initiated",
    "Network UPDATE_IN_PROGRESS",
    "Network/. UPDATE_IN_PROGRESS User Initiated",
    "Network/Gate UPDATE_IN_PROGRESS",
    f"Network/Gate UPDATE_FAILED {_QUOTA}",
    "Network/. UPDATE_ROLLBACK_IN_PROGRESS The following resource(s) failed to update: [Gate].",
    f"Network UPDATE_FAILED {_EMBEDDED} updated. Currently in UPDATE_ROLLBACK_IN_PROGRESS with reason: "
    "The following resource(s) failed to update: [Gate].",
    "web UPDATE_ROLLBACK_IN_PROGRESS The following resource(s) failed to update: [Network].",
    "Network UPDATE_IN_PROGRESS",
    "Network/Gate UPDATE_COMPLETE",
    "Network/. UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS",
    "Network UPDATE_COMPLETE",
    "web UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS",
    "Network/. UPDATE_ROLLBACK_COMPLETE",
    "web UPDATE_ROLLBACK_COMPLETE",
)
NESTED_DELETED = (
    "web DELETE_IN_PROGRESS User Initiated",
    "A DELETE_IN_PROGRESS",
    "Network DELETE_IN_PROGRESS",
    "Network/. DELETE_IN_PROGRESS User Initiated",
    "Network/Gate DELETE_IN_PROGRESS",
    "A DELETE_COMPLETE",
    "Network/Gate DELETE_COMPLETE",
    "Network/. DELETE_COMPLETE",
    "Network DELETE_COMPLETE",
    "web DELETE_COMPLETE",
)
DEEP_CREATION_FAILED = (
    "web CREATE_IN_PROGRESS User Initiated",
    "Network CREATE_IN_PROGRESS Resource creation Initiated",
    "Network/. CREATE_IN_PROGRESS User Initiated",
    "Network/Inner CREATE_IN_PROGRESS Resource creation Initiated",
    "Network/Inner/. CREATE_IN_PROGRESS User Initiated",
    "Network/Inner/Host CREATE_IN_PROGRESS",
    f"Network/Inner/Host CREATE_FAILED {_QUOTA}",
    "Network/Inner/. CREATE_FAILED The following resource(s) failed to create: [Host].",
    f"Network/Inner CREATE_FAILED Embedded stack {nested_id('Network/Inner')} was not successfully created: "
    "The following resource(s) failed to create: [Host].",
    "Network/. CREATE_FAILED The following resource(s) failed to create: [Inner].",
    f"Network CREATE_FAILED {_EMBEDDED} created: The following resource(s) failed to create: [Inner].",
    "web CREATE_FAILED The following resource(s) failed to create: [Network].",
)
"""Two levels deep, made with `--disable-rollback`."""
