"""Certificates and keys in files: read once when the configuration is, so that `check` tells."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

from wamp_bridge_server.config.checks import Wrong

if TYPE_CHECKING:
    from pathlib import Path


def check_pair(cert: Path, key: Path) -> None:
    """Refuse a certificate and a key that are none, or not of one another."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        # A key with a password would have OpenSSL ask for it at the terminal.
        context.load_cert_chain(cert, key, password="")
    except ssl.SSLError as error:
        reason = (error.reason or "").replace("_", " ").lower()
        raise Wrong(
            f"has no certificate and private key in PEM, without a password, of one another, in "
            f"{cert} and {key}{': ' if reason else ''}{reason}"
        ) from error
    except OSError as error:
        raise Wrong(f"names {cert} and {key}, which can't be read: {error.strerror}") from error


def check_authorities(path: Path) -> None:
    """Refuse a file that holds no certificates."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(path)
    except ssl.SSLError as error:
        raise Wrong(f"names the file {path}, which holds no certificates in PEM") from error
    except OSError as error:
        raise Wrong(f"names the file {path}, which can't be read: {error.strerror}") from error
