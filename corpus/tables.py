"""Dialogues as Arrow tables and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import pyarrow as pa

from corpus.records import Dialogue

_MESSAGE = pa.struct([("role", pa.string()), ("content", pa.string())])
_META = pa.struct(
    [
        ("file", pa.string()),
        ("line", pa.int64()),
        ("format", pa.string()),
        ("raw_id", pa.string()),
        ("labels", pa.list_(pa.string())),
    ]
)
_KG = pa.struct(
    [
        ("entities", pa.list_(pa.string())),
        ("coverage", pa.float64()),
        ("supported", pa.int64()),
        ("contradicted", pa.int64()),
        ("unknown", pa.int64()),
        ("contradictions", pa.list_(pa.list_(pa.string()))),
    ]
)
_PROFILE = pa.struct(
    [
        ("department", pa.string()),
        ("department_confidence", pa.float64()),
        ("scenario", pa.string()),
        ("scenario_confidence", pa.float64()),
        ("stated", pa.bool_()),
        ("inquiry", pa.float64()),
        ("questions", pa.int64()),
        ("gained", pa.int64()),
        ("completeness", pa.float64()),
        ("slots", pa.list_(pa.string())),
        ("structure", pa.string()),
    ]
)
_REWRITING = pa.struct([("rewritten", pa.list_(pa.int64())), ("kept", pa.list_(pa.int64()))])
SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("messages", pa.list_(_MESSAGE)),
        ("source", pa.string()),
        ("meta", _META),
        ("department", pa.string()),
        ("scenario", pa.string()),
        ("kg", _KG),
        ("profile", _PROFILE),
        ("rewriting", _REWRITING),
    ]
)


_LATER = ("profile", "rewriting")
"""Columns that sets written by earlier versions of this program lack."""
REQUIRED = frozenset(SCHEMA.names) - frozenset(_LATER)


def whole(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The batch with all columns of `SCHEMA`: those that came later are empty."""
    columns = [
        batch[field.name] if field.name in batch.schema.names else pa.nulls(batch.num_rows, field.type)
        for field in SCHEMA
    ]
    return pa.RecordBatch.from_arrays(columns, schema=SCHEMA)


def to_batch(dialogues: Sequence[Dialogue]) -> pa.RecordBatch:
    """Dialogues as an Arrow record batch of `SCHEMA`."""
    return pa.RecordBatch.from_pylist([_plain(dialogue) for dialogue in dialogues], schema=SCHEMA)


def from_batch(batch: pa.RecordBatch) -> list[Dialogue]:
    """The dialogues of a record batch of `SCHEMA`."""
    return [msgspec.convert(_without_nulls(row), Dialogue) for row in batch.to_pylist()]


def _plain(value: Any) -> Any:
    if isinstance(value, msgspec.Struct):
        return {name: _plain(getattr(value, name)) for name in value.__struct_fields__}
    return [_plain(item) for item in value] if isinstance(value, list) else value


def _without_nulls(row: dict[str, Any]) -> dict[str, Any]:
    return {
        name: _without_nulls(value) if isinstance(value, dict) else value
        for name, value in row.items()
        if value is not None
    }
