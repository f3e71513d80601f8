"""Answers that say the same are shown once. A wrong merge loses a comparison for good, a missed one costs an expert a
moment: so answers are alike only where nothing that carries meaning differs."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence

from rapidfuzz.distance import Levenshtein

THRESHOLD = 0.95
LIGHT = frozenset("的地得了着呢吧啊哦呀嘛哈哟噢您你们咱请和与及跟也就都这那")
WEIGHTY = frozenset(
    "不没无未勿莫非别禁忌否停戒"
    "零一二两三四五六七八九十百千万亿半几双单"
    "毫微克升片粒支袋滴丸针包瓶次回日周月年天时分秒岁度"
    "左右上下前后内外高低升降增减加多少大小早晚男女阴阳快慢轻重冷热急缓良恶空饱释复吗"
)
_SIGNS_BETWEEN_DIGITS = re.compile(r"(?<=\d)[.,:：，．](?=\d)")
_DROPPED = re.compile(r"[\s，。！、；：,!;:.…‘’“”'\"（）()【】\[\]《》<>«»*#_`·]+")


def normal(text: str) -> str:
    """The text without width, case, white space, markup and punctuation; signs between digits, question marks and
    signs of quantity stay."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    kept = _SIGNS_BETWEEN_DIGITS.sub(lambda sign: chr(0xE000 + ord(sign[0])), folded)
    return _DROPPED.sub("", kept)


def alike(one: str, other: str) -> bool:
    """Whether two normal forms say the same: equal, or at least `THRESHOLD` similar (1 - Levenshtein distance / longer
    length) and different only in `LIGHT` words or in insertions of Chinese words without figures, units, negations
    and opposites."""
    if one == other:
        return True
    if Levenshtein.normalized_similarity(one, other, score_cutoff=THRESHOLD) < THRESHOLD:
        return False
    return all(
        _harmless(one[step.src_start : step.src_end], other[step.dest_start : step.dest_end])
        for step in Levenshtein.opcodes(one, other)
        if step.tag != "equal"
    )


def merge(texts: Iterable[str]) -> list[list[int]]:
    """Groups of places in `texts` that say the same as the first of their group, in order of the first."""
    groups: list[list[int]] = []
    heads: list[str] = []
    for place, text in enumerate(map(normal, texts)):
        found = _first_alike(heads, text)
        if found is None:
            heads.append(text)
            groups.append([place])
        else:
            groups[found].append(place)
    return groups


def _first_alike(heads: Sequence[str], text: str) -> int | None:
    return next((place for place, head in enumerate(heads) if alike(head, text)), None)


def _harmless(gone: str, come: str) -> bool:
    if gone and come:
        return LIGHT.issuperset(gone + come)
    return not any(sign in WEIGHTY or not "\u4e00" <= sign <= "\u9fff" for sign in gone + come)
