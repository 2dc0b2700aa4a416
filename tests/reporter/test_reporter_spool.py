"""What cannot be sent lies on disk, bounded and private, until `flush` sends it."""

from __future__ import annotations

import os
import resource
import signal
import stat
from pathlib import Path

import pytest

from tests.reporter.stage import PATIENCE, Home, Slipway, problem, stop, terraform_lines, until, with_limits


@pytest.fixture
def away(home: Home, nobody: str, slipway: Slipway) -> Home:
    """A machine whose server is not there for the moment."""
    home.environ["SLIPWAY_URL"] = nobody
    return home


def come_back(home: Home, slipway: Slipway) -> None:
    """The server is there now, at the address the runs were recorded for."""
    for path in home.spooled():
        path.write_bytes(path.read_bytes().replace(home.environ["SLIPWAY_URL"].encode(), slipway.url.encode()))
    home.environ["SLIPWAY_URL"] = slipway.url


def test_it_is_private_to_the_user(away: Home) -> None:
    away.run("terraform", "--drain-seconds", "0", stdin=b"\n".join(terraform_lines(3)))
    (path,) = away.spooled()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_it_holds_no_token(away: Home) -> None:
    away.run("terraform", "--drain-seconds", "0", stdin=b"\n".join(terraform_lines(3)))
    (path,) = away.spooled()
    assert away.environ["SLIPWAY_TOKEN"].encode() not in path.read_bytes()


def test_it_survives_the_reporter(away: Home, slipway: Slipway) -> None:
    process = away.start("terraform")
    try:
        assert process.stdin
        process.stdin.write(b"\n".join(terraform_lines(700)) + b"\n")
        process.stdin.flush()
        until(lambda: away.spooled() and away.spooled()[0].read_bytes().count(b'"message ') == 700)
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=PATIENCE)
    finally:
        stop(process)
    come_back(away, slipway)
    assert away.run("flush").code == 0
    assert slipway.lines() == terraform_lines(700)
    # Nobody knows how the run went on, so no end is claimed.
    assert slipway.ends == {}
    assert away.spooled() == []


def test_a_record_that_a_crash_cut_short_ends_the_file(away: Home, slipway: Slipway) -> None:
    away.run("terraform", "--drain-seconds", "0", stdin=b"\n".join(terraform_lines(450)))
    (path,) = away.spooled()
    come_back(away, slipway)
    whole = path.read_bytes()
    for length in (len(whole) - 3, len(whole) - 30, len(whole) // 2, 40):
        slipway.runs.clear()
        path.write_bytes(whole[:length])
        ended = away.run("flush")
        if path.exists():  # not even the header is whole
            assert "cannot be read" in ended.err
            assert ended.code == 1
        else:
            stored = slipway.lines() if slipway.runs else []
            assert stored == terraform_lines(450)[: len(stored)]


def test_flush_keeps_what_is_refused_and_tells_why(away: Home, slipway: Slipway) -> None:
    away.run("terraform", "--drain-seconds", "0", stdin=b"\n".join(terraform_lines(450)))
    come_back(away, slipway)
    slipway.play = lambda request: problem(401, "No such token.") if len(slipway.requests) > 1 else None
    ended = away.run("flush")
    assert ended.code == 1
    assert "250 of 450 lines are still in" in ended.err
    assert "No such token." in ended.err
    slipway.play = lambda _: None
    before = len(slipway.requests)
    assert away.run("flush").code == 0
    assert slipway.lines() == terraform_lines(450)
    # What had been sent before was not sent again.
    assert [request.query["seq"] for request in slipway.requests[before:] if request.body] == ["200", "400"]


def test_flush_sends_each_run_under_its_own_stack(away: Home, slipway: Slipway) -> None:
    away.run("terraform", "--drain-seconds", "0", stdin=b"\n".join(terraform_lines(3)))
    come_back(away, slipway)
    # The next job, of another stack, sends what this one left.
    away.environ["SLIPWAY_STACK"] = "staging"
    assert away.run("flush").code == 0
    assert {request.query["stack"] for request in slipway.batches()} == {"prod"}


def test_flush_leaves_a_run_alone_that_still_goes_on(away: Home, slipway: Slipway) -> None:
    process = away.start("terraform")
    try:
        assert process.stdin
        process.stdin.write(b"\n".join(terraform_lines(3)) + b"\n")
        process.stdin.flush()
        until(lambda: away.spooled() and b"message 2" in away.spooled()[0].read_bytes())
        ended = away.run("flush")
        assert ended.code == 1
        assert "its run still goes on" in ended.err
        assert slipway.requests == []
    finally:
        stop(process)


def test_flush_shows_the_token_to_no_other_server(away: Home, slipway: Slipway) -> None:
    away.run("terraform", "--drain-seconds", "0", stdin=b"\n".join(terraform_lines(3)))
    recorded = away.environ["SLIPWAY_URL"]
    away.environ["SLIPWAY_URL"] = slipway.url
    ended = away.run("flush")
    assert ended.code == 1
    assert f"SLIPWAY_URL={recorded}" in ended.err
    assert slipway.requests == []
    assert len(away.spooled()) == 1


def test_flush_does_not_try_every_run_on_a_server_that_is_away(away: Home) -> None:
    for _ in range(3):
        away.run("terraform", "--drain-seconds", "0", stdin=terraform_lines(1)[0])
    ended = away.run("flush", "--drain-seconds", "0.5")
    assert ended.code == 1
    assert ended.err.count("lines are still in") == 1
    assert "3 runs wait in the spool" in ended.err


def test_flush_with_nothing_to_do_says_so(home: Home) -> None:
    ended = home.run("flush")
    assert (ended.code, ended.err) == (0, "slipway: nothing waits in the spool\n")


def test_flush_without_a_server_says_what_to_set(home: Home) -> None:
    del home.environ["SLIPWAY_URL"]
    ended = home.run("flush")
    assert ended.code == 2
    assert "SLIPWAY_URL is not set" in ended.err


def test_it_is_bounded_and_says_so_aloud(away: Home, slipway: Slipway) -> None:
    away.environ["SLIPWAY_SPOOL_LIMIT"] = "40000"
    away.environ["SLIPWAY_MEMORY_LIMIT"] = "60000"
    ended = away.run("terraform", "--drain-seconds", "0", stdin=b"\n".join(terraform_lines(5000)))
    assert ended.code == 0
    assert ended.out.count("message") == 5000
    assert "the limit of 39 KiB is reached" in ended.err
    assert "lines of this run are lost: memory was full" in ended.err
    assert sum(path.stat().st_size for path in away.spooled()) <= 40_000
    come_back(away, slipway)
    away.run("flush")
    (stored,) = slipway.runs.values()
    written = terraform_lines(5000)
    assert all(line == written[number] for number, line in stored.items())
    assert stored


def test_a_full_disk_is_said_and_holds_up_nothing(away: Home) -> None:
    def small_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    ended = away.run(
        "terraform", "--drain-seconds", "0", stdin=b"\n".join(terraform_lines(3000)), preexec_fn=small_files
    )
    assert ended.code == 0
    assert ended.out.count("message") == 3000
    assert "lines cannot be kept on disk: File too large" in ended.err
    assert "could be neither sent" in ended.err


def test_a_full_disk_loses_nothing_while_the_server_answers(home: Home, slipway: Slipway) -> None:
    def no_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))

    ended = home.run("terraform", stdin=b"\n".join(terraform_lines(3000)), preexec_fn=no_files)
    assert ended.code == 0
    assert slipway.lines() == terraform_lines(3000)


