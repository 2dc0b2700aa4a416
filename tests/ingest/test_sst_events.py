"""SST: Pulumi's events by SST's own rules."""

from __future__ import annotations

import pytest

from ingest.change import ChangeKind
from tests.ingest.lines import briefs, diagnostic, everything, nothing, one, reason, step, urn

WEB = urn("sst:aws:Nextjs", "Web")


def test_a_log_of_the_same_format_gives_the_same() -> None:
    assert briefs("sst", "pulumi/up.jsonl") == briefs("pulumi", "pulumi/up.jsonl")
    assert briefs("sst", "pulumi/destroy-with-components.jsonl") == briefs(
        "pulumi", "pulumi/destroy-with-components.jsonl"
    )


@pytest.mark.parametrize("tool_type", ["sst:sst:Version", "sst:sst:LinkRef", "pulumi:pulumi:Stack"])
def test_ssts_own_records_are_left_out(tool_type: str) -> None:
    assert nothing("sst", step("resourcePreEvent", "create", tool_type, "x", custom=False))


@pytest.mark.parametrize(
    "text",
    [
        "update failed",
        "error: update failed",
        "update cancelled",
        "Error: failed to register new resource Web [sst:aws:Nextjs]: 2 UNKNOWN",
    ],
)
def test_an_error_that_only_repeats_another_is_dropped_for_sst_alone(text: str) -> None:
    assert nothing("sst", diagnostic(text))
    assert one("pulumi", diagnostic(text)).kind is ChangeKind.DIAGNOSTIC


def test_any_other_error_stays() -> None:
    told = one("sst", diagnostic("error: the bucket name is taken", urn=WEB))
    assert told.diagnostic is not None
    assert (told.address, told.diagnostic.summary) == (WEB, "the bucket name is taken")


def test_a_sites_url_comes_from_its_metadata() -> None:
    outputs = {"_metadata": {"url": "https://shop.example.com", "path": ".", "server": "arn"}, "url": "https://other.x"}
    told = one("sst", step("resOutputsEvent", "create", "sst:aws:Nextjs", "Web", custom=False, outputs=outputs))
    assert told.facts == {"component": "yes", "production_url": "https://shop.example.com"}


def test_a_top_level_components_own_url_or_hint_counts() -> None:
    for outputs in ({"url": "https://api.example.com"}, {"_hint": "https://api.example.com"}):
        told = one("sst", step("resOutputsEvent", "same", "sst:aws:ApiGatewayV2", "Api", custom=False, outputs=outputs))
        assert told.kind is ChangeKind.RESOURCE
        assert told.facts["production_url"] == "https://api.example.com"


def test_the_url_of_a_function_inside_a_site_is_not_the_sites() -> None:
    line = step(
        "resOutputsEvent", "create", "sst:aws:Nextjs$sst:aws:Function", "WebServer", custom=False, parent=WEB,
        outputs={"url": "https://x.lambda-url.eu-west-1.on.aws", "_hint": "https://x.lambda-url.eu-west-1.on.aws"},
    )  # fmt: skip
    told = one("sst", line)
    assert (told.parent, dict(told.facts)) == (WEB, {"component": "yes"})


def test_a_hint_that_is_no_url_is_not_taken() -> None:
    outputs = {"_hint": "run `sst tunnel`", "_metadata": {"url": 5}, "url": {"secret": "x"}}
    told = one("sst", step("resOutputsEvent", "create", "sst:aws:Service", "Api", custom=False, outputs=outputs))
    assert told.facts == {"component": "yes"}


def test_a_dns_record_of_a_component_keeps_its_class_and_parent() -> None:
    types = "sst:aws:Router$pulumi-nodejs:dynamic:Resource"
    line = step("resourcePreEvent", "create", types, "ShopARecord.sst.cloudflare.DnsRecord", parent=WEB)
    told = one("sst", line)
    assert (told.tool_type, told.parent) == ("pulumi-nodejs:dynamic:Resource", WEB)
    assert told.address.endswith("::ShopARecord.sst.cloudflare.DnsRecord")


def test_a_line_of_another_tool_is_named_with_ssts_own_log() -> None:
    assert ".sst/pulumi/" in reason("sst", {"@module": "terraform.ui", "type": "version"})


def test_a_database_tells_its_engine_and_version_and_no_more() -> None:
    outputs = {
        "engine": "postgres",
        "engineVersion": "16.4",
        "password": "hunter2",
        "_metadata": {"url": "https://a.b"},
    }
    told = one("sst", step("resOutputsEvent", "create", "sst:aws:Postgres", "Db", custom=False, outputs=outputs))
    assert told.facts == {"component": "yes", "engine": "postgres", "version": "16.4"}
    assert "hunter2" not in everything(told)
