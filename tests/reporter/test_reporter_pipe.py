"""The pipe when all is well: what is printed, what is sent, how it ends."""

from __future__ import annotations

import json
import subprocess
import time

from tests.reporter.stage import (
    TOKEN,
    Answer,
    Home,
    Request,
    Slipway,
    problem,
    terraform_line,
    terraform_lines,
    until,
    with_limits,
)


def test_it_prints_the_url_first_and_then_the_messages(home: Home, slipway: Slipway) -> None:
    merged = home.run("terraform", stdin=b"\n".join(terraform_lines(3)) + b"\n", stderr=subprocess.STDOUT)
    assert merged.code == 0
    assert merged.out.splitlines() == [
        f"slipway: this run, live: {slipway.url}/runs/run_1",
        "message 0",
        "message 1",
        "message 2",
    ]


def test_it_tells_the_url_on_standard_error_alone(home: Home, slipway: Slipway) -> None:
    ended = home.run("terraform", stdin=terraform_line(0) + b"\n")
    assert ended.out == "message 0\n"
    assert ended.err == f"slipway: this run, live: {slipway.url}/runs/run_1\n"


def test_it_sends_every_line_with_its_number_and_the_end(home: Home, slipway: Slipway) -> None:
    lines = terraform_lines(450)
    home.run("terraform", stdin=b"\n".join(lines))
    assert slipway.lines() == lines
    assert slipway.end() == "eof"
    assert all(len(request.lines) <= 200 for request in slipway.batches())
    assert not home.spool.exists()


def test_it_sends_what_the_protocol_asks_for(home: Home, slipway: Slipway) -> None:
    before = int(time.time() * 1000)
    home.run("opentofu", "--stack", "staging", "--dock", "aws-main", "--command", "tofu apply", stdin=terraform_line(0))
    for request in slipway.batches():
        assert request.path == "/api/v1/ingest/opentofu"
        assert request.headers["authorization"] == f"Bearer {TOKEN}"
        assert request.headers["content-type"] == "application/x-ndjson"
        assert request.query["stack"] == "staging"
        assert request.query["dock"] == "aws-main"
        assert request.query["command"] == "tofu apply"
        assert request.query["actor"] == "dana"
        assert before <= int(request.query["sent"]) <= int(time.time() * 1000)
    assert len({request.query["run"] for request in slipway.batches()}) == 1


def test_it_gives_every_invocation_its_own_key(home: Home, slipway: Slipway) -> None:
    for _ in range(2):
        home.run("terraform", stdin=terraform_line(0))
    assert len(slipway.runs) == 2


def test_it_sends_lines_while_the_tool_goes_on(home: Home, slipway: Slipway) -> None:
    process = home.start("terraform")
    assert process.stdin
    process.stdin.write(terraform_line(0) + b"\n")
    process.stdin.flush()
    until(lambda: any(slipway.runs.values()))
    assert not slipway.ends
    process.stdin.write(terraform_line(1) + b"\n")
    process.communicate(timeout=30)
    assert len(slipway.lines()) == 2


def test_it_counts_lines_that_are_no_events_but_keeps_them_here(home: Home, slipway: Slipway) -> None:
    ended = home.run("terraform", stdin=b"export KEY=sesame\n\n" + terraform_line(0) + b"\r\n[1]\n")
    assert ended.out == "export KEY=sesame\nmessage 0\n[1]\n"
    marker, line, other = slipway.lines()
    assert marker == b"# not JSON, 17 bytes, not sent"
    assert line == terraform_line(0)
    assert other.startswith(b"# not JSON")


def test_it_counts_a_line_that_is_too_long(home: Home, slipway: Slipway) -> None:
    ended = home.run("terraform", stdin=b'{"x":"' + b"a" * 3_000_000 + b'"}\n' + terraform_line(1))
    assert "a line of 3000008 bytes is not reported" in ended.err
    marker, line = slipway.lines()
    assert b"too long" in marker
    assert line == terraform_line(1)


def test_it_shows_errors_in_a_frame_with_their_place(home: Home) -> None:
    diagnostic = {
        "severity": "error",
        "summary": "no such image",
        "detail": "ami-1 does not exist",
        "address": "aws_instance.a",
        "range": {"filename": "main.tf", "start": {"line": 4, "column": 1, "byte": 1}},
        "snippet": {"context": 'resource "aws_instance" "a"', "code": '  ami = "ami-1"', "start_line": 4},
    }
    ended = home.run("terraform", stdin=terraform_line(0, type="diagnostic", diagnostic=diagnostic))
    assert "│ Error: no such image" in ended.out
    assert '│   on main.tf line 4, in resource "aws_instance" "a":' in ended.out
    assert "│ ami-1 does not exist" in ended.out


