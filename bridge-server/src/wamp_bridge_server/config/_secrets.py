"""Secrets stand outside of the configuration: `env:NAME` or `file:PATH`, read when it is loaded."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wamp_bridge_server.config._model import Secret
from wamp_bridge_server.config.checks import Wrong, text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

_MAX_BYTES = 64 * 1024
_SECRET = re.compile(r"whsec_|wbt_")
_REFERENCE = re.compile(r"(env|file):(\S|\S.*\S)")


@dataclass(frozen=True, slots=True)
class Vault:
    """Where secrets are found: an environment, and the folder that relative paths start from.

    `files` are those that were named so far.
    """

    environ: Mapping[str, str]
    folder: Path
    files: set[Path]

    def secret(self, check: Callable[[str], str]) -> Callable[[Any], Secret]:
        """A check of references, by the check of what they lead to."""

        def resolve(value: Any) -> Secret:
            found = self.find(value)
            try:
                return Secret(check(found))
            except Wrong as wrong:
                raise Wrong(f"{wrong}; {value} holds something else") from wrong

        return resolve

    def find(self, value: Any) -> str:
        """What a reference leads to."""
        reference = _REFERENCE.fullmatch(value) if isinstance(value, str) else None
        # A secret after `env:` or `file:` is a slip that must not end up in a log.
        if reference is None or _SECRET.search(reference[2]):
            raise Wrong("must be env:NAME or file:PATH, never the secret itself")
        kind, name = reference.groups()
        return self._from_environment(name) if kind == "env" else self._from_file(name)

    def file(self, check: Callable[[Path], None]) -> Callable[[Any], Path]:
        """A check of paths, relative ones from the folder, by the check of what is there."""

        def resolve(value: Any) -> Path:
            path = self.path(value)
            check(path)
            return path

        return resolve

    def path(self, value: Any) -> Path:
        """A path, a relative one from the folder."""
        name = text(value)
        if "\0" in name:
            raise Wrong("is no path")
        path = self.folder / name
        self.files.add(path)
        return path

    def _from_environment(self, name: str) -> str:
        found = self.environ.get(name)
        if not found:
            state = "is not set" if found is None else "is empty"
            raise Wrong(f"names the environment variable {name}, which {state}")
        return found

    def _from_file(self, name: str) -> str:
        path = self.path(name)
        try:
            with path.open("rb") as file:
                content = file.read(_MAX_BYTES + 1)
            found = content.decode("utf-8").strip()
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is no text"
            raise Wrong(f"names the file {path}, which can't be read: {reason}") from error
        if not found or len(content) > _MAX_BYTES:
            state = "is empty" if not found else f"has more than {_MAX_BYTES} bytes"
            raise Wrong(f"names the file {path}, which {state}")
        return found


def read_reference(reference: str, environ: Mapping[str, str], folder: Path) -> str:
    """What `env:NAME` or `file:PATH` leads to.

    Raises:
        Wrong: It is no reference, or leads to nothing.
    """
    return Vault(environ, folder, set()).find(reference)


def anything(value: str) -> str:
    """The check of a secret that may be any text."""
    return value
