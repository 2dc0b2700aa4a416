"""Brings in what a state file says there is: existing resources, as provisioned, with no history invented.

A file is one transaction. What a run or a hand has said later than the state was written stays; where the state does
not say when that was (Terraform's never does), whatever anybody has said stays. Repeated, an import changes nothing.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from ingest.found import FoundResource, FoundState
from ingest.resource_types import classify, resource_name
from models import Event, Resource, Stack, database
from models.base import ulid
from models.writes import insert_rows, update_row
from provisioning.audit import Actor, write_deed
from provisioning.cards import refresh_card
from provisioning.errors import Refused
from provisioning.resources import FACT_COLUMNS, TABLES
from provisioning.revisions import lock_organization, next_revision
from provisioning.states import ENGINES, Liveness, ProvisioningState
from provisioning.status_counts import add_counts

TOOLS: dict[str, frozenset[str]] = {
    "terraform": frozenset({"terraform", "opentofu"}),
    "pulumi": frozenset({"pulumi"}),
    "sst": frozenset({"sst"}),
}
"""What may be asked for, and the engines whose states that are."""


@dataclass(slots=True, kw_only=True)
class Imported:
    """What became of one state. `older` is a sentence where it was older than one that was imported before: then
    nothing changed. `remarks` are (name, sentence) of what is not simply provisioned."""

    stack_id: str
    stack_name: str
    engine: str
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    kept: int = 0
    """Of which something newer is known, or nobody can tell which is newer."""
    gone: int = 0
    without_card: int = 0
    skipped: int = 0
    older: str = ""
    remarks: list[tuple[str, str]] = field(default_factory=list)

    @property
    def text(self) -> str:
        """Like "12 new, 1 changed, 30 of types without a card"."""
        parts = (
            (self.new, "new"),
            (self.changed, "changed"),
            (self.gone, "no longer there"),
            (self.unchanged, "as they were"),
            (self.kept, "left as a run or a member said"),
            (self.without_card, "of types without a card"),
            (self.skipped, "not understood"),
        )
        return self.older or ", ".join(f"{count} {words}" for count, words in parts if count) or "nothing in it"


@dataclass(frozen=True, slots=True)
class _Said:
    """What a state says of one card."""

    state: ProvisioningState
    operation: str | None
    reason: str
    error: str


def import_state(
    organization_id: str,
    stack_name: str,
    found: FoundState,
    *,
    tool: str,
    actor: Actor,
    now: int,
    show_builtin_types: bool = False,
) -> Imported:
    """Bring a state into a stack, made where there is none, and say what became of its resources.

    Raises `Refused` where the state is of another tool than `tool`, or another state than the one that was imported
    into this stack before.
    """
    engine = found.source if found.resources else next(iter(sorted(TOOLS[tool], reverse=True)))
    if engine not in TOOLS[tool]:
        raise Refused(f"This is a state of {ENGINES[engine]}: import it as {engine}, not as {tool}.")
    with database.atomic():
        organization = lock_organization(organization_id)
        stack, _ = Stack.get_or_create(
            organization=organization_id, engine=engine, name=stack_name, defaults={"created_at": now}
        )
        done = Imported(stack_id=stack.id, stack_name=stack.name, engine=engine, skipped=found.skipped)
        lineage = _lineage(found)
        if stack.state_lineage and lineage and stack.state_lineage != lineage:
            raise Refused(
                f"The stack {stack_name!r} was imported from the state {stack.state_lineage} before; this one is "
                f"{lineage}. Import it under the name of another stack."
            )
        done.older = _older(stack, found)
        if done.older:
            return done
        writing = _Import(stack, found, done, now, show_builtin_types)
        writing.take(is_newer=_is_newer(stack, found))
        if writing.rows:
            writing.write(next_revision(organization))
            write_deed(organization_id, actor, "state.imported", subject=stack.id, detail=done.text, now=now)
        if lineage:
            stack.state_lineage = lineage
        if found.serial is not None:
            stack.state_serial = found.serial
        if found.made_at is not None:
            stack.state_made_at = found.made_at
        stack.save()
    return done


def _lineage(found: FoundState) -> str:
    """Which state it is a version of: Terraform's lineage; of Pulumi and SST the stack and project in its URNs."""
    if found.lineage or not found.resources:
        return found.lineage
    address = found.resources[0].address
    return "::".join(address.split("::", 2)[:2]) if address.startswith("urn:pulumi:") else ""


def _older(stack: Stack, found: FoundState) -> str:
    if found.serial is not None and stack.state_serial is not None and found.serial < stack.state_serial:
        return f"This state has serial {found.serial}; {stack.state_serial} was imported before, so nothing changed."
    if found.made_at is not None and stack.state_made_at is not None and found.made_at < stack.state_made_at:
        return "This state was written before the one that was imported last, so nothing changed."
    return ""


