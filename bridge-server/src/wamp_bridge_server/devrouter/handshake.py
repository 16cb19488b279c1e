"""A WAMP handshake with nothing but a socket: does a router answer here?"""

from __future__ import annotations

import json
import socket
import struct
from typing import Final

_RAWSOCKET_JSON: Final = b"\x7f\xf1\x00\x00"
_HELLO: Final = 1
_WELCOME: Final = 2
_CHALLENGE: Final = 4
_GOODBYE: Final = 6


def router_answers(host: str, port: int, realm: str, *, timeout: float = 5.0) -> bool:
    """Tell whether a router lets a session into `realm`, or asks who it is (RawSocket, JSON).

    Blocks at most `timeout` seconds for each step.
    """
    try:
        with socket.create_connection((host, port), timeout) as connection:
            connection.sendall(_RAWSOCKET_JSON)
            if _receive(connection, 4)[:1] != _RAWSOCKET_JSON[:1]:
                return False
            # A method that the router doesn't offer is refused, which is an answer as well.
            methods = ["anonymous", "ticket", "wampcra", "cryptosign"]
            roles: dict[str, object] = {"caller": {}}
            details = {"roles": roles, "authmethods": methods, "authid": "wamp-bridge-probe"}
            _send(connection, [_HELLO, realm, details])
            length = struct.unpack("!L", _receive(connection, 4))[0]
            answer: list[object] = json.loads(_receive(connection, length))
            if answer[0] == _WELCOME:
                _send(connection, [_GOODBYE, {}, "wamp.close.normal"])
                return True
            return answer[0] == _CHALLENGE or answer[2] != "wamp.error.no_such_realm"
    except (OSError, ValueError, LookupError, TypeError):
        return False


def _send(connection: socket.socket, message: list[object]) -> None:
    payload = json.dumps(message).encode()
    connection.sendall(struct.pack("!L", len(payload)) + payload)


def _receive(connection: socket.socket, length: int) -> bytes:
    received = b""
    while len(received) < length:
        chunk = connection.recv(length - len(received))
        if not chunk:
            raise ConnectionResetError("the router closed the connection")
        received += chunk
    return received
