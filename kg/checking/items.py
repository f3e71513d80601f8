"""What stands in a text, as items with their letters: linked names, groups of people, the allergic, alcohol, wards."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from kg.checking.groups import (
    ALCOHOL,
    alcohol_in,
    allergic_in,
    departments_in,
    entities_of,
    group_of,
    groups_in,
    is_of_others,
)
from kg.checking.reading import Item
from kg.graph import KnowledgeGraph
from kg.records import EntityType, Mention

_LETTERS: dict[EntityType, str] = {
    "drug": "D",
    "disease": "F",
    "symptom": "F",
    "examination": "E",
    "department": "K",
    "group": "G",
    "food": "O",
    "treatment": "T",
    "cause": "C",
    "pathogen": "C",
    "ingredient": "I",
    "body_part": "B",
}
_WITHOUT = re.compile(
    "(?:(?:(?<!有)没有?|未|(?<!有)无)(?:再?次?(?:出现|发生|发现|合并|伴有?))?|非|(?<!是)不是|除了|(?<!排)除"
    "|不备孕[和或及、]|[岁月]以上的?|不能?算|不属于)$"
)
_PART_OF_A_WORD = re.compile("表面抗体|抗体|病毒|疫苗|免疫球|两对半|携带者")
_OPERATING = re.compile("(?:辅助)?下?[^,。;、]{0,6}(?:手术|切除)")
_COMPARED = re.compile("(?:比起?|不如|好过|胜过|强过|优于|相较于?)$")
_EXCLUDING = 6


class Items:
    """Finds what a text over one graph speaks of."""

    def __init__(self, graph: KnowledgeGraph) -> None:
        self._graph = graph
        self._groups = entities_of(graph)
        self._alcohol = frozenset(self._groups[ALCOHOL])

    def of(self, text: str, mentions: Sequence[Mention]) -> list[Item]:
        """What a normalised text speaks of, in order of place; names first, groups and the like where none stands."""
        allergic = [
            Item("N" if _is_without(text, start) else "G", start, end, name, [name])
            for start, end, name in allergic_in(text, self._graph)
        ]
        items = _beside(allergic, (self._item(text, mention) for mention in mentions))
        groups = (
            Item("N" if _is_without(text, start) else "G", start, end, name, self._groups[name])
            for start, end, name in groups_in(text)
        )
        alcohol = self._groups[ALCOHOL]
        drinks = (Item("O", start, end, alcohol[0] if alcohol else ALCOHOL, alcohol) for start, end in alcohol_in(text))
        wards = (Item("K", start, end, text[start:end], []) for start, end in departments_in(text))
        for more in (groups, drinks, wards):
            items = _beside(items, more)
        return items

    def _item(self, text: str, mention: Mention) -> Item:
        letter = "O" if mention.entity in self._alcohol else _letter(text, mention)
        group = group_of(mention.entity) if mention.type == "group" else None
        return Item(
            letter,
            mention.start,
            mention.end,
            mention.entity,
            list(dict.fromkeys((mention.entity, *(self._groups[group] if group else ())))),
            is_symptom=mention.type == "symptom",
            of_family=letter == "F" and mention.experiencer == "family",
        )


def _letter(text: str, mention: Mention) -> str:
    """The letter of a name where it stands: N where it is denied, X where it is not what the text speaks of."""
    letter, start, end = _LETTERS.get(mention.type, "X"), mention.start, mention.end
    if letter == "E" and _OPERATING.match(text, end):
        return "T"
    if letter == "F" and _PART_OF_A_WORD.match(text, end):
        return "X"
    if letter == "G" and is_of_others(text, start, end):
        return "X"
    if letter == "D" and _COMPARED.search(text, max(0, start - _EXCLUDING), start):
        return "X"
    return "N" if letter in "FG" and (mention.negated or _is_without(text, start)) else letter


def _beside(items: Sequence[Item], more: Iterable[Item]) -> list[Item]:
    """The items in order of place, with those of `more` that overlap none of them."""
    taken = {place for item in items for place in range(item.start, item.end)}
    free = [item for item in more if taken.isdisjoint(range(item.start, item.end))]
    return sorted([*items, *free], key=lambda item: item.start)


def _is_without(text: str, start: int) -> bool:
    """Whether what begins at `start` is excluded: 除了孕妇."""
    return _WITHOUT.search(text, max(0, start - _EXCLUDING), start) is not None
