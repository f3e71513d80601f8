"""Texts as weighted character n-grams, hashed into a fixed number of columns.

Everything runs over one array of code points for many texts at once, so that ten million characters take seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

COLUMNS = 1 << 16
LONGEST = 4
_NUMBER = ord("0")
_END = 0
_MULTIPLIERS = (0x9E3779B1, 0x85EBCA77, 0xC2B2AE3D, 0x27D4EB2F)

Codes = NDArray[np.uint32]
Matrix = Any
"""A `scipy.sparse.csr_array` of floats: a row a text, a column an n-gram's hash."""


def count_grams(texts: Sequence[str]) -> Matrix:
    """How often each n-gram of one to four letters, digits aside, occurs in each text; shape (texts, COLUMNS)."""
    from scipy.sparse import csr_array

    codes, rows = _letters(texts)
    keys = [np.empty(0, dtype=np.int64)]
    hashed = np.zeros(len(codes), dtype=np.uint32)
    inside = np.ones(len(codes), dtype=np.bool_)
    for length in range(LONGEST):
        following = np.roll(codes, -length)
        inside &= following != _END
        hashed = (hashed ^ following) * np.uint32(_MULTIPLIERS[length])
        hashed ^= hashed >> np.uint32(15)
        columns = (hashed[inside] % np.uint32(COLUMNS)).astype(np.int64)
        keys.append(rows[inside] * COLUMNS + columns)
    found, counts = np.unique(np.concatenate(keys), return_counts=True)
    where = (counts.astype(np.float32), (found // COLUMNS, found % COLUMNS))
    return csr_array(where, shape=(len(texts), COLUMNS))


def weigh(counts: Matrix, rarity: NDArray[np.float32]) -> Matrix:
    """Counts as log(1 + n) times how rare an n-gram is, each row of length 1."""
    weighed = counts.copy()
    weighed.data = np.log1p(weighed.data) * rarity[weighed.indices]
    lengths = np.sqrt(np.asarray(weighed.multiply(weighed).sum(axis=1)).ravel())
    weighed.data /= np.repeat(np.maximum(lengths, 1e-9), np.diff(weighed.indptr)).astype(np.float32)
    return weighed


def rarity_of(counts: Matrix) -> NDArray[np.float32]:
    """The inverse document frequency of each column, smoothed: log((1 + texts) / (1 + texts with it)) + 1."""
    texts = counts.shape[0]
    having = np.bincount(counts.indices, minlength=COLUMNS)
    return np.asarray(np.log((1 + texts) / (1 + having)) + 1, dtype=np.float32)


def _letters(texts: Sequence[str]) -> tuple[Codes, NDArray[np.int64]]:
    """The letters of all texts as code points, an end behind each text and in place of every other mark; their rows."""
    joined = "".join(f"{text}\n" for text in texts)
    codes = np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), dtype="<u4").copy()
    lengths = np.fromiter((len(text) + 1 for text in texts), dtype=np.int64, count=len(texts))
    rows = np.repeat(np.arange(len(texts)), lengths)
    codes[(codes >= ord("A")) & (codes <= ord("Z"))] += ord("a") - ord("A")
    is_letter = ((codes >= 0x3400) & (codes < 0xA000)) | ((codes >= ord("a")) & (codes <= ord("z")))
    codes[~is_letter] = _END
    return codes, rows
