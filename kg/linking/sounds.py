"""How characters sound: syllables without tone, with what accents and input methods confuse taken for the same."""

from __future__ import annotations

import re
import sys
import unicodedata
from functools import cache

import numpy as np
from numpy.typing import NDArray

_CONFUSED = (("^([zcs])h", r"\1"), ("^n(?=[aeiouv])", "l"), ("([ei])ng$", r"\1n"))
_SYLLABLE = re.compile("([bpmfdtnlgkhjqxzcsryw]?)[iuv]?([aoeiuv][a-z]*)")
_FIRST = 0xE000


@cache
def syllables() -> NDArray[np.uint32]:
    """Code point to the code of its syllable, in Unicode's private use area; other characters to themselves."""
    table = np.arange(sys.maxunicode + 1, dtype=np.uint32)
    codes = list(_readings())
    _, numbers = np.unique(list(_readings().values()), return_inverse=True)
    table[codes] = _FIRST + numbers
    return table


def sounds_alike(one: str, other: str) -> bool:
    """Whether two characters can be read as one syllable."""
    return one == other or not _sounds(one).isdisjoint(_sounds(other))


def near_in_sound(one: str, other: str) -> bool:
    """Whether two characters begin or end alike (芬 and 非, 他 and 拉), as letters do that write a foreign sound."""
    parts = [_SYLLABLE.fullmatch(_sound(character)) for character in (one, other)]
    if parts[0] is None or parts[1] is None:
        return False
    initials, ends = zip(*(part.groups() for part in parts if part), strict=True)
    return bool(initials[0] == initials[1] != "" or ends[0] == ends[1])


@cache
def _sounds(character: str) -> frozenset[str]:
    """The two syllables that a character is read as first."""
    from pypinyin.pinyin_dict import pinyin_dict

    return frozenset(map(_plain, filter(None, pinyin_dict.get(ord(character), "").split(",")[:2])))


def _sound(character: str) -> str:
    return _readings().get(ord(character), "")


@cache
def _readings() -> dict[int, str]:
    """The first reading that pypinyin knows of each character."""
    from pypinyin.pinyin_dict import pinyin_dict

    return {code: _plain(readings.split(",")[0]) for code, readings in pinyin_dict.items()}


def _plain(reading: str) -> str:
    letters = unicodedata.normalize("NFD", reading).replace("u\u0308", "v")
    sound = "".join(letter for letter in letters if letter.isascii())
    for pattern, same in _CONFUSED:
        sound = re.sub(pattern, same, sound)
    return sound
