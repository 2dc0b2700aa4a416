#!/usr/bin/env python3
"""Report what a provisioning tool does to a Slipway server, without ever getting in the tool's way.

    terraform apply -json -auto-approve | python3 slipway_reporter.py terraform --stack prod
    python3 slipway_reporter.py watch --stack prod -- terraform apply
    python3 slipway_reporter.py cloudformation --stack-name web
    python3 slipway_reporter.py flush | wait URL | badge --out FILE URL

One file, standard library only, Python 3.9 or newer. Its subjects, in this order:

    Limits              every number that bounds time, memory or disk
    Settings            what SLIPWAY_* variables and flags say
    What leaves         the whitelist of fields that are sent; everything else stays on this machine
    What people read    a tool's events worded for the terminal
    Terminal            printing that can neither block nor break the run
    Origin              commit, actor and job URL from the CI environment
    HTTP                one request, one reply, no exceptions but `Unreachable`
    Spool               undelivered lines on disk
    Outbox              the lines of one run on their way
    Keeper, Courier     the thread that writes to disk, the thread that sends
    Report              one run, reported: what the commands below use
    Pipe                `… | slipway_reporter.py terraform`
    Child               a command run with terminal and signals as in a shell
    Watch               `watch -- terraform apply`, one plan of observation a tool
    CloudFormation      polling DescribeStackEvents
    Flush, wait, badge  the commands about runs that were
    Command line

The rule over all of it: a reader that dies kills the apply (SIGPIPE), so standard input is read to its end
whatever the server, the disk, the terminal or this program's own faults do.
"""

from __future__ import annotations

import argparse
import contextlib
import email.utils
import errno
import fnmatch
import getpass
import heapq
import http.client
import importlib
import json
import os
import random
import re
import select
import shlex
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from collections import deque
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from types import FrameType
from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple, Union

if sys.platform != "win32":
    import fcntl

__version__ = "0.1.0"

JsonObject = Dict[str, Any]

# ---------------------------------------------------------------------------------------------------------
# Limits
# ---------------------------------------------------------------------------------------------------------

BATCH_SECONDS = 0.3
"""How long a line waits at most for others to share its batch."""
BATCH_LINES = 200
BATCH_BYTES = 512 * 1024
HEARTBEAT_SECONDS = 10.0
"""A word to the server at least this often, so that silence means trouble and not a slow resource."""
LINE_BYTES = 1024 * 1024
"""A longer line is counted and not sent."""
REQUEST_SECONDS = 10.0
"""How long connecting, and then each wait for bytes of an answer, may take."""
ANSWER_BYTES = 1024 * 1024
PARAMETER_LETTERS = 500
URL_LETTERS = 2000
URL_SECONDS = 2.0
"""How long the first output waits for the run's URL, so that the URL stands above it."""
BACKOFF_FIRST_SECONDS = 0.5
BACKOFF_LONGEST_SECONDS = 30.0
DRAIN_SECONDS = 10.0
"""How long, after the tool has ended, delivery is still tried before the rest is left in the spool."""
HURRY_SECONDS = 2.0
"""The same after a signal asked us to end."""
MEMORY_SOFT_BYTES = 4 * 1024 * 1024
"""Undelivered lines above this go to disk even while the server answers."""
MEMORY_LIMIT_BYTES = 32 * 1024 * 1024
"""Undelivered lines above this are dropped and counted: only reached when disk and server both fail."""
SPOOL_LIMIT_BYTES = 256 * 1024 * 1024
"""All spool files together."""
RESEND_BYTES = 2 * 1024 * 1024
"""Delivered lines still held, in case the server says that it misses them."""
KEEP_SECONDS = 5.0
"""How long, at the very end, writing the spool may take."""
DISK_RETRY_SECONDS = 5.0
LEFT_BEHIND_SECONDS = 5.0
"""How long a watched command's output is read on after its end, where a process it left behind holds it open."""
TERMINAL_BYTES = 4 * 1024 * 1024
"""Messages waiting for a terminal that does not take them; more are skipped and counted."""
FOLLOW_SECONDS = 0.02
"""How often a followed event log is looked at: Pulumi truncates its log between preview and update."""

# ---------------------------------------------------------------------------------------------------------
# Settings
# ---------------------------------------------------------------------------------------------------------

SOURCES = ("terraform", "opentofu", "pulumi", "sst", "cloudformation")
PIPE_SOURCES = ("terraform", "opentofu", "pulumi", "sst")


@dataclass(frozen=True)
class Settings:
    """What the environment and the flags say. `server` and `token` are empty when not set."""

    server: str = ""
    token: str = ""
    stack: str = ""
    dock: str = ""
    spool: str = ""
    """Folder for undelivered lines; empty: the first writable of the usual places."""
    command: str = ""
    """What the run page shows as the command; never taken from a command line unpruned."""
    drain_seconds: float = DRAIN_SECONDS
    share: bool = False
    share_expires: Optional[int] = 7 * 24 * 3600
    """Seconds a printed share link is valid; None: until revoked."""
    share_fields: str = "status"
    strict: bool = False
    memory_limit: int = MEMORY_LIMIT_BYTES
    spool_limit: int = SPOOL_LIMIT_BYTES

    def missing(self) -> Optional[str]:
        """The sentence that tells what is not set, or None when reporting is possible."""
        if not self.server:
            return "SLIPWAY_URL is not set: set it (or --server) to the address of your Slipway"
        if not re.match(r"https?://[^/\s]+", self.server):
            return f"SLIPWAY_URL is {self.server!r}: it must begin with http:// or https://"
        if not self.token:
            return "SLIPWAY_TOKEN is not set: make a token of scope `ingest` on Slipway's settings page"
        if any(ord(letter) < 33 or ord(letter) > 126 for letter in self.token):
            return "SLIPWAY_TOKEN holds spaces, line ends or letters that no token has: copy it again"
        return None


def settings_from(environ: Mapping[str, str], given: argparse.Namespace) -> Settings:
    """Flags first, then the environment, then the defaults."""

    def told(name: str, variable: str) -> str:
        return str(getattr(given, name, None) or environ.get(variable, "")).strip()

    return Settings(
        server=told("server", "SLIPWAY_URL").rstrip("/"),
        token=told("token", "SLIPWAY_TOKEN"),
        stack=told("stack", "SLIPWAY_STACK"),
        dock=told("dock", "SLIPWAY_DOCK"),
        spool=environ.get("SLIPWAY_SPOOL", "").strip(),
        command=str(getattr(given, "command_shown", None) or ""),
        drain_seconds=max(0.0, float(getattr(given, "drain_seconds", DRAIN_SECONDS))),
        share=bool(getattr(given, "share", False)),
        share_expires=getattr(given, "share_expires", 7 * 24 * 3600) or None,
        share_fields=str(getattr(given, "share_fields", "status")),
        strict=bool(getattr(given, "strict", False)),
        memory_limit=_bytes(environ.get("SLIPWAY_MEMORY_LIMIT"), MEMORY_LIMIT_BYTES),
        spool_limit=_bytes(environ.get("SLIPWAY_SPOOL_LIMIT"), SPOOL_LIMIT_BYTES),
    )


def _bytes(text: Optional[str], default: int) -> int:
    """A number of bytes; a value that is none leaves the default, for a limit must never stop a deploy."""
    return int(text) if text and text.isdigit() else default


def with_stack(settings: Settings, told: Optional[str] = None) -> Settings:
    """The settings with a stack's name: given, told by the tool's own command line, else the folder's name."""
    return settings if settings.stack else replace(settings, stack=told or working_folder().name or "default")


def working_folder() -> Path:
    """Where we are; the root where that folder was deleted."""
    try:
        return Path.cwd()
    except OSError:
        return Path("/")


# ---------------------------------------------------------------------------------------------------------
# What leaves: a line is sent with these fields and no others
# ---------------------------------------------------------------------------------------------------------

Keep = Union[bool, Mapping[str, Any], Callable[[Any], Any]]
"""True: the value as it is. A mapping: these keys, each by its own rule. A function: what it returns."""

_GONE = object()


def pruned(value: Any, keep: Keep) -> Any:
    """`value` reduced to what `keep` names. Lists of objects are pruned one by one."""
    if keep is True:
        return value
    if callable(keep):
        return keep(value)
    if isinstance(value, dict) and isinstance(keep, Mapping):
        found = {key: pruned(value[key], keep[key]) for key in value if key in keep}
        return {key: rest for key, rest in found.items() if rest is not _GONE}
    if isinstance(value, list):
        return [rest for rest in (pruned(item, keep) for item in value) if rest is not _GONE]
    return _GONE


def _without_values(outputs: Any) -> Any:
    """Terraform's outputs: their names and whether they are sensitive, never what they hold."""
    if not isinstance(outputs, dict):
        return _GONE
    return {name: pruned(output, {"sensitive": True, "action": True}) for name, output in outputs.items()}


def _plain(value: Any) -> Any:
    """A string, number or truth value; a URL only without user and password in it."""
    if isinstance(value, str):
        if re.match(r"(?i)[a-z][a-z0-9+.-]*://[^/?#]*@", value) or len(value) > 2048:
            return _GONE
        return value
    return value if isinstance(value, (bool, int, float)) else _GONE


def _web_address(value: Any) -> Any:
    """An http(s) URL without credentials and query."""
    if isinstance(value, str) and re.match(r"https?://[^/?#@]+(/[^?#@]*)?$", value):
        return value
    return _GONE


def _these(names: str, keep: Keep = True) -> Dict[str, Keep]:
    """The same rule for each of the names."""
    return dict.fromkeys(names.split(), keep)


_TF_RESOURCE = _these("addr module resource implied_provider resource_type resource_name resource_key")
_TF_MESSAGE_OF = re.compile(
    r"version|diagnostic|resource_drift|planned_change|change_summary|outputs"
    r"|apply_(start|progress|complete|errored)|refresh_(start|complete)|provision_(start|complete|errored)"
)
"""Types whose `@message` is worded by the tool alone. `log` may hold a state dump, `provision_progress` and
unknown types what other programs print: their message stays here."""
_TF_STOPPING = re.compile(r"\s*(Interrupt received|Stopping operation|Two interrupts received)")
"""The only `log` messages that are sent: that somebody asked the tool to stop."""

TERRAFORM_KEEP: Mapping[str, Keep] = {
    **_these("@level @message @module @timestamp type terraform tofu ui changes"),
    "diagnostic": {
        **_these("severity summary detail address"),
        "range": {"filename": True, **_these("start end", _these("line column byte"))},
        "snippet": {"context": True},
    },
    "change": {
        **_these("resource previous_resource", _TF_RESOURCE),
        **_these("action reason"),
        "importing": {"id": True},
    },
    "outputs": _without_values,
    "hook": {"resource": _TF_RESOURCE, **_these("action id_key id_value elapsed_seconds provisioner")},
}

_PULUMI_OUTPUTS: Mapping[str, Keep] = {
    "_metadata": {"url": _web_address},
    **_these("_hint url functionUrl invokeUrl uri liveUrl apiEndpoint serviceUrl repository", _web_address),
    **_these("publicIp ipv4Address publicIpAddress mainIp ipAddress natIp ipv6Address privateIp", _plain),
    **_these("region location zone availabilityZone", _plain),
    **_these("engine engineVersion engineVersionActual databaseVersion version", _plain),
    **_these("fqdn hostname domain domainName name", _plain),
}
"""What a card shows of a resource. The server takes these only in the shape of an address, a host or a version."""
_PULUMI_STATE: Mapping[str, Keep] = {
    **_these("type urn custom delete id parent protect taint external retainOnDelete provider initErrors"),
    "pendingReplacement": True,
    "outputs": _PULUMI_OUTPUTS,
}
_PULUMI_METADATA: Mapping[str, Keep] = {
    **_these("op urn type keys diffs logical provider"),
    **_these("old new", _PULUMI_STATE),
}


def _diagnostic(value: Any) -> Any:
    """Errors and warnings with their text; of lower severities, which programs print, only that they were."""
    kept = pruned(value, _these("urn prefix message color severity streamID ephemeral"))
    if isinstance(kept, dict) and kept.get("severity") not in ("error", "warning"):
        kept = {**kept, "message": "", "prefix": ""}
    return kept


PULUMI_KEEP: Mapping[str, Keep] = {
    **_these("sequence timestamp"),
    **_these("preludeEvent cancelEvent stdoutEvent", {}),
    **_these("resourcePreEvent resOutputsEvent", {"metadata": _PULUMI_METADATA, "planning": True}),
    "resOpFailedEvent": {"metadata": _PULUMI_METADATA, **_these("status steps")},
    "diagnosticEvent": _diagnostic,
    "summaryEvent": _these("maybeCorrupt durationSeconds resourceChanges isPreview result"),
    "policyEvent": {
        **_these("resourceUrn message color policyName policyPackName policyPackVersion policyPackVersionTag"),
        **_these("enforcementLevel severity"),
    },
    "progressEvent": _these("type id message received total done"),
    "errorEvent": {"error": True},
}

CLOUDFORMATION_FIELDS = (
    "StackId",
    "EventId",
    "StackName",
    "LogicalResourceId",
    "PhysicalResourceId",
    "ResourceType",
    "Timestamp",
    "ResourceStatus",
    "ResourceStatusReason",
    "ClientRequestToken",
    "OperationId",
)
CLOUDFORMATION_CHANGE_FIELDS = ("Action", "LogicalResourceId", "ResourceType", "Replacement")
CLOUDFORMATION_KEEP: Mapping[str, Keep] = {
    **dict.fromkeys(CLOUDFORMATION_FIELDS, True),
    # Ours: where a nested stack is, and whether what failed in it is told too.
    **_these("NestedStackPath NestedCause"),
    "ChangeSet": {
        **_these("StackName Timestamp"),
        "Changes": {
            **dict.fromkeys(CLOUDFORMATION_CHANGE_FIELDS, True),
            **_these("NestedStackPath NestedChanges"),
        },
    },
}

KEEP_OF: Mapping[str, Mapping[str, Keep]] = {
    "terraform": TERRAFORM_KEEP,
    "opentofu": TERRAFORM_KEEP,
    "pulumi": PULUMI_KEEP,
    "sst": PULUMI_KEEP,
    "cloudformation": CLOUDFORMATION_KEEP,
}


def parsed(raw: bytes) -> Optional[JsonObject]:
    """The JSON object in a line, or None where the line is anything else."""
    if not raw.startswith(b"{"):
        return None
    try:
        event = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    return event if isinstance(event, dict) else None


def _tool_worded(event: JsonObject) -> bool:
    """Whether Terraform's message is of its own wording."""
    kind = str(event.get("type"))
    if kind == "log":
        return bool(_TF_STOPPING.match(str(event.get("@message"))))
    return bool(_TF_MESSAGE_OF.fullmatch(kind))


def sendable(source: str, raw: bytes, event: Optional[JsonObject]) -> bytes:
    """The line as it is sent: its own bytes where nothing had to go, a marker where it is no event.

    The marker keeps the numbering without gaps, and the server counts it like any line that is no JSON.
    """
    if event is None:
        return b"# not JSON, %d bytes, not sent" % len(raw)
    kept = pruned(event, KEEP_OF[source])
    if source in ("terraform", "opentofu") and not _tool_worded(event):
        kept.pop("@message", None)
    if kept == event and b"\r" not in raw:
        return raw
    return json.dumps(kept, separators=(",", ":")).encode()


# ---------------------------------------------------------------------------------------------------------
# What people read
# ---------------------------------------------------------------------------------------------------------

_PULUMI_COLOUR = re.compile(r"<\{%.*?%\}>")
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def one_line(text: Any, longest: int = 400) -> str:
    """Text from elsewhere, safe to print inside a sentence: one line, no control characters, bounded."""
    plain = _UNPRINTABLE.sub("", " ".join(str(text).split()))
    return plain if len(plain) <= longest else plain[: longest - 1] + "…"


def amount(size: int) -> str:
    """A number of bytes in words."""
    return f"{size // 2**20} MiB" if size >= 2**20 else f"{size // 2**10} KiB"


