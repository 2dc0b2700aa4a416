"""The real worker against a real moto: what is connected by the page comes in by itself."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import boto3

from config import Settings
from models import Dock, Run, Stack
from tests.docks.stage import SECRET, Docks
from tests.harness.server import RunningServer

TEMPLATE = {
    "Resources": {"Orders": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "orders"}}},
    "Parameters": {"Password": {"Type": "String", "NoEcho": True}},
}


def cloudformation_of(moto: str) -> Any:
    return boto3.client(
        "cloudformation", endpoint_url=moto, region_name="eu-west-1", aws_access_key_id="x", aws_secret_access_key="y"
    )


def test_a_stack_that_moto_made_comes_in_once_with_two_workers(
    harbour: Docks, settings: Settings, moto: str, start_server: Callable[..., RunningServer]
) -> None:
    client = cloudformation_of(moto)
    name = f"web-{harbour.cast.organization.id[-8:].lower()}"
    client.create_stack(
        StackName=name,
        TemplateBody=json.dumps(TEMPLATE),
        Parameters=[{"ParameterKey": "Password", "ParameterValue": SECRET}],
    )
    harbour.now = 1_000
    harbour.connect(region="eu-west-1", stacks="web-*", endpoint_url=moto)
    servers = [
        start_server(
            home=settings.home_path,
            database_url=settings.database_url,
            secret_key=settings.secret_key,
            with_worker=True,
            watch_every_ms=300,
            dock_every_ms=500,
        )
        for _ in range(2)
    ]
    for server in servers:
        server.wait_until(lambda: Dock.get().sync_status != "never", "look at the dock", seconds=90)
    dock = Dock.get()
    assert (dock.sync_status, dock.sync_error) == ("ok", None)
    run = Run.select().join(Stack).where(Stack.name == name).get()
    assert (run.engine, run.outcome, run.dock_id) == ("cloudformation", "succeeded", dock.id)
    client.delete_stack(StackName=name)
    servers[0].wait_until(
        lambda: Run.select().where(Run.outcome == "succeeded").count() == 2, "tell of the deletion", seconds=90
    )
    assert Run.select().count() == 2
    assert SECRET not in "".join(server.log for server in servers)
