"""Sees to it that no test, whatever it is of, has a token, secret or signature written anywhere.

A pytest plugin. What a test's bridges logged, within the test and as programs of their own, their
databases, and the bodies of the errors that they answered are searched when the test has ended.
Tests give their apps credentials of these looks alone, so that they are found:
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator
    from pathlib import Path

_LOOKS = {
    "a token of tests": rb"\btoken-of-\w|\w-token\b",
    "a token": rb"\bwbt_\w{8}",
    "a signed URL": rb"\bwbu_[\w-]{8}",
    "a secret": rb"\bwhsec_[\w+/]{4}|\bsecret-of-\w",
    # 32 octets in base64 are a key, or a signature by one.
    "a signature": rb"(?<![\w+/=-])[\w+/-]{43}=(?![\w=])",
}
_LEAK = re.compile(b"|".join(b"(%b)" % look for look in _LOOKS.values()))
# Without its padding such a one is like a long word, but for its letters and digits.
_UNPADDED = re.compile(rb"(?<![\w+/=-])[\w+/-]{43}(?![\w+/=-])")
_RANDOM = re.compile(rb"(?=(?:.*[A-Z]){4})(?=(?:.*[a-z]){4})(?=(?:.*[0-9]){2})", re.DOTALL)
# And with it, like the columns of a database side by side: an id, names, a URI that begins with =.
_MIXED = re.compile(rb"(?=(?:.*[A-Z]){4})(?=(?:.*[a-z]){4})", re.DOTALL)
# `wamp-bridge dev` and `wamp-bridge key` say what they made up, and the demo what to try, to be
# pasted into a terminal.
_SAID_ON_PURPOSE = re.compile(rb"^(export \w+=.*|secrets? = .*| +curl .*)$", re.MULTILINE)

_heard: list[tuple[str, bytes]] = []


def hear(where: str, octets: bytes) -> None:
    """Have something searched that a bridge wrote."""
    _heard.append((where, octets))


def hear_databases(folder: Path, pattern: str = "*.db*") -> None:
    """Have the databases in a folder searched, and what SQLite puts beside them."""
    for path in folder.glob(pattern):
        if path.is_file():
            hear(f"{path.name} in {folder.name}", path.read_bytes())


def leaks_in(octets: bytes) -> list[str]:
    """What must not be there, and is; with what stands around it."""
    text = _SAID_ON_PURPOSE.sub(b"", octets)
    kinds = list(_LOOKS)
    leaks = []
    for found in (*_LEAK.finditer(text), *_UNPADDED.finditer(text)):
        kind = kinds[found.lastindex - 1] if found.lastindex else "a signature"
        if kind == "a signature" and not (_MIXED if found.lastindex else _RANDOM).match(found[0]):
            continue
        leaks.append(f"{kind}: {text[max(0, found.start() - 60) : found.end() + 30]!r}")
    return leaks


def _all_heard(sections: Iterable[tuple[str, str]]) -> Iterator[tuple[str, bytes]]:
    yield from _heard
    for name, text in sections:
        yield name, text.encode("utf-8", "surrogateescape")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Search when all of a test has ended, its fixtures included."""
    report = yield
    if report.when != "teardown":
        return report
    folder = getattr(item, "funcargs", {}).get("tmp_path")
    if folder is not None:
        hear_databases(folder, "**/*.db*")
    found = [
        f"{where} holds {leak}"
        for where, octets in _all_heard(report.sections)
        for leak in leaks_in(octets)
    ]
    _heard.clear()
    if found and report.passed:
        report.outcome = "failed"
        report.longrepr = "\n".join(found[:20])
    return report
