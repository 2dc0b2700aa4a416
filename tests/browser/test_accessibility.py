"""axe-core finds nothing on any page there is: the pages are those of the app's own routes, so that a new one is among
them by itself; and what routes do not tell, faulty forms, refusals and links that have ended, is listed here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import quote

import pytest
from flask import Flask
from playwright.sync_api import Page, expect

from app import create_app
from config import Settings
from models import Database as DatabaseRow
from models import Role, Run, Server, ShareLink, Stack
from provisioning.accounts import setup_link
from provisioning.audit import COMMAND_LINE
from provisioning.shares import create_link, revoke_link
from tests.browser.conftest import Faults, on_one_database, session_cookie
from tests.browser.pipeline import Pipeline
from tests.browser.test_every_page import faults_in_both_looks
from tests.docks.stage import Docks
from tests.harness.cast import Cast
from tests.harness.server import RunningServer
from tests.provisioning.story import resource_at
from views.auth import password_link_path
from views.clock import now_ms

pytestmark = on_one_database

PageOf = Callable[..., Page]


@dataclass(frozen=True)
class Place:
    """A filled organisation, and a link of each kind to what is in it."""

    app: Flask
    values: dict[str, str]
    """What stands for each variable of a route's address."""
    links: dict[str, str]
    """Tokens, by what they are to."""


@pytest.fixture
def place(server: RunningServer, cast: Cast) -> Place:
    """One of everything."""
    run = Pipeline(server, cast).run("aws_instance.web", "aws_db_instance.orders")
    run.start("aws_instance.web", "aws_db_instance.orders")
    run.done("aws_instance.web")
    run.fail("aws_db_instance.orders", "no subnet covers two zones", "It needs two.\n  on main.tf line 14")
    run.end(1)
    settings = Settings(home=str(server.home))
    failed = resource_at("aws_db_instance.orders")
    subjects = {
        "resource": failed.id, "run": run.id, "stack": Stack.get().id, "feed": cast.organization.id,
        "expired": failed.id, "revoked": failed.id, "gone": failed.id,
    }  # fmt: skip
    made = {
        name: create_link(
            organization_id=cast.organization.id, subject=subject, fields="details", expires_in_s=3600,
            actor=COMMAND_LINE, now=now_ms(),
        )
        for name, subject in subjects.items()
    }  # fmt: skip
    ShareLink.update(expires_at=now_ms() - 1).where(ShareLink.id == made["expired"].id).execute()
    ShareLink.update(subject="run_gone").where(ShareLink.id == made["gone"].id).execute()
    revoke_link(organization_id=cast.organization.id, link_id=made["revoked"].id, actor=COMMAND_LINE, now=now_ms())
    app = create_app(settings)
    with app.test_request_context():
        password = password_link_path(cast.viewer, cast.organization.id).removeprefix("/password/")
    values = {
        "provision_id": failed.id,
        "resource_id": failed.id,
        "run_id": run.id,
        "stack_id": Stack.get().id,
        "stack": "prod",
        "dock_id": Docks(settings, cast).connect(region="eu-west-1", stacks="web").id,
        "provider": "aws",
        "role_id": own_role(cast),
        "filename": "slipway.css",
        "token": made["resource"].token,
        "auth.password_link token": password,
        "shares.new subject": failed.id,
        "embeds.oembed url": f"{server.url}/s/{made['resource'].token}",
    }
    return Place(app, values, {name: link.token for name, link in made.items()})


def own_role(cast: Cast) -> str:
    """The id of a role that the organisation made itself: presets have no page."""
    role: Role = Role.create(
        organization=cast.organization, name="Release manager", provisioning="full", docks="read", settings="none"
    )
    return str(role.id)


# Queries without which a page has nothing to show.
QUERIES = {"shares.new": ("subject",), "embeds.oembed": ("url",)}


def addresses(place: Place) -> Iterator[str]:
    """An address of every route that answers GET."""
    for rule in place.app.url_map.iter_rules():
        if "GET" not in (rule.methods or ()):
            continue
        endpoint = rule.endpoint
        if endpoint == "auth.set_up":
            # Its page is there only while there are no people: a test of its own looks at it.
            continue
        try:
            values = {
                name: place.values.get(f"{endpoint} {name}") or place.values[name]
                for name in (*rule.arguments, *QUERIES.get(endpoint, ()))
            }
        except KeyError as error:
            raise AssertionError(f"{rule.rule} needs {error}: say in `place` what stands for it.") from None
        yield place.app.url_map.bind("localhost").build(endpoint, values)


def pages(place: Place, server: RunningServer, cast: Cast) -> Iterator[tuple[str, bool]]:
    """Every address that answers a whole page, and whether it needs somebody who is signed in."""
    with server.client() as owner, server.client() as visitor:
        owner.cookies.set("slipway", session_cookie(server, cast.owner))
        for path in addresses(place):
            for client, is_member in ((owner, True), (visitor, False)):
                answer = client.get(path)
                assert answer.status_code < 400 or path.startswith("/api/"), f"{path}: {answer.status_code}"
                is_page = answer.headers.get("Content-Type", "").startswith("text/html")
                if answer.status_code == 200 and is_page and answer.text.lower().startswith("<!doctype"):
                    yield path, is_member
                    break


