"""The two queries of the contract: get_provision_status and list_provisioning_operations."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from models import (
    Database,
    Dock,
    Domain,
    Organization,
    Resource,
    Role,
    Server,
    Stack,
    User,
    WebService,
    database,
)
from provisioning import polls, queries, run_queries
from provisioning.errors import AmbiguousProvision, BadInput, MissingPermission, NotAMember, ProvisionNotFound
from provisioning.filters import Filters
from provisioning.readers import Reader
from provisioning.resources import TABLES
from tests.harness.cast import NOW, Cast, make_member
from tests.harness.statements import assert_index_only, count_statements
from tests.provisioning.story import Story, resource_at, tell

CONTRACT_KEYS = {
    "provisionId", "status", "resourceId", "resourceType", "provider", "dockId", "progress", "createdAt", "updatedAt",
    "provisioningSource",
}  # fmt: skip


def make(table: type[Resource], organization: Organization, **values: Any) -> Any:
    """A resource as a dock or a form would store it."""
    defaults = {
        "name": "thing", "provider": "aws", "provisioning_source": "api", "created_at": NOW, "updated_at": NOW,
        "state_changed_at": NOW, "section": 2,
    }  # fmt: skip
    return table.create(organization=organization, **defaults | values)


def reader(user: User) -> Reader:
    return Reader(user_id=user.id)


@contextmanager
def plans() -> Iterator[Callable[..., None]]:
    """Collect statements, and check in the end that each is answered from indexes alone."""
    asked: list[tuple[str, Any]] = []
    opened = database.obj

    def remember(event: Any) -> None:
        asked.append((event.sql, event.params))

    opened.query_hooks.append(remember)

    def check(*, allow: tuple[str, ...] = ()) -> None:
        opened.query_hooks.remove(remember)
        assert asked
        for sql, parameters in asked:
            plan = assert_index_only(sql, parameters or (), allow=allow)
            sorts = [line for line in plan if "TEMP B-TREE FOR ORDER BY" in line or "Sort  (" in line]
            sorts += [line for line in plan if line.strip().removeprefix("->").strip() in ("Sort", "Incremental Sort")]
            # One for the united page; a second would be a part that its index does not order.
            assert len(sorts) <= 1, "\n".join(plan)

    yield check


# --- The status table


@pytest.mark.parametrize(
    ("values", "status", "progress", "error"),
    [
        ({"provisioning_state": None, "card_status": "idle"}, "idle", 0, None),
        ({"provisioning_state": None, "card_status": "validating", "planned_run": "run_x"}, "validating", 0, None),
        (
            {"provisioning_state": "provisioned", "card_status": "validating", "planned_run": "run_x"},
            "validating", 0, None,
        ),
        ({"provisioning_state": "failed", "card_status": "validating", "planned_run": "run_x"}, "validating", 0, None),
        ({"provisioning_state": "provisioning", "card_status": "provisioning"}, "provisioning", 50, None),
        (
            {"provisioning_state": "provisioning", "card_status": "provisioning", "own_steps": 1},
            "provisioning", 50, None,
        ),
        (
            {"provisioning_state": "provisioning", "card_status": "provisioning", "own_steps": 7, "own_steps_done": 3},
            "provisioning", 43, None,
        ),
        ({"provisioning_state": "deprovisioning", "card_status": "provisioning"}, "provisioning", 50, None),
        ({"provisioning_state": "provisioned", "card_status": "success"}, "success", 100, None),
        ({"provisioning_state": "failed", "card_status": "error"}, "error", 0, "Provisioning failed"),
        (
            {"provisioning_state": "failed", "card_status": "error", "error_summary": "from the event"},
            "error", 0, "from the event",
        ),
        (
            {
                "provisioning_state": "failed", "card_status": "error", "error_summary": "from the event",
                "full_api_data": {"error": {"message": "quota exceeded"}},
            },
            "error", 0, "quota exceeded",
        ),
        (
            {"provisioning_state": "failed", "card_status": "error", "full_api_data": {"error": {"message": 5}}},
            "error", 0, "Provisioning failed",
        ),
        (
            {"provisioning_state": "failed", "card_status": "error", "full_api_data": {"error": "flat"}},
            "error", 0, "Provisioning failed",
        ),
    ],
)  # fmt: skip
@pytest.mark.parametrize("kind", list(TABLES))
def test_the_status_table(
    cast: Cast, kind: str, values: dict[str, Any], status: str, progress: int, error: str | None
) -> None:
    row = make(TABLES[kind], cast.organization, **values)
    body = queries.get_provision_status(reader(cast.viewer), row.id).as_json()
    assert body["status"] == status
    assert body["progress"] == progress
    assert body.get("error") == error
    assert body["resourceType"] == kind
    assert body.keys() >= CONTRACT_KEYS


def test_stalled_work_is_still_what_it_was_doing_in_the_contract(cast: Cast) -> None:
    row = make(Server, cast.organization, provisioning_state="provisioning", card_status="stalled")
    assert queries.get_provision_status(reader(cast.viewer), row.id).as_json()["status"] == "provisioning"


def test_created_at_is_when_it_was_provisioned(cast: Cast) -> None:
    fresh = make(Server, cast.organization, created_at=1, state_changed_at=3)
    made = make(Server, cast.organization, created_at=1, provisioned_at=2, state_changed_at=3)
    body = queries.get_provision_status(reader(cast.viewer), fresh.id).as_json()
    assert (body["createdAt"], body["updatedAt"]) == (1, 3)
    assert queries.get_provision_status(reader(cast.viewer), made.id).as_json()["createdAt"] == 2


# --- Three kinds of id


@pytest.mark.parametrize("table", [Server, WebService, Database, Domain])
@pytest.mark.parametrize("column", ["id", "sst_resource_id", "provider_resource_id"])
def test_it_finds_by_each_kind_of_id_in_each_table(cast: Cast, table: type[Resource], column: str) -> None:
    row = make(table, cast.organization, sst_resource_id="MyWeb", provider_resource_id="i-1")
    found = queries.get_provision_status(reader(cast.viewer), getattr(row, column))
    assert found.id == row.id


def test_an_own_id_goes_before_an_sst_id_before_a_provider_id(cast: Cast) -> None:
    first = make(Server, cast.organization)
    second = make(Database, cast.organization, sst_resource_id=first.id)
    make(Domain, cast.organization, provider_resource_id=first.id)
    assert queries.get_provision_status(reader(cast.viewer), first.id).id == first.id
    third = make(Domain, cast.organization, provider_resource_id="MyDb")
    make(Database, cast.organization, sst_resource_id="MyDb", name="by sst")
    assert queries.get_provision_status(reader(cast.viewer), "MyDb").name == "by sst"
    assert {second.id, third.id}.isdisjoint({first.id})


def test_more_than_one_match_is_ambiguous_with_the_candidates(cast: Cast) -> None:
    prod = Stack.create(organization=cast.organization, engine="sst", name="shop/prod", created_at=NOW)
    dev = Stack.create(organization=cast.organization, engine="sst", name="shop/dev", created_at=NOW)
    one = make(WebService, cast.organization, sst_resource_id="MyWeb", stack=prod)
    other = make(Server, cast.organization, sst_resource_id="MyWeb", stack=dev)
    with pytest.raises(AmbiguousProvision) as caught:
        queries.get_provision_status(reader(cast.viewer), "MyWeb")
    assert {candidate[0] for candidate in caught.value.candidates} == {one.id, other.id}
    assert queries.get_provision_status(reader(cast.viewer), "MyWeb", stack="shop/dev").id == other.id
    assert queries.get_provision_status(reader(cast.viewer), "MyWeb", stack=prod.id).id == one.id


def test_a_dock_narrows_a_provider_id(cast: Cast) -> None:
    docks = [
        Dock.create(organization=cast.organization, name=name, provider="hetzner", created_at=NOW)
        for name in ("east", "west")
    ]
    rows = [make(Server, cast.organization, provider_resource_id="42", dock=dock) for dock in docks]
    with pytest.raises(AmbiguousProvision):
        queries.get_provision_status(reader(cast.viewer), "42")
    assert queries.get_provision_status(reader(cast.viewer), "42", dock="west").id == rows[1].id


def test_what_was_deleted_does_not_make_its_successor_ambiguous(cast: Cast) -> None:
    make(Server, cast.organization, sst_resource_id="MyWeb", deleted_at=NOW, card_status="deleted", section=None)
    alive = make(WebService, cast.organization, sst_resource_id="MyWeb")
    assert queries.get_provision_status(reader(cast.viewer), "MyWeb").id == alive.id


# --- Who may see


def test_another_tenants_equal_id_neither_shows_nor_hides(cast: Cast) -> None:
    theirs = make(Server, cast.other_organization, sst_resource_id="MyWeb", provider_resource_id="i-1")
    ours = make(Server, cast.organization, sst_resource_id="MyWeb", provider_resource_id="i-1")
    for given in ("MyWeb", "i-1"):
        assert queries.get_provision_status(reader(cast.viewer), given).id == ours.id
        assert queries.get_provision_status(reader(cast.stranger), given).id == theirs.id
    for user, hidden in ((cast.viewer, theirs), (cast.stranger, ours)):
        with pytest.raises(ProvisionNotFound):
            queries.get_provision_status(reader(user), hidden.id)


def test_not_found_and_not_yours_read_the_same(cast: Cast) -> None:
    theirs = make(Server, cast.other_organization)
    said = []
    for given in (theirs.id, theirs.id[:-1] + "0"):
        with pytest.raises(ProvisionNotFound) as caught:
            queries.get_provision_status(reader(cast.viewer), given)
        said.append(str(caught.value).replace(given, "ID"))
    assert said[0] == said[1]


def test_a_member_without_the_permission_is_told_which_and_who(cast: Cast) -> None:
    row = make(Server, cast.organization)
    with pytest.raises(MissingPermission) as caught:
        queries.get_provision_status(reader(cast.outsider), row.id)
    assert caught.value.permission == "provisioning:read"
    assert caught.value.givers == ["Ada Owner"]


def test_a_token_sees_its_one_organisation(cast: Cast) -> None:
    ours, theirs = make(Server, cast.organization), make(Server, cast.other_organization)
    token = Reader(organization_id=cast.organization.id)
    assert queries.get_provision_status(token, ours.id).id == ours.id
    with pytest.raises(ProvisionNotFound):
        queries.get_provision_status(token, theirs.id)


def test_a_user_of_two_organisations_sees_both(cast: Cast) -> None:
    make_member(cast.other_organization, cast.viewer.email, "Ada", "Viewer", {"provisioning": "read"})
    theirs = make(Server, cast.other_organization)
    assert queries.get_provision_status(reader(cast.viewer), theirs.id).id == theirs.id


# --- The list


def test_the_list_is_most_recently_updated_first_over_all_tables(cast: Cast) -> None:
    rows = [
        make(table, cast.organization, state_changed_at=NOW + place, name=f"n{place}")
        for place, table in enumerate([Domain, Server, WebService, Database, Server])
    ]
    make(Server, cast.organization, provisioning_source=None, section=None)
    make(Server, cast.other_organization)
    page = queries.list_provisioning_operations(reader(cast.viewer), cast.organization.id)
    assert [one.id for one in page.items] == [row.id for row in reversed(rows)]
    assert page.next_cursor is None


@pytest.mark.parametrize("limit", [1, 2, 3, 7])
def test_pages_join_into_the_whole_list(cast: Cast, limit: int) -> None:
    for place in range(7):
        make(list(TABLES.values())[place % 4], cast.organization, state_changed_at=NOW + place // 3)
    whole = [one.id for one in queries.list_provisioning_operations(reader(cast.viewer)).items]
    seen: list[str] = []
    cursor = None
    while True:
        page = queries.list_provisioning_operations(reader(cast.viewer), limit=limit, cursor=cursor)
        seen += [one.id for one in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert seen == whole
    assert len(set(whole)) == 7


def test_without_an_organisation_it_is_the_default_one(cast: Cast) -> None:
    row = make(Server, cast.organization)
    make_member(cast.other_organization, cast.viewer.email, "Ada", "Viewer", {"provisioning": "read"}, NOW + 1)
    make(Server, cast.other_organization)
    assert [one.id for one in queries.list_provisioning_operations(reader(cast.viewer)).items] == [row.id]


def test_without_any_membership_it_is_empty(cast: Cast) -> None:
    nobody = User.create(email="nobody@example.org", password_hash="x", created_at=NOW)
    assert queries.list_provisioning_operations(reader(nobody)).items == []


def test_lists_of_other_organisations_are_refused(cast: Cast) -> None:
    with pytest.raises(NotAMember):
        queries.list_provisioning_operations(reader(cast.viewer), cast.other_organization.id)
    with pytest.raises(MissingPermission):
        queries.list_provisioning_operations(reader(cast.outsider), cast.organization.id)


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        (Filters(status="error"), {"db"}),
        (Filters(type="database"), {"db"}),
        (Filters(provider="hetzner"), {"srv"}),
        (Filters(source="manual"), {"dom"}),
        (Filters(q="CHECKOUT"), {"web"}),
        (Filters(q="100%"), set()),
        (Filters(q="prod"), {"web"}),
        (Filters(q="i-77"), {"srv"}),
        (Filters(status="success", type="server"), {"srv"}),
    ],
)
def test_filters_narrow(cast: Cast, filters: Filters, expected: set[str]) -> None:
    stack = Stack.create(organization=cast.organization, engine="terraform", name="prod", created_at=NOW)
    make(Server, cast.organization, provider="hetzner", card_status="success", provider_resource_id="i-77")
    make(Database, cast.organization, card_status="error", provisioning_state="failed")
    make(WebService, cast.organization, name="checkout-api", stack=stack)
    make(Domain, cast.organization, provisioning_source="manual")
    found = queries.list_provisioning_operations(reader(cast.viewer), filters=filters).items
    assert {one.id.split("_")[0] for one in found} == expected
    shown = queries.dashboard(reader(cast.viewer), None, filters=filters).cards
    assert {one.id for one in shown} == {one.id for one in found}


def test_a_cursor_that_is_none_is_refused(cast: Cast) -> None:
    for cursor in ("x", "1", "a.b", "99999999999999999999999.srv_1"):
        with pytest.raises(BadInput):
            queries.list_provisioning_operations(reader(cast.viewer), cursor=cursor)


# --- The dashboard


def test_the_dashboard_has_sections_in_order_and_pages(cast: Cast) -> None:
    story = Story(start=NOW)
    story.planned("web").planned("db").planned("dns").total(3)
    story.started("db").failed("db").error("db", "no").started("web").done("web")
    tell(cast.organization.id, story.lines, NOW + 60_000)
    page = queries.dashboard(reader(cast.viewer), None, filters=Filters())
    assert [section.label for section in page.sections] == ["Needs attention", "In progress", "Done"]
    assert [section.count for section in page.sections] == [1, 1, 1]
    assert [card.address for card in page.cards] == [
        "aws_db_instance.orders",
        "aws_route53_record.shop",
        "aws_instance.web",
    ]
    seen, cursor = [], None
    for _ in range(3):
        part = queries.dashboard(reader(cast.viewer), None, filters=Filters(), cursor=cursor, limit=1)
        seen += [card.id for card in part.cards]
        cursor = part.next_cursor
    assert seen == [card.id for card in page.cards]
    assert cursor is None


def test_a_change_that_moves_no_card_swaps_only_that_card(cast: Cast) -> None:
    story = Story(start=NOW).planned("web", "replace").planned("db").total(3).started("web", "delete")
    tell(cast.organization.id, story.lines, NOW + 60_000)
    asking = reader(cast.viewer)
    before = queries.dashboard(asking, None, filters=Filters())
    row = resource_at("db")
    Database.update(note="seen", revision=before.revision + 1).where(Database.id == row.id).execute()
    answer = queries.dashboard_changes(
        asking, None, filters=Filters(), cursor=None, since=before.revision, shown=before.digest
    )
    assert [card.id for card in answer.changed or []] == [row.id]
    story.done("web", "delete").started("web").done("web")
    tell(cast.organization.id, story.lines[4:], NOW + 60_000)
    answer = queries.dashboard_changes(
        asking, None, filters=Filters(), cursor=None, since=before.revision, shown=before.digest
    )
    assert answer.changed is None


# --- What it costs


def fill(cast: Cast) -> Story:
    """A stack with one card in each section."""
    story = Story(start=NOW).planned("web").planned("db").planned("dns").total(3)
    story.started("db").failed("db").error("db", "no").started("web").done("web").started("dns")
    tell(cast.organization.id, story.lines, NOW + 60_000)
    return story


def test_a_poll_is_one_statement_answered_from_indexes(cast: Cast) -> None:
    fill(cast)
    identity = (cast.viewer.id, cast.viewer.version)
    organization = Organization.get_by_id(cast.organization.id)
    row = resource_at("web")
    run = run_queries.list_runs(reader(cast.viewer)).runs[0]
    assert run.stack_id is not None
    polled: list[tuple[Callable[[tuple[str, int], str, int], bool], str, int]] = [
        (polls.dashboard_unchanged, organization.id, organization.revision),
        (polls.card_unchanged, row.id, row.revision),
        (polls.run_unchanged, run.id, run.revision),
        (polls.stack_unchanged, run.stack_id, run.revision),
    ]
    for ask, given, revision in polled:
        with plans() as check, count_statements() as statements:
            assert ask(identity, given, revision)
        assert len(statements) == 1
        check()
        assert not ask(identity, given, revision + 1)


def test_a_poll_of_a_session_that_ended_or_may_not_read_is_never_unchanged(cast: Cast) -> None:
    fill(cast)
    row = resource_at("web")
    for user, version in ((cast.viewer, 2), (cast.outsider, 1), (cast.stranger, 1)):
        assert not polls.card_unchanged((user.id, version), row.id, row.revision)
        assert not polls.dashboard_unchanged((user.id, version), cast.organization.id, 1)
    Role.update(provisioning="none").where(Role.name == "Viewer").execute()
    assert not polls.card_unchanged((cast.viewer.id, 1), row.id, row.revision)


@pytest.mark.parametrize("column", ["id", "sst_resource_id", "provider_resource_id"])
def test_look_ups_are_answered_from_indexes(cast: Cast, column: str) -> None:
    row = make(Server, cast.organization, sst_resource_id="MyWeb", provider_resource_id="i-1")
    with plans() as check, count_statements() as statements:
        queries.get_provision_status(reader(cast.viewer), getattr(row, column))
    assert len(statements) == {"id": 1, "sst_resource_id": 1, "provider_resource_id": 2}[column]
    check(allow=UNITED)


# What SQLite and PostgreSQL say of reading the united parts, which hold a page of rows at most, and of putting these
# few in order; each part itself is answered from its index.
UNITED = (
    "SCAN u", "SCAN (subquery", "SCAN server_part", "SCAN webService_part", "SCAN database_part", "SCAN domain_part",
    "USE TEMP B-TREE FOR ORDER BY", "CO-ROUTINE", "Sort",
)  # fmt: skip


def test_lists_are_answered_from_indexes_in_few_statements(cast: Cast) -> None:
    fill(cast)
    asking = reader(cast.viewer)
    for ask, most in (
        (lambda: queries.list_provisioning_operations(asking), 3),
        (lambda: queries.dashboard(asking, None, filters=Filters()), 5),
        (lambda: run_queries.list_runs(asking), 3),
    ):
        with plans() as check, count_statements() as statements:
            ask()
        assert len(statements) <= most, statements
        check(allow=UNITED)


def test_stacks_are_listed_and_offered_from_indexes(cast: Cast) -> None:
    stack = Stack.create(organization=cast.organization, engine="terraform", name="prod", created_at=NOW)
    with plans() as check:
        queries.choices(cast.organization.id, chosen_stack=stack.id)
        token = Reader(organization_id=cast.organization.id)
        run_queries.list_stacks(token)
        run_queries.list_stacks(token, cursor=f"5.{stack.id}")
        # The few rows of the recursion, and the statuses of one page's stacks.
        check(allow=("SCAN found", "CTE Scan on found", "WorkTable Scan", "TEMP B-TREE FOR GROUP BY"))
