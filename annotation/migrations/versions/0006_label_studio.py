"""Label Studio: the servers, accounts, projects and tasks there, and what was seen of their annotations."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from annotation.tables.append_only import drop_refusal, forbid_changes, forbid_replacing

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)
TABLES = (
    "label_studio_sightings",
    "label_studio_tasks",
    "label_studio_projects",
    "label_studio_accounts",
    "label_studio_servers",
)
SEEN = TABLES[0]


def upgrade() -> None:
    _servers()
    _accounts()
    _projects()
    _tasks()
    _sightings()
    forbid_changes(SEEN)
    forbid_replacing(SEEN)


def _servers() -> None:
    op.create_table(
        "label_studio_servers",
        sa.Column("url", sa.String(length=500), nullable=False),
        sa.Column("version", sa.String(length=50), nullable=False),
        sa.Column("token_kind", sa.String(length=20), nullable=False),
        sa.Column("hook_url", sa.String(length=500), nullable=True),
        sa.Column("hook_hash", sa.String(length=64), nullable=False),
        sa.Column("connected_at", MOMENT, nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.CheckConstraint("token_kind IN ('personal', 'legacy')", name=op.f("ck_label_studio_servers_token_kind")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_label_studio_servers")),
        sa.UniqueConstraint("url", name=op.f("uq_label_studio_servers_url")),
    )


def _accounts() -> None:
    op.create_table(
        "label_studio_accounts",
        sa.Column("server_id", ID, nullable=False),
        sa.Column("expert_id", ID, nullable=False),
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("remote_id", sa.BigInteger(), nullable=True),
        sa.Column("id", ID, nullable=False),
        _refers("label_studio_accounts", "server_id", "label_studio_servers"),
        _refers("label_studio_accounts", "expert_id", "users"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_label_studio_accounts")),
        _unique("label_studio_accounts", "server_id", "expert_id"),
        _unique("label_studio_accounts", "server_id", "email"),
        _unique("label_studio_accounts", "server_id", "remote_id"),
    )


def _projects() -> None:
    name = "label_studio_projects"
    op.create_table(
        name,
        sa.Column("server_id", ID, nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("campaign_id", ID, nullable=True),
        sa.Column("expert_id", ID, nullable=True),
        sa.Column("name", sa.String(length=100), nullable=True),
        sa.Column("key", sa.String(length=40), nullable=False),
        sa.Column("language", sa.String(length=2), nullable=False),
        sa.Column("remote_id", sa.BigInteger(), nullable=True),
        sa.Column("config", sa.Text(), nullable=True),
        sa.Column("hinted_at", MOMENT, nullable=True),
        sa.Column("pulled_at", MOMENT, nullable=True),
        sa.Column("id", ID, nullable=False),
        sa.CheckConstraint("kind IN ('ranking', 'review')", name=op.f(f"ck_{name}_kind")),
        sa.CheckConstraint("language IN ('zh', 'en')", name=op.f(f"ck_{name}_language")),
        sa.CheckConstraint("(kind = 'ranking') = (campaign_id IS NOT NULL)", name=op.f(f"ck_{name}_campaign")),
        sa.CheckConstraint("(kind = 'ranking') = (expert_id IS NOT NULL)", name=op.f(f"ck_{name}_expert")),
        sa.CheckConstraint("(kind = 'review') = (name IS NOT NULL)", name=op.f(f"ck_{name}_name")),
        _refers(name, "server_id", "label_studio_servers"),
        _refers(name, "campaign_id", "campaigns"),
        _refers(name, "expert_id", "users"),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{name}")),
        _unique(name, "key"),
        _unique(name, "server_id", "campaign_id", "expert_id"),
        _unique(name, "server_id", "name"),
        _unique(name, "server_id", "remote_id"),
    )


def _tasks() -> None:
    name = "label_studio_tasks"
    op.create_table(
        name,
        sa.Column("project_id", ID, nullable=False),
        sa.Column("assignment_id", ID, nullable=True),
        sa.Column("about", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("key", sa.String(length=40), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("remote_id", sa.BigInteger(), nullable=True),
        sa.Column("id", ID, nullable=False),
        sa.CheckConstraint("(assignment_id IS NULL) <> (about IS NULL)", name=op.f(f"ck_{name}_about")),
        _refers(name, "project_id", "label_studio_projects"),
        _refers(name, "assignment_id", "assignments"),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{name}")),
        _unique(name, "key"),
        _unique(name, "project_id", "assignment_id"),
        _unique(name, "project_id", "remote_id"),
    )


def _sightings() -> None:
    op.create_table(
        SEEN,
        sa.Column("project_id", ID, nullable=False),
        sa.Column("task_id", ID, nullable=True),
        sa.Column("annotation_id", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("event", sa.String(length=20), nullable=False),
        sa.Column("outcome", sa.String(length=20), nullable=False),
        sa.Column("reason", sa.String(length=40), nullable=True),
        sa.Column("raw", sa.Text(), nullable=True),
        sa.Column("digest", sa.String(length=64), nullable=True),
        sa.Column("made_at", MOMENT, nullable=True),
        sa.Column("altered_at", MOMENT, nullable=True),
        sa.Column("submission_id", ID, nullable=True),
        sa.Column("seen_at", MOMENT, nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.CheckConstraint("event IN ('first', 'changed', 'deleted', 'accepted')", name=op.f(f"ck_{SEEN}_event")),
        sa.CheckConstraint("outcome IN ('used', 'quarantined', 'noted')", name=op.f(f"ck_{SEEN}_outcome")),
        sa.CheckConstraint("(outcome = 'quarantined') = (reason IS NOT NULL)", name=op.f(f"ck_{SEEN}_reason")),
        sa.CheckConstraint("outcome <> 'noted' OR submission_id IS NULL", name=op.f(f"ck_{SEEN}_submission")),
        sa.CheckConstraint("(event = 'deleted') = (raw IS NULL)", name=op.f(f"ck_{SEEN}_raw")),
        sa.CheckConstraint("number >= 1", name=op.f(f"ck_{SEEN}_number")),
        _refers(SEEN, "project_id", "label_studio_projects"),
        _refers(SEEN, "task_id", "label_studio_tasks"),
        _refers(SEEN, "submission_id", "submissions"),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{SEEN}")),
        _unique(SEEN, "project_id", "annotation_id", "number"),
    )
    op.create_index(op.f(f"ix_{SEEN}_task_id_annotation_id"), SEEN, ["task_id", "annotation_id"])
    op.create_index(op.f(f"ix_{SEEN}_outcome_id"), SEEN, ["outcome", "id"])


def _refers(table: str, column: str, other: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{other}.id"], name=op.f(f"fk_{table}_{column}"))


def _unique(table: str, *columns: str) -> sa.UniqueConstraint:
    return sa.UniqueConstraint(*columns, name=op.f(f"uq_{table}_{'_'.join(columns)}"))


def downgrade() -> None:
    for table in TABLES:
        op.drop_table(table)
    drop_refusal(SEEN)
