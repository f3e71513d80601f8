"""A graph on disk: sorted columns that are mapped into memory, never loaded."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload
from zlib import crc32

import msgspec
import numpy as np
from numpy.typing import NDArray

from foundation.errors import ZhongjingError
from kg.records import EntityType

if TYPE_CHECKING:
    import pyarrow as pa

KIND = "knowledge-graph"
COLUMNS = ("subject", "relation", "object", "original", "file", "line", "count")
NARROW = frozenset({"relation", "original", "file"})
_EMPTY = -1


class Vocabulary(msgspec.Struct, frozen=True, kw_only=True):
    """The small tables that columns point into by position."""

    relations: list[str]
    originals: list[str]
    files: list[str]
    types: list[EntityType]


class Strings(Sequence[str]):
    """Sorted strings in three arrays: UTF-8 bytes, offsets of shape (n + 1,), and a hash table of their positions."""

    def __init__(self, offsets: NDArray[np.int64], data: NDArray[np.uint8], slots: NDArray[np.int32]) -> None:
        self._offsets, self._data, self._slots = (memoryview(part) for part in (offsets, data, slots))  # type: ignore[arg-type]
        self._mask = len(slots) - 1

    def __len__(self) -> int:
        return len(self._offsets) - 1

    @overload
    def __getitem__(self, index: int) -> str: ...

    @overload
    def __getitem__(self, index: slice) -> list[str]: ...

    def __getitem__(self, index: int | slice) -> str | list[str]:
        if isinstance(index, slice):
            return self.take(range(*index.indices(len(self))))
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        return self.take((index % len(self),))[0]

    def __iter__(self) -> Iterator[str]:
        text, bounds = bytes(self._data), self._offsets.tolist()
        for start, end in pairwise(bounds):
            yield text[start:end].decode()

    def take(self, positions: Iterable[int]) -> list[str]:
        """The strings at these positions, each from 0 to n - 1."""
        offsets, data = self._offsets, self._data
        return [str(data[offsets[place] : offsets[place + 1]], "utf-8") for place in positions]

    def position(self, text: str) -> int | None:
        """Where `text` stands, None where it does not."""
        wanted = text.encode("utf-8", errors="surrogatepass")
        first = crc32(wanted) & self._mask
        for slot in range(first, first + len(self._slots)):
            found = self._slots[slot & self._mask]
            if found == _EMPTY:
                return None
            if self._data[self._offsets[found] : self._offsets[found + 1]] == wanted:
                return int(found)
        return None

    def arrow(self) -> pa.Array[Any]:
        """The same strings as an Arrow array, nothing copied."""
        import pyarrow as pa

        buffers = [None, pa.py_buffer(self._offsets), pa.py_buffer(self._data)]
        return pa.Array.from_buffers(pa.large_string(), len(self), buffers)


def save_strings(folder: Path, name: str, strings: Sequence[str]) -> None:
    """Write sorted strings as `name.offsets.npy`, `name.bytes.npy` and `name.slots.npy`."""
    encoded = [text.encode() for text in strings]
    offsets = np.zeros(len(encoded) + 1, dtype="<i8")
    np.cumsum([len(text) for text in encoded], out=offsets[1:])
    save(folder, f"{name}.offsets", offsets)
    save(folder, f"{name}.bytes", np.frombuffer(b"".join(encoded), dtype="u1"))
    save(folder, f"{name}.slots", _slots(encoded))


def _slots(encoded: Sequence[bytes]) -> NDArray[np.int32]:
    """An open-addressed hash table, at most half full: at the CRC of a string or behind it stands its position."""
    size = 1 << (2 * len(encoded)).bit_length()
    slots = array("i", [_EMPTY]) * size
    for position, text in enumerate(encoded):
        slot = crc32(text) & (size - 1)
        while slots[slot] != _EMPTY:
            slot = (slot + 1) & (size - 1)
        slots[slot] = position
    return np.array(slots, dtype="<i4")


def load_strings(folder: Path, name: str) -> Strings:
    """What `save_strings` wrote."""
    return Strings(*(load(folder, f"{name}.{part}") for part in ("offsets", "bytes", "slots")))


def save(folder: Path, name: str, values: NDArray[Any]) -> None:
    """Write an array as `name.npy`."""
    np.save(folder / f"{name}.npy", values, allow_pickle=False)


def narrow(values: NDArray[np.int64]) -> NDArray[Any]:
    """Non-negative numbers in two bytes each where they fit, in four otherwise."""
    small = not len(values) or int(values.max()) <= np.iinfo(np.int16).max
    return values.astype("<i2" if small else "<i4")


def load(folder: Path, name: str) -> NDArray[Any]:
    """Map an array; an empty one cannot be mapped and is read."""
    path = folder / f"{name}.npy"
    try:
        try:
            return np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))
        except ValueError:
            return np.load(path, allow_pickle=False)  # type: ignore[no-any-return]
    except (OSError, ValueError, EOFError) as error:
        raise ZhongjingError(
            "this part of the graph is missing or damaged", where=path, hint="build it again"
        ) from error


def load_vocabulary(folder: Path) -> Vocabulary:
    """What `vocabulary.json` says."""
    path = folder / "vocabulary.json"
    try:
        return msgspec.json.decode(path.read_bytes(), type=Vocabulary)
    except (OSError, msgspec.DecodeError) as error:
        raise ZhongjingError(
            "this part of the graph is missing or damaged", where=path, hint="build it again"
        ) from error
