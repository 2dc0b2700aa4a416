"""Runs, stacks and events as JSON: to tokens whole, to share links reduced. `views/openapi.py` describes them.

Times are milliseconds UTC.
"""

from __future__ import annotations

from typing import Any

from provisioning.status import HistoryEntry, RunBrief, RunView, StackBrief, StackView
from views.glances import of_stack_brief
from views.links import public_url


def run_as_json(found: RunBrief) -> dict[str, Any]:
    """A run as the API tells it; times in milliseconds UTC."""
    phase = "finished" if found.is_finished else ("planning" if found.status == "planning" else "applying")
    outcome = str(found.status) if found.is_finished or found.status == "lost" else None
    return {
        "id": found.id,
        "url": public_url(f"/runs/{found.id}"),
        "engine": found.engine,
        "engineVersion": found.engine_version,
        "command": found.command,
        "actor": found.actor,
        "commit": found.commit,
        "jobUrl": found.job_url,
        "stackId": found.stack_id,
        "stackName": found.stack_name,
        "status": str(found.status),
        "phase": phase,
        "outcome": outcome,
        "liveness": str(found.status) if found.status in ("quiet", "lost") else "live",
        "reason": found.reason_text,
        "closedBy": found.closed_by or None,
        "planned": found.planned if found.total_known else None,
        "running": found.running,
        "completed": found.completed,
        "failed": found.failed,
        "interrupted": found.interrupted,
        "error": found.error_summary or None,
        "startedAt": found.started_at,
        "endedAt": found.ended_at,
        "lastWordAt": found.last_word_at,
        "revision": found.revision,
    }


def run_view_as_json(view: RunView) -> dict[str, Any]:
    """A run with its steps and faults."""
    return run_as_json(view.run) | {
        "steps": [
            {
                "address": step.address,
                "action": step.action,
                "replacing": step.replacing,
                "state": "not_started" if step.state_text == "Not started" else str(step.state),
                "provisionId": step.resource_id,
                "error": step.fault.summary if step.fault else None,
                "errorDetail": step.fault.detail if step.fault else None,
                "waitsFor": step.waits_for or None,
                "startedAt": step.started_at,
                "endedAt": step.ended_at,
            }
            for step in view.steps
        ],
        "faults": [{"summary": one.summary, "detail": one.detail, "where": one.where} for one in view.faults],
        "missing": [list(one) for one in view.missing],
    }


def stack_as_json(found: StackBrief) -> dict[str, Any]:
    """A stack as a list tells it. `status` is one of the contract's, so that scripts read all three alike."""
    glance = of_stack_brief(found)
    return {
        "id": found.id,
        "url": public_url(f"/stacks/{found.id}"),
        "engine": found.engine,
        "name": found.name,
        "status": _CONTRACT_WORDS[glance.word],
        "word": glance.word,
        "verb": glance.verb,
        "resources": found.resources,
        "latestRun": run_as_json(found.latest_run) if found.latest_run else None,
        "revision": found.revision,
    }


_CONTRACT_WORDS = {
    "OK": "success",
    "FAILED": "error",
    "RUNNING": "provisioning",
    "QUIET": "provisioning",
    "STALLED": "provisioning",
    "IDLE": "idle",
}


def stack_view_as_json(view: StackView) -> dict[str, Any]:
    """A stack with its resources and its latest runs."""
    return stack_as_json(view.stack) | {
        "provisions": [one.as_json() for one in view.resources],
        "provisionsLeftOut": max(0, view.resources_left_out),
        "runs": [run_as_json(run) for run in view.runs],
    }


def event_as_json(entry: HistoryEntry) -> dict[str, Any]:
    """One line of history."""
    return {
        "id": entry.id,
        "occurredAt": entry.at,
        "receivedAt": entry.received_at,
        "kind": entry.kind,
        "text": entry.text,
        "error": entry.fault.summary if entry.fault else None,
        "errorDetail": entry.fault.detail if entry.fault else None,
        "stateBefore": entry.state_before,
        "stateAfter": entry.state_after,
        "reason": entry.reason_text or None,
        "runId": entry.run_id,
    }
