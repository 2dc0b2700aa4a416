"""Background work: what runs beside the web server, in any number of workers on any number of hosts.

The queue is a SQLite file in the home folder, or lives in the PostgreSQL database, in a schema of its own. Nothing is
opened at import: `make_queue` opens it and names the tasks, `run_worker` works them off.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from huey import Huey, SqliteHuey
from huey.consumer import Consumer, Scheduler
from huey.contrib.sql_huey import SqlHuey
from peewee import PostgresqlDatabase

from config import Settings
from docks.sync import sync_next
from models import database
from provisioning import liveness, retention

log = logging.getLogger("slipway.worker")

_REMOVE_WHAT_IS_OLD_EVERY_S = 3_600

QUEUE_FILE = "queue.sqlite3"

# Names the making of the queue's tables among the advisory locks of a PostgreSQL database.
_ADVISORY_LOCK = 7_262_032


def make_queue(settings: Settings) -> Huey:
    """Open the queue, with all tasks known to it as attributes of their names: `queue.watch()` puts one in."""
    if settings.database_url:
        queue = SqlHuey("slipway", database=_queue_schema(settings.database_url), create_tables=False)
        _create_queue_tables(queue.storage)
    else:
        settings.home_path.mkdir(parents=True, exist_ok=True)
        # A task that is lost in a power cut is put in again by the scheduler.
        queue = SqliteHuey("slipway", filename=str(settings.home_path / QUEUE_FILE), fsync=False)

    # Where workers were away for a while, one look makes up for all that were missed.
    @queue.task(expires=timedelta(milliseconds=max(settings.watch_every_ms, 1_000)))
    def watch() -> None:
        """Call silent runs quiet, and those that stay silent lost."""
        with _closed_when_it_fails():
            changed = liveness.watch(
                time.time_ns() // 1_000_000,
                quiet_after_ms=settings.quiet_after_ms,
                lost_after_ms=settings.lost_after_ms,
            )
        if changed:
            log.info("%d runs fell silent or spoke again", changed)

    # Many runs may have grown old at once; nobody waits for it.
    @queue.task(expires=timedelta(hours=1))
    def remove_old_logs() -> None:
        """Remove the logs that are older than the settings keep them."""
        with _closed_when_it_fails():
            removed = retention.remove_old_logs(
                time.time_ns() // 1_000_000,
                keep_apply_days=settings.keep_apply_logs_days,
                keep_plan_days=settings.keep_plan_logs_days,
            )
        if removed:
            log.info("The logs of %d runs were old and are removed", removed)

    @queue.task(expires=timedelta(hours=1))
    def remove_ended_shares() -> None:
        """Remove the share links that ended longer ago than the settings keep them."""
        with _closed_when_it_fails():
            removed = retention.remove_ended_shares(
                time.time_ns() // 1_000_000, keep_days=settings.keep_ended_shares_days
            )
        if removed:
            log.info("%d share links had ended long ago and are removed", removed)

    # Of a worker's two threads one at most waits for providers; the other one keeps the watch.
    at_docks = threading.Lock()

    @queue.task(expires=timedelta(milliseconds=max(settings.watch_every_ms, 1_000)))
    def sync_docks() -> None:
        """Look at all docks that are due. Any number of workers may: each dock is claimed by one."""
        if not at_docks.acquire(blocking=False):
            return
        try:
            with _closed_when_it_fails():
                while sync_next(settings):
                    pass
        finally:
            at_docks.release()

    queue.watch = watch
    queue.sync_docks = sync_docks
    queue.remove_old_logs = remove_old_logs
    queue.remove_ended_shares = remove_ended_shares
    return queue


@contextmanager
def _closed_when_it_fails() -> Iterator[None]:
    """A connection that broke stays broken until it is closed; what is done next opens a new one."""
    try:
        yield
    except Exception:
        database.close()
        raise


def run_worker(settings: Settings) -> None:
    """Work until SIGINT or SIGTERM. The models are bound to the database already."""
    queue = make_queue(settings)

    class WatchScheduler(Scheduler):
        """Puts in the watch as often as the settings say: huey's own periodic tasks know only minutes."""

        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            self.interval = min(1.0, settings.watch_every_ms / 1000)
            self._next_watch = self._next_removal = time.monotonic()

        def loop(self, now: Any = None) -> None:
            """Put in what is due, then sleep."""
            if time.monotonic() >= self._next_watch:
                self._next_watch = time.monotonic() + settings.watch_every_ms / 1000
                try:
                    queue.watch()
                    queue.sync_docks()
                except Exception:
                    log.exception("The queue of background work cannot be reached")
            if time.monotonic() >= self._next_removal:
                self._next_removal = time.monotonic() + _REMOVE_WHAT_IS_OLD_EVERY_S
                try:
                    queue.remove_old_logs()
                    queue.remove_ended_shares()
                except Exception:
                    log.exception("The queue of background work cannot be reached")
            super().loop(now)

    class Worker(Consumer):
        scheduler_class = WatchScheduler

    worker = Worker(
        queue,
        # One that keeps the watch while the other one waits for a provider.
        workers=2,
        initial_delay=0.1,
        max_delay=1.0,
        shutdown_timeout=3,
    )
    worker.run()


def _queue_schema(database_url: str) -> PostgresqlDatabase:
    return PostgresqlDatabase(database_url, prefer_psycopg3=True, options="-c search_path=huey")


def _create_queue_tables(storage: Any) -> None:
    # CREATE … IF NOT EXISTS of two processes at once can still collide: one after the other, then.
    with storage.database.atomic():
        storage.database.execute_sql("SELECT pg_advisory_xact_lock(%s)", (_ADVISORY_LOCK,))
        storage.database.execute_sql("CREATE SCHEMA IF NOT EXISTS huey")
        storage.database.create_tables([storage.KV, storage.Schedule, storage.Task, storage.Counter])
    storage.database.close()
