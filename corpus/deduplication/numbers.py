"""Whether two texts contradict each other in a number (a dose, an age, a duration), compiled over comparable texts.

A number is a run of digits with points inside, or Chinese numerals before a unit (两片, 三个月). Texts contradict each
other where each has a number that the other lacks. A digit that became a letter by a slip (次10mg, 次药0mg) is a
missing number, not another one: the same surroundings and something unreadable in its place. So is one that a text
breaks off in (16 of 160 mg).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from corpus.deduplication.comparable import POINT, Points
from corpus.deduplication.minhash import mix

_NUMERALS = np.array(sorted(map(ord, "一二两三四五六七八九十百半")), dtype=np.uint32)
_UNITS = np.array(sorted(map(ord, "片粒次天周年岁袋支包滴颗盒倍")), dtype=np.uint32)
_LONG_UNITS = np.array(
    [[ord(first), ord(second)] for first, second in ("个月", "小时", "分钟", "毫克", "毫升")], np.uint32
)
_AS_DIGIT = np.array(
    [[ord(numeral), ord(digit)] for numeral, digit in zip("一二两三四五六七八九", "1223456789", strict=True)], np.uint32
)
_SURROUNDINGS = 3


def numbers_of(points: Points) -> list[str]:
    """The numbers of a comparable text as they stand, in order."""
    places = _numbers(points)
    return [(points[first:last] & POINT).tobytes().decode("utf-32-le") for first, last in places]


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def contradict(one: Any, other: Any) -> Any:
    """Whether each text has a number that the other neither has nor garbles."""
    numbers, others = _numbers(one), _numbers(other)
    lacking, extra = _unmatched(one, numbers, other, others)
    if not np.any(lacking) or not np.any(extra):
        return False
    _explain(one, numbers, lacking, other, others, extra)
    if not np.any(lacking) or not np.any(extra):
        return False
    _explain(other, others, extra, one, numbers, lacking)
    return np.any(lacking) and np.any(extra)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def numbers_key(points: Any) -> Any:
    """A hash of the numbers of a text, the same in every order; never negative."""
    key = np.uint64(0)
    for number in _numbers(points):
        each = np.uint64(1)
        for place in range(number[0], number[1]):
            each = mix(each ^ np.uint64(_value(points[place] & POINT)))
        key += each
    return np.int64(mix(key) >> np.uint64(1))


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _in(point: Any, points: Any) -> Any:
    for each in points:  # noqa: SIM110 - in a compiled loop np.any makes an array each time
        if each == point:
            return True
    return False


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _is_digit(points: Any, place: Any) -> Any:
    return 0 <= place < len(points) and 48 <= points[place] & POINT <= 57


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _has_unit(points: Any, place: Any) -> Any:
    if place >= len(points):
        return False
    point = points[place] & POINT
    if _in(point, _UNITS):
        return True
    for pair in _LONG_UNITS:
        if point == pair[0] and place + 1 < len(points) and points[place + 1] & POINT == pair[1]:
            return True
    return False


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _numbers(points: Any) -> Any:
    """Where numbers begin and end, shape (n, 2)."""
    found, count, place = np.empty((len(points), 2), dtype=np.int64), 0, 0
    while place < len(points):
        end = place
        if _is_digit(points, place):
            while _is_digit(points, end) or (
                points[min(end, len(points) - 1)] & POINT == 46 and _is_digit(points, end + 1)
            ):
                end += 1
        elif points[place] & POINT >= _NUMERALS[0]:
            while end < len(points) and _in(points[end] & POINT, _NUMERALS):
                end += 1
            if end > place and not _has_unit(points, end):
                place = end
                continue
        if end > place:
            found[count, 0], found[count, 1] = place, end
            count += 1
        place = max(end, place + 1)
    return found[:count]


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _value(point: Any) -> Any:
    for pair in _AS_DIGIT:
        if pair[0] == point:
            return pair[1]
    return point


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _same(one: Any, number: Any, other: Any, another: Any) -> Any:
    if number[1] - number[0] != another[1] - another[0]:
        return False
    for step in range(number[1] - number[0]):
        if _value(one[number[0] + step] & POINT) != _value(other[another[0] + step] & POINT):
            return False
    return True


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _unmatched(one: Any, numbers: Any, other: Any, others: Any) -> Any:
    """Which numbers of either text have no partner of the same value in the other."""
    lacking, extra = np.ones(len(numbers), dtype=np.bool_), np.ones(len(others), dtype=np.bool_)
    for left in range(len(numbers)):
        for right in range(len(others)):
            if extra[right] and _same(one, numbers[left], other, others[right]):
                lacking[left] = extra[right] = False
                break
    return lacking, extra


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _explain(one: Any, numbers: Any, lacking: Any, other: Any, others: Any, extra: Any) -> None:
    """Cross out numbers that `other` garbles, and what is left of them there."""
    for left in range(len(numbers)):
        if not lacking[left]:
            continue
        begin = max(_garbled(one, numbers[left], other), _broken_off(one, numbers[left], other))
        if begin < 0:
            continue
        lacking[left] = False
        end = begin + numbers[left][1] - numbers[left][0]
        for right in range(len(others)):
            if extra[right] and others[right][0] < end and others[right][1] > begin:
                extra[right] = False


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _garbled(one: Any, number: Any, other: Any) -> Any:
    """Where in `other` the number's surroundings hold something as long that is no number; -1 if nowhere."""
    size = number[1] - number[0]
    for begin in range(len(other) - size + 1):
        alike, readable = 0, True
        for step in (-2, -1, size, size + 1):
            place, there = number[0] + step, begin + step
            inside, inside_there = 0 <= place < len(one), 0 <= there < len(other)
            if inside and inside_there:
                alike += one[place] & POINT == other[there] & POINT
            else:
                alike += inside == inside_there
        if alike < _SURROUNDINGS:
            continue
        for step in range(size):
            readable &= _is_digit(other, begin + step) == _is_digit(one, number[0] + step)
        if not readable:
            return begin
    return -1


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _broken_off(one: Any, number: Any, other: Any) -> Any:
    """Where `other` ends in the beginning of a number, after the same two characters; -1 if it does not."""
    for kept in range(1, number[1] - number[0]):
        begin = len(other) - kept
        alike = begin >= 2 and number[0] >= 2
        for step in range(-2, kept):
            alike = alike and one[number[0] + step] & POINT == other[begin + step] & POINT
        if alike:
            return begin
    return -1
