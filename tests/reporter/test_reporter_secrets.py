"""A marked secret in the environment or in a tool's events is never sent and never spooled."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.reporter.stage import SAMPLES, Home, Slipway, terraform_line

SENTINEL = "sentinel-5e55-open-sesame"
RESOURCE = {"addr": "aws_instance.a", "resource_type": "aws_instance", "resource_name": "a", "resource_key": None}
CI = {"GITHUB_ACTIONS": "true", "GITHUB_SHA": "c" * 40, "GITHUB_ACTOR": "dana", "GITHUB_RUN_ID": "7"}


def everything_that_left(home: Home, slipway: Slipway) -> bytes:
    """All that went over the wire and all that lies on the machine's disk."""
    sent = b"".join(
        b"\n".join([request.path.encode(), repr(request.query).encode(), repr(request.headers).encode(), request.body])
        for request in slipway.requests
    )
    kept = b"".join(path.read_bytes() for path in home.folder.parent.rglob("*") if path.is_file())
    return sent + kept


@pytest.mark.parametrize("answers", [True, False])
def test_nothing_of_the_environment_leaves_but_the_named_parts(answers: bool, home: Home, slipway: Slipway) -> None:
    if not answers:
        slipway.close()
    for name in ("AWS_SECRET_ACCESS_KEY", "TF_VAR_password", "GITHUB_TOKEN", "CI_JOB_TOKEN", "SLIPWAY_OTHER", "PWD_"):
        home.environ[name] = SENTINEL
    home.environ.update(CI)
    home.run("terraform", "--drain-seconds", "10" if answers else "0", stdin=terraform_line(0))
    assert SENTINEL.encode() not in everything_that_left(home, slipway)
    assert bool(home.spooled()) is not answers


def test_a_command_line_is_shown_without_its_arguments(home: Home, slipway: Slipway, tmp_path: Path) -> None:
    from tests.reporter.stage import stand_in

    stand_in(tmp_path / "bin", "terraform", "")
    home.run("watch", "--", str(tmp_path / "bin" / "terraform"), "apply", "-auto-approve", f"-var=password={SENTINEL}")
    assert slipway.batches()[0].query["command"] == "terraform apply"
    assert SENTINEL.encode() not in everything_that_left(home, slipway)


def test_a_job_url_is_sent_without_credentials(home: Home, slipway: Slipway) -> None:
    home.environ.update(
        GITLAB_CI="true", CI_JOB_URL=f"https://bot:{SENTINEL}@git.example/jobs/1?private_token={SENTINEL}"
    )
    home.run("terraform", stdin=terraform_line(0))
    assert slipway.batches()[0].query["job_url"] == "https://git.example/jobs/1"


def test_terraforms_values_stay_here(home: Home, slipway: Slipway) -> None:
    values: list[dict[str, Any]] = [
        {"type": "outputs", "outputs": {"password": {"sensitive": False, "type": "string", "value": SENTINEL}}},
        {"type": "log", "@message": f'{{"version":4,"resources":["{SENTINEL}"]}}'},
        {"type": "provision_progress", "@message": SENTINEL, "hook": {"resource": RESOURCE, "output": SENTINEL}},
        {"type": "something_new", "@message": SENTINEL, "new": {"value": SENTINEL}},
        {
            "type": "planned_change",
            "change": {"resource": RESOURCE, "action": "create", "before": SENTINEL, "generated_config": SENTINEL},
        },
        {
            "type": "diagnostic",
            "diagnostic": {
                "severity": "error",
                "summary": "no",
                "snippet": {
                    "context": 'resource "a" "b"',
                    "code": f'password = "{SENTINEL}"',
                    "values": [{"traversal": "var.p", "statement": f'is "{SENTINEL}"'}],
                },
            },
        },
    ]
    stdin = b"\n".join(terraform_line(number, **value) for number, value in enumerate(values))
    ended = home.run("terraform", stdin=stdin + f"\nPASSWORD={SENTINEL}".encode())
    assert SENTINEL in ended.out  # the terminal shows what the tool said
    assert SENTINEL.encode() not in everything_that_left(home, slipway)
    sent = [json.loads(line) for line in slipway.lines()[:-1]]
    assert [event["type"] for event in sent] == [value["type"] for value in values]
    assert sent[0]["outputs"] == {"password": {"sensitive": False}}
    assert sent[5]["diagnostic"]["snippet"] == {"context": 'resource "a" "b"'}


