"""Real Terraform through the reporter, piped and watched."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.reporter.stage import PATIENCE, Ended, Home, Screen, Slipway, stop, until

pytestmark = pytest.mark.terraform

CONFIGURATION = """
variable "greeting" {
  default = "hello"
}
resource "terraform_data" "network" {
  input = var.greeting
}
resource "terraform_data" "app" {
  for_each   = toset(["a", "b"])
  input      = each.key
  depends_on = [terraform_data.network]
}
output "greeting" {
  value = terraform_data.network.output
}
"""
FAILING = """
resource "terraform_data" "broken" {
  provisioner "local-exec" {
    command = "echo no room left; exit 3"
  }
}
resource "terraform_data" "behind" {
  depends_on = [terraform_data.broken]
}
"""


@pytest.fixture
def project(home: Home, terraform: Path) -> Home:
    """A machine with Terraform and an initialised configuration."""
    home.environ["PATH"] = f"{terraform}:{home.environ['PATH']}"
    (home.folder / "main.tf").write_text(CONFIGURATION)
    terraform_command(home, "init", "-input=false")
    return home


def terraform_command(home: Home, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["terraform", *arguments], cwd=home.folder, env=home.environ, check=True, capture_output=True, text=True
    )


def in_state(home: Home) -> list[str]:
    return terraform_command(home, "state", "list").stdout.split()


def types(slipway: Slipway) -> list[str]:
    return [json.loads(line)["type"] for line in slipway.lines()]


def piped(home: Home, *arguments: str) -> tuple[int, Ended]:
    """`terraform apply -json | reporter`, as a shell makes it: Terraform's exit code and the reporter."""
    tool = subprocess.Popen(
        ["terraform", "apply", "-json", "-auto-approve"], cwd=home.folder, env=home.environ, stdout=subprocess.PIPE
    )
    reporter = home.start("terraform", *arguments, stdin=tool.stdout)
    assert tool.stdout
    tool.stdout.close()
    out, err = reporter.communicate(timeout=PATIENCE)
    return tool.wait(PATIENCE), Ended(reporter.returncode, out.decode(), err.decode())


def test_a_piped_apply_is_reported_and_shown(project: Home, slipway: Slipway) -> None:
    code, reporter = piped(project)
    assert (code, reporter.code) == (0, 0)
    assert "Apply complete! Resources: 3 added, 0 changed, 0 destroyed." in reporter.out
    assert 'greeting = "hello"' in reporter.out
    assert types(slipway).count("apply_complete") == 3
    assert types(slipway)[-2:] == ["change_summary", "outputs"]
    assert slipway.end() == "eof"


def test_a_piped_apply_survives_a_server_that_is_not_there(project: Home, nobody: str) -> None:
    project.environ["SLIPWAY_URL"] = nobody
    code, reporter = piped(project, "--drain-seconds", "0")
    assert (code, reporter.code) == (0, 0)
    assert len(in_state(project)) == 3


def test_a_watched_apply_is_reported_and_shown(project: Home, slipway: Slipway) -> None:
    ended = project.run("watch", "--", "terraform", "apply", "-auto-approve", "-var", "greeting=good day")
    assert ended.code == 0, ended.err
    assert "Apply complete! Resources: 3 added" in ended.out
    assert '{"' not in ended.out
    assert types(slipway).count("apply_complete") == 3
    assert slipway.end() == "0"
    assert slipway.batches()[0].query["command"] == "terraform apply"


def test_a_watched_failure_keeps_its_exit_code_and_shows_the_error(project: Home, slipway: Slipway) -> None:
    (project.folder / "broken.tf").write_text(FAILING)
    ended = project.run("watch", "--", "terraform", "apply", "-auto-approve")
    assert ended.code == 1
    assert "│ Error: local-exec provisioner error" in ended.out
    assert "│   with terraform_data.broken," in ended.out
    assert slipway.end() == "1"
    diagnostics = [json.loads(line) for line in slipway.lines() if b'"diagnostic"' in line]
    assert diagnostics[0]["diagnostic"]["address"] == "terraform_data.broken"


def test_a_watched_plan_shows_all_that_changes(project: Home, slipway: Slipway) -> None:
    ended = project.run("watch", "--", "terraform", "plan", "-no-color", "-detailed-exitcode")
    assert ended.code == 2
    assert '+ input  = "hello"' in ended.out
    assert types(slipway).count("planned_change") == 3
    assert slipway.end() == "2"
    assert not (project.folder / "terraform.tfstate").exists()


def test_an_apply_that_asks_shows_the_plan_and_applies_on_yes(project: Home, slipway: Slipway) -> None:
    ended = project.run("watch", "--", "terraform", "apply", "-no-color", "-var", "greeting=moin", stdin=b"yes\n")
    assert ended.code == 0, ended.err
    assert '+ input  = "moin"' in ended.out
    assert "Only 'yes' will be accepted to approve." in ended.out
    assert ended.out.index("Enter a value:") < ended.out.index("Apply complete! Resources: 3 added")
    assert len(in_state(project)) == 3
    assert types(slipway).count("planned_change") >= 3
    assert types(slipway).count("apply_complete") == 3
    assert slipway.end() == "0"
    assert list(Path(project.environ["TMPDIR"]).iterdir()) == []


