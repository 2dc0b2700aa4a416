"""Share links: made, found, renewed, revoked, listed, and counted."""

from __future__ import annotations

import pytest

from models import AuditEntry, Organization, ShareLink, database
from provisioning import shares
from provisioning.audit import COMMAND_LINE
from provisioning.errors import BadInput, FaultyForm, NotFound, Refused
from provisioning.share_uses import WRITE_EVERY_MS, UseCounts
from provisioning.shares import create_link, find_link, links, read_origins, renew_link, revoke_link
from provisioning.tokens import secret_hash
from tests.harness.cast import NOW, Cast
from tests.harness.statements import assert_index_only, count_statements
from tests.shares.conftest import Make, Scene

HOUR = 3_600_000


class TestMaking:
    def test_keeps_the_token_as_a_hash_only(self, scene: Scene, make: Make) -> None:
        made = make(scene.failed)
        row = ShareLink.get()
        assert row.token_hash == secret_hash(made.token)
        assert made.token not in str(row.__data__)
        # 256 bits in base 64.
        assert len(made.token) == len("share_") + 43

    def test_is_written_down(self, scene: Scene, make: Make, cast: Cast) -> None:
        make(scene.failed, "error", expires_in_s=3600)
        entry = AuditEntry.select().where(AuditEntry.action == "share.created").get()
        assert (entry.actor, entry.user_id, entry.subject) == ("Ada Owner", cast.owner.id, scene.failed)
        assert "shows error, for 3600 s" in entry.detail

    def test_tells_all_faults_at_once(self, scene: Scene, cast: Cast) -> None:
        with pytest.raises(FaultyForm) as caught:
            create_link(
                organization_id=cast.organization.id, subject=scene.failed, fields="all", expires_in_s=1,
                allowed_origins=["nothing"], actor=COMMAND_LINE, now=NOW,
            )  # fmt: skip
        assert set(caught.value.faults) == {"fields", "expires_in", "allowed_origins"}
        assert not ShareLink.select().count()

    @pytest.mark.parametrize("subject", ["srv_nothing", "xyz_1", "", "usr_1"])
    def test_refuses_what_is_not_there(self, scene: Scene, make: Make, subject: str) -> None:
        with pytest.raises(NotFound):
            make(subject)

    @pytest.mark.parametrize("kind", ["failed", "run", "stack", "organization"])
    def test_refuses_what_is_another_organisations(self, scene: Scene, cast: Cast, kind: str) -> None:
        with pytest.raises(NotFound):
            create_link(
                organization_id=cast.other_organization.id, subject=scene.by_kind(kind), fields="status",
                expires_in_s=None, actor=COMMAND_LINE, now=NOW,
            )  # fmt: skip


class TestOrigins:
    @pytest.mark.parametrize(
        ("given", "read"),
        [
            ("https://wiki.example.com", "https://wiki.example.com"),
            (" HTTPS://Wiki.Example.com:443/ ", "https://wiki.example.com"),
            ("http://localhost:3000", "http://localhost:3000"),
            ("http://127.0.0.1:80", "http://127.0.0.1"),
            ("http://[::1]:8080", "http://[::1]:8080"),
            ("https://bücher.example", "https://xn--bcher-kva.example"),
        ],
    )
    def test_are_kept_as_browsers_write_them(self, given: str, read: str) -> None:
        assert read_origins([given, "", given]) == [read]

    @pytest.mark.parametrize(
        "given",
        ["wiki.example.com", "https://", "https://a b", "https://a.example/path", "https://a.example;script-src",
         "https://u@a.example", "ftp://a.example", "https://*.example", "*", "null", "javascript:alert(1)",
         "https://a.example:99999", "https://a.example?x", "https://a'b.example", "https://a.example,https://b.example"],
    )  # fmt: skip
    def test_refuse_what_is_none(self, given: str) -> None:
        with pytest.raises(BadInput, match="is no origin"):
            read_origins([given])

    def test_are_at_most_so_many(self) -> None:
        with pytest.raises(BadInput):
            read_origins([f"https://h{number}.example" for number in range(21)])


class TestFinding:
    @pytest.mark.parametrize("kind", ["failed", "done", "run", "stack", "organization"])
    def test_takes_one_statement_from_indexes(self, scene: Scene, make: Make, kind: str) -> None:
        token = make(scene.by_kind(kind)).token
        with count_statements() as statements:
            found = find_link(token)
        assert found is not None and found.subject == scene.by_kind(kind)
        assert found.revision is not None and found.state(NOW) == "open"
        assert len(statements) == 1
        assert_index_only(shares._link_sql(database.param), (secret_hash(token),))

    def test_finds_nothing_for_what_is_no_token(self, scene: Scene, make: Make) -> None:
        token = make(scene.failed).token
        for wrong in (token[:-1], token + "a", token.swapcase(), "", "share_", ShareLink.get().token_hash, "x" * 5000):
            assert find_link(wrong) is None

    def test_follows_the_subjects_revision(self, scene: Scene, make: Make) -> None:
        token = make(scene.organization).token
        Organization.update(revision=77).where(Organization.id == scene.organization).execute()
        found = find_link(token)
        assert found is not None and found.revision == 77


