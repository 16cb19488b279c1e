"""What of the bridge survives the bridge, in SQLite by SQLAlchemy Core and Alembic.

`commits` is the one road by which anything is written; `schema` and `migrations` are the tables.
"""

from wamp_bridge_server.store._store import Store
from wamp_bridge_server.store.errors import StoreError
from wamp_bridge_server.store.events import Room
from wamp_bridge_server.store.records import (
    Arrival,
    CallRecord,
    CallStatus,
    DeadLetter,
    DeadLetterGroup,
    DeadLetters,
    DeliveryRecord,
    DeliveryType,
    EndpointRecord,
    EventRecord,
    FailedAttempt,
    Kind,
    LaneCount,
    LogRecord,
    Match,
    Record,
    SourceRecord,
)

__all__ = [
    "Arrival",
    "CallRecord",
    "CallStatus",
    "DeadLetter",
    "DeadLetterGroup",
    "DeadLetters",
    "DeliveryRecord",
    "DeliveryType",
    "EndpointRecord",
    "EventRecord",
    "FailedAttempt",
    "Kind",
    "LaneCount",
    "LogRecord",
    "Match",
    "Record",
    "Room",
    "SourceRecord",
    "Store",
    "StoreError",
]
