"""The text by which dialogues are compared, made from Arrow's own buffers without a Python string in between.

It holds the letters and digits of all turns, in simplified characters, half width and lower case. Everything between
two digits becomes one point (1.5, 120/80 and 5-8 stay numbers of their own), everything else that is neither letter
nor digit goes, so that copies of another layout, script, width or punctuation have the same text.
"""

from __future__ import annotations

import unicodedata
from functools import cache
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
from numba import njit

from corpus.records import Dialogue
from corpus.tables import to_batch

POINT_BITS = 21
PATIENT = np.uint32(1 << 31)
POINT = np.uint32((1 << POINT_BITS) - 1)
_NOISE = np.uint32(0xFFFFFFFF)
_SPELT_OUT = np.uint32(1 << 31)
_TABLE_SIZE = 0x110000
_MAPPED_UP_TO = 0x20000
_HAN_UP_TO = 0x34000
_PLAIN = " \t\r\n\v\f\u3000，。！？：；、（）《》“”‘’…—～·,.!?:;()\"'-+/%<>=~℃°×"
_DOT = np.uint32(ord("."))
_QUESTION, _WIDE_QUESTION = ord("?"), ord("？")
_ASKING = tuple(map(ord, "吗呢么嘛"))

Points = npt.NDArray[np.uint32]
Offsets = npt.NDArray[np.int64]


class Turns(msgspec.Struct, frozen=True):
    """The turns of a batch of dialogues as Arrow holds them.

    Dialogue `d` has the turns `starts[d]` to `starts[d + 1]`; turn `t` is the UTF-8 in `data[ends[t] : ends[t + 1]]`,
    said by the patient or the doctor where `roles[t]` is the first letter of `user` or `assistant`.
    """

    data: npt.NDArray[np.uint8]
    ends: Offsets
    starts: Offsets
    roles: npt.NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.starts) - 1

    def room(self) -> Offsets:
        """The most points that each dialogue can have: one for every byte, and one between two turns."""
        return np.diff(self.ends[self.starts]) + np.diff(self.starts)


def turns_of(batch: pa.RecordBatch) -> Turns:
    """The column `messages` of a batch of dialogues."""
    messages: Any = batch.column("messages")
    roles, contents = messages.values.flatten()
    role_data, role_ends = _string_buffers(roles)
    data, ends = _string_buffers(contents)
    return Turns(data, ends, messages.offsets.to_numpy().astype(np.int64), role_data[role_ends[:-1]])


def texts_of(turns: Turns, rows: npt.NDArray[np.int64]) -> tuple[Points, Offsets]:
    """The comparable texts of some dialogues in one array, and where each begins (one more offset than rows).

    A point said by the patient has the bit `PATIENT` set.
    """
    points = np.empty(int(turns.room()[rows].sum()) + 1, dtype=np.uint32)
    offsets = np.zeros(len(rows) + 1, dtype=np.int64)
    _fold_all(turns.data, turns.ends, turns.starts, turns.roles, table(), rows, points, offsets)
    return points[: offsets[-1]].copy(), offsets


def comparable(dialogue: Dialogue) -> str:
    """The comparable text of one dialogue."""
    points, _ = texts_of(turns_of(to_batch([dialogue])), np.zeros(1, dtype=np.int64))
    return string_of(points)


def string_of(points: Points) -> str:
    """Points as a string."""
    return (points & POINT).tobytes().decode("utf-32-le")


@cache
def table() -> npt.NDArray[np.uint32]:
    """For every code point the one it is compared as; 0 where it is left out, all bits set where it is noise besides.

    The bit `_SPELT_OUT` marks up to three ASCII letters, a byte each: ㎎ is compared as mg.
    """
    text = "".join(map(chr, range(_MAPPED_UP_TO)))
    simplified = _simplified(text)
    codes = np.arange(_TABLE_SIZE, dtype=np.uint32)
    for code, character in enumerate(simplified):
        codes[code] = _compared_as(character)
    codes[_HAN_UP_TO:] = _NOISE
    return codes


def _compared_as(character: str) -> int:
    if character.isalnum():
        lower = character.lower()
        return ord(lower) if len(lower) == 1 else ord(character)
    spelt_out = unicodedata.normalize("NFKC", character).lower() if "\u3371" <= character <= "\u33df" else ""
    if spelt_out.isascii() and spelt_out.isalpha() and len(spelt_out) <= 3:
        return int(_SPELT_OUT) | int.from_bytes(spelt_out.encode(), "little")
    return 0 if character in _PLAIN else int(_NOISE)


