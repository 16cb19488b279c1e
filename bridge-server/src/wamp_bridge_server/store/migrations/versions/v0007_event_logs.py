"""Event logs: what streams follow, and the key that signs URLs for them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Take the step."""
    op.create_table(
        "event_logs",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("app", sa.String(255), nullable=False),
        sa.Column("uri", sa.Text, nullable=False),
        sa.Column("match", sa.String(16), nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("floor", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_event_logs"),
    )
    op.create_index(
        "ix_event_logs_app_uri_match", "event_logs", ["app", "uri", "match"], unique=True
    )
    op.create_table(
        "events",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer, "sqlite"), nullable=False),
        sa.Column("log", sa.String(64), nullable=False),
        sa.Column("app", sa.String(255), nullable=False),
        sa.Column("publication", sa.BigInteger, nullable=False),
        sa.Column("size", sa.Integer, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("topic", sa.Text, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_events"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_events_log_seq", "events", ["log", "seq"])
    op.create_index(
        "ix_events_app_seq_size_created_at", "events", ["app", "seq", "size", "created_at"]
    )
    op.create_table(
        "own_keys",
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("key", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_own_keys"),
    )


def downgrade() -> None:
    """Take it back."""
    op.drop_table("own_keys")
    op.drop_table("events")
    op.drop_table("event_logs")