@pytest.mark.parametrize(("typed", "code", "end"), [(b"yes\n", 0, "0"), (b"\x03", 1, "130")])
def test_an_apply_that_asks_is_answered_at_the_terminal(
    typed: bytes, code: int, end: str, project: Home, slipway: Slipway
) -> None:
    screen = Screen(project, "watch", "--", "terraform", "apply")
    try:
        screen.read_until(b"Enter a value:")
        assert b"\033[1mPlan:" in screen.shown  # in colour, as Terraform shows it
        os.write(screen.keyboard, typed)
        assert screen.finish() == code
        assert slipway.end() == end
        assert (project.folder / "terraform.tfstate").exists() is (code == 0)
    finally:
        screen.close()


@pytest.mark.parametrize("answer", [b"no\n", b"y\n", b""])
def test_an_apply_that_asks_does_nothing_on_anything_but_yes(answer: bytes, project: Home, slipway: Slipway) -> None:
    ended = project.run("watch", "--", "terraform", "apply", stdin=answer)
    assert ended.code == 1
    assert "Apply cancelled." in ended.out
    assert not (project.folder / "terraform.tfstate").exists()
    assert "apply_start" not in types(slipway)
    assert slipway.end() == "130"


def test_an_apply_with_nothing_to_change_does_not_ask(project: Home, slipway: Slipway) -> None:
    terraform_command(project, "apply", "-auto-approve")
    ended = project.run("watch", "--", "terraform", "apply")
    assert ended.code == 0
    assert "Enter a value" not in ended.out
    assert "Apply complete! Resources: 0 added, 0 changed, 0 destroyed." in ended.out


def test_a_destroy_that_asks_destroys_on_yes(project: Home, slipway: Slipway) -> None:
    terraform_command(project, "apply", "-auto-approve")
    ended = project.run("watch", "--", "terraform", "destroy", stdin=b"yes\n")
    assert ended.code == 0, ended.err
    assert "There is no undo." in ended.out
    assert in_state(project) == []
    assert types(slipway).count("apply_complete") == 3


def test_arguments_from_the_environment_count(project: Home, slipway: Slipway) -> None:
    project.environ["TF_CLI_ARGS_apply"] = "-auto-approve -var greeting=ahoi"
    ended = project.run("watch", "--", "terraform", "apply")
    assert ended.code == 0, ended.err
    assert 'greeting = "ahoi"' in ended.out
    project.environ["TF_CLI_ARGS_apply"] = "-var greeting=servus"
    ended = project.run("watch", "--", "terraform", "apply", stdin=b"yes\n")
    assert ended.code == 0, ended.err
    assert 'greeting = "servus"' in ended.out


def test_a_plan_made_earlier_is_applied_without_asking(project: Home, slipway: Slipway) -> None:
    terraform_command(project, "plan", "-out=earlier.plan")
    ended = project.run("watch", "--", "terraform", "apply", "earlier.plan")
    assert ended.code == 0, ended.err
    assert len(in_state(project)) == 3


def test_an_error_in_the_configuration_ends_before_any_question(project: Home, slipway: Slipway) -> None:
    (project.folder / "broken.tf").write_text('resource "terraform_data" "x" {\n  input = var.nowhere\n}\n')
    ended = project.run("watch", "--", "terraform", "apply", stdin=b"yes\n")
    assert ended.code == 1
    assert "Reference to undeclared input variable" in ended.out
    assert slipway.end() == "1"


def test_json_asked_for_is_passed_on_as_it_is(project: Home, slipway: Slipway) -> None:
    ended = project.run("watch", "--", "terraform", "apply", "-json", "-auto-approve")
    printed = [json.loads(line) for line in ended.out.splitlines()]
    assert [event["type"] for event in printed] == types(slipway)


def test_an_interrupt_lets_terraform_finish_what_it_began(project: Home, slipway: Slipway) -> None:
    (project.folder / "slow.tf").write_text(
        'resource "terraform_data" "slow" {\n  provisioner "local-exec" {\n    command = "touch begun; sleep 30"\n  }\n'
        "}\n"
        'resource "terraform_data" "after" {\n  depends_on = [terraform_data.slow]\n}\n'
    )
    process = project.start("watch", "--", "terraform", "apply", "-auto-approve")
    try:
        until((project.folder / "begun").exists)
        os.kill(process.pid, signal.SIGINT)
        out, _ = process.communicate(timeout=PATIENCE)
        assert process.returncode == 1
        assert b"Interrupt received." in out
        assert b"Two interrupts" not in out
        assert slipway.end() == "1"
        assert any(b"Interrupt received" in line for line in slipway.lines())
    finally:
        stop(process)
