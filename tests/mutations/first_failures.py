"""A pytest plugin for `check.py`: leaves a suite at its first failure, and tells which that was."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

import wamp_bridge.core

_failed: dict[str, str | None] = {}
_broken: list[str] = []


def _suite(nodeid: str) -> str:
    """The class that a test is of: the suite on one kind of app."""
    return nodeid.rpartition("::")[0]


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Pass over what comes after a suite's first failure."""
    if _failed.setdefault(_suite(item.nodeid), None):
        pytest.skip("its suite has failed")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Note the first failure; what can't be set up or ended is none, but a fault of ours."""
    if report.failed and report.when != "call":
        _broken.append(f"{report.nodeid}: {report.longreprtext}")
    elif report.failed and not _failed.get(_suite(report.nodeid)):
        _failed[_suite(report.nodeid)] = report.nodeid


def pytest_sessionfinish() -> None:
    """Tell."""
    told = {"core": wamp_bridge.core.__file__, "suites": _failed, "broken": _broken}
    Path(os.environ["WAMP_BRIDGE_MUTATIONS_REPORT"]).write_text(json.dumps(told), encoding="utf-8")
