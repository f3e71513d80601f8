"""Whether what a text has instead of a name is a slip of the pen: what it leaves whole and what it changes tell."""

from __future__ import annotations

from functools import cache, cached_property
from importlib.resources import files

from rapidfuzz.distance import Levenshtein

from kg.linking.shapes import looks_alike
from kg.linking.sounds import near_in_sound, sounds_alike
from kg.linking.spellings import stopwords

_LIKENESS_GAIN = 0.5
_SHORTEST, _SHORT, _LONG = 2, 4, 6
_QUALITIES = frozenset(
    "不无没非未有正异常左右上下高低增减升降强弱内外前后大小中少多清黄白红黑绿干湿冷热寒早晚急慢轻重阴阳男女老幼儿新旧"
    "甲乙丙丁戊一二三四五六七八九十双两旁0123456789abcdefghijklmnopqrstuvwxyzαβγ"
)
_MEANINGFUL = _QUALITIES | frozenset("肿疼痛痒胀酸麻痰汗头胸腹腰背腿手脚口鼻耳眼喉心肝脾肺肾胃肠脑骨血气尿便咽")
_FUNCTION = frozenset(
    "的了是在和及与或就都也很太有我你他她它这那来去到从被把给让会能要想说着过吗呢吧啊最更还又再不没等且但而则因使每各某均忽特越时仍易较略极颇便即于以为其此本另只仅约"
)
_COUNTS, _MEASURES = frozenset("一二两三四五六七八九十半几每"), frozenset("个次天周月年种瓶盒片粒颗支袋杯碗步点些")
_BESIDE = frozenset("中正一含种由如")
"""Letters that stand before or behind a name and belong to the sentence."""
_HEADS = frozenset("炎病症癌瘤痛疼伤石疮热血变术片丸散剂汤膏液水酸酯盐碱钠钙钾镁锌")
"""Last letters that say what a name is: without them it may be another."""
_OF_A_KIND = ("性", "型", "的")
_OPEN = frozenset("吃服用喝打开涂擦抹含输查做得患买配加叫是了的有和跟与及或在对过吗呢吧啊来片胶颗注缓滴软乳丸散口")
"""Letters that often stand beside a name and belong to no longer word with its own."""


