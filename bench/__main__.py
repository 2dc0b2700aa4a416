"""Measures, and prints the table.

Each of Slipway's URLs is measured in pairs with the hello-world, one right after the other and several times over,
because the floor itself drifts by a third within minutes; what counts is the ratio within a pair. Where other programs
are busy on the machine, the processor time of one answer is the figure to compare.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from bench.browser import POLL, Visitor, sign_in
from bench.fill import fill_organization
from bench.load import CONNECTIONS, Measured, measure
from config import Settings
from serving import THREADS, environment_of, free_port, local_url, ready_database, web_command

WORKERS = 2
CARDS = 50
FEW, MANY = 1_000, 100_000


@dataclass
class Subject:
    """Something to measure: its name, URL and headers, the status that must come, and what was measured."""

    name: str
    url: str
    headers: dict[str, str]
    status: int
    pairs: list[tuple[Measured, Measured]] = field(default_factory=list)

    def check(self) -> None:
        """End the program where the URL does not give what is to be measured."""
        answer = httpx.get(self.url, headers=self.headers, trust_env=False, timeout=60)
        if answer.status_code != self.status or (self.status == 200 and not answer.content):
            raise SystemExit(f"{self.name}: {self.url} gives {answer.status_code}, expected {self.status}.")

    def row(self) -> str:
        """Its line of the table: medians over the pairs, and the least and the greatest ratio."""
        rates = [subject.per_second for _, subject in self.pairs]
        ratios = [subject.per_second / floor.per_second for floor, subject in self.pairs]
        p99 = [subject.p99_ms for _, subject in self.pairs]
        cpu = [subject.cpu_us for _, subject in self.pairs]
        return (
            f"{self.name:<44}{statistics.median(rates):>9,.0f}{_spread(rates, ',.0f'):>17}"
            f"{statistics.median(p99):>9.1f}{statistics.median(ratios):>8.2f}{_spread(ratios, '.2f'):>13}"
            f"{statistics.median(cpu):>10,.0f}"
        )


def main() -> None:
    """Fill, start both servers, measure, print."""
    options = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    options.add_argument("--seconds", type=int, default=3, help="length of one measurement (default 3)")
    options.add_argument("--rounds", type=int, default=5, help="pairs of each (default 5)")
    options.add_argument("--many", type=int, default=MANY, help=f"resources of the large organisation (default {MANY})")
    options.add_argument("--database-url", default="", help="an empty PostgreSQL database; SQLite without")
    chosen = options.parse_args()

    with tempfile.TemporaryDirectory(prefix="slipway-bench-") as scratch:
        settings = Settings(
            home=str(Path(scratch) / "home"),
            database_url=chosen.database_url,
            bind=f"127.0.0.1:{free_port()}",
            web_workers=WORKERS,
        )
        database = ready_database(settings)
        now = time.time_ns() // 1_000_000
        print(f"Filling organisations of {CARDS}, {FEW:,} and {chosen.many:,} resources …", flush=True)
        filled = [
            fill_organization("fifty", CARDS, now),
            fill_organization("few", FEW, now),
            fill_organization("many", chosen.many, now),
        ]
        database.close()
        floor_settings = Settings(home=settings.home, bind=f"127.0.0.1:{free_port()}", web_workers=WORKERS)
        floor_url = local_url(floor_settings.bind)
        with (
            running(floor_settings, "bench.hello:create_app", "/") as floor_server,
            running(settings, "app:create_app", "/healthz") as server,
        ):
            visitors = [sign_in(local_url(settings.bind), one) for one in filled]
            subjects = subjects_of(local_url(settings.bind), visitors, chosen.many)
            for subject in subjects:
                subject.check()
            for number in range(chosen.rounds):
                print(f"Round {number + 1} of {chosen.rounds} …", flush=True)
                for subject in subjects:
                    floor = measure(floor_url, seconds=chosen.seconds, headers={}, server=floor_server)
                    measured = measure(subject.url, seconds=chosen.seconds, headers=subject.headers, server=server)
                    subject.pairs.append((floor, measured))
    print_table(subjects, chosen.seconds, chosen.rounds)


def subjects_of(url: str, visitors: list[Visitor], many: int) -> list[Subject]:
    """What is measured. Polls are those that the pages themselves ask for."""
    fifty, few, large = visitors
    card = fifty.polled_by(f"/p/{fifty.filled.card_id}", "/cards/")
    dashboard = fifty.polled_by("/", "/fragments/operations")
    shared = fifty.polled_by(f"/s/{fifty.filled.share_token}", "/s/")

    def with_session(visitor: Visitor, more: dict[str, str] | None = None) -> dict[str, str]:
        return {"Cookie": visitor.cookie} | (more or {})

    return [
        Subject("card poll, unchanged", url + card, with_session(fifty, POLL), 204),
        Subject(f"dashboard poll, {CARDS} cards, unchanged", url + dashboard, with_session(fifty, POLL), 204),
        Subject("share poll, unchanged", url + shared, POLL, 204),
        Subject("card poll, changed", f"{url}{card.partition('?')[0]}?rev=0", with_session(fifty, POLL), 200),
        Subject(f"dashboard page, {FEW:,} resources", f"{url}/", with_session(few), 200),
        Subject(f"dashboard page, {many:,} resources", f"{url}/", with_session(large), 200),
    ]


@contextmanager
def running(settings: Settings, app: str, path: str) -> Iterator[int]:
    """Run an app under `slipway serve`'s own server command, its log in a file; gives its process group."""
    home = Path(settings.home)
    with (home / f"{app.partition(':')[0]}.log").open("wb") as log:
        server = subprocess.Popen(
            web_command(settings, app), env=environment_of(settings), stdout=log, stderr=log, process_group=0
        )
        try:
            _wait_for(lambda: httpx.get(local_url(settings.bind) + path, trust_env=False).status_code == 200)
            yield server.pid
        finally:
            server.terminate()
            server.wait(20)


def _wait_for(answers: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            if answers():
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise SystemExit("The server did not answer within a minute.")


def print_table(subjects: list[Subject], seconds: int, rounds: int) -> None:
    """Print what was measured."""
    floors = [floor for subject in subjects for floor, _ in subject.pairs]
    rates = [floor.per_second for floor in floors]
    print(
        f"\n{WORKERS} server processes of {THREADS} threads, {CONNECTIONS} connections, {os.cpu_count()} cores shared "
        f"with the load generator; {rounds} pairs of {seconds} s each; the rest of the machine as it was.\n"
    )
    print(f"{'':<44}{'req/s':>9}{'least–greatest':>17}{'p99 ms':>9}{'ratio':>8}{'':>13}{'CPU µs':>10}")
    print(
        f"{'hello-world, before each of the others':<44}{statistics.median(rates):>9,.0f}{_spread(rates, ',.0f'):>17}"
        f"{statistics.median(floor.p99_ms for floor in floors):>9.1f}{1:>8.2f}{'':>13}"
        f"{statistics.median(floor.cpu_us for floor in floors):>10,.0f}"
    )
    for subject in subjects:
        print(subject.row())


def _spread(values: list[float], form: str) -> str:
    return f"{min(values):{form}}–{max(values):{form}}"


if __name__ == "__main__":
    main()
