"""Deliveries: what must arrive at callback URLs, its failed attempts; publications received."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_DELIVERIES_INDEXES = (
    ("ix_deliveries_waiting", ["app", "lane", "seq", "size", "dead_at"], "dead_at IS NULL"),
    ("ix_deliveries_retried", ["app", "lane", "due_at"], "dead_at IS NULL AND attempts > 0"),
    ("ix_deliveries_dead", ["app", "seq", "size", "dead_at"], "dead_at IS NOT NULL"),
    ("ix_deliveries_dead_at", ["app", "dead_at"], "dead_at IS NOT NULL"),
)


def upgrade() -> None:
    """Take the step."""
    op.create_table(
        "deliveries",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer, "sqlite"), nullable=False),
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("app", sa.String(255), nullable=False),
        sa.Column("lane", sa.Text, nullable=False),
        sa.Column("type", sa.String(16), nullable=False),
        sa.Column("uri", sa.Text, nullable=False),
        sa.Column("match", sa.String(16)),
        sa.Column("size", sa.Integer, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("due_at", sa.Double, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("last_status", sa.Integer),
        sa.Column("last_error", sa.Text),
        sa.Column("dead_at", sa.Double),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_deliveries"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_deliveries_id", "deliveries", ["id"], unique=True)
    for name, columns, rows in _DELIVERIES_INDEXES:
        where = sa.text(rows)
        op.create_index(name, "deliveries", columns, sqlite_where=where, postgresql_where=where)
    op.create_table(
        "attempts",
        sa.Column("delivery", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("seconds", sa.Double, nullable=False),
        sa.Column("status", sa.Integer),
        sa.Column("error", sa.Text, nullable=False),
        sa.Column("answer", sa.LargeBinary),
        sa.PrimaryKeyConstraint("delivery", "at", name="pk_attempts"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "received",
        sa.Column("subscription", sa.Text, nullable=False),
        sa.Column("publication", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("received_at", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("subscription", "publication", name="pk_received"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_received_received_at", "received", ["received_at"])
    op.create_table(
        "sessions",
        sa.Column("app", sa.String(255), nullable=False),
        sa.Column("until", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("app", name="pk_sessions"),
    )


def downgrade() -> None:
    """Take it back."""
    op.drop_table("sessions")
    op.drop_table("received")
    op.drop_table("attempts")
    op.drop_table("deliveries")
