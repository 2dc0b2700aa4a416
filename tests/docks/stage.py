"""What tests of docks share: a moto server, a dock in the database, and a CloudFormation that plays a story."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from config import Settings
from docks.registry import PROVIDERS, checked, sealed
from docks.sync import sync_next
from keys import credentials_cipher
from models import Dock
from provisioning.audit import COMMAND_LINE
from provisioning.docks import create_dock
from serving import free_port
from tests.harness.cast import NOW, Cast

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


STACK_ID = "arn:aws:cloudformation:eu-west-1:123456789012:stack/web/11111111-2222-3333-4444-555555555555"
BEGAN = datetime(2026, 11, 24, 11, 0, tzinfo=UTC)


class Throttled(Exception):
    """As botocore's ClientError looks."""


class PlayedCloudFormation:
    """Answers as boto3's client does, from a history that the test writes; `to_come` is what each look adds."""

    def __init__(self) -> None:
        self.history: list[dict[str, Any]] = []
        self.change_set: list[dict[str, str]] = []
        self.change_set_made = BEGAN
        self.asked: list[str] = []
        self.is_listed = True

    def say(
        self, logical: str, status: str, reason: str = "", kind: str = "AWS::EC2::Instance", token: str = ""
    ) -> None:
        """One more event, a second after the last."""
        number = len(self.history)
        is_root = logical == "web"
        self.history.append(
            {
                "StackId": STACK_ID,
                "EventId": f"event-{number}",
                "StackName": "web",
                "LogicalResourceId": logical,
                "PhysicalResourceId": STACK_ID if is_root else f"i-{logical.lower()}",
                "ResourceType": "AWS::CloudFormation::Stack" if is_root else kind,
                "Timestamp": BEGAN + timedelta(seconds=number),
                "ResourceStatus": status,
                **({"ResourceStatusReason": reason} if reason else {}),
                "ResourceProperties": f'{{"MasterUserPassword": "{SECRET}"}}',
                **({"ClientRequestToken": token} if token else {}),
            }
        )

    def tell(self, *story: str) -> None:
        """Events as `LOGICAL STATUS` or `LOGICAL STATUS reason …`."""
        for line in story:
            logical, status, *reason = line.split(" ", 2)
            self.say(logical, status, " ".join(reason))

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
            from botocore.exceptions import ClientError

            told = {"Error": {"Code": "ValidationError", "Message": "Stack with id web does not exist"}}
            raise ClientError(told, "DescribeStacks")
        return {"Stacks": [self._stack()]}

    def describe_change_set(self, **asked: str) -> dict[str, Any]:
        self.asked.append("describe_change_set")
        start = int(asked.get("NextToken", "0"))
        more = {"NextToken": str(start + 2)} if start + 2 < len(self.change_set) else {}
        page = [{"Type": "Resource", "ResourceChange": one} for one in self.change_set[start : start + 2]]
        return {"Changes": page, "CreationTime": self.change_set_made} | more

    def get_paginator(self, name: str) -> Any:
        client = self

        class Pages:
            def paginate(self, **asked: str) -> Iterator[dict[str, Any]]:
                client.asked.append(name)
                if name == "describe_stacks":
                    yield {"Stacks": [client._stack()] if client.history and client.is_listed else []}
                    return
                newest_first = client.history[::-1]
                for start in range(0, len(newest_first), 3):
                    yield {"StackEvents": newest_first[start : start + 3]}

        return Pages()
