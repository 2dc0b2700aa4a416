"""Limits on guessing passwords: Flask-Limiter, counting in the database, so that all web processes count together.

Only sign-in, set-up and password links ask; every other route pays nothing.
"""

from __future__ import annotations

import hashlib
from ipaddress import ip_address, ip_network

from flask import Flask, request
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from limits import RateLimitItem, parse
from limits.storage import Storage
from peewee import PeeweeException

from models import RateCount, database
from provisioning.rows import first_row
from views.clock import now_ms

# Failures that one address may make for one account, and for all accounts together: an office behind one address
# still signs in while one of its people has forgotten a password.
PER_ACCOUNT = parse("10 per 15 minutes")
PER_ADDRESS = parse("100 per 15 minutes")


class DatabaseCounts(Storage):
    """Where Flask-Limiter's counts are kept: one row a window."""

    STORAGE_SCHEME = ["slipway"]

    @property
    def base_exceptions(self) -> type[Exception]:
        """What this storage raises when it fails."""
        return PeeweeException

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Count up in the window of the key, or begin a new window, by one statement; return the count."""
        now = now_ms()
        with database.atomic():
            RateCount.delete().where(RateCount.expires_at <= now).execute()
            row = {"key": _hashed(key), "count": amount, "expires_at": now + expiry * 1000}
            counted = (
                RateCount.insert(row)
                .on_conflict(conflict_target=[RateCount.key], update={RateCount.count: RateCount.count + amount})
                .returning(RateCount.count)
                .execute()
            )
            return int(next(iter(counted)).count)

    def get(self, key: str) -> int:
        """The count of the key's window."""
        row = self._row(key)
        return row[0] if row else 0

    def get_expiry(self, key: str) -> float:
        """When the key's window ends, in seconds since 1970."""
        row = self._row(key)
        return (row[1] if row else now_ms()) / 1000

    def check(self) -> bool:
        """Whether the storage works: it does where the database does."""
        return True

    def reset(self) -> int | None:
        """Forget all counts."""
        return int(RateCount.delete().execute())

    def clear(self, key: str) -> None:
        """Forget the key's count."""
        RateCount.delete().where(RateCount.key == _hashed(key)).execute()

    def _row(self, key: str) -> tuple[int, int] | None:
        row = first_row(
            RateCount.select(RateCount.count, RateCount.expires_at).where(
                RateCount.key == _hashed(key), RateCount.expires_at > now_ms()
            )
        )
        return (row[0], row[1]) if row else None


limiter = Limiter(get_remote_address, storage_uri="slipway://", strategy="fixed-window")


def register_limiter(app: Flask) -> None:
    """Give the app its limiter, without the three hooks that Flask-Limiter runs at every request of every route."""
    # It adds them where it is not among the app's limiters yet.
    app.extensions.setdefault("limiter", set()).add(limiter)
    limiter.init_app(app)


def seconds_to_wait(account: str) -> int:
    """Count an attempt on an account from this request's address; 0 where it may be made, else seconds to wait.

    Counting comes before checking the password, so that many attempts at once are counted too.
    """
    address = _address()
    if not limiter.limiter.test(PER_ADDRESS, "address", address):
        return _rest(PER_ADDRESS, "address", address)
    if not limiter.limiter.hit(PER_ACCOUNT, "account", address, account.strip().lower()):
        return _rest(PER_ACCOUNT, "account", address, account.strip().lower())
    return 0


def attempt_failed() -> None:
    """Count a failure against the address."""
    limiter.limiter.hit(PER_ADDRESS, "address", _address())


def attempt_succeeded(account: str) -> None:
    """Forget the attempts on the account from this address: its owner has come."""
    limiter.limiter.clear(PER_ACCOUNT, "account", _address(), account.strip().lower())


def _rest(limit: RateLimitItem, *key: str) -> int:
    return max(1, int(limiter.limiter.get_window_stats(limit, *key).reset_time - now_ms() / 1000) + 1)


def _address() -> str:
    """The address to count for. One subscriber has a whole /64 of IPv6 addresses."""
    text = request.remote_addr or ""
    try:
        address = ip_address(text)
    except ValueError:
        return text
    return str(ip_network(f"{address}/64", strict=False)) if address.version == 6 else text


def _hashed(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
