"""A page that was open all the time shows what a reload would, whatever happened and in whichever order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

import pytest
from playwright.sync_api import Page, expect

from models import Run, Stack
from provisioning import liveness
from tests.browser.live_page import wait_until_as_reloaded
from tests.browser.pipeline import LONG_DETAIL, Pipeline, PipelineRun
from tests.conftest import DATABASES
from tests.harness.cast import Cast
from tests.harness.server import RunningServer
from tests.provisioning.story import resource_at
from views.clock import now_ms

PageOf = Callable[..., Page]

ADDRESSES = [
    "aws_instance.web",
    "aws_instance.worker",
    "aws_db_instance.orders",
    "aws_db_instance.events",
    "aws_route53_zone.shop",
    "aws_lambda_function.thumbnails",
    # These have no card, and count in their run all the same.
    "aws_vpc.main",
    "aws_iam_role.deploy",
]


@dataclass
class Turmoil:
    """Changes at random, each legal for a tool to report."""

    pipeline: Pipeline
    random: Random
    planned: dict[PipelineRun, list[str]] = field(default_factory=dict)
    begun: list[tuple[PipelineRun, str]] = field(default_factory=list)

    def change(self) -> str:
        """Let something happen; says what."""
        deeds = [self.plan]
        if any(self.planned.values()):
            deeds += [self.start] * 4
        if self.begun:
            deeds += [self.finish] * 3 + [self.fail]
        if self.planned:
            deeds += [self.end, self.fall_silent]
        return self.random.choice(deeds)()

    def plan(self) -> str:
        """A run begins."""
        action = self.random.choice(["create", "create", "update", "delete"])
        addresses = self.random.sample(ADDRESSES, self.random.randint(1, 5))
        run = self.pipeline.run(*addresses, stack=self.random.choice(["prod", "staging"]), action=action)
        self.planned[run] = addresses
        return f"a plan to {action} {addresses}"

    def start(self) -> str:
        """A planned step begins."""
        run = self.random.choice([run for run, addresses in self.planned.items() if addresses])
        address = self.planned[run].pop()
        run.start(address)
        self.begun.append((run, address))
        return f"{address} began"

    def finish(self) -> str:
        """A step ends well."""
        run, address = self._one_begun()
        run.done(address)
        return f"{address} is done"

    def fail(self) -> str:
        """A step ends badly."""
        run, address = self._one_begun()
        run.fail(address, f"creating {address}: it did not work", self.random.choice(["", "Because.", LONG_DETAIL]))
        return f"{address} failed"

    def end(self) -> str:
        """A run ends, whatever is in flight."""
        run = self.random.choice(list(self.planned))
        del self.planned[run]
        self.begun = [(one, address) for one, address in self.begun if one is not run]
        run.end(self.random.choice([0, 1]))
        return f"{run.key} ended"

    def fall_silent(self) -> str:
        """A run has not spoken for a while, or for too long."""
        run = self.random.choice(list(self.planned))
        silence, told_before = self.random.choice([(40_000, ("quiet", "lost")), (2_000_000, ("lost",))])
        # A heartbeat alone, without a change of what it means, is no news to an open page.
        Run.update(last_word_at=now_ms() - silence).where(Run.id == run.id, Run.liveness.not_in(told_before)).execute()
        liveness.watch(now_ms(), quiet_after_ms=30_000, lost_after_ms=900_000)
        return f"{run.key} was silent for {silence // 1000} s"

    def _one_begun(self) -> tuple[PipelineRun, str]:
        return self.begun.pop(self.random.randrange(len(self.begun)))


def test_the_comparison_sees_a_difference(cast: Cast, page_of: PageOf, server: RunningServer) -> None:
    Pipeline(server, cast).run("aws_instance.web")
    page = page_of(cast.viewer)
    page.goto("/")
    wait_until_as_reloaded(page)
    page.evaluate("document.querySelector('.verb').textContent = 'Created'")
    with pytest.raises(AssertionError, match=r"shown: +Created"):
        wait_until_as_reloaded(page, seconds=0)


# Each database has changes of its own: these two are the dearest tests of all.
@pytest.mark.parametrize(
    ("database_kind", "seed"), list(zip(DATABASES, (1, 2), strict=False)), indirect=["database_kind"]
)
def test_after_each_of_many_changes(seed: int, cast: Cast, page_of: PageOf, server: RunningServer) -> None:
    turmoil = Turmoil(Pipeline(server, cast), Random(seed))
    first = turmoil.pipeline.run(*ADDRESSES)
    turmoil.planned[first] = list(ADDRESSES)
    orders = resource_at("aws_db_instance.orders").id
    paths = [
        "/",
        "/?status=provisioning",
        "/?type=server&q=work",
        f"/p/{orders}",
        f"/p/{orders}/history",
        f"/runs/{first.id}",
        "/runs",
        "/stacks",
        f"/stacks/{Stack.get(Stack.name == 'prod').id}",
    ]
    opened = page_of(cast.owner)
    pages = [opened, *[opened.context.new_page() for _ in paths[1:]]]
    for page, path in zip(pages, paths, strict=True):
        page.goto(path)
        page.evaluate("window.isStillTheSamePage = true")
    for number in range(20):
        what = f"change {number} of seed {seed}: {turmoil.change()}"
        for page in pages:
            wait_until_as_reloaded(page, what)
    assert all(page.evaluate("window.isStillTheSamePage") for page in pages)


def test_on_a_later_page_of_the_dashboard(cast: Cast, page_of: PageOf, server: RunningServer) -> None:
    addresses = [f"aws_instance.node-{number:02}" for number in range(60)]
    run = Pipeline(server, cast).run(*addresses)
    run.start(*addresses)
    run.done(*addresses)
    run.end()
    page = page_of(cast.viewer)
    page.goto("/")
    expect(page.locator("[data-card]")).to_have_count(50)
    page.get_by_role("link", name="Older").click()
    expect(page.locator("[data-card]")).to_have_count(10)
    update = Pipeline(server, cast).run(addresses[0], addresses[59], action="update")
    for verb in (update.start, update.done):
        verb(addresses[0], addresses[59])
        wait_until_as_reloaded(page)