def test_every_route_that_is_a_page(place: Place, cast: Cast, page_of: PageOf, server: RunningServer) -> None:
    member = page_of(cast.owner, reduced_motion="reduce")
    visitor = page_of(None, reduced_motion="reduce")
    found, seen = list[str](), 0
    for path, is_member in pages(place, server, cast):
        page = member if is_member else visitor
        page.goto(path)
        found += faults_in_both_looks(page)
        seen += 1
    assert not found, "\n".join(found)
    assert seen >= 29


def test_the_very_first_page(page_of: PageOf, database: object, server: RunningServer) -> None:
    page = page_of(None, reduced_motion="reduce")
    page.goto(f"/setup/{setup_link(now_ms())}")
    expect(page.get_by_label("Your email")).to_be_visible()
    assert faults_in_both_looks(page) == []


def test_what_visitors_of_share_links_see(place: Place, page_of: PageOf, faults: Faults, server: RunningServer) -> None:
    faults.expect("410|404")
    page, found = page_of(None, reduced_motion="reduce"), list[str]()
    for name, token in [*place.links.items(), ("unknown", "share_nobody")]:
        for path in (f"/s/{token}", f"/embed/{token}"):
            if name == "feed" and path.startswith("/embed/"):
                continue
            page.goto(path)
            found += faults_in_both_looks(page)
    assert not found, "\n".join(found)


def test_what_members_are_refused(
    place: Place, cast: Cast, page_of: PageOf, faults: Faults, server: RunningServer
) -> None:
    faults.expect("status of 4")
    for table in (Server, DatabaseRow):
        table.update(provider_resource_id="i-0abc").execute()
    refused = {
        403: (cast.viewer, "/resources/new"),
        404: (cast.owner, "/p/nothing-like-it"),
        405: (cast.owner, "/signout"),
        409: (cast.owner, "/p/i-0abc"),
        410: (None, "/setup/used-already"),
    }
    found = list[str]()
    for status, (who, path) in refused.items():
        page = page_of(who, reduced_motion="reduce")
        answer = page.goto(path)
        assert answer is not None and answer.status == status, path
        expect(page.locator("main h1")).to_be_visible()
        found += faults_in_both_looks(page)
    assert not found, "\n".join(found)


def test_forms_that_tell_faults(
    place: Place, cast: Cast, page_of: PageOf, faults: Faults, server: RunningServer
) -> None:
    faults.expect("status of 422")
    page, found = page_of(cast.owner, reduced_motion="reduce"), list[str]()
    subject = quote(place.values["provision_id"])
    forms = {
        f"/shares/new?subject={subject}": ("Pages that may embed it", "wiki", "Make the link"),
        f"/stacks/{place.values['stack_id']}/settings": ("Lost after (minutes)", "soon", "Save"),
        "/resources/new": ("Name", "", "Enter"),
        "/imports": ("Stack", "", "Import"),
        "/settings/members": ("Email", "nobody", "Add"),
        "/settings/tokens": ("Name", "", "Make"),
        "/settings/roles": ("Name", "", "Make"),
    }
    for path, (label, given, button) in forms.items():
        page.goto(path)
        page.locator("form[novalidate], form").evaluate_all("all => all.forEach(one => one.noValidate = true)")
        page.get_by_label(label, exact=True).first.fill(given)
        page.get_by_role("button", name=button).first.click()
        expect(page.locator(".field-fault, [aria-invalid]").first).to_be_visible()
        found += faults_in_both_looks(page)
    assert not found, "\n".join(found)


def test_what_is_shown_once_or_is_no_more(place: Place, cast: Cast, page_of: PageOf, server: RunningServer) -> None:
    page, found = page_of(cast.owner, reduced_motion="reduce"), list[str]()
    for subject in ("provision_id", "run_id", "stack_id"):
        page.goto(f"/shares/new?subject={place.values[subject]}")
        page.get_by_label("Pages that may embed it").fill("https://wiki.example.com")
        page.get_by_role("button", name="Make the link").click()
        expect(page.locator("slipway-card article")).to_contain_text("ailed")
        found += faults_in_both_looks(page)
    page.goto(f"/shares/new?subject={cast.organization.id}")
    page.get_by_role("button", name="Make the link").click()
    expect(page.locator("#the-link")).to_be_visible()
    found += faults_in_both_looks(page)
    page.goto("/settings/tokens")
    page.get_by_label("Name", exact=True).first.fill("ci")
    page.get_by_role("button", name="Make").first.click()
    expect(page.locator(".once, #the-token").first).to_be_visible()
    found += faults_in_both_looks(page)
    Run.update(log_removed_at=now_ms()).execute()
    for query in ("", "?q=nobody"):
        page.goto(f"/runs/{place.values['run_id']}/log{query}")
        found += faults_in_both_looks(page)
    assert not found, "\n".join(found)
