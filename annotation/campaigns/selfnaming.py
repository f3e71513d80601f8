"""Answers that give their model away, which no shuffling can make blind.

Some names give a model away wherever they stand. Others are also physicians of old, a food or a syndrome (华佗, 豆包,
Claude): they count only where the answer introduces itself.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from functools import cache
from importlib.resources import files

_ITSELF = r"(?:我是|我叫|作为|本人是|\bI am|\bI'm|\bas)\s?(?:an? |一[个款名位])?[^，。！？,.!?\n]{0,12}?"
_MAKER = r"由[^，。！？\s]{1,20}(?:开发|训练|研发|推出)的[^，。！？\s]{0,8}(?:模型|助手)"
_SHORTEST_NAME = 4


def names_model(text: str, model: str) -> str | None:
    """The words by which an answer names a model, its own above all; None where it names none."""
    own = model.rsplit("/", 1)[-1]
    if len(own) >= _SHORTEST_NAME and own.casefold() in text.casefold():
        return own
    found = next(filter(None, (pattern.search(text) for pattern in _patterns())), None)
    return found[0].strip() if found else None


@cache
def _patterns() -> Sequence[re.Pattern[str]]:
    names = json.loads(files("annotation").joinpath("data/model_names.json").read_text(encoding="utf-8"))
    always, itself = (_any_of(names[key]) for key in ("always", "when_it_speaks_of_itself"))
    return [re.compile(pattern, re.IGNORECASE) for pattern in (always, _ITSELF + itself, _MAKER)]


def _any_of(names: Sequence[str]) -> str:
    """Any of the names, a version behind it or not; Latin ones as words of their own."""
    longest_first = sorted(names, key=lambda name: (-len(name), name))
    return rf"(?<![A-Za-z])(?:{'|'.join(map(re.escape, longest_first))})(?:[- ]?\d[\d.]*)?(?![A-Za-z])"
