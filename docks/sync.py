"""One sync of one dock: claim it, let its adapter look, record what it finds, and say how it went."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from typing import Any

from config import Settings
from docks.adapter import DockFault, Finding, Look, RunSaid, StateRead, is_busy
from docks.registry import adapter_of, opened, settings_of
from ingest.source import SOURCES, parse_batch
from keys import credentials_cipher
from models import Run, Stack, database
from provisioning.audit import Actor
from provisioning.batch import Batch
from provisioning.docks import ClaimedDock, ClaimLost, claim_due, conclude_badly, conclude_well, remember
from provisioning.errors import SlipwayError
from provisioning.imports import import_state
from provisioning.record import record

log = logging.getLogger("slipway.docks")

BUSY_EVERY_MS = 5_000
"""Milliseconds between two looks while something is under way."""


def system_clock() -> int:
    """Milliseconds UTC."""
    return time.time_ns() // 1_000_000


def sync_next(settings: Settings, clock: Callable[[], int] = system_clock) -> bool:
    """Sync the dock that has been due longest; False where none is due."""
    claim = claim_due(clock())
    if claim is None:
        return False
    try:
        memory = _Sync(claim, settings, clock).run()
    except ClaimLost:
        return True
    except DockFault as fault:
        log.warning("The dock %s could not be read: %s", claim.id, fault)
        conclude_badly(claim, error=str(fault), permanent=fault.permanent, now=clock(), spread=random.random())
    except Exception as error:
        # Never the text: nobody knows what it holds. The kind of error is in the log, with its traceback's places.
        log.error("The sync of dock %s failed: %s at %s", claim.id, type(error).__name__, _place_of(error))
        database.close()
        told = f"A fault of Slipway itself ({type(error).__name__}); its log says where."
        conclude_badly(claim, error=told, permanent=False, now=clock(), spread=random.random())
    else:
        every = settings.dock_every_ms
        conclude_well(claim, now=clock(), next_in_ms=min(BUSY_EVERY_MS, every) if is_busy(memory) else every)
    return True


def _place_of(error: BaseException) -> str:
    step = error.__traceback__
    while step is not None and step.tb_next is not None:
        step = step.tb_next
    return f"{step.tb_frame.f_code.co_filename}:{step.tb_lineno}" if step is not None else "an unknown place"


class _Sync:
    """A sync under way."""

    def __init__(self, claim: ClaimedDock, settings: Settings, clock: Callable[[], int]) -> None:
        self._claim = claim
        self._settings = settings
        self._clock = clock
        self._memory = dict(claim.memory)
        self._told_elsewhere: set[str] = set()

    def run(self) -> dict[str, Any]:
        """Look and record; what is remembered in the end. Raises `DockFault` and `ClaimLost`."""
        adapter = adapter_of(self._claim.provider)
        chosen = settings_of(adapter, self._claim.settings)
        credentials = opened(adapter, self._claim.credentials, credentials_cipher(self._settings))
        look = Look(
            settings=chosen,
            credentials=credentials,
            memory=self._claim.memory,
            sst_folder=self._settings.sst_folder,
            now=self._clock(),
        )
        for finding in adapter.sync(look):
            # No transaction is open while the adapter waits for its provider.
            with database.atomic():
                self._take(finding)
        return self._memory

    def _take(self, finding: Finding) -> None:
        now = self._clock()
        try:
            if isinstance(finding, RunSaid):
                if not self._is_told_elsewhere(finding):
                    self._record(finding, now)
            elif isinstance(finding, StateRead):
                import_state(
                    self._claim.organization_id,
                    finding.stack,
                    finding.state,
                    tool=finding.tool,
                    actor=Actor(f"dock {self._claim.name}"),
                    now=now,
                    show_builtin_types=self._settings.show_builtin_types,
                )
        except SlipwayError as error:
            raise DockFault(str(error), permanent=False) from None
        self._memory |= finding.memory
        remember(self._claim, self._memory)

    def _record(self, said: RunSaid, now: int) -> None:
        source = SOURCES[said.source]
        parsed = parse_batch(source, said.lines, said.first, max_line_bytes=self._settings.max_line_bytes)
        record(
            Batch(
                organization_id=self._claim.organization_id,
                engine=source.name,
                provisioning_source=source.provisioning_source,
                run_key=said.key,
                stack_name=said.stack,
                dock_name=self._claim.name,
                first=said.first,
                lines=len(said.lines),
                changes=parsed.changes,
                end=said.end,
                command=said.command,
                show_builtin_types=self._settings.show_builtin_types,
            ),
            # A run of the past is recorded as if Slipway had been there.
            min(said.at, now) if said.at is not None else now,
        )

    def _is_told_elsewhere(self, said: RunSaid) -> bool:
        """Whether somebody, the reporter most likely, tells the same run under another key."""
        if said.key in self._told_elsewhere:
            return True
        if said.told_within is None:
            return False
        of_organization = Run.organization == self._claim.organization_id
        if Run.select().where(of_organization, Run.key == said.key).exists():
            return False
        begin, end = said.told_within
        others = (
            Run.select()
            .join(Stack)
            .where(
                Stack.organization == self._claim.organization_id,
                Stack.engine == said.source,
                Stack.name == said.stack,
                Run.started_at.between(begin, end),
                # What this dock, or another one, told are other runs: their keys say so.
                ~Run.key.startswith(f"{said.source}:"),
            )
        )
        if others.exists():
            self._told_elsewhere.add(said.key)
            return True
        return False
