"""Another site that embeds Slipway: a real server on a port of its own, with pages and headers as tests write them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

_HTMX = Path(__file__).resolve().parents[2] / "static/vendor/htmx-4.0.1.min.js"


@dataclass
class HostSite:
    """`origin` is `http://localhost:PORT`: another name and another port than the server's `http://127.0.0.1:PORT`."""

    port: int
    pages: dict[str, tuple[str, str]] = field(default_factory=dict)

    @property
    def origin(self) -> str:
        """As browsers write it."""
        return f"http://localhost:{self.port}"

    def page(self, name: str, body: str, *, policy: str = "", head: str = "") -> str:
        """Put a page up under its content security policy; its address comes back."""
        text = f"<!doctype html><html lang=en><meta charset=utf-8><title>A wiki</title>{head}<main>{body}</main></html>"
        self.pages[f"/{name}"] = (text, policy)
        return f"{self.origin}/{name}"


@contextmanager
def running_host() -> Iterator[HostSite]:
    """Start the site; it ends with the block."""

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            if path == "/htmx.js":
                self._send(_HTMX.read_bytes(), "text/javascript", "")
            elif path in site.pages:
                text, policy = site.pages[path]
                self._send(text.encode(), "text/html; charset=utf-8", policy)
            else:
                self._send(b"", "image/x-icon", "")

        def _send(self, body: bytes, media: str, policy: str) -> None:
            self.send_response(200)
            self.send_header("Content-Type", media)
            self.send_header("Content-Length", str(len(body)))
            if policy:
                self.send_header("Content-Security-Policy", policy)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    site = HostSite(server.server_address[1])
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
