"""The phrases in which doctors state what a graph can know, compiled from `drug_phrases` and `illness_phrases`.

They are searched in skeletons: sentences in which every name is one capital letter. 孕妇可以吃布洛芬 is G可以吃D.

    D drug            F disease, symptom    G group of people    E examination    K department    O food, alcohol
    T treatment       C cause               I ingredient         B part of body   N denied        X any other name

Normalised text has no capitals of its own, and its commas are ASCII.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import IntEnum
from functools import cache

import msgspec

from kg.checking import drug_phrases as drugs
from kg.checking import illness_phrases as illnesses
from kg.checking.wording import (
    IF,
    NEVER,
    NO_EFFECT,
    NOT_BAD,
    NOT_CAUSED,
    NOT_FORBIDDEN,
    NOT_GIVEN_BOTH,
    NOT_NEEDED,
    NOT_RECOMMENDED,
    NOT_STATED,
    NOT_STOPPED,
)
from kg.relations import (
    ADVERSE,
    AVOIDED_FOOD,
    CAUSE,
    COMPLICATION,
    CONTRAINDICATION,
    DEPARTMENT,
    EXAMINATION,
    INDICATION,
    INGREDIENT,
    INTERACTION,
    RECOMMENDED_FOOD,
    SITE,
    SUSCEPTIBLE,
    SYMPTOM,
    TOGETHER,
    TREATMENT,
)

CAUSING = "导致"
"""The cause relation read backwards."""


class Omission(IntEnum):
    """Whether a phrase may leave out what it speaks of: never, behind a clause that names it, behind a sentence."""

    NONE = 0
    NEAR = 1
    FAR = 2


class Phrase(msgspec.Struct, frozen=True):
    """A way to state a relation; the groups `s` and `o` of the pattern hold the letters of its ends.

    The words leave open which of `relations` is meant; the first is the usual one. A match that holds a word of
    `veto` states something else; `subjects` and `objects` are the letters that may stand at the ends.
    """

    relations: tuple[str, ...]
    pattern: re.Pattern[str]
    veto: re.Pattern[str]
    omission: Omission
    subjects: frozenset[str]
    objects: frozenset[str]


class Ways(msgspec.Struct, frozen=True):
    """Ways to state the same: patterns by the example beside them, what none of them may hold, what they leave out."""

    relations: tuple[str, ...]
    veto: str
    omission: Omission
    patterns: dict[str, str]


_CURE_KINDS = (TREATMENT, "手术治疗", "辅助治疗", "化疗", "放射治疗")
NONE, NEAR, FAR = Omission
WAYS = (
    Ways((INDICATION,), NOT_RECOMMENDED, FAR, drugs.INDICATIONS),
    Ways((INDICATION,), f"{IF}|除了|不是", NEAR, drugs.HARMLESS),
    Ways((CONTRAINDICATION,), NOT_FORBIDDEN, FAR, drugs.BANS),
    Ways((CONTRAINDICATION,), NOT_STOPPED, FAR, drugs.STOPS),
    Ways((ADVERSE,), NOT_CAUSED, NEAR, drugs.SIDE_EFFECTS),
    Ways((ADVERSE,), NO_EFFECT, FAR, drugs.TOLD_SIDE_EFFECTS),
    Ways((INTERACTION,), NEVER, NONE, drugs.CLASHES),
    Ways((INTERACTION,), NOT_STATED.replace("禁|", ""), NONE, drugs.EFFECTS_ON_EACH_OTHER),
    Ways((TOGETHER,), NOT_GIVEN_BOTH, NONE, drugs.PAIRS),
    Ways((TOGETHER,), NOT_BAD, NONE, drugs.HARMLESS_PAIRS),
    Ways((INGREDIENT,), NOT_STATED, NEAR, drugs.CONTENTS),
    Ways((SYMPTOM, COMPLICATION, CAUSING), NOT_CAUSED, NEAR, illnesses.SYMPTOMS),
    Ways((SYMPTOM,), NOT_STATED, FAR, illnesses.NAMED_SYMPTOMS),
    Ways((COMPLICATION,), "没|无|不会|预防|避免", NEAR, illnesses.COMPLICATIONS),
    Ways((COMPLICATION,), "没|无|不会|不是", NEAR, illnesses.NAMED_COMPLICATIONS),
    Ways((CAUSE,), NOT_STATED, NEAR, illnesses.CAUSES),
    Ways((CAUSING,), NOT_CAUSED, NONE, illnesses.CAUSED_BY),
    Ways((EXAMINATION,), NOT_NEEDED, FAR, illnesses.TESTS),
    Ways((DEPARTMENT,), NOT_NEEDED, FAR, illnesses.WARDS),
    Ways((AVOIDED_FOOD,), "不是|不必|没必要", NEAR, illnesses.BAD_FOOD),
    Ways((RECOMMENDED_FOOD,), "不|少|忌|避免|戒|别|禁|勿|终|停|拒", NEAR, illnesses.GOOD_FOOD),
    Ways(_CURE_KINDS, NOT_STATED, FAR, illnesses.CURES),
    Ways((SITE,), NOT_STATED, NEAR, illnesses.SITES),
    Ways((SUSCEPTIBLE,), NOT_STATED, NONE, illnesses.PRONE),
)


@cache
def phrases() -> tuple[Phrase, ...]:
    """Every phrase, compiled."""
    return tuple(phrase for ways in WAYS for phrase in _compiled(ways))


def _compiled(ways: Ways) -> Iterator[Phrase]:
    veto = re.compile(ways.veto)
    for pattern in ways.patterns.values():
        ends = _ends(pattern, "s"), _ends(pattern, "o")
        yield Phrase(ways.relations, re.compile(pattern), veto, ways.omission, *ends)


def _ends(pattern: str, group: str) -> frozenset[str]:
    """The letters that a named group of a pattern begins with."""
    found = re.search(rf"\(\?P<{group}>\[?([A-Z]+)", pattern)
    assert found, pattern
    return frozenset(found[1])
