"""Groups of people whom drugs are forbidden to, under the names that text and graphs give them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from kg.graph import KnowledgeGraph
from kg.normalise import normalise

_SPOKEN = {
    "孕妇": "孕妇|怀孕(?:期间?|妇女|的?女性|的人|时)?|孕期|妊娠期?(?:妇女)?|孕妈妈?|准妈妈",
    "哺乳期妇女": "哺乳期(?:妇女|的?妈妈|女性)?|哺乳(?:妇女|期间)|(?:母乳喂养|喂奶)(?:期间)?|乳母",
    "儿童": "儿童|小孩子?|孩子|宝宝|小儿|婴幼儿|幼儿|婴儿|小朋友|患儿",
    "老年人": "老年人|老人家?|老年患者",
}
_BOTH = "孕妇及哺乳期妇女 妊娠期及哺乳期妇女 妊娠及哺乳期妇女 孕妇和哺乳期妇女"
_WRITTEN = {
    "孕妇": f"孕妇 妊娠期妇女 妊娠妇女 妊娠期 妊娠 怀孕妇女 孕期 孕期妇女 怀孕 {_BOTH}",
    "哺乳期妇女": f"哺乳期妇女 哺乳期 哺乳妇女 哺乳期女性 乳母 {_BOTH}",
    "儿童": "儿童 小儿 婴幼儿及儿童 小孩 未成年人",
    "老年人": "老年人 老人 老年患者",
}
_PATTERN = re.compile("|".join(f"(?P<g{number}>{words})" for number, words in enumerate(_SPOKEN.values())))
_NAMES = tuple(_SPOKEN)


def groups_in(text: str) -> Iterator[tuple[int, int, str]]:
    """Start, end and name of the groups a normalised text speaks of."""
    for found in _PATTERN.finditer(text):
        yield found.start(), found.end(), _NAMES[int((found.lastgroup or "g0")[1:])]


def entities_of(graph: KnowledgeGraph) -> dict[str, list[str]]:
    """For each group the entities of a graph that mean it."""
    found = {name: [graph.entity(written) for written in words.split()] for name, words in _WRITTEN.items()}
    return {name: [entity for entity in dict.fromkeys(entities) if entity] for name, entities in found.items()}


def group_of(name: str) -> str | None:
    """The group that a graph's entity means: 妊娠期妇女 is 孕妇."""
    plain = normalise(name).text
    return next((group for group, words in _WRITTEN.items() if plain in words.split()), None)
