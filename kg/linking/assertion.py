"""Is a mentioned finding there, doubted, somebody else's, past? One pass over a text, cues and mentions in turn.

The rules and their scopes are in `scopes`, the words in `data/cues.txt`. numba compiles the pass; a short text is read
by the same functions uncompiled, which is faster than waiting for a compiler.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import chain
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from kg.linking.cues import cue_table
from kg.linking.meanings import Span
from kg.linking.scopes import FINDING, NEUTRAL, TAKEN, Codes, read

Kinds = NDArray[np.int8]
AS_GIVEN: Kinds = np.array([FINDING, TAKEN, NEUTRAL], dtype=np.int8)


def statuses(codes: Codes, spans: Sequence[Span], kinds: Kinds = AS_GIVEN, *, compiled: bool = True) -> list[int]:
    """The flags of each mention of a normalised text: `NEGATED | UNCERTAIN | FAMILY | OTHER | PAST`.

    `spans`, sorted and disjoint, are start, end, and a number whose `kinds` is `FINDING`, `TAKEN` or `NEUTRAL`.
    """
    if not spans:
        return []
    flat = np.fromiter(chain.from_iterable(spans), dtype=np.int64, count=3 * len(spans))
    flags: list[int] = (_compiled() if compiled else read)(codes, flat, kinds, *cue_table()).tolist()
    return flags


@cache
def _compiled() -> Any:
    return njit(cache=True, nogil=True)(read)
