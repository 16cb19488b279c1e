"""Endpoints and sources: what apps registered, subscribed and announced."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Take the step."""
    op.create_table(
        "sources",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("app", sa.String(255), nullable=False),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("seen_at", sa.Double),
        sa.PrimaryKeyConstraint("id", name="pk_sources"),
    )
    op.create_index("ix_sources_app_url", "sources", ["app", "url"], unique=True)
    op.create_table(
        "endpoints",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("app", sa.String(255), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("uri", sa.Text, nullable=False),
        sa.Column("match", sa.String(16), nullable=False),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("source", sa.String(64)),
        sa.Column("options", sa.Text, nullable=False),
        sa.Column("lease", sa.Double),
        sa.Column("lease_expires_at", sa.Double),
        sa.Column("absences", sa.Integer, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_endpoints"),
    )
    op.create_index("ix_endpoints_app_kind_uri", "endpoints", ["app", "kind", "uri"])


def downgrade() -> None:
    """Take it back."""
    op.drop_table("endpoints")
    op.drop_table("sources")
