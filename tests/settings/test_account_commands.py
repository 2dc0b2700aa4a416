"""`slipway org`, `user` and `token`: the same as the pages, for scripts."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from click.testing import CliRunner, Result

from cli import main
from config import Settings
from models import ApiToken, AuditEntry, Membership, Organization, Role, User
from models.connection import open_database
from provisioning.accounts import authenticate
from provisioning.tokens import find_token
from tests.harness.cast import NOW

Slipway = Callable[..., Result]


@pytest.fixture
def slipway(settings: Settings) -> Slipway:
    """The command, on the test's database; afterwards the models are bound to it again."""

    def run(*words: str, password: str = "") -> Result:
        environment = {
            "SLIPWAY_HOME": settings.home,
            "SLIPWAY_DATABASE_URL": settings.database_url,
            "SLIPWAY_SECRET_KEY": settings.secret_key,
        }
        if password:
            environment["SLIPWAY_PASSWORD"] = password
        result = CliRunner().invoke(main, list(words), env=environment)
        open_database(settings.database_url, settings.home_path)
        return result

    return run


@pytest.fixture
def acme(slipway: Slipway) -> str:
    assert slipway("org", "add", "acme", "--name", "Acme").exit_code == 0
    return "acme"


class TestOrgAdd:
    def test_makes_an_organization_with_its_roles(self, slipway: Slipway, acme: str) -> None:
        made = Organization.get()
        assert (made.slug, made.name) == ("acme", "Acme")
        assert {role.name for role in Role.select()} == {"Owner", "Operator", "Viewer"}
        assert AuditEntry.get().actor == "command line"

    def test_calls_it_by_the_short_name_where_none_is_given(self, slipway: Slipway) -> None:
        assert slipway("org", "add", "globex").exit_code == 0
        assert Organization.get().name == "globex"

    @pytest.mark.parametrize("slug", ["acme", "Acme", "a b", "-", "x" * 41])
    def test_fails_where_the_short_name_is_no_good(self, slipway: Slipway, acme: str, slug: str) -> None:
        result = slipway("org", "add", "--", slug)
        assert result.exit_code == 1
        assert result.stderr.startswith("Error: ")
        assert repr(slug) in result.stderr
        assert Organization.select().count() == 1


class TestUserAdd:
    def test_makes_a_member_who_can_sign_in(self, slipway: Slipway, acme: str) -> None:
        result = slipway(
            "user",
            "add",
            "Ann@acme.example",
            "--org",
            "acme",
            "--role",
            "owner",
            "--name",
            "Ann",
            password="a long one 12",
        )
        assert result.exit_code == 0, result.output
        assert "a long one" not in result.output
        assert authenticate("ann@acme.example", "a long one 12", NOW) is not None
        assert Membership.get().role.name == "Owner"

    def test_asks_for_no_password_of_somebody_who_has_one(self, slipway: Slipway, acme: str) -> None:
        slipway("user", "add", "ann@acme.example", "--org", "acme", "--role", "Owner", password="a long one 12")
        slipway("org", "add", "globex")
        result = slipway("user", "add", "ann@acme.example", "--org", "globex", "--role", "Viewer")
        assert result.exit_code == 0, result.output
        assert Membership.select().count() == 2

    def test_fails_without_a_password(self, slipway: Slipway, acme: str) -> None:
        result = slipway("user", "add", "ann@acme.example", "--org", "acme", "--role", "Owner")
        assert result.exit_code == 1
        assert "SLIPWAY_PASSWORD" in result.stderr
        assert User.select().count() == 0

    @pytest.mark.parametrize(
        ("email", "org", "role", "password", "told"),
        [
            ("no address", "acme", "Owner", "a long one 12", "email address"),
            ("ann@acme.example", "nope", "Owner", "a long one 12", "slipway org add nope"),
            ("ann@acme.example", "acme", "King", "a long one 12", "Owner, Operator, Viewer"),
            ("ann@acme.example", "acme", "Owner", "short", "at least 12"),
        ],
    )
    def test_fails_with_the_cure(
        self, slipway: Slipway, acme: str, email: str, org: str, role: str, password: str, told: str
    ) -> None:
        result = slipway("user", "add", email, "--org", org, "--role", role, password=password)
        assert result.exit_code == 1
        assert told in result.stderr
        assert User.select().count() == 0

    def test_needs_its_options(self, slipway: Slipway, acme: str) -> None:
        assert slipway("user", "add", "ann@acme.example").exit_code == 2


class TestUserPassword:
    def test_replaces_it_and_ends_all_sessions(self, slipway: Slipway, acme: str) -> None:
        slipway("user", "add", "ann@acme.example", "--org", "acme", "--role", "Owner", password="a long one 12")
        assert slipway("user", "password", "ann@acme.example", password="quite another 1").exit_code == 0
        user = authenticate("ann@acme.example", "quite another 1", NOW)
        assert user is not None
        assert user.version == 2

    def test_fails_for_nobody(self, slipway: Slipway, acme: str) -> None:
        result = slipway("user", "password", "ann@acme.example", password="quite another 1")
        assert result.exit_code == 1
        assert "There is no user" in result.stderr


class TestTokenAdd:
    def test_prints_the_token_alone(self, slipway: Slipway, acme: str) -> None:
        result = slipway(
            "token", "add", "--org", "acme", "--scope", "ingest", "--scope", "read", "--name", "CI", "--days", "9"
        )
        assert result.exit_code == 0
        secret = result.stdout.removesuffix("\n")
        identity = find_token(secret, NOW)
        assert identity is not None
        assert identity.scopes == {"ingest", "read"}
        assert identity.organization_id == Organization.get().id
        row = ApiToken.get()
        assert row.expires_at - row.created_at == 9 * 86_400_000

    def test_fails_with_all_faults(self, slipway: Slipway, acme: str) -> None:
        result = slipway("token", "add", "--org", "acme", "--scope", "all", "--name", " ", "--days", "0")
        assert result.exit_code == 1
        assert result.stdout == ""
        for told in ("name is empty", "“all” is no scope", "1 to 3650 days"):
            assert told in result.stderr

    def test_fails_for_an_organization_that_is_not_there(self, slipway: Slipway) -> None:
        result = slipway("token", "add", "--org", "nope", "--scope", "read", "--name", "CI")
        assert result.exit_code == 1
        assert "slipway org add nope" in result.stderr


def test_the_use_of_a_token_is_written_down_once_a_minute(slipway: Slipway, acme: str) -> None:
    secret = slipway("token", "add", "--org", "acme", "--scope", "read", "--name", "CI").stdout.strip()
    find_token(secret, NOW)
    assert ApiToken.get().last_used_at == NOW
    find_token(secret, NOW + 59_999)
    assert ApiToken.get().last_used_at == NOW
    find_token(secret, NOW + 60_000)
    assert ApiToken.get().last_used_at == NOW + 60_000
