"""Which line numbers of a run arrived: sorted, disjoint ranges [first, last], both included."""

from __future__ import annotations

from collections.abc import Sequence

Ranges = list[list[int]]


def contains(ranges: Sequence[Sequence[int]], number: int) -> bool:
    """Whether a line number is in one of the ranges."""
    return any(first <= number <= last for first, last in ranges)


def overlap(ranges: Sequence[Sequence[int]], first: int, last: int) -> int:
    """How many of the numbers from `first` to `last` are in the ranges."""
    return sum(max(0, min(last, b) - max(first, a) + 1) for a, b in ranges)


def add(ranges: Sequence[Sequence[int]], first: int, last: int) -> Ranges:
    """The ranges with `first` to `last` added; ranges that touch are joined."""
    if last < first:
        return [list(one) for one in ranges]
    joined: Ranges = []
    for a, b in sorted([*(list(one) for one in ranges), [first, last]]):
        if joined and a <= joined[-1][1] + 1:
            joined[-1][1] = max(joined[-1][1], b)
        else:
            joined.append([a, b])
    return joined


def gaps(ranges: Sequence[Sequence[int]]) -> Ranges:
    """The ranges of numbers from 0 to the last one that are missing."""
    missing: Ranges = []
    expected = 0
    for first, last in ranges:
        if first > expected:
            missing.append([expected, first - 1])
        expected = last + 1
    return missing
