"""Arrays on their way through a cluster: in files that every node maps, and as values of a data set."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from foundation.files import new_file

Arrays = Mapping[str, npt.NDArray[Any]]


def to_rows(key: str, parts: Mapping[int, Arrays], order: int) -> pa.Table:
    """A row for each part: its number, what rows of that number are ordered by, and its arrays in one value."""
    packed = [
        msgspec.msgpack.encode({name: (array.dtype.str, array.tobytes()) for name, array in arrays.items()})
        for arrays in parts.values()
    ]
    numbers, orders = pa.array(parts.keys(), pa.int64()), pa.array([order] * len(parts), pa.int64())
    return pa.table({key: numbers, "order": orders, "arrays": pa.array(packed, pa.large_binary())})


def from_rows(rows: pa.Table) -> list[Arrays]:
    """The arrays of rows that `to_rows` made, in order."""
    packed: list[Any] = rows.sort_by("order").column("arrays").to_pylist()
    return [
        {name: np.frombuffer(data, kind) for name, (kind, data) in msgspec.msgpack.decode(row).items()}
        for row in packed
    ]


def save(scratch: Path, **arrays: npt.NDArray[Any]) -> None:
    """Each array in a file of its own, for `mapped_array`."""
    for name, array in arrays.items():
        np.save(scratch / f"{name}.npy", array)


def mapped_array(scratch: Path, name: str) -> npt.NDArray[Any]:
    """An array that lies in a file and is read where it is looked at."""
    return np.asarray(np.load(scratch / f"{name}.npy", mmap_mode="c"))


def write(path: Path, **arrays: Any) -> None:
    """A file of arrays, whole or not there."""
    with new_file(path) as temporary, temporary.open("wb") as file:
        np.savez(file, **arrays)


def load(path: Path) -> dict[str, npt.NDArray[Any]]:
    """The arrays that `write` wrote."""
    with np.load(path) as arrays:
        return dict(arrays)
