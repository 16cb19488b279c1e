"""What can happen to a database under a bridge, and between bridges."""

# ruff: noqa: ASYNC240 - a small local file blocks nobody here

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import signal
import sqlite3
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import event

from wamp_bridge_server.store import EndpointRecord, SourceRecord, Store, StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import Connection

ENDPOINT = EndpointRecord(
    id="e1", app="a", kind="topic", uri="com.x", match="exact", url="http://x/", created_at=1.0
)
SOURCE = SourceRecord(id="s1", app="a", url="http://x/", created_at=1.0)

WRITER = """
import asyncio, dataclasses, sys
from wamp_bridge_server.store import EndpointRecord, Store
E = EndpointRecord(
    id="", app="a", kind="topic", uri="com.x", match="exact", url="http://x/", created_at=1.0
)
async def write(store, writer):
    for number in range(100_000):
        name = f"{writer}.{number}"
        pair = [dataclasses.replace(E, id=name), dataclasses.replace(E, id=name + "'")]
        await store.apply(put=pair)
        print(name, flush=True)
async def main():
    store = await Store.open(sys.argv[1])
    print("open", flush=True)
    if sys.argv[2] == "write":
        await asyncio.gather(*(write(store, writer) for writer in range(8)))
    await asyncio.Event().wait()
asyncio.run(main())
"""


@contextlib.contextmanager
def bridge(url: str, *, write: bool = False) -> Iterator[subprocess.Popen[str]]:
    """Another process that has the store open."""
    arguments = [sys.executable, "-c", WRITER, url, "write" if write else "wait"]
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("lines", [1, 40, 200])
async def test_nothing_that_was_answered_is_lost_by_kill_9(url: str, lines: int) -> None:
    with bridge(url, write=True) as process:
        assert process.stdout is not None
        written = [process.stdout.readline() for _ in range(lines)]
        os.kill(process.pid, signal.SIGKILL)
        written += process.stdout.read().splitlines(keepends=True)
        process.wait()
    store = await Store.open(url)  # and its lock is free
    found = {record.id for record in await store.endpoints()}
    await store.close()
    acknowledged = {line.strip() for line in written if line.endswith("\n")}
    assert acknowledged <= found
    assert len(acknowledged) >= lines
    # Whole changes only.
    assert {name.rstrip("'") for name in found} == {name for name in found if name[-1] != "'"}
    assert len(found) % 2 == 0


async def test_a_second_bridge_is_refused(url: str, path: Path) -> None:
    with bridge(url) as process:
        with pytest.raises(StoreError) as refused:
            await Store.open(url)
        assert f"{path}: another bridge (process {process.pid}) has it open" in str(refused.value)
        (path.parent / "link.db").symlink_to(path)
        with pytest.raises(StoreError, match="another bridge"):
            await Store.open(f"sqlite:///{path.parent / 'link.db'}")
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        await (await Store.open(url)).close()


async def test_a_second_store_of_one_process_is_refused(store: Store, url: str) -> None:
    assert await store.endpoints() == []
    with pytest.raises(StoreError, match="another bridge"):
        await Store.open(url)


async def test_a_file_of_two_names_is_refused(store: Store, path: Path) -> None:
    other = path.with_name("other.db")
    os.link(path, other)
    with pytest.raises(StoreError, match="2 names"):
        await Store.open(f"sqlite:///{other}")
    assert await store.endpoints() == []  # who has it open goes on


async def test_locked_by_another_program(store: Store, path: Path) -> None:
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match="another process keeps it locked"):
        await store.apply(put=[ENDPOINT])
    assert await store.endpoints() == []
    other.execute("ROLLBACK")
    other.close()
    await store.apply(put=[ENDPOINT])
    assert await store.endpoints() == [ENDPOINT]


async def test_a_full_disk(store: Store) -> None:
    limit = 0

    def fill(connection: Connection) -> None:
        connection.exec_driver_sql(f"PRAGMA max_page_count = {limit or 1073741823}")

    event.listen(store._database._engine.sync_engine, "begin", fill)
    await store.apply(put=[ENDPOINT])
    limit = 1  # SQLite makes it what the file has now
    big = [dataclasses.replace(ENDPOINT, id=str(n), uri="x" * 500) for n in range(500)]
    with pytest.raises(StoreError, match="no room left on its disk"):
        await store.apply(put=big)
    assert await store.endpoints() == [ENDPOINT]
    limit = 0
    await store.apply(put=big)
    assert len(await store.endpoints()) == 501


async def test_a_file_deleted_under_the_bridge(store: Store, path: Path) -> None:
    await store.apply(put=[ENDPOINT])
    aside = path.rename(path.with_suffix(".aside"))
    for _ in range(2):
        with pytest.raises(StoreError, match="its file was deleted or replaced"):
            await store.apply(put=[SOURCE])
        with pytest.raises(StoreError, match="its file was deleted or replaced"):
            await store.endpoints()
    path.touch()
    with pytest.raises(StoreError, match="its file was deleted or replaced"):
        await store.apply(put=[SOURCE])
    aside.rename(path)
    await store.apply(put=[SOURCE])
    assert await store.sources() == [SOURCE]


async def test_a_damaged_file(url: str, path: Path) -> None:
    store = await Store.open(url)
    await store.apply(put=[dataclasses.replace(ENDPOINT, id=str(n)) for n in range(500)])
    await store.close()
    content = bytearray(path.read_bytes())
    content[8192 : len(content)] = b"\x55" * (len(content) - 8192)
    path.write_bytes(content)
    with pytest.raises(StoreError, match="damaged"):
        await endpoints_of(url)


async def test_a_damaged_row(store: Store, path: Path) -> None:
    await store.apply(put=[ENDPOINT])
    other = sqlite3.connect(path)
    with other:
        other.execute("UPDATE endpoints SET options = '{'")
    other.close()
    with pytest.raises(StoreError, match="the options of endpoint e1 are no JSON"):
        await store.endpoints()


@pytest.mark.parametrize("content", [b"no database" * 1000, b"\0" * 5000])
async def test_a_file_that_is_no_database(url: str, path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(StoreError, match="the file is no SQLite database"):
        await Store.open(url)
    assert path.read_bytes() == content
    path.unlink()
    await (await Store.open(url)).close()  # nothing was left open or locked


@pytest.mark.parametrize(
    ("url", "what"),
    [
        ("sqlite:////nowhere/at/all/b.db", "can't be opened: No such file or directory"),
        ("sqlite:////dev/null/b.db", "can't be opened: Not a directory"),
        ("postgresql://user:hunter2@host/db", "PostgreSQL comes with a later version"),
        ("mysql://user:hunter2@host/db", "the URL of a store is sqlite:///PATH"),
        ("sqlite:///", "the URL of a store is sqlite:///PATH"),
    ],
)
async def test_a_place_that_can_not_be(url: str, what: str) -> None:
    with pytest.raises(StoreError, match=what) as refused:
        await Store.open(url)
    assert "hunter2" not in str(refused.value)


async def test_a_folder_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(StoreError, match="can't be opened"):
        await Store.open(f"sqlite:///{tmp_path / 'folder'}")


async def endpoints_of(url: str) -> list[EndpointRecord]:
    store = await Store.open(url)
    try:
        return await asyncio.wait_for(store.endpoints(), 10)
    finally:
        await store.close()
