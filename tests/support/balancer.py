"""A load balancer: one port for several servers, which come and go."""

from __future__ import annotations

import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Self


class Balancer:
    """Takes connections on a port of its own, and hands each to one of the servers in turn."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/"
        self._servers: list[int] = []
        self._open: dict[int, int] = {}
        self._lock = threading.Lock()
        self._threads = ThreadPoolExecutor(64)
        self._threads.submit(self._accept)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._threads.shutdown()

    def add(self, port: int) -> None:
        """Hand connections to this server, too."""
        with self._lock:
            self._servers.append(port)
            self._open[port] = 0

    def remove(self, port: int) -> None:
        """Hand no more to it; those that it has go on."""
        with self._lock:
            self._servers.remove(port)

    def drained(self, port: int) -> bool:
        """Whether it has no connection left."""
        return self._open[port] == 0

    def _accept(self) -> None:
        with suppress(OSError):  # which ends it
            while True:
                client, _ = self._listener.accept()
                self._threads.submit(self._serve, client)

    def _serve(self, client: socket.socket) -> None:
        with self._lock:
            port = self._servers.pop(0)
            self._servers.append(port)
            self._open[port] += 1
        try:
            with client, socket.create_connection(("127.0.0.1", port)) as server:
                back = self._threads.submit(_pump, server, client)
                _pump(client, server)
                back.result()
        finally:
            with self._lock:
                self._open[port] -= 1


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):  # one of them is gone
        while data := source.recv(65536):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)
