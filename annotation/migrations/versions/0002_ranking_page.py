"""Submissions with everything an expert says of a task, the written rule, gold, repeats, queues and pace."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from annotation.tables.append_only import drop_refusal, forbid_changes

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
WAITING = sa.text("completed_at IS NULL")
NEVER_CHANGED = ("guidelines", "submissions", "flags")


def upgrade() -> None:
    op.add_column("campaigns", sa.Column("daily_goal", sa.Integer(), nullable=False, server_default="40"))
    op.add_column("campaigns", sa.Column("break_minutes", sa.Integer(), nullable=False, server_default="45"))
    op.add_column("campaigns", sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("responses", sa.Column("names_model", sa.Text(), nullable=True))
    op.create_index(
        "ix_assignments_waiting",
        "assignments",
        ["campaign_id", "expert_id", "position"],
        sqlite_where=WAITING,
        postgresql_where=WAITING,
    )
    _create_plan_tables()
    _create_submissions()
    _fill()
    for table in NEVER_CHANGED:
        forbid_changes(table)


def _create_plan_tables() -> None:
    op.create_table(
        "guidelines",
        sa.Column("version", sa.String(length=50), nullable=False),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_guidelines")),
        sa.UniqueConstraint("version", name=op.f("uq_guidelines_version")),
    )
    op.create_table(
        "queues",
        sa.Column("expert_id", ID, nullable=False),
        sa.Column("campaign_id", ID, nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.CheckConstraint("done BETWEEN 0 AND total", name=op.f("ck_queues_done")),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaigns.id"], name=op.f("fk_queues_campaign_id")),
        sa.ForeignKeyConstraint(["expert_id"], ["users.id"], name=op.f("fk_queues_expert_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_queues")),
        sa.UniqueConstraint("expert_id", "campaign_id", name=op.f("uq_queues_expert_id_campaign_id")),
    )
    op.create_table(
        "gold_orders",
        sa.Column("task_id", ID, nullable=False),
        sa.Column("tiers", sa.JSON(), nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.ForeignKeyConstraint(["task_id"], ["tasks.id"], name=op.f("fk_gold_orders_task_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_gold_orders")),
        sa.UniqueConstraint("task_id", name=op.f("uq_gold_orders_task_id")),
    )
    op.create_table(
        "repeats",
        sa.Column("task_id", ID, nullable=False),
        sa.Column("original_id", ID, nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.CheckConstraint("task_id <> original_id", name=op.f("ck_repeats_original")),
        sa.ForeignKeyConstraint(["original_id"], ["tasks.id"], name=op.f("fk_repeats_original_id")),
        sa.ForeignKeyConstraint(["task_id"], ["tasks.id"], name=op.f("fk_repeats_task_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_repeats")),
        sa.UniqueConstraint("task_id", name=op.f("uq_repeats_task_id")),
    )
    op.create_index(op.f("ix_repeats_original_id"), "repeats", ["original_id"])


def _create_submissions() -> None:
    op.create_table(
        "submissions",
        sa.Column("assignment_id", ID, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(length=100), nullable=False),
        sa.Column("verdict", sa.String(length=20), nullable=False),
        sa.Column("reason", sa.String(length=20), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("none_acceptable", sa.Boolean(), nullable=False),
        sa.Column("worst", sa.String(length=100), nullable=True),
        sa.Column("rewrite", sa.Text(), nullable=True),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.Column("elapsed", sa.Double(), nullable=True),
        sa.Column("guideline_version", sa.String(length=50), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.CheckConstraint(
            "(verdict = 'cannot_judge') = (reason IS NOT NULL)", name=op.f("ck_submissions_cannot_judge")
        ),
        sa.CheckConstraint("elapsed IS NULL OR elapsed >= 0", name=op.f("ck_submissions_elapsed")),
        sa.CheckConstraint(
            "reason IN ('not_my_field', 'unclear_question', 'facts_missing', 'other')",
            name=op.f("ck_submissions_reason"),
        ),
        sa.CheckConstraint("rewrite IS NULL OR worst IS NOT NULL", name=op.f("ck_submissions_rewrite")),
        sa.CheckConstraint("seconds BETWEEN 0 AND 1000000", name=op.f("ck_submissions_seconds")),
        sa.CheckConstraint("verdict = 'ranked' OR NOT none_acceptable", name=op.f("ck_submissions_none_acceptable")),
        sa.CheckConstraint("verdict IN ('ranked', 'cannot_judge', 'withdrawn')", name=op.f("ck_submissions_verdict")),
        sa.CheckConstraint("version >= 1", name=op.f("ck_submissions_version")),
        sa.CheckConstraint("worst IS NULL OR verdict = 'ranked'", name=op.f("ck_submissions_worst")),
        sa.ForeignKeyConstraint(["assignment_id"], ["assignments.id"], name=op.f("fk_submissions_assignment_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_submissions")),
        sa.UniqueConstraint("assignment_id", "version", name=op.f("uq_submissions_assignment_id_version")),
        sa.UniqueConstraint("key", name=op.f("uq_submissions_key")),
    )
    op.create_table(
        "flags",
        sa.Column("submission_id", ID, nullable=False),
        sa.Column("output_id", sa.String(length=100), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.CheckConstraint("kind IN ('harm', 'dose', 'missed_emergency', 'privacy')", name=op.f("ck_flags_kind")),
        sa.ForeignKeyConstraint(["submission_id"], ["submissions.id"], name=op.f("fk_flags_submission_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_flags")),
        sa.UniqueConstraint("submission_id", "output_id", "kind", name=op.f("uq_flags_submission_id_output_id_kind")),
    )


def _fill() -> None:
    """Queues as they stand, and a submission for the rankings of one version, which then came one by one."""
    op.execute(
        "INSERT INTO queues (expert_id, campaign_id, total, done) "
        "SELECT expert_id, campaign_id, count(*), count(completed_at) FROM assignments "
        "GROUP BY expert_id, campaign_id ORDER BY expert_id, campaign_id"
    )
    op.execute(
        "INSERT INTO submissions "
        "(assignment_id, version, key, verdict, none_acceptable, seconds, guideline_version, created_at) "
        "SELECT assignment_id, version, min(key), 'ranked', false, max(seconds), min(guideline_version), "
        "max(created_at) FROM rankings GROUP BY assignment_id, version ORDER BY assignment_id, version"
    )


def downgrade() -> None:
    for table in ("flags", "submissions", "repeats", "gold_orders", "queues", "guidelines"):
        op.drop_table(table)
    for table in NEVER_CHANGED:
        drop_refusal(table)
    op.drop_index("ix_assignments_waiting", "assignments")
    op.drop_column("responses", "names_model")
    for column in ("closed_at", "break_minutes", "daily_goal"):
        op.drop_column("campaigns", column)
