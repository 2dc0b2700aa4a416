"""Fuzzing: whatever becomes of a line, a parser gives a change, a reason or nothing, and never raises."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.change import ACTIONS, FACTS, Change, ChangeKind, Ignored
from ingest.source import SOURCES
from ingest.state import FoundState, UnreadableState, read_state
from tests.ingest.lines import (
    SAMPLES,
    diagnostic,
    hook,
    in_nested_stack,
    of_stack,
    parsed,
    planned,
    sample,
    stack_event,
    step,
    terraform_line,
    terraform_resource,
)

_JUNK: st.SearchStrategy[Any] = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(max_size=20),
        st.sampled_from(["", "create", "urn:pulumi:a::b::c::d", "data.x.y", "\x00", "\ud800", "9" * 400, "x" * 3_000]),
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path]
    if isinstance(value, dict):
        found += [place for key, inner in value.items() for place in _places(inner, (*path, key))]
    elif isinstance(value, list):
        found += [place for key, inner in enumerate(value) for place in _places(inner, (*path, key))]
    return found


def _with(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    """A copy with another value at a place."""
    if not path:
        return new
    copy: Any = list(value) if isinstance(value, list) else dict(value)
    copy[path[0]] = _with(copy[path[0]], path[1:], new)
    return copy


def _without(value: Any, path: tuple[Any, ...]) -> Any:
    """A copy that lacks a name."""
    if len(path) == 1:
        return {name: inner for name, inner in value.items() if name != path[0]}
    return _with(value, path[:1], _without(value[path[0]], path[1:]))


@st.composite
def mutated(draw: st.DrawFn, objects: list[Any]) -> str:
    """One of the objects as JSON, with some of its values replaced, some names lost, and perhaps cut."""
    found = draw(st.sampled_from(objects))
    for _ in range(draw(st.integers(0, 3))):
        path = draw(st.sampled_from(_places(found)))
        if path and isinstance(path[-1], str) and draw(st.booleans()):
            found = _without(found, path)
        else:
            found = _with(found, path, draw(_JUNK))
    text = json.dumps(found)
    if draw(st.integers(0, 9)) == 0:
        text = text[: draw(st.integers(0, len(text)))]
    return text


def _objects(*names: str) -> list[Any]:
    return [json.loads(line) for name in names for line in sample(name)]


_TERRAFORM = [
    *_objects("terraform/apply.jsonl", "terraform/plan.jsonl", "terraform/real-failed-apply.jsonl"),
    *_objects("terraform/real-interrupted-apply.jsonl", "opentofu/apply.jsonl"),
    planned("noop", previous_resource=terraform_resource("a.b")),
    planned("replace", importing={"id": "a"}),
    planned("update") | {"type": "resource_drift"},
    hook("refresh_complete", "", id_key="id", id_value="db-1"),
    terraform_line("log", "Interrupt received"),
]
_PULUMI = [
    *_objects("pulumi/up.jsonl", "pulumi/destroy-with-components.jsonl"),
    *_objects("pulumi/failed-stacks-dont-rewrite-operations.jsonl"),
    step("resourcePreEvent", "replace", planning=True),
    step("resOutputsEvent", "create", "aws:ec2/instance:Instance", id="i", outputs={"publicIp": "203.0.113.7"}),
    step("resOutputsEvent", "same", "sst:aws:Nextjs", custom=False, outputs={"_metadata": {"url": "https://a.b"}}),
    step("resOpFailedEvent", "create-replacement"),
    diagnostic("error: a\nb", urn="urn:pulumi:a::b::c:d:E::f"),
    {"sequence": 1, "timestamp": 2, "policyEvent": {"message": "m", "enforcementLevel": "mandatory"}},
    {"sequence": 1, "timestamp": 2, "summaryEvent": {"isPreview": True, "resourceChanges": {"create": 1}}},
    {"sequence": 1, "timestamp": 2, "errorEvent": {"error": "x"}},
]
_CLOUDFORMATION = [
    stack_event("CREATE_IN_PROGRESS", PhysicalResourceId="orders-1"),
    stack_event("CREATE_FAILED", ResourceStatusReason="no\nsuch engine"),
    stack_event("DELETE_SKIPPED"),
    of_stack("UPDATE_ROLLBACK_IN_PROGRESS", "User Initiated"),
    of_stack("UPDATE_ROLLBACK_COMPLETE"),
    in_nested_stack(of_stack("CREATE_COMPLETE")),
    in_nested_stack(stack_event("CREATE_FAILED", ResourceStatusReason="no"), "Network/Inner"),
    stack_event("CREATE_FAILED", NestedCause=True, ResourceStatusReason="The following resource(s) failed to create"),
    {"ChangeSet": {"Changes": [{"Action": "Modify", "Replacement": "True"}, {"ResourceChange": {"Action": "Add"}}]}},
]
_OBJECTS = {
    "terraform": _TERRAFORM,
    "opentofu": _TERRAFORM,
    "pulumi": _PULUMI,
    "sst": _PULUMI,
    "cloudformation": _CLOUDFORMATION,
}
_BOUNDED = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def assert_well_formed(change: Change) -> None:
    """What the database takes: bounded text without NUL and lone surrogates; known words; times and counts in range."""
    assert change.kind in ChangeKind
    assert change.action in ("", *ACTIONS)
    assert set(change.facts) <= set(FACTS)
    assert change.occurred_at is None or 0 <= change.occurred_at < 10**14
    assert change.total is None or 0 <= change.total < 10**9
    assert change.outcome in ("", "succeeded", "failed", "cancelled")
    told = change.diagnostic
    texts = [change.address, change.previous_address, change.tool_type, change.parent, change.message]
    texts += [*change.facts.values(), *((told.summary, told.detail, told.where) if told else ())]
    for text in texts:
        assert isinstance(text, str)
        assert "\x00" not in text
        assert len(text) <= 8_000
        text.encode()
    for key in (change.address, change.previous_address, change.parent):
        assert len(key.encode()) <= 1_500
    if told is not None:
        assert told.severity in ("error", "warning")
        assert told.summary
    if change.kind in (ChangeKind.PLANNED, ChangeKind.STARTED, ChangeKind.PROGRESS, ChangeKind.DONE, ChangeKind.FAILED):
        assert change.address
        assert change.action


@pytest.mark.parametrize("name", sorted(SOURCES))
def test_every_source_is_fuzzed(name: str) -> None:
    assert name in _OBJECTS


@pytest.mark.parametrize("name", sorted(_OBJECTS))
def test_a_mutated_line_never_raises(name: str) -> None:
    @_BOUNDED
    @given(mutated(_OBJECTS[name]), st.integers(0, 10**6))
    def holds(text: str, number: int) -> None:
        # The parser alone, so that what `parse_batch` catches does not hide what it should not have to.
        found = SOURCES[name].parse_line(number, text)
        assert found is None or isinstance(found, Change | Ignored)
        if isinstance(found, Change):
            assert found.sequence == number
            assert_well_formed(found)
        elif found is not None:
            assert (found.line, len(found.reason) < 500) == (number, True)

    holds()


_ODD: tuple[Any, ...] = (None, True, -1, 10**30, 1e300, "", "x" * 2_000, "\x00\ud800", [], [[1]], {}, {"a": {}})


@pytest.mark.parametrize("name", sorted(_OBJECTS))
def test_a_line_with_any_one_value_replaced_never_raises(name: str) -> None:
    for line in _OBJECTS[name]:
        # What parsers read is near the top; below are inputs and outputs of any size.
        for place in (place for place in _places(line) if len(place) <= 6):
            for odd in _ODD:
                found = SOURCES[name].parse_line(0, json.dumps(_with(line, place, odd)))
                if isinstance(found, Change):
                    assert_well_formed(found)


@pytest.mark.parametrize("name", sorted(_OBJECTS))
def test_any_bytes_give_a_fate_for_each_line(name: str) -> None:
    @_BOUNDED
    @given(st.lists(st.binary(max_size=60), max_size=5))
    def holds(lines: list[bytes]) -> None:
        found = parsed(name, lines, first=3)
        numbers = [change.sequence for change in found.changes] + [one.line for one in found.ignored]
        assert len(set(numbers)) == len(numbers)
        assert set(numbers) <= set(range(3, 3 + len(lines)))

    holds()


@pytest.mark.parametrize("name", sorted(_OBJECTS))
def test_a_sample_gives_only_what_the_database_takes(name: str) -> None:
    for number, line in enumerate(_OBJECTS[name]):
        found = SOURCES[name].parse_line(number, json.dumps(line))
        assert not isinstance(found, Ignored)
        if found is not None:
            assert_well_formed(found)


def _trimmed(name: str) -> Any:
    """A state with a few of its resources, so that a mutation is likely to meet what is read."""
    state = json.loads((SAMPLES / name).read_text())
    for holder in (state, state.get("latest"), state.get("checkpoint", {}).get("latest")):
        if isinstance(holder, dict) and isinstance(holder.get("resources"), list):
            holder["resources"] = holder["resources"][:4]
            holder["pending_operations"] = [{"resource": holder["resources"][0], "type": "updating"}]
    return state


_STATES = [
    _trimmed("pulumi/checkpoint-v3.json"),
    _trimmed("pulumi/checkpoint-secrets.json"),
    _trimmed("pulumi/deployment-todo.json"),
    {
        "version": 4, "serial": 1, "lineage": "x",
        "resources": [
            {
                "mode": "managed", "type": "aws_db_instance", "name": "a", "module": "module.b", "provider": "x",
                "instances": [
                    {"index_key": "a", "attributes": {"id": "b", "engine": "postgres"}, "sensitive_attributes": [[{}]]},
                    {"deposed": "x", "attributes": {}},
                    {"status": "tainted"},
                ],
            }
        ],
    },
    json.loads((SAMPLES / "terraform/show-json-modules.json").read_text()),
]  # fmt: skip


def test_a_state_with_any_one_value_replaced_is_read_or_refused() -> None:
    for state in _STATES:
        for place in (place for place in _places(state) if len(place) <= 7):
            for odd in _ODD:
                text = json.dumps(_with(state, place, odd))
                with contextlib.suppress(UnreadableState):
                    read_state(text)


@_BOUNDED
@given(mutated(_STATES))
def test_a_mutated_state_is_read_or_refused_with_a_sentence(text: str) -> None:
    try:
        found = read_state(text.encode("utf-8", "surrogatepass"))
    except UnreadableState as refused:
        assert refused.found
        assert refused.remedy
        return
    assert isinstance(found, FoundState)
    assert len({one.address for one in found.resources}) == len(found.resources)
    for one in found.resources:
        assert one.state in ("provisioned", "failed", "deprovisioning", "interrupted")
        assert set(one.facts) <= set(FACTS)
        for value in (one.address, one.name, one.parent, one.reason, one.provider_resource_id, *one.facts.values()):
            assert "\x00" not in value
            value.encode()
