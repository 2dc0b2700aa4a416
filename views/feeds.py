"""Atom feeds of share links: a resource's or a stack's history, or an organisation's failures."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint, Response, render_template

from provisioning.errors import BadInput
from provisioning.shared import read_shared, shared_history, shared_runs
from provisioning.shares import FoundLink
from provisioning.states import StepState
from provisioning.status import RunView
from views.clock import now_ms
from views.glances import glance_of, of_run
from views.links import public_url
from views.shared_answers import dress, not_modified, open_link, tagged

feeds = Blueprint("feeds", __name__)
dress(feeds)

_MOST_FAULTS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry. `id` stays the same for as long as the entry is about the same."""

    id: str
    title: str
    at: int
    updated: int
    lines: list[str]


@feeds.get("/feeds/<token>.atom", provide_automatic_options=False)
def atom(token: str) -> Response:
    """The feed; with ETag, so that readers that ask every few minutes cost nothing."""
    link = open_link(token, "text")
    if link.subject.startswith("run_"):
        raise BadInput("A run has no feed.", field="token", remedy="Share its stack, and read that link's feed.")
    if same := not_modified(link):
        return same
    title, entries = _entries(link)
    page = render_template(
        "feeds/feed.xml",
        # Not the address: that holds the token, and feed readers show the id.
        id=f"urn:slipway:{link.id}",
        title=_clean(title),
        entries=entries,
        updated=max((one.updated for one in entries), default=0),
        address=public_url(f"/feeds/{token}.atom"),
        page=public_url(f"/s/{token}"),
    )
    return tagged(link, Response(page, mimetype="application/atom+xml"), is_moving=False)


def _entries(link: FoundLink) -> tuple[str, list[Entry]]:
    now = now_ms()
    if link.subject.startswith("org_"):
        return "Failures", [_run_entry(one) for one in shared_runs(link, now=now)]
    glance = glance_of(read_shared(link, now=now))
    assert glance is not None
    if link.subject.startswith("stk_"):
        return f"Runs of {glance.name}", [_run_entry(one) for one in shared_runs(link, now=now)]
    entries = [
        Entry(
            id=f"urn:slipway:{one.id}",
            title=_clean(f"{glance.name}: {one.text}"),
            at=one.at,
            updated=one.at,
            lines=[_clean(line) for line in (one.fault.summary, one.fault.detail) if line] if one.fault else [],
        )
        for one in shared_history(link)
    ]
    return f"History of {glance.name}", entries


def _run_entry(view: RunView) -> Entry:
    glance, run = of_run(view), view.run
    failed = [one for one in view.steps if one.fault and one.state in (StepState.FAILED, StepState.INTERRUPTED)]
    lines = [glance.detail]
    lines += [f"{one.address}: {one.fault.summary}" for one in failed[:_MOST_FAULTS] if one.fault]
    lines += [one.summary for one in view.faults[:_MOST_FAULTS]]
    if run.actor:
        lines.append(f"by {run.actor}")
    return Entry(
        id=f"urn:slipway:{run.id}",
        title=_clean(f"{glance.name}: {glance.verb.lower()}"),
        at=run.started_at,
        updated=run.ended_at or run.last_word_at,
        lines=[_clean(line) for line in lines],
    )


def _clean(text: str) -> str:
    """Without the characters that XML does not take."""
    return "".join(
        character for character in text if character in "\t\n" or (character >= " " and character not in "\ufffe\uffff")
    )
