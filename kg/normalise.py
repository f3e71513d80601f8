"""One spelling for names and text: width, case, simplified characters, numerals of types; offsets map back exactly.

Nearly every character becomes exactly one, so that a text usually keeps its length and its offsets as they are.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache

import msgspec

_REMOVED = "\u200b\u200c\u200d\u2060\ufeff\u00ad\ufe0e\ufe0f"
_NUMERALS = {"ⅰ": "1", "ⅱ": "2", "ⅲ": "3", "ⅳ": "4", "ⅴ": "5", "ⅵ": "6", "ⅶ": "7", "ⅷ": "8", "ⅸ": "9"}
_WRITTEN = {"一": "1", "二": "2", "三": "3", "四": "4", "五": "5", "六": "6", "七": "7"}
_ROMAN = {"i": "1", "ii": "2", "iii": "3", "iv": "4", "v": "5", "vi": "6", "vii": "7"}
_COUNTED = "[型期度级]"
_TYPE_WRITTEN = re.compile(f"(?<![一二三四五六七八九十百])[一二三四五六七](?={_COUNTED})")
_TYPE_ROMAN = re.compile(f"(?<![a-z])[iv]{{2,3}}(?={_COUNTED})|(?<![a-z0-9])[iv](?=型)")
_SURROGATES = range(0xD800, 0xE000)
_CHANGING = (*range(0x80, 0xD800), *range(0xE000, 0x30000))


class Normalised(msgspec.Struct, frozen=True):
    """A text in one spelling. `origin[i]` is where character i came from; None where that is i itself."""

    text: str
    origin: list[int] | None

    def span(self, start: int, end: int) -> tuple[int, int]:
        """The span of the text as given behind ``text[start:end]``, which must not be empty."""
        if self.origin is None:
            return start, end
        return self.origin[start], self.origin[end - 1] + 1


def normalise(text: str) -> Normalised:
    """The text with half width, lower case, simplified characters and Arabic type numbers (Ⅱ型, II型, 二型: 2型)."""
    if text.isascii():
        simple = text.lower()
        origin = None
    else:
        simple = text.translate(_one_to_one())
        origin = None
        if _uneven().search(simple):
            simple, origin = _expand(simple)
    if _TYPE_ROMAN.search(simple):
        simple, origin = _shorten(simple, origin)
    return Normalised(_TYPE_WRITTEN.sub(lambda found: _WRITTEN[found[0]], simple), origin)


def _expand(text: str) -> tuple[str, list[int]]:
    """Replace the characters that become several, or none."""
    parts, origin = [], []
    table = _one_to_many()
    for place, character in enumerate(text):
        part = table.get(character, character)
        parts.append(part)
        origin += [place] * len(part)
    return "".join(parts), origin


def _shorten(text: str, origin: list[int] | None) -> tuple[str, list[int]]:
    """Write Roman type numbers as one digit; the digit stands for the first letter, the last for the rest."""
    origin = list(range(len(text))) if origin is None else origin
    parts, places, last = [], [], 0
    for found in _TYPE_ROMAN.finditer(text):
        digit = _ROMAN.get(found[0])
        if digit is None:
            continue
        parts += [text[last : found.start()], digit]
        places += [*origin[last : found.start()], origin[found.start()]]
        last = found.end()
    return "".join([*parts, text[last:]]), places + origin[last:]


@cache
def _one_to_one() -> dict[int, str]:
    table = dict.fromkeys(_SURROGATES, "\ufffd")
    simplified = _simplified()
    for code in _CHANGING:
        character = chr(code)
        plain = _NUMERALS.get(character.lower()) or simplified.get(character) or _folded(character)
        if len(plain) == 1 and plain != character:
            table[code] = plain
    table.update({code: chr(code).lower() for code in range(ord("A"), ord("Z") + 1)})
    return table


def _folded(character: str) -> str:
    return unicodedata.normalize("NFKC", character).lower()


@cache
def _one_to_many() -> dict[str, str]:
    """Letters and digits that become several (㎎, ﬁ) and marks nobody sees, which become nothing."""
    table = {chr(code): plain for code in _CHANGING if len(plain := _folded(chr(code))) > 1 and plain.isalnum()}
    table.update(dict.fromkeys(_REMOVED, ""))
    return table


@cache
def _uneven() -> re.Pattern[str]:
    return re.compile("[" + "".join(map(re.escape, sorted(_one_to_many()))) + "]")


@cache
def _simplified() -> dict[str, str]:
    """Traditional characters with their simplified form, one by one."""
    from opencc import OpenCC

    han = [chr(code) for code in (*range(0x3400, 0x4DC0), *range(0x4E00, 0xA000))]
    plain = OpenCC("t2s").convert("\n".join(han)).split("\n")
    return {old: new for old, new in zip(han, plain, strict=True) if len(new) == 1 and new != old}
