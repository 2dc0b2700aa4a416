"""Words for codes: one function a vocabulary, read by page, JSON, badge and notice alike."""

from __future__ import annotations

from provisioning.states import CardStatus

_DOING = {
    "create": "Creating",
    "update": "Updating",
    "replace": "Replacing",
    "delete": "Deleting",
    "import": "Importing",
    "refresh": "Refreshing",
}
_DID = {
    "create": "Created",
    "update": "Updated",
    "replace": "Replaced",
    "delete": "Deleted",
    "import": "Imported",
    "refresh": "Refreshed",
}

INTERRUPTIONS = ("interrupted", "closed_by_hand")
"""The reasons of what was in flight when its run ended without a word about it."""

REASONS = {
    "interrupted": "The run ended while this was in flight; it may exist in part.",
    "incomplete": "The run ended before all of its steps had begun.",
    "not_started": "The run ended before this began.",
    "run_ended": "The run ended without a word how this went.",
    "stream_ended": "Its output stopped without an end.",
    "quiet": "No word for a while. It may be at work still.",
    "no_word": "No word for longer than its time-out. It may be at work still, or have died.",
    "spoke_again": "It was taken for lost, and spoke again.",
    "closed_by_hand": "Closed by hand after no more word came.",
    "illegal_move": "Kept in history; it does not follow from the state it was in.",
    "after_the_end": "Kept in history; it came after the step had ended.",
    "set_by_hand": "Set by hand.",
    "left_state": "The tool’s state has it no longer.",
    "tainted": "The tool has marked it as damaged; its next run replaces it.",
    "unhealthy": "It exists, and its initialisation reported errors.",
    "retained": "It left the stack and was kept.",
    "rolled_back": "The change failed and was rolled back; the earlier version stands.",
}
"""A sentence for each stored reason code."""


def reason_text(code: str) -> str:
    """The sentence for a reason code; empty for none. Raises `KeyError` for a code nobody has worded."""
    return REASONS[code] if code else ""


def run_reason(code: str, *, is_quiet: bool, closed_by: str) -> str:
    """Why a run is as it is; `closed_by` is who closed it by hand, empty where the reader may not know."""
    if closed_by:
        return f"Closed by hand by {closed_by} after no more word came."
    return reason_text("quiet" if is_quiet else code)


def verb(status: CardStatus, operation: str | None, planned_action: str | None, *, reason: str = "") -> str:
    """What the card says beside the name, like "Creating", "Creating failed" or "Planned, will update"."""
    doing = _DOING.get(operation or "", "Provisioning")
    match status:
        case CardStatus.VALIDATING:
            return f"Planned, will {planned_action or 'change'}"
        case CardStatus.PROVISIONING:
            return doing
        case CardStatus.SUCCESS:
            return _DID.get(operation or "", "Provisioned")
        case CardStatus.ERROR:
            return f"{doing} interrupted" if reason in INTERRUPTIONS else f"{doing} failed"
        case CardStatus.STALLED:
            return f"{_DOING.get(planned_action or operation or '', doing)}, stalled"
        case CardStatus.DELETED:
            return "Deleted"
        case CardStatus.IDLE:
            return {"not_started": "Not started", "retained": "Left standing"}.get(reason, "Idle")


def step_verb(action: str, *, replacing: bool) -> str:
    """Like "create", or "create (replacement)"."""
    return f"{action} (replacement)" if replacing else action


_EVENT_WORDS = {
    "planned": "Planned to {action}",
    "moved": "Renamed",
    "started": "{doing} began",
    "progress": "Still at it",
    "done": "{did}",
    "failed": "{doing} failed",
    "diagnostic": "The tool reported a problem",
    "drift": "Found changed outside the tool",
    "resource": "More became known",
    "set": "Set by hand by {message}",
    "import": "Imported from the tool's state",
}


def event_text(kind: str, action: str, message: str) -> str:
    """A line of history in plain words; the tool's own message where we have no better ones."""
    words = _EVENT_WORDS.get(kind)
    if words is None:
        return message or kind.replace("_", " ").capitalize()
    return words.format(
        action=action or "change",
        doing=_DOING.get(action, "Provisioning"),
        did=_DID.get(action, "Done"),
        message=message or "somebody",
    )
