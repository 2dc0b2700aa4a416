"""Fills a database with organisations of different sizes: rows as a finished and some running runs leave them."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass

from models import RESOURCE_TABLES, Organization, Run, Stack, database
from models.base import ulid
from provisioning.accounts import add_person
from provisioning.audit import COMMAND_LINE
from provisioning.claims import section
from provisioning.members import create_organization, preset_role_id
from provisioning.shares import create_link
from provisioning.states import CardStatus
from provisioning.status_counts import add_counts

PASSWORD = "only for the bench 1234"

# Of a hundred resources: three failed, two in progress, the rest done; the tables as a cloud fills them.
STATUSES = (
    [(CardStatus.ERROR, "failed")] * 3
    + [(CardStatus.PROVISIONING, "provisioning")] * 2
    + [(CardStatus.SUCCESS, "provisioned")] * 95
)
# SQLite takes 32,766 parameters in a statement, PostgreSQL 65,535: thirty columns, so this many rows.
ROWS_AT_ONCE = 500


@dataclass(frozen=True)
class Filled:
    """One organisation, the sign-in of its viewer, a resource that is done, and a share link to it."""

    name: str
    email: str
    organization_id: str
    card_id: str
    share_token: str
    """Of a link to that resource."""


def fill_organization(slug: str, resources: int, now: int) -> Filled:
    """Make an organisation with so many listed resources in one stack per fifty, and one who may read them."""
    organization = create_organization(slug=slug, name=slug.title(), actor=COMMAND_LINE, now=now)
    email = f"viewer@{slug}.example"
    add_person(
        organization_id=organization.id,
        email=email,
        name="Bench Viewer",
        password=PASSWORD,
        role_id=preset_role_id(organization.id, "Viewer"),
        actor=COMMAND_LINE,
        now=now,
    )
    # The same data each time.
    rng = random.Random(slug)
    counts: Counter[str] = Counter()
    card_id = ""
    with database.atomic():
        stacks = [_stack_with_run(organization, number, now) for number in range(max(1, resources // 50))]
        rows: dict[type, list[dict[str, object]]] = {table: [] for table in RESOURCE_TABLES}
        for number in range(resources):
            table = RESOURCE_TABLES[number % len(RESOURCE_TABLES)]
            status, state = rng.choice(STATUSES)
            counts[str(status)] += 1
            stack_id, run_id = stacks[number % len(stacks)]
            changed = now - rng.randrange(30 * 86_400_000)
            row: dict[str, object] = {
                "id": f"{table.id.prefix}_{ulid()}",
                "organization": organization.id,
                "stack": stack_id,
                "address": f"module.app[{number}].cloud_thing.this",
                "tool_type": "cloud_thing",
                "provider": rng.choice(["aws", "google", "hetzner"]),
                "provider_resource_id": f"{slug}-{number}",
                "name": f"thing-{number}",
                "full_api_data": {"id": f"{slug}-{number}"},
                "provisioning_source": "api",
                "provisioning_state": state,
                "operation": "create",
                "error_summary": "Quota exceeded" if status is CardStatus.ERROR else "",
                "run_id": run_id,
                "claim_run": run_id,
                "claim_at": changed,
                "card_status": str(status),
                "section": section(status, listed=True),
                "operation_started_at": changed - 60_000,
                "operation_ended_at": None if status is CardStatus.PROVISIONING else changed,
                "provisioned_at": changed,
                "created_at": changed - 60_000,
                "updated_at": changed,
                "state_changed_at": changed,
                "revision": 1,
            }
            rows[table].append(row)
            if status is CardStatus.SUCCESS:
                card_id = str(row["id"])
        for table, batch in rows.items():
            for start in range(0, len(batch), ROWS_AT_ONCE):
                table.insert_many(batch[start : start + ROWS_AT_ONCE]).execute()
        add_counts(organization.id, Counter(), counts)
        Organization.update(revision=1).where(Organization.id == organization.id).execute()
    link = create_link(
        organization_id=organization.id,
        subject=card_id,
        fields="status",
        expires_in_s=None,
        actor=COMMAND_LINE,
        now=now,
    )
    return Filled(name=slug, email=email, organization_id=organization.id, card_id=card_id, share_token=link.token)


def _stack_with_run(organization: Organization, number: int, now: int) -> tuple[str, str]:
    stack = Stack.create(
        organization=organization,
        engine="terraform",
        name=f"stack-{number}",
        last_run_at=now,
        revision=1,
        created_at=now,
    )
    run = Run.create(
        organization=organization,
        stack=stack,
        key=f"bench-{number}",
        engine="terraform",
        command="terraform apply",
        phase="finished",
        outcome="succeeded",
        planned_count=50,
        completed_count=50,
        total_known=True,
        started_at=now - 600_000,
        ended_at=now - 300_000,
        last_word_at=now - 300_000,
        end_code="0",
        revision=1,
    )
    return stack.id, run.id
