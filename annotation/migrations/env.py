"""How migrations run: on the connection that `annotation.database` hands over, in one transaction.

SQLite's foreign keys are off meanwhile, so they are checked here before anything is kept.
"""

from __future__ import annotations

from alembic import context

from annotation.tables.models import Base

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=Base.metadata,
    render_as_batch=connection.dialect.name == "sqlite",
    autogenerate_plugins=["alembic.autogenerate.*", "alembic.ext.checkconstraint_byname"],
)
with context.begin_transaction():
    context.run_migrations()
    if connection.dialect.name == "sqlite":
        broken = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
        if broken:
            raise RuntimeError(
                f"{len(broken)} rows refer to nothing after this migration, for example in {broken[0][0]}"
            )
connection.commit()
