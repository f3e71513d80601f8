"""What the tasks of a deduplication on Ray do, and the pipelines that they make up. All of it runs on the cluster."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
from ray.data import Dataset

from corpus.deduplication.candidates import Numbers, forest, groups_of, joined, keys_of, meet
from corpus.deduplication.comparable import Points, texts_of, turns_of
from corpus.deduplication.copies import Copies
from corpus.deduplication.signatures import COLUMNS, SIGNATURES, Shelf, gathered, sign_batches, write_signatures
from corpus.deduplication.stars import Rules, Wave
from corpus.deduplication.waves import judge, places_of
from corpus.engines.cluster import RETRIES, Place
from corpus.engines.on_ray import Row, faults, mapped, rows_of
from corpus.engines.ray_files import Arrays, from_rows, load, mapped_array, to_rows, write
from corpus.parts import Part
from foundation.files import new_folder

_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)
_NOWHERE = np.empty(0, dtype=np.int64)


def signing(place: Place, shelf: Shelf, parts: Sequence[Part], prefer: Sequence[str], scratch: Path) -> Dataset:
    """Signatures of each part in a folder of its number."""
    rows = ({"number": number, "part": msgspec.json.encode(part)} for number, part in enumerate(parts))
    return mapped(rows_of(rows), _sign_part, place=place, shelf=shelf, prefer=prefer, scratch=scratch)


def _sign_part(rows: pa.Table, place: Place, shelf: Shelf, prefer: Sequence[str], scratch: Path) -> pa.Table:
    (row,) = rows.to_pylist()
    part = msgspec.json.decode(row["part"], type=Part)

    def do() -> None:
        signed = sign_batches(shelf.rows(part, COLUMNS), prefer=prefer)
        with new_folder(scratch / f"{row['number']:05}") as folder:
            write_signatures(folder / SIGNATURES, gathered(signed, part.size, lambda _: None))

    return faults(place, do)


def meeting(place: Place, scratch: Path, rules: Rules, shares: int, pieces: Sequence[tuple[int, int]]) -> Dataset:
    """What meets in each share of the keys, in `met-<share>.npz`. A piece is a stretch of the documents compared."""
    rows = rows_of({"begin": begin, "end": end} for begin, end in pieces)
    keys = mapped(rows, _keys, scratch=scratch, place=place, shares=shares)
    return _gathered(keys, "share", shares, _meet, place=place, scratch=scratch, rules=rules)


def judging(
    place: Place,
    scratch: Path,
    rules: Rules,
    shelves: Sequence[Shelf],
    parts: Sequence[Row],
    met: Sequence[str],
    waves: int,
) -> Dataset:
    """What becomes of each wave, in `judged-<wave>.npz`, from the texts on the shelves and the groups in `met`."""
    texts = mapped(rows_of(parts), _texts, place=place, scratch=scratch, shelves=shelves)
    groups = mapped(rows_of({"file": file} for file in met), _groups, place=place, scratch=scratch)
    return _gathered(texts.union(groups), "wave", waves, _judge, place=place, scratch=scratch, rules=rules)


def _gathered(rows: Dataset, key: str, count: int, do: Callable[..., pa.Table], **arguments: Any) -> Dataset:
    """`do` on all rows of each value of `key`, which has about `count` of them."""
    return rows.groupby(key, num_partitions=count).map_groups(
        do, batch_format="pyarrow", fn_kwargs=arguments, num_cpus=1, max_retries=RETRIES
    )


def _keys(rows: pa.Table, place: Place, scratch: Path, shares: int) -> pa.Table:
    """The keys of some documents in all bands, a row for each share of the range of keys."""
    place.settle()
    (row,) = rows.to_pylist()
    bands, documents = mapped_array(scratch, "bands"), mapped_array(scratch, "ones")[row["begin"] : row["end"]]
    keys = keys_of(mapped_array(scratch, "sketches"), documents, bands)
    share = (keys.astype(np.uint64) * np.uint64(shares) >> _HALF).astype(np.int64)
    order = np.argsort(share.ravel(), kind="stable")
    sizes = np.bincount((share * len(bands) + np.arange(len(bands))[:, None]).ravel(), minlength=shares * len(bands))
    ends = np.append(0, np.cumsum(sizes.reshape(shares, -1).sum(axis=1)))
    sorted_keys, owners = keys.ravel()[order], documents.astype(np.int32)[order % len(documents)]
    return to_rows(
        "share",
        {
            number: {
                "keys": sorted_keys[first:last],
                "documents": owners[first:last],
                "sizes": sizes.reshape(shares, -1)[number],
            }
            for number, (first, last) in enumerate(pairwise(ends.tolist()))
        },
        row["begin"],
    )


def _meet(rows: pa.Table, place: Place, scratch: Path, rules: Rules) -> pa.Table:
    """What meets in one share of the keys."""
    number, pieces = rows.column("share")[0].as_py(), from_rows(rows)

    def do() -> None:
        ends = [np.append(0, np.cumsum(piece["sizes"])) for piece in pieces]

        def band(number: int, name: str) -> npt.NDArray[Any]:
            return np.concatenate(
                [piece[name][end[number] : end[number + 1]] for piece, end in zip(pieces, ends, strict=True)]
            )

        bands = ((band(each, "documents").astype(np.int64), band(each, "keys")) for each in range(len(ends[0]) - 1))
        met = meet(mapped_array(scratch, "sketches"), bands, rules.frozen, rules.least)
        pairs = np.unique(np.concatenate([found[0] for found in met]))
        members, sizes = (np.concatenate([found[place] for found in met]) for place in (1, 2))
        trees = forest(*joined(pairs, [members], [sizes]))
        write(scratch / f"met-{number:06}.npz", pairs=pairs, members=members, sizes=sizes, trees=trees)

    return faults(place, do)


def _texts(rows: pa.Table, place: Place, scratch: Path, shelves: Sequence[Shelf]) -> pa.Table:
    """The texts of the linked documents among some row groups, a row for each wave."""
    place.settle()
    (row,) = rows.to_pylist()
    waves, begin = mapped_array(scratch, "waves"), row["begin"]
    texts: list[Points] = []
    documents: list[int] = []
    for batch in shelves[row["shelf"]].rows(msgspec.json.decode(row["part"], type=Part), ["messages"]):
        linked = np.flatnonzero(waves[begin : begin + batch.num_rows] >= 0)
        points, offsets = texts_of(turns_of(batch), linked)
        texts += (points[first:last] for first, last in pairwise(offsets.tolist()))
        documents += (linked + begin).tolist()
        begin += batch.num_rows
    parts = {
        wave: {
            "documents": np.array(documents)[places],
            "lengths": np.array([len(texts[at]) for at in places]),
            "points": np.concatenate([texts[at] for at in places]),
        }
        for wave, places in _by_number(waves[documents]).items()
    }
    return to_rows("wave", parts, row["begin"])


def _groups(rows: pa.Table, place: Place, scratch: Path) -> pa.Table:
    """What met in one share of the keys, a row for each wave."""
    place.settle()
    (row,) = rows.to_pylist()
    waves, met = mapped_array(scratch, "waves"), load(scratch / row["file"])
    starts = np.append(0, np.cumsum(met["sizes"]))
    groups = waves[met["members"][starts[:-1]]]
    by_wave = {
        "pairs": _by_number(waves[(met["pairs"] >> _HALF).astype(np.int64)]),
        "members": _by_number(np.repeat(groups, met["sizes"])),
        "sizes": _by_number(groups),
    }
    parts = {
        wave: {name: met[name][places.get(wave, _NOWHERE)] for name, places in by_wave.items()}
        for wave in sorted({*by_wave["pairs"], *by_wave["sizes"]})
    }
    return to_rows("wave", parts, -1)


def _by_number(numbers: npt.NDArray[Any]) -> dict[int, Numbers]:
    """For each number the places where it stands."""
    order = np.argsort(numbers, kind="stable")
    found, firsts = np.unique(numbers[order], return_index=True)
    return dict(zip(found.tolist(), np.split(order, firsts)[1:], strict=True))


def _judge(rows: pa.Table, place: Place, scratch: Path, rules: Rules) -> pa.Table:
    """Judge one wave, with its documents numbered from 0 in their order."""
    number, pieces = rows.column("wave")[0].as_py(), from_rows(rows)

    def do() -> None:
        cuts, parts = mapped_array(scratch, "cuts"), mapped_array(scratch, "parts")
        begins = parts[cuts[number] : cuts[number + 1] + 1]
        documents = mapped_array(scratch, "linked")[begins[0] : begins[-1]]
        known = np.sort(documents)
        own = np.searchsorted(known, documents)
        points, offsets = _in_order([piece for piece in pieces if "points" in piece], own)
        met = [piece for piece in pieces if "pairs" in piece]
        pairs = np.concatenate([piece["pairs"] for piece in met])
        first, second = (np.searchsorted(known, half).astype(np.uint64) for half in (pairs >> _HALF, pairs & _LOW))
        members = [np.searchsorted(known, piece["members"]).astype(np.int32) for piece in met]
        groups = groups_of(first << _HALF | second, members, [piece["sizes"] for piece in met], len(known))
        wave = Wave(own, begins - begins[0], places_of(own, len(own)), points, offsets)
        tests, frozen = np.searchsorted(known, (rules.tests, rules.frozen)).tolist()
        here = Rules(rules.threshold, rules.least, tests, frozen)
        found = judge(wave, groups, mapped_array(scratch, "sketches")[known], here)
        named = {name: getattr(found, name) for name in Copies.__struct_fields__}
        for name in ("keeper", "beside", "missed"):
            named[name] = np.where(named[name] >= 0, known[named[name]], -1)
        write(scratch / f"judged-{number:06}.npz", **named)

    return faults(place, do)


def _in_order(texts: Sequence[Arrays], own: Numbers) -> tuple[Any, Numbers]:
    """The texts of a wave in its order, and where each begins."""
    at = np.argsort(np.concatenate([piece["documents"] for piece in texts]))[own]
    lengths = np.concatenate([piece["lengths"] for piece in texts])
    points, ends = np.concatenate([piece["points"] for piece in texts]), np.append(0, np.cumsum(lengths))
    offsets = np.append(0, np.cumsum(lengths[at]))
    return np.concatenate([points[ends[place] : ends[place + 1]] for place in at.tolist()]), offsets
