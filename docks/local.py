"""SST's local home: a folder of this host, the one that the settings name and no other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pydantic import Field

from docks.adapter import DockFault, DockInput, Finding, Look
from docks.inputs import Stages
from docks.sst import StageWatch
from docks.sst_home import FolderHome


class LocalSettings(DockInput):
    """Which stages. The folder is not a member's choice: it would be a way to look around on the server."""

    stages: Stages = Field((), title="SST stages", description="One a line, as app/stage. Empty: all in the folder.")


class LocalCredentials(DockInput):
    """None."""


class Local:
    """The adapter."""

    name = "local"
    label = "SST's local home"
    settings: type[DockInput] = LocalSettings
    credentials: type[DockInput] = LocalCredentials

    def sync(self, look: Look) -> Iterator[Finding]:
        """See `Adapter`."""
        assert isinstance(look.settings, LocalSettings)
        if not look.sst_folder:
            raise DockFault("SLIPWAY_SST_FOLDER is not set: set it to the folder of SST's local home.", permanent=True)
        folder = Path(look.sst_folder).expanduser()
        if not folder.is_dir():
            raise DockFault("The folder that SLIPWAY_SST_FOLDER names is not there.", permanent=False)
        yield from StageWatch(
            FolderHome(folder), look.settings.stages, look.memory.get("stages") or {}, look.now
        ).look()
