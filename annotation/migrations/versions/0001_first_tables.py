"""The first tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from annotation.tables.append_only import drop_refusal, forbid_changes

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
NEVER_CHANGED = ("rankings", "adjudications", "audit_log")


def upgrade() -> None:
    op.create_table(
        "campaigns",
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("overlap", sa.Integer(), nullable=False),
        sa.Column("guideline_version", sa.String(length=50), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("dimensions", sa.JSON(), nullable=False),
        sa.Column("left_out", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.CheckConstraint("length(name) BETWEEN 1 AND 100", name=op.f("ck_campaigns_name")),
        sa.CheckConstraint("overlap >= 1", name=op.f("ck_campaigns_overlap")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_campaigns")),
        sa.UniqueConstraint("name", name=op.f("uq_campaigns_name")),
    )
    op.create_table(
        "login_failures",
        sa.Column("name_hash", sa.String(length=64), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_login_failures")),
    )
    op.create_index(op.f("ix_login_failures_name_hash_at"), "login_failures", ["name_hash", "at"])
    op.create_table(
        "users",
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=True),
        sa.Column("simulated", sa.Boolean(), nullable=False),
        sa.Column("reliability", sa.Double(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.CheckConstraint("role IN ('expert', 'senior', 'curator', 'engineer', 'admin')", name=op.f("ck_users_role")),
        sa.CheckConstraint("NOT simulated OR password_hash IS NULL", name=op.f("ck_users_no_simulated_login")),
        sa.CheckConstraint("length(name) BETWEEN 1 AND 100", name=op.f("ck_users_name")),
        sa.CheckConstraint("reliability IS NULL OR reliability BETWEEN 0.5 AND 1", name=op.f("ck_users_reliability")),
        sa.CheckConstraint("simulated = (reliability IS NOT NULL)", name=op.f("ck_users_simulated")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("name", name=op.f("uq_users_name")),
    )
    op.create_table(
        "audit_log",
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor_id", ID, nullable=True),
        sa.Column("action", sa.String(length=50), nullable=False),
        sa.Column("subject", sa.String(length=200), nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.ForeignKeyConstraint(["actor_id"], ["users.id"], name=op.f("fk_audit_log_actor_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_log")),
    )
    op.create_table(
        "jobs",
        sa.Column("kind", sa.String(length=50), nullable=False),
        sa.Column("payload", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("run_after", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lease_owner", sa.String(length=100), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("cursor", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("result", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("submitted_by", ID, nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.CheckConstraint("(state = 'running') = (lease_owner IS NOT NULL)", name=op.f("ck_jobs_lease")),
        sa.CheckConstraint("state IN ('queued', 'running', 'done', 'failed', 'cancelled')", name=op.f("ck_jobs_state")),
        sa.CheckConstraint("(lease_owner IS NULL) = (lease_until IS NULL)", name=op.f("ck_jobs_lease_until")),
        sa.CheckConstraint("attempts >= 0", name=op.f("ck_jobs_attempts")),
        sa.ForeignKeyConstraint(["submitted_by"], ["users.id"], name=op.f("fk_jobs_submitted_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_jobs")),
    )
    op.create_index(op.f("ix_jobs_state_run_after"), "jobs", ["state", "run_after"])
    op.create_table(
        "sessions",
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("user_id", ID, nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_sessions_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sessions")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_sessions_token_hash")),
    )
    op.create_index(op.f("ix_sessions_user_id"), "sessions", ["user_id"])
    op.create_table(
        "tasks",
        sa.Column("campaign_id", ID, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("prompt_id", sa.String(length=100), nullable=False),
        sa.Column("prompt", sa.JSON(), nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaigns.id"], name=op.f("fk_tasks_campaign_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tasks")),
        sa.UniqueConstraint("campaign_id", "position", name=op.f("uq_tasks_campaign_id_position")),
        sa.UniqueConstraint("campaign_id", "prompt_id", name=op.f("uq_tasks_campaign_id_prompt_id")),
        sa.UniqueConstraint("id", "campaign_id", name=op.f("uq_tasks_id_campaign_id")),
    )
    op.create_table(
        "adjudications",
        sa.Column("task_id", ID, nullable=False),
        sa.Column("senior_id", ID, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("tiers", sa.JSON(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.CheckConstraint("length(reason) >= 1", name=op.f("ck_adjudications_reason")),
        sa.CheckConstraint("version >= 1", name=op.f("ck_adjudications_version")),
        sa.ForeignKeyConstraint(["senior_id"], ["users.id"], name=op.f("fk_adjudications_senior_id")),
        sa.ForeignKeyConstraint(["task_id"], ["tasks.id"], name=op.f("fk_adjudications_task_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_adjudications")),
        sa.UniqueConstraint("task_id", "version", name=op.f("uq_adjudications_task_id_version")),
    )
    op.create_table(
        "assignments",
        sa.Column("task_id", ID, nullable=False),
        sa.Column("campaign_id", ID, nullable=False),
        sa.Column("expert_id", ID, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("shown", sa.JSON(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("completed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", ID, nullable=False),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaigns.id"], name=op.f("fk_assignments_campaign_id")),
        sa.ForeignKeyConstraint(["expert_id"], ["users.id"], name=op.f("fk_assignments_expert_id")),
        sa.ForeignKeyConstraint(
            ["task_id", "campaign_id"],
            ["tasks.id", "tasks.campaign_id"],
            name=op.f("fk_assignments_task_id_campaign_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_assignments")),
        sa.UniqueConstraint(
            "campaign_id", "expert_id", "position", name=op.f("uq_assignments_campaign_id_expert_id_position")
        ),
        sa.UniqueConstraint("task_id", "expert_id", name=op.f("uq_assignments_task_id_expert_id")),
    )
    op.create_index(
        op.f("ix_assignments_expert_id_completed_at_campaign_id_position"),
        "assignments",
        ["expert_id", "completed_at", "campaign_id", "position"],
    )
    op.create_table(
        "responses",
        sa.Column("task_id", ID, nullable=False),
        sa.Column("output_id", sa.String(length=100), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("merged", sa.JSON(), nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.ForeignKeyConstraint(["task_id"], ["tasks.id"], name=op.f("fk_responses_task_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_responses")),
        sa.UniqueConstraint("task_id", "output_id", name=op.f("uq_responses_task_id_output_id")),
    )
    op.create_table(
        "rankings",
        sa.Column("assignment_id", ID, nullable=False),
        sa.Column("dimension", sa.String(length=20), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("tiers", sa.JSON(), nullable=False),
        sa.Column("key", sa.String(length=100), nullable=False),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.Column("guideline_version", sa.String(length=50), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.CheckConstraint(
            "dimension IN ('overall', 'safety', 'professionalism', 'fluency')", name=op.f("ck_rankings_dimension")
        ),
        sa.CheckConstraint("seconds BETWEEN 0 AND 1000000", name=op.f("ck_rankings_seconds")),
        sa.CheckConstraint("version >= 1", name=op.f("ck_rankings_version")),
        sa.ForeignKeyConstraint(["assignment_id"], ["assignments.id"], name=op.f("fk_rankings_assignment_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rankings")),
        sa.UniqueConstraint(
            "assignment_id", "dimension", "version", name=op.f("uq_rankings_assignment_id_dimension_version")
        ),
        sa.UniqueConstraint("key", name=op.f("uq_rankings_key")),
    )
    for table in NEVER_CHANGED:
        forbid_changes(table)


def downgrade() -> None:
    op.drop_table("rankings")
    op.drop_table("responses")
    op.drop_table("assignments")
    op.drop_table("adjudications")
    op.drop_table("tasks")
    op.drop_table("sessions")
    op.drop_table("jobs")
    op.drop_table("audit_log")
    op.drop_table("users")
    op.drop_table("login_failures")
    op.drop_table("campaigns")
    for table in NEVER_CHANGED:
        drop_refusal(table)
