"""Whether the migrations make the very tables that the models describe, CHECK constraints to the letter."""

from __future__ import annotations

from collections.abc import Iterator

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, MetaData, create_engine, inspect
from sqlalchemy.schema import CreateSchema

from annotation.database import Database
from annotation.tables.models import Base

PLUGINS = ("alembic.autogenerate.*", "alembic.ext.checkconstraint_byname")
ASIDE = "zhongjing_drift"

Checks = dict[tuple[str, str], str]


def differences(database: Database, models: MetaData = Base.metadata) -> list[str]:
    """What a migrated database has otherwise than `models`, a line each; nothing is changed.

    Alembic compares tables, columns, types, indexes and the names of constraints. What a CHECK says is compared in
    the database's own words, with tables made from the models aside and thrown away.
    """
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"autogenerate_plugins": list(PLUGINS)})
        found = [str(change) for change in compare_metadata(context, models)]
        found += _changed(_checks(connection, models), _wanted(connection, models))
        connection.rollback()
    return found


def _changed(present: Checks, wanted: Checks) -> Iterator[str]:
    for table, name in sorted(present.keys() & wanted.keys()):
        one, other = present[table, name], wanted[table, name]
        if one != other:
            yield f"CHECK {name} of {table}: the migrations say {one}, the models {other}"


def _checks(connection: Connection, models: MetaData, schema: str | None = None) -> Checks:
    seen = inspect(connection)
    tables = models.tables.keys() & set(seen.get_table_names(schema))
    return {
        (table, str(check["name"])): check["sqltext"]
        for table in tables
        for check in seen.get_check_constraints(table, schema)
    }


def _wanted(connection: Connection, models: MetaData) -> Checks:
    if connection.dialect.name == "sqlite":
        with create_engine("sqlite://").connect() as memory:
            models.create_all(memory)
            return _checks(memory, models)
    connection.execute(CreateSchema(ASIDE))
    aside = connection.execution_options(schema_translate_map={None: ASIDE})
    models.create_all(aside, checkfirst=False)
    return _checks(aside, models, ASIDE)
