"""Tables whose rows are added, never updated or deleted; on SQLite a batch migration of one must forbid it again."""

from __future__ import annotations

from alembic import op


def forbid_changes(table: str) -> None:
    """Let the database refuse every update and deletion in `table`."""
    refusal = f"rows of {table} are never changed"
    if op.get_bind().dialect.name == "sqlite":
        for action in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{action.lower()} BEFORE {action} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{refusal}'); END"
            )
        return
    op.execute(
        f"CREATE FUNCTION {table}_refuse() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{refusal}' USING ERRCODE = 'integrity_constraint_violation'; END $$"
    )
    op.execute(
        f"CREATE TRIGGER {table}_never_changed BEFORE UPDATE OR DELETE ON {table} "
        f"FOR EACH ROW EXECUTE FUNCTION {table}_refuse()"
    )


def drop_refusal(table: str) -> None:
    """Forget what refused changes in a `table` that is gone; on SQLite it went with the table."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute(f"DROP FUNCTION {table}_refuse()")
