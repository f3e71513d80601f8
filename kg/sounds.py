"""How characters sound: syllables without tone, with what accents and input methods confuse taken for the same."""

from __future__ import annotations

import re
import sys
import unicodedata
from functools import cache

import numpy as np
from numpy.typing import NDArray

_CONFUSED = (("^([zcs])h", r"\1"), ("^n(?=[aeiouv])", "l"), ("([ei])ng$", r"\1n"))
_RHYME = re.compile("(?:[aoe]|(?<![aoe])[iuv](?![aoe]))[a-z]*$")
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
    """Whether two characters have one syllable."""
    return one == other or _sound(one) == _sound(other) != ""


def rhymes(one: str, other: str) -> bool:
    """Whether two characters end alike, as those with a component in common often do (襄 and 囊, 挑 and 桃)."""
    ends = [_RHYME.search(_sound(character)) for character in (one, other)]
    return ends[0] is not None and ends[1] is not None and ends[0][0] == ends[1][0]


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
