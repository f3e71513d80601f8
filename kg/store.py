"""A graph on disk: sorted columns that are mapped into memory, never loaded."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, overload

import msgspec
import numpy as np
from numpy.typing import NDArray

from foundation.errors import ZhongjingError
from kg.records import EntityType

KIND = "knowledge-graph"
COLUMNS = ("subject", "relation", "object", "original", "file", "line", "count")
DTYPES = {"relation": "<i2", "original": "<i2", "file": "<i2"}


class Vocabulary(msgspec.Struct, frozen=True, kw_only=True):
    """The small tables that columns point into by position."""

    relations: list[str]
    originals: list[str]
    files: list[str]
    types: list[EntityType]


class Strings(Sequence[str]):
    """Sorted strings in two arrays: UTF-8 bytes, and offsets of shape (n + 1,)."""

    def __init__(self, offsets: NDArray[np.int64], data: NDArray[np.uint8]) -> None:
        self._offsets = offsets
        self._data = memoryview(data)  # type: ignore[arg-type]

    def __len__(self) -> int:
        return len(self._offsets) - 1

    @overload
    def __getitem__(self, index: int) -> str: ...

    @overload
    def __getitem__(self, index: slice) -> list[str]: ...

    def __getitem__(self, index: int | slice) -> str | list[str]:
        if isinstance(index, slice):
            return [self[position] for position in range(*index.indices(len(self)))]
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        return self._bytes(index % len(self)).decode()

    def __iter__(self) -> Iterator[str]:
        text, bounds = bytes(self._data), self._offsets.tolist()
        for start, end in pairwise(bounds):
            yield text[start:end].decode()

    def position(self, text: str) -> int | None:
        """Where `text` stands, None where it does not. UTF-8 sorts as code points do."""
        wanted = text.encode("utf-8", errors="surrogatepass")
        found = bisect_left(range(len(self)), wanted, key=self._bytes)
        return found if found < len(self) and self._bytes(found) == wanted else None

    def _bytes(self, index: int) -> bytes:
        return bytes(self._data[self._offsets[index] : self._offsets[index + 1]])


def save_strings(folder: Path, name: str, strings: Sequence[str]) -> None:
    """Write sorted strings as `name.offsets.npy` and `name.bytes.npy`."""
    encoded = [text.encode() for text in strings]
    offsets = np.zeros(len(encoded) + 1, dtype="<i8")
    np.cumsum([len(text) for text in encoded], out=offsets[1:])
    save(folder, f"{name}.offsets", offsets)
    save(folder, f"{name}.bytes", np.frombuffer(b"".join(encoded), dtype="u1"))


def load_strings(folder: Path, name: str) -> Strings:
    """What `save_strings` wrote."""
    return Strings(load(folder, f"{name}.offsets"), load(folder, f"{name}.bytes"))


def save(folder: Path, name: str, array: NDArray[Any]) -> None:
    """Write an array as `name.npy`."""
    np.save(folder / f"{name}.npy", array, allow_pickle=False)


def load(folder: Path, name: str) -> NDArray[Any]:
    """Map an array; an empty one cannot be mapped and is read."""
    path = folder / f"{name}.npy"
    try:
        try:
            return np.load(path, mmap_mode="r", allow_pickle=False)  # type: ignore[no-any-return]
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
