"""SST's components: one card for the component, whose steps are its children's; domains keep their own."""

from __future__ import annotations

from typing import Any

import pytest

from ingest.change import Change, ChangeKind
from ingest.pulumi import type_in
from models import Event, Run, Step
from provisioning.batch import Batch
from provisioning.record import record
from provisioning.resources import TABLES
from tests.harness.cast import NOW, Cast
from tests.provisioning.story import Story, resource_at, tell

SITE = "urn:pulumi:prod::shop::sst:aws:Nextjs::Web"
CDN = "urn:pulumi:prod::shop::sst:aws:Nextjs$sst:aws:CDN::WebCdn"
BUCKET = "urn:pulumi:prod::shop::sst:aws:Nextjs$aws:s3/bucket:Bucket::WebAssets"
DISTRIBUTION = "urn:pulumi:prod::shop::sst:aws:Nextjs$sst:aws:CDN$aws:cloudfront/distribution:Distribution::WebCdnDist"
RECORD = "urn:pulumi:prod::shop::sst:aws:Nextjs$aws:route53/record:Record::WebRecord"
PARENTS = {CDN: SITE, BUCKET: SITE, DISTRIBUTION: CDN, RECORD: SITE}


class Deploy:
    """The lines of one `sst deploy`."""

    def __init__(self, start: int = NOW) -> None:
        self.start = start
        self.lines: list[Change] = []

    def say(self, kind: ChangeKind, urn: str, action: str = "create", **facts: str) -> Deploy:
        component = {"component": "yes"} if urn in (SITE, CDN) else {}
        self.lines.append(
            Change(
                sequence=len(self.lines), kind=kind, occurred_at=self.start + len(self.lines) * 1000, address=urn,
                tool_type=type_in(urn), action=action, parent=PARENTS.get(urn, ""), facts=component | facts,
            )
        )  # fmt: skip
        return self

    def steps(self, *urns: str, action: str = "create") -> Deploy:
        for urn in urns:
            self.say(ChangeKind.STARTED, urn, action)
        for urn in urns:
            self.say(ChangeKind.DONE, urn, action)
        return self


def deploy(cast: Cast, changes: list[Change], *, key: str = "deploy", **more: Any) -> None:
    record(
        Batch(
            organization_id=cast.organization.id, engine="sst", provisioning_source="sst", run_key=key,
            stack_name="shop/prod", first=changes[0].sequence if changes else 0, lines=len(changes), changes=changes,
            **more,
        ),
        NOW + 3_600_000,
    )  # fmt: skip


def cards() -> set[str]:
    return {row.address for table in TABLES.values() for row in table.select()}


def test_children_are_steps_of_their_components_card(cast: Cast) -> None:
    lines = Deploy().steps(SITE, CDN, BUCKET, DISTRIBUTION, RECORD).lines
    deploy(cast, lines[:7])
    assert cards() == {SITE, RECORD}
    row = resource_at(SITE)
    assert (row.sst_resource_id, row.sst_stack_name, row.provisioning_source) == ("Web", "shop/prod", "sst")
    assert (row.own_steps, row.own_steps_done, row.card_status) == (4, 2, "provisioning")
    deploy(cast, lines[7:], end="0")
    assert (resource_at(SITE).card_status, resource_at(RECORD).card_status) == ("success", "success")
    assert Event.select().where(Event.resource == row.id).count() == 8


def test_a_component_of_which_no_more_is_said_ends_with_its_children(cast: Cast) -> None:
    made = Deploy().say(ChangeKind.STARTED, SITE).steps(BUCKET)
    made.say(ChangeKind.RUN_ENDED, "", "")
    deploy(cast, made.lines, end="0")
    assert (Run.get().outcome, resource_at(SITE).card_status) == ("succeeded", "success")


def test_a_component_is_interrupted_where_a_child_is_however_deep(cast: Cast) -> None:
    # As Pulumi's own recorded interruption ends: a summary and a cancel, with a child still in flight.
    made = Deploy().say(ChangeKind.STARTED, SITE).say(ChangeKind.STARTED, CDN).say(ChangeKind.STARTED, DISTRIBUTION)
    made.steps(BUCKET, RECORD).say(ChangeKind.RUN_ENDED, "", "")
    deploy(cast, made.lines)
    states = {step.address: step.state for step in Step.select()}
    assert states == {
        SITE: "interrupted", CDN: "interrupted", DISTRIBUTION: "interrupted", BUCKET: "done", RECORD: "done",
    }  # fmt: skip
    assert (Run.get().outcome, Run.get().interrupted_count) == ("interrupted", 3)
    assert (resource_at(SITE).card_status, resource_at(RECORD).card_status) == ("error", "success")


def test_a_child_that_fails_fails_the_component(cast: Cast) -> None:
    made = Deploy().say(ChangeKind.STARTED, SITE).say(ChangeKind.STARTED, BUCKET).say(ChangeKind.FAILED, BUCKET)
    deploy(cast, made.lines, end="1")
    assert resource_at(SITE).card_status == "error"


@pytest.mark.parametrize("cut", [0, 1, 3])
def test_on_destroy_children_come_before_their_component(cast: Cast, cut: int) -> None:
    deploy(cast, Deploy().steps(SITE, CDN, BUCKET, DISTRIBUTION).lines, end="0")
    lines = Deploy(NOW + 600_000).steps(DISTRIBUTION, BUCKET, action="delete").steps(CDN, SITE, action="delete").lines
    for part in (lines[:cut], lines[cut:]):
        if part:
            deploy(cast, part, key="remove")
    deploy(cast, [], key="remove", end="0")
    assert cards() == {SITE}
    assert resource_at(SITE).card_status == "deleted"


def test_a_child_of_an_unchanged_component_counts_for_its_card(cast: Cast) -> None:
    deploy(cast, Deploy().steps(SITE, BUCKET).lines, end="0")
    again = Deploy(NOW + 600_000).say(ChangeKind.RESOURCE, SITE, "noop").steps(BUCKET, action="update")
    deploy(cast, again.lines, key="again", end="0")
    assert cards() == {SITE}
    assert (resource_at(SITE).operation, resource_at(SITE).card_status) == ("update", "success")


def test_what_is_made_and_rolled_back_is_gone(cast: Cast) -> None:
    story = Story(start=NOW).started("web").done("web").started("web", "delete").done("web", "delete")
    tell(cast.organization.id, story.lines, NOW + 60_000, end="1")
    assert resource_at("web").card_status == "deleted"


def test_an_update_that_clears_away_what_it_replaced_stands(cast: Cast) -> None:
    story = Story(start=NOW).started("web", "update").done("web", "update").started("web", "delete")
    story.done("web", "delete")
    tell(cast.organization.id, story.lines, NOW + 60_000, end="0")
    assert (resource_at("web").card_status, resource_at("web").operation) == ("success", "update")
