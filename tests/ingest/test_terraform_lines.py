"""Terraform and OpenTofu: what each kind of line gives, and every pitfall of the format."""

from __future__ import annotations

import pytest

from ingest.change import ChangeKind, Diagnostic
from tests.ingest.lines import (
    SENTINEL,
    briefs,
    everything,
    hook,
    nothing,
    one,
    parsed,
    planned,
    read,
    reason,
    sample,
    terraform_line,
    terraform_resource,
)

DB = "aws_db_instance.orders"


# The samples, whole.


def test_an_apply_of_terraform_is_read_whole() -> None:
    foo = "test_instance.foo"
    assert briefs("terraform", "terraform/apply.jsonl") == [
        ("run_info", "", ""),
        ("diagnostic", "", ""),
        ("planned", foo, "create"),
        ("total", "", "", "1"),
        ("started", foo, "create"),
        ("done", foo, "create"),
        ("run_ended", "", "", "succeeded"),
    ]


def test_an_apply_of_opentofu_is_read_whole() -> None:
    foo = "test_instance.foo"
    assert briefs("opentofu", "opentofu/apply.jsonl") == [
        ("run_info", "", ""),
        ("planned", foo, "create"),
        ("total", "", "", "1"),
        ("started", foo, "create"),
        ("done", foo, "create"),
        ("run_ended", "", "", "succeeded"),
    ]


def test_a_plan_reads_its_data_source_before_its_changes_and_never_ends_a_run() -> None:
    assert briefs("terraform", "terraform/plan.jsonl") == [
        ("run_info", "", ""),
        ("planned", "test_instance.foo", "create"),
        ("total", "", "", "1"),
    ]


@pytest.mark.parametrize(
    ("name", "address", "action"),
    [
        ("fully_populated_complex", "tfcoremock_complex_resource.complex", "create"),
        ("fully_populated_complex_update", "tfcoremock_complex_resource.complex", "update"),
        ("multiple_block_types_update", "tfcoremock_multiple_blocks.multiple_blocks", "update"),
    ],
)
def test_apply_of_a_saved_plan_has_its_steps_and_no_total(name: str, address: str, action: str) -> None:
    assert briefs("terraform", f"terraform/equiv-{name}-apply.json") == [
        ("planned", address, action),
        ("started", address, action),
        ("done", address, action),
        ("run_ended", "", "", "succeeded"),
    ]


def test_a_destroy_is_read_whole() -> None:
    complex_one = "tfcoremock_complex_resource.complex"
    assert briefs("terraform", "terraform/equiv-fully_populated_complex_destroy-apply.json") == [
        ("planned", complex_one, "delete"),
        ("total", "", "", "1"),
        ("started", complex_one, "delete"),
        ("done", complex_one, "delete"),
        ("run_ended", "", "", "succeeded"),
    ]


def test_the_dependent_of_a_failed_resource_gets_no_line_after_its_plan() -> None:
    found = parsed("terraform", sample("terraform/real-failed-apply.jsonl"))
    assert found.ignored == []
    of_api = [change.kind for change in found.changes if change.address == "terraform_data.api"]
    assert of_api == [ChangeKind.PLANNED]
    assert not any(change.kind is ChangeKind.RUN_ENDED for change in found.changes)
    failed, why = found.changes[-2:]
    assert (failed.kind, failed.address, failed.diagnostic) == (ChangeKind.FAILED, "terraform_data.database", None)
    assert (why.kind, why.address) == (ChangeKind.DIAGNOSTIC, "terraform_data.database")
    assert why.diagnostic is not None
    assert why.diagnostic.severity == "error"
    assert why.diagnostic.summary == "local-exec provisioner error"
    assert 'FATAL: role "app" does not exist' in why.diagnostic.detail
    assert why.diagnostic.where == 'main.tf line 7, in resource "terraform_data" "database"'
    assert why.sequence == 27


def test_an_interrupted_apply_is_cancelling_and_its_steps_fail() -> None:
    cluster = "terraform_data.cluster"
    assert briefs("terraform", "terraform/real-interrupted-apply.jsonl")[5:] == [
        ("started", "terraform_data.queue", "create"),
        ("done", "terraform_data.queue", "create"),
        ("started", cluster, "create"),
        ("progress", cluster, "create"),
        ("cancelling", "", ""),
        ("cancelling", "", ""),
        ("failed", cluster, "create"),
        ("diagnostic", cluster, ""),
        ("diagnostic", "", ""),
        ("diagnostic", "", ""),
    ]