def test_it_shows_outputs_but_not_the_sensitive_ones(home: Home) -> None:
    outputs = {"url": {"sensitive": False, "value": "https://x"}, "key": {"sensitive": True, "value": "sesame"}}
    ended = home.run("terraform", stdin=terraform_line(0, type="outputs", outputs=outputs))
    assert 'url = "https://x"' in ended.out
    assert "key = <sensitive>" in ended.out
    assert "sesame" not in ended.out


def test_it_shows_pulumi_diagnostics_without_colour_marks(home: Home) -> None:
    event = {
        "sequence": 1,
        "timestamp": 1,
        "diagnosticEvent": {"severity": "error", "prefix": "<{%reset%}>error: <{%reset%}>", "message": "no\n"},
    }
    assert home.run("pulumi", stdin=json.dumps(event).encode()).out == "error: no\n"


def test_it_sends_a_heartbeat_while_the_tool_is_silent(home: Home, slipway: Slipway) -> None:
    process = home.start("terraform", script=with_limits(home, HEARTBEAT_SECONDS=0.4))
    try:
        until(lambda: sum(not request.body for request in slipway.batches()) >= 4)
        assert all("end" not in request.query for request in slipway.batches())
    finally:
        process.communicate(timeout=30)
    assert slipway.end() == "eof"


def test_it_sends_again_what_the_server_misses(home: Home, slipway: Slipway) -> None:
    forgotten: list[int] = []

    def forget_the_first_batch(request: Request) -> Answer | None:
        if request.body and not forgotten:
            forgotten.append(int(request.query["seq"]))
            body = json.dumps({"run": "run_1", "url": "/runs/run_1", "accepted": 9, "missing": []})
            return Answer(body=body.encode())
        return None

    slipway.play = forget_the_first_batch
    lines = terraform_lines(500)
    home.run("terraform", stdin=b"\n".join(lines))
    assert slipway.lines() == lines


def test_it_says_what_the_server_did_not_understand(home: Home, slipway: Slipway) -> None:
    def ignore(request: Request) -> Answer | None:
        told = json.loads(slipway.store(request))
        if request.body:
            told["ignored"] = [{"line": 0, "reason": "of a different tool"}]
        return Answer(body=json.dumps(told).encode())

    slipway.play = ignore
    ended = home.run("terraform", stdin=terraform_line(0))
    assert "1 lines were not understood by the server (first: line 0: of a different tool)" in ended.err


def test_it_takes_the_folder_for_the_stack_where_none_is_named(home: Home, slipway: Slipway) -> None:
    del home.environ["SLIPWAY_STACK"]
    home.run("terraform", stdin=terraform_line(0))
    assert slipway.batches()[0].query["stack"] == "infra"


def test_it_prints_a_share_link_when_asked(home: Home, slipway: Slipway) -> None:
    def share(request: Request) -> Answer | None:
        if request.path.endswith("/share-links"):
            return Answer(201, json.dumps({"url": f"{slipway.url}/s/abc"}).encode())
        return None

    slipway.play = share
    ended = home.run("terraform", "--share", "--share-expires", "3600", stdin=terraform_line(0))
    assert f"slipway: share link: {slipway.url}/s/abc\n" in ended.err
    (asked,) = [request for request in slipway.requests if request.path.endswith("/share-links")]
    assert asked.path == "/api/v1/runs/run_1/share-links"
    assert json.loads(asked.body) == {"expires_in": 3600, "fields": "status"}
    assert asked.headers["authorization"] == f"Bearer {TOKEN}"


def test_it_says_why_there_is_no_share_link_and_reports_all_the_same(home: Home, slipway: Slipway) -> None:
    slipway.play = lambda request: (
        problem(403, "This token lacks the scope `share`.") if request.path.endswith("/share-links") else None
    )
    ended = home.run("terraform", "--share", stdin=terraform_line(0))
    assert ended.code == 0
    assert ended.err.count("This token lacks the scope `share`.") == 1
    assert slipway.end() == "eof"
