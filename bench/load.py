"""One measurement: wrk on one URL for some seconds."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass

CONNECTIONS = 16

_UNITS = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0}


@dataclass(frozen=True)
class Measured:
    """What one measurement gave."""

    per_second: float
    p99_ms: float


def measure(url: str, *, seconds: int, headers: dict[str, str]) -> Measured:
    """Ask for the URL over and over on sixteen connections. Ends the program where an answer was no success."""
    words = ["wrk", "--threads", "1", "--connections", str(CONNECTIONS), "--duration", f"{seconds}s", "--latency"]
    for name, value in headers.items():
        words += ["--header", f"{name}: {value}"]
    text = subprocess.run([*words, url], capture_output=True, text=True, check=True).stdout
    faults = re.findall(r"(?:Non-2xx or 3xx responses|Socket errors):.*", text)
    if faults:
        raise SystemExit(f"{url}: {faults[0]}")
    per_second = re.search(r"Requests/sec:\s+([\d.]+)", text)
    p99 = re.search(r"99%\s+([\d.]+)(us|ms|s|m)\b", text)
    if not per_second or not p99:
        raise SystemExit(f"wrk said about {url}:\n{text}")
    return Measured(float(per_second[1]), float(p99[1]) * _UNITS[p99[2]])
