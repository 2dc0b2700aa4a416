"""What pages and the API ask about resources. Every answer is scoped to what the reader may see."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from peewee import ModelSelect

from models import Dock, Event, Membership, Role, Stack, database
from provisioning.card_rows import TABLE_NAMES, part, rows_of
from provisioning.cursors import newest_first, page_of, read_cursor
from provisioning.errors import AmbiguousProvision, MissingPermission, NotAMember, ProvisionNotFound
from provisioning.filters import Filters
from provisioning.permissions import givers
from provisioning.readers import Reader
from provisioning.resources import KIND_OF_PREFIX
from provisioning.revisions import revision_of
from provisioning.rows import rows
from provisioning.states import CARD_LOOKS, CardStatus, Section
from provisioning.status import Fault, HistoryEntry, ProvisionStatus
from provisioning.status_counts import status_counts
from provisioning.wording import event_text, reason_text

PAGE_SIZE = 50
MOST_OFFERED = 50
"""How many stacks a dashboard's filter offers: a page must not grow with the organisation."""
_SECTION_LABELS = {
    Section.ATTENTION: "Needs attention",
    Section.IN_PROGRESS: "In progress",
    Section.DONE: "Done",
}


@dataclass(frozen=True, slots=True)
class OperationsPage:
    """One page of a list; `next_cursor` is None on the last one."""

    items: list[ProvisionStatus]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class DashboardSection:
    """One section of a dashboard's page."""

    section: Section
    label: str
    cards: list[ProvisionStatus]
    count: int | None
    """How many there are in all; None where filters make that unknown."""


