"""Signs in as a browser does and finds the URLs that its pages would poll."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass

import httpx

from bench.fill import PASSWORD, Filled

POLL = {"HX-Request": "true", "Accept": "text/html"}


@dataclass(frozen=True)
class Visitor:
    """A signed-in viewer of one organisation."""

    client: httpx.Client
    filled: Filled

    @property
    def cookie(self) -> str:
        """The Cookie header."""
        return "; ".join(f"{one.name}={one.value}" for one in self.client.cookies.jar)

    def polled_by(self, path: str, begins: str) -> str:
        """The URL beginning so that the page at `path` polls."""
        page = self.client.get(path)
        page.raise_for_status()
        for found in re.findall(r'hx-get="([^"]*)"', page.text):
            url = html.unescape(found)
            if url.startswith(begins):
                return url
        raise SystemExit(f"The page {path} polls nothing that begins with {begins}.")


def sign_in(url: str, filled: Filled) -> Visitor:
    """Sign in through the form."""
    client = httpx.Client(base_url=url, trust_env=False, timeout=60)
    form = client.get("/signin")
    token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', form.text)
    answer = client.post(
        "/signin",
        data={"email": filled.email, "password": PASSWORD, "csrf_token": token[1] if token else ""},
        headers={"Origin": url, "Referer": f"{url}/signin"},
    )
    if answer.status_code not in {302, 303}:
        raise SystemExit(f"Signing in as {filled.email} was answered with {answer.status_code}.")
    # The first page puts the current organisation into the session.
    client.get("/").raise_for_status()
    return Visitor(client, filled)
