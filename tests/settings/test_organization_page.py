"""Settings, Organisation: its name."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from models import Organization
from tests.harness.cast import Cast
from tests.harness.settings import last_deed


class TestTheOrganization:
    def test_gets_another_name(self, owner: FlaskClient, cast: Cast) -> None:
        assert owner.post("/settings/organization", data={"organization_name": " New name "}).status_code == 303
        assert Organization.get_by_id(cast.organization.id).name == "New name"
        assert Organization.get_by_id(cast.other_organization.id).name == "Globex"
        assert last_deed(cast) == (cast.owner.name, "organization.renamed", "New name")
        assert "The name is changed." in owner.get("/settings/organization").text

    @pytest.mark.parametrize("name", ["", "   ", "x" * 101, "two\nlines"])
    def test_keeps_its_name_where_the_new_one_is_not_acceptable(
        self, owner: FlaskClient, cast: Cast, name: str
    ) -> None:
        answer = owner.post("/settings/organization", data={"organization_name": name})
        assert answer.status_code == 422
        assert 'id="organization_name-fault"' in answer.text
        assert Organization.get_by_id(cast.organization.id).name == cast.organization.name