def _simplified(text: str) -> str:
    """Each character by itself in simplified script, half width, digits of every script as 0 to 9."""
    from opencc import OpenCC

    first, last = 0x3400, 0xA000
    han = text[first:last]
    converted = OpenCC("t2s").convert("\n".join(han)).split("\n")
    changed = list(text)
    changed[first:last] = [new if len(new) == 1 else old for old, new in zip(han, converted, strict=True)]
    for code, character in enumerate(changed):
        if not character.isascii() and character.isalnum() and not first <= code < last:
            plain = unicodedata.normalize("NFKC", character)
            digit = unicodedata.decimal(character, None)
            changed[code] = str(digit) if digit is not None else plain if len(plain) == 1 else character
    return "".join(changed)


def _string_buffers(strings: Any) -> tuple[npt.NDArray[np.uint8], Offsets]:
    """Bytes and offsets of a string array. There are no nulls in a message."""
    if pa.types.is_large_string(strings.type):
        strings = strings.cast(pa.string())
    _, ends, data = strings.buffers()
    if not len(strings) or data is None:
        return np.zeros(1, dtype=np.uint8), np.zeros(len(strings) + 1, dtype=np.int64)
    places = np.frombuffer(ends, dtype=np.int32)[strings.offset : strings.offset + len(strings) + 1]
    return np.frombuffer(data, dtype=np.uint8), places.astype(np.int64)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def fold(data: Any, begin: Any, end: Any, codes: Any, mark: Any, points: Any, place: Any) -> Any:
    """Append one turn to `points` from `place` on, each point with the bits `mark`.

    Returns the new place, the number of characters, how many of them were noise, and whether the turn asks (a question
    mark anywhere, or 吗, 呢, 么, 嘛 at its end).
    """
    count, noise, asks, gap = 0, 0, False, True
    at = begin
    while at < end:
        point, at = _decoded(data, at)
        count += 1
        code = codes[point]
        if code == 0 or code == _NOISE:
            gap = True
            noise += code != 0
            asks |= point in (_QUESTION, _WIDE_QUESTION)
            continue
        if gap and place and _is_digit(code) and _is_digit(points[place - 1] & POINT):
            points[place] = _DOT | mark
            place += 1
        gap = False
        place = _put(code, mark, points, place)
    if count and place:
        last = points[place - 1] & POINT
        for asking in _ASKING:
            asks |= last == asking
    return place, count, noise, asks


@njit(cache=True, nogil=True, inline="always")  # type: ignore[untyped-decorator]
def _is_digit(point: Any) -> Any:
    return 48 <= point <= 57


@njit(cache=True, nogil=True, inline="always")  # type: ignore[untyped-decorator]
def _bits(byte: Any, kept: Any, shift: Any) -> Any:
    return (np.uint32(byte) & np.uint32(kept)) << np.uint32(shift)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _decoded(data: Any, at: Any) -> Any:
    """The code point whose UTF-8 begins at `at`, and where the next one begins."""
    lead = data[at]
    if lead < 0x80:
        return np.uint32(lead), at + 1
    if lead < 0xE0:
        return _bits(lead, 0x1F, 6) | _bits(data[at + 1], 0x3F, 0), at + 2
    if lead < 0xF0:
        return _bits(lead, 0x0F, 12) | _bits(data[at + 1], 0x3F, 6) | _bits(data[at + 2], 0x3F, 0), at + 3
    high = _bits(lead, 0x07, 18) | _bits(data[at + 1], 0x3F, 12)
    return high | _bits(data[at + 2], 0x3F, 6) | _bits(data[at + 3], 0x3F, 0), at + 4


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _put(code: Any, mark: Any, points: Any, place: Any) -> Any:
    if code & _SPELT_OUT:
        while code & np.uint32(0xFF):
            points[place] = code & np.uint32(0x7F) | mark
            code = (code & np.uint32(0x7FFFFF00)) >> np.uint32(8)
            place += 1
        return place
    points[place] = code | mark
    return place + 1


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _fold_all(data: Any, ends: Any, starts: Any, roles: Any, codes: Any, rows: Any, points: Any, offsets: Any) -> None:
    place = 0
    for number in range(len(rows)):
        begin = place
        for turn in range(starts[rows[number]], starts[rows[number] + 1]):
            mark = PATIENT if roles[turn] == 117 else np.uint32(0)
            place = begin + fold(data, ends[turn], ends[turn + 1], codes, mark, points[begin:], place - begin)[0]
        offsets[number + 1] = place
