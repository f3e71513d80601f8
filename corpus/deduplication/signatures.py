"""Signatures of dialogues: made once from the text, kept beside it, and enough to find who may be alike."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from corpus.deduplication.candidates import Numbers
from corpus.deduplication.comparable import turns_of
from corpus.deduplication.minhash import LAYOUT, WIDTH, Keys, Sketches, sign
from corpus.deduplication.threads import cores, in_threads
from corpus.parts import Part, parts_of
from corpus.sets import DIALOGUES, arrow_batches, arrow_row_groups, count_dialogues, row_group_sizes
from foundation.errors import ZhongjingError
from foundation.files import existing_file
from foundation.progress import progress

SIGNATURES = "signatures.parquet"
ROWS = 50_000
COLUMNS = ("id", "messages", "source")
_LAYOUT_KEY = "zhongjing.layout"
_FIELDS: list[tuple[str, pa.DataType]] = [
    ("id", pa.string()),
    ("key", pa.binary(16)),
    ("sketch", pa.binary(2 * WIDTH)),
    ("traits", pa.binary(24)),
]
_SCHEMA = pa.schema(_FIELDS, metadata={_LAYOUT_KEY: LAYOUT})

Traits = npt.NDArray[np.int32]


class Shelf(msgspec.Struct, frozen=True):
    """A file of dialogues in the folder of a set or version."""

    folder: Path
    file: str = DIALOGUES

    def __len__(self) -> int:
        return count_dialogues(self.folder, self.file)

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        """Its rows, some thousand at a time."""
        return arrow_batches(self.folder, columns, self.file)

    def parts(self, most: int) -> list[Part]:
        """Its row groups in parts of about `most` dialogues."""
        return list(parts_of(row_group_sizes(self.folder, self.file), most))

    def rows(self, part: Part, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """The rows of one part."""
        return arrow_row_groups(self.folder, part.places, columns, self.file)


class Signatures(msgspec.Struct, frozen=True):
    """Arrays over n dialogues: ids, keys of the exact text (n x 2), sketches (n x 128), traits (n x 6).

    The traits are those of `minhash.sign` and, last, the place of the source among the preferred ones.
    """

    ids: pa.Array[Any]
    keys: Keys
    sketches: Sketches
    traits: Traits

    def __len__(self) -> int:
        return len(self.keys)

    def rest(self, begin: int) -> Signatures:
        """Those from `begin` on."""
        return Signatures(self.ids[begin:], self.keys[begin:], self.sketches[begin:], self.traits[begin:])

    def at(self, places: Numbers) -> Signatures:
        """Those at the places, in their order."""
        return Signatures(self.ids.take(places), self.keys[places], self.sketches[places], self.traits[places])


def sign_shelf(shelf: Shelf, *, prefer: Sequence[str] = (), threads: int | None = None) -> Signatures:
    """Read a file of dialogues once and sign each, in as many threads as there are cores unless told otherwise."""
    count = len(shelf)
    with progress("signing", count) as steps:
        batches = shelf.batches(COLUMNS)
        return gathered(sign_batches(batches, prefer=prefer, threads=threads or cores()), count, steps.advance)


def sign_batches(
    batches: Iterable[pa.RecordBatch], *, prefer: Sequence[str] = (), threads: int = 1
) -> Iterator[Signatures]:
    """The signatures of each batch of dialogues, with at least the columns `COLUMNS`."""

    def signed(batch: pa.RecordBatch) -> Signatures:
        sketches, keys, told = sign(turns_of(batch))
        traits = np.zeros((len(keys), 6), dtype=np.int32)
        traits[:, :5] = told
        if prefer:
            traits[:, 5] = _places(batch.column("source"), prefer)
        return Signatures(batch.column("id"), keys, sketches, traits)

    return in_threads(signed, batches, threads)


def gathered(parts: Iterable[Signatures], count: int, advance: Callable[[int], None]) -> Signatures:
    """Signatures one after the other, `count` in all, written straight to where they belong."""
    made = Signatures(
        pa.array([], pa.string()),
        np.empty((count, 2), dtype=np.uint64),
        np.empty((count, WIDTH), dtype=np.uint16),
        np.zeros((count, 6), dtype=np.int32),
    )
    ids: list[Any] = []
    begin = 0
    for part in parts:
        end = begin + len(part)
        made.keys[begin:end], made.sketches[begin:end], made.traits[begin:end] = part.keys, part.sketches, part.traits
        ids.append(part.ids)
        begin = end
        advance(len(part))
    return msgspec.structs.replace(made, ids=pa.concat_arrays([made.ids, *ids]))


def joined(parts: Sequence[Signatures]) -> Signatures:
    """Signatures one after the other."""
    if len(parts) == 1:
        return parts[0]
    return Signatures(
        pa.concat_arrays([part.ids for part in parts]),
        np.concatenate([part.keys for part in parts]),
        np.concatenate([part.sketches for part in parts]),
        np.concatenate([part.traits for part in parts]),
    )


def write_signatures(path: Path, signatures: Signatures) -> None:
    """Write signatures as Parquet, in the order of their dialogues."""
    options: dict[str, Any] = {"compression": "none", "use_dictionary": False, "write_statistics": False}
    with pq.ParquetWriter(path, _SCHEMA, **options) as writer:
        for begin in range(0, len(signatures), ROWS):
            part = slice(begin, begin + ROWS)
            arrays = (signatures.keys[part], signatures.sketches[part], signatures.traits[part])
            columns = [_binary(array) for array in arrays]
            writer.write_batch(pa.RecordBatch.from_arrays([signatures.ids[part], *columns], schema=_SCHEMA))


def read_signatures(folder: Path, expected: int) -> Signatures:
    """The signatures stored in a version or a deduplicated set of `expected` dialogues."""
    path = folder / SIGNATURES
    if not path.is_file():
        raise ZhongjingError(
            "no signatures are stored here", where=folder, hint="freeze it again with this version of zhongjing"
        )
    try:
        table = pq.read_table(existing_file(path))
    except (pa.ArrowException, OSError) as error:
        raise ZhongjingError("these signatures are damaged", where=path, hint="make the folder again") from error
    layout = _layout(table.schema)
    if layout != LAYOUT or not table.schema.equals(_SCHEMA):
        raise ZhongjingError(
            f"these signatures have the layout {layout!r}, this version of zhongjing compares {LAYOUT!r}",
            where=path,
            hint="freeze the version's source again, or compare with a version frozen by this release",
        )
    if len(table) != expected:
        raise ZhongjingError(f"{len(table):,} signatures stand beside {expected:,} dialogues", where=path)
    return Signatures(
        pa.concat_arrays([pa.array([], pa.string()), *table.column("id").chunks]),
        _array(table.column("key"), np.uint64),
        _array(table.column("sketch"), np.uint16),
        _array(table.column("traits"), np.int32),
    )


def _layout(schema: pa.Schema) -> str:
    metadata: dict[Any, bytes] = schema.metadata or {}
    return metadata.get(_LAYOUT_KEY.encode(), b"none").decode("utf-8", "replace")


def _places(sources: Any, prefer: Sequence[str]) -> Numbers:
    order = {name: place for place, name in enumerate(prefer)}
    return np.array([order.get(name, len(prefer)) for name in sources.to_pylist()], dtype=np.int64)


def _binary(array: npt.NDArray[Any]) -> Any:
    width = array.dtype.itemsize * array.shape[1]
    buffer = pa.py_buffer(np.ascontiguousarray(array).tobytes())
    return pa.Array.from_buffers(pa.binary(width), len(array), [None, buffer])


def _array(column: Any, kind: type[np.generic]) -> npt.NDArray[Any]:
    width = column.type.byte_width
    parts = [
        np.frombuffer(chunk.buffers()[1], np.uint8, len(chunk) * width, chunk.offset * width) for chunk in column.chunks
    ]
    return (
        np.concatenate([np.empty(0, np.uint8), *parts])
        .view(kind)
        .reshape(len(column), width // np.dtype(kind).itemsize)
    )
