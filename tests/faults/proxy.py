"""A TCP proxy between reporter and server that does to requests what networks do."""

from __future__ import annotations

import random
import socket
import struct
import threading
import time
from collections import Counter
from contextlib import suppress

_PATIENCE_S = 20.0

FAULTS = (
    "cut the request", "lose the answer", "truncate the request", "truncate the answer", "duplicate", "delay",
)  # fmt: skip


class FaultyProxy:
    """Passes each connection on to a port of this host, and spoils about half of them, until `calm` is called.

    A connection carries one request, as the reporter's do. What is done is drawn from a seeded generator;
    `done` counts it. A duplicate arrives a second time up to two seconds later: after what followed it, too.
    """

    def __init__(self, port: int, seed: int) -> None:
        self._port = port
        self._random = random.Random(seed)
        self._draw = threading.Lock()
        self._calm = threading.Event()
        self._threads: list[threading.Thread] = []
        self.done: Counter[str] = Counter()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def calm(self) -> None:
        """Spoil nothing any more, and wait until the last duplicate is delivered."""
        self._calm.set()
        for thread in list(self._threads):
            thread.join(_PATIENCE_S)

    def close(self) -> None:
        """Take no more connections."""
        self._calm.set()
        # Shut down first: closing alone does not wake the thread that waits in accept.
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._start(self._serve, client)

    def _start(self, work: object, *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _drawn(self) -> tuple[str, float]:
        """What to do with a connection, and how much of it, from 0 to 1."""
        with self._draw:
            fault = self._random.choice(FAULTS) if self._random.random() < 0.5 else "pass"
            share = self._random.random()
        if self._calm.is_set():
            fault = "pass"
        self.done[fault] += 1
        return fault, share

    def _serve(self, client: socket.socket) -> None:
        fault, share = self._drawn()
        with suppress(OSError), client:
            client.settimeout(_PATIENCE_S)
            asked = _whole_request(client)
            if fault == "cut the request":
                _reset(client)
                return
            if fault == "truncate the request":
                self._send_part(asked[: int(len(asked) * share)])
                _reset(client)
                return
            if fault == "delay":
                time.sleep(share * 0.8)
            answer = self._exchange(asked)
            if fault == "duplicate":
                self._start(self._again, asked, share * 2)
            if fault == "lose the answer":
                _reset(client)
                return
            client.sendall(answer[: int(len(answer) * share)] if fault == "truncate the answer" else answer)

    def _again(self, asked: bytes, seconds: float) -> None:
        time.sleep(seconds)
        with suppress(OSError):
            self._exchange(asked)

    def _exchange(self, asked: bytes) -> bytes:
        """The server's answer; what came of it where the server was killed meanwhile."""
        answer = b""
        with socket.create_connection(("127.0.0.1", self._port), timeout=_PATIENCE_S) as server:
            server.sendall(asked)
            with suppress(ConnectionResetError):
                while piece := server.recv(65536):
                    answer += piece
        return answer

    def _send_part(self, part: bytes) -> None:
        with socket.create_connection(("127.0.0.1", self._port), timeout=_PATIENCE_S) as server:
            server.sendall(part)


def _whole_request(client: socket.socket) -> bytes:
    """One request with its body, as long as its Content-Length says."""
    asked = b""
    while b"\r\n\r\n" not in asked:
        piece = client.recv(65536)
        if not piece:
            raise ConnectionResetError("The request ended within its head.")
        asked += piece
    head, _, body = asked.partition(b"\r\n\r\n")
    lengths = [
        int(line.partition(b":")[2]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")
    ]
    length = lengths[0] if lengths else 0
    while len(body) < length:
        piece = client.recv(65536)
        if not piece:
            raise ConnectionResetError("The request ended within its body.")
        body += piece
    return head + b"\r\n\r\n" + body


def _reset(client: socket.socket) -> None:
    """End the connection by a reset, as a router that lost its tables does."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