def _is_newer(stack: Stack, found: FoundState) -> bool:
    """Whether the state is known to be newer than one that was imported before: what it lacks is gone then."""
    if found.serial is not None and stack.state_serial is not None:
        return bool(found.serial > stack.state_serial)
    return found.made_at is not None and stack.state_made_at is not None and found.made_at > stack.state_made_at


class _Import:
    """One state on its way into the database."""

    def __init__(self, stack: Stack, found: FoundState, done: Imported, now: int, show_builtin_types: bool) -> None:
        self.stack = stack
        self.found = found
        self.done = done
        self.now = now
        self.show_builtin_types = show_builtin_types
        self.by_address = {one.address: one for one in found.resources}
        # A clock that runs ahead must not keep later words out.
        self.made_at = min(found.made_at, now) if found.made_at is not None else None
        self.rows: dict[str, Resource] = {}
        self.new: set[str] = set()
        self.before: Counter[str] = Counter()
        self.events: list[Event] = []

    def take(self, *, is_newer: bool) -> None:
        """Compare what the state says with what is known."""
        cards: dict[str, list[FoundResource]] = defaultdict(list)
        for one in self.found.resources:
            cards[self._card_of(one)].append(one)
        known = self._load()
        for address, members in cards.items():
            head = self.by_address[address]
            kind = self._kind(head)
            if kind is None:
                self.done.without_card += len(members)
                continue
            self._take_card(known.get((kind, address)), head, members, kind)
        if is_newer:
            for (_, address), row in known.items():
                if address not in cards:
                    self._take_away(row)

    def _kind(self, one: FoundResource) -> str | None:
        return classify(one.tool_type, one.address, show_builtin=self.show_builtin_types).kind

    def _card_of(self, one: FoundResource) -> str:
        """The address of the card that it counts for; as in `ResourceWriter.card_of`, a domain keeps its own."""
        if self._kind(one) == "domain":
            return one.address
        top, seen = one, {one.address}
        while (above := self.by_address.get(top.parent)) is not None and above.address not in seen:
            seen.add(above.address)
            top = above
        return top.address if self._kind(top) is not None else one.address

    def _load(self) -> dict[tuple[str, str], Resource]:
        return {
            (kind, row.address): row
            for kind, table in TABLES.items()
            for row in table.select().where(table.stack == self.stack)
        }

    def _take_card(
        self, row: Resource | None, head: FoundResource, members: Sequence[FoundResource], kind: str
    ) -> None:
        said = _said(head, members)
        self.done.remarks += [(one.name, one.reason) for one in members if one.reason]
        if row is None:
            row = self._make(head, kind)
            self.done.new += 1
            self._set(row, said, head)
            self._take_facts(row, members, kind)
            self._tell(row, None, head)
            return
        self.before[row.card_status] += row.section is not None
        self._remember(row)
        same = row.provisioning_state == said.state and row.error_summary == said.error
        newer_known = row.claim_at is not None and (self.made_at is None or self.made_at <= row.claim_at)
        if same or newer_known:
            self._take_facts(row, members, kind, only_missing=newer_known)
            if row.dirty_fields:
                self.done.changed += 1
            elif same:
                self.done.unchanged += 1
            else:
                self.done.kept += 1
            self._forget_unchanged(row)
            if not newer_known and row.claim_at != self.made_at:
                # Nothing that is shown changes; but what was said before the state was written is older from now on.
                type(row).update(claim_at=self.made_at).where(type(row).id == row.id).execute()
            return
        before = row.provisioning_state
        self._set(row, said, head)
        self._take_facts(row, members, kind)
        self.done.changed += 1
        self._tell(row, before, head)

    def _make(self, head: FoundResource, kind: str) -> Resource:
        classified = classify(head.tool_type, head.address, show_builtin=self.show_builtin_types)
        is_sst = self.found.source == "sst"
        created_at = min(head.created_at, self.now) if head.created_at is not None else None
        row = TABLES[kind](
            organization=self.stack.organization_id,
            stack=self.stack,
            address=head.address,
            tool_type=head.tool_type,
            provider=classified.provider,
            name=head.name,
            provisioning_source="sst" if is_sst else "api",
            sst_resource_id=resource_name("sst", head.address) if is_sst else None,
            sst_stack_name=self.stack.name if is_sst else None,
            created_at=created_at if created_at is not None else self.now,
            updated_at=self.now,
            state_changed_at=self.now,
        )
        self.new.add(row.id)
        self._remember(row)
        return row

    def _set(self, row: Resource, said: _Said, head: FoundResource) -> None:
        row.provisioning_state, row.operation, row.reason = str(said.state), said.operation, said.reason
        row.error_summary, row.error_detail = said.error, ""
        row.deleted_at = None
        row.operation_started_at = row.operation_ended_at = None
        row.own_steps = row.own_steps_done = 0
        row.claim_run, row.claim_at = None, self.made_at
        if row.planned_run is None:
            row.run_id = None
        times = (head.modified_at, head.created_at, self.made_at)
        row.state_changed_at = min(next((at for at in times if at is not None), self.now), self.now)
        if said.state is ProvisioningState.PROVISIONED and row.provisioned_at is None and head.created_at is not None:
            row.provisioned_at = min(head.created_at, self.now)

    def _take_facts(
        self, row: Resource, members: Sequence[FoundResource], kind: str, *, only_missing: bool = False
    ) -> None:
        told: dict[str, str] = {}
        for one in members:
            own = one.address == row.address
            # As with runs, a component shows the address of a child and none of its other facts.
            facts = one.facts if own else {k: v for k, v in one.facts.items() if k == "production_url"}
            told |= {name: facts[name] for name in FACT_COLUMNS[kind] if facts.get(name) and (own or name not in told)}
            if own and one.provider_resource_id:
                told["provider_resource_id"] = one.provider_resource_id
        for column, value in told.items():
            present = getattr(row, column)
            if present != value and not (only_missing and present):
                setattr(row, column, value)

    def _take_away(self, row: Resource) -> None:
        """What an earlier import or a hand brought in, and this newer state has no longer."""
        newer_known = row.claim_at is not None and (self.made_at is None or self.made_at <= row.claim_at)
        if row.claim_run is not None or row.provisioning_state is None or newer_known:
            return
        self.before[row.card_status] += row.section is not None
        self._remember(row)
        before = row.provisioning_state
        row.provisioning_state, row.operation = None, "delete"
        row.error_summary = row.error_detail = row.reason = ""
        row.deleted_at = row.state_changed_at = self.made_at if self.made_at is not None else self.now
        row.claim_at = self.made_at
        self.done.gone += 1
        self._tell(row, before, None)

    def _remember(self, row: Resource) -> None:
        self.rows[row.id] = row

    def _forget_unchanged(self, row: Resource) -> None:
        if not row.dirty_fields:
            self.rows.pop(row.id)
            self.before[row.card_status] -= row.section is not None

    def _tell(self, row: Resource, before: str | None, head: FoundResource | None) -> None:
        """One line of history: that it was imported, and what the state remarks of it."""
        remark = head.reason if head is not None else ""
        self.events.append(
            Event(
                id=f"evt_{ulid(self.now)}",
                organization=self.stack.organization_id,
                resource=row.id,
                occurred_at=self.now,
                received_at=self.now,
                kind="import",
                address=row.address,
                tool_type=row.tool_type,
                diagnostic={"severity": "warning", "summary": remark, "detail": "", "where": ""} if remark else None,
                state_before=before,
                state_after=row.provisioning_state,
                reason="" if head is not None else "left_state",
            )
        )

    def write(self, revision: int) -> None:
        """Write all that differs."""
        for row in self.rows.values():
            lost = row.liveness == Liveness.LOST and row.planned_run is not None
            refresh_card(row, run_lost=lost)
            row.revision, row.updated_at = revision, self.now
            if row.id not in self.new:
                update_row(row)
        for kind_rows in self._new_rows():
            insert_rows(kind_rows)
        insert_rows(self.events)
        after = Counter(row.card_status for row in self.rows.values() if row.section is not None)
        add_counts(self.stack.organization_id, self.before, after)
        self.stack.revision = revision

    def _new_rows(self) -> list[list[Resource]]:
        """What is to be inserted, table by table."""
        by_table: dict[type[Resource], list[Resource]] = defaultdict(list)
        for row_id in self.new:
            by_table[type(self.rows[row_id])].append(self.rows[row_id])
        return list(by_table.values())


def _said(head: FoundResource, members: Sequence[FoundResource]) -> _Said:
    """What a state says of a card: its own resource's word, or where that is well the first child's that is not."""
    unwell = ("failed", "interrupted")
    worst = head
    if head.state == "provisioned":
        worst = next((one for one in members if one.state in unwell), head)
    error = worst.reason if worst is head or not worst.reason else f"{worst.name}: {worst.reason}"
    match worst.state:
        case "provisioned":
            return _Said(ProvisioningState.PROVISIONED, "import", "", "")
        case "failed":
            return _Said(ProvisioningState.FAILED, None, "", error)
        case "deprovisioning":
            # No run is known to be at work on it: it waits, and nothing may look as if it moved for ever.
            return _Said(ProvisioningState.FAILED, "delete", "interrupted", error)
        case _:
            return _Said(ProvisioningState.FAILED, None, "interrupted", error)
