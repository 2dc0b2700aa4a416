"""A CloudFormation that plays its query API to the reporter's boto3, and how its tests poll."""

from __future__ import annotations

import json
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from xml.sax.saxutils import escape

from tests.harness.stacks import STACK_ID
from tests.reporter.stage import Ended, Home, Slipway

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
    """Plays DescribeStacks, DescribeStackEvents (two events a page, newest first) and DescribeChangeSet, of the stack
    `web` and of those nested in it."""

    def __init__(self) -> None:
        self.history: list[dict[str, str]] = []
        self.to_come: list[list[dict[str, str]]] = []
        """What each further poll finds beside what was there."""
        self.changes: list[dict[str, str]] = []
        self.nested_changes: dict[str, list[dict[str, str]]] = {}
        """The changes of nested change sets, by id."""
        self.nested_trouble: dict[str, list[tuple[str, str] | None]] = {}
        """What each further question for the events of a nested stack is refused with, None where it is not, by id."""
        self.asked_for: list[str] = []
        """The stacks whose events were asked for."""
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
        changes = self.nested_changes.get(asked["ChangeSetName"], self.changes)
        start = int(asked.get("NextToken", "0"))
        members = "".join(
            f"<member><Type>Resource</Type><ResourceChange>{self._fields(change)}</ResourceChange></member>"
            for change in changes[start : start + 2]
        )
        more = f"<NextToken>{start + 2}</NextToken>" if start + 2 < len(changes) else ""
        inner = f"<Changes>{members}</Changes>{more}<ExecutionStatus>EXECUTE_COMPLETE</ExecutionStatus>"
        return 200, self._result(action, inner + "<CreationTime>2026-11-24T11:59:00Z</CreationTime>")

    def _events(self, asked: dict[str, str]) -> tuple[int, bytes]:
        self.polls += 1
        if self.throttle_every and self.polls % self.throttle_every == 0:
            return self._error(*self.trouble)
        stack_id = STACK_ID if asked["StackName"] == "web" else asked["StackName"]
        if "NextToken" not in asked:
            self.asked_for.append(stack_id)
            if self.to_come and stack_id == STACK_ID:
                self.history += self.to_come.pop(0)
        trouble = self.nested_trouble[stack_id].pop(0) if self.nested_trouble.get(stack_id) else None
        if trouble:
            return self._error(*trouble)
        newest_first = [told for told in self.history if told["StackId"] == stack_id][::-1]
        if not newest_first or (self.deleted and asked["StackName"] == "web"):
            return self._error("ValidationError", f"Stack [{asked['StackName']}] does not exist")
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


def poll(home: Home, *arguments: str, **more: Any) -> Ended:
    return home.run("cloudformation", "--stack-name", "web", "--poll-seconds", "0.05", *arguments, **more)


def sent(slipway: Slipway) -> list[dict[str, Any]]:
    return [json.loads(line) for line in slipway.lines()]


def ids(slipway: Slipway) -> list[str]:
    return [told["EventId"] for told in sent(slipway) if "EventId" in told]