def message_of(source: str, raw: bytes, event: Optional[JsonObject], colour: bool) -> Optional[str]:
    """What the terminal shows for one line of the tool, without the line end; None: nothing to show."""
    if event is None:
        return raw.decode("utf-8", "replace")
    if source in ("terraform", "opentofu"):
        return _terraform_message(event, colour)
    if source in ("pulumi", "sst"):
        return _pulumi_message(event)
    return None


def _terraform_message(event: JsonObject, colour: bool) -> Optional[str]:
    kind = event.get("type")
    if kind == "diagnostic" and isinstance(event.get("diagnostic"), dict):
        return _terraform_diagnostic(event["diagnostic"], colour)
    if kind == "outputs" and isinstance(event.get("outputs"), dict):
        shown = _terraform_outputs(event["outputs"])
        if shown:
            return shown
    message = event.get("@message")
    if message is None:
        return None
    if colour and kind == "change_summary":
        return f"\n\033[1m\033[32m{message}\033[0m"
    if colour and kind in ("apply_start", "apply_complete", "apply_progress", "planned_change"):
        return f"\033[1m{message}\033[0m"
    return str(message)


def _terraform_outputs(outputs: JsonObject) -> Optional[str]:
    """The outputs as Terraform prints them after an apply; None for those of a plan, which have no values."""
    lines = []
    for name, output in outputs.items():
        if isinstance(output, dict) and output.get("sensitive"):
            lines.append(f"{name} = <sensitive>")
        elif isinstance(output, dict) and "value" in output:
            lines.append(f"{name} = {json.dumps(output['value'], indent=2, ensure_ascii=False)}")
    return "\nOutputs:\n\n" + "\n".join(lines) if any("<sensitive>" not in line for line in lines) else None


def _terraform_diagnostic(diagnostic: JsonObject, colour: bool) -> str:
    """An error or warning in the frame that Terraform draws around it."""
    severity = str(diagnostic.get("severity", "error")).capitalize()
    ink = {"Error": "\033[31m", "Warning": "\033[33m"}.get(severity, "") if colour else ""
    off = "\033[0m" if ink else ""
    body = [f"{ink}{severity}: {off}{diagnostic.get('summary', '')}", ""]
    if diagnostic.get("address"):
        body.append(f"  with {diagnostic['address']},")
    where, snippet = diagnostic.get("range"), diagnostic.get("snippet")
    if isinstance(where, dict) and isinstance(where.get("start"), dict):
        context = snippet.get("context") if isinstance(snippet, dict) else None
        line = where["start"].get("line")
        body.append(f"  on {where.get('filename')} line {line}{f', in {context}' if context else ''}:")
        if isinstance(snippet, dict) and snippet.get("code"):
            first = snippet.get("start_line", line)
            for number, code in enumerate(str(snippet["code"]).splitlines(), first if isinstance(first, int) else 1):
                body.append(f"  {number:>3}: {code}")
        body.append("")
    elif diagnostic.get("address"):
        body.append("")
    body += str(diagnostic.get("detail", "")).splitlines()
    return "\n".join([f"{ink}╷{off}", *(f"{ink}│{off} {line}" for line in body), f"{ink}╵{off}"])


def _pulumi_message(event: JsonObject) -> Optional[str]:
    for name in ("diagnosticEvent", "policyEvent", "stdoutEvent"):
        told = event.get(name)
        if isinstance(told, dict) and not told.get("ephemeral"):
            text = f"{told.get('prefix') or ''}{told.get('message') or ''}"
            return _PULUMI_COLOUR.sub("", text).rstrip("\n") or None
    broken = event.get("errorEvent")
    if isinstance(broken, dict):
        return f"error: {broken.get('error', '')}"
    summary = event.get("summaryEvent")
    if isinstance(summary, dict) and isinstance(summary.get("resourceChanges"), dict):
        changes = ", ".join(f"{count} {verb}" for verb, count in summary["resourceChanges"].items())
        phase = "Preview" if summary.get("isPreview") else "Update"
        return f"{phase}: {changes or 'no changes'} ({summary.get('durationSeconds', 0)}s)"
    return None


# ---------------------------------------------------------------------------------------------------------
# Terminal
# ---------------------------------------------------------------------------------------------------------

STDIN, STDOUT, STDERR = 0, 1, 2


def secure_standard_streams() -> None:
    """Open the null device in place of each closed standard stream.

    Otherwise the next file opened would take its number, and messages would be printed into the spool.
    """
    for number in (STDIN, STDOUT, STDERR):
        try:
            os.fstat(number)
        except OSError:
            with contextlib.suppress(OSError):
                os.open(os.devnull, os.O_RDWR)


def write_all(number: int, data: bytes) -> None:
    """Write to a file descriptor to the end, waiting where it is non-blocking and full."""
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(number, view) :]
        except BlockingIOError:
            select.select([], [number], [], 1.0)


class Terminal:
    """Prints from a thread of its own: a terminal that is closed, stopped (Ctrl-S) or slow holds up nobody.

    Messages that it does not take are skipped beyond `TERMINAL_BYTES` and counted.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: deque[Tuple[int, bytes]] = deque()
        self._bytes = 0
        self._skipped = 0
        self._broken: set[int] = set()
        self._hold_until = 0.0
        self._writing = False
        self._thread = threading.Thread(target=self._print, name="terminal", daemon=True)
        self._thread.start()
        self.colour = os.isatty(STDOUT) and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"

    def hold(self, seconds: float) -> None:
        """Print nothing for so long, so that a sentence told by `say_first` comes first."""
        with self._changed:
            self._hold_until = time.monotonic() + seconds

    def release(self) -> None:
        with self._changed:
            self._hold_until = 0.0
            self._changed.notify_all()

    def show(self, text: str) -> None:
        """The tool's own words, to standard output."""
        self._put(STDOUT, text)

    def say(self, text: str) -> None:
        """A sentence of the reporter's, to standard error."""
        self._put(STDERR, f"slipway: {text}")

    def say_first(self, text: str) -> None:
        """The same, before everything that still waits; ends a `hold`."""
        data = f"slipway: {text}\n".encode("utf-8", "replace")
        with self._changed:
            self._waiting.appendleft((STDERR, data))
            self._bytes += len(data)
            self._hold_until = 0.0
            self._changed.notify_all()

    def finish(self, seconds: float) -> bool:
        """Wait, at most so long, until all is printed; whether it is."""
        self.release()
        with self._changed:
            return self._changed.wait_for(lambda: not self._waiting and not self._writing, seconds)

    def _put(self, number: int, text: str) -> None:
        data = (text + "\n").encode("utf-8", "replace")
        with self._changed:
            if self._bytes + len(data) > TERMINAL_BYTES:
                self._skipped += 1
                return
            if self._skipped:
                note = f"slipway: {self._skipped} messages are not shown: the terminal did not take them\n".encode()
                self._waiting.append((STDERR, note))
                self._bytes += len(note)
                self._skipped = 0
            self._waiting.append((number, data))
            self._bytes += len(data)
            self._changed.notify_all()

    def _print(self) -> None:
        while True:
            with self._changed:
                while not self._waiting or time.monotonic() < self._hold_until:
                    left = self._hold_until - time.monotonic()
                    self._changed.wait(left if self._waiting and left > 0 else None)
                number, data = self._waiting.popleft()
                self._bytes -= len(data)
                self._writing = True
            try:
                if number not in self._broken:
                    write_all(number, data)
            except (OSError, ValueError):
                # A closed terminal stays closed: from here on its messages are dropped.
                self._broken.add(number)
            finally:
                with self._changed:
                    self._writing = False
                    self._changed.notify_all()


# ---------------------------------------------------------------------------------------------------------
# Origin: only the variables named here are read, so no other part of the environment can be sent
# ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Origin:
    """Where a run was started: each part empty when not known."""

    commit: str = ""
    actor: str = ""
    job_url: str = ""
    key: str = ""
    """Begins the run's key in CI, so that a run can be recognised as this job's."""
    summary: str = ""
    """A file whose Markdown the CI shows on the job's page."""


def origin_of(environ: Mapping[str, str], folder: Path) -> Origin:
    """Read the environment of the CI systems that are known, else the user's name and the commit on disk."""
    get = environ.get

    def joined(*names: str) -> str:
        return "-".join(get(name, "") for name in names if get(name))

    if get("GITHUB_ACTIONS") == "true":
        page = f"{get('GITHUB_SERVER_URL', 'https://github.com')}/{get('GITHUB_REPOSITORY', '')}/actions/runs"
        attempt = get("GITHUB_RUN_ATTEMPT", "1")
        found = Origin(
            get("GITHUB_SHA", ""),
            get("GITHUB_ACTOR", ""),
            f"{page}/{get('GITHUB_RUN_ID', '')}/attempts/{attempt}",
            "github-" + joined("GITHUB_RUN_ID", "GITHUB_RUN_ATTEMPT", "GITHUB_JOB"),
            get("GITHUB_STEP_SUMMARY", ""),
        )
    elif get("GITLAB_CI"):
        found = Origin(
            get("CI_COMMIT_SHA", ""),
            get("GITLAB_USER_LOGIN", ""),
            get("CI_JOB_URL", ""),
            "gitlab-" + joined("CI_PIPELINE_ID", "CI_JOB_ID", "CI_JOB_NAME"),
        )
    elif get("CIRCLECI"):
        found = Origin(
            get("CIRCLE_SHA1", ""),
            get("CIRCLE_USERNAME", ""),
            get("CIRCLE_BUILD_URL", ""),
            "circleci-" + joined("CIRCLE_WORKFLOW_ID", "CIRCLE_BUILD_NUM", "CIRCLE_JOB"),
        )
    elif get("BUILDKITE"):
        page = get("BUILDKITE_BUILD_URL", "")
        job = get("BUILDKITE_JOB_ID", "")
        found = Origin(
            get("BUILDKITE_COMMIT", ""),
            get("BUILDKITE_BUILD_CREATOR", "") or get("BUILDKITE_BUILD_AUTHOR", ""),
            f"{page}#{job}" if page and job else page,
            "buildkite-" + joined("BUILDKITE_BUILD_ID", "BUILDKITE_RETRY_COUNT", "BUILDKITE_JOB_ID"),
        )
    elif get("JENKINS_URL") or get("JENKINS_HOME"):
        found = Origin(
            get("GIT_COMMIT", ""),
            get("BUILD_USER_ID", "") or get("CHANGE_AUTHOR", ""),
            get("BUILD_URL", ""),
            "jenkins-" + joined("BUILD_TAG", "EXECUTOR_NUMBER"),
        )
    else:
        found = Origin(actor=get("LOGNAME", "") or get("USER", "") or _user_name())
    commit = found.commit
    if not re.fullmatch(r"[0-9a-fA-F]{7,64}", commit):  # Buildkite says "HEAD" until it has checked out
        commit = commit_on_disk(folder)
    return replace(found, commit=commit, job_url=_without_credentials(found.job_url))


def _user_name() -> str:
    """The user's name by the system's own books; empty for a user that they do not know, as in a container."""
    try:
        return getpass.getuser()
    except Exception:  # KeyError, OSError or ImportError, by version and system
        return ""


def _without_credentials(url: str) -> str:
    """A page's address without user, password and query; empty when it is no http(s) URL."""
    if not re.fullmatch(r"https?://\S+", url):
        return ""
    parts = urllib.parse.urlsplit(url)
    return urllib.parse.urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", parts.fragment))


def commit_on_disk(folder: Path) -> str:
    """The commit that is checked out around `folder`, read from .git without running git; empty if unknown."""
    try:
        for place in (folder, *folder.parents):
            marker = place / ".git"
            if marker.is_dir():
                return _head_of(marker, marker)
            if marker.is_file():  # a worktree or submodule: "gitdir: <where it really is>"
                inner = (place / marker.read_text("utf-8").partition(":")[2].strip()).resolve()
                shared = inner / "commondir"
                return _head_of(inner, (inner / shared.read_text("utf-8").strip()) if shared.is_file() else inner)
    except (OSError, UnicodeDecodeError):
        pass
    return ""


def _head_of(git: Path, shared: Path) -> str:
    head = (git / "HEAD").read_text("utf-8").strip()
    if not head.startswith("ref:"):
        return head if re.fullmatch(r"[0-9a-f]{40,64}", head) else ""
    name = head.partition(":")[2].strip()
    loose = shared / name
    if loose.is_file():
        return loose.read_text("utf-8").strip()
    for line in (shared / "packed-refs").read_text("utf-8").splitlines():
        commit, _, packed = line.partition(" ")
        if packed == name:
            return commit
    return ""


def run_key(origin: Origin) -> str:
    """A key that no other invocation has, safe as a file name."""
    prefix = re.sub(r"[^A-Za-z0-9._-]+", "-", origin.key).strip("-.")[:80]
    return f"{prefix}-{uuid.uuid4().hex[:16]}" if prefix else str(uuid.uuid4())


# ---------------------------------------------------------------------------------------------------------
# HTTP
# ---------------------------------------------------------------------------------------------------------


class Unreachable(Exception):
    """No answer came; the message says why."""


@dataclass(frozen=True)
class Reply:
    """A server's answer of any status."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes

    def json(self) -> Optional[JsonObject]:
        try:
            value = json.loads(self.body)
        except (ValueError, RecursionError):
            return None
        return value if isinstance(value, dict) else None

    def detail(self) -> str:
        """The sentence of a problem document, else the status."""
        told = self.json() or {}
        words = told.get("detail") or told.get("title")
        return one_line(words) if words else f"answer {self.status}"

    def retry_after(self, now: Optional[float] = None) -> float:
        """Seconds that the server asks to wait, 0 when it does not; at most an hour."""
        text = self.headers.get("retry-after", "").strip()
        if text.isdigit():
            return float(min(int(text), 3600))
        with contextlib.suppress(TypeError, ValueError, OverflowError):
            moment = email.utils.parsedate_to_datetime(text).timestamp()
            return min(max(0.0, moment - (time.time() if now is None else now)), 3600.0)
        return 0.0


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirect is an answer, not an order: following it would hand the token to another host."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def request(
    method: str,
    url: str,
    *,
    token: str = "",
    body: Optional[bytes] = None,
    content_type: str = "application/json",
    accept: str = "application/json",
    seconds: float = REQUEST_SECONDS,
) -> Reply:
    """One HTTP exchange through the proxies of the environment; `Unreachable` where no answer comes in time."""
    headers = {"Accept": accept, "User-Agent": f"slipway-reporter/{__version__}"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    if body is not None:
        headers["Content-Type"] = content_type
    deadline = time.monotonic() + seconds + REQUEST_SECONDS
    try:
        opener = urllib.request.build_opener(_NoRedirects)
        asked = urllib.request.Request(url, data=body, headers=headers, method=method)
        try:
            answer = opener.open(asked, timeout=seconds)
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            received = b""
            while len(received) <= ANSWER_BYTES:
                piece = answer.read1(65536) if hasattr(answer, "read1") else answer.read(65536)
                if not piece:
                    break
                received += piece
                if time.monotonic() > deadline:
                    raise Unreachable("the answer came too slowly")
            named = {name.lower(): value for name, value in answer.headers.items()}
            return Reply(int(answer.status or 0), named, received[:ANSWER_BYTES])
    except urllib.error.URLError as error:
        reason = error.reason.strerror if isinstance(error.reason, OSError) else None
        raise Unreachable(one_line(reason or error.reason)) from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise Unreachable(one_line(error) or type(error).__name__) from error


# ---------------------------------------------------------------------------------------------------------
# Spool: one file a run, a header line, then records; a record cut short by a crash or a full disk ends the file
# ---------------------------------------------------------------------------------------------------------

SPOOL_SUFFIX = ".spool"


class SpoolFull(OSError):
    """All spool files together have reached the limit."""


def spool_folders(chosen: str, environ: Mapping[str, str]) -> List[Path]:
    """Where undelivered lines may lie, best place first: the chosen folder, the user's state, the temporary one."""
    home = Path("~").expanduser() if environ.get("HOME") or hasattr(os, "getuid") else Path("~")
    state = Path(environ.get("XDG_STATE_HOME") or home / ".local" / "state")
    user = os.getuid() if hasattr(os, "getuid") else environ.get("USERNAME", "user")
    places = [Path(chosen)] if chosen else []
    places += [state / "slipway"] if state.is_absolute() else []
    return [*places, Path(tempfile.gettempdir()) / f"slipway-{user}"]


