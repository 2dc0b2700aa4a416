"""`watch -- COMMAND`: the command runs as it would alone. Pulumi, SST and OpenTofu are stand-ins that write the
recorded event logs as the real ones do."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.reporter.stage import (
    PATIENCE,
    REPORTER,
    SAMPLES,
    Answer,
    Home,
    Screen,
    Slipway,
    problem,
    stand_in,
    stop,
    until,
    with_limits,
)

PLAIN = "import sys, os, signal, time\n"


@pytest.fixture
def tools(home: Home, tmp_path: Path) -> Path:
    """A folder of stand-in commands that comes first on the PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    home.environ["PATH"] = f"{folder}:{home.environ['PATH']}"
    return folder


def write_events(file: str, sample: str) -> str:
    """Python that writes a recorded log into the file named by an expression, an event at a time, in halves."""
    return (
        f"log = open({file}, 'wb', buffering=0)\n"
        f"for line in open({str(SAMPLES / sample)!r}, 'rb'):\n"
        "    log.write(line[:50]); time.sleep(0.005); log.write(line[50:])\n"
    )


def recorded(*samples: str) -> list[dict[str, object]]:
    return [json.loads(line) for sample in samples for line in (SAMPLES / sample).read_bytes().splitlines()]


def names_of(lines: list[bytes]) -> list[tuple[object, ...]]:
    """What tells events apart: their sequence and kind."""
    return names_of_events([json.loads(line) for line in lines])


def names_of_events(events: list[dict[str, object]]) -> list[tuple[object, ...]]:
    return [(*tuple(event), event["sequence"]) for event in events]


@pytest.mark.parametrize("code", [0, 1, 2, 77])
def test_the_exit_code_is_the_commands(code: int, home: Home, slipway: Slipway, tools: Path) -> None:
    stand_in(tools, "sst", PLAIN + f"sys.exit({code})")
    assert home.run("watch", "--", "sst", "deploy").code == code
    assert slipway.end() == str(code)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM])
def test_a_command_killed_by_a_signal_is_told_as_such(
    number: signal.Signals, home: Home, slipway: Slipway, tools: Path
) -> None:
    stand_in(tools, "sst", PLAIN + f"os.kill(os.getpid(), {int(number)})")
    ended = home.run("watch", "--", "sst", "deploy")
    assert ended.code in (-number, 128 + number)
    assert slipway.end() == str(128 + number)


def test_a_command_that_is_not_there_ends_with_127(home: Home, slipway: Slipway) -> None:
    home.environ["PATH"] = "/nowhere"
    ended = home.run("watch", "--", "sst", "deploy")
    assert ended.code == 127
    assert "sst: No such file or directory" in ended.err
    assert slipway.end() == "127"


def test_a_signal_to_us_reaches_the_command_exactly_once(home: Home, slipway: Slipway, tools: Path) -> None:
    stand_in(
        tools,
        "sst",
        PLAIN
        + "caught = []\nsignal.signal(signal.SIGINT, lambda *_: caught.append(1))\nprint('ready', flush=True)\n"
        + "while not caught: time.sleep(0.02)\n"
        + "time.sleep(0.5)\nprint('caught', len(caught), flush=True)\nsys.exit(3)",
    )
    process = home.start("watch", "--", "sst", "deploy")
    try:
        assert process.stdout
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=PATIENCE)
        assert out == b"caught 1\n"
        assert process.returncode == 3
        assert slipway.end() == "3"
    finally:
        stop(process)


def test_the_command_has_the_terminal(home: Home, slipway: Slipway, tools: Path) -> None:
    stand_in(
        tools,
        "pulumi",
        PLAIN + "print('tty', [os.isatty(n) for n in (0, 1, 2)], tuple(os.get_terminal_size()), flush=True)\n"
        "print('name?', flush=True)\nprint('hello', input(), flush=True)",
    )
    screen = Screen(home, "watch", "--", "pulumi", "up")
    try:
        screen.read_until(b"name?")
        os.write(screen.keyboard, b"dana\n")
        assert screen.finish() == 0
        assert b"tty [True, True, True] (100, 40)" in screen.shown
        assert b"hello dana" in screen.shown
        assert screen.shown.startswith(b"slipway: this run, live: ")
        assert slipway.end() == "0"
    finally:
        screen.close()


def test_ctrl_c_reaches_the_command_exactly_once(home: Home, slipway: Slipway, tools: Path) -> None:
    stand_in(
        tools,
        "pulumi",
        PLAIN
        + "caught = []\nsignal.signal(signal.SIGINT, lambda *_: caught.append(1))\nprint('ready', flush=True)\n"
        + "while not caught: time.sleep(0.02)\n"
        + "time.sleep(0.5)\nprint('caught', len(caught), flush=True)\nsys.exit(1)",
    )
    screen = Screen(home, "watch", "--", "pulumi", "up")
    try:
        screen.read_until(b"ready")
        os.write(screen.keyboard, b"\x03")
        assert screen.finish() == 1
        assert b"caught 1" in screen.shown
        assert slipway.end() == "1"
    finally:
        screen.close()


