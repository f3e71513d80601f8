"""Is a mentioned finding there, doubted, somebody else's, past? One pass over a text, cues and mentions in turn.

The rules and their scopes are in `kg.scopes`, the words in `data/cues.txt`. numba compiles the pass; a short text is
read by the same functions uncompiled, which is faster than waiting for a compiler.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numba import njit

from kg.cues import cue_table
from kg.scopes import ALL_FLAGS, FLAGS, Codes, Numbers, read


def statuses(codes: Codes, mentions: Numbers, *, compiled: bool = True) -> Numbers:
    """The flags of each mention of a normalised text: `NEGATED | UNCERTAIN | FAMILY | OTHER | PAST`.

    `mentions` has a row for each, sorted and disjoint: start, end, and `FINDING`, `TAKEN` or
    `NEUTRAL`.
    """
    rows = np.zeros((len(mentions), 4), dtype=np.int64)
    rows[:, :FLAGS] = mentions
    if len(rows):
        (_compiled() if compiled else read)(codes, rows, cue_table())
    return rows[:, FLAGS] & ALL_FLAGS


@cache
def _compiled() -> Any:
    return njit(cache=True, nogil=True)(read)
