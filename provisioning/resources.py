"""Carries what a run's steps say over to the rows of the four universal tables."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from ingest.change import Change, ChangeKind
from ingest.pulumi import type_in
from ingest.resource_types import Classified, classify, resource_name
from models import Database, Domain, Event, Resource, Run, Server, Stack, Step, WebService
from models.base import BaseModel
from models.writes import insert_rows, update_row
from provisioning.cards import refresh_card
from provisioning.claims import Claim, claim
from provisioning.components import CardGroups, step_keys
from provisioning.fold import RunFold, StepRecord
from provisioning.states import ProvisioningState, RunPhase, StepState
from provisioning.status_counts import add_counts

TABLES: dict[str, type[Resource]] = {
    "server": Server,
    "webService": WebService,
    "database": Database,
    "domain": Domain,
}
"""The table of each kind."""

KIND_OF_PREFIX: dict[str, str] = {"srv": "server", "web": "webService", "db": "database", "dom": "domain"}
"""The kind that a public id's prefix names."""

FACT_COLUMNS: dict[str, tuple[str, ...]] = {
    "server": ("primary_ip_address", "region"),
    "webService": ("production_url", "environment", "git_repo"),
    "database": ("engine", "version"),
    "domain": ("domain_name",),
}
_SHARED_FACTS = {"provider_resource_id": "provider_resource_id", "name": "name", "provider_status": "status"}


def is_before(claimed: Resource, claim_at: int, run: Run) -> bool:
    """Whether what a run says at `claim_at` is newer than what the resource's state comes from.

    Of two that speak in the same millisecond the key decides, which does not depend on which arrived first.
    """
    if claimed.claim_at is None or claimed.claim_run == run.id:
        return True
    if claimed.claim_at != claim_at:
        return claimed.claim_at < claim_at
    return _key_of(claimed.claim_run) < run.key


def _key_of(run_id: str | None) -> str:
    return Run.select(Run.key).where(Run.id == run_id).scalar() or ""


