"""Who reads: the scope of every query of the core."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reader:
    """A signed-in user, who sees every organisation whose provisioning the role lets read, or a token or share link,
    which sees its one organisation. Exactly one of the two is set."""

    user_id: str | None = None
    organization_id: str | None = None

    def scope(self, mark: str, column: str = "organization_id") -> tuple[str, list[str]]:
        """A SQL condition on `column` that holds for what this reader may see, and its parameters.

        `mark` is the database's parameter mark. The condition is a list of ids, so that an index on
        (…, organization) still answers the query.
        """
        if self.organization_id is not None:
            return f"{column} = {mark}", [self.organization_id]
        return (
            f"{column} IN (SELECT m.organization_id FROM membership m JOIN role o ON o.id = m.role_id "
            f"WHERE m.user_id = {mark} AND o.provisioning IN ('read', 'full'))",
            [self.user_id or ""],
        )
