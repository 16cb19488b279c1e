"""Whose the kept answers are and how large, so that an app's can be counted."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Take the step. What is kept already counts for nobody; it is gone within a day."""
    op.add_column("idempotency_keys", sa.Column("app", sa.String(255)))
    op.add_column("idempotency_keys", sa.Column("size", sa.Integer))
    op.create_index("ix_idempotency_keys_app_size", "idempotency_keys", ["app", "size"])


def downgrade() -> None:
    """Take it back."""
    op.drop_index("ix_idempotency_keys_app_size", "idempotency_keys")
    op.drop_column("idempotency_keys", "size")
    op.drop_column("idempotency_keys", "app")
