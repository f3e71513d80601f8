"""Names of Chinese provinces and cities, of well-known hospitals, and surnames: what is known beforehand."""

from __future__ import annotations

from importlib.resources import files


def _words(name: str) -> tuple[str, ...]:
    return tuple((files("corpus") / "data" / name).read_text(encoding="utf-8").split())


PROVINCES = _words("provinces.txt")
CITIES = _words("cities.txt")
FAMOUS_HOSPITALS = _words("hospitals.txt")
SURNAMES = tuple(name for name in _words("surnames.txt") if len(name) == 1)
# Surnames that end no common word, so that one before a title is a name wherever it stands.
UNMISTAKABLE_SURNAMES = _words("surnames_unmistakable.txt")
COMPOUND_SURNAMES = tuple(name for name in _words("surnames.txt") if len(name) > 1)
# Beginnings of words that only look like a name: 高血压, 黄疸, 石膏, 雷贝拉唑.
NO_NAMES = frozenset(_words("no_names.txt"))

_HAN = "\u4e00-\u9fff"
_PLACE = "|".join(sorted((*PROVINCES, *CITIES), key=len, reverse=True))
# Prepositions, verbs and pronouns: no part of a place's name, so that a name begins after them.
_STOP = "去到在于从是来往找的我你您他她们住看上转和跟与及就了过这那某有个家各每同先再又还也都并且回入近离被把让叫请给"
_STOP += "向对至全或者本该现医一较很比些次社地"
PLACE_CHARACTER = f"[^\\W\\d_a-zA-Z{_STOP}省市县区院]"
_UNIT = "(?:自治[区州县]|省|市|县|区|州|旗|镇|乡)"
_KNOWN_AREA = f"(?:{_PLACE})(?:特别行政区|自治[区州县]|省|市|地区|区|县)?"
# Four characters before 市 or 区 are a name only where the name surely begins there.
_FIRST_AREA = (
    f"(?:{_KNOWN_AREA}|(?:(?<![{_HAN}])|(?<=[去到在于从是来])){PLACE_CHARACTER}{{2,4}}{_UNIT}"
    f"|{PLACE_CHARACTER}{{2}}{_UNIT})"
)
# Within an area the names of smaller ones may be longer: 上海市浦东新区.
AREA = f"(?:{_FIRST_AREA}(?:{PLACE_CHARACTER}{{1,5}}{_UNIT})?)"
