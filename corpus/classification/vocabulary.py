"""The one vocabulary of departments and scenarios, and what speaks for each of them: `data/classes.toml`."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files

import msgspec

ANYTHING = "…"


class Department(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`names` is a regular expression of what files call it; `words` are what people say when it is theirs."""

    name: str
    english: str
    names: str
    words: str


class Scenario(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a patient wants: `words` that speak for it, and ways to ask, a line each, with … for what is asked about."""

    name: str
    english: str
    words: str
    asks: str


class Vocabulary(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All classes. Departments stand in the order in which their `names` are tried."""

    department: list[Department]
    scenario: list[Scenario]


@cache
def vocabulary() -> Vocabulary:
    """The vocabulary as it is shipped."""
    text = (files("corpus") / "data" / "classes.toml").read_text(encoding="utf-8")
    return msgspec.convert(tomllib.loads(text), Vocabulary)


@cache
def department_words() -> dict[str, list[str]]:
    """The words of each department."""
    return {one.name: one.words.split() for one in vocabulary().department}


@cache
def scenario_forms() -> dict[str, list[str]]:
    """The ways to ask of each scenario."""
    return {one.name: one.asks.strip().splitlines() for one in vocabulary().scenario}


@cache
def scenario_words() -> dict[str, list[str]]:
    """The words of each scenario, and what is left of its ways to ask without that which is asked about."""
    forms = scenario_forms()
    return {
        one.name: [*one.words.split(), *(part for form in forms[one.name] for part in form.split(ANYTHING) if part[1:])]
        for one in vocabulary().scenario
    }


def scenarios() -> tuple[str, ...]:
    """The names of all scenarios."""
    return tuple(scenario_forms())
