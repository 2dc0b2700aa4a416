"""Data for a look at every page: each state of a card and of a run at once, and names that break layouts."""

from __future__ import annotations

from dataclasses import dataclass

from models import Run, Stack
from provisioning import liveness
from tests.browser.pipeline import LONG_DETAIL, Pipeline
from tests.provisioning.story import resource_at
from views.clock import now_ms

LONG_NAME = "aws_instance." + "a-name-of-two-hundred-characters-" * 6
RIGHT_TO_LEFT = "aws_instance.خادم-الويب"


@dataclass(frozen=True)
class Stage:
    """Addresses of the pages by what they show."""

    pages: dict[str, str]


def set_stage(pipeline: Pipeline) -> Stage:
    """Fill the cast's organisation with one of everything."""
    done = pipeline.run("aws_instance.bastion", LONG_NAME, RIGHT_TO_LEFT, "aws_instance.gone", stack="ops/prod")
    done.start("aws_instance.bastion", LONG_NAME, RIGHT_TO_LEFT, "aws_instance.gone")
    done.done("aws_instance.bastion", LONG_NAME, RIGHT_TO_LEFT, "aws_instance.gone")
    done.end()
    destroyed = pipeline.run("aws_instance.gone", stack="ops/prod", action="delete")
    destroyed.start("aws_instance.gone")
    destroyed.done("aws_instance.gone")
    destroyed.end()

    failed = pipeline.run("aws_db_instance.orders", "aws_instance.after", "aws_vpc.main", stack="shop/prod")
    failed.start("aws_db_instance.orders", "aws_vpc.main")
    failed.done("aws_vpc.main")
    failed.fail("aws_db_instance.orders", "creating the instance: no subnet covers two zones", LONG_DETAIL)
    failed.end(1)

    lost = pipeline.run("aws_lb.edge", stack="edge/prod", action="update")
    lost.start("aws_lb.edge")
    _silent_for(lost.id, 2_000_000)

    quiet = pipeline.run("aws_instance.worker", stack="batch/staging")
    quiet.start("aws_instance.worker")
    _silent_for(quiet.id, 42_000)

    moving = pipeline.run("aws_ecs_service.checkout", "aws_route53_zone.shop", "aws_iam_role.deploy", stack="shop/prod")
    moving.start("aws_ecs_service.checkout")

    card = {
        name: f"/p/{resource_at(address).id}"
        for name, address in {
            "success": "aws_instance.bastion",
            "error": "aws_db_instance.orders",
            "stalled": "aws_lb.edge",
            "quiet": "aws_instance.worker",
            "provisioning": "aws_ecs_service.checkout",
            "planned": "aws_route53_zone.shop",
            "deleted": "aws_instance.gone",
            "idle": "aws_instance.after",
            "long name": LONG_NAME,
            "right to left": RIGHT_TO_LEFT,
        }.items()
    }
    pages = {
        "dashboard": "/",
        "dashboard narrowed": "/?status=error",
        "dashboard without a match": "/?q=nothing-like-it",
        **{f"card {name}": path for name, path in card.items()},
        "history": f"{card['error']}/history",
        "runs": "/runs",
        "run done": f"/runs/{done.id}",
        "run failed": f"/runs/{failed.id}",
        "run lost": f"/runs/{lost.id}",
        "run moving": f"/runs/{moving.id}",
        "stacks": "/stacks",
        "stack": f"/stacks/{Stack.get(Stack.name == 'shop/prod').id}",
    }
    return Stage(pages)


def _silent_for(run_id: str, milliseconds: int) -> None:
    Run.update(last_word_at=now_ms() - milliseconds).where(Run.id == run_id).execute()
    liveness.watch(now_ms(), quiet_after_ms=30_000, lost_after_ms=900_000)