class TestEnding:
    def test_by_its_time(self, scene: Scene, make: Make) -> None:
        found = find_link(make(scene.failed, expires_in_s=3600).token)
        assert found is not None
        assert found.state(NOW + HOUR - 1) == "open"
        assert found.state(NOW + HOUR) == "expired"

    def test_by_hand_at_once_and_once(self, scene: Scene, make: Make, cast: Cast) -> None:
        made = make(scene.failed)
        for _ in range(2):
            revoke_link(organization_id=cast.organization.id, link_id=made.id, actor=COMMAND_LINE, now=NOW)
        found = find_link(made.token)
        assert found is not None and found.state(NOW) == "revoked"
        assert AuditEntry.select().where(AuditEntry.action == "share.revoked").count() == 1

    def test_with_its_subject(self, scene: Scene, make: Make) -> None:
        from models import Run

        made = make(scene.run)
        Run.delete().where(Run.id == scene.run).execute()
        found = find_link(made.token)
        assert found is not None and found.state(NOW) == "gone"

    def test_is_not_for_other_organisations(self, scene: Scene, make: Make, cast: Cast) -> None:
        made = make(scene.failed)
        other = cast.other_organization.id
        with pytest.raises(NotFound):
            revoke_link(organization_id=other, link_id=made.id, actor=COMMAND_LINE, now=NOW)
        with pytest.raises(NotFound):
            renew_link(organization_id=other, link_id=made.id, expires_in_s=None, actor=COMMAND_LINE, now=NOW)

    def test_an_ended_link_can_be_renewed(self, scene: Scene, make: Make, cast: Cast) -> None:
        made = make(scene.failed, expires_in_s=3600)
        later = NOW + 2 * HOUR
        renew_link(
            organization_id=cast.organization.id, link_id=made.id, expires_in_s=3600, actor=COMMAND_LINE, now=later
        )
        found = find_link(made.token)
        assert found is not None and found.state(later) == "open" and found.expires_at == later + HOUR
        assert AuditEntry.select().where(AuditEntry.action == "share.renewed").count() == 1

    def test_a_revoked_one_cannot(self, scene: Scene, make: Make, cast: Cast) -> None:
        made = make(scene.failed)
        revoke_link(organization_id=cast.organization.id, link_id=made.id, actor=COMMAND_LINE, now=NOW)
        with pytest.raises(Refused, match="revoked"):
            renew_link(
                organization_id=cast.organization.id, link_id=made.id, expires_in_s=None, actor=COMMAND_LINE, now=NOW
            )


class TestTheList:
    def test_names_subjects_and_makers(self, scene: Scene, make: Make, cast: Cast) -> None:
        for kind in ("failed", "run", "stack", "organization"):
            make(scene.by_kind(kind), allowed_origins=["https://a.example"])
        found = {one.subject: one for one in links(cast.organization.id)}
        assert found[scene.failed].subject_name == "orders"
        assert found[scene.run].subject_name == "prod sentinelcommand"
        assert found[scene.stack].subject_name == "prod"
        assert found[scene.organization].subject_name == "Failures of Acme"
        assert {one.created_by for one in found.values()} == {"Ada Owner"}
        assert found[scene.run].allowed_origins == ["https://a.example"]
        assert links(cast.other_organization.id) == []
        assert [one.subject for one in links(cast.organization.id, subject=scene.run)] == [scene.run]

    def test_is_answered_from_indexes(self, cast: Cast) -> None:
        newest = (ShareLink.created_at.desc(), ShareLink.id.desc())
        of_organization = ShareLink.select(ShareLink.id).where(ShareLink.organization == cast.organization.id)
        assert_index_only(of_organization.order_by(*newest).limit(20))
        assert_index_only(of_organization.where(ShareLink.subject == "srv_1").order_by(*newest).limit(20))


class TestUses:
    def stored(self) -> tuple[int, int | None]:
        row = ShareLink.get()
        return row.uses, row.last_used_at

    def test_are_written_once_a_minute(self, scene: Scene, make: Make) -> None:
        link, counts = make(scene.failed).id, UseCounts()
        with count_statements() as statements:
            counts.note(link, NOW, opened=True)
            first = len(statements)
            for number in range(1, 1000):
                counts.note(link, NOW + number, opened=True)
            assert len(statements) == first == 1
        assert self.stored() == (1, NOW)
        counts.note(link, NOW + WRITE_EVERY_MS, opened=True)
        assert self.stored() == (1001, NOW + WRITE_EVERY_MS)

    def test_are_no_polls(self, scene: Scene, make: Make) -> None:
        link, counts = make(scene.failed).id, UseCounts()
        counts.note(link, NOW, opened=True)
        for minute in range(1, 4):
            counts.note(link, NOW + minute * WRITE_EVERY_MS, opened=False)
        assert self.stored() == (1, NOW + 3 * WRITE_EVERY_MS)

    def test_of_a_link_nobody_uses_any_more_are_written_with_the_next_of_another(
        self, scene: Scene, make: Make
    ) -> None:
        link, counts = make(scene.failed).id, UseCounts()
        counts.note(link, NOW, opened=True)
        counts.note(link, NOW + 1, opened=True)
        counts.note("shr_other", NOW + WRITE_EVERY_MS + 1, opened=True)
        assert self.stored() == (2, NOW + 1)

    def test_are_written_before_a_list_is_shown(self, scene: Scene, make: Make) -> None:
        link, counts = make(scene.failed).id, UseCounts()
        counts.note(link, NOW, opened=True)
        counts.note(link, NOW + 1, opened=True)
        counts.write_all()
        assert self.stored() == (2, NOW + 1)
        counts.write_all()
        assert self.stored() == (2, NOW + 1)
