"""Polling CloudFormation: real boto3 against a server that plays its query API, poll by poll, and against moto."""

from __future__ import annotations

import json
import threading
import time
import urllib.parse
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import pytest

from tests.reporter.stage import Home, Slipway, stand_in, with_limits

pytest.importorskip("boto3")

STACK_ID = "arn:aws:cloudformation:eu-west-1:123456789012:stack/web/11111111-2222-3333-4444-555555555555"
SENTINEL = "sentinel-5e55-open-sesame"
NAMESPACE = "http://cloudformation.amazonaws.com/doc/2010-05-15/"


def event(number: int, logical: str, status: str, reason: str = "", kind: str = "AWS::EC2::Instance") -> dict[str, str]:
    """An event as DescribeStackEvents returns it. The stack's own have its id as physical id."""
    root = logical == "web"
    return {
        "StackId": STACK_ID,
        "EventId": f"event-{number}",
        "StackName": "web",
        "LogicalResourceId": logical,
        "PhysicalResourceId": STACK_ID if root else f"i-{logical.lower()}",
        "ResourceType": "AWS::CloudFormation::Stack" if root else kind,
        "Timestamp": f"2026-11-24T12:00:{number:02d}.000Z",
        "ResourceStatus": status,
        **({"ResourceStatusReason": reason} if reason else {}),
        "ResourceProperties": json.dumps({"MasterUserPassword": SENTINEL}),
        "ClientRequestToken": "deploy-1",
    }


class CloudFormation:
    """Plays DescribeStacks, DescribeStackEvents (two events a page, newest first) and DescribeChangeSet."""

    def __init__(self) -> None:
        self.history: list[dict[str, str]] = []
        self.to_come: list[list[dict[str, str]]] = []
        """What each further poll finds beside what was there."""
        self.changes: list[dict[str, str]] = []
        self.throttle_every = 0
        self.trouble = ("Throttling", "Rate exceeded")
        self.deleted = False
        self.polls = 0
        api = self

        class Query(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                status, answer = api.answer(dict(urllib.parse.parse_qsl(body)))
                self.send_response(status)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Query)
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"
        threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()

    def answer(self, asked: dict[str, str]) -> tuple[int, bytes]:
        action = asked["Action"]
        if action == "DescribeStackEvents":
            return self._events(asked)
        if action == "DescribeStacks":
            stack = {"StackName": "web", "StackId": STACK_ID, "ChangeSetId": "arn:change-set"}
            return 200, self._result(action, f"<Stacks>{self._member(stack)}</Stacks>")
        if not self.changes:
            return self._error("ChangeSetNotFound", "ChangeSet does not exist")
        start = int(asked.get("NextToken", "0"))
        members = "".join(
            f"<member><Type>Resource</Type><ResourceChange>{self._fields(change)}</ResourceChange></member>"
            for change in self.changes[start : start + 2]
        )
        more = f"<NextToken>{start + 2}</NextToken>" if start + 2 < len(self.changes) else ""
        inner = f"<Changes>{members}</Changes>{more}<ExecutionStatus>EXECUTE_COMPLETE</ExecutionStatus>"
        return 200, self._result(action, inner + "<CreationTime>2026-11-24T11:59:00Z</CreationTime>")

    def _events(self, asked: dict[str, str]) -> tuple[int, bytes]:
        self.polls += 1
        if self.throttle_every and self.polls % self.throttle_every == 0:
            return self._error(*self.trouble)
        if "NextToken" not in asked and self.to_come:
            self.history += self.to_come.pop(0)
        if not self.history or (self.deleted and asked["StackName"] == "web"):
            return self._error("ValidationError", "Stack [web] does not exist")
        newest_first = self.history[::-1]
        start = int(asked.get("NextToken", "0"))
        members = "".join(self._member(one) for one in newest_first[start : start + 2])
        more = f"<NextToken>{start + 2}</NextToken>" if start + 2 < len(newest_first) else ""
        return 200, self._result("DescribeStackEvents", f"<StackEvents>{members}</StackEvents>{more}")

    def _member(self, fields: dict[str, str]) -> str:
        return f"<member>{self._fields(fields)}</member>"

    @staticmethod
    def _fields(fields: dict[str, str]) -> str:
        return "".join(f"<{name}>{escape(value)}</{name}>" for name, value in fields.items())

    @staticmethod
    def _result(action: str, inner: str) -> bytes:
        result = f"<{action}Result>{inner}</{action}Result>"
        return f'<{action}Response xmlns="{NAMESPACE}">{result}</{action}Response>'.encode()

    @staticmethod
    def _error(code: str, message: str) -> tuple[int, bytes]:
        told = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>"
        return 400, f'<ErrorResponse xmlns="{NAMESPACE}">{told}</ErrorResponse>'.encode()


@pytest.fixture
def aws(home: Home) -> Iterator[CloudFormation]:
    api = CloudFormation()
    home.environ.update(
        AWS_ENDPOINT_URL_CLOUDFORMATION=api.url,
        AWS_ACCESS_KEY_ID="key",
        AWS_SECRET_ACCESS_KEY=SENTINEL,
        AWS_DEFAULT_REGION="eu-west-1",
        AWS_MAX_ATTEMPTS="1",
    )
    yield api
    api.close()


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


def poll(home: Home, *arguments: str) -> Any:
    return home.run("cloudformation", "--stack-name", "web", "--poll-seconds", "0.05", *arguments)


def sent(slipway: Slipway) -> list[dict[str, Any]]:
    return [json.loads(line) for line in slipway.lines()]


def ids(slipway: Slipway) -> list[str]:
    return [told["EventId"] for told in sent(slipway) if "EventId" in told]


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
