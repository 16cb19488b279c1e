"""Which attempt at an idempotency key it was that claimed it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Take the step."""
    op.add_column("idempotency_keys", sa.Column("attempt", sa.String(64)))


def downgrade() -> None:
    """Take it back."""
    op.drop_column("idempotency_keys", "attempt")
