"""The watcher of SST's home: updates become runs, checkpoints become what stands.

While an update is under way only its begin is known: SST writes the event log at the end, and it is played then. How
it went is told by update record and log together: no errors alone are not success, an interrupted update has none
either. A checkpoint is read when no update holds the lock, and not after one that failed: it cannot tell what failed.

In memory, under `stages`, by `app/stage`: `last` (the newest update that was told), `mark` of the checkpoint that was
read last, and while an update is under way `open`: its id and the checkpoint's mark at the last look.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from docks.adapter import DockFault, Finding, Remembered, RunSaid, StateRead
from docks.sst_home import Home, Kept, stages
from ingest.found import UnreadableState
from ingest.state import read_state
from ingest.text import clean, clean_line, ms_of_rfc3339

_MOST_LINES = 500
_FIRST_UPDATES = 5
"""How many updates of the past are told at the first look."""
_SETTLED_AFTER_MS = 120_000
"""How long lock, record and log of one update may still be on their way."""
_SAME_RUN_WITHIN_MS = 120_000


class StageWatch:
    """One look at the stages in a home."""

    def __init__(self, home: Home, wanted: tuple[str, ...], memory: Mapping[str, Any], now: int) -> None:
        self._home = home
        self._wanted = wanted
        self._memory: dict[str, Any] = {key: dict(one) for key, one in memory.items() if isinstance(one, dict)}
        self._now = now
        self._trouble = ""

    def look(self) -> Iterator[Finding]:
        """What is new. Raises `DockFault`; for one checkpoint that cannot be read only after all stages."""
        for stage in stages(self._home, self._wanted):
            yield from self._look_at(stage)
        if self._trouble:
            raise DockFault(self._trouble, permanent=False)

    def _remember(self) -> dict[str, Any]:
        return {"stages": {key: dict(one) for key, one in self._memory.items()}}

    def _look_at(self, stage: str) -> Iterator[Finding]:
        known = self._memory.setdefault(stage, {})
        ids = self._new_updates(stage, str(known.get("last", "")))
        if known.get("open", {}).get("id") not in ids:
            # Its record is gone, as `sst state` commands may have it.
            known.pop("open", None)
        # The lock after the list: what is in the list and holds no lock is over, or just begins.
        holder = str(_object(self._home.read("lock", stage)).get("updateID", ""))
        checkpoint = self._home.read("app", stage)
        updates = [Update.of(one, stage, self._record(stage, one)) for one in ids]
        is_settled = not holder and all(self._log_is_there(one) for one in updates)
        if checkpoint is not None and is_settled and "mark" not in known:
            # What the updates say that are told after it goes over what it says.
            yield from self._stands(stage, known, checkpoint, made_before=updates[0].began_at if updates else None)
        failed = False
        for update in updates:
            if update.id == holder and update.completed_at is None:
                yield from self._under_way(stage, known, update, checkpoint)
                break
            if not self._log_is_there(update):
                break
            failed = yield from self._over(stage, known, update)
        if checkpoint is not None and is_settled and known.get("mark") != checkpoint.mark:
            if failed:
                known["mark"] = checkpoint.mark
            else:
                yield from self._stands(stage, known, checkpoint)
        known.setdefault("last", "")
        yield Remembered(memory=self._remember())

    def _record(self, stage: str, update_id: str) -> dict[str, Any]:
        return _object(self._home.read("update", f"{stage}/{update_id}"))

    def _new_updates(self, stage: str, last: str) -> list[str]:
        """Ids of updates that were not told yet, oldest first. Ids descend: the smaller one is the newer one."""
        ids = [name.rsplit("/", 1)[1] for name in self._home.names("update", f"{stage}/")]
        if last:
            return sorted((one for one in ids if one < last), reverse=True)
        return sorted(ids)[:_FIRST_UPDATES][::-1]

    def _log_is_there(self, update: Update) -> bool:
        """Whether what there is of an update that is over has come: its log may take a moment."""
        since = update.completed_at if update.completed_at is not None else update.began_at
        return self._now - since > _SETTLED_AFTER_MS or (
            update.completed_at is not None and self._home.read("eventlog", f"{update.stage}/{update.id}") is not None
        )

    def _under_way(
        self, stage: str, known: dict[str, Any], update: Update, checkpoint: Kept | None
    ) -> Iterator[Finding]:
        mark = checkpoint.mark if checkpoint is not None else ""
        opened = {"id": update.id, "mark": mark}
        if known.get("open") == opened:
            # The lock alone is no word: a process that died holds it for ever.
            return
        known["open"] = opened
        yield RunSaid(
            source="sst", key=update.key, stack=stage, command=update.command, memory=self._remember(),
            told_within=(update.began_at - _SAME_RUN_WITHIN_MS, self._now),
        )  # fmt: skip

    def _over(self, stage: str, known: dict[str, Any], update: Update) -> Generator[Finding, None, bool]:
        """Tell an update that is over; the generator's value is whether it failed."""
        log = self._home.read("eventlog", f"{stage}/{update.id}")
        lines = [] if log is None else log.data.splitlines()
        was_told = known.pop("open", {}).get("id") == update.id
        known["last"] = update.id
        if not lines and not update.errors and not was_told and update.completed_at is not None:
            # The log is gone, as old ones go: nobody knows whether it succeeded.
            return False
        ending = Ending.of(lines, update)
        lines += [line for line in update.error_lines() if not ending.has_error]
        at = min(update.completed_at or ending.last_at or update.began_at, self._now)
        cuts = [*range(0, len(lines), _MOST_LINES), len(lines)] if lines else [0, 0]
        for start, stop in pairwise(cuts):
            is_last = stop == len(lines)
            yield RunSaid(
                source="sst",
                key=update.key,
                stack=stage,
                lines=tuple(lines[start:stop]),
                first=start,
                end=ending.code if is_last else None,
                command=update.command,
                at=at,
                told_within=(update.began_at - _SAME_RUN_WITHIN_MS, at + _SAME_RUN_WITHIN_MS),
                memory=self._remember() if is_last else {},
            )
        return ending.code != "0"

    def _stands(
        self, stage: str, known: dict[str, Any], checkpoint: Kept, made_before: int | None = None
    ) -> Iterator[Finding]:
        known["mark"] = checkpoint.mark
        try:
            found = read_state(checkpoint.data)
        except UnreadableState as error:
            self._trouble = f"The checkpoint of {stage} cannot be read: {error.found}"
            return
        # A stage without any component of SST looks like Pulumi's alone.
        found = replace(
            found, source="sst", resources=tuple(replace(one, source="sst") for one in found.resources),
            made_at=found.made_at if made_before is None else made_before - 1,
        )  # fmt: skip
        yield StateRead(tool="sst", stack=stage, state=found, memory=self._remember())


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """An update record. Times are milliseconds UTC; `completed_at` is None where it does not say."""

    id: str
    stage: str
    began_at: int
    completed_at: int | None
    command: str
    errors: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, update_id: str, stage: str, record: Mapping[str, Any]) -> Update:
        """What a record says; one that is gone or broken leaves what its id tells."""
        told = record.get("errors")
        errors = tuple(
            (clean_line(one.get("urn")), clean(one.get("message")))
            for one in (told if isinstance(told, list) else [])
            if isinstance(one, dict)
        )
        word = clean_line(record.get("command"), 40)
        return cls(
            id=update_id,
            stage=stage,
            began_at=ms_of_rfc3339(record.get("timeStarted")) or began_at(update_id),
            completed_at=ms_of_rfc3339(record.get("timeCompleted")),
            command=f"sst {word}" if word.isalpha() else "sst",
            errors=errors,
        )

    @property
    def key(self) -> str:
        """The run's key: ids are random enough to be unique."""
        return f"sst:{self.id}"

    def error_lines(self) -> Iterator[bytes]:
        """Its errors as an event log would have them: what fails before Pulumi starts is in no log."""
        for number, (urn, message) in enumerate(self.errors):
            told = {"urn": urn, "message": message, "severity": "error"}
            at = (self.completed_at or self.began_at) // 1000
            yield json.dumps({"sequence": number, "timestamp": at, "diagnosticEvent": told}).encode()


