"""Whether what a text has instead of a name is a slip of the pen: what it leaves whole and what it changes tell."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache, cached_property
from importlib.resources import files

from rapidfuzz.distance import Levenshtein

from kg.sounds import rhymes, sounds_alike
from kg.spellings import stopwords

_SOUND_COST = 0.5
_SHORT, _LONG = 4, 6
_MEANINGFUL = frozenset(
    "不无没非未有正异常左右上下高低增减升降强弱内外前后大小中少多清黄白红黑绿干湿冷热寒早晚急慢轻重阴阳男女老幼儿新旧"
    "肿疼痛痒胀酸麻头胸腹腰背腿手脚口鼻耳眼喉心肝脾肺肾胃肠脑骨血尿便甲乙丙丁戊一二三四五六七八九十双两旁"
    "0123456789abcdefghijklmnopqrstuvwxyzαβγ"
)
_FUNCTION = frozenset(
    "的了是在和及与或就都也很太有我你他她它这那来去到从被把给让会能要想说着过吗呢吧啊最更还又再不没等且但而则因使每各某均忽特越时仍易较略极颇便即于以为其此本另只仅约"
)


class Slip:
    """``text[start:end]`` beside a name."""

    def __init__(self, text: str, start: int, end: int, name: str) -> None:
        self._text, self._start = text, start
        self.window, self.name = text[start:end], name
        self._edits = Levenshtein.editops(self.window, name)
        self._written = {self.window[edit.src_pos] for edit in self._edits if edit.tag != "insert"}
        self._meant = {name[edit.dest_pos] for edit in self._edits if edit.tag != "delete"}

    def is_in_letters(self, *, coined: bool) -> bool:
        """Whether letters were changed, lost or doubled, and nothing that carries a meaning (左 for 右, 黄 for 清).

        A short name stays whole at both ends, unless what stands there sounds alike.
        """
        if self.window in stopwords() or self._written & _FUNCTION or self._changes_meaning:
            return False
        growth = len(self.window) - len(self.name)
        if growth < 0 and len(self.name) == _SHORT and not coined:
            return False
        if growth > 0 and not (coined and len(self.name) > _SHORT) and not self._doubles:
            return False
        if growth == 0 and len(self.name) < _LONG and not coined and not self._rhymes:
            return False
        return self._keeps_ends or (growth == 0 and len(self.name) >= _LONG)

    def is_in_sound(self) -> bool:
        """Whether most letters are the name's own, and the others only sound like them."""
        if self.window == self.name or self.window in stopwords() or self._written & _FUNCTION:
            return False
        if len(self.name) <= _SHORT and self._written & _MEANINGFUL:
            return False
        return 2 * len(self._edits) < len(self.name)

    def pairs(self) -> Iterator[str]:
        """What the slip put next to each other, in the text as it stands: words there are no slips."""
        if self._doubles:
            return
        for edit in self._edits:
            place = self._start + edit.src_pos
            for first in (place - 1, place) if edit.tag != "insert" else (place - 1,):
                pair = self._text[max(first, 0) : first + 2]
                if len(pair) == 2:
                    yield pair

    def runs_on(self) -> bool:
        """Whether the last letter makes an everyday word with what follows: 肝功能损|害."""
        end = self._start + len(self.window)
        return self._text[end - 1 : end + 1] in everyday_words()

    def score(self) -> float:
        """1 - slips / length, where a letter that sounds alike is half a slip."""
        costs = (
            _SOUND_COST
            if edit.tag == "replace" and sounds_alike(self.window[edit.src_pos], self.name[edit.dest_pos])
            else 1
            for edit in self._edits
        )
        return round(1 - sum(costs) / max(len(self.window), len(self.name)), 4)

    @cached_property
    def _doubles(self) -> bool:
        """Whether the slip is a letter written twice."""
        return len(self.window) > len(self.name) and any(
            one == other and self.window[:at] + self.window[at + 1 :] == self.name
            for at, (one, other) in enumerate(zip(self.window, self.window[1:], strict=False))
        )

    @property
    def _changes_meaning(self) -> bool:
        """Whether one letter that carries a meaning stands for another, is lost or too much."""
        written, meant = self._written & _MEANINGFUL, self._meant & _MEANINGFUL
        return bool(written and meant) or (len(self.window) != len(self.name) and bool(written or meant))

    @property
    def _rhymes(self) -> bool:
        return all(rhymes(self.window[edit.src_pos], self.name[edit.dest_pos]) for edit in self._edits)

    @property
    def _keeps_ends(self) -> bool:
        return all(sounds_alike(self.window[end], self.name[end]) for end in (0, -1))


@cache
def everyday_words() -> frozenset[str]:
    """The words of `data/everyday.txt`."""
    lines = files("kg").joinpath("data/everyday.txt").read_text(encoding="utf-8").splitlines()
    return frozenset(word for line in lines if not line.startswith("#") for word in line.split())