class Slip:
    """``text[start:end]`` beside a name; `held` tells of each letter of the text whether a well spelt name has it."""

    def __init__(self, text: str, start: int, end: int, name: str, held: bytes) -> None:
        self._text, self._start, self._end = text, start, end
        self._kept = held[start:end]
        self._held = sum(self._kept)
        self.window, self.name = text[start:end], name
        edits = Levenshtein.editops(self.window, name)
        self._edits = [(edit.tag, edit.src_pos, edit.dest_pos) for edit in edits]
        self._written = {self.window[at] for tag, at, _ in self._edits if tag != "insert"}
        self._meant = {name[at] for tag, _, at in self._edits if tag != "delete"}
        self._changed = [(self.window[at], name[to]) for tag, at, to in self._edits if tag == "replace"]

    def is_in_letters(self, *, coined: bool) -> bool:
        """Whether letters were changed, lost, doubled or swapped, but none that carries a meaning (左 for 右).

        Both ends stay whole or alike, and so does all of a short name. Where the window holds another name, only a
        long one is missing a letter.
        """
        if self._is_loose or self._held == len(self.window) - 1:
            return False
        if self._swapped is not None:
            return not set(self.window[self._swapped : self._swapped + 2]) <= _MEANINGFUL
        if self._written & _FUNCTION or self._changes_meaning:
            return False
        growth = len(self.window) - len(self.name)
        if self.is_cut_short:
            return len(self.name) > (_SHORT - coined) and self.name[-1] not in _HEADS and self._is_open(self._end)
        if not self._keeps_ends(coined) or (self._held and len(self.name) < _LONG and not self._doubles):
            return False
        if growth < 0:
            return self._lost_inside(coined)
        if growth > 0:
            return self._doubles or (coined and len(self.name) > _SHORT)
        return self._is_like(coined) or (len(self._edits) == 1 and len(self.name) >= _LONG and not self._held)

    @property
    def is_cut_short(self) -> bool:
        """Whether but the last letter of the name is missing."""
        return self.window == self.name[:-1]

    def is_alike(self) -> bool:
        """Whether most letters are the name's own, and the others only sound or look like them."""
        if self.window == self.name or self._is_loose:
            return False
        if self._held == len(self.window) - 1 and not all(looks_alike(*pair) for pair in self._changed):
            return False
        barred = _MEANINGFUL | _FUNCTION if len(self.name) == _SHORTEST else _FUNCTION
        if self._written & barred and len(self.name) <= _SHORT:
            return False
        sounding = all(sounds_alike(*pair) for pair in self._changed)
        if len(self.name) <= _SHORT and self._changes_meaning and not sounding:
            return False
        return 2 * len(self._edits) < max(len(self.name), _SHORTEST + 1)

    def pairs(self) -> list[str]:
        """What the slip put next to each other, in the text as it stands: parts of names there are no slips."""
        return [] if self._swapped is not None else self._read(self._beside() - self._open_ends)

    def telling_pairs(self) -> list[str]:
        """Those across an end of the window, and within a short name: where names have them they are no slips."""
        ends = {self._start - 1, self._end - 1}
        if len(self.name) == _SHORTEST:
            return self._read(ends)
        beside = self._beside() if len(self.name) < _SHORT else self._beside() & ends
        return self._read(beside - self._open_ends)

    @property
    def _open_ends(self) -> set[int]:
        """The pairs across an end of the window where no word goes on."""
        ends = (self._start - 1, self._start - 1), (self._end - 1, self._end)
        return {pair for pair, beside in ends if self._is_open(beside)}

    def _beside(self) -> set[int]:
        if self._swapped is not None:
            return {self._start + self._swapped + step for step in (-1, 0, 1)}
        if self._doubles:
            return set()
        before = {self._start + at - 1 for _, at, _ in self._edits}
        return before | {self._start + at for tag, at, _ in self._edits if tag != "insert"}

    def _read(self, places: set[int]) -> list[str]:
        return [self._text[place : place + 2] for place in sorted(places) if 0 <= place < len(self._text) - 1]

    def makes_word(self) -> bool:
        """Whether what was written makes an everyday word with its neighbours, or a number with what it counts."""
        ends = {self._start - 1, self._end - 1} if len(self.name) == _SHORTEST else set()
        return self._runs_on or self._counts or any(map(_is_word, self._read(self._beside() | ends)))

    def score(self) -> float:
        """1 - slips / length, where a letter that is alike is half a slip, and two that were swapped are one."""
        if self._swapped is not None:
            return round(1 - 1 / len(self.name), 4)
        cost = len(self._edits) - _LIKENESS_GAIN * sum(_alike(*pair) for pair in self._changed)
        return round(1 - cost / max(len(self.window), len(self.name)), 4)

    @property
    def _is_loose(self) -> bool:
        """Whether what is written is an everyday word, the beginning of one that says what kind, or no word at all."""
        if self.window in stopwords() or self.window.endswith(_OF_A_KIND) or not all(map(str.isalnum, self._written)):
            return True
        ends = {self.window[end] for end in (0, -1) if self.window[end] != self.name[end] != "症"}
        return bool(ends & _BESIDE) or any(self._kept[at] for tag, at, _ in self._edits if tag != "insert")

    @cached_property
    def _doubles(self) -> bool:
        """Whether the slip is a letter written twice."""
        return len(self.window) > len(self.name) and any(
            one == other and self.window[:at] + self.window[at + 1 :] == self.name
            for at, (one, other) in enumerate(zip(self.window, self.window[1:], strict=False))
        )

    @cached_property
    def _swapped(self) -> int | None:
        """Where two neighbours stand in the wrong order."""
        if len(self.window) != len(self.name) or self.window == self.name:
            return None
        at = next(at for at, (one, other) in enumerate(zip(self.window, self.name, strict=True)) if one != other)
        swapped = self.window[:at] + self.window[at : at + 2][::-1] + self.window[at + 2 :]
        return at if swapped == self.name else None

    @property
    def _changes_meaning(self) -> bool:
        """Whether one letter that carries a meaning stands for another, is lost or too much."""
        written, meant = self._written & _MEANINGFUL, self._meant & _MEANINGFUL
        if len(self.window) < len(self.name) and len(self.name) >= _LONG:
            return bool(meant & _QUALITIES)
        return bool(written and meant) or (len(self.window) != len(self.name) and bool(written or meant))

    @property
    def _runs_on(self) -> bool:
        """Whether the last letter makes an everyday word with what follows: 肝功能损|害."""
        if len(self.window) == len(self.name) and self.window[-1] == self.name[-1]:
            return False
        return self._text[self._end - 1 : self._end + 1] in everyday_words()

    @property
    def _counts(self) -> bool:
        """Whether it begins with a number and what it counts: 一瓶胶囊."""
        first, second = self._text[max(self._start - 1, 0) : self._start + 1], self.window[:2]
        return any(pair[0] in _COUNTS and pair[-1] in _MEASURES for pair in (first, second))

    def _lost_inside(self, coined: bool) -> bool:
        """Whether enough stands on both sides of what is lost; a lone letter may belong to the word beside it."""
        before = self._edits[0][1]
        after = len(self.window) - before
        if len(self.name) == _SHORT and not coined:
            return False
        if len(self.name) >= _LONG:
            return before > 1 or self._is_open(self._start - 1)
        return (before > 1 or self._is_open(self._start - 1)) and (after > 1 or self._is_open(self._end))

    def _is_open(self, place: int) -> bool:
        """Whether no word goes on at a place."""
        letter = self._text[place : place + 1] if place >= 0 else ""
        return not letter.isalnum() or letter in _OPEN

    def _is_like(self, coined: bool) -> bool:
        return all(_alike(*pair) or (coined and near_in_sound(*pair)) for pair in self._changed)

    def _keeps_ends(self, coined: bool) -> bool:
        """Whether both ends are the name's own or alike; the last letter of a coined name may be less so."""
        first, last = ((self.window[end], self.name[end]) for end in (0, -1))
        loose = coined and len(self.name) >= _SHORT and last[1] not in _HEADS and self._is_open(self._end)
        return _alike(*first) and (_alike(*last) or (loose and near_in_sound(*last)))


def _is_word(pair: str) -> bool:
    """Whether two characters are an everyday word, or go on with a number."""
    return pair in everyday_words() or pair[0].isdigit()


def _alike(one: str, other: str) -> bool:
    return sounds_alike(one, other) or looks_alike(one, other)


@cache
def everyday_words() -> frozenset[str]:
    """The words of `data/everyday.txt`."""
    lines = files("kg").joinpath("data/everyday.txt").read_text(encoding="utf-8").splitlines()
    return frozenset(word for line in lines if not line.startswith("#") for word in line.split())