class ResourceWriter:
    """The resources that one batch of one run touches: found or made once, written once."""

    def __init__(
        self,
        *,
        organization_id: str,
        stack: Stack,
        run: Run,
        provisioning_source: str,
        show_builtin_types: bool,
        now: int,
    ) -> None:
        self.organization_id = organization_id
        self.stack = stack
        self.run = run
        self.source = provisioning_source
        self.show_builtin_types = show_builtin_types
        self.now = now
        self.by_address: dict[str, Resource | None] = {}
        self.kinds: dict[str, str] = {}
        self.said: dict[str, ProvisioningState | None] = {}
        self.status_before: dict[str, str | None] = {}
        self.new: set[str] = set()
        self.changed: set[str] = set()
        self.replayed = False
        self.others_at_work: bool | None = None

    def begin(self, fold: RunFold, changes: Sequence[Change], *, replayed: bool) -> None:
        """Load the resources that these changes, and the steps of the fold, speak of."""
        self.replayed = replayed
        self.groups = CardGroups(fold, self._classified)
        types = {change.address: change.tool_type for change in changes if change.address and change.tool_type}
        types |= {step.address: step.tool_type for step in fold.steps.values()}
        types |= {address: tool_type for address, (tool_type, _) in fold.memory.get("components", {}).items()}
        for parent in {change.parent for change in changes} | {step.parent for step in fold.steps.values()}:
            if parent:
                types.setdefault(parent, type_in(parent))
        moved = self._moved(fold)
        wanted: dict[str, set[str]] = defaultdict(set)
        for address, tool_type in types.items():
            kind = self._classified(tool_type, address).kind
            if kind is not None:
                wanted[kind].update({address, moved.get(address, address)})
        for change in changes:
            kind = self._classified(change.tool_type, change.address).kind if change.previous_address else None
            if kind is not None:
                wanted[kind].add(change.previous_address)
        for kind, addresses in wanted.items():
            self._load(kind, addresses)

    def _load(self, kind: str, addresses: Iterable[str]) -> None:
        table = TABLES[kind]
        pending = sorted(addresses)
        for start in range(0, len(pending), 500):
            part = pending[start : start + 500]
            for row in table.select().where(table.stack == self.stack, table.address.in_(part)):
                self._remember(row.address, row, kind)

    def _remember(self, address: str, row: Resource, kind: str) -> None:
        self.by_address[address] = row
        self.kinds[row.id] = kind
        self.status_before.setdefault(row.id, row.card_status if row.section is not None else None)

    def _classified(self, tool_type: str, address: str) -> Classified:
        return classify(tool_type, address, show_builtin=self.show_builtin_types)

    @staticmethod
    def _moved(fold: RunFold) -> dict[str, str]:
        """The former address of each address that the run moves."""
        return {new: old for old, new in fold.memory.get("moves", [])}

    def _claim(self, card: str, *, finished: bool) -> Claim:
        return claim(self.groups.records(card), finished=finished)

    # Following the changes one by one.

    def follow(self, fold: RunFold, change: Change, event: Event) -> tuple[str | None, str | None]:
        """After the fold took a change: the resource's (state before, state after) for the history."""
        if not change.address:
            return None, None
        keys = step_keys(fold, change.address)
        if not keys:
            row = self._row(change.address, change.previous_address)
            if row is None:
                return None, None
            self._take_facts(row, change)
            state = self.said.get(row.address, self._state_at_first(row, event))
            return state, state
        for key in keys:
            card = self.groups.place(key)
        row = self._resource(fold, card)
        if row is None:
            return None, None
        self._take_facts(row, change)
        before = self.said.get(card, self._state_at_first(row, event))
        now = self._claim(card, finished=False)
        # A word older than the one that the state comes from changes nothing.
        after = now.state if now.at is not None and is_before(row, now.at, self.run) else before
        self.said[card] = after
        return before, after

    def _state_at_first(self, row: Resource, event: Event) -> ProvisioningState | None:
        """The resource's state before this run's first word on it."""
        if self.replayed and row.claim_run == self.run.id:
            state = event.state_before
        else:
            state = row.provisioning_state
        return ProvisioningState(state) if state else None

    def _row(self, *addresses: str) -> Resource | None:
        return next((row for address in addresses if (row := self.by_address.get(address)) is not None), None)

    def _resource(self, fold: RunFold, card: str) -> Resource | None:
        """The row of a card, made where there is none; None where its type has no card."""
        row = self._row(card, self._moved(fold).get(card, ""))
        if row is not None:
            self.by_address[card] = row
            return row
        if card in self.by_address or not card:
            return None
        tool_type = self.groups.type_of(card)
        classified = self._classified(tool_type, card)
        if classified.kind is None:
            self.by_address[card] = None
            return None
        table = TABLES[classified.kind]
        row = table(
            organization=self.organization_id,
            stack=self.stack,
            dock=self.run.dock_id,
            address=card,
            tool_type=tool_type,
            provider=classified.provider,
            name=resource_name(self.run.engine, card),
            provisioning_source=self.source,
            created_at=self.now,
            updated_at=self.now,
            state_changed_at=self.now,
        )
        if self.source == "sst":
            row.sst_resource_id = resource_name("sst", card)
            row.sst_stack_name = self.stack.name
        self.by_address[card] = row
        self.kinds[row.id] = classified.kind
        self.new.add(row.id)
        return row

    def _take_facts(self, row: Resource, change: Change) -> None:
        if change.kind not in (ChangeKind.DONE, ChangeKind.RESOURCE, ChangeKind.STARTED) or not change.facts:
            return
        if row.address != change.address and self.source == "sst" and "production_url" not in change.facts:
            return
        columns = _SHARED_FACTS | {name: name for name in FACT_COLUMNS[self.kinds[row.id]]}
        for fact, column in columns.items():
            value = change.facts.get(fact)
            # What is told late must not overwrite what was told since.
            if value and (not self.replayed or not getattr(row, column)):
                _set(row, column, value)
                self.changed.add(row.id)

    def id_of_step(self, step: StepRecord) -> str | None:
        """The public id of the card that a step counts for."""
        row = self.by_address.get(self.groups.card_of(step))
        return row.id if row is not None else None

    def id_at(self, fold: RunFold, address: str) -> str | None:
        """The public id of the card that what is said of an address belongs to, once all is known."""
        for key in step_keys(fold, address):
            return self.id_of_step(fold.steps[key])
        row = self.by_address.get(address)
        return row.id if row is not None else None

    # Writing.

    def save(self, fold: RunFold, *, finished: bool, all_cards: bool, revision: int) -> None:
        """Write what the run now says about every resource it touched; `all_cards`: about each of the run's."""
        self._rename(fold)
        self._let_go(fold)
        rows: dict[str, Resource] = {}
        self.groups.place_all()
        cards = {self.groups.place(key) for key in fold.touched}
        if all_cards:
            cards.update(self.groups.steps_of)
        for card in sorted(cards):
            row = self._resource(fold, card) if self.groups.steps_of[card] else None
            if row is None:
                continue
            rows[row.id] = row
            self._apply(row, self._claim(card, finished=finished))
        for row in self.by_address.values():
            if row is not None and row.id in self.changed and row.id not in self.new:
                rows[row.id] = row
        for row in rows.values():
            refresh_card(row, run_lost=row.liveness == "lost" and row.run_id != self.run.id)
            if row.dirty_fields and (row.id in self.new or set(_names(row)) - {"updated_at"}):
                row.revision = revision
                row.updated_at = self.now
                if row.id in self.new:
                    insert_rows([row])
                else:
                    update_row(row)
        before = Counter(status for row_id in rows if (status := self.status_before.get(row_id)) is not None)
        after = Counter(row.card_status for row in rows.values() if row.section is not None)
        add_counts(self.organization_id, before, after)

    def _rename(self, fold: RunFold) -> None:
        """Give moved resources their new address, once the run is seen to carry the move out."""
        if not fold.carries_out:
            return
        for old, new in fold.memory.get("moves", []):
            row = self.by_address.get(new) or self._find(old)
            if row is None or row.address == new or (self._find(new) is not None):
                continue
            row.address = new
            row.name = resource_name(self.run.engine, new)
            self.by_address[new] = row
            self.by_address.pop(old, None)
            self.changed.add(row.id)

    def _let_go(self, fold: RunFold) -> None:
        """What the tool forgot stands on, and is no longer provisioned through us until a tool takes it up again."""
        if not fold.carries_out:
            return
        for address, at in fold.memory.get("forgotten", {}).items():
            row = self._find(address)
            if row is None or not is_before(row, at, self.run):
                continue
            values: Mapping[str, object] = {
                "claim_run": self.run.id,
                "claim_at": at,
                "run_id": self.run.id,
                "provisioning_state": None,
                "provisioning_source": None,
                "operation": "forget",
                "reason": "retained",
                "state_changed_at": at,
            }
            for name, value in values.items():
                _set(row, name, value)
            self.changed.add(row.id)

    def _find(self, address: str) -> Resource | None:
        if self.by_address.get(address) is not None:
            return self.by_address[address]
        for kind, table in TABLES.items():
            row = table.get_or_none(table.stack == self.stack, table.address == address)
            if row is not None:
                self._remember(address, row, kind)
                return row
        return None

    def _apply(self, row: Resource, said: Claim) -> None:
        run_id = self.run.id
        if said.plans:
            self._plan(row, said)
            return
        if row.planned_run == run_id:
            self._forget_plan(row, ended=said.at is None)
        if said.at is None and row.planned_run is None and nobody_spoke_of(row):
            _set(row, "reason", "not_started")
            _set(row, "run_id", row.run_id or run_id)
        if said.at is None or not is_before(row, said.at, self.run):
            return
        summary, detail = "", ""
        if said.diagnostic is not None:
            summary = said.diagnostic["summary"]
            detail = "\n".join(part for part in (said.diagnostic["detail"], said.diagnostic["where"]) if part)
        values: dict[str, object] = {
            "claim_run": run_id,
            "claim_at": said.at,
            "provisioning_state": said.state and str(said.state),
            "provisioning_source": self.source,
            "operation": said.operation,
            "reason": said.reason,
            "error_summary": summary,
            "error_detail": detail,
            "operation_started_at": said.started_at,
            "operation_ended_at": said.ended_at,
            "own_steps": said.steps,
            "own_steps_done": said.steps_done,
            "deleted_at": said.changed_at if said.gone else None,
        }
        if row.planned_run is None:
            # While another run plans it, the card tells of that plan.
            values = {**values, "run_id": run_id, "waits_for": said.waits_for, "state_changed_at": said.changed_at}
        for name, value in values.items():
            _set(row, name, value)
        if said.state is ProvisioningState.PROVISIONED and (row.provisioned_at is None or said.operation != "update"):
            _set(row, "provisioned_at", said.changed_at)

    def _plan(self, row: Resource, said: Claim) -> None:
        planned_at = said.changed_at or self.now
        other = row.planned_run not in (None, self.run.id)
        if other and (row.planned_at, _key_of(row.planned_run)) > (planned_at, self.run.key):
            return
        values: Mapping[str, object] = {
            "planned_run": self.run.id,
            "planned_action": said.operation,
            "planned_at": planned_at,
            "run_id": self.run.id,
            "state_changed_at": planned_at,
            "waits_for": said.waits_for,
        }
        for name, value in values.items():
            _set(row, name, value)
        if row.reason == "not_started":
            # That an earlier run never came to it is of no interest any more.
            _set(row, "reason", "")

    def _forget_plan(self, row: Resource, *, ended: bool) -> None:
        """This run plans the resource no longer: it began, or the run ended. Another run may plan it still."""
        latest = self._planned_elsewhere(row)
        if latest is not None:
            run_id, _, action, replacing, planned_at = latest
            _set(row, "planned_run", run_id)
            _set(row, "planned_action", "replace" if replacing else action)
            _set(row, "planned_at", planned_at)
            _set(row, "run_id", run_id)
            return
        for name in ("planned_run", "planned_action", "planned_at"):
            _set(row, name, None)
        _set(row, "waits_for", "")
        if ended:
            _set(row, "state_changed_at", self.run.ended_at or self.now)
            _set(row, "run_id", row.claim_run or self.run.id)

    def _planned_elsewhere(self, row: Resource) -> tuple[str, str, str, bool, int | None] | None:
        """(run, key, action, replacing, planned at) of the latest other unfinished run that plans the resource."""
        if self.others_at_work is None:
            others = Run.select().where(
                Run.stack == self.stack, Run.id != self.run.id, Run.phase.in_([RunPhase.PLANNING, RunPhase.APPLYING])
            )
            self.others_at_work = others.exists()
        if not self.others_at_work:
            return None
        of_resource = Step.select(Step.run).where(Step.resource == row.id, Step.state != StepState.WAITING)
        begun = {run_id for (run_id,) in of_resource.tuples()}
        waiting = (
            Step.select(Step.run, Run.key, Step.action, Step.replacing, Step.planned_at)
            .join(Run)
            .where(
                Step.resource == row.id,
                Step.state == StepState.WAITING,
                Step.run != self.run.id,
                Run.phase != RunPhase.FINISHED,
            )
        )
        plans = [one for one in waiting.tuples() if one[0] not in begun]
        return max(plans, key=lambda one: (one[4] or 0, one[1]), default=None)


def nobody_spoke_of(row: Resource) -> bool:
    """Whether plans are all that is known of the resource: what becomes of them is then its reason."""
    return row.claim_run is None and not row.provisioning_state


def _names(row: BaseModel) -> list[str]:
    return [one.name for one in row.dirty_fields]


def _set(row: Resource, name: str, value: object) -> None:
    """Set what differs, so that an unchanged row is not written and its card not drawn again."""
    if getattr(row, name) != value:
        setattr(row, name, value)
