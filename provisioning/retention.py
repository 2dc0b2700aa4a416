"""What is forgotten after a while: the words of a run's log, and share links that have ended. What a run came to, every
error, and who shared what, stays."""

from __future__ import annotations

from ingest.change import ChangeKind
from models import Event, Run, ShareLink, database
from provisioning.revisions import lock_organization
from provisioning.states import RunPhase

_DAY_MS = 24 * 3_600_000
_AT_ONCE = 200


def remove_old_logs(now: int, *, keep_apply_days: int, keep_plan_days: int) -> int:
    """Remove the log of runs that ended longer ago than these days; 0 days keep it for ever. Returns how many.

    A run that only planned is a plan, any other an apply. Lines that change nothing are deleted; others, which the
    history and a replay need, lose the tool's words. Safe for any number of workers at once, and to be stopped
    anywhere: a run is one transaction.
    """
    removed = 0
    begun = (Run.completed_count + Run.failed_count + Run.interrupted_count) > 0
    for days, is_kind in ((keep_apply_days, begun), (keep_plan_days, ~begun)):
        if days <= 0:
            continue
        while True:
            old = (
                Run.select(Run.id, Run.organization)
                .where(
                    Run.log_removed_at.is_null(),
                    Run.ended_at < now - days * _DAY_MS,
                    Run.phase == RunPhase.FINISHED,
                    is_kind,
                )
                .limit(_AT_ONCE)
            )
            found = list(old.tuples())
            for run_id, organization_id in found:
                removed += _remove(run_id, organization_id, now)
            if len(found) < _AT_ONCE:
                break
    return removed


def remove_ended_shares(now: int, *, keep_days: int) -> int:
    """Remove the share links that were revoked, or whose time was over, longer ago than these days; 0 days keep them
    for ever. Returns how many.

    Until then their address says that the link has ended (410), afterwards what it says of any unknown token (404). The
    audit log keeps who made and who revoked them. A link without an end whose subject is gone is kept: nothing tells
    since when it is. Safe for any number of workers at once.
    """
    if keep_days <= 0:
        return 0
    ended_before = now - keep_days * _DAY_MS
    # One after the other, each by its own index. A link that is renewed in between no longer fits the condition.
    removed = ShareLink.delete().where(ShareLink.revoked_at < ended_before).execute()
    return int(removed + ShareLink.delete().where(ShareLink.expires_at < ended_before).execute())


def _remove(run_id: str, organization_id: str, now: int) -> int:
    with database.atomic():
        # No batch of the run comes in meanwhile.
        lock_organization(organization_id)
        taken = Run.update(log_removed_at=now).where(
            Run.id == run_id, Run.log_removed_at.is_null(), Run.phase == RunPhase.FINISHED
        )
        if not taken.execute():
            return 0
        Event.delete().where(Event.run == run_id, Event.kind == str(ChangeKind.LOG)).execute()
        Event.update(message="").where(Event.run == run_id, Event.message != "").execute()
    return 1
