"""TLS on the listener: version 1.2 at least, its certificate replaced while it runs."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wamp_bridge_server.config import TlsConfig


class ListenerTls:
    """The listener's certificate and key.

    Args:
        config: The files of them.

    Raises:
        OSError: They can't be read, or are not of one another.
    """

    def __init__(self, config: TlsConfig) -> None:
        self._config = config
        self._current = self.context = _context(config)
        self.context.sni_callback = self._choose

    def renew(self) -> None:
        """Read the files again: connections from now on are given what is in them.

        Raises:
            OSError: They can't be read, or are not of one another; nothing has changed then.
        """
        self._current = _context(self._config)

    def _choose(self, connection: ssl.SSLObject, _name: str, _first: ssl.SSLContext) -> None:
        """OpenSSL's hook for what the client asks for, called for each handshake."""
        connection.context = self._current


def _context(config: TlsConfig) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # A key with a password would have OpenSSL ask for it at the terminal.
    context.load_cert_chain(config.cert, config.key, password="")
    return context