@dataclass(frozen=True, slots=True)
class Choices:
    """What the filters offer: providers, and (id, name) of docks and of the stacks that ran last."""

    providers: list[str]
    stacks: list[tuple[str, str]]
    more_stacks: bool
    """Whether there are others, which the search finds."""
    docks: list[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dashboard:
    """A page of the dashboard at one revision. `digest` names the cards on it, in their order and sections."""

    organization_id: str
    revision: int
    digest: str
    sections: list[DashboardSection]
    counts: dict[CardStatus, int]
    next_cursor: str | None
    has_any: bool

    @property
    def cards(self) -> list[ProvisionStatus]:
        """All cards, in their order."""
        return [card for section in self.sections for card in section.cards]

    @property
    def is_moving(self) -> bool:
        """Whether something is in progress: then the page polls fast."""
        return bool(self.counts.get(CardStatus.VALIDATING, 0) + self.counts.get(CardStatus.PROVISIONING, 0))


@dataclass(frozen=True, slots=True)
class DashboardChanges:
    """What a poll must swap: `changed` cards, or everything where it is None."""

    dashboard: Dashboard
    changed: list[ProvisionStatus] | None


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """A resource's history, newest first."""

    status: ProvisionStatus
    entries: list[HistoryEntry]
    next_cursor: str | None


def get_provision_status(
    reader: Reader, provision_id: str, *, stack: str | None = None, dock: str | None = None
) -> ProvisionStatus:
    """The status of the resource with this id: its own, else an SST resource id, else a provider resource id.

    `stack` and `dock` (id or name) narrow an SST or provider id that several resources have.
    Raises `ProvisionNotFound` where the reader may see none (whether or not one exists elsewhere), `AmbiguousProvision`
    where several match, `MissingPermission` where the user is a member without `provisioning:read`.
    """
    for found in _matches(reader, provision_id, stack=stack, dock=dock):
        alive = [one for one in found if one.deleted_at is None] or found
        if len(alive) > 1:
            raise AmbiguousProvision(provision_id, [(one.id, one.name, one.stack_name, one.dock_name) for one in alive])
        if alive:
            return alive[0]
    _refuse_member(reader, provision_id)
    raise ProvisionNotFound(f"There is no resource {provision_id!r} here.")


def _matches(
    reader: Reader, provision_id: str, *, stack: str | None, dock: str | None
) -> Iterable[list[ProvisionStatus]]:
    mark = database.param
    scope, scope_values = reader.scope(mark, "r.organization_id")
    kind = KIND_OF_PREFIX.get(provision_id.split("_", 1)[0])
    if kind is not None:
        yield rows_of([part(kind, f"r.id = {mark} AND {scope}")], [provision_id, *scope_values])
    narrow, narrow_values = "", []
    for column, table, value in (("stack_id", "stack", stack), ("dock_id", "dock", dock)):
        if value:
            narrow += f" AND r.{column} IN (SELECT x.id FROM {table} x WHERE x.id = {mark} OR x.name = {mark})"
            narrow_values += [value, value]
    for column in ("sst_resource_id", "provider_resource_id"):
        condition = f"r.{column} = {mark} AND {scope}{narrow}"
        parts = [part(one, condition) for one in TABLE_NAMES]
        yield rows_of(parts, [provision_id, *scope_values, *narrow_values] * len(parts))


def _refuse_member(reader: Reader, provision_id: str) -> None:
    """Tell a member who lacks the permission apart from somebody who has no business here."""
    kind = KIND_OF_PREFIX.get(provision_id.split("_", 1)[0])
    if reader.user_id is None or kind is None:
        return
    mark = database.param
    row = database.execute_sql(
        f'SELECT r.organization_id FROM "{TABLE_NAMES[kind]}" r JOIN membership m '
        f"ON m.organization_id = r.organization_id AND m.user_id = {mark} WHERE r.id = {mark}",
        (reader.user_id, provision_id),
    ).fetchone()
    if row is not None:
        raise MissingPermission("provisioning:read", row[0], givers(row[0]))


def readable_organization(reader: Reader, organization_id: str | None) -> str | None:
    """The organisation whose lists the reader asks for; without one, the user's first. None: no membership at all.

    Raises `NotAMember` for an organisation that is not the reader's, `MissingPermission` for a member who may not read.
    """
    if reader.organization_id is not None:
        if organization_id not in (None, reader.organization_id):
            raise NotAMember("There is no such organisation here.")
        return reader.organization_id
    query = (
        Membership.select(Membership.organization, Role.provisioning)
        .join(Role)
        .where(Membership.user == reader.user_id)
        .order_by(Membership.created_at, Membership.id)
    )
    if organization_id is not None:
        query = query.where(Membership.organization == organization_id)
    row = query.tuples().first()
    if row is None:
        if organization_id is not None:
            raise NotAMember("There is no such organisation here.")
        return None
    if row[1] not in ("read", "full"):
        raise MissingPermission("provisioning:read", row[0], givers(row[0]))
    return str(row[0])


def list_provisioning_operations(
    reader: Reader,
    organization_id: str | None = None,
    *,
    filters: Filters | None = None,
    cursor: str | None = None,
    limit: int = PAGE_SIZE,
) -> OperationsPage:
    """All resources with a provisioning source, most recently updated first, `limit` a page.

    Without an organisation: the user's default one; without any membership: an empty page.
    """
    organization = readable_organization(reader, organization_id)
    if organization is None:
        return OperationsPage([], None)
    mark = database.param
    parts, values = [], []
    place = read_cursor(cursor, numbers=1)
    conditions, condition_values, kinds = _conditions(filters or Filters())
    for kind in kinds:
        condition = f"r.organization_id = {mark} AND r.section IS NOT NULL{conditions}"
        values += [organization, *condition_values]
        if place is not None:
            condition += f" AND (r.state_changed_at, r.id) < ({mark}, {mark})"
            values += [place[0][0], place[1]]
        parts.append(part(kind, condition, tail=f"ORDER BY r.state_changed_at DESC, r.id DESC LIMIT {mark}"))
        values.append(limit + 1)
    found = rows_of(parts, [*values, limit + 1], tail=f"ORDER BY u.state_changed_at DESC, u.id DESC LIMIT {mark}")
    return OperationsPage(*page_of(found, limit, lambda card: (card.updated_at, card.id)))


def dashboard(
    reader: Reader,
    organization_id: str | None,
    *,
    filters: Filters,
    cursor: str | None = None,
    limit: int = PAGE_SIZE,
) -> Dashboard:
    """One page of the dashboard: what needs attention, what is in progress, what is done, each latest first."""
    organization = readable_organization(reader, organization_id)
    if organization is None:
        return Dashboard(
            organization_id="", revision=0, digest=digest([]), sections=[], counts={}, next_cursor=None, has_any=False
        )
    revision = revision_of(organization)
    counts = {CardStatus(name): count for name, count in status_counts(organization).items()}
    cards, next_cursor = page_of(
        _dashboard_rows(organization, filters, cursor, limit + 1),
        limit,
        lambda card: (int(_section_of(card)), card.updated_at, card.id),
    )
    by_section: dict[Section, list[ProvisionStatus]] = {section: [] for section in Section}
    for card in cards:
        by_section[_section_of(card)].append(card)
    totals: dict[Section, int] = dict.fromkeys(Section, 0)
    for status, count in counts.items():
        place = CARD_LOOKS[status].section
        if place is not None:
            totals[place] += count
    sections = [
        DashboardSection(section, _SECTION_LABELS[section], shown, totals[section] if filters.is_empty else None)
        for section, shown in by_section.items()
        if shown
    ]
    return Dashboard(
        organization_id=organization,
        revision=revision,
        digest=digest(cards),
        sections=sections,
        counts=counts,
        next_cursor=next_cursor,
        has_any=bool(counts),
    )


def dashboard_changes(
    reader: Reader,
    organization_id: str | None,
    *,
    filters: Filters,
    cursor: str | None,
    since: int,
    shown: str,
) -> DashboardChanges:
    """What a page that shows the cards of digest `shown` at revision `since` must swap to equal a new one."""
    now = dashboard(reader, organization_id, filters=filters, cursor=cursor)
    if now.digest != shown:
        return DashboardChanges(now, None)
    return DashboardChanges(now, [card for card in now.cards if card.revision > since])


def digest(cards: Sequence[ProvisionStatus]) -> str:
    """Names which cards a page shows, in which order and section; not what they say."""
    text = "\n".join(f"{_section_of(card)} {card.id}" for card in cards)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def choices(organization_id: str, *, chosen_stack: str = "") -> Choices:
    """What the filters of an organisation's dashboard offer; the chosen stack too, however long ago it ran."""
    mark = database.param
    providers: set[str] = set()
    for table in TABLE_NAMES.values():
        providers.update(_distinct_providers(table, organization_id, mark))
    of_organization = Stack.select(Stack.id, Stack.name).where(Stack.organization == organization_id)
    found = rows(of_organization.order_by(Stack.last_run_at.desc(), Stack.id.desc()).limit(MOST_OFFERED + 1))
    stacks = found[:MOST_OFFERED]
    if chosen_stack and chosen_stack not in [stack_id for stack_id, _ in stacks]:
        stacks += rows(of_organization.where(Stack.id == chosen_stack))
    docks = Dock.select(Dock.id, Dock.name).where(Dock.organization == organization_id).order_by(Dock.name)
    return Choices(
        sorted(providers),
        sorted(stacks, key=lambda one: one[1].lower()),
        len(found) > MOST_OFFERED,
        list(docks.limit(500).tuples()),
    )


def _distinct_providers(table: str, organization_id: str, mark: str) -> list[str]:
    """The providers of a table, each found by one step through its index, however many rows there are."""
    sql = (
        "WITH RECURSIVE found(provider) AS ("
        f'SELECT MIN(provider) FROM "{table}" WHERE organization_id = {mark} '
        f'UNION ALL SELECT (SELECT MIN(provider) FROM "{table}" WHERE organization_id = {mark} '
        "AND provider > found.provider) FROM found WHERE found.provider IS NOT NULL) "
        "SELECT provider FROM found WHERE provider IS NOT NULL AND provider <> ''"
    )
    return [row[0] for row in database.execute_sql(sql, (organization_id, organization_id)).fetchall()]


def _dashboard_rows(organization: str, filters: Filters, cursor: str | None, limit: int) -> list[ProvisionStatus]:
    mark = database.param
    place = read_cursor(cursor, numbers=2)
    first = place[0][0] if place is not None else int(Section.ATTENTION)
    conditions, condition_values, kinds = _conditions(filters)
    parts: list[str] = []
    values: list[object] = []
    for section in Section:
        if section < first:
            continue
        for kind in kinds:
            condition = f"r.organization_id = {mark} AND r.section = {int(section)}{conditions}"
            values += [organization, *condition_values]
            if place is not None and section == first:
                condition += f" AND (r.state_changed_at, r.id) < ({mark}, {mark})"
                values += [place[0][1], place[1]]
            parts.append(part(kind, condition, tail=f"ORDER BY r.state_changed_at DESC, r.id DESC LIMIT {mark}"))
            values.append(limit)
    return rows_of(parts, [*values, limit], tail=f"ORDER BY u.section, u.state_changed_at DESC, u.id DESC LIMIT {mark}")


def _conditions(filters: Filters) -> tuple[str, list[object], list[str]]:
    """The filters as SQL on r, its parameters, and the kinds that can match."""
    mark = database.param
    sql, values = "", list[object]()
    plain = (
        ("card_status", filters.status),
        ("provider", filters.provider),
        ("provisioning_source", filters.source),
        ("dock_id", filters.dock),
        ("stack_id", filters.stack),
    )
    for column, value in plain:
        if value:
            sql += f" AND r.{column} = {mark}"
            values.append(value)
    if filters.q:
        pattern = "%" + filters.q.lower().replace("!", "!!").replace("%", "!%").replace("_", "!_") + "%"
        columns = ("name", "address", "id", "provider_resource_id", "sst_resource_id")
        either = " OR ".join(f"LOWER(r.{column}) LIKE {mark} ESCAPE '!'" for column in columns)
        stacks = f"r.stack_id IN (SELECT x.id FROM stack x WHERE LOWER(x.name) LIKE {mark} ESCAPE '!')"
        sql += f" AND ({either} OR {stacks})"
        values += [pattern] * (len(columns) + 1)
    kinds = [filters.type] if filters.type else list(TABLE_NAMES)
    return sql, values, kinds


def history(reader: Reader, provision_id: str, *, cursor: str | None = None) -> HistoryPage:
    """What happened to a resource, newest first, `PAGE_SIZE` a page."""
    status = get_provision_status(reader, provision_id)
    events, next_cursor = page_of_events(Event.select().where(Event.resource == status.id), cursor, PAGE_SIZE)
    return HistoryPage(status, [history_entry(event) for event in events], next_cursor)


def page_of_events(query: ModelSelect, cursor: str | None, limit: int) -> tuple[list[Event], str | None]:
    """One page of a query on events, newest first, and the cursor of the next, None on the last one."""
    found = list(newest_first(query, Event.occurred_at, Event.id, cursor, limit))
    return page_of(found, limit, lambda event: (event.occurred_at, event.id))


def history_entry(event: Event) -> HistoryEntry:
    """An event as a line of history."""
    return HistoryEntry(
        id=event.id,
        at=event.occurred_at,
        received_at=event.received_at,
        kind=event.kind,
        text=event_text(event.kind, event.action, event.message),
        fault=Fault(event.diagnostic["summary"], event.diagnostic["detail"], event.diagnostic["where"])
        if event.diagnostic
        else None,
        state_before=event.state_before,
        state_after=event.state_after,
        reason_text=reason_text(event.reason),
        run_id=event.run_id,
    )


def _section_of(card: ProvisionStatus) -> Section:
    section = CARD_LOOKS[card.card_status].section
    return Section.DONE if section is None else section