# The pitfalls.


def test_a_replacement_is_planned_once_and_carried_out_as_two_halves_in_either_order() -> None:
    lines = [planned("replace"), *(hook(kind, half) for half in ("create", "delete") for kind in _CARRIED_OUT)]
    assert [(change.kind, change.action) for change in read("terraform", *lines).changes] == [
        (ChangeKind.PLANNED, "replace"),
        (ChangeKind.STARTED, "create"),
        (ChangeKind.DONE, "create"),
        (ChangeKind.STARTED, "delete"),
        (ChangeKind.DONE, "delete"),
    ]


_CARRIED_OUT = ("apply_start", "apply_complete")


def test_the_deleted_half_of_a_replacement_does_not_bring_back_the_old_id() -> None:
    # create_before_destroy: the old object is deleted after the new one's id is known.
    made = one("terraform", hook("apply_complete", "create", id_key="id", id_value="db-new"))
    gone = one("terraform", hook("apply_start", "delete", id_key="id", id_value="db-old"))
    assert made.facts == {"provider_resource_id": "db-new"}
    assert gone.facts == {}


def test_a_replacement_counts_twice_in_the_total() -> None:
    changes = {"add": 3, "change": 2, "import": 7, "remove": 1, "operation": "plan"}
    assert one("terraform", terraform_line("change_summary", "Plan: …", changes=changes)).total == 6


@pytest.mark.parametrize("operation", ["apply", "destroy"])
def test_only_the_summary_of_an_apply_or_destroy_ends_a_run(operation: str) -> None:
    changes = {"add": 1, "change": 0, "import": 0, "remove": 0, "operation": operation}
    ended = one("terraform", terraform_line("change_summary", "Apply complete!", changes=changes))
    assert (ended.kind, ended.outcome) == (ChangeKind.RUN_ENDED, "succeeded")


def test_a_noop_makes_no_step() -> None:
    assert nothing("terraform", planned("noop"))


def test_a_noop_with_a_former_address_is_a_move() -> None:
    for action in ("noop", "move"):
        moved = one("terraform", planned(action, previous_resource=terraform_resource("aws_db_instance.old")))
        assert moved.kind is ChangeKind.MOVED
        assert (moved.previous_address, moved.address) == ("aws_db_instance.old", DB)


def test_a_move_that_also_updates_is_planned_with_its_former_address() -> None:
    moved = one("terraform", planned("update", previous_resource=terraform_resource("aws_db_instance.old")))
    assert (moved.kind, moved.action, moved.previous_address) == (ChangeKind.PLANNED, "update", "aws_db_instance.old")


def test_a_noop_that_imports_is_an_import_and_an_update_that_imports_an_update() -> None:
    assert one("terraform", planned("noop", importing={"id": "db-1"})).action == "import"
    assert one("terraform", planned("import", importing={"id": "db-1"})).action == "import"
    assert one("terraform", planned("update", importing={"id": "db-1"})).action == "update"


@pytest.mark.parametrize("action", ["remove", "forget"])
def test_what_is_forgotten_is_planned_as_forget(action: str) -> None:
    assert one("opentofu", planned(action)).action == "forget"


@pytest.mark.parametrize("action", ["open", "renew", "close", "read", "surprise"])
def test_an_action_without_steps_gives_nothing(action: str) -> None:
    assert nothing("terraform", planned(action))
    assert nothing("terraform", hook("apply_start", action))


@pytest.mark.parametrize(
    "address",
    ["data.aws_ami.ubuntu", "module.a.data.aws_ami.ubuntu", 'module.a["x.y"].data.aws_ami.ubuntu[0]'],
)
def test_a_data_source_is_skipped_wherever_it_is(address: str) -> None:
    assert nothing("terraform", planned("read", address, tool_type="aws_ami"))
    assert nothing("terraform", hook("apply_start", "read", address, tool_type="aws_ami"))
    assert nothing("terraform", hook("apply_start", "create", address, tool_type="aws_ami"))


def test_a_resource_that_is_only_called_data_is_not_a_data_source() -> None:
    assert one("terraform", planned("create", "aws_db_instance.data")).address == "aws_db_instance.data"
    assert one("terraform", planned("create", "module.data.aws_db_instance.a")).action == "create"


