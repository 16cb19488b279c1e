"""How much the bridge takes at once, so that nothing of it grows without bound."""

from __future__ import annotations

import resource
from dataclasses import dataclass

_FILES_WANTED = 65_536


@dataclass(frozen=True, slots=True)
class Limits:
    """What may be under way in one bridge; beyond it the answer is 503 or its like in WAMP.

    Attributes:
        connections: Of clients, with or without a request.
        handshakes: Of further connections, for TLS.
        requests: That are being answered.
        body_bytes: Of the bodies of those, together.
        invocations: That apps are serving, together.
    """

    connections: int = 16_384
    handshakes: int = 1_024
    requests: int = 4_096
    body_bytes: int = 256 * 1024 * 1024
    invocations: int = 8_192

    @classmethod
    def of_this_process(cls) -> Limits:
        """The limits for as many sockets as this process may have open."""
        files = min(resource.getrlimit(resource.RLIMIT_NOFILE)[0], _FILES_WANTED)
        whole = cls()
        return cls(
            connections=min(whole.connections, files // 4),
            handshakes=min(whole.handshakes, files // 16),
            requests=min(whole.requests, files // 4),
            invocations=min(whole.invocations, files // 4),
        )


def open_more_files() -> None:
    """Have this process open as many sockets as its hard limit lets it, within reason."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES_WANTED if hard == resource.RLIM_INFINITY else min(hard, _FILES_WANTED)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
