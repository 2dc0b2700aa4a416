"""One measurement: wrk on one URL for some seconds."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

CONNECTIONS = 16

_UNITS = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0}


@dataclass(frozen=True)
class Measured:
    """What one measurement gave."""

    per_second: float
    p99_ms: float
    cpu_us: float
    """Processor time that the server took for one answer, in microseconds."""


def measure(url: str, *, seconds: int, headers: dict[str, str], server: int) -> Measured:
    """Ask for the URL over and over on sixteen connections; `server` is the process group that answers.

    Ends the program where an answer was no success.
    """
    words = ["wrk", "--threads", "1", "--connections", str(CONNECTIONS), "--duration", f"{seconds}s", "--latency"]
    for name, value in headers.items():
        words += ["--header", f"{name}: {value}"]
    before = _cpu_seconds(server)
    text = subprocess.run([*words, url], capture_output=True, text=True, check=True).stdout
    taken = _cpu_seconds(server) - before
    faults = re.findall(r"(?:Non-2xx or 3xx responses|Socket errors):.*", text)
    if faults:
        raise SystemExit(f"{url}: {faults[0]}")
    per_second = re.search(r"Requests/sec:\s+([\d.]+)", text)
    p99 = re.search(r"99%\s+([\d.]+)(us|ms|s|m)\b", text)
    answers = re.search(r"(\d+) requests in ", text)
    if not per_second or not p99 or not answers or not int(answers[1]):
        raise SystemExit(f"wrk said about {url}:\n{text}")
    return Measured(float(per_second[1]), float(p99[1]) * _UNITS[p99[2]], taken / int(answers[1]) * 1_000_000)


def _cpu_seconds(group: int) -> float:
    """The processor time that a process group has taken so far."""
    ticks = 0
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                words = (folder / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue  # It ended meanwhile.
            if int(words[2]) == group:
                ticks += int(words[11]) + int(words[12])
    return ticks / os.sysconf("SC_CLK_TCK")
