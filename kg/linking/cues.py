"""The words that tell whether a finding is there, whose it is and when: `data/cues.txt` as a table for `scopes`."""

from __future__ import annotations

import sys
from functools import cache, reduce
from importlib.resources import files
from operator import or_

import numpy as np
from numpy.typing import NDArray

from kg.linking.scopes import (
    ASKS,
    BARE,
    CHAINS,
    CLASS_BITS,
    CLAUSE_END,
    DIGIT,
    FILLS,
    GOES_ON,
    HOLDS_OFF,
    LIST_END,
    OPEN,
    PRESUPPOSES,
    REPORTS,
    TRAIT_BITS,
    TREATS,
    WORD,
    Cue,
    CueTable,
)
from kg.normalise import normalise_all

_WHOLE = {"FILLS": FILLS, "BARE": BARE | FILLS, "CHAINS": CHAINS, "TREATS": TREATS}
_CONTAINED = {"OPEN": OPEN, "PRESUPPOSES": PRESUPPOSES, "HOLDS_OFF": HOLDS_OFF}
_CLASSES = {
    CLAUSE_END: ",.。;!? )|~\n了的啊呢哦哈呀吧",
    LIST_END: ",.。、;! )病史等和及或\n",
    REPORTS: "说觉让叫带给催问担陪讲想认",
    ASKS: "?吗",
    DIGIT: "0123456789",
    GOES_ON: "或如",
}

_ASKING = {"是": "不是", "有": "没有", "会": "不会", "能": "不能"}


@cache
def cue_table() -> CueTable:
    """The table of all words, in normalised spelling."""
    sections = _sections()
    kinds, traits = _kinds(sections), _traits(sections)
    words = sorted(kinds.keys() | traits.keys())
    letters = sorted({letter for word in words for letter in word})
    columns = {letter: column for column, letter in enumerate(letters, start=1)}
    meant = {
        word: WORD | kinds.get(word, Cue.LOOK_ALIKE) | _traits_of(word, traits, sections) << TRAIT_BITS
        for word in words
    }
    return CueTable(_letters(columns), _nodes(meant, columns))


def _nodes(meant: dict[str, int], columns: dict[str, int]) -> NDArray[np.int16]:
    """The trie of words as a double array: what follows a beginning lies where there is room first."""
    beginnings = sorted({word[:end] for word in meant for end in range(1, len(word) + 1)})
    following: dict[str, list[int]] = {}
    for beginning in beginnings:
        following.setdefault(beginning[:-1], []).append(columns[beginning[-1]])
    room = 2 * len(beginnings)
    free, bases = np.ones(room + len(columns) + 1, dtype=bool), dict[str, int]()
    for beginning in sorted(following, key=lambda one: (len(one) > 0, -len(following[one]))):
        fits = np.logical_and.reduce([free[column : column + room] for column in following[beginning]])
        bases[beginning] = int(fits.argmax())
        free[bases[beginning] + np.array(following[beginning])] = False
    places = {"": 0} | {one: bases[one[:-1]] + columns[one[-1]] for one in beginnings}
    nodes = np.full((max(bases.values()) + len(columns) + 1, 3), (-1, 0, 0), dtype=np.int16)
    for one in beginnings:
        nodes[places[one]] = places[one[:-1]], bases.get(one, 0), meant.get(one, 0)
    return nodes


def _sections() -> dict[str, list[str]]:
    """The words of `data/cues.txt` by section, in normalised spelling."""
    sections: dict[str, list[str]] = {}
    words: list[str] = []
    for line in files("kg").joinpath("data/cues.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            words = sections.setdefault(line.strip("[]"), [])
        elif not line.startswith("#"):
            words += normalise_all(line.split())
    return sections


def _kinds(sections: dict[str, list[str]]) -> dict[str, int]:
    """The kind of each cue. One listed twice keeps the first; one that ends like a question begins gives way to the
    question: 之前有 to 之前有没有."""
    kinds: dict[str, int] = {" ": Cue.SPACE, "\n": Cue.LINE}
    for section, words in sections.items():
        if section in Cue._fields:
            kinds |= dict.fromkeys(words, getattr(Cue, section)) | kinds
    for word in list(kinds):
        for end, asked in _ASKING.items():
            if word.endswith(end):
                kinds.setdefault(word + asked, Cue.UNCERTAIN)
    return kinds


def _traits(sections: dict[str, list[str]]) -> dict[str, int]:
    """The traits that words are listed with."""
    traits: dict[str, int] = {}
    for section, trait in (_WHOLE | _CONTAINED).items():
        for word in sections[section]:
            traits[word] = traits.get(word, 0) | trait
    return traits


def _traits_of(word: str, traits: dict[str, int], sections: dict[str, list[str]]) -> int:
    """A word's own traits, and those that every word with a certain part in it has."""
    inherited = (trait for section, trait in _CONTAINED.items() if any(part in word for part in sections[section]))
    return reduce(or_, inherited, traits.get(word, 0))


def _letters(columns: dict[str, int]) -> NDArray[np.uint16]:
    table = np.zeros(sys.maxunicode + 1, dtype=np.uint16)
    for letter, column in columns.items():
        table[ord(letter)] = column << CLASS_BITS
    for number, characters in _CLASSES.items():
        for character in characters:
            table[ord(character)] |= number
    return table