@dataclass(frozen=True, slots=True)
class Ending:
    """How an update ended: `code` is an exit code, or `eof` where it was interrupted or only the log knows."""

    code: str
    has_error: bool
    last_at: int | None

    @classmethod
    def of(cls, lines: list[bytes], update: Update) -> Ending:
        """By the rule of SST itself: finished without errors is success, and finished is what wrote a summary."""
        finished = well = has_error = False
        last_at: int | None = None
        for line in lines:
            event = _json(line)
            at = event.get("timestamp")
            if isinstance(at, int) and 0 < at < 10**11:
                last_at = at * 1000
            summary, diagnostic = event.get("summaryEvent"), event.get("diagnosticEvent")
            if isinstance(summary, dict) and summary.get("isPreview") is not True:
                finished, well = True, summary.get("result") not in ("failed", "canceled")
            if isinstance(diagnostic, dict) and diagnostic.get("severity") == "error":
                has_error = True
        if update.errors:
            return cls("1", has_error, last_at)
        return cls("0" if finished and well and update.completed_at is not None else "eof", has_error, last_at)


def began_at(update_id: str) -> int:
    """When an update began, by its id: the first twelve digits are the milliseconds' complement."""
    try:
        return 0xFFFF_FFFF_FFFF - int(update_id[:12], 16)
    except ValueError:
        return 0


def _object(kept: Kept | None) -> dict[str, Any]:
    return {} if kept is None else _json(kept.data)


def _json(data: bytes) -> dict[str, Any]:
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
