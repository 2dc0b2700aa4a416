"""What is kept beside a resource's state so that lists are answered from an index: card status and section."""

from __future__ import annotations

from models import Resource
from provisioning.claims import card_status, section
from provisioning.states import Liveness, ProvisioningState


def refresh_card(row: Resource, *, run_lost: bool) -> None:
    """Derive the card's columns from the state; `run_lost`: the run that unfinished work belongs to is lost.

    Sets only what differs, so that an unchanged row is not written and its card not drawn again.
    """
    status = card_status(
        ProvisioningState(row.provisioning_state) if row.provisioning_state else None,
        gone=row.deleted_at is not None,
        planned=row.planned_run is not None,
        run_lost=run_lost,
    )
    values = {
        "card_status": str(status),
        "section": section(status, listed=row.provisioning_source is not None),
        "liveness": str(Liveness.LOST) if run_lost else "",
    }
    for name, value in values.items():
        if getattr(row, name) != value:
            setattr(row, name, value)
