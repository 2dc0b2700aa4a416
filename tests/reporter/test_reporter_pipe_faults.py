"""The pipe when the server does not behave: the tool never notices, and nothing is lost."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.reporter.stage import (
    PATIENCE,
    Answer,
    Home,
    Play,
    Request,
    Slipway,
    problem,
    terraform_lines,
    until,
)

LINES = terraform_lines(900)


def pipe_from_a_producer(
    home: Home, *arguments: str, lines: int = 900
) -> tuple[int, subprocess.CompletedProcess[bytes]]:
    """`producer | reporter` as a shell makes it: the producer's exit code (-13: killed by SIGPIPE) and the reporter."""
    source = home.folder / "lines.jsonl"
    source.write_bytes(b"\n".join(terraform_lines(lines)) + b"\n")
    # Like Terraform, the producer dies at once when nobody reads any more.
    body = (
        "import signal, sys, time\nsignal.signal(signal.SIGPIPE, signal.SIG_DFL)\n"
        "for line in open(sys.argv[1], 'rb'):\n    sys.stdout.buffer.write(line); sys.stdout.buffer.flush()\n"
        "time.sleep(0.3)\nsys.stdout.buffer.write(line); sys.stdout.buffer.flush()\n"
    )
    producer = subprocess.Popen([sys.executable, "-c", body, str(source)], stdout=subprocess.PIPE)
    reporter = home.start("terraform", *arguments, stdin=producer.stdout)
    assert producer.stdout
    producer.stdout.close()
    out, err = reporter.communicate(timeout=PATIENCE)
    code = producer.wait(PATIENCE)
    return code, subprocess.CompletedProcess([], reporter.returncode, out, err)


BAD: dict[str, Play] = {
    "401": lambda _: problem(401, "This token is not known."),
    "403": lambda _: problem(403, "This token lacks the scope `ingest`."),
    "404": lambda _: problem(404, "Not Found"),
    "422": lambda _: problem(422, "The stack's name is too long."),
    "redirects": lambda _: Answer(301, headers={"Location": "http://elsewhere.invalid/x"}),
    "500": lambda _: Answer(500, b"<h1>Oh no</h1>"),
    "nonsense": lambda _: Answer(200, b"<html>Sign in to the hotel's network</html>"),
    "foreign JSON": lambda _: Answer(200, b'["not", "ours"]'),
    "no HTTP": lambda _: Answer(raw=b"HELLO WORLD\r\n\r\n"),
    "an endless header": lambda _: Answer(raw=b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000),
    "cuts": lambda _: Answer(cut=True),
    "hangs": lambda _: Answer(hang=True),
    "unreasonable Retry-After": lambda _: problem(503, "later", **{"Retry-After": "99999999999999999999"}),
}


@pytest.mark.parametrize("fault", list(BAD))
def test_the_tool_never_notices_a_server_that(fault: str, home: Home, slipway: Slipway) -> None:
    slipway.play = BAD[fault]
    code, reporter = pipe_from_a_producer(home, "--drain-seconds", "0.5")
    assert code == 0
    assert reporter.returncode == 0
    assert reporter.stdout.decode().splitlines() == [f"message {n}" for n in [*range(900), 899]]
    # Everything lies in the spool, and arrives once the server is well again.
    assert "slipway_reporter.py flush" in reporter.stderr.decode()
    slipway.play = lambda _: None
    flushed = home.run("flush")
    assert flushed.code == 0, flushed.err
    assert slipway.lines() == [*LINES, LINES[-1]]
    assert slipway.end() == "eof"
    assert home.spooled() == []


def test_the_tool_never_notices_a_server_that_is_not_there(home: Home, nobody: str, slipway: Slipway) -> None:
    home.environ["SLIPWAY_URL"] = nobody
    code, reporter = pipe_from_a_producer(home, "--drain-seconds", "0.5")
    assert (code, reporter.returncode) == (0, 0)
    assert len(reporter.stdout.splitlines()) == 901
    assert b"the server does not answer" in reporter.stderr
    assert len(home.spooled()) == 1


@pytest.mark.parametrize(
    ("status", "remedy"), [(401, "SLIPWAY_TOKEN"), (403, "scope"), (404, "SLIPWAY_URL"), (422, "Correct")]
)
def test_a_refusal_is_said_once_with_its_remedy(status: int, remedy: str, home: Home, slipway: Slipway) -> None:
    slipway.play = lambda _: problem(status, "The server's own sentence.")
    ended = home.run("terraform", stdin=b"\n".join(terraform_lines(500)))
    complaints = [line for line in ended.err.splitlines() if "server refuses" in line and "kept in" not in line]
    assert len(complaints) == 1
    assert "The server's own sentence." in complaints[0]
    assert remedy in complaints[0]
    assert len(slipway.batches()) == 1