def test_a_heartbeat_says_only_that_the_step_still_runs() -> None:
    still = one("terraform", hook("apply_progress", "create", elapsed_seconds=10))
    assert (still.kind, still.action, still.facts) == (ChangeKind.PROGRESS, "create", {})


def test_a_failure_is_told_without_its_reason_and_a_provisioners_failure_only_once() -> None:
    failed = one("terraform", hook("apply_errored", "create"))
    assert (failed.kind, failed.diagnostic) == (ChangeKind.FAILED, None)
    assert nothing("terraform", hook("provision_errored", "", provisioner="local-exec"))


def test_what_a_provisioner_prints_is_dropped() -> None:
    for kind in ("provision_start", "provision_progress", "provision_complete"):
        assert nothing("terraform", hook(kind, "", provisioner="local-exec", output=SENTINEL))


def test_the_version_is_read_of_both_tools() -> None:
    assert one("terraform", terraform_line("version", terraform="1.15.5", ui="1.3")).facts == {
        "engine_version": "1.15.5"
    }
    tofu = terraform_line("version", tofu="1.11.0", ui="99.0") | {"@module": "tofu.ui"}
    assert one("opentofu", tofu).facts == {"engine_version": "1.11.0"}
    assert one("opentofu", terraform_line("version")).facts == {}


def test_drift_is_told_and_makes_no_step() -> None:
    line = planned("update") | {"type": "resource_drift"}
    drift = one("terraform", line)
    assert (drift.kind, drift.address, drift.action) == (ChangeKind.DRIFT, DB, "update")


def test_an_id_is_taken_of_types_with_a_card_only() -> None:
    assert one("terraform", hook("apply_complete", "create", id_key="id", id_value="db-1")).facts == {
        "provider_resource_id": "db-1"
    }
    other = hook("apply_complete", "create", "random_string.a", tool_type="random_string", id_key="id", id_value="v")
    assert one("terraform", other).facts == {}
    assert one("terraform", hook("apply_complete", "create", id_key="tags.Name", id_value="orders")).facts == {}
    assert one("terraform", hook("apply_complete", "create", id_key="id", id_value=7)).facts == {}


def test_a_refresh_tells_the_id_and_makes_no_step() -> None:
    told = one("terraform", hook("refresh_complete", "", id_key="id", id_value="db-1"))
    assert (told.kind, told.address, told.facts) == (ChangeKind.RESOURCE, DB, {"provider_resource_id": "db-1"})
    assert nothing("terraform", hook("refresh_start", "", id_key="id", id_value="db-1"))
    assert nothing("terraform", hook("refresh_complete", ""))


def test_the_id_is_cut_off_the_sentence() -> None:
    line = hook("apply_complete", "create") | {"@message": f"x: Creation complete after 0s [id={SENTINEL}]"}
    assert one("terraform", line).message == "x: Creation complete after 0s"


def test_only_an_interrupt_is_taken_of_the_log() -> None:
    assert one("terraform", terraform_line("log", "\nInterrupt received.\nPlease wait")).kind is ChangeKind.CANCELLING
    assert one("opentofu", terraform_line("log", "Stopping operation...")).kind is ChangeKind.CANCELLING
    assert one("terraform", terraform_line("log", "\nTwo interrupts received.")).kind is ChangeKind.CANCELLING
    assert nothing("terraform", terraform_line("log", f'{{"version":4,"resources":["{SENTINEL}"]}}'))
    assert nothing("terraform", terraform_line("log", "", state={"secret": SENTINEL}))


def test_outputs_are_dropped() -> None:
    outputs = {"password": {"sensitive": False, "type": "string", "value": SENTINEL, "action": "create"}}
    assert nothing("terraform", terraform_line("outputs", "Outputs: 1", outputs=outputs))


def test_a_diagnostic_keeps_its_words_and_place_and_never_the_source() -> None:
    said = {
        "severity": "error",
        "summary": "\x1b[31mInvalid\x1b[0m engine version",
        "detail": "First\nsecond.\n",
        "address": DB,
        "range": {"filename": "main.tf", "start": {"line": 14, "column": 3, "byte": 9}, "end": {}},
        "snippet": {
            "context": 'resource "aws_db_instance" "orders"',
            "code": f'  password = "{SENTINEL}"',
            "values": [{"traversal": "var.password", "statement": f'is "{SENTINEL}"'}],
        },
    }
    change = one("terraform", terraform_line("diagnostic", "Error: Invalid engine version", diagnostic=said))
    assert change.address == DB
    assert change.diagnostic == Diagnostic(
        severity="error",
        summary="Invalid engine version",
        detail="First\nsecond.",
        where='main.tf line 14, in resource "aws_db_instance" "orders"',
    )
    assert SENTINEL not in everything(change)


