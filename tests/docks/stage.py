"""What tests of docks share: a moto server, a dock in the database, and a CloudFormation that plays a story."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import ClientError

from config import Settings
from docks.registry import PROVIDERS, checked, sealed
from docks.sync import sync_next
from keys import credentials_cipher
from models import Dock
from provisioning.audit import COMMAND_LINE
from provisioning.docks import create_dock
from serving import free_port
from tests.harness.cast import NOW, Cast
from tests.harness.stacks import BEGAN, STACK_ID, PlayedStacks, nested_id

SECRET = "sentinel-9d1c-secret-access-key"
KEY_ID = "sentinel-9d1c-key-id"
KEYS = {"access_key_id": KEY_ID, "secret_access_key": SECRET}


@contextmanager
def moto_server() -> Iterator[str]:
    """A moto server in a process of its own; its URL."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                urllib.request.urlopen(f"{url}/moto-api/", timeout=2).close()
                break
            except OSError:
                assert process.poll() is None, "moto ended"
                assert time.monotonic() < deadline, "moto does not answer"
                time.sleep(0.05)
        yield url
    finally:
        process.terminate()
        process.wait(20)


@dataclasses.dataclass
class Docks:
    """Makes docks, and plays their worker."""

    settings: Settings
    cast: Cast
    now: int = NOW

    def connect(self, provider: str = "aws", name: str = "prod account", **given: object) -> Dock:
        """A dock with the sentinels as its credentials."""
        adapter = PROVIDERS[provider]
        keys = KEYS if adapter.credentials.model_fields else {}
        chosen, secrets = checked(adapter, given | keys, has_credentials=False)
        assert secrets is not None
        dock_id = create_dock(
            organization_id=self.cast.organization.id,
            name=name,
            provider=provider,
            settings=chosen.model_dump(mode="json"),
            credentials=sealed(secrets, credentials_cipher(self.settings)),
            actor=COMMAND_LINE,
            now=self.now,
        )
        return Dock.get_by_id(dock_id)

    def sync(self, *, later_ms: int = 0) -> Dock:
        """The one sync that is due; the dock as it is then."""
        self.now += later_ms
        Dock.update(next_sync_at=self.now).execute()
        assert sync_next(self.settings, lambda: self.now)
        return Dock.get()


class PlayedCloudFormation(PlayedStacks):
    """Answers as boto3's client does, from histories that the test writes, three events a page. `change_sets` are those
    of nested stacks."""

    def __init__(self) -> None:
        super().__init__(SECRET)
        self.change_set: list[dict[str, str]] = []
        self.change_sets: dict[str, list[dict[str, str]]] = {}
        self.change_set_made = BEGAN
        self.asked: list[str] = []
        self.asked_for_events_of: list[str] = []
        self.troubles: dict[str, str] = {}
        """The error code with which a path's events are refused."""
        self.is_listed = True

    def _stack(self) -> dict[str, Any]:
        root = [event for event in self.history if event["LogicalResourceId"] == "web"]
        told = {
            "StackName": "web",
            "StackId": STACK_ID,
            "CreationTime": BEGAN,
            "StackStatus": root[-1]["ResourceStatus"],
        }
        told["LastUpdatedTime"] = root[-1]["Timestamp"]
        return told | ({"ChangeSetId": "arn:change-set"} if self.change_set else {})

    def describe_stacks(self, **asked: str) -> dict[str, Any]:
        self.asked.append("describe_stacks")
        if not self.history or not self.is_listed:
            told = {"Error": {"Code": "ValidationError", "Message": "Stack with id web does not exist"}}
            raise ClientError(told, "DescribeStacks")
        return {"Stacks": [self._stack()]}

    def describe_change_set(self, **asked: str) -> dict[str, Any]:
        self.asked.append("describe_change_set")
        changes = self.change_sets.get(asked["ChangeSetName"], self.change_set)
        start = int(asked.get("NextToken", "0"))
        more = {"NextToken": str(start + 2)} if start + 2 < len(changes) else {}
        page = [{"Type": "Resource", "ResourceChange": one} for one in changes[start : start + 2]]
        return {"Changes": page, "CreationTime": self.change_set_made} | more

    def _events_of(self, stack_id: str) -> list[dict[str, Any]]:
        path = next((path for path in self.nested if nested_id(path) == stack_id), "")
        self.asked_for_events_of.append(path or "web")
        if path in self.troubles:
            raise ClientError({"Error": {"Code": self.troubles[path], "Message": SECRET}}, "DescribeStackEvents")
        return self.nested[path] if path else self.history

    def get_paginator(self, name: str) -> Any:
        client = self

        class Pages:
            def paginate(self, **asked: str) -> Iterator[dict[str, Any]]:
                client.asked.append(name)
                if name == "describe_stacks":
                    yield {"Stacks": [client._stack()] if client.history and client.is_listed else []}
                    return
                newest_first = client._events_of(asked["StackName"])[::-1]
                for start in range(0, len(newest_first), 3):
                    yield {"StackEvents": newest_first[start : start + 3]}

        return Pages()
