"""Where SST keeps what it knows: a folder, or a bucket of S3 or R2, with the same keys in all.

A key is `<kind>/<app>/<stage>` or `<kind>/<app>/<stage>/<update id>`; S3 and folders add `.json`, R2 adds nothing.
Kinds that are read: app, lock, update, eventlog. Never read: secret and passphrase.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from docks.adapter import DockFault
from docks.amazon import error_code, faults

MOST_BYTES = 256 * 1024 * 1024
_MOST_KEYS = 20_000
_MISSING = ("NoSuchKey", "404", "NotFound")


@dataclass(frozen=True, slots=True)
class Kept:
    """One object: its bytes, unpacked, and a mark that changes when it does."""

    data: bytes
    mark: str


class Home(Protocol):
    """A home of SST. Both raise `DockFault`."""

    def names(self, kind: str, under: str = "") -> list[str]:
        """The names below a kind, without it and without suffix, sorted: `shop/prod`, `shop/prod/<update id>`."""

    def read(self, kind: str, name: str) -> Kept | None:
        """One object; None where there is none."""


class BucketHome:
    """A bucket."""

    def __init__(self, client: Any, bucket: str, *, suffix: str) -> None:
        self._client = client
        self._bucket = bucket
        self._suffix = suffix

    def names(self, kind: str, under: str = "") -> list[str]:
        """See `Home`."""
        prefix = f"{kind}/{under}"
        found: list[str] = []
        with faults("list the state bucket"):
            for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix):
                for one in page.get("Contents") or []:
                    key = str(one["Key"])
                    if key.endswith(self._suffix) and len(found) < _MOST_KEYS:
                        found.append(key[len(kind) + 1 : len(key) - len(self._suffix)])
        return sorted(found)

    def read(self, kind: str, name: str) -> Kept | None:
        """See `Home`."""
        with faults(f"read {kind}/{name} in the state bucket"):
            try:
                answer = self._client.get_object(Bucket=self._bucket, Key=f"{kind}/{name}{self._suffix}")
                data = answer["Body"].read(MOST_BYTES + 1)
            except Exception as error:
                if error_code(error) in _MISSING:
                    return None
                raise
        return Kept(unpacked(data), str(answer.get("ETag", "")))


class FolderHome:
    """A folder of this host, or one that is mounted."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def names(self, kind: str, under: str = "") -> list[str]:
        """See `Home`."""
        top = self._folder / kind
        start = top / under
        if not self._is_inside(start) or not start.is_dir():
            return []
        found = sorted(path for path in start.rglob("*.json") if path.is_file())
        return [str(path.relative_to(top))[: -len(".json")] for path in found[:_MOST_KEYS]]

    def read(self, kind: str, name: str) -> Kept | None:
        """See `Home`."""
        path = self._folder / kind / f"{name}.json"
        if not self._is_inside(path):
            return None
        try:
            with path.open("rb") as file:
                data = file.read(MOST_BYTES + 1)
            mark = str(path.stat().st_mtime_ns)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise DockFault(f"Could not read {kind}/{name}: {error.strerror}.", permanent=False) from None
        return Kept(unpacked(data), mark)

    def _is_inside(self, path: Path) -> bool:
        # Neither `..` in a name nor a link leads out.
        return path.resolve().is_relative_to(self._folder.resolve())


def unpacked(data: bytes) -> bytes:
    """Data as it was before gzip, where it is packed. Raises `DockFault` where it is too large or cut short."""
    if data.startswith(b"\x1f\x8b"):
        unpacker = zlib.decompressobj(wbits=31)
        try:
            data = unpacker.decompress(data, MOST_BYTES + 1)
        except zlib.error:
            raise DockFault(
                "An object in SST's home begins like gzip and cannot be unpacked.", permanent=False
            ) from None
        if not unpacker.eof and len(data) <= MOST_BYTES:
            raise DockFault("A packed object in SST's home ends too early.", permanent=False)
    if len(data) > MOST_BYTES:
        raise DockFault(f"An object in SST's home is larger than {MOST_BYTES:,} bytes.", permanent=False)
    return data


def stages(home: Home, wanted: tuple[str, ...]) -> Iterator[str]:
    """The stages to look at, as `app/stage`: those named, else all in the home."""
    if wanted:
        yield from wanted
        return
    # `update/<app>/<stage>/<id>`: a first update that failed early leaves nothing else.
    found = {"/".join(name.split("/")[:2]) for kind in ("app", "lock", "update") for name in home.names(kind)}
    yield from sorted(name for name in found if name.count("/") == 1)
