"""The agreement under which a prompt of a campaign goes to a senior expert."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

WITHIN = "adjudicate_below BETWEEN 0 AND 1"


def upgrade() -> None:
    with op.batch_alter_table("campaigns") as campaigns:
        campaigns.add_column(sa.Column("adjudicate_below", sa.Double(), nullable=False, server_default="0.5"))
        campaigns.create_check_constraint(op.f("ck_campaigns_adjudicate_below"), WITHIN)


def downgrade() -> None:
    with op.batch_alter_table("campaigns") as campaigns:
        campaigns.drop_constraint(op.f("ck_campaigns_adjudicate_below"), type_="check")
        campaigns.drop_column("adjudicate_below")
