"""The polls of open pages: is what is shown still so? One statement each, permission and session included.

Every open page asks every few seconds, so these are plain SQL on the connection; a `False` says nothing but "ask the
ordinary way", which finds out what changed or why not.
"""

from __future__ import annotations

from functools import cache

from models import database
from provisioning.card_rows import TABLE_NAMES
from provisioning.resources import KIND_OF_PREFIX

# Joined into each poll: the session is not ended, the user still a member, the role still reads provisioning.
_MAY_READ = (
    'JOIN membership m ON m.organization_id = {of} AND m.user_id = {mark} JOIN "user" v ON v.id = m.user_id '
    "JOIN role o ON o.id = m.role_id"
)
_IS_CURRENT = "v.version = {mark} AND NOT v.disabled AND o.provisioning IN ('read', 'full')"


def dashboard_unchanged(identity: tuple[str, int], organization_id: str, since: int) -> bool:
    """Whether the organisation is still at revision `since`, asked by a session that may read it."""
    user_id, version = identity
    return _one(_organization_sql(database.param), (user_id, organization_id, version)) == since


def card_unchanged(identity: tuple[str, int], provision_id: str, revision: int) -> bool:
    """Whether the resource, and the run its card shows, are still at `revision`."""
    table = TABLE_NAMES.get(KIND_OF_PREFIX.get(provision_id.split("_", 1)[0], ""))
    if table is None:
        return False
    user_id, version = identity
    return _one(_card_sql(table, database.param), (user_id, provision_id, version)) == revision


def run_unchanged(identity: tuple[str, int], run_id: str, revision: int) -> bool:
    """Whether the run is still at `revision`."""
    user_id, version = identity
    return _one(_plain_sql("run", database.param), (user_id, run_id, version)) == revision


def stack_unchanged(identity: tuple[str, int], stack_id: str, revision: int) -> bool:
    """Whether the stack is still at `revision`."""
    user_id, version = identity
    return _one(_plain_sql("stack", database.param), (user_id, stack_id, version)) == revision


def _one(sql: str, parameters: tuple[object, ...]) -> int | None:
    row = database.execute_sql(sql, parameters).fetchone()
    return None if row is None else int(row[0])


@cache
def _organization_sql(mark: str) -> str:
    return (
        f"SELECT x.revision FROM organization x {_MAY_READ.format(of='x.id', mark=mark)} "
        f"WHERE x.id = {mark} AND {_IS_CURRENT.format(mark=mark)}"
    )


@cache
def _card_sql(table: str, mark: str) -> str:
    return (
        "SELECT CASE WHEN n.revision > x.revision THEN n.revision ELSE x.revision END "
        f'FROM "{table}" x {_MAY_READ.format(of="x.organization_id", mark=mark)} LEFT JOIN run n ON n.id = x.run_id '
        f"WHERE x.id = {mark} AND {_IS_CURRENT.format(mark=mark)}"
    )


@cache
def _plain_sql(table: str, mark: str) -> str:
    return (
        f'SELECT x.revision FROM "{table}" x {_MAY_READ.format(of="x.organization_id", mark=mark)} '
        f"WHERE x.id = {mark} AND {_IS_CURRENT.format(mark=mark)}"
    )
