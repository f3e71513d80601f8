"""How characters look: groups that are taken for each other, from `data/lookalikes.txt`."""

from __future__ import annotations

import sys
from collections import defaultdict
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from kg.linking.sounds import syllables

_FIRST = 0xF0000


@cache
def shapes() -> NDArray[np.uint32]:
    """Code point to the code of its own group, in Unicode's private use area; other characters to themselves."""
    table = np.arange(sys.maxunicode + 1, dtype=np.uint32)
    for number, group in reversed(list(enumerate(_groups()))):
        table[[ord(character) for character in group]] = _FIRST + number
    return table


def looks_alike(one: str, other: str) -> bool:
    """Whether two characters stand in one group."""
    return other in _alike().get(one, "")


@cache
def both() -> NDArray[np.uint32]:
    """Code point to a code of its own group and its syllable together."""
    table, sounds = shapes(), syllables()
    grouped = np.flatnonzero(table != np.arange(len(table)))
    _, numbers = np.unique(np.column_stack([table, sounds])[grouped], axis=0, return_inverse=True)
    table = np.arange(sys.maxunicode + 1, dtype=np.uint32)
    table[grouped] = _FIRST + numbers.ravel()
    return table


@cache
def _alike() -> dict[str, str]:
    """Each character with all that look like it."""
    alike: defaultdict[str, str] = defaultdict(str)
    for group in _groups():
        for character in group:
            alike[character] += group
    return dict(alike)


def _groups() -> list[str]:
    lines = files("kg").joinpath("data/lookalikes.txt").read_text(encoding="utf-8").splitlines()
    return [group for line in lines if not line.startswith("#") for group in line.split()]
