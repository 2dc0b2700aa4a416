"""A request whose body is cut off on its way is refused as a whole: none of its lines is taken for a line."""

from __future__ import annotations

import socket
from contextlib import suppress

from models import Run
from provisioning.audit import COMMAND_LINE
from provisioning.tokens import create_token
from tests.faults.runs import all_goes_well
from tests.harness.cast import NOW, Cast
from tests.harness.server import RunningServer


def send(server: RunningServer, token: str, run: str, body: bytes, *, cut: int) -> bytes:
    """Send a batch, its last `cut` bytes left out; what the server answers."""
    head = (
        f"POST /api/v1/ingest/terraform?run={run}&seq=0&stack=prod HTTP/1.1\r\nHost: {server.url[7:]}\r\n"
        f"Authorization: Bearer {token}\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    answer = b""
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as wire:
        wire.sendall(head.encode() + body[: len(body) - cut])
        if cut:
            wire.shutdown(socket.SHUT_WR)
        with suppress(ConnectionResetError):
            while piece := wire.recv(65536):
                answer += piece
    return answer


def test_a_batch_that_is_cut_off_is_not_taken(server: RunningServer, cast: Cast) -> None:
    token = create_token(
        organization_id=cast.organization.id, name="ci", scopes=["ingest"], actor=COMMAND_LINE, now=NOW
    )
    body = "\n".join(all_goes_well().lines[:20]).encode()
    for number, cut in enumerate((1, 40, len(body) // 2, len(body) - 1)):
        answer = send(server, token, f"run-{number}", body, cut=cut)
        assert not answer or answer.startswith(b"HTTP/1.1 400 "), answer
    assert Run.select().count() == 0
    # Whole, it is taken whole.
    assert send(server, token, "run-1", body, cut=0).startswith(b"HTTP/1.1 200 ")
    assert Run.get().received == [[0, 19]]
