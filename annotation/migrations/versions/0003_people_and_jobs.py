"""Invitations, API keys and identities of people; progress, log and cancelling of jobs; a stricter audit log."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from annotation.tables.append_only import forbid_replacing

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)
ROLES = "role IN ('expert', 'senior', 'curator', 'engineer', 'admin')"
STATES = "state IN ('queued', 'running', 'done', 'failed', 'dead', 'cancelled')"
EARLIER_STATES = "state IN ('queued', 'running', 'done', 'failed', 'cancelled')"
ACTIVE = sa.text("state IN ('queued', 'running')")
NEVER_CHANGED = ("rankings", "adjudications", "audit_log", "guidelines", "submissions", "flags")


def upgrade() -> None:
    op.add_column("users", sa.Column("left_at", MOMENT, nullable=True))
    op.add_column("login_failures", sa.Column("address_hash", sa.String(length=64), nullable=True))
    op.create_index(op.f("ix_login_failures_address_hash_at"), "login_failures", ["address_hash", "at"])
    op.add_column("audit_log", sa.Column("detail", sa.JSON(none_as_null=True), nullable=True))
    _identities()
    _invitations()
    _api_keys()
    with op.batch_alter_table("jobs") as jobs:
        jobs.add_column(sa.Column("target", sa.String(length=300), nullable=True))
        jobs.add_column(sa.Column("progress", sa.JSON(none_as_null=True), nullable=True))
        jobs.add_column(sa.Column("cancel", sa.Boolean(), nullable=False, server_default=sa.false()))
        jobs.add_column(sa.Column("ended_at", MOMENT, nullable=True))
        jobs.drop_constraint(op.f("ck_jobs_state"), type_="check")
        jobs.create_check_constraint(op.f("ck_jobs_state"), STATES)
    op.create_index(
        op.f("ix_jobs_target"), "jobs", ["target"], unique=True, sqlite_where=ACTIVE, postgresql_where=ACTIVE
    )
    _job_lines()
    for table in NEVER_CHANGED:
        forbid_replacing(table)


def _identities() -> None:
    op.create_table(
        "identities",
        sa.Column("user_id", ID, nullable=False),
        sa.Column("issuer", sa.String(length=500), nullable=False),
        sa.Column("subject", sa.String(length=255), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_identities_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_identities")),
        sa.UniqueConstraint("issuer", "subject", name=op.f("uq_identities_issuer_subject")),
    )
    op.create_index(op.f("ix_identities_user_id"), "identities", ["user_id"])


def _invitations() -> None:
    op.create_table(
        "invitations",
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.Column("invited_by", ID, nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("used_at", MOMENT, nullable=True),
        sa.Column("revoked_at", MOMENT, nullable=True),
        sa.Column("user_id", ID, nullable=True),
        sa.Column("id", ID, nullable=False),
        sa.CheckConstraint(ROLES, name=op.f("ck_invitations_role")),
        sa.CheckConstraint("length(name) BETWEEN 1 AND 100", name=op.f("ck_invitations_name")),
        sa.CheckConstraint("(used_at IS NULL) = (user_id IS NULL)", name=op.f("ck_invitations_used")),
        sa.CheckConstraint("used_at IS NULL OR revoked_at IS NULL", name=op.f("ck_invitations_revoked")),
        sa.ForeignKeyConstraint(["invited_by"], ["users.id"], name=op.f("fk_invitations_invited_by")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_invitations_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invitations")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_invitations_token_hash")),
    )


def _api_keys() -> None:
    op.create_table(
        "api_keys",
        sa.Column("user_id", ID, nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("key_hash", sa.String(length=64), nullable=False),
        sa.Column("scopes", sa.JSON(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("revoked_at", MOMENT, nullable=True),
        sa.Column("id", ID, nullable=False),
        sa.CheckConstraint("length(name) BETWEEN 1 AND 100", name=op.f("ck_api_keys_name")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_api_keys_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_keys")),
        sa.UniqueConstraint("key_hash", name=op.f("uq_api_keys_key_hash")),
    )
    op.create_index(op.f("ix_api_keys_user_id"), "api_keys", ["user_id"])


def _job_lines() -> None:
    op.create_table(
        "job_lines",
        sa.Column("job_id", ID, nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_job_lines_job_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_job_lines")),
    )
    op.create_index(op.f("ix_job_lines_job_id_id"), "job_lines", ["job_id", "id"])


def downgrade() -> None:
    sqlite = op.get_bind().dialect.name == "sqlite"
    for table in NEVER_CHANGED:
        op.execute(f"DROP TRIGGER {table}_no_replace" if sqlite else f"DROP TRIGGER {table}_never_emptied ON {table}")
    for table in ("job_lines", "api_keys", "invitations", "identities"):
        op.drop_table(table)
    op.drop_index(op.f("ix_jobs_target"), table_name="jobs")
    op.execute("UPDATE jobs SET state = 'failed' WHERE state = 'dead'")
    with op.batch_alter_table("jobs") as jobs:
        jobs.drop_constraint(op.f("ck_jobs_state"), type_="check")
        jobs.create_check_constraint(op.f("ck_jobs_state"), EARLIER_STATES)
        for column in ("target", "progress", "cancel", "ended_at"):
            jobs.drop_column(column)
    op.drop_column("audit_log", "detail")
    op.drop_index(op.f("ix_login_failures_address_hash_at"), table_name="login_failures")
    op.drop_column("login_failures", "address_hash")
    op.drop_column("users", "left_at")