def test_a_diagnostic_needs_neither_place_nor_address() -> None:
    said = {"severity": "warning", "summary": "Deprecated flag: -state", "detail": ""}
    change = one("terraform", terraform_line("diagnostic", "Warning", diagnostic=said))
    assert (change.address, change.diagnostic) == ("", Diagnostic(severity="warning", summary=said["summary"]))


def test_an_unknown_severity_is_not_an_error() -> None:
    change = one("terraform", terraform_line("diagnostic", diagnostic={"severity": "unknown", "summary": "Hm"}))
    assert change.diagnostic is not None
    assert change.diagnostic.severity == "warning"


@pytest.mark.parametrize(
    "kind",
    ["action_start", "policy_result", "list_start", "provider_installed", "migration_done", "test_run",
     "ephemeral_op_start", "ephemeral_action_started", "planned_action_invocation"],
)  # fmt: skip
def test_types_that_have_no_steps_are_understood_and_give_nothing(kind: str) -> None:
    assert nothing("terraform", terraform_line(kind, SENTINEL, hook={"value": SENTINEL}))


def test_an_unknown_type_is_named_and_stops_nothing() -> None:
    found = read("terraform", terraform_line("telepathy", SENTINEL), planned("create"), first=40)
    assert [change.sequence for change in found.changes] == [41]
    assert [left_out.line for left_out in found.ignored] == [40]
    assert "'telepathy'" in found.ignored[0].reason
    assert SENTINEL not in everything(found)


def test_a_type_that_is_no_word_is_not_repeated() -> None:
    assert SENTINEL not in reason("terraform", terraform_line(f"{SENTINEL} !"))


def test_the_version_of_the_format_is_no_gate() -> None:
    assert one("terraform", terraform_line("version", terraform="9.0.0", ui="42.0")).kind is ChangeKind.RUN_INFO


def test_the_time_is_the_tools_in_milliseconds_utc() -> None:
    assert one("terraform", planned("create")).occurred_at == 1_775_895_286_109
    assert one("terraform", planned("create") | {"@timestamp": "soon"}).occurred_at is None


def test_opentofus_unescaped_letters_are_read() -> None:
    raw = '{"@module":"tofu.ui","@message":"a <b> & c","type":"diagnostic","diagnostic":{"severity":"error","summary":"a <b> & c"}}'  # noqa: E501
    change = one("opentofu", raw)
    assert change.diagnostic is not None
    assert change.diagnostic.summary == "a <b> & c"


# What is no line of Terraform.


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ({"sequence": 1, "timestamp": 2, "preludeEvent": {"config": {}}}, "engine event of Pulumi or SST"),
        ({"StackId": "a", "EventId": "b", "ResourceStatus": "CREATE_COMPLETE"}, "event of CloudFormation"),
        ({"version": 4, "lineage": "x", "resources": []}, "state or plan of Terraform"),
        ({"@module": "provider", "@message": "debug", "@level": "debug"}, "a tool's own log"),
        ({"hello": SENTINEL}, "no line of a tool that Slipway knows"),
    ],
)
def test_a_line_of_another_tool_is_named_with_the_remedy(line: dict[str, object], named: str) -> None:
    said = reason("terraform", line)
    assert named in said
    assert "-json" in said
    assert SENTINEL not in said


@pytest.mark.parametrize("text", ["aws_db_instance.orders: Creating...", "[1,2]", '"text"', "{", "null"])
def test_a_line_that_is_no_object_says_how_to_make_one(text: str) -> None:
    assert "-json" in reason("terraform", text, number=3)


@pytest.mark.parametrize("kind", ["planned_change", "resource_drift", "apply_start", "change_summary", "diagnostic"])
def test_a_known_type_without_its_content_is_left_out(kind: str) -> None:
    assert "Expected" in reason("terraform", terraform_line(kind))


def test_an_address_too_long_for_an_index_is_left_out() -> None:
    for line in (planned("create", "a.é" + "é" * 1_000), hook("apply_start", "create", "a.é" + "é" * 1_000)):
        assert "1,500 bytes" in reason("terraform", line)
