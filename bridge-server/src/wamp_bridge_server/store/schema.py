"""The tables, as the newest migration leaves them. A test holds the two together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import (
    BigInteger,
    Column,
    Double,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    inspect,
    select,
    text,
)

if TYPE_CHECKING:
    from sqlalchemy import Connection

NEWEST = "0006"
"""The migration that leaves the tables so."""

VERSION_TABLE = "wamp_bridge_schema"
"""Where a database says which migrations it has come through; Alembic's."""

WAITING = "dead_at IS NULL"
RETRIED = "dead_at IS NULL AND attempts > 0"
DEAD = "dead_at IS NOT NULL"
"""The rows of `deliveries` that its indexes are of. A statement that is to use one says the same,
word for word: with a bound parameter in it, SQLite couldn't know."""


def _partial(name: str, *columns: str, rows: str) -> Index:
    # With PostgreSQL's condition, too, SQLAlchemy would import it. The migrations have that.
    return Index(name, *columns, sqlite_where=text(rows))


metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)

sources = Table(
    "sources",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("app", String(255), nullable=False),
    Column("url", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("seen_at", Double),
    # An app that announces the same URL twice has one source there, whoever was first.
    Index(None, "app", "url", unique=True),
)

# `source` is no foreign key: a source and its endpoints go in one change that names them all, and
# a change that forgets some must not take away what it didn't name.
endpoints = Table(
    "endpoints",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("app", String(255), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("uri", Text, nullable=False),
    Column("match", String(16), nullable=False),
    Column("url", Text, nullable=False),
    Column("source", String(64)),
    Column("options", Text, nullable=False),
    Column("lease", Double),
    Column("lease_expires_at", Double),
    Column("absences", Integer, nullable=False),
    Column("created_at", Double, nullable=False),
    Index(None, "app", "kind", "uri"),
)

# What was asked once, by whom, and until when it could be asked again. A nonce is text of at most
# 256 visible ASCII characters, and one of its app alone.
nonces = Table(
    "nonces",
    metadata,
    Column("app", String(255), primary_key=True),
    Column("nonce", String(300), primary_key=True),
    Column("expires_at", Double, nullable=False),
    Index(None, "expires_at"),
)

# What must arrive at a callback URL and hasn't yet. `seq` is the order in which they came, and `id`
# the `webhook-id`. `lane` is who gets it: the id of the endpoint that an event is for, or the
# callback URL that an outcome is for. With `dead_at` it is a dead letter, which waits for nothing;
# what arrived is deleted.
deliveries = Table(
    "deliveries",
    metadata,
    # SQLite counts in a column that is called INTEGER, and never uses a number again.
    Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("id", String(64), nullable=False),
    Column("app", String(255), nullable=False),
    Column("lane", Text, nullable=False),
    Column("type", String(16), nullable=False),
    Column("uri", Text, nullable=False),
    Column("match", String(16)),
    Column("size", Integer, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("due_at", Double, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("last_status", Integer),
    Column("last_error", Text),
    Column("dead_at", Double),
    # The last one, so that no page of it is read for what stands before it.
    Column("body", LargeBinary, nullable=False),
    Index(None, "id", unique=True),
    # A lane's deliveries in order. With their sizes, what waits is counted without reading it;
    # SQLite looks into the row for whatever a statement names and its index lacks.
    _partial("ix_deliveries_waiting", "app", "lane", "seq", "size", "dead_at", rows=WAITING),
    # Of a lane's deliveries those that failed before, by when they are tried again.
    _partial("ix_deliveries_retried", "app", "lane", "due_at", rows=RETRIED),
    _partial("ix_deliveries_dead", "app", "seq", "size", "dead_at", rows=DEAD),
    _partial("ix_deliveries_dead_at", "app", "dead_at", rows=DEAD),
    sqlite_autoincrement=True,
)

# Each attempt of a delivery that failed; they go with it. `answer` is the beginning of what the
# app answered, where it did.
attempts = Table(
    "attempts",
    metadata,
    Column("delivery", BigInteger, primary_key=True, autoincrement=False),
    Column("at", Double, primary_key=True),
    Column("number", Integer, nullable=False),
    Column("seconds", Double, nullable=False),
    Column("status", Integer),
    Column("error", Text, nullable=False),
    Column("answer", LargeBinary),
    sqlite_with_rowid=False,
)

# The publications that were kept for a subscription, so that each is kept once, also after it has
# arrived; for as long as they could come again.
received = Table(
    "received",
    metadata,
    Column("subscription", Text, primary_key=True),
    Column("publication", BigInteger, primary_key=True, autoincrement=False),
    Column("received_at", Double, nullable=False),
    Index(None, "received_at"),
    sqlite_with_rowid=False,
)

# Until when an app's session was there, as far as is known.
sessions = Table(
    "sessions",
    metadata,
    Column("app", String(255), primary_key=True),
    Column("until", Double, nullable=False),
)

# Asynchronous calls, from the moment they are taken until some time after their end; `expires_at`
# is null while they are pending. What they were called with isn't kept: none is made twice.
calls = Table(
    "calls",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("app", String(255), nullable=False),
    Column("procedure", Text, nullable=False),
    Column("callback", Text),
    Column("status", String(16), nullable=False),
    Column("error", Text),
    Column("outcome", LargeBinary),
    Column("created_at", Double, nullable=False),
    Column("expires_at", Double),
    Index(None, "expires_at"),
    Index(None, "app", "expires_at"),
)

# The answers to requests that may come again. `id` is the hash of whose key it is, for which path;
# `status`, `expires_at` and `size` are null while the request is under way; for those of
# older versions so are `app` and `size`. `attempt` is the request's own.
idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("fingerprint", String(64), nullable=False),
    Column("status", Integer),
    Column("location", Text),
    Column("body", LargeBinary),
    Column("expires_at", Double),
    Column("app", String(255)),
    Column("size", Integer),
    Column("attempt", String(64)),
    Index(None, "expires_at"),
    # What an app has is summed up without reading it.
    Index(None, "app", "size"),
)

_versions = Table(VERSION_TABLE, MetaData(), Column("version_num", String(32)))


def revisions(connection: Connection) -> set[str]:
    """Which migrations a database has come to: the last one, or none."""
    if not inspect(connection).has_table(VERSION_TABLE):
        return set()
    return set(connection.scalars(select(_versions.c.version_num)))
