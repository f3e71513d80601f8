"""Overlap that grows where experts disagree, rankings made elsewhere, consent and its withdrawal."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from annotation.tables.append_only import drop_refusal, forbid_changes, forbid_replacing

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
OVERLAP = "min_overlap IS NULL OR min_overlap BETWEEN 2 AND overlap"


def upgrade() -> None:
    with op.batch_alter_table("campaigns") as campaigns:
        campaigns.add_column(sa.Column("min_overlap", sa.Integer(), nullable=True))
        campaigns.create_check_constraint(op.f("ck_campaigns_min_overlap"), OVERLAP)
    op.add_column("submissions", sa.Column("origin", sa.String(length=300), nullable=True))
    op.create_table(
        "consents",
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("subject", sa.String(length=200), nullable=False),
        sa.Column("given", sa.Boolean(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.CheckConstraint("kind IN ('expert', 'dialogue', 'dataset')", name=op.f("ck_consents_kind")),
        sa.CheckConstraint("length(subject) BETWEEN 1 AND 200", name=op.f("ck_consents_subject")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consents")),
    )
    op.create_index(op.f("ix_consents_kind_subject"), "consents", ["kind", "subject"])
    forbid_changes("consents")
    forbid_replacing("consents")


def downgrade() -> None:
    op.drop_table("consents")
    drop_refusal("consents")
    op.drop_column("submissions", "origin")
    with op.batch_alter_table("campaigns") as campaigns:
        campaigns.drop_constraint(op.f("ck_campaigns_min_overlap"), type_="check")
        campaigns.drop_column("min_overlap")