def usable_spool_folder(places: Sequence[Path]) -> Path:
    """The first of the places that can be made and written to, private to the user."""
    reasons = []
    for place in places:
        try:
            place.mkdir(mode=0o700, parents=True, exist_ok=True)
            found = place.lstat()
            # In a shared temporary folder the name could be another user's trap.
            ours = not hasattr(os, "getuid") or found.st_uid == os.getuid()
            if place == places[-1] and not (ours and stat.S_ISDIR(found.st_mode)):
                raise PermissionError(errno.EPERM, "not our own folder")
            number, name = tempfile.mkstemp(dir=str(place), prefix=".try-")
            os.close(number)
            Path(name).unlink()
            return place
        except OSError as error:
            reasons.append(f"{place}: {error.strerror or error}")
    raise OSError(errno.EROFS, "no folder for the spool can be written (" + "; ".join(reasons) + ")")


@dataclass
class Kept:
    """A batch that lies in a spool file."""

    seq: int
    lines: int
    offset: int
    size: int


class SpoolFile:
    """The undelivered lines of one run. Used by one thread at a time per call, guarded by a lock."""

    def __init__(self, path: Path, header: JsonObject, stream: Any, limit: int) -> None:
        self.path = path
        self.header = header
        self._stream = stream
        self._limit = limit
        self._lock = threading.Lock()
        self._start = 0
        self._size = 0

    @classmethod
    def create(cls, folder: Path, key: str, header: JsonObject, limit: int) -> SpoolFile:
        """Begin the file of a run and lock it, so that `flush` leaves it alone while the run lasts."""
        path = folder / (key + SPOOL_SUFFIX)
        number = os.open(str(path), os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        spool = cls(path, header, os.fdopen(number, "r+b", buffering=0), limit)
        _lock_file(number)
        try:
            spool._append(json.dumps(header).encode() + b"\n")
        except OSError:
            spool.remove()
            raise
        spool._start = spool._size
        return spool

    @classmethod
    def open(cls, path: Path, limit: int) -> Tuple[SpoolFile, List[Kept], Optional[str]]:
        """Take over a file that an earlier run left: the batches not yet sent, and the end when it is known.

        `BlockingIOError` where its run still goes on, `ValueError` where it is no spool file.
        """
        stream = path.open("r+b", buffering=0)
        try:
            _lock_file(stream.fileno())
            header, batches, end, size, start = _read_spool(path)
        except BaseException:
            stream.close()
            raise
        spool = cls(path, header, stream, limit)
        spool._size, spool._start = size, start
        stream.truncate(size)
        return spool, batches, end

    def append_batch(self, seq: int, lines: int, body: bytes) -> int:
        """Write a batch; the offset at which its body lies."""
        head = json.dumps({"seq": seq, "lines": lines, "bytes": len(body)}).encode() + b"\n"
        with self._lock:
            if _spooled_bytes(self.path.parent) + len(head) + len(body) + 1 > self._limit:
                raise SpoolFull(errno.EDQUOT, f"the limit of {amount(self._limit)} is reached")
            at = self._append(head + body + b"\n")
        return at + len(head)

    def append_sent(self, seqs: Sequence[int]) -> None:
        """Note that these batches need not be sent again."""
        with self._lock:
            self._append(json.dumps({"sent": list(seqs)}).encode() + b"\n")

    def append_end(self, end: str) -> None:
        with self._lock:
            self._append(json.dumps({"end": end}).encode() + b"\n")

    def read(self, offset: int, size: int) -> bytes:
        """A batch's body; `OSError` when the disk does not give it back whole."""
        with self._lock:
            self._stream.seek(offset)
            body = b""
            while len(body) < size:
                piece = self._stream.read(size - len(body))
                if not piece:
                    raise OSError(errno.EIO, "the spool file is cut short")
                body += piece
        return body

    def forget_all(self) -> None:
        """Give the room back once everything in the file was delivered."""
        with self._lock:
            self._stream.truncate(self._start)
            self._size = self._start

    def remove(self) -> None:
        with contextlib.suppress(OSError):
            self.path.unlink()
        self.close()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._stream.close()

    def _append(self, data: bytes) -> int:
        """Write at the end, all or nothing; the offset of the first byte."""
        at = self._size
        try:
            self._stream.seek(at)
            view = memoryview(data)
            while view:
                view = view[self._stream.write(view) :]
        except OSError:
            with contextlib.suppress(OSError):
                self._stream.truncate(at)
            raise
        self._size = at + len(data)
        return at


def _lock_file(number: int) -> None:
    """Mark the file as in use; file systems without locks are taken as free."""
    if sys.platform == "win32":
        return
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError:
        pass


def _spooled_bytes(folder: Path) -> int:
    total = 0
    for entry in folder.glob("*" + SPOOL_SUFFIX):
        with contextlib.suppress(OSError):
            total += entry.stat().st_size
    return total


def _read_spool(path: Path) -> Tuple[JsonObject, List[Kept], Optional[str], int, int]:
    """Header, unsent batches, end, length of the part that is whole, length of the header."""
    batches: Dict[int, Kept] = {}
    end: Optional[str] = None
    with path.open("rb") as stream:
        header = parsed(stream.readline(65536))
        if header is None or header.get("slipway") != 1 or not header.get("key") or header.get("source") not in SOURCES:
            raise ValueError("not a spool file of this reporter")
        start = whole = stream.tell()
        while True:
            raw = stream.readline(65536)
            record = parsed(raw) if raw.endswith(b"\n") else None
            if record is None:
                break
            if "seq" in record:
                at, size = stream.tell(), int(record["bytes"])
                stream.seek(size, os.SEEK_CUR)
                if stream.read(1) != b"\n":
                    break
                batches[at] = Kept(int(record["seq"]), int(record["lines"]), at, size)
            elif "sent" in record:
                sent = set(record["sent"])
                batches = {at: kept for at, kept in batches.items() if kept.seq not in sent}
            elif "end" in record:
                end = str(record["end"])
            whole = stream.tell()
    return header, list(batches.values()), end, whole, start


# ---------------------------------------------------------------------------------------------------------
# Outbox
# ---------------------------------------------------------------------------------------------------------


@dataclass(eq=False)
class Batch:
    """Consecutive lines of a run. `body` is None while it lies on disk alone, at `offset`."""

    seq: int
    """The number of its first line, counted from 0 over the run."""
    lines: int
    size: int
    body: Optional[bytes]
    offset: Optional[int] = None
    resent: int = 0


class Outbox:
    """The lines of one run that the server does not have yet, oldest first; `add` never waits for anything.

    The courier takes from the front, the keeper moves bodies to disk, both under one lock held for moments.
    """

    def __init__(self, memory_limit: int) -> None:
        self.changed = threading.Condition()
        self.queue: deque[Batch] = deque()
        self.troubled = False
        """The server does not take batches: everything belongs on disk."""
        self.end: Optional[str] = None
        self.end_delivered = False
        self.dropped = 0
        self.sent_on_disk: List[int] = []
        """Batches that were delivered and lie in the spool file, not yet noted there."""
        self.memory_limit = memory_limit
        self._memory = 0
        self._open: List[bytes] = []
        self._open_bytes = 0
        self._open_seq = 0
        self._open_since = 0.0
        self._next = 0
        self._delivered: deque[Batch] = deque()
        self._delivered_bytes = 0

    def add(self, line: bytes) -> None:
        """Take the run's next line, or count it as dropped where memory is full."""
        with self.changed:
            number = self._next
            self._next += 1
            if self._memory + len(line) > self.memory_limit:
                self._seal()
                self.dropped += 1
                return
            if not self._open:
                self._open_seq, self._open_since = number, time.monotonic()
            self._open.append(line)
            self._open_bytes += len(line) + 1
            self._memory += len(line) + 1
            if len(self._open) >= BATCH_LINES or self._open_bytes >= BATCH_BYTES:
                self._seal()
            if len(self._open) <= 1:
                self.changed.notify_all()

    def finish(self, end: Optional[str]) -> None:
        """No more lines come; `end` is the exit code, `eof`, or None where it is not known that the run ended."""
        with self.changed:
            self._seal()
            self.end = end
            self.end_delivered = end is None
            self.changed.notify_all()

    def load(self, batches: Sequence[Kept], end: Optional[str]) -> None:
        """Fill from a spool file."""
        with self.changed:
            self.queue.extend(Batch(kept.seq, kept.lines, kept.size, None, kept.offset) for kept in batches)
            self._next = max((kept.seq + kept.lines for kept in batches), default=0)
        self.finish(end)

    def take(self, seconds: float) -> Optional[Batch]:
        """The oldest batch, which stays in the outbox until `delivered`; None when none is due in so many seconds."""
        until = time.monotonic() + seconds
        with self.changed:
            while not self.queue:
                now = time.monotonic()
                if self._open and now - self._open_since >= BATCH_SECONDS:
                    self._seal()
                    break
                if now >= until or (self.end is not None and not self._open) or self.end_delivered:
                    return None
                due = min(until, self._open_since + BATCH_SECONDS) if self._open else until
                self.changed.wait(max(0.001, due - now))
            return self.queue[0]

    def delivered(self, batch: Batch, body: bytes) -> None:
        with self.changed:
            if self.queue and self.queue[0] is batch:
                self.queue.popleft()
            if batch.body is not None:
                self._memory -= batch.size
            if batch.offset is not None:
                self.sent_on_disk.append(batch.seq)
            batch.body, batch.offset = body, None
            self._delivered.append(batch)
            self._delivered_bytes += batch.size
            while self._delivered and self._delivered_bytes > RESEND_BYTES:
                self._delivered_bytes -= self._delivered.popleft().size
            self.changed.notify_all()

    def unreadable(self, batch: Batch) -> None:
        """Give up a batch that the disk does not give back."""
        with self.changed:
            if self.queue and self.queue[0] is batch:
                self.queue.popleft()
            self.dropped += batch.lines
            self.changed.notify_all()

    def split(self, batch: Batch, body: bytes) -> None:
        """Put two halves in the place of the oldest batch; of a single line too large, a marker."""
        lines = body.split(b"\n")
        middle = len(lines) // 2
        if middle:
            halves = [lines[:middle], lines[middle:]]
        else:
            halves = [[b"# a line of %d bytes, refused as too large" % len(body)]]
        with self.changed:
            if not self.queue or self.queue[0] is not batch:
                return
            self.queue.popleft()
            if batch.body is not None:
                self._memory -= batch.size
            seq = batch.seq + batch.lines
            for half in reversed(halves):
                part = b"\n".join(half)
                seq -= len(half)
                self._memory += len(part)
                self.queue.appendleft(Batch(seq, len(half), len(part), part))
            self.changed.notify_all()

    def missing(self, ranges: Any) -> None:
        """Queue again what the server says it misses and is still held; each batch at most twice."""
        if not isinstance(ranges, list):
            return
        with self.changed:
            for pair in ranges:
                if not (isinstance(pair, list) and len(pair) == 2 and all(isinstance(n, int) for n in pair)):
                    continue
                for batch in list(self._delivered):
                    if batch.resent < 2 and batch.seq <= pair[1] and pair[0] < batch.seq + batch.lines:
                        self._delivered.remove(batch)
                        self._delivered_bytes -= batch.size
                        batch.resent += 1
                        self._memory += batch.size
                        self.queue.append(batch)

    def to_keep(self, everything: bool) -> Optional[Batch]:
        """The oldest batch that belongs on disk and is not there."""
        with self.changed:
            wanted = everything or self.troubled
            if wanted and self._open and (everything or time.monotonic() - self._open_since >= 1.0):
                self._seal()
            if wanted or self._memory > MEMORY_SOFT_BYTES:
                for batch in self.queue:
                    if batch.offset is None:
                        return batch
            return None

    def kept(self, batch: Batch, offset: int) -> None:
        """A batch lies on disk; its memory is given back."""
        with self.changed:
            if batch not in self.queue:  # delivered while it was written
                self.sent_on_disk.append(batch.seq)
                return
            batch.offset = offset
            if batch.body is not None:
                batch.body = None
                self._memory -= batch.size

    def nothing_on_disk(self) -> bool:
        with self.changed:
            return all(batch.offset is None for batch in self.queue)

    def settled(self) -> bool:
        """Whether the server has all of it, the end included."""
        with self.changed:
            return not self.queue and not self._open and self.end_delivered

    def unsent(self) -> Tuple[int, int]:
        """How many lines are not delivered, and how many of them lie on no disk."""
        with self.changed:
            lines = sum(batch.lines for batch in self.queue) + len(self._open)
            loose = sum(batch.lines for batch in self.queue if batch.offset is None) + len(self._open)
            return lines, loose

    def next_number(self) -> int:
        """The number of the line after the last one taken."""
        with self.changed:
            return self._next

    def _seal(self) -> None:
        """Close the open batch. The lock is held."""
        if self._open:
            body = b"\n".join(self._open)
            self._memory -= self._open_bytes - len(body)
            self.queue.append(Batch(self._open_seq, len(self._open), len(body), body))
            self._open, self._open_bytes = [], 0
            self.changed.notify_all()


# ---------------------------------------------------------------------------------------------------------
# Keeper and courier: the thread that writes to disk, the thread that sends
# ---------------------------------------------------------------------------------------------------------

Say = Callable[[str], None]


class Keeper:
    """Moves what the server does not take to disk. A disk that hangs or is full holds up only this thread."""

    def __init__(self, outbox: Outbox, open_spool: Callable[[], SpoolFile], say: Say) -> None:
        self._outbox = outbox
        self._open_spool = open_spool
        self._say = say
        self._told: set[str] = set()
        self._retry_at = 0.0
        self._everything = False
        self._finished = threading.Event()
        self.spool: Optional[SpoolFile] = None
        self.trouble = ""
        """Why lines could not be written, empty when they could."""
        self._thread = threading.Thread(target=self._run, name="keeper", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def keep_everything(self, seconds: float) -> None:
        """Write all that is undelivered, the end included, waiting at most so long."""
        with self._outbox.changed:
            self._everything = True
            self._outbox.changed.notify_all()
        self._finished.wait(seconds)

    def _run(self) -> None:
        while True:
            with self._outbox.changed:
                last = self._everything
            worked = self._step(last)
            if last and not worked:
                self._finished.set()
                return
            if not worked:
                with self._outbox.changed:
                    if not self._everything:
                        self._outbox.changed.wait(0.5)

    def _step(self, last: bool) -> bool:
        """Write one batch or note what was sent; whether there was something to do and it was done."""
        if not last and time.monotonic() < self._retry_at:
            return False
        try:
            batch = self._outbox.to_keep(last)
            if batch is not None:
                body = batch.body
                if body is not None:
                    self.spool = self.spool or self._open_spool()
                    self._outbox.kept(batch, self.spool.append_batch(batch.seq, batch.lines, body))
                self.trouble = ""
                return True
            if last and not self._outbox.settled():
                self.spool = self.spool or self._open_spool()  # the end alone is worth a file
            if self.spool is not None:
                self._note_sent(self.spool)
                if last:
                    self._end(self.spool)
        except OSError as error:
            self._retry_at = time.monotonic() + DISK_RETRY_SECONDS
            self.trouble = one_line(error.strerror or error)
            if self.trouble not in self._told:
                self._told.add(self.trouble)
                self._say(
                    f"lines cannot be kept on disk: {self.trouble}. Up to {amount(self._outbox.memory_limit)} "
                    "stay in memory; beyond that they are lost. The tool itself is not affected"
                )
        return False

    def _note_sent(self, spool: SpoolFile) -> None:
        with self._outbox.changed:
            sent, self._outbox.sent_on_disk = self._outbox.sent_on_disk, []
        if not sent:
            return
        if self._outbox.nothing_on_disk():
            spool.forget_all()
        else:
            spool.append_sent(sent)

    def _end(self, spool: SpoolFile) -> None:
        """At the very end: the file stays only where something is left to send."""
        if self._outbox.settled():
            spool.remove()
        elif self._outbox.end is not None and spool.header.get("ended") is None:
            spool.append_end(self._outbox.end)
            spool.header["ended"] = self._outbox.end


@dataclass
class Wire:
    """What is the same on every batch of a run."""

    server: str
    token: str
    source: str
    key: str
    origin: Mapping[str, str]
    """stack, dock, command, actor, commit, job_url: those that are known."""

    def post(self, seq: int, body: bytes, end: Optional[str], seconds: float) -> Reply:
        query: Dict[str, str] = {"run": self.key, "seq": str(seq), **self.origin}
        if end is not None:
            query["end"] = end
        query["sent"] = str(int(time.time() * 1000))
        url = f"{self.server}/api/v1/ingest/{self.source}?{urllib.parse.urlencode(query)}"
        return request("POST", url, token=self.token, body=body, content_type="application/x-ndjson", seconds=seconds)


class Courier:
    """Sends what is in the outbox, one batch at a time, with heartbeats, back-off and one word about each trouble."""

    def __init__(
        self,
        wire: Wire,
        outbox: Outbox,
        read_kept: Callable[[int, int], bytes],
        on_answer: Callable[[JsonObject], None],
        say: Say,
    ) -> None:
        self._wire = wire
        self._outbox = outbox
        self._read_kept = read_kept
        self._on_answer = on_answer
        self._say = say
        self._failures = 0
        self._in_trouble = False
        self._ever_answered = False
        self._spoke_at = 0.0
        self._hurry = threading.Event()
        self.deadline: Optional[float] = None
        """On the monotonic clock: no attempt begins after it. None while the run goes on."""
        self.refused = ""
        """The server's no, which no retry changes."""
        self.trouble = ""
        self.ignored = 0
        self.first_ignored = ""
        self.stopped = threading.Event()
        """Everything is delivered, refused, or given up at the deadline."""
        self._thread = threading.Thread(target=self._run, name="courier", daemon=True)

    def start(self, *, hello: bool) -> None:
        self._hello = hello
        self._thread.start()

    def stop_by(self, deadline: float) -> None:
        """Deliver until then at the longest; also wakes a courier that waits before its next attempt."""
        self.deadline = deadline
        self._hurry.set()
        with self._outbox.changed:
            self._outbox.changed.notify_all()

    def _run(self) -> None:
        try:
            if self._hello:
                self._attempt(0, b"", None)
            while not self.refused and not self._out_of_time():
                if self._outbox.settled():
                    break
                self._turn()
        except Exception as error:  # nothing in here may end silently: the lines then go to the spool
            self.trouble = f"fault of the reporter: {type(error).__name__}: {one_line(error)}"
            self._outbox.troubled = True
            self._say(self.trouble)
        finally:
            self.stopped.set()

    def _turn(self) -> None:
        batch = self._outbox.take(self._next_word_in())
        if batch is not None:
            self._deliver(batch)
        elif self._outbox.end is not None and not self._outbox.end_delivered:
            reply = self._attempt(self._outbox.next_number(), b"", self._outbox.end)
            if reply is not None:
                self._outbox.end_delivered = True
        elif self._next_word_in() <= 0:
            self._attempt(self._outbox.next_number(), b"", None)

    def _deliver(self, batch: Batch) -> None:
        body = batch.body
        if body is None and batch.offset is not None:
            try:
                body = self._read_kept(batch.offset, batch.size)
            except (OSError, ValueError) as error:
                self._say(f"{batch.lines} lines cannot be read back from the spool: {one_line(error)}")
        if body is None:
            body = batch.body  # the keeper may have been between the two
        if body is None:
            self._outbox.unreadable(batch)
            return
        answer = self._attempt(batch.seq, body, None, on_too_large=lambda: self._outbox.split(batch, body or b""))
        if answer is not None:
            self._outbox.delivered(batch, body)
            self._outbox.missing(answer.get("missing"))

    def _attempt(
        self, seq: int, body: bytes, end: Optional[str], on_too_large: Optional[Callable[[], None]] = None
    ) -> Optional[JsonObject]:
        """One request. The answer when the server took it; otherwise None, after the wait that the trouble asks for."""
        self._spoke_at = time.monotonic()
        try:
            reply = self._wire.post(seq, body, end, self._patience())
        except Unreachable as error:
            self._wait_out(f"the server does not answer ({error})", 0.0)
            return None
        answer = reply.json()
        if 200 <= reply.status < 300 and answer is not None and "run" in answer:
            self._recovered()
            self._note_ignored(answer)
            self._on_answer(answer)
            return answer
        if reply.status == 413 and on_too_large is not None:
            on_too_large()
        elif 200 <= reply.status < 300:
            self._wait_out("what answers is no Slipway (a proxy's or login page?); check SLIPWAY_URL", 0.0)
        elif reply.status in (408, 425, 429) or reply.status >= 500 or (reply.status == 404 and self._ever_answered):
            self._wait_out(f"the server cannot take it now ({reply.status}: {reply.detail()})", reply.retry_after())
        else:
            self.refused = refusal(reply, self._wire.server)
            self._outbox.troubled = True
            self._say(f"{self.refused} Until then lines are kept for `flush`")
        return None

    def _recovered(self) -> None:
        self._failures = 0
        self._ever_answered = True
        self._outbox.troubled = False
        self.trouble = ""
        if self._in_trouble:
            self._in_trouble = False
            self._say("the server answers again; what was kept is being sent")

    def _wait_out(self, trouble: str, at_least: float) -> None:
        """Back off with jitter, doubling; a deadline that lies before the next attempt ends the courier at once."""
        self.trouble = trouble
        self._outbox.troubled = True
        with self._outbox.changed:
            self._outbox.changed.notify_all()
        if not self._in_trouble:
            self._in_trouble = True
            self._say(f"{trouble}. Lines are kept and sent as soon as it does; the tool is not held up")
        longest = min(BACKOFF_LONGEST_SECONDS, BACKOFF_FIRST_SECONDS * 2 ** min(self._failures, 10))
        self._failures += 1
        until = time.monotonic() + max(at_least, longest * random.uniform(0.5, 1.0))
        while time.monotonic() < until:
            if self.deadline is not None:
                # The run is over: attempts become denser, but a Retry-After is still obeyed.
                until = min(until, time.monotonic() + 2.0) if not at_least else until
                if until >= self.deadline:
                    self.deadline = time.monotonic()
                    return
                time.sleep(max(0.0, until - time.monotonic()))
                return
            self._hurry.wait(until - time.monotonic())

    def _note_ignored(self, answer: JsonObject) -> None:
        ignored, count = answer.get("ignored"), answer.get("ignoredCount")
        if isinstance(ignored, list) and ignored:
            self.ignored += count if isinstance(count, int) else len(ignored)
            if not self.first_ignored and isinstance(ignored[0], dict):
                first = ignored[0]
                self.first_ignored = f"line {one_line(first.get('line'))}: {one_line(first.get('reason'))}"

    def _next_word_in(self) -> float:
        return max(0.0, self._spoke_at + HEARTBEAT_SECONDS - time.monotonic())

    def _patience(self) -> float:
        left = REQUEST_SECONDS if self.deadline is None else self.deadline - time.monotonic()
        return min(REQUEST_SECONDS, max(0.5, left))

    def _out_of_time(self) -> bool:
        return self.deadline is not None and time.monotonic() >= self.deadline


def refusal(reply: Reply, server: str) -> str:
    """What the server said no to, and the way out."""
    told = reply.detail()
    ending = "" if told.endswith((".", "!", "?")) else "."
    if reply.status == 401:
        cure = "Set SLIPWAY_TOKEN to a token that is valid (Slipway: Settings, API tokens)."
    elif reply.status == 403:
        cure = "Use a token whose scope allows this (Slipway: Settings, API tokens)."
    elif reply.status == 404:
        cure = f"Check that SLIPWAY_URL ({one_line(server)}) is the address of your Slipway."
    elif 300 <= reply.status < 400:
        target = one_line(reply.headers.get("location", "elsewhere"))
        return f"the server redirects to {target}, which is not followed. Set SLIPWAY_URL to that address's beginning."
    else:
        cure = "Correct what the sentence names."
    return f"the server refuses ({reply.status}): {told}{ending} {cure}"


# ---------------------------------------------------------------------------------------------------------
# Report: one run, reported
# ---------------------------------------------------------------------------------------------------------


class Report:
    """One run on its way to the server. `line` and the other methods never raise and never wait unboundedly."""

    def __init__(self, source: str, settings: Settings, terminal: Terminal, environ: Mapping[str, str]) -> None:
        self.source = source
        self.terminal = terminal
        self.url = ""
        """The run's page, once the server told it."""
        self._settings = settings
        self._environ = environ
        self._origin = origin_of(environ, working_folder())
        self._key = run_key(self._origin)
        # What CI says is cut to what the server takes: a long name must not make it refuse the run.
        told = {
            "stack": settings.stack,
            "dock": settings.dock,
            "command": one_line(settings.command, PARAMETER_LETTERS),
            "actor": one_line(self._origin.actor, PARAMETER_LETTERS),
            "commit": self._origin.commit,
            "job_url": self._origin.job_url if len(self._origin.job_url) <= URL_LETTERS else "",
        }
        wire = Wire(settings.server, settings.token, source, self._key, {k: v for k, v in told.items() if v})
        self._wire = wire
        self.outbox = Outbox(settings.memory_limit)
        self._keeper = Keeper(self.outbox, self._open_spool, terminal.say)
        self._courier = Courier(wire, self.outbox, self._read_kept, self._answered, self._courier_says)
        self._greeted = False
        self._url_known = threading.Event()
        self._run_id = ""
        self._shared = not settings.share
        self._faults = 0
        self._hurried = False
        self._asked: Optional[str] = settings.missing()

    def start(self) -> None:
        """Say hello to the server, from a thread; output is held a moment so that the URL comes first."""
        self._keeper.start()
        if self._asked is None:
            self.terminal.hold(URL_SECONDS)
            self._courier.start(hello=True)
            return
        self.outbox.troubled = True
        self._courier.refused = self._asked
        self._courier.stopped.set()
        self.terminal.say(f"{self._asked}. Until then lines are kept for `flush`")

    def wait_for_url(self, seconds: float = URL_SECONDS) -> None:
        """Wait a moment for the first answer, whatever it is."""
        until = time.monotonic() + seconds
        while time.monotonic() < until and not self._url_known.is_set() and not self._courier.stopped.is_set():
            if self.outbox.troubled:
                return
            self._url_known.wait(0.02)

    def line(self, raw: bytes, *, show: bool = True) -> None:
        """Take one line of the tool (without its end), and show its message. Blank lines are no lines of the run."""
        raw = raw.rstrip(b"\r")
        if not raw.strip():
            return
        try:
            event = parsed(raw)
            if show:
                message = message_of(self.source, raw, event, self.terminal.colour)
                if message is not None:
                    self.terminal.show(message)
            self.outbox.add(sendable(self.source, raw, event))
        except Exception as error:  # a fault here must not end the reading
            self._fault(error)
            self.outbox.add(b"# a line the reporter could not read, %d bytes" % len(raw))

    def long_line(self, size: int) -> None:
        """Take note of a line that is too long to be held."""
        self.terminal.say(f"a line of {size} bytes is not reported: the limit is {LINE_BYTES} bytes")
        self.outbox.add(b"# a line of %d bytes, too long, not sent" % size)

    def hurry(self) -> None:
        """Somebody wants us gone: after the tool's end, deliver for a moment only."""
        self._hurried = True
        if self._courier.deadline is not None:
            self._courier.stop_by(min(self._courier.deadline, time.monotonic() + HURRY_SECONDS))

    def finish(self, end: str) -> bool:
        """Deliver for a bounded time, leave the rest in the spool and say so; whether all was delivered."""
        self.outbox.finish(end)
        patience = HURRY_SECONDS if self._hurried else self._settings.drain_seconds
        self._courier.stop_by(time.monotonic() + patience)
        if self._hurried:
            # Perhaps since the line before last: such a signal found no deadline to shorten.
            self._courier.stop_by(time.monotonic() + HURRY_SECONDS)
        while not self._courier.stopped.wait(0.1):
            deadline = self._courier.deadline
            if deadline is not None and time.monotonic() >= deadline:
                break
        self._keeper.keep_everything(KEEP_SECONDS)
        self._say_how_it_went()
        return self.outbox.settled() and not self.outbox.dropped

    def _say_how_it_went(self) -> None:
        say = self.terminal.say
        lines, loose = self.outbox.unsent()
        if self._courier.ignored:
            first = f" (first: {self._courier.first_ignored})" if self._courier.first_ignored else ""
            say(f"{self._courier.ignored} lines were not understood by the server{first}")
        if self.outbox.dropped:
            say(f"{self.outbox.dropped} lines of this run are lost: memory was full and {self._disk_trouble()}")
        if self.outbox.settled():
            return
        spool = self._keeper.spool
        reason = self._courier.refused or self._courier.trouble or "the server was too slow"
        if spool is not None and (lines > loose or not lines):
            what = f"{lines - loose} lines" if lines else "the end"
            say(
                f"{what} of this run could not be sent ({reason.rstrip('.')}). They are kept in {spool.path}; "
                f"send them with: {_own_command()} flush"
            )
        if loose or (spool is None and not lines):
            say(
                f"{loose or 'No'} lines of this run could be neither sent ({reason.rstrip('.')}) nor kept "
                f"({self._disk_trouble()})"
            )

    def _disk_trouble(self) -> str:
        return f"the disk did not take them ({self._keeper.trouble or 'too slow'})"

    def _open_spool(self) -> SpoolFile:
        folder = usable_spool_folder(spool_folders(self._settings.spool, self._environ))
        header = {
            "slipway": 1,
            "key": self._key,
            "source": self.source,
            "server": self._settings.server,
            "origin": dict(self._wire.origin),
            "begun": int(time.time() * 1000),
        }
        return SpoolFile.create(folder, self._key, header, self._settings.spool_limit)

    def _read_kept(self, offset: int, size: int) -> bytes:
        spool = self._keeper.spool
        if spool is None:
            raise OSError(errno.ENOENT, "the spool file is gone")
        return spool.read(offset, size)

    def _answered(self, answer: JsonObject) -> None:
        """The server took something: the first time, tell where the run is seen."""
        url = answer.get("url")
        if not self.url and isinstance(url, str) and url:
            self.url = one_line(urllib.parse.urljoin(self._settings.server + "/", url), 2000)
            self._run_id = one_line(answer.get("run", ""))
            if self._environ.get("BUILDKITE"):
                self.terminal.say_first(f"\033]1339;url='{self.url}';content='Slipway: this run, live'\a")
            self._greeted = True
            self.terminal.say_first(f"this run, live: {self.url}")
            self._write_summary(f"[Slipway: {self._title()}]({self.url})")
            self._url_known.set()
        if not self._shared and self._run_id:
            self._share()

    def _courier_says(self, text: str) -> None:
        """A word about trouble; the very first one comes before the output, in the place of the URL."""
        if self._greeted:
            self.terminal.say(text)
        else:
            self._greeted = True
            self.terminal.say_first(text)

    def _title(self) -> str:
        return f"{self._settings.command or self.source} · {self._settings.stack}"

    def _write_summary(self, markdown: str) -> None:
        if not self._origin.summary:
            return
        with contextlib.suppress(OSError), Path(self._origin.summary).open("a", encoding="utf-8") as page:
            page.write(f"{markdown}\n\n")

    def _share(self) -> None:
        """Ask for a share link of this run; tried again with later answers while the server is in trouble."""
        wanted = {"expires_in": self._settings.share_expires, "fields": self._settings.share_fields}
        url = f"{self._settings.server}/api/v1/runs/{urllib.parse.quote(self._run_id)}/share-links"
        try:
            reply = request("POST", url, token=self._settings.token, body=json.dumps(wanted).encode())
        except Unreachable:
            return
        told = reply.json() or {}
        if reply.status in (200, 201) and isinstance(told.get("url"), str):
            link = one_line(urllib.parse.urljoin(self._settings.server + "/", told["url"]), 2000)
            self.terminal.say(f"share link: {link}")
            self._write_summary(f"[Slipway: share link]({link})")
        elif reply.status in (429, 408, 425) or reply.status >= 500:
            return
        else:
            self.terminal.say(f"no share link: {refusal(reply, self._settings.server)}")
        self._shared = True

    def _fault(self, error: BaseException) -> None:
        self._faults += 1
        if self._faults == 1:
            self.terminal.say(f"fault of the reporter, the tool goes on: {type(error).__name__}: {one_line(error)}")


def _own_command() -> str:
    return f"python3 {shlex.quote(sys.argv[0])}" if sys.argv[0].endswith(".py") else "slipway-reporter"


# ---------------------------------------------------------------------------------------------------------
# Pipe
# ---------------------------------------------------------------------------------------------------------


class LineSplitter:
    """Cuts a stream of bytes into lines; a line longer than `LINE_BYTES` becomes its length alone."""

    def __init__(self) -> None:
        self._parts: List[bytes] = []
        self._length = 0

    def feed(self, chunk: bytes) -> Iterator[Union[bytes, int]]:
        """The lines that `chunk` completes, without their line ends."""
        *ended, rest = chunk.split(b"\n")
        for piece in ended:
            self._grow(piece)
            yield self.rest() or b""
        self._grow(rest)

    def rest(self) -> Union[bytes, int, None]:
        """What is there of the line that has not ended; None when nothing."""
        if not self._length:
            return None
        line: Union[bytes, int] = self._length if self._length > LINE_BYTES else b"".join(self._parts)
        self._parts, self._length = [], 0
        return line

    def forget(self) -> None:
        self._parts, self._length = [], 0

    def _grow(self, piece: bytes) -> None:
        self._length += len(piece)
        if self._length > LINE_BYTES:
            self._parts = []
        elif piece:
            self._parts.append(piece)


def take_line(report: Report, line: Union[bytes, int, None], *, show: bool = True) -> None:
    """Hand a splitter's line to the report."""
    if isinstance(line, int):
        report.long_line(line)
    elif line is not None:
        report.line(line, show=show)


def read_some(number: int) -> bytes:
    """The next bytes of a descriptor, empty at its end; a descriptor that cannot be read is at its end."""
    while True:
        try:
            return os.read(number, 65536)
        except BlockingIOError:
            select.select([number], [], [], 1.0)
        except OSError:
            return b""


def report_pipe(source: str, settings: Settings, environ: Mapping[str, str]) -> int:
    """Report an event stream from standard input. Reads to its end whatever happens; 0 unless `--strict`."""
    terminal = Terminal()
    delivered = False
    try:
        report = Report(source, with_stack(settings), terminal, environ)
        stay_until_the_end(report)
        report.start()
        splitter = LineSplitter()
        while True:
            chunk = read_some(STDIN)
            if not chunk:
                break
            for line in splitter.feed(chunk):
                take_line(report, line)
        take_line(report, splitter.rest())
        delivered = report.finish("eof")
    except BaseException as error:
        terminal.say(f"fault of the reporter, the tool goes on: {type(error).__name__}: {one_line(error)}")
        read_to_the_end(terminal, source)
    terminal.finish(2.0)
    return 1 if settings.strict and not delivered else 0


def read_to_the_end(terminal: Terminal, source: str) -> None:
    """Only show messages: what is left to do for the tool when reporting is not possible."""
    splitter = LineSplitter()
    chunk = b" "
    while chunk:
        chunk = read_some(STDIN)
        with contextlib.suppress(Exception):
            lines = [*splitter.feed(chunk)] if chunk else [splitter.rest()]
            for line in lines:
                if isinstance(line, bytes):
                    message = message_of(source, line, parsed(line), terminal.colour)
                    if message:
                        terminal.show(message)


def stay_until_the_end(report: Report) -> None:
    """Signals do not end a pipe's reader: Ctrl-C reaches the tool too, and its last words are still to come."""

    def asked(number: int, _: Optional[FrameType]) -> None:
        report.hurry()

    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        _on_signal(name, asked)
    # Writing to the terminal from the background must not stop the reader either.
    _on_signal("SIGTTOU", signal.SIG_IGN)
    _on_signal("SIGPIPE", signal.SIG_IGN)


def _on_signal(name: str, action: Any) -> None:
    number = getattr(signal, name, None)
    if number is not None:
        with contextlib.suppress(OSError, ValueError):
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, action)


# ---------------------------------------------------------------------------------------------------------
# Child: a command run as a shell would run it
# ---------------------------------------------------------------------------------------------------------


class Child:
    """A command with our terminal, in a process group of its own, like a shell's foreground job.

    The keyboard's signals then reach the command alone and exactly once; a signal sent to us alone is passed on
    exactly once. A second interrupt would make Terraform drop its resources in mid-air.
    """

    PASSED_ON = ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2")

    def __init__(self, on_signal: Callable[[], None] = lambda: None) -> None:
        self._pid = 0
        self._asked = 0
        self.started = False
        """Whether any command was started."""
        self.last_code = 1
        """What the last of them ended with."""
        self._on_signal = on_signal
        self._terminal = self._our_terminal()
        for name in self.PASSED_ON:
            _on_signal(name, self._pass_on)
        # We give and take the terminal while in the background, which would otherwise stop us.
        _on_signal("SIGTTOU", signal.SIG_IGN)

    @property
    def asked_to_stop(self) -> bool:
        """A signal came while no command ran."""
        return bool(self._asked)

    def run(
        self,
        command: Sequence[str],
        environ: Mapping[str, str],
        read_output: Optional[Callable[[int], None]] = None,
    ) -> int:
        """Run the command to its end; its exit code, -n when signal n ended it, 127 when it cannot be started.

        `read_output` is given a descriptor with its standard output and reads that to the end, in a thread.
        """
        if self.asked_to_stop:
            return -self._asked
        self.started = True
        output: Optional[Tuple[int, int]] = os.pipe() if read_output else None
        try:
            process = subprocess.Popen(
                list(command),
                env=dict(environ),
                stdout=output[1] if output else None,
                preexec_fn=self._become_foreground_job,  # noqa: PLW1509  only system calls in there
            )
        except OSError as error:
            if output:
                os.close(output[0])
                os.close(output[1])
            sys.stderr.write(f"slipway: {command[0]}: {error.strerror}\n")
            return 126 if isinstance(error, PermissionError) else 127
        reader: Optional[threading.Thread] = None
        if output and read_output:
            os.close(output[1])
            reader = threading.Thread(target=read_output, args=(output[0],), name="output", daemon=True)
            reader.start()
        self._pid = process.pid
        if self._asked:  # between the check above and the start
            self._send(self._asked)
        try:
            code = self.last_code = self._wait(process.pid)
        finally:
            self._pid = 0
            process.returncode = 0  # reaped here, so that Popen does not wait for it again
            self._hand_terminal_to(os.getpgrp())
        if reader:
            reader.join(LEFT_BEHIND_SECONDS)
        return code

    def _wait(self, pid: int) -> int:
        while True:
            _, status = os.waitpid(pid, os.WUNTRACED)
            if not os.WIFSTOPPED(status):
                return os.WEXITSTATUS(status) if os.WIFEXITED(status) else -os.WTERMSIG(status)
            # Ctrl-Z: stop as well, so that the shell takes over; `fg` wakes us and we wake the command.
            self._hand_terminal_to(os.getpgrp())
            os.kill(os.getpid(), signal.SIGSTOP)
            self._hand_terminal_to(pid)
            with contextlib.suppress(OSError):
                os.killpg(pid, signal.SIGCONT)

    def _our_terminal(self) -> Optional[int]:
        """The descriptor of the terminal whose foreground job we are; None in CI, cron or background."""
        for number in (STDIN, STDERR, STDOUT):
            with contextlib.suppress(OSError, AttributeError):
                if os.isatty(number) and os.tcgetpgrp(number) == os.getpgrp():
                    return number
        return None

    def _become_foreground_job(self) -> None:
        """Between fork and exec."""
        os.setpgid(0, 0)
        if self._terminal is not None:
            signal.signal(signal.SIGTTOU, signal.SIG_IGN)
            with contextlib.suppress(OSError):
                os.tcsetpgrp(self._terminal, os.getpid())
        signal.signal(signal.SIGTTOU, signal.SIG_DFL)

    def _hand_terminal_to(self, group: int) -> None:
        if self._terminal is not None:
            with contextlib.suppress(OSError):
                os.tcsetpgrp(self._terminal, group)

    def _pass_on(self, number: int, _: Optional[FrameType]) -> None:
        self._on_signal()
        if self._pid:
            self._send(number)
        else:
            self._asked = number

    def _send(self, number: int) -> None:
        with contextlib.suppress(OSError):
            os.kill(self._pid, number)


def reported_end(code: int) -> str:
    """An exit code as the server takes it: 128+n where signal n ended the command."""
    return str(128 - code if code < 0 else code)


def leave_like(code: int) -> int:
    """End as the command ended: by the same signal where that is harmless, else with 128+n."""
    if code >= 0:
        return code
    if -code in (signal.SIGINT, signal.SIGTERM, getattr(signal, "SIGHUP", 0)):
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(Exception):
                stream.flush()
        signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    return 128 - code


# ---------------------------------------------------------------------------------------------------------
# Watch
# ---------------------------------------------------------------------------------------------------------

TOOLS = {
    "terraform": "terraform",
    "tofu": "opentofu",
    "opentofu": "opentofu",
    "pulumi": "pulumi",
    "sst": "sst",
    "cdk": "cloudformation",
}
"""The source of each command that `watch` knows, by the command's name."""
RUNNERS = ("npx", "pnpm", "yarn", "bun", "bunx", "npm", "exec", "dlx", "run", "--")
"""Words that may stand before sst and cdk."""

VERBS = {
    "terraform": ("apply", "destroy", "plan", "refresh"),
    "opentofu": ("apply", "destroy", "plan", "refresh"),
    "pulumi": ("up", "update", "preview", "pre", "destroy", "down", "dn", "refresh", "import"),
    "sst": ("deploy", "remove", "refresh", "diff", "dev"),
    "cloudformation": ("deploy", "destroy"),
}
"""The subcommands that provision or plan; others run unreported."""


@dataclass(frozen=True)
class Command:
    """A command line taken apart: what stands before its subcommand, the subcommand, what follows."""

    source: str
    before: Tuple[str, ...]
    verb: str
    """Empty where the subcommand provisions nothing."""
    after: Tuple[str, ...]

    def line(self, verb: str, *more: str) -> List[str]:
        return [*self.before, verb, *more]

    def shown(self) -> str:
        """What the run page shows: tool and subcommand alone, because arguments may hold secrets."""
        tool = next(name for name, source in TOOLS.items() if source == self.source)
        if self.source == "opentofu":
            tool = "tofu"
        return f"{tool} {self.verb}".strip()

    def flag(self, *names: str) -> Optional[str]:
        """The value of a flag given as `--name value` or `--name=value`, the last one; None where absent."""
        found: Optional[str] = None
        words = [*self.before, *self.after]
        for place, word in enumerate(words):
            name, equals, value = word.partition("=")
            if name in names:
                found = value if equals else (words[place + 1] if place + 1 < len(words) else "")
        return found

    def has(self, *names: str) -> bool:
        return any(word.partition("=")[0] in names for word in self.after)


def take_apart(words: Sequence[str], tool: Optional[str] = None) -> Optional[Command]:
    """The command line by its tool's rules; None where the tool is not known."""
    for place, word in enumerate(words):
        name = Path(word).name
        name = name[:-4] if name.lower().endswith((".exe", ".cmd")) else name
        source = (tool and TOOLS.get(tool, tool)) or TOOLS.get(name)
        if source in VERBS:
            for at in range(place + 1, len(words)):
                if words[at] in VERBS[source]:
                    return Command(source, tuple(words[:at]), words[at], tuple(words[at + 1 :]))
                if source in ("terraform", "opentofu") and not words[at].startswith("-"):
                    break
            return Command(source, tuple(words), "", ())
        if name not in RUNNERS:
            return None
    return None


class FollowedFile:
    """A growing file of lines that may not exist yet, be truncated and begun anew, or be deleted at the end.

    It stays open, so a deleted file is read to its end; a partial last line waits for its rest.
    """

    FINGERPRINT = 512

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stream: Any = None
        self._splitter = LineSplitter()
        self._head = b""

    def lines(self) -> Iterator[Union[bytes, int]]:
        """The lines that became complete since the last call."""
        if self._stream is None and not self._open():
            return
        if self._begun_anew():
            self._stream.seek(0)
            self._head = b""
            self._splitter.forget()
        while True:
            chunk = self._stream.read(65536)
            if not chunk:
                break
            if len(self._head) < self.FINGERPRINT:
                self._head += chunk[: self.FINGERPRINT - len(self._head)]
            yield from self._splitter.feed(chunk)
        if self._replaced():
            rest = self._splitter.rest()
            if rest is not None:
                yield rest
            self._stream.close()
            self._head = b""
            if self._open():
                yield from self.lines()

    def rest(self) -> Union[bytes, int, None]:
        """The last line where it has no line end."""
        return self._splitter.rest()

    def _open(self) -> bool:
        self._stream = None
        with contextlib.suppress(OSError):
            self._stream = self._path.open("rb", buffering=0)
        return self._stream is not None

    def _begun_anew(self) -> bool:
        """Truncated: shorter than what was read, or, where it has grown again meanwhile, of another beginning."""
        with contextlib.suppress(OSError):
            at = self._stream.tell()
            if os.fstat(self._stream.fileno()).st_size < at:
                return True
            self._stream.seek(0)
            head = self._stream.read(len(self._head)) if self._head else b""
            self._stream.seek(at)
            return bool(head != self._head)
        return False

    def _replaced(self) -> bool:
        with contextlib.suppress(OSError):
            there, ours = self._path.stat(), os.fstat(self._stream.fileno())
            return (there.st_dev, there.st_ino) != (ours.st_dev, ours.st_ino)
        return False


class Follower:
    """Reports the lines of event logs from a thread while a command runs."""

    def __init__(self, report: Report, find: Callable[[], Sequence[Path]]) -> None:
        self._report = report
        self._find = find
        self._files: Dict[Path, FollowedFile] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="follower", daemon=True)
        self._thread.start()

    def finish(self) -> None:
        """The command has ended: read what is left."""
        self._over.set()
        self._thread.join(10.0)

    def _follow(self) -> None:
        while not self._over.wait(FOLLOW_SECONDS):
            self._look()
        self._look()
        for followed in self._files.values():
            take_line(self._report, followed.rest(), show=False)

    def _look(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            for path in self._find():
                self._files.setdefault(path, FollowedFile(path))
        for followed in self._files.values():
            with contextlib.suppress(OSError, ValueError):
                for line in followed.lines():
                    take_line(self._report, line, show=False)


def watch(words: Sequence[str], settings: Settings, environ: Mapping[str, str], tool: Optional[str] = None) -> int:
    """Run a command as it would run alone, report it, and end as it ended."""
    command = take_apart(words, tool)
    if command is None:
        known = ", ".join(sorted(set(TOOLS)))
        sys.stderr.write(
            f"slipway: {one_line(words[0])} is none of the tools that can be watched ({known}); name the tool of a "
            "wrapper with --tool. Nothing was run\n"
        )
        return 2
    if not command.verb:
        sys.stderr.write("slipway: this subcommand provisions nothing; it runs unreported\n")
        return leave_like(Child().run(words, environ))
    try:
        outcome, delivered = watch_reported(words, command, settings, environ)
    except Exception as error:  # before the command was started: it runs all the same
        sys.stderr.write(f"slipway: fault of the reporter: {type(error).__name__}: {one_line(error)}\n")
        return leave_like(Child().run(words, environ))
    if settings.strict and not delivered and outcome.code == 0:
        return 1
    return leave_like(outcome.code)


def watch_reported(
    words: Sequence[str], command: Command, settings: Settings, environ: Mapping[str, str]
) -> Tuple[Outcome, bool]:
    """How the command ended, and whether all of it was delivered. Raises only while no command was started."""
    told_stack = command.flag("--stack", "-s", "--stage") if command.source in ("pulumi", "sst") else None
    settings = replace(with_stack(settings, told_stack), command=settings.command or command.shown())
    terminal = Terminal()
    report = Report(command.source, settings, terminal, environ)
    child = Child(report.hurry)
    report.start()
    report.wait_for_url()
    terminal.finish(1.0)
    observe = {
        "terraform": watch_terraform,
        "opentofu": watch_opentofu,
        "pulumi": watch_pulumi,
        "sst": watch_sst,
        "cloudformation": watch_cdk,
    }[command.source]
    try:
        outcome = observe(command, child, report, environ)
    except Exception as error:
        terminal.say(f"fault of the reporter: {type(error).__name__}: {one_line(error)}")
        if child.started:
            outcome = Outcome.of(child.last_code)
        else:
            outcome = Outcome.of(child.run(words, environ))
    delivered = report.finish(outcome.end)
    terminal.finish(2.0)
    return outcome, delivered


@dataclass(frozen=True)
class Outcome:
    """How a watched command ended: the code to end with (-n: by signal n) and the end to report."""

    code: int
    end: str

    @classmethod
    def of(cls, code: int) -> Outcome:
        return cls(code, reported_end(code))


def watch_terraform(command: Command, child: Child, report: Report, environ: Mapping[str, str]) -> Outcome:
    """Terraform with `-json`, its messages worded back.

    `-json` cannot ask for approval, and its plan does not show what changes in a resource. So a plan is made into
    a file and shown by `terraform show`, the approval is asked for here in Terraform's words, and then that very
    plan is applied: the same plan, the same question, the same result.
    """
    stages = TerraformStages(command, child, report, environ)
    if command.has("-json", "-help", "--help", "-h"):
        return stages.run_as_given()
    if command.verb == "plan":
        return stages.plan_only()
    if command.verb == "refresh" or stages.approved:
        return Outcome.of(stages.reported(command.line(command.verb, "-json", *command.after)))
    return stages.plan_ask_apply()


class TerraformStages:
    """The commands that one watched Terraform command becomes."""

    FOR_APPLY_ALONE = ("-auto-approve", "-backup", "-state-out")
    FOR_BOTH = (
        "-lock",
        "-lock-timeout",
        "-parallelism",
        "-input",
        "-no-color",
        "-compact-warnings",
        "-state",
    )
    VALUE_FOLLOWS = (
        "-var", "-var-file", "-target", "-replace", "-backup", "-state", "-state-out", "-lock-timeout",
        "-parallelism", "-out", "-generate-config-out", "-exclude", "-target-file", "-exclude-file",
    )  # fmt: skip

    def __init__(self, command: Command, child: Child, report: Report, environ: Mapping[str, str]) -> None:
        self._child = child
        self._report = report
        # Arguments from the environment belong to the command as it was typed, not to the stages made of it.
        from_environment: List[str] = []
        self._environ = dict(environ)
        for name in ("TF_CLI_ARGS", f"TF_CLI_ARGS_{command.verb}"):
            with contextlib.suppress(ValueError):
                from_environment += shlex.split(self._environ.get(name, ""))
        self._command = replace(command, after=(*from_environment, *command.after))
        self._as_typed = command
        flags, self._positional = self._sorted()
        self._flags = flags
        self.approved = self._command.has("-auto-approve") or bool(self._positional)
        """Terraform itself would not ask: told so, or given a plan made earlier."""

    def run_as_given(self) -> Outcome:
        """Somebody reads the JSON from our standard output: pass it on as it is and take a copy."""
        return Outcome.of(self.reported(self._as_typed.line(self._as_typed.verb, *self._as_typed.after), raw=True))

    def plan_only(self) -> Outcome:
        """A plan with all that it changes shown; Terraform's own `-out` is kept when given."""
        with temporary_folder() as folder:
            file = self._command.flag("-out")
            more = [] if file else [f"-out={folder / 'plan'}"]
            code = self.reported(self._as_typed.line("plan", "-json", *more, *self._as_typed.after))
            if code in (0, 2):
                self._show(Path(file) if file else folder / "plan")
            return Outcome.of(code)

    def plan_ask_apply(self) -> Outcome:
        """The three stages of an apply or destroy that asks."""
        destroys = self._command.verb == "destroy" or self._command.has("-destroy")
        clean = {key: value for key, value in self._environ.items() if not key.startswith("TF_CLI_ARGS")}
        with temporary_folder() as folder:
            plan = folder / "plan"
            extra = ["-destroy"] if self._command.verb == "destroy" else []
            own = [flag for flag in self._flags if self._name(flag[0]) not in self.FOR_APPLY_ALONE]
            words = ["-json", f"-out={plan}", "-detailed-exitcode", *extra, *_flat(own)]
            code = self.reported(self._command.line("plan", *words), clean)
            if code not in (0, 2):
                return Outcome.of(code)
            self._show(plan, clean)
            if code == 2:
                answered = self._ask(destroys)
                if not answered:
                    # Terraform ends with 1 here; the run was stopped by a person, not by a failure.
                    return Outcome(1, reported_end(-signal.SIGINT))
            kept = [flag for flag in self._flags if self._name(flag[0]) in (*self.FOR_BOTH, *self.FOR_APPLY_ALONE)]
            kept = [flag for flag in kept if self._name(flag[0]) != "-auto-approve"]
            return Outcome.of(self.reported(self._command.line("apply", "-json", *_flat(kept), str(plan)), clean))

    def reported(self, words: Sequence[str], environ: Optional[Mapping[str, str]] = None, raw: bool = False) -> int:
        """Run one stage with its events reported; its exit code."""

        def read_output(number: int) -> None:
            splitter = LineSplitter()
            closed = False
            while True:
                chunk = read_some(number)
                if raw and not closed:
                    try:
                        write_all(STDOUT, chunk)
                    except OSError:
                        closed = True  # as with any reader that went away; here the tool may still finish
                if not chunk:
                    break
                for line in splitter.feed(chunk):
                    take_line(self._report, line, show=not raw)
            take_line(self._report, splitter.rest(), show=not raw)

        code = self._child.run(words, self._environ if environ is None else environ, read_output)
        self._report.terminal.finish(2.0)
        return code

    def _show(self, plan: Path, environ: Optional[Mapping[str, str]] = None) -> None:
        plain = ["-no-color"] if self._command.has("-no-color") else []
        self._child.run(self._command.line("show", *plain, str(plan)), environ or self._environ)

    def _ask(self, destroys: bool) -> bool:
        """Terraform's own question; only `yes` is yes."""
        if self._command.flag("-input") == "false":
            sys.stderr.write("slipway: -input=false and no -auto-approve: there is nobody to approve this plan\n")
            return False
        tool = "OpenTofu" if self._command.source == "opentofu" else "Terraform"
        if destroys:
            question = (
                f"\nDo you really want to destroy all resources?\n  {tool} will destroy all your managed "
                "infrastructure, as shown above.\n  There is no undo. Only 'yes' will be accepted to confirm.\n"
            )
        else:
            question = (
                f"\nDo you want to perform these actions?\n  {tool} will perform the actions described above.\n"
                "  Only 'yes' will be accepted to approve.\n"
            )
        with contextlib.suppress(OSError):
            write_all(STDOUT, (question + "\n  Enter a value: ").encode())
        answer = b""
        while not answer.endswith(b"\n") and not self._child.asked_to_stop:
            ready = select.select([STDIN], [], [], 0.2)[0]
            if not ready:
                continue
            letter = os.read(STDIN, 1)
            if not letter:
                break
            answer += letter
        with contextlib.suppress(OSError):
            write_all(STDOUT, b"\n")
        if answer.strip() == b"yes" and not self._child.asked_to_stop:
            return True
        with contextlib.suppress(OSError):
            write_all(STDOUT, f"{'Destroy' if destroys else 'Apply'} cancelled.\n".encode())
        return False

    def _sorted(self) -> Tuple[List[List[str]], List[str]]:
        """The flags, each with its value, and the words that are no flags."""
        flags: List[List[str]] = []
        positional: List[str] = []
        words = list(self._command.after)
        while words:
            word = words.pop(0)
            if not word.startswith("-"):
                positional.append(word)
            elif "=" not in word and self._name(word) in self.VALUE_FOLLOWS and words:
                flags.append([word, words.pop(0)])
            else:
                flags.append([word])
        return flags, positional

    @staticmethod
    def _name(flag: str) -> str:
        name = flag.partition("=")[0]
        return name[1:] if name.startswith("--") else name


def _flat(flags: Sequence[Sequence[str]]) -> List[str]:
    return [word for flag in flags for word in flag]


@contextlib.contextmanager
def temporary_folder() -> Iterator[Path]:
    """A folder only we can read, for plan files and event logs, which hold secrets in clear."""
    folder = tempfile.mkdtemp(prefix="slipway-")
    try:
        yield Path(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def watch_opentofu(command: Command, child: Child, report: Report, environ: Mapping[str, str]) -> Outcome:
    """OpenTofu untouched with `-json-into` beside its normal output; older ones like Terraform."""
    if command.has("-json-into") or not _has_json_into(command, environ):
        return watch_terraform(command, child, report, environ)
    with temporary_folder() as folder:
        log = folder / "events.jsonl"
        follower = Follower(report, lambda: [log])
        code = child.run(command.line(command.verb, f"-json-into={log}", *command.after), environ)
        follower.finish()
    return Outcome.of(code)


def _has_json_into(command: Command, environ: Mapping[str, str]) -> bool:
    try:
        told = subprocess.run(
            command.line(command.verb, "-help"),
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return False
    return b"-json-into" in told.stdout + told.stderr


def watch_pulumi(command: Command, child: Child, report: Report, environ: Mapping[str, str]) -> Outcome:
    """Pulumi untouched with an event log beside its normal output."""
    with temporary_folder() as folder:
        given = command.flag("--event-log")
        log = Path(given) if given else folder / "events.jsonl"
        more = [] if given else ["--event-log", str(log)]
        follower = Follower(report, lambda: [log])
        # The flag exists only with this variable.
        code = child.run(
            command.line(command.verb, *more, *command.after), {**environ, "PULUMI_DEBUG_COMMANDS": "true"}
        )
        follower.finish()
    return Outcome.of(code)


def watch_sst(command: Command, child: Child, report: Report, environ: Mapping[str, str]) -> Outcome:
    """SST untouched; its log appears as .sst/pulumi/<updateID>/eventlog.json and is deleted at the end."""
    given = command.flag("--config")
    project = Path(given).resolve().parent if given else _sst_project(working_folder())
    before = set((project / ".sst" / "pulumi").glob("*"))

    def find() -> Sequence[Path]:
        logs = (project / ".sst" / "pulumi").glob("*/eventlog.json")
        # An update's name counts down with time: the oldest log of this run comes last in the alphabet.
        return sorted((log for log in logs if log.parent not in before), reverse=True)

    follower = Follower(report, find)
    code = child.run([*command.before, command.verb, *command.after], environ)
    follower.finish()
    return Outcome.of(code)


def _sst_project(folder: Path) -> Path:
    for place in (folder, *folder.parents):
        if any((place / f"sst.config.{ending}").is_file() for ending in ("ts", "js", "mjs", "mts")):
            return place
    return folder


def watch_cdk(command: Command, child: Child, report: Report, environ: Mapping[str, str]) -> Outcome:
    """cdk untouched; the stacks that it synthesizes are polled at CloudFormation meanwhile."""
    folder = Path(command.flag("--output", "-o") or "cdk.out")
    wanted = _cdk_patterns(command)
    begun = time.time()
    over = threading.Event()

    def follow() -> None:
        watched: Dict[str, StackOperation] = {}
        while True:
            last = over.is_set()
            with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
                for name, region in _cdk_stacks(folder, wanted, begun):
                    if name not in watched:
                        client = cloudformation_client(region, command.flag("--profile"))
                        watched[name] = StackOperation(client, name, since=begun)
            for operation in watched.values():
                with contextlib.suppress(Exception):
                    for event in operation.poll():
                        report.line(json.dumps(event).encode(), show=False)
                for remark in operation.remarks():
                    report.terminal.say(remark)
            if last:
                return
            over.wait(POLL_SECONDS)

    try:
        cloudformation_client(None, None, probe=True)
    except NoBoto as missing:
        report.terminal.say(f"{missing}: only the beginning and the end of this run are reported")
        return Outcome.of(child.run([*command.before, command.verb, *command.after], environ))
    follower = threading.Thread(target=follow, name="follower", daemon=True)
    follower.start()
    code = child.run([*command.before, command.verb, *command.after], environ)
    over.set()
    follower.join(30.0)
    return Outcome.of(code)


def _cdk_patterns(command: Command) -> List[str]:
    """The stacks named on cdk's command line; none: all of them."""
    takes_value = {
        "-a", "--app", "-c", "--context", "--profile", "-o", "--output", "--role-arn", "-r", "--parameters",
        "--require-approval", "--toolkit-stack-name", "--change-set-name", "--method", "-m", "--concurrency",
        "--outputs-file", "-O", "--progress", "-t", "--tags", "--notification-arns", "-p", "--plugin",
    }  # fmt: skip
    patterns: List[str] = []
    words = list(command.after)
    while words:
        word = words.pop(0)
        if not word.startswith("-"):
            patterns.append(word)
        elif word in takes_value and words:
            words.pop(0)
    return patterns


def _cdk_stacks(folder: Path, wanted: Sequence[str], begun: float) -> List[Tuple[str, Optional[str]]]:
    """Name and region of the stacks in the assembly that this cdk run has written."""
    manifest = folder / "manifest.json"
    if manifest.stat().st_mtime < begun - 1.0:
        return []
    found = []
    for identity, artifact in json.loads(manifest.read_text("utf-8"))["artifacts"].items():
        if artifact.get("type") != "aws:cloudformation:stack":
            continue
        names = {identity, artifact.get("displayName") or identity}
        if wanted and not any(fnmatch.fnmatchcase(name, pattern) for name in names for pattern in wanted):
            continue
        region = str(artifact.get("environment", "")).rpartition("/")[2]
        stack = str(artifact.get("properties", {}).get("stackName") or identity)
        found.append((stack, region if region and region != "unknown-region" else None))
    return found


# ---------------------------------------------------------------------------------------------------------
# CloudFormation
# ---------------------------------------------------------------------------------------------------------

POLL_SECONDS = 3.0
"""How often a stack's events are asked for; CloudFormation throttles closer polling."""
MOST_NESTED_STACKS = 100
"""How many nested stacks of one operation are polled; the rest show as rows of their parents."""
MOST_NESTED_LEVELS = 5
MOST_NESTED_FAILURES = 5
"""So often in a row a nested stack may not answer before it is left out: the root's end waits for it."""
NESTED_PAUSE_SECONDS = 0.05
"""Between two questions of one poll: CloudFormation throttles whoever asks without a pause."""
NESTED_STACK = "AWS::CloudFormation::Stack"
CLOUDFORMATION_GOOD = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "DELETE_COMPLETE", "IMPORT_COMPLETE")


class NoBoto(Exception):
    """boto3 is not installed."""


def cloudformation_client(region: Optional[str], profile: Optional[str], *, probe: bool = False) -> Any:
    """A boto3 client; `NoBoto` with what to do where boto3 is missing. A probe only looks whether it is there."""
    try:
        boto3 = importlib.import_module("boto3")
    except ImportError as error:
        raise NoBoto(
            f"CloudFormation is polled with boto3, which this Python ({sys.executable}) does not have; install it with "
            f"`{sys.executable} -m pip install boto3`"
        ) from error
    return None if probe else boto3.Session(profile_name=profile, region_name=region).client("cloudformation")


def _is_own(event: JsonObject) -> bool:
    """Whether an event speaks of its stack itself."""
    return bool(event.get("PhysicalResourceId") == event.get("StackId"))


def _is_terminal(event: JsonObject) -> bool:
    return str(event.get("ResourceStatus", "")).endswith(("_COMPLETE", "_FAILED"))


def _has_failed(event: JsonObject) -> bool:
    return str(event.get("ResourceStatus", "")).endswith("_FAILED")


def _moment(event: JsonObject) -> float:
    """Unix seconds of an event."""
    moment = event["Timestamp"]
    return float(moment.timestamp()) if isinstance(moment, datetime) else 0.0


def _as_text(value: Any) -> Any:
    """A time as RFC 3339 text; everything else as it is."""
    if isinstance(value, datetime):
        return value.astimezone(timezone.utc).isoformat().replace("+00:00", "Z")
    return value


def _path_to(parent: str, logical_id: str) -> str:
    """The path of a stack nested in the one at `parent`. Logical ids are of letters and digits only."""
    return f"{parent}/{logical_id}" if parent else logical_id


def _levels(path: str) -> int:
    return path.count("/") + 1 if path else 0


class PolledStack:
    """The events of one stack, oldest first, each once."""

    def __init__(self, client: Any, name: str, path: str = "") -> None:
        """`name` may be the stack's id; `path` leads to a nested stack by logical ids."""
        self.name = name
        self.path = path
        self.held: List[JsonObject] = []
        """What is read and not told yet."""
        self.tells_a_failure = False
        """Whether a resource in it has failed."""
        self._client = client
        self._seen: set[str] = set()

    @property
    def is_new(self) -> bool:
        """Whether nothing was ever found."""
        return not self._seen

    def fresh(self, enough: Callable[[Sequence[JsonObject]], bool]) -> List[JsonObject]:
        """Unseen events, oldest first. At first, history is read until it is `enough` (of events newest first)."""
        found: List[JsonObject] = []
        asked: Dict[str, str] = {"StackName": self.name}
        while True:
            try:
                page = self._client.describe_stack_events(**asked)
            except Exception as error:
                if "does not exist" in str(error):
                    return []
                raise
            for event in page.get("StackEvents") or []:
                if event["EventId"] in self._seen:
                    break
                found.append(event)
                if self.is_new and enough(found):
                    break
            else:
                if page.get("NextToken"):
                    asked["NextToken"] = page["NextToken"]
                    continue
            break
        if found:
            # A deleted stack is found by its id only.
            self.name = str(found[0].get("StackId") or self.name)
        self._seen.update(event["EventId"] for event in found)
        return found[::-1]

    def hold(self, events: Sequence[JsonObject]) -> None:
        """Keep events until they are told."""
        self.held += events
        self.tells_a_failure |= any(_has_failed(event) and not _is_own(event) for event in events)


class NestedStack(PolledStack):
    """A nested stack, of which only what belongs to its root's operation is read."""

    def __init__(
        self, client: Any, row: JsonObject, path: str, begun: float, token: Optional[str], say: Callable[[str], None]
    ) -> None:
        """`row` is an event of its parent that has its id; `begun` (Unix seconds) when its parent began with it;
        `token` the operation's, if it has one; `say` takes what people should know."""
        super().__init__(client, str(row["PhysicalResourceId"]), path)
        self.row = row
        """Its parent's latest row for it."""
        self._begun = begun
        self._token = token
        self._say = say
        self._over = False
        self._settled = ""
        self._failures = 0
        self._left_out = False

    def news(self) -> List[JsonObject]:
        """What belongs to the operation and is new. boto3's errors pass through, but not for ever: a stack that may not
        be read, or cannot be again and again, is left out and is what its parent says of it."""
        # Nothing more happens in a stack that is made, or deleted, before its parent has another row for it. After an
        # update something may: its clean-up follows its UPDATE_COMPLETE.
        if self._left_out or self._settled == self.row["EventId"]:
            return []
        time.sleep(NESTED_PAUSE_SECONDS)
        try:
            read = self.fresh(lambda known: self._is_before(known[-1]))
        except Exception as error:
            self._failures += 1
            if not _not_allowed(error) and self._failures < MOST_NESTED_FAILURES:
                raise
            self._left_out = True
            self._say(f"the nested stack {self.path} is left out: {one_line(error)}")
            return []
        self._failures = 0
        found = [event for event in read if not self._is_before(event)]
        self._over |= any(_is_own(event) and _is_terminal(event) for event in found)
        if self._over and self.row.get("ResourceStatus") in ("CREATE_COMPLETE", "DELETE_COMPLETE"):
            self._settled = str(self.row["EventId"])
        return found

    def _is_before(self, event: JsonObject) -> bool:
        return _moment(event) < self._begun and not (self._token and event.get("ClientRequestToken") == self._token)


class StackOperation:
    """One operation on one stack and the stacks nested in it: its events, oldest first, each once.

    Nested stacks are read after their parents, and nothing is told before all are read: so what failed inside comes
    before its parent's row. What is told once keeps its place, for the report numbers it then.
    """

    def __init__(self, client: Any, name: str, *, since: Optional[float] = None, last: bool = False) -> None:
        """`since` (Unix seconds): take an operation that began after it. `last`: take the latest, though finished.

        Without either, an operation that is under way, or the next one to begin.
        """
        self._client = client
        self._root = PolledStack(client, name)
        self._nested: Dict[str, NestedStack] = {}
        self._begun_with: Dict[str, float] = {}
        self._since = since
        self._last = last
        self._totals: List[JsonObject] = []
        self._token: Optional[str] = None
        self._remarks: List[str] = []
        self._full = False
        self.begun = False
        self.status = ""
        """The root stack's terminal status, once the operation is over."""

    def poll(self) -> List[JsonObject]:
        """What happened since the last poll. boto3's errors pass through, except that there is no such stack yet; what
        was read before one is told by the next poll."""
        self._hold(self._root, self._root_news())
        asked: set[str] = set()
        # A nested stack tells of those nested in it.
        while unread := [stack_id for stack_id in self._nested if stack_id not in asked]:
            for stack_id in unread:
                asked.add(stack_id)
                self._hold(self._nested[stack_id], self._nested[stack_id].news())
        return self._told()

    def remarks(self) -> List[str]:
        """What people should know of what is not read, each sentence once."""
        said = list(self._remarks)
        self._remarks.clear()
        return said

    def _hold(self, stack: PolledStack, events: Sequence[JsonObject]) -> None:
        stack.hold(events)
        for event in events:
            if event.get("ResourceType") == NESTED_STACK and not _is_own(event):
                self._notice(stack, event)

    def _notice(self, parent: PolledStack, row: JsonObject) -> None:
        """Take note of a parent's row for a nested stack; its first one comes before the stack has an id."""
        path = _path_to(parent.path, str(row.get("LogicalResourceId")))
        begun = self._begun_with.setdefault(path, _moment(row))
        stack_id = str(row.get("PhysicalResourceId") or "")
        if stack_id in self._nested:
            self._nested[stack_id].row = row
        elif ":stack/" in stack_id:
            if len(self._nested) < MOST_NESTED_STACKS and _levels(path) <= MOST_NESTED_LEVELS:
                self._nested[stack_id] = NestedStack(self._client, row, path, begun, self._token, self._remarks.append)
            elif not self._full:
                self._full = True
                self._remarks.append(
                    f"only {MOST_NESTED_STACKS} nested stacks are polled, {MOST_NESTED_LEVELS} levels deep; the others "
                    "show as rows of their parents"
                )

    def _root_news(self) -> List[JsonObject]:
        first = self._root.is_new
        fresh = self._root.fresh(self._enough)
        if fresh and first:
            fresh = self._of_the_operation(fresh)
        if self.begun or not fresh:
            return fresh
        # Between two operations nothing happens but reviews of change sets, which are no operation.
        fresh = [e for e in fresh if not (_is_own(e) and e.get("ResourceStatus") == "REVIEW_IN_PROGRESS")]
        if fresh:
            self.begun = True
            self._token = fresh[0].get("ClientRequestToken")
            self._totals = self._change_set()
        return fresh

    def _told(self) -> List[JsonObject]:
        """All that is held, oldest first, as it is sent. Where times are equal, what happened deeper comes first."""
        stacks = sorted([self._root, *self._nested.values()], key=lambda stack: -_levels(stack.path))
        ends = [event for event in self._root.held if _is_own(event) and _is_terminal(event)]
        until = _moment(ends[-1]) if ends else None

        def timed(stack: PolledStack) -> Iterator[Tuple[float, JsonObject]]:
            latest = 0.0
            for event in stack.held:
                # A stack's own order counts for more than its clock, which may step back within it.
                latest = max(latest, _moment(event))
                # What is done to a nested stack after the operation is none of it.
                if until is None or stack is self._root or _moment(event) <= until:
                    yield latest, self._line(event, stack)

        merged = heapq.merge(*map(timed, stacks), key=lambda one: one[0])
        told = [*self._totals, *(line for _, line in merged)]
        for stack in stacks:
            stack.held = []
        self._totals = []
        if ends:
            self.status = str(ends[-1]["ResourceStatus"])
        return told

    def _line(self, event: JsonObject, stack: PolledStack) -> JsonObject:
        line = {name: _as_text(event[name]) for name in CLOUDFORMATION_FIELDS if event.get(name) is not None}
        if stack.path:
            line["NestedStackPath"] = stack.path
        inside = self._nested.get(str(event.get("PhysicalResourceId")))
        if inside is not None and not _is_own(event) and _has_failed(event) and inside.tells_a_failure:
            line["NestedCause"] = True
        return line

    @staticmethod
    def _enough(newest_first: Sequence[JsonObject]) -> bool:
        """The history reaches back to the operation before the latest one."""
        return sum(_is_own(e) and _is_terminal(e) for e in newest_first) >= 2

    def _of_the_operation(self, events: Sequence[JsonObject]) -> List[JsonObject]:
        """Of the history at the first look, the events of the operation to report."""
        ends = [place for place, e in enumerate(events) if _is_own(e) and _is_terminal(e)]
        if self._since is not None:
            return [event for event in events if _moment(event) >= self._since - 1.0]
        if ends and ends[-1] == len(events) - 1:
            if not self._last:
                return []
            return list(events[ends[-2] + 1 :] if len(ends) > 1 else events)
        return list(events[ends[-1] + 1 :] if ends else events)

    def _change_set(self) -> List[JsonObject]:
        """The planned changes of the change set that was executed and of its nested ones, where CloudFormation tells
        them."""
        try:
            stack = self._client.describe_stacks(StackName=self._root.name)["Stacks"][0]
            changes: List[JsonObject] = []
            made: Any = None
            wanted = deque([("", stack["ChangeSetId"])])
            asked = 1
            while wanted:
                path, wanted_id = wanted.popleft()
                for page in self._pages_of_change_set(wanted_id):
                    if (
                        page.get("ExecutionStatus") not in (None, "EXECUTE_IN_PROGRESS", "EXECUTE_COMPLETE")
                        and not path
                    ):
                        return []
                    made = made or page.get("CreationTime")
                    for change in filter(None, (one.get("ResourceChange") for one in page.get("Changes") or [])):
                        told = {name: change[name] for name in CLOUDFORMATION_CHANGE_FIELDS if change.get(name)}
                        if path:
                            told["NestedStackPath"] = path
                        changes.append(told)
                        inner = change.get("ChangeSetId") if change.get("ResourceType") == NESTED_STACK else None
                        if inner and asked <= MOST_NESTED_STACKS and _levels(path) < MOST_NESTED_LEVELS:
                            asked += 1
                            told["NestedChanges"] = True
                            wanted.append((_path_to(path, change["LogicalResourceId"]), inner))
            if not changes:
                return []
            made = _as_text(made or datetime.now(timezone.utc))
            return [{"ChangeSet": {"Changes": changes, "StackName": stack["StackName"], "Timestamp": made}}]
        except Exception:  # without a change set there are no totals; the events come all the same
            return []

    def _pages_of_change_set(self, change_set_id: str) -> Iterator[JsonObject]:
        asked = {"ChangeSetName": change_set_id}
        while True:
            page = self._client.describe_change_set(**asked)
            yield page
            if not page.get("NextToken"):
                return
            asked["NextToken"] = page["NextToken"]


def _code_of(error: Exception) -> str:
    """What AWS calls an error, or the error's own kind where AWS has not answered."""
    told = getattr(error, "response", None)
    return str(told.get("Error", {}).get("Code", "")) if isinstance(told, dict) else type(error).__name__


def _not_allowed(error: Exception) -> bool:
    """Whether the credentials are good and do not permit this."""
    return bool(re.search(r"AccessDenied|Unauthorized", _code_of(error)))


def _hopeless(error: Exception) -> bool:
    """Whether AWS says no for good: wrong or missing credentials and permissions, not throttling or the network."""
    told = r"Credential|Token|AccessDenied|Unauthorized|SignatureDoesNotMatch|OptIn|NoRegion"
    return bool(re.search(told, _code_of(error)))


def report_cloudformation(given: argparse.Namespace, settings: Settings, environ: Mapping[str, str]) -> int:
    """Report one operation on one stack; 0 where it succeeded, 1 where it failed, 4 where none began in time."""
    try:
        client = cloudformation_client(given.region, given.profile)
    except NoBoto as missing:
        sys.stderr.write(f"slipway: {missing}\n")
        return 2
    except Exception as error:  # botocore's own: no such profile, no region
        sys.stderr.write(f"slipway: {one_line(error)}\n")
        return 2
    settings = with_stack(settings, given.stack_name)
    terminal = Terminal()
    report: Optional[Report] = None
    operation = StackOperation(client, given.stack_name, last=given.last)
    give_up = time.monotonic() + given.start_timeout
    stopped = threading.Event()
    _on_signal("SIGINT", lambda *_: stopped.set())
    _on_signal("SIGTERM", lambda *_: stopped.set())
    troubled = 0
    while not operation.status and not stopped.is_set():
        try:
            events = operation.poll()
            troubled = 0
        except Exception as error:  # throttling, expired credentials, the network: said once, tried on
            events = []
            troubled += 1
            if troubled == 1:
                terminal.say(f"CloudFormation: {one_line(error)}")
            if not operation.begun and _hopeless(error):
                terminal.finish(2.0)
                return 2
        for event in events:
            if report is None:
                report = Report("cloudformation", settings, terminal, environ)
                report.start()
            report.line(json.dumps(event).encode(), show=False)
            if "LogicalResourceId" in event:
                reason = f": {event['ResourceStatusReason']}" if event.get("ResourceStatusReason") else ""
                address = _path_to(event.get("NestedStackPath", ""), event["LogicalResourceId"])
                terminal.show(one_line(f"{address} {event.get('ResourceStatus', '')}{reason}", 1000))
        for remark in operation.remarks():
            terminal.say(remark)
        if not operation.begun and time.monotonic() > give_up:
            break
        if not operation.status:
            stopped.wait(given.poll_seconds * (1 + min(troubled, 9)))
    code = 4
    if report is not None:
        code = 0 if operation.status in CLOUDFORMATION_GOOD else 1
        report.finish(str(code) if operation.status else "eof")
        code = code if operation.status else 3
    else:
        terminal.say(f"no operation on {one_line(given.stack_name)} began; --last reports the one before")
    terminal.finish(2.0)
    return code


# ---------------------------------------------------------------------------------------------------------
# Flush, wait, badge
# ---------------------------------------------------------------------------------------------------------


def flush(settings: Settings, environ: Mapping[str, str]) -> int:
    """Send what earlier runs left in the spool; 0 when nothing is left, 1 when something is, 2 for wrong settings."""
    asked = settings.missing()
    if asked:
        sys.stderr.write(f"slipway: {asked}\n")
        return 2
    terminal = Terminal()
    left = 0
    found = away = False
    for folder in spool_folders(settings.spool, environ):
        with contextlib.suppress(OSError):
            for path in sorted(folder.glob("*" + SPOOL_SUFFIX)):
                found = True
                if away:
                    left += 1
                    continue
                sent = _flush_file(path, settings, terminal)
                away = sent is None
                left += not sent
    if away and left > 1:
        terminal.say(f"{left} runs wait in the spool; the others were not tried, because the server is away")
    if not found:
        terminal.say("nothing waits in the spool")
    terminal.finish(2.0)
    return 1 if left else 0


def _flush_file(path: Path, settings: Settings, terminal: Terminal) -> Optional[bool]:
    """Send one run's file; whether nothing of it is left, None where the server took nothing at all."""
    try:
        spool, batches, end = SpoolFile.open(path, settings.spool_limit)
    except BlockingIOError:
        terminal.say(f"{path.name} is left alone: its run still goes on")
        return False
    except (OSError, ValueError, TypeError) as error:
        terminal.say(f"{path} cannot be read: {one_line(error)}")
        return False
    recorded = str(spool.header.get("server") or settings.server)
    if recorded != settings.server:
        # The token belongs to the server that is set; it is shown to no other.
        terminal.say(f"{path.name} belongs to {one_line(recorded)}: flush it with SLIPWAY_URL={one_line(recorded)}")
        spool.close()
        return False
    if not batches and end is None:
        spool.remove()
        return True
    told = spool.header.get("origin")
    origin = {str(k): str(v) for k, v in told.items()} if isinstance(told, dict) else {}
    if settings.stack:
        origin["stack"] = settings.stack
    wire = Wire(settings.server, settings.token, str(spool.header["source"]), str(spool.header["key"]), origin)
    outbox = Outbox(settings.memory_limit)
    keeper = Keeper(outbox, lambda: spool, terminal.say)
    keeper.spool = spool
    spool.header["ended"] = end
    pages: List[str] = []

    def answered(answer: JsonObject) -> None:
        if not pages and isinstance(answer.get("url"), str):
            pages.append(one_line(urllib.parse.urljoin(settings.server + "/", answer["url"]), 2000))

    outbox.load(batches, end)
    lines = outbox.unsent()[0]
    courier = Courier(wire, outbox, spool.read, answered, terminal.say)
    keeper.start()
    courier.start(hello=False)
    courier.stop_by(time.monotonic() + settings.drain_seconds)
    courier.stopped.wait(settings.drain_seconds + 1.0)
    keeper.keep_everything(KEEP_SECONDS)
    if outbox.settled():
        terminal.say(f"{lines} lines sent: {pages[0] if pages else path.name}")
        return True
    spool.close()
    reason = courier.refused or courier.trouble or "the time was too short, see --drain-seconds"
    terminal.say(f"{outbox.unsent()[0]} of {lines} lines are still in {path}: {reason}")
    return None if courier.trouble and not pages else False


SUCCEEDED, FAILED, USAGE, STOPPED, TIMED_OUT = 0, 1, 2, 3, 4
"""Exit codes of `wait`."""

_PAGE = re.compile(r"(?P<base>https?://.+?)/(?P<kind>(?:api/v1/)?(?:runs|provisions|p)|s)/(?P<name>[^/?#]+)")


def wait(url: str, settings: Settings, timeout: Optional[float]) -> int:
    """Wait until a run or shared resource has an outcome; the exit code is the outcome."""
    page = _PAGE.match(url)
    if page is None:
        sys.stderr.write(f"slipway: {one_line(url)} is no run page, API or share URL (…/runs/<id>, …/s/<token>)\n")
        return USAGE
    base, name = page["base"], page["name"]
    token = ""
    if page["kind"] == "s":
        name = name.partition(".")[0]
        address = f"{base}/s/{name}.json"
    else:
        kind = "runs" if page["kind"].endswith("runs") else "provisions"
        address = f"{base}/api/v1/{kind}/{name}"
        if not settings.token:
            sys.stderr.write("slipway: SLIPWAY_TOKEN is not set; only share URLs can be waited for without a token\n")
            return USAGE
        if settings.server and _host_of(settings.server) != _host_of(base):
            sys.stderr.write(
                f"slipway: the token belongs to {one_line(settings.server)}, the URL to {one_line(base)}: "
                "set SLIPWAY_URL and SLIPWAY_TOKEN of that server\n"
            )
            return USAGE
        token = settings.token
    deadline = None if timeout is None else time.monotonic() + timeout
    return _wait_for(address, token, deadline)


def _host_of(url: str) -> Tuple[str, str]:
    parts = urllib.parse.urlsplit(url)
    return parts.scheme, parts.netloc.lower()


def _wait_for(address: str, token: str, deadline: Optional[float]) -> int:
    revision: Any = None
    told = ""
    failures = 0
    while True:
        left = 60.0 if deadline is None else deadline - time.monotonic()
        if left <= 0:
            sys.stderr.write(f"slipway: time is up; last seen: {told or 'nothing'}\n")
            return TIMED_OUT
        query = {"wait": str(max(1, min(60, int(left))))}
        if revision is not None:
            query["rev"] = str(revision)
        begun = time.monotonic()
        trouble, pause = "", 0.0
        try:
            patience = min(60.0, left) + REQUEST_SECONDS
            if deadline is not None:
                patience = min(patience, left + 1.0)
            reply = request("GET", f"{address}?{urllib.parse.urlencode(query)}", token=token, seconds=patience)
        except Unreachable as error:
            trouble = f"the server does not answer ({error})"
        else:
            seen = reply.json()
            if reply.status == 200 and seen is not None:
                failures = 0
                code, words = verdict(seen)
                if words != told:
                    told = words
                    sys.stderr.write(f"slipway: {told}\n")
                if code is not None:
                    return code
                revision = seen.get("revision", seen.get("rev"))
                # A server that answers at once, without waiting, is not asked in a tight loop.
                pause = max(0.0, 2.0 - (time.monotonic() - begun)) if revision is None else 0.2
            elif reply.status in (204, 304):
                failures = 0
                pause = 0.2
            elif reply.status in (408, 425, 429) or reply.status >= 500 or reply.status == 200:
                trouble = f"the server cannot answer now ({reply.status}: {reply.detail()})"
                pause = reply.retry_after()
            else:
                sys.stderr.write(f"slipway: {refusal(reply, address)}\n")
                return USAGE
        if trouble:
            if not failures:
                sys.stderr.write(f"slipway: {trouble}; trying again\n")
            failures += 1
            backoff = min(BACKOFF_LONGEST_SECONDS, BACKOFF_FIRST_SECONDS * 2 ** min(failures, 10))
            pause = max(pause, backoff * random.uniform(0.5, 1.0))
        if deadline is not None:
            pause = min(pause, max(0.0, deadline - time.monotonic()))
        time.sleep(pause)


def verdict(seen: JsonObject) -> Tuple[Optional[int], str]:
    """Exit code (None: go on waiting) and words for what the server said of a run, a stack or a resource."""
    if "outcome" in seen or "phase" in seen:
        outcome = seen.get("outcome")
        if outcome == "succeeded":
            return SUCCEEDED, "succeeded"
        if outcome == "failed":
            return FAILED, one_line(f"failed {seen.get('error') or ''}").strip()
        if outcome:
            return STOPPED, one_line(outcome)
        if seen.get("liveness") == "lost":
            return STOPPED, "lost: no word from the run any more"
        return None, one_line(f"{seen.get('phase') or 'waiting'}, {seen.get('liveness') or 'live'}")
    status = seen.get("status")
    if status == "success":
        return SUCCEEDED, "success"
    if status == "error":
        return FAILED, one_line(f"error {seen.get('error') or ''}").strip()
    return None, one_line(status or "waiting")


def badge(target: str, file: Path, style: str, label: str, settings: Settings) -> int:
    """Write the badge of a share link, or of a stack by name, to a file; what was there stays where that fails."""
    token = ""
    if re.match(r"https?://", target):
        parts = urllib.parse.urlsplit(target)
        path = parts.path if parts.path.endswith(".svg") else re.sub(r"\.json$", "", parts.path) + ".svg"
        address = urllib.parse.urlunsplit((parts.scheme, parts.netloc, path, parts.query, ""))
        if "/api/" in path and settings.server and _host_of(settings.server) == _host_of(target):
            token = settings.token
    else:
        asked = settings.missing()
        if asked:
            sys.stderr.write(f"slipway: {asked}\n")
            return USAGE
        address = f"{settings.server}/api/v1/stacks/{urllib.parse.quote(target, safe='')}/badge.svg"
        token = settings.token
    query = urllib.parse.urlencode({name: value for name, value in (("style", style), ("label", label)) if value})
    if query:
        address += ("&" if "?" in address else "?") + query
    try:
        reply = request("GET", address, token=token, accept="image/svg+xml")
    except Unreachable as error:
        sys.stderr.write(f"slipway: the server does not answer ({error}); {file} is as it was\n")
        return FAILED
    if reply.status != 200 or b"<svg" not in reply.body[:1024]:
        told = refusal(reply, address) if reply.status != 200 else "what answered is no picture; check the URL."
        sys.stderr.write(f"slipway: {told} {file} is as it was\n")
        return FAILED
    try:
        write_atomically(file, reply.body)
    except OSError as error:
        sys.stderr.write(f"slipway: {file} cannot be written: {error.strerror}\n")
        return FAILED
    return SUCCEEDED


def write_atomically(file: Path, data: bytes) -> None:
    """Replace a file by a whole new one: a reader sees the old or the new, never a part."""
    number, name = tempfile.mkstemp(dir=str(file.parent), prefix=f".{file.name}-")
    try:
        with os.fdopen(number, "wb") as stream:
            stream.write(data)
        mode = stat.S_IMODE(file.stat().st_mode) if file.exists() else 0o644
        Path(name).chmod(mode)
        Path(name).replace(file)
    except OSError:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise


# ---------------------------------------------------------------------------------------------------------
# Command line
# ---------------------------------------------------------------------------------------------------------


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="slipway_reporter.py",
        description="Report what a provisioning tool does to a Slipway server, without getting in its way.",
        epilog="Settings: SLIPWAY_URL, SLIPWAY_TOKEN, SLIPWAY_STACK, SLIPWAY_DOCK, SLIPWAY_SPOOL; flags override them.",
    )
    parser.add_argument("--version", action="version", version=f"slipway-reporter {__version__}")
    commands = parser.add_subparsers(dest="action", metavar="COMMAND", required=True)

    def with_server(name: str, told: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=told, description=told)
        made.add_argument("--server", metavar="URL", help="address of Slipway (SLIPWAY_URL)")
        made.add_argument("--token", help="API token; better in SLIPWAY_TOKEN, where no process list shows it")
        return made

    def with_run(name: str, told: str) -> argparse.ArgumentParser:
        made = with_server(name, told)
        made.add_argument("--stack", metavar="NAME", help="what people call it: prod (SLIPWAY_STACK; else the folder)")
        made.add_argument("--dock", metavar="NAME", help="the provider account it belongs to (SLIPWAY_DOCK)")
        made.add_argument("--command", dest="command_shown", metavar="TEXT", help="what the run page shows as command")
        made.add_argument(
            "--drain-seconds",
            type=float,
            default=DRAIN_SECONDS,
            metavar="N",
            help="how long to go on sending after the tool's end (default %(default)g)",
        )
        made.add_argument("--share", action="store_true", help="print a share link of this run (token scope `share`)")
        made.add_argument(
            "--share-expires",
            type=int,
            default=7 * 24 * 3600,
            metavar="SECONDS",
            help="0: never; default 7 days",
        )
        made.add_argument("--share-fields", choices=("status", "error", "details"), default="status")
        made.add_argument("--strict", action="store_true", help="end with 1 when not everything could be delivered")
        return made

    for source in PIPE_SOURCES:
        with_run(source, f"report the {source} event stream on standard input")
    watching = with_run("watch", "run a command (terraform, tofu, pulumi, sst, cdk) and report it: watch -- COMMAND …")
    watching.add_argument("--tool", choices=sorted(TOOLS), help="which tool it is, where the name does not tell")
    watching.add_argument("words", nargs=argparse.REMAINDER, metavar="-- COMMAND …")
    polling = with_run("cloudformation", "report an operation on a CloudFormation stack (needs boto3)")
    polling.add_argument("--stack-name", required=True, metavar="S", help="the CloudFormation stack")
    polling.add_argument("--region")
    polling.add_argument("--profile")
    polling.add_argument("--last", action="store_true", help="report the latest operation though it is over")
    polling.add_argument(
        "--start-timeout",
        type=float,
        default=300.0,
        metavar="N",
        help="seconds to wait for an operation (default 300)",
    )
    polling.add_argument("--poll-seconds", type=float, default=POLL_SECONDS, metavar="N", help="default %(default)g")
    flushing = with_server("flush", "send what earlier runs left in the spool")
    flushing.add_argument("--stack", metavar="NAME", help="send it under this stack's name")
    flushing.add_argument(
        "--drain-seconds",
        type=float,
        default=60.0,
        metavar="N",
        help="at most so long a run (default %(default)g)",
    )
    waiting = with_server(
        "wait", "wait for a run; ends with 0 success, 1 failed, 3 interrupted, lost or cancelled, 4 time-out"
    )
    waiting.add_argument("url", metavar="URL", help="a run page, API or share URL")
    waiting.add_argument("--timeout", type=float, metavar="SECONDS", help="default: no limit")
    drawing = with_server("badge", "write a badge to a file")
    drawing.add_argument("--out", required=True, type=Path, metavar="FILE")
    drawing.add_argument("--style", default="", help="flat, flat-square, for-the-badge or card")
    drawing.add_argument("--label", default="")
    drawing.add_argument("target", metavar="URL", help="a share URL, or a stack's name")
    return parser


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Run one command; its exit code. Never raises in pipe mode."""
    secure_standard_streams()
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        given = build_parser().parse_args(words)
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else 2
        if code and words and words[0] in PIPE_SOURCES and not os.isatty(STDIN):
            # A wrong flag must not kill the tool that writes into us.
            terminal = Terminal()
            terminal.say("the run is not reported, because of the fault named above; its output follows")
            read_to_the_end(terminal, words[0])
            terminal.finish(2.0)
            return 0
        return code
    environ = dict(os.environ)
    settings = settings_from(environ, given)
    if given.action in PIPE_SOURCES:
        if os.isatty(STDIN):
            sys.stderr.write(f"slipway: `{given.action}` reads events from a pipe: {_PIPE_EXAMPLES[given.action]}\n")
            return 2
        return report_pipe(given.action, settings, environ)
    if given.action == "watch":
        command = given.words[1:] if given.words[:1] == ["--"] else given.words
        if not command:
            sys.stderr.write("slipway: name the command to watch: watch --stack prod -- terraform apply\n")
            return 2
        return watch(command, settings, environ, given.tool)
    if given.action == "cloudformation":
        return report_cloudformation(given, settings, environ)
    if given.action == "flush":
        # Only the flag renames: SLIPWAY_STACK is this job's stack, and the spool may hold the runs of others.
        return flush(replace(settings, stack=given.stack or ""), environ)
    if given.action == "wait":
        return wait(given.url, settings, given.timeout)
    return badge(given.target, given.out, given.style, given.label, settings)


_PIPE_EXAMPLES = {
    "terraform": "terraform apply -json -auto-approve | python3 slipway_reporter.py terraform --stack prod",
    "opentofu": "tofu apply -json -auto-approve | python3 slipway_reporter.py opentofu --stack prod",
    "pulumi": "tail -n +1 -f events.jsonl | python3 slipway_reporter.py pulumi --stack prod; or use `watch`",
    "sst": "python3 slipway_reporter.py watch -- sst deploy",
}


def run() -> None:
    """End the process at once with the command's code: a thread that hangs in the network or disk holds up nobody."""
    try:
        code = main()
    except KeyboardInterrupt:
        code = 130
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    os._exit(code)


if __name__ == "__main__":
    run()