def test_ctrl_z_and_fg_stop_and_continue_both(home: Home, slipway: Slipway, tools: Path) -> None:
    stand_in(tools, "pulumi", PLAIN + "print('ready', flush=True)\nprint('hello', input(), flush=True)")
    screen = Screen(home, "watch", "--", "pulumi", "up")
    try:
        screen.read_until(b"ready")
        os.write(screen.keyboard, b"\x1a")
        until(lambda: Path(f"/proc/{screen.process.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T")
        os.kill(screen.process.pid, signal.SIGCONT)
        os.write(screen.keyboard, b"dana\n")
        assert screen.finish() == 0
        assert b"hello dana" in screen.shown
        assert slipway.end() == "0"
    finally:
        screen.close()


BAD = {
    "refuses the token": lambda _: problem(401, "No."),
    "hangs": lambda _: Answer(hang=True),
    "talks nonsense": lambda _: Answer(200, b"?"),
}


@pytest.mark.parametrize("fault", list(BAD))
def test_the_command_never_notices_a_server_that(fault: str, home: Home, slipway: Slipway, tools: Path) -> None:
    slipway.play = BAD[fault]
    stand_in(tools, "sst", PLAIN + "print(sys.stdin.read()); sys.exit(5)")
    ended = home.run("watch", "--drain-seconds", "0.3", "--", "sst", "deploy", stdin=b"typed")
    assert (ended.code, ended.out) == (5, "typed\n")
    slipway.play = lambda _: None
    assert home.run("flush").code == 0
    assert slipway.end() == "5"


def test_without_settings_the_command_runs_all_the_same(home: Home, slipway: Slipway, tools: Path) -> None:
    del home.environ["SLIPWAY_URL"]
    stand_in(tools, "sst", PLAIN + "print('deployed'); sys.exit(4)")
    ended = home.run("watch", "--drain-seconds", "0", "--", "sst", "deploy")
    assert (ended.code, ended.out) == (4, "deployed\n")
    assert "SLIPWAY_URL is not set" in ended.err


@pytest.mark.parametrize("tool", ["pulumi", "sst"])
def test_a_fault_of_the_reporter_does_not_stop_the_command(
    tool: str, home: Home, slipway: Slipway, tools: Path, tmp_path: Path
) -> None:
    # No folder for an event log, nor a thread to follow one with.
    script = tmp_path / "broken.py"
    script.write_text(
        f"import sys\nsys.path.insert(0, {str(REPORTER.parent)!r})\nimport slipway_reporter\n"
        "def broken(*_):\n    raise RuntimeError('no more threads')\n"
        "slipway_reporter.Follower.__init__ = broken\nslipway_reporter.run()\n"
    )
    stand_in(tools, tool, PLAIN + "print('deployed'); sys.exit(4)")
    ended = home.run("watch", "--", tool, "refresh", script=[str(script)])
    assert (ended.code, ended.out) == (4, "deployed\n")
    assert "fault of the reporter" in ended.err
    assert slipway.end() == "4"


def test_an_unknown_command_is_not_run(home: Home, slipway: Slipway, tools: Path) -> None:
    stand_in(tools, "make", "open('ran', 'w')")
    ended = home.run("watch", "--", "make", "deploy")
    assert ended.code == 2
    assert "Nothing was run" in ended.err
    assert not (home.folder / "ran").exists()


def test_a_wrapper_is_watched_when_its_tool_is_named(home: Home, slipway: Slipway, tools: Path) -> None:
    stand_in(tools, "deploy-it", PLAIN + "print(sys.argv[1:])")
    ended = home.run("watch", "--tool", "sst", "--", "deploy-it", "deploy", "--stage", "dev")
    assert ended.out == "['deploy', '--stage', 'dev']\n"
    assert slipway.batches()[0].path.endswith("/sst")


def test_a_subcommand_that_provisions_nothing_runs_unreported(home: Home, slipway: Slipway, tools: Path) -> None:
    stand_in(tools, "terraform", PLAIN + "print(sys.argv[1:]); sys.exit(6)")
    ended = home.run("watch", "--", "terraform", "-chdir=prod", "output", "apply")
    assert (ended.code, ended.out) == (6, "['-chdir=prod', 'output', 'apply']\n")
    assert slipway.requests == []


def test_pulumi_is_followed_by_its_event_log(home: Home, slipway: Slipway, tools: Path) -> None:
    stand_in(
        tools,
        "pulumi",
        PLAIN
        + "assert os.environ['PULUMI_DEBUG_COMMANDS'] == 'true'\n"
        + "at = sys.argv.index('--event-log')\nprint(sys.argv[1:at] + sys.argv[at + 2:])\n"
        + write_events("sys.argv[at + 1]", "pulumi-up.jsonl"),
    )
    del home.environ["SLIPWAY_STACK"]
    ended = home.run("watch", "--", "pulumi", "-C", "app", "up", "--yes", "--stack", "dev")
    assert ended.out == "['-C', 'app', 'up', '--yes', '--stack', 'dev']\n"
    assert names_of(slipway.lines()) == names_of_events(recorded("pulumi-up.jsonl"))
    assert slipway.batches()[0].query["stack"] == "dev"
    assert slipway.batches()[0].query["command"] == "pulumi up"
    assert list(Path(home.environ["TMPDIR"]).iterdir()) == []


def test_pulumis_log_begun_anew_after_the_preview_is_read_from_its_start(
    home: Home, slipway: Slipway, tools: Path
) -> None:
    stand_in(
        tools,
        "pulumi",
        PLAIN
        + "at = sys.argv.index('--event-log')\n"
        + write_events("sys.argv[at + 1]", "pulumi-failed.jsonl")
        + "time.sleep(0.4)\n"
        + write_events("sys.argv[at + 1]", "pulumi-up-2.jsonl")  # opened with "w": truncated
        + "sys.exit(1)",
    )
    assert home.run("watch", "--", "pulumi", "up").code == 1
    expected = recorded("pulumi-failed.jsonl", "pulumi-up-2.jsonl")
    assert names_of(slipway.lines()) == names_of_events(expected)


def test_ssts_log_is_read_to_its_end_although_it_is_deleted(home: Home, slipway: Slipway, tools: Path) -> None:
    old = home.folder / ".sst" / "pulumi" / "ffffffffffffaaaaaaaaaaaa" / "eventlog.json"
    old.parent.mkdir(parents=True)
    old.write_bytes((SAMPLES / "pulumi-failed.jsonl").read_bytes())
    (home.folder / "sst.config.ts").write_text("")
    below = home.folder / "packages" / "web"
    below.mkdir(parents=True)
    stand_in(
        tools,
        "sst",
        PLAIN
        + "import shutil\nfolder = '../../.sst/pulumi/00000000aaaaaaaaaaaaaaaa'\nos.makedirs(folder)\n"
        + write_events("folder + '/eventlog.json'", "pulumi-up.jsonl")
        + "time.sleep(0.1)\n"
        # The last event comes after the name is gone, without a line end.
        + 'shutil.rmtree(folder)\nlog.write(b\'{"sequence":999,"cancelEvent":{}}\')\n',
    )
    home.run("watch", "--", "sst", "deploy", "--stage", "prod", cwd=below)
    lines = slipway.lines()
    assert names_of(lines[:-1]) == names_of_events(recorded("pulumi-up.jsonl"))
    assert json.loads(lines[-1]) == {"sequence": 999, "cancelEvent": {}}
    assert slipway.batches()[0].path.endswith("/sst")
    assert slipway.end() == "0"


def test_opentofu_is_left_as_it_is_where_it_can_write_its_events_beside(
    home: Home, slipway: Slipway, tools: Path
) -> None:
    events = [json.dumps({"type": "apply_start", "@message": f"m {n}"}) for n in range(3)]
    stand_in(
        tools,
        "tofu",
        PLAIN
        + "if '-help' in sys.argv: print('  -json-into=out.json  Produce ...'); sys.exit()\n"
        + "(into,) = [word for word in sys.argv if word.startswith('-json-into=')]\n"
        + f"open(into.partition('=')[2], 'w').write({chr(10).join(events)!r})\n"
        + "print(input('approve? '), [word for word in sys.argv[1:] if word != into])",
    )
    ended = home.run("watch", "--", "tofu", "apply", stdin=b"yes\n")
    assert ended.out == "approve? yes ['apply']\n"
    assert slipway.lines() == [event.encode() for event in events]
    assert slipway.batches()[0].path.endswith("/opentofu")


def test_an_older_opentofu_is_asked_for_json(home: Home, slipway: Slipway, tools: Path) -> None:
    stand_in(
        tools,
        "tofu",
        PLAIN + "if '-help' in sys.argv: sys.exit()\nassert '-json' in sys.argv\n"
        'print(\'{"type":"apply_start","@message":"creating"}\')',
    )
    ended = home.run("watch", "--", "tofu", "apply", "-auto-approve")
    assert ended.out == "creating\n"
    assert len(slipway.lines()) == 1


def test_a_process_that_is_left_behind_holds_up_nothing(home: Home, slipway: Slipway, tools: Path) -> None:
    stand_in(tools, "terraform", PLAIN + "os.fork() or (time.sleep(20), os._exit(0))\nprint('done')")
    quiet, soon = subprocess.DEVNULL, with_limits(home, LEFT_BEHIND_SECONDS=0.3)
    arguments = ("watch", "--", "terraform", "apply", "-auto-approve")
    process = home.start(*arguments, script=soon, stdout=quiet, stderr=quiet)
    try:
        assert process.wait(PATIENCE) == 0
    finally:
        stop(process)
    assert slipway.end() == "0"
