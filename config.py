"""Every setting of Slipway, read from `SLIPWAY_*` environment variables.

Each field says what it means and its default; `docs/settings.md` lists the same and a test keeps the two equal.
"""

from __future__ import annotations

import difflib
import logging
import os
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

log = logging.getLogger("slipway")

NOT_SETTINGS = frozenset({"SLIPWAY_URL", "SLIPWAY_TOKEN", "SLIPWAY_STACK", "SLIPWAY_SPOOL", "SLIPWAY_PASSWORD"})
"""Variables of the reporter and of the commands, which share the prefix."""


class SettingError(Exception):
    """A setting cannot be used; the text names the variable, what was found and the remedy."""


def _setting(default: Any, meaning: str) -> Any:
    return field(default=default, metadata={"meaning": meaning})


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The settings of one process. Names are the variables' names, lower case, without `SLIPWAY_`."""

    home: str = _setting("var", "Folder of the database, the key file and the queue of background work.")
    bind: str = _setting("127.0.0.1:8000", "Address and port the web server listens on.")
    database_url: str = _setting("", "postgresql://… of the database; empty: SQLite in the home folder.")
    secret_key: str = _setting(
        "", "Key that signs sessions; empty: the file `secret.key` in the home folder, made on first start."
    )
    public_url: str = _setting(
        "", "URL under which people reach Slipway, for links it prints; empty: taken from each request."
    )
    trusted_proxies: int = _setting(0, "Number of reverse proxies in front whose X-Forwarded-* headers are believed.")
    web_workers: int = _setting(2, "Number of web server processes.")
    quiet_after_ms: int = _setting(30_000, "Milliseconds without a word after which a running run is called quiet.")
    lost_after_ms: int = _setting(
        900_000, "Milliseconds without a word after which a run is called lost, where its stack has no time-out."
    )
    watch_every_ms: int = _setting(5_000, "Milliseconds between two looks of the worker for quiet and lost runs.")
    dock_every_ms: int = _setting(60_000, "Milliseconds between two looks at a dock where nothing is under way.")
    sst_folder: str = _setting(
        "", "Folder of SST's local home (like ~/.config/sst/state) that docks may read; empty: none."
    )
    max_line_bytes: int = _setting(
        262_144, "Longest line of tool output that is read; a longer one is reported and left out."
    )
    max_batch_bytes: int = _setting(8_388_608, "Largest body of one ingest request; a larger one is answered with 413.")
    show_builtin_types: bool = _setting(
        False, "Give Terraform's built-in `terraform_data` cards (as servers): for demo and tests."
    )
    poll_active_ms: int = _setting(2_000, "Milliseconds between polls while something moves.")
    poll_settled_ms: int = _setting(30_000, "Milliseconds between polls where nothing moves.")
    keep_apply_logs_days: int = _setting(
        365, "Days after its end that the log of a run that changed something is kept; 0: for ever."
    )
    keep_plan_logs_days: int = _setting(
        30, "Days after its end that the log of a run that only planned is kept; 0: for ever."
    )
    keep_ended_shares_days: int = _setting(
        90, "Days after its end that a share link still says that it has ended; 0: for ever."
    )
    session_days: int = _setting(30, "Days after which a signed-in browser must sign in again.")
    log_level: str = _setting("INFO", "Least level of log lines: DEBUG, INFO, WARNING or ERROR.")

    @property
    def home_path(self) -> Path:
        """The home folder as an absolute path."""
        return Path(self.home).expanduser().resolve()


def settings_from_environment(environment: dict[str, str] | None = None) -> Settings:
    """Read all settings.

    Raises `SettingError` where a number or a yes/no is not one. A `SLIPWAY_*` variable that is no setting is warned of,
    for it is likely misspelt.
    """
    source = dict(os.environ) if environment is None else environment
    known = {f"SLIPWAY_{one.name.upper()}" for one in fields(Settings)}
    for name in sorted(source):
        if name.startswith("SLIPWAY_") and name not in known | NOT_SETTINGS and not name.startswith("SLIPWAY_TEST_"):
            meant = difflib.get_close_matches(name, known, n=1)
            hint = f" Did you mean {meant[0]}?" if meant else " docs/settings.md lists all."
            log.warning("%s is set, and there is no such setting.%s", name, hint)
    values: dict[str, object] = {}
    for one in fields(Settings):
        name = f"SLIPWAY_{one.name.upper()}"
        if name not in source:
            continue
        values[one.name] = _read(name, source[name], one.default)
    return Settings(**values)  # type: ignore[arg-type]


def _read(name: str, text: str, default: object) -> object:
    if isinstance(default, bool):
        if text.lower() in {"1", "true", "yes", "on"}:
            return True
        if text.lower() in {"0", "false", "no", "off", ""}:
            return False
        raise SettingError(f"{name} is {text!r}: expected yes or no.")
    if isinstance(default, int):
        try:
            return int(text)
        except ValueError:
            raise SettingError(f"{name} is {text!r}: expected a whole number.") from None
    return text
