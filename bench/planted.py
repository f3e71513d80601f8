"""Made-up consultations that have nothing in common, and near-duplicates planted among them, for `bench_dedup.py`.

Words are drawn from a vocabulary with the frequencies of a natural language (Zipf), so that two unrelated texts share
as many 3-grams as two real consultations do (about 1.5 % measured on DialMed), and no sentence template is repeated.
"""

import random
from collections.abc import Callable, Iterator
from functools import cache
from itertools import islice
from typing import Any

import msgspec
import numpy as np

from corpus.records import Dialogue, Message, Meta

TURNS = 4
CHUNK = 2_000
WORDS_A_TURN = (26, 44)
VOCABULARY = 30_000
COPIES = 0.16
BOILERPLATE = (
    "您好，感谢您的信任，病情资料我已详细阅读，以下回复由平台签约医师提供，仅供参考，具体请以线下面诊的医嘱为准。"
)
UNITS = ("毫克", "mg", "次", "天", "周", "片", "岁", "度", "个月", "毫升")
EDITED = {"1 % edited": 0.01, "2 % edited": 0.02, "5 % edited": 0.05, "10 % edited": 0.1}

Turns = list[str]


class Planted(msgspec.Struct, frozen=True):
    """Turns, and where they are a copy: of which document and of what kind."""

    turns: Turns
    original: int | None = None
    kind: str | None = None


def planted(count: int, seed: int = 0) -> Iterator[Planted]:
    """`count` texts; `COPIES` of them are copies of an earlier text in its chunk, all kinds in equal parts."""
    lots = random.Random(seed)
    fresh = _fresh(np.random.default_rng(seed))
    kinds = list(KINDS)
    held: list[Planted] = []
    turn = 0
    for number in range(count):
        if number % CHUNK == 0:
            held = []
        if held and lots.random() < COPIES:
            kind = kinds[turn % len(kinds)]
            turn += 1
            place = lots.randrange(len(held))
            while held[place].original is not None:
                place = lots.randrange(len(held))
            original = number - number % CHUNK + place
            item = Planted(KINDS[kind](held[place].turns, lots), original, kind)
        else:
            item = Planted(next(fresh))
        held.append(item)
        yield item


def dialogues(items: Iterator[Planted]) -> Iterator[Dialogue]:
    """The texts as dialogues whose ids are their numbers."""
    for number, item in enumerate(items):
        yield Dialogue(
            id=f"d-{number:016x}",
            messages=[Message("assistant" if place % 2 else "user", text) for place, text in enumerate(item.turns)],
            source="bench",
            meta=Meta(file="bench.jsonl", line=number + 1, format="jsonl"),
        )


def edited(share: float) -> Callable[[Turns, random.Random], Turns]:
    """An edit of `share` of the characters: replaced, left out or added, in equal parts."""

    def edit(turns: Turns, lots: random.Random) -> Turns:
        text = list("\n".join(turns))
        places = [place for place, character in enumerate(text) if character != "\n"]
        for place in lots.sample(places, max(1, round(share * len(places)))):
            text[place] = lots.choice(_han())
        return "".join(text).split("\n")

    return edit


def _reordered(turns: Turns, _lots: random.Random) -> Turns:
    pairs = [turns[place : place + 2] for place in range(0, len(turns), 2)]
    return [turn for pair in reversed(pairs) for turn in pair]


def _prefaced(turns: Turns, _lots: random.Random) -> Turns:
    return [turns[0], BOILERPLATE + turns[1], *turns[2:]]


def _cut(turns: Turns, _lots: random.Random) -> Turns:
    left = round(0.8 * sum(map(len, turns)))
    kept = []
    for turn in turns:
        kept.append(turn[:left])
        left -= len(turn)
        if left <= 0:
            break
    return kept


def _reformatted(turns: Turns, _lots: random.Random) -> Turns:
    wide = {code: code + 0xFEE0 for code in range(0x21, 0x7F)}
    return [" " + _traditional().convert(turn).translate(wide).replace("，", " , ") + "!!" for turn in turns]


KINDS: dict[str, Callable[[Turns, random.Random], Turns]] = {
    **{name: edited(share) for name, share in EDITED.items()},
    "turns reordered": _reordered,
    "boilerplate before": _prefaced,
    "20 % cut": _cut,
    "format changed": _reformatted,
}


def _fresh(random_numbers: np.random.Generator) -> Iterator[Turns]:
    words = _vocabulary()
    weights = 1 / (np.arange(len(words)) + 5.0)
    weights /= weights.sum()
    cumulated = np.cumsum(weights)
    while True:
        lengths = random_numbers.integers(*WORDS_A_TURN, size=(500, TURNS))
        drawn = iter(np.searchsorted(cumulated, random_numbers.random(int(lengths.sum()))).tolist())
        for row in lengths.tolist():
            yield ["".join(words[place] for place in islice(drawn, size)) for size in row]


@cache
def _vocabulary() -> list[str]:
    """Punctuation and quantities among the frequent, invented words of one to three characters for the rest."""
    lots = random.Random(1)
    words = ["".join(lots.choices(_han(), k=lots.choice((1, 2, 2, 2, 3)))) for _ in range(VOCABULARY)]
    words[2:5] = ["，", "。", "？"]
    for place in range(60, 400, 24):
        words[place] = f"{lots.randint(1, 200)}{lots.choice(UNITS)}"
    return words


@cache
def _han() -> list[str]:
    """The characters of GB 2312's first level that have one traditional form, in a made-up order of frequency."""
    rows = b"".join(bytes((row, cell)) for row in range(0xB0, 0xD8) for cell in range(0xA1, 0xFF))
    return list(rows.decode("gb2312", "ignore"))


@cache
def _traditional() -> Any:
    from opencc import OpenCC

    return OpenCC("s2t")