def test_terraforms_word_that_it_was_asked_to_stop_is_sent(home: Home, slipway: Slipway) -> None:
    words = "\nInterrupt received.\nPlease wait for Terraform to exit or data loss may occur.\n"
    line = terraform_line(0, type="log", **{"@message": words})
    home.run("terraform", stdin=line)
    assert slipway.lines() == [line]


def test_pulumis_inputs_and_outputs_stay_here_but_for_the_named_ones(home: Home, slipway: Slipway) -> None:
    state = {
        "urn": "urn:a",
        "type": "aws:ec2/instance:Instance",
        "inputs": {"password": SENTINEL},
        "outputs": {
            "publicIp": "192.0.2.1",
            "password": SENTINEL,
            "endpoint": f"postgres://admin:{SENTINEL}@db:5432/x",
            "url": f"https://x.example/?token={SENTINEL}",
            "region": {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "value": SENTINEL},
            "_metadata": {"url": "https://app.example", "server": SENTINEL},
        },
    }
    events: list[dict[str, Any]] = [
        {"sequence": 0, "timestamp": 1, "preludeEvent": {"config": {"app:password": SENTINEL}}},
        {
            "sequence": 1,
            "timestamp": 1,
            "resOutputsEvent": {"metadata": {"op": "create", "urn": "urn:a", "new": state}},
        },
        {"sequence": 2, "timestamp": 1, "diagnosticEvent": {"severity": "info#err", "message": SENTINEL}},
        {"sequence": 3, "timestamp": 1, "stdoutEvent": {"message": SENTINEL}},
        {"sequence": 4, "timestamp": 1, "somethingNewEvent": {"value": SENTINEL}},
        {"sequence": 5, "timestamp": 1, "diagnosticEvent": {"severity": "error", "message": "quota reached"}},
    ]
    home.run("pulumi", stdin=b"\n".join(json.dumps(event).encode() for event in events))
    assert SENTINEL.encode() not in everything_that_left(home, slipway)
    sent = [json.loads(line) for line in slipway.lines()]
    assert sent[1]["resOutputsEvent"]["metadata"]["new"]["outputs"] == {
        "publicIp": "192.0.2.1",
        "_metadata": {"url": "https://app.example"},
    }
    assert sent[5]["diagnosticEvent"]["message"] == "quota reached"


def test_a_recorded_pulumi_run_keeps_what_tells_its_states(home: Home, slipway: Slipway) -> None:
    recorded = (SAMPLES / "pulumi-up.jsonl").read_bytes()
    home.run("pulumi", stdin=recorded)
    for was, sent in zip(recorded.splitlines(), slipway.lines(), strict=True):
        before, after = json.loads(was), json.loads(sent)
        assert list(after) == list(before)
        metadata = next((value.get("metadata") for value in after.values() if isinstance(value, dict)), None)
        if metadata:
            original = next(value["metadata"] for value in before.values() if isinstance(value, dict))
            for name in ("op", "urn", "type"):
                assert metadata[name] == original[name]
            for half in ("old", "new"):
                if original[half]:
                    assert metadata[half]["id"] == original[half]["id"]
                    assert metadata[half]["parent"] == original[half]["parent"]
                    assert "inputs" not in metadata[half]


def test_what_has_nothing_to_hide_is_sent_byte_for_byte(home: Home, slipway: Slipway) -> None:
    line = b'{"@level":"info" ,"@message":"\\u003cb\\u003e", "@module":"terraform.ui","type":"apply_start"}'
    home.run("terraform", stdin=line)
    assert slipway.lines() == [line]
