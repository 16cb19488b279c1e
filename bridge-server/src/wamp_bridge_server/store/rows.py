"""Endpoints and sources: records to rows and back, and the writer of their changes."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Table, bindparam, delete, select

from wamp_bridge_server.store.dialects import insert
from wamp_bridge_server.store.errors import StoreError
from wamp_bridge_server.store.records import EndpointRecord, Record, SourceRecord
from wamp_bridge_server.store.schema import endpoints, sources

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

_DELETED_ID = "deleted_id"


@dataclass(frozen=True, slots=True)
class Change:
    """Ids to delete, then records to put; both or neither."""

    put: Sequence[Record] = ()
    delete: Sequence[str] = ()


async def write_changes(connection: AsyncConnection, changes: Sequence[Change]) -> list[None]:
    """Write changes, the later over the earlier; the `commits.Writer` of endpoints and sources."""
    final: dict[str, Record | None] = {}
    for change in changes:
        for id_ in change.delete:
            final[id_] = None
        for record in change.put:
            final.pop(record.id, None)  # to the end: puts in the order in which they were asked
            final[record.id] = record
    # Whatever is put is new or replaces its like, but what goes must go first: a URL may pass
    # from one source to another in one change.
    await _delete(connection, [id_ for id_, record in final.items() if record is None])
    records = [record for record in final.values() if record is not None]
    await _put(connection, sources, [r for r in records if isinstance(r, SourceRecord)])
    await _put(connection, endpoints, [r for r in records if isinstance(r, EndpointRecord)])
    return [None] * len(changes)


async def read_endpoints(connection: AsyncConnection) -> list[EndpointRecord]:
    """All endpoints, oldest first."""
    rows = await connection.execute(
        select(endpoints).order_by(endpoints.c.created_at, endpoints.c.id)
    )
    return [_endpoint(row) for row in rows.mappings()]


async def read_sources(connection: AsyncConnection) -> list[SourceRecord]:
    """All sources, oldest first."""
    rows = await connection.execute(select(sources).order_by(sources.c.created_at, sources.c.id))
    return [SourceRecord(**row) for row in rows.mappings()]


async def _delete(connection: AsyncConnection, ids: Sequence[str]) -> None:
    if not ids:
        return
    for table in (endpoints, sources):
        statement = delete(table).where(table.c.id == bindparam(_DELETED_ID))
        await connection.execute(statement, [{_DELETED_ID: id_} for id_ in ids])


async def _put(
    connection: AsyncConnection, table: Table, records: Sequence[EndpointRecord | SourceRecord]
) -> None:
    if not records:
        return
    statement = insert(connection, table)
    replacing = {
        column.name: statement.excluded[column.name]
        for column in table.columns
        if not column.primary_key
    }
    await connection.execute(
        statement.on_conflict_do_update(index_elements=[table.c.id], set_=replacing),
        [_row(record) for record in records],
    )


def _row(record: Record) -> dict[str, Any]:
    row = {field.name: getattr(record, field.name) for field in dataclasses.fields(record)}
    if isinstance(record, EndpointRecord):
        row["options"] = json.dumps(dict(record.options), allow_nan=False)
    return row


def _endpoint(row: Any) -> EndpointRecord:
    values = dict(row)
    try:
        values["options"] = json.loads(values["options"])
    except ValueError as error:
        raise StoreError(f"the options of endpoint {values['id']} are no JSON") from error
    return EndpointRecord(**values)
