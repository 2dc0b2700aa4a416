"""A followed event log: growing, truncated, begun anew, replaced, deleted, cut in the middle of a line."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.reporter.stage import REPORTER


@pytest.fixture(scope="module")
def reporter() -> ModuleType:
    spec = importlib.util.spec_from_file_location("slipway_reporter", REPORTER)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["slipway_reporter"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "events.jsonl"


@pytest.fixture
def followed(reporter: ModuleType, log: Path) -> Any:
    return reporter.FollowedFile(log)


def test_it_need_not_be_there_yet(followed: Any, log: Path) -> None:
    assert list(followed.lines()) == []
    log.write_bytes(b"a\n")
    assert list(followed.lines()) == [b"a"]


def test_a_line_comes_once_it_is_whole(followed: Any, log: Path) -> None:
    with log.open("ab", buffering=0) as stream:
        stream.write(b"a\nbe")
        assert list(followed.lines()) == [b"a"]
        assert list(followed.lines()) == []
        stream.write(b"gin\nc")
        assert list(followed.lines()) == [b"begin"]
    assert followed.rest() == b"c"
    assert followed.rest() is None


def test_truncated_and_shorter_is_read_from_its_start(followed: Any, log: Path) -> None:
    log.write_bytes(b"first\nsecond\nhal")
    assert list(followed.lines()) == [b"first", b"second"]
    with log.open("r+b") as stream:
        stream.truncate(0)
        stream.write(b"new\n")
    assert list(followed.lines()) == [b"new"]


def test_truncated_and_already_longer_is_read_from_its_start(followed: Any, log: Path) -> None:
    log.write_bytes(b"first\n")
    assert list(followed.lines()) == [b"first"]
    with log.open("r+b") as stream:
        stream.truncate(0)
        stream.write(b"other\n" * 500)
    assert list(followed.lines()) == [b"other"] * 500


def test_another_file_in_its_place_is_read_too(followed: Any, log: Path, tmp_path: Path) -> None:
    with log.open("ab", buffering=0) as stream:
        stream.write(b"a\n")
        assert list(followed.lines()) == [b"a"]
        stream.write(b"last words")
        other = tmp_path / "other"
        other.write_bytes(b"b\nc\n")
        other.replace(log)
    assert list(followed.lines()) == [b"last words", b"b", b"c"]


def test_deleted_it_is_read_to_its_end(followed: Any, log: Path) -> None:
    with log.open("ab", buffering=0) as stream:
        stream.write(b"a\n")
        assert list(followed.lines()) == [b"a"]
        log.unlink()
        stream.write(b"b\nc")
        assert list(followed.lines()) == [b"b"]
        stream.write(b"d\n")
        assert list(followed.lines()) == [b"cd"]


def test_a_line_beyond_the_limit_is_told_by_its_length(reporter: ModuleType, followed: Any, log: Path) -> None:
    log.write_bytes(b"x" * (reporter.LINE_BYTES + 5) + b"\nafter\n")
    assert list(followed.lines()) == [reporter.LINE_BYTES + 5, b"after"]