def test_a_batch_too_large_is_split_until_it_fits(home: Home, slipway: Slipway) -> None:
    slipway.play = lambda request: problem(413, "Too large.") if len(request.lines) > 7 else None
    home.run("terraform", stdin=b"\n".join(terraform_lines(300)))
    assert slipway.lines() == terraform_lines(300)
    assert slipway.end() == "eof"


def test_a_line_too_large_for_the_server_leaves_its_place(home: Home, slipway: Slipway) -> None:
    slipway.play = lambda request: problem(413, "Too large.") if b"message 5" in request.body else None
    home.run("terraform", stdin=b"\n".join(terraform_lines(20)))
    lines = slipway.lines()
    assert b"refused as too large" in lines[5]
    assert lines[:5] + lines[6:] == [line for n, line in enumerate(terraform_lines(20)) if n != 5]


def test_a_retry_after_is_obeyed(home: Home, slipway: Slipway) -> None:
    slipway.play = lambda _: problem(429, "Slowly.", **{"Retry-After": "2"}) if len(slipway.requests) == 1 else None
    clock: list[float] = []
    original = slipway.play

    def timed(request: Request) -> Answer | None:
        clock.append(time.monotonic())
        return original(request)

    slipway.play = timed
    home.run("terraform", stdin=b"\n".join(terraform_lines(3)))
    assert clock[1] - clock[0] >= 2.0
    assert slipway.lines() == terraform_lines(3)


def test_answers_that_get_lost_double_nothing(home: Home, slipway: Slipway) -> None:
    count = iter(range(1000))
    slipway.play = lambda _: Answer(cut=True, stores=True) if next(count) % 2 else None
    home.run("terraform", "--drain-seconds", "20", stdin=b"\n".join(terraform_lines(450)))
    assert slipway.lines() == terraform_lines(450)
    assert slipway.end() == "eof"


def test_a_server_that_dies_and_comes_back_gets_everything(home: Home, slipway: Slipway) -> None:
    dead = threading.Event()
    slipway.play = lambda _: Answer(cut=True) if dead.is_set() else None
    process = home.start("terraform")
    assert process.stdin
    process.stdin.write(b"\n".join(terraform_lines(900)[:400]) + b"\n")
    process.stdin.flush()
    until(lambda: slipway.runs and len(slipway.lines()) == 400)
    dead.set()
    process.stdin.write(b"\n".join(terraform_lines(900)[400:]) + b"\n")
    process.stdin.flush()
    until(home.spooled)
    dead.clear()
    _, err = process.communicate(timeout=PATIENCE)
    assert slipway.lines() == terraform_lines(900)
    assert b"the server answers again" in err
    assert home.spooled() == []


def test_it_sends_the_token_to_no_redirect(home: Home, slipway: Slipway) -> None:
    other = Slipway()
    try:
        slipway.play = lambda request: Answer(307, headers={"Location": other.url + request.path})
        ended = home.run("terraform", stdin=b"\n".join(terraform_lines(3)))
        assert other.requests == []
        assert f"redirects to {other.url}" in ended.err
    finally:
        other.close()


@pytest.mark.parametrize("gone", ["SLIPWAY_URL", "SLIPWAY_TOKEN"])
def test_a_missing_setting_keeps_the_lines_for_later(gone: str, home: Home, slipway: Slipway) -> None:
    kept = home.environ.pop(gone)
    ended = home.run("terraform", stdin=b"\n".join(terraform_lines(3)))
    assert ended.code == 0
    assert ended.out.count("message") == 3
    assert f"{gone} is not set" in ended.err
    home.environ[gone] = kept
    assert home.run("flush").code == 0
    assert slipway.lines() == terraform_lines(3)


def test_a_wrong_flag_does_not_kill_the_tool(home: Home, slipway: Slipway) -> None:
    ended = home.run("terraform", "--stacck", "prod", stdin=b"\n".join(terraform_lines(5000)))
    assert ended.code == 0
    assert ended.out.count("message") == 5000
    assert "--stacck" in ended.err
    assert slipway.requests == []


def test_strict_ends_with_one_when_something_is_left(home: Home, nobody: str) -> None:
    home.environ["SLIPWAY_URL"] = nobody
    assert home.run("terraform", "--strict", "--drain-seconds", "0", stdin=terraform_lines(1)[0]).code == 1


def test_fault_of_the_reporter_itself_does_not_kill_the_tool(home: Home, slipway: Slipway) -> None:
    script = home.folder / "broken.py"
    script.write_text(
        f"import sys\nsys.path.insert(0, {str(Path(__file__).parents[2] / 'reporter')!r})\nimport slipway_reporter\n"
        "def broken(*_):\n    raise MemoryError('no more')\n"
        "slipway_reporter.Report.start = broken\nslipway_reporter.run()\n"
    )
    ended = home.run("terraform", script=[str(script)], stdin=b"\n".join(terraform_lines(5000)))
    assert ended.code == 0
    assert ended.out.count("message") == 5000
    assert "fault of the reporter" in ended.err
