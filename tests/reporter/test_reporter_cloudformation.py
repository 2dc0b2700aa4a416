"""Polling CloudFormation: real boto3 against a server that plays its query API, poll by poll, and against moto."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path

import pytest

from tests.reporter.played_cloudformation import SENTINEL, CloudFormation, event, ids, poll, sent
from tests.reporter.stage import Home, Slipway, stand_in, with_limits

pytest.importorskip("boto3")

EARLIER = [event(1, "web", "CREATE_IN_PROGRESS"), event(2, "A", "CREATE_COMPLETE"), event(3, "web", "CREATE_COMPLETE")]
BEGINS = [event(10, "web", "UPDATE_IN_PROGRESS", "User Initiated"), event(11, "A", "UPDATE_IN_PROGRESS")]
SUCCEEDS = [
    event(12, "A", "UPDATE_COMPLETE"),
    event(13, "web", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"),
    event(14, "B", "DELETE_IN_PROGRESS"),
]
CLEAN = [event(15, "B", "DELETE_COMPLETE"), event(16, "web", "UPDATE_COMPLETE")]
ROLLS_BACK = [
    event(12, "A", "UPDATE_FAILED", "no capacity"),
    event(13, "web", "UPDATE_ROLLBACK_IN_PROGRESS", "The following resource(s) failed to update: [A]."),
    event(14, "web", "UPDATE_ROLLBACK_COMPLETE"),
]


def test_an_operation_under_way_is_reported_from_its_beginning(
    home: Home, slipway: Slipway, aws: CloudFormation
) -> None:
    aws.history = [*EARLIER, *BEGINS]
    aws.to_come = [[], SUCCEEDS, [], CLEAN]
    ended = poll(home)
    assert ended.code == 0, ended.err
    assert ids(slipway) == [f"event-{number}" for number in range(10, 17)]
    assert slipway.end() == "0"
    assert slipway.batches()[0].path.endswith("/cloudformation")
    assert "A UPDATE_COMPLETE" in ended.out
    assert ended.err.startswith("slipway: this run, live: ")


def test_the_next_operation_is_awaited(home: Home, slipway: Slipway, aws: CloudFormation) -> None:
    aws.history = list(EARLIER)
    aws.to_come = [[], [], BEGINS, [*SUCCEEDS, *CLEAN]]
    assert poll(home).code == 0
    assert ids(slipway) == [f"event-{number}" for number in range(10, 17)]


def test_a_stack_that_is_not_there_yet_is_awaited(home: Home, slipway: Slipway, aws: CloudFormation) -> None:
    aws.to_come = [[], [event(0, "web", "REVIEW_IN_PROGRESS")], EARLIER[:1], EARLIER[1:]]
    assert poll(home).code == 0
    assert ids(slipway) == ["event-1", "event-2", "event-3"]


def test_a_rollback_is_a_failure(home: Home, slipway: Slipway, aws: CloudFormation) -> None:
    aws.history = [*EARLIER, *BEGINS]
    aws.to_come = [[], ROLLS_BACK]
    ended = poll(home)
    assert ended.code == 1
    assert slipway.end() == "1"
    assert "A UPDATE_FAILED: no capacity" in ended.out


def test_a_deletion_is_followed_though_the_name_is_gone(home: Home, slipway: Slipway, aws: CloudFormation) -> None:
    aws.history = [*EARLIER, event(10, "web", "DELETE_IN_PROGRESS")]
    aws.to_come = [[], [event(11, "A", "DELETE_COMPLETE")], [event(12, "web", "DELETE_COMPLETE")]]

    def delete_soon() -> None:
        while len(aws.to_come) > 1:
            time.sleep(0.005)
        aws.deleted = True

    threading.Thread(target=delete_soon, daemon=True).start()
    assert poll(home).code == 0
    assert ids(slipway) == ["event-10", "event-11", "event-12"]


def test_the_totals_come_first_where_there_is_a_change_set(home: Home, slipway: Slipway, aws: CloudFormation) -> None:
    aws.history = [*EARLIER, *BEGINS]
    aws.to_come = [[], [*SUCCEEDS, *CLEAN]]
    aws.changes = [
        {"Action": "Modify", "LogicalResourceId": name, "ResourceType": "AWS::EC2::Instance", "Replacement": "True"}
        for name in "ABC"
    ]
    poll(home)
    first = sent(slipway)[0]
    assert first == {"ChangeSet": {"Changes": aws.changes, "StackName": "web", "Timestamp": "2026-11-24T11:59:00Z"}}


def test_only_whitelisted_fields_leave(home: Home, slipway: Slipway, aws: CloudFormation) -> None:
    aws.history = [*EARLIER, *BEGINS]
    aws.to_come = [[], [*SUCCEEDS, *CLEAN]]
    poll(home)
    assert all(SENTINEL not in repr(request) for request in slipway.requests)
    for told in sent(slipway):
        assert "ResourceProperties" not in told
        assert told["Timestamp"].endswith("Z")
        assert told["ClientRequestToken"] == "deploy-1"


def test_throttling_loses_nothing(home: Home, slipway: Slipway, aws: CloudFormation) -> None:
    aws.throttle_every = 4
    aws.history = [*EARLIER, *BEGINS]
    aws.to_come = [[], *[[one] for one in [*SUCCEEDS, *CLEAN]]]
    ended = poll(home)
    assert ended.code == 0
    assert ids(slipway) == [f"event-{number}" for number in range(10, 17)]


def test_credentials_that_are_not_valid_are_told_at_once(home: Home, slipway: Slipway, aws: CloudFormation) -> None:
    aws.throttle_every = 1
    aws.trouble = ("ExpiredToken", "The security token included in the request is expired")
    ended = poll(home)
    assert ended.code == 2
    assert "The security token included in the request is expired" in ended.err


def test_the_operation_before_is_reported_when_asked(home: Home, slipway: Slipway, aws: CloudFormation) -> None:
    aws.history = [*EARLIER, *BEGINS, *SUCCEEDS, *CLEAN]
    assert poll(home, "--last").code == 0
    assert ids(slipway) == [f"event-{number}" for number in range(10, 17)]


def test_no_operation_is_told_and_ends_with_four(home: Home, slipway: Slipway, aws: CloudFormation) -> None:
    aws.history = list(EARLIER)
    ended = poll(home, "--start-timeout", "0.3")
    assert ended.code == 4
    assert "no operation on web began" in ended.err
    assert slipway.requests == []


def test_without_boto3_it_says_what_to_install(home: Home, slipway: Slipway, tmp_path: Path) -> None:
    blocked = tmp_path / "no_boto"
    blocked.mkdir()
    (blocked / "boto3.py").write_text("raise ImportError('not here')\n")
    home.environ["PYTHONPATH"] = str(blocked)
    ended = poll(home)
    assert ended.code == 2
    assert "-m pip install boto3" in ended.err
    assert slipway.requests == []


def test_a_watched_cdk_deploy_reports_the_stacks_it_makes(
    home: Home, slipway: Slipway, aws: CloudFormation, tmp_path: Path
) -> None:
    now = time.strftime("%Y-%m-%dT%H:%M", time.gmtime(time.time() + 60))
    aws.to_come = [[], [dict(one, Timestamp=f"{now}:00Z") for one in EARLIER]]
    manifest = {
        "artifacts": {
            "Web": {
                "type": "aws:cloudformation:stack",
                "environment": "aws://123456789012/eu-west-1",
                "properties": {"stackName": "web"},
            },
            "Other": {"type": "aws:cloudformation:stack", "environment": "aws://1/eu-west-1"},
            "Tree": {"type": "cdk:tree"},
        }
    }
    stand_in(
        tmp_path / "bin",
        "cdk",
        "import os, sys, time\nos.makedirs('cdk.out')\n"
        f"open('cdk.out/manifest.json', 'w').write({json.dumps(manifest)!r})\n"
        "print('deploying', sys.argv[1:], flush=True)\ntime.sleep(1.2)\n",
    )
    home.environ["PATH"] = f"{tmp_path / 'bin'}:{home.environ['PATH']}"
    fast = with_limits(home, POLL_SECONDS=0.1)
    ended = home.run("watch", "--", "cdk", "deploy", "Web", "--require-approval", "never", script=fast)
    assert ended.code == 0, ended.err
    assert ended.out == "deploying ['deploy', 'Web', '--require-approval', 'never']\n"
    assert ids(slipway) == ["event-1", "event-2", "event-3"]
    assert slipway.end() == "0"


def test_a_real_stack_of_moto_is_reported(home: Home, slipway: Slipway) -> None:
    pytest.importorskip("moto.server")
    import boto3
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        endpoint = f"http://{host}:{port}"
        keys = {"aws_access_key_id": "key", "aws_secret_access_key": "secret", "region_name": "eu-west-1"}
        client = boto3.client("cloudformation", endpoint_url=endpoint, **keys)
        template = {"Resources": {"Queue": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "jobs"}}}}
        client.create_stack(StackName="web", TemplateBody=json.dumps(template))
        home.environ.update(
            AWS_ENDPOINT_URL=endpoint,
            AWS_ACCESS_KEY_ID="key",
            AWS_SECRET_ACCESS_KEY="secret",
            AWS_DEFAULT_REGION="eu-west-1",
        )
        assert poll(home, "--last").code == 0
        assert sent(slipway)[-1]["ResourceStatus"] == "CREATE_COMPLETE"
        assert slipway.end() == "0"
    finally:
        server.stop()
