"""The pipe when the terminal does not behave: closed, gone or stopped, it holds up nobody."""

from __future__ import annotations

import os
import signal
import subprocess

import pytest

from tests.reporter.stage import PATIENCE, REPORTER, Home, Slipway, stop, terraform_lines, until, with_limits

MANY = 20_000
"""Lines whose messages fill a pipe and the reporter's own bound for messages."""


@pytest.mark.parametrize("closed", ["1", "2", "1 2", "0"])
def test_it_survives_standard_streams_that_are_closed_from_the_start(closed: str, home: Home, slipway: Slipway) -> None:
    closing = "".join(f"os.close({number});" for number in closed.split())
    start = f"import os,sys;{closing}os.execv(sys.executable,[sys.executable,*sys.argv[1:]])"
    ended = home.run("terraform", script=["-c", start, str(REPORTER)], stdin=b"\n".join(terraform_lines(300)))
    assert ended.code == 0
    if closed != "0":
        assert slipway.lines() == terraform_lines(300)
    assert slipway.end() == "eof"


def test_it_reads_on_when_nobody_reads_its_output_any_more(home: Home, slipway: Slipway) -> None:
    process = home.start("terraform")
    assert process.stdin and process.stdout and process.stderr
    process.stdin.write(terraform_lines(1)[0] + b"\n")
    process.stdin.flush()
    process.stdout.readline()
    process.stdout.close()
    process.stderr.close()
    process.stdin.write(b"\n".join(terraform_lines(5000)[1:]))
    process.stdin.close()
    assert process.wait(PATIENCE) == 0
    assert slipway.lines() == terraform_lines(5000)


def test_it_reads_on_while_the_terminal_is_stopped(home: Home, slipway: Slipway) -> None:
    # The pipes to us are never read: like Ctrl-S on a terminal, once they are full every write to them waits.
    process = home.start("terraform", script=with_limits(home, TERMINAL_BYTES=100_000))
    try:
        assert process.stdin and process.stderr and process.stdout
        process.stdin.write(b"\n".join(terraform_lines(MANY)) + b"\n")
        process.stdin.flush()
        until(lambda: slipway.runs and len(next(iter(slipway.runs.values()))) == MANY)
        # Now it is read again: what did not fit is told.
        shown = os.read(process.stdout.fileno(), 1 << 20)
        process.stdin.write(terraform_lines(1)[0] + b"\n")
        out, _ = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0
        assert len((shown + out).splitlines()) < MANY
        assert slipway.end() == "eof"
    finally:
        stop(process)


def test_it_ends_although_the_terminal_stays_stopped(home: Home, slipway: Slipway) -> None:
    process = home.start("terraform", script=with_limits(home, TERMINAL_BYTES=100_000))
    try:
        assert process.stdin
        process.stdin.write(b"\n".join(terraform_lines(MANY)))
        process.stdin.close()
        assert process.wait(PATIENCE) == 0
        assert len(slipway.lines()) == MANY
    finally:
        stop(process)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_does_not_end_it_before_the_tool(number: signal.Signals, home: Home, slipway: Slipway) -> None:
    process = home.start("terraform")
    try:
        assert process.stdin
        process.stdin.write(terraform_lines(1)[0] + b"\n")
        process.stdin.flush()
        until(lambda: any(slipway.runs.values()))
        process.send_signal(number)
        # Terraform's last words come after the interrupt.
        process.stdin.write(b"\n".join(terraform_lines(300)[1:]))
        process.communicate(timeout=PATIENCE)
        assert process.returncode == 0
        assert slipway.lines() == terraform_lines(300)
        assert slipway.end() == "eof"
    finally:
        stop(process)


def test_a_signal_shortens_the_time_for_delivery(home: Home, nobody: str) -> None:
    home.environ["SLIPWAY_URL"] = nobody
    process = home.start("terraform", "--drain-seconds", "3600")
    try:
        assert process.stdin
        process.stdin.write(terraform_lines(1)[0] + b"\n")
        process.stdin.close()
        until(home.spooled)
        # Not SIGINT: whoever starts the tests in the background has it ignored, and then so does the reporter.
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
    finally:
        stop(process)


def test_it_reads_from_no_terminal(home: Home, slipway: Slipway) -> None:
    ours, theirs = os.openpty()
    try:
        process = home.start("terraform", stdin=theirs, stdout=subprocess.DEVNULL)
        _, err = process.communicate(timeout=PATIENCE)
        assert process.returncode == 2
        assert b"terraform apply -json -auto-approve |" in err
        assert slipway.requests == []
    finally:
        os.close(ours)
        os.close(theirs)


def test_its_colours_are_for_terminals_only(home: Home) -> None:
    line = terraform_lines(1)[0].replace(b"apply_progress", b"change_summary")
    assert "\033[" not in home.run("terraform", stdin=line).out
    ours, theirs = os.openpty()
    try:
        process = home.start("terraform", stdout=theirs)
        process.communicate(line, PATIENCE)
        assert b"\033[32m" in os.read(ours, 4096)
    finally:
        os.close(ours)
        os.close(theirs)
