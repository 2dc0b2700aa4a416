"""Which card each step of a run counts for: its own, or that of the component it belongs to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

from ingest.pulumi import first_type_in, type_in
from ingest.resource_types import Classified
from provisioning.fold import RunFold, StepRecord

StepKey = tuple[str, str]
"""(address, action) of a step."""


def step_keys(fold: RunFold, address: str) -> list[StepKey]:
    """The steps that a run has on an address."""
    return [key for action in ("create", "update", "delete") if (key := (address, action)) in fold.steps]


class CardGroups:
    """The steps of a run by the address of the card they count for; "" gathers those that have none.

    `classified` tells the kind of a (type, address).
    """

    def __init__(self, fold: RunFold, classified: Callable[[str, str], Classified]) -> None:
        self.fold = fold
        self.classified = classified
        self.steps_of: dict[str, list[StepKey]] = defaultdict(list)
        self._card_of: dict[StepKey, str] = {}
        self.place_all()

    def place_all(self) -> None:
        """Find the card of every step anew, for its component may have become known since."""
        for key in self.fold.steps:
            self.place(key)

    def place(self, key: StepKey) -> str:
        """The card of a step, which is counted for it from now on."""
        card = self.card_of(self.fold.steps[key])
        before = self._card_of.get(key)
        if before != card:
            if before is not None:
                self.steps_of[before].remove(key)
            self._card_of[key] = card
            self.steps_of[card].append(key)
        return card

    def records(self, card: str) -> list[StepRecord]:
        """The steps that count for a card."""
        return [self.fold.steps[key] for key in self.steps_of[card]]

    def card_of(self, step: StepRecord) -> str:
        """The address of the card that a step counts for: its own, or its top-level component's where that has a card.

        Domains keep a card of their own inside a component: people look for the name that does not resolve yet.
        """
        if not step.parent or self.classified(step.tool_type, step.address).kind == "domain":
            return step.address
        top_address, top_type, parent = step.address, step.tool_type, step.parent
        seen = {step.address}
        while parent and parent not in seen:
            seen.add(parent)
            found = self._type_and_parent(parent)
            if found is None:
                # A parent that nothing was said of yet: no card of the child's own, where its component will have one.
                return "" if self.classified(first_type_in(parent), parent).kind is not None else step.address
            top_address, (top_type, parent) = parent, found
        is_carded = self.classified(top_type, top_address).kind is not None
        return top_address if is_carded else step.address

    def type_of(self, card: str) -> str:
        """The tool's type of what a card stands for."""
        found = self._type_and_parent(card)
        return found[0] if found is not None else self.records(card)[0].tool_type

    def _type_and_parent(self, address: str) -> tuple[str, str] | None:
        """Of a step of this run, or of a component that stays as it is."""
        for key in step_keys(self.fold, address):
            return self.fold.steps[key].tool_type, self.fold.steps[key].parent
        component = self.fold.memory.get("components", {}).get(address)
        if component:
            return component[0], component[1]
        # What stands directly under the stack has one type in its URN: on destroy, children come before their parents.
        own = type_in(address)
        return (own, "") if own and own == first_type_in(address) else None
