"""The tables, as the newest migration leaves them. A test holds the two together."""

from __future__ import annotations

from sqlalchemy import (
    Column,
    Double,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)

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
# `status` and `expires_at` are null while the request is under way.
idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("fingerprint", String(64), nullable=False),
    Column("status", Integer),
    Column("location", Text),
    Column("body", LargeBinary),
    Column("expires_at", Double),
    Index(None, "expires_at"),
)
