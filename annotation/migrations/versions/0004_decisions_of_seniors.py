"""What a senior expert's decision also says: by which rule, whether nothing is acceptable, whether it takes the last
one back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa
from alembic import op

from annotation.tables.append_only import forbid_changes, forbid_replacing

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

TABLE = "adjudications"
CHECK, KEY = "ck_adjudications_withdrawn", "uq_adjudications_key"


def upgrade() -> None:
    with _changeable():
        with op.batch_alter_table(TABLE) as table:
            table.add_column(sa.Column("withdrawn", sa.Boolean(), nullable=False, server_default=sa.false()))
            table.add_column(sa.Column("none_acceptable", sa.Boolean(), nullable=False, server_default=sa.false()))
            table.add_column(sa.Column("guideline_version", sa.String(length=50), nullable=True))
            table.add_column(sa.Column("key", sa.String(length=100), nullable=True))
        op.execute(
            "UPDATE adjudications SET guideline_version = (SELECT campaigns.guideline_version FROM tasks "
            "JOIN campaigns ON campaigns.id = tasks.campaign_id WHERE tasks.id = adjudications.task_id)"
        )
        with op.batch_alter_table(TABLE) as table:
            table.alter_column("guideline_version", existing_type=sa.String(length=50), nullable=False)
            table.create_check_constraint(op.f(CHECK), "NOT (withdrawn AND none_acceptable)")
            table.create_unique_constraint(op.f(KEY), ["key"])


def downgrade() -> None:
    with _changeable(), op.batch_alter_table(TABLE) as table:
        table.drop_constraint(op.f(CHECK), type_="check")
        table.drop_constraint(op.f(KEY), type_="unique")
        for column in ("withdrawn", "none_acceptable", "guideline_version", "key"):
            table.drop_column(column)


@contextmanager
def _changeable() -> Iterator[None]:
    """Without the triggers that refuse changes; SQLite makes the table anew, and they go with the old one."""
    if op.get_bind().dialect.name == "sqlite":
        yield
        forbid_changes(TABLE)
        forbid_replacing(TABLE)
    else:
        op.execute(f"ALTER TABLE {TABLE} DISABLE TRIGGER USER")
        yield
        op.execute(f"ALTER TABLE {TABLE} ENABLE TRIGGER USER")
