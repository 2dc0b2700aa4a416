"""What a share link shows: its subject, with all blanked that the link does not allow.

This is the one place where a link's `fields` are enforced. Pages, pictures, JSON, feeds and embeds are all made from
the records that `read_shared` returns, so no format can tell what is not in them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from provisioning import queries, run_queries
from provisioning.errors import NotFound
from provisioning.readers import Reader
from provisioning.shares import FoundLink
from provisioning.states import CardStatus, RunStatus, StepState
from provisioning.status import HistoryEntry, ProvisionStatus, RunBrief, RunView, StackView
from provisioning.wording import run_reason

_ENDED_BADLY = (StepState.FAILED, StepState.INTERRUPTED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """What one link shows now. Exactly one of `status`, `run` and `stack` is set, none for an organisation's feed."""

    subject: str
    fields: str
    revision: int
    status: ProvisionStatus | None = None
    run: RunView | None = None
    stack: StackView | None = None


def read_shared(link: FoundLink, *, now: int) -> Shared:
    """The subject as the link shows it. Raises `NotFound` where it is gone."""
    reader = Reader(organization_id=link.organization_id)
    about, fields = link.subject, link.fields
    match about.split("_", 1)[0]:
        case "run":
            run = reduced_run(run_queries.get_run(reader, about, now=now), fields)
            return Shared(subject=about, fields=fields, revision=run.run.revision, run=run)
        case "stk":
            stack = reduced_stack(run_queries.get_stack(reader, about), fields)
            return Shared(subject=about, fields=fields, revision=stack.stack.revision, stack=stack)
        case "org":
            return Shared(subject=about, fields=fields, revision=link.revision or 0)
        case _:
            status = reduced_status(queries.get_provision_status(reader, about), fields)
            return Shared(subject=about, fields=fields, revision=status.revision, status=status)


def reduced_status(status: ProvisionStatus, fields: str) -> ProvisionStatus:
    """A resource as a link shows it."""
    if fields == "details":
        return replace(status, organization_id="", run=reduced_brief(status.run, fields) if status.run else None)
    return replace(
        status,
        organization_id="",
        address="",
        type_label="",
        provider="",
        provider_resource_id=None,
        provider_status="",
        provisioning_source=None,
        sst_resource_id=None,
        sst_stack_name=None,
        fault=status.fault if fields == "error" else None,
        waits_for="",
        note="",
        dock_id=None,
        dock_name="",
        stack_id=None,
        stack_name="",
        run=None,
        facts={},
    )


def reduced_brief(run: RunBrief, fields: str) -> RunBrief:
    """A run without its steps as a link shows it. Its stack's name is what it is called, so that stays."""
    if fields == "details":
        return replace(run, organization_id="")
    return replace(
        run,
        organization_id="",
        engine="",
        engine_version="",
        command="",
        actor="",
        commit="",
        job_url="",
        closed_by="",
        reason_text=run_reason(run.reason, is_quiet=run.status is RunStatus.QUIET, closed_by=""),
        stack_id=None,
        error_summary=run.error_summary if fields == "error" else "",
    )


def reduced_run(view: RunView, fields: str) -> RunView:
    """A run as a link shows it: with errors, the steps that failed and why; with details, every step."""
    brief = reduced_brief(view.run, fields)
    if fields == "details":
        return replace(view, run=brief, can_close=False)
    shown = [step for step in view.steps if step.state in _ENDED_BADLY] if fields == "error" else []
    steps = [replace(step, type_label="", resource_id=None, waits_for="", usual_ms=None) for step in shown]
    faults = view.faults if fields == "error" else []
    return replace(view, run=brief, steps=steps, steps_left_out=0, faults=faults, missing=[], can_close=False)


def reduced_stack(view: StackView, fields: str) -> StackView:
    """A stack as a link shows it: with errors, the resources that failed and why; with details, every resource."""
    latest = view.stack.latest_run
    stack = replace(
        view.stack,
        organization_id="",
        engine=view.stack.engine if fields == "details" else "",
        latest_run=reduced_brief(latest, fields) if latest else None,
    )
    runs = [reduced_brief(run, fields) for run in view.runs]
    if fields == "details":
        resources = [reduced_status(one, fields) for one in view.resources]
        return replace(view, stack=stack, resources=resources, runs=runs)
    failed = [one for one in view.resources if one.card_status is CardStatus.ERROR] if fields == "error" else []
    resources = [reduced_status(one, fields) for one in failed]
    return replace(view, stack=stack, resources=resources, resources_left_out=0, runs=runs)


# --- Histories, for feeds


def shared_history(link: FoundLink) -> list[HistoryEntry]:
    """The latest history of a link's resource, newest first, as the link shows it."""
    reader = Reader(organization_id=link.organization_id)
    return [reduced_entry(one, link.fields) for one in queries.history(reader, link.subject).entries]


def reduced_entry(entry: HistoryEntry, fields: str) -> HistoryEntry:
    """A line of history as a link shows it. The tool's own words and the reason of a state may name anything."""
    if fields == "details":
        return entry
    text = entry.text if entry.kind in ("planned", "started", "done", "failed", "progress", "drift") else "Changed"
    return replace(entry, text=text, run_id=None, fault=entry.fault if fields == "error" else None)


def shared_runs(link: FoundLink, *, now: int, limit: int = 50) -> list[RunView]:
    """The latest runs of a link's stack, or the latest failed ones of its organisation, as the link shows them."""
    reader = Reader(organization_id=link.organization_id)
    if link.subject.startswith("org_"):
        # What failed among the latest runs: a feed is read every few minutes, so older ones were told before.
        briefs = run_queries.list_runs(reader, limit=500).runs
        wanted = [one for one in briefs if one.status in ("failed", "interrupted", "lost")][:limit]
    else:
        wanted = run_queries.list_runs(reader, stack_id=link.subject, limit=limit).runs
    views = []
    for brief in wanted:
        try:
            views.append(reduced_run(run_queries.get_run(reader, brief.id, now=now), link.fields))
        except NotFound:
            continue  # Pruned in between.
    return views
