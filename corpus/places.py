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