def test_a_read_only_home_leads_to_the_temporary_folder(away: Home, slipway: Slipway) -> None:
    del away.environ["SLIPWAY_SPOOL"]
    home = Path(away.environ["HOME"])
    # Root may write anywhere, so a file in the way stands for a home that is read-only.
    (home / ".local").write_text("")
    ended = away.run("terraform", "--drain-seconds", "0", stdin=b"\n".join(terraform_lines(3)))
    place = Path(away.environ["TMPDIR"]) / f"slipway-{os.getuid()}"
    assert str(place) in ended.err
    away.environ["SLIPWAY_SPOOL"] = str(place)
    assert len(away.spooled()) == 1
    come_back(away, slipway)
    del away.environ["SLIPWAY_SPOOL"]
    assert away.run("flush").code == 0
    assert slipway.lines() == terraform_lines(3)


def test_nowhere_to_write_is_said_and_holds_up_nothing(away: Home, tmp_path: Path) -> None:
    for name in ("HOME", "SLIPWAY_SPOOL"):
        blocked = tmp_path / f"blocked-{name}"
        blocked.write_text("")
        away.environ[name] = str(blocked)
    away.environ["TMPDIR"] = str(tmp_path / "tmp")
    (tmp_path / "tmp" / f"slipway-{os.getuid()}").write_text("")
    ended = away.run("terraform", "--drain-seconds", "0", stdin=b"\n".join(terraform_lines(3)))
    assert ended.code == 0
    assert ended.out.count("message") == 3
    assert "no folder for the spool can be written" in ended.err


def test_anothers_folder_in_the_temporary_place_is_not_used(away: Home, tmp_path: Path) -> None:
    del away.environ["SLIPWAY_SPOOL"]
    (Path(away.environ["HOME"]) / ".local").write_text("")
    trap = tmp_path / "trap"
    trap.mkdir()
    (Path(away.environ["TMPDIR"]) / f"slipway-{os.getuid()}").symlink_to(trap)
    ended = away.run("terraform", "--drain-seconds", "0", stdin=b"\n".join(terraform_lines(3)))
    assert ended.code == 0
    assert list(trap.iterdir()) == []


def test_long_trouble_stays_out_of_memory(away: Home, slipway: Slipway) -> None:
    # Twelve megabytes of lines and room for three: they must be written away as they come.
    away.environ["SLIPWAY_MEMORY_LIMIT"] = str(3_000_000)
    process = away.start("terraform", script=with_limits(away, MEMORY_SOFT_BYTES=100_000))
    try:
        assert process.stdin
        big = [line.replace(b'"message', b'"' + b"m" * 4000) for line in terraform_lines(3000)]
        for first in range(0, 3000, 300):
            process.stdin.write(b"\n".join(big[first : first + 300]) + b"\n")
            process.stdin.flush()
            held = first + 200
            until(lambda held=held: away.spooled() and away.spooled()[0].stat().st_size > held * 4000)  # type: ignore[misc]
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=PATIENCE)
    finally:
        stop(process)
    come_back(away, slipway)
    assert away.run("flush").code == 0
    assert slipway.lines() == big
