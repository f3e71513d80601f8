"""The names of a graph that are looked for in text: which say by themselves what is meant, and what they stand for."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from typing import NamedTuple

from kg.graph import KnowledgeGraph
from kg.linking.roles import second_types
from kg.normalise import normalise_all
from kg.records import EntityType, Match

MAX_LINKED = 40
_MIN_DIGITS = 3
_KEPT_TYPES = frozenset({"group", "department", "body_part"})
_UNLINKED_TYPES = frozenset({"advice"})
_FINDINGS = frozenset({"disease", "symptom", "cause"})
_SAME = frozenset({"病", "症", "感染", "感染症"})
_FINDING = re.compile(
    "^[高低].|(?:[炎病症癌瘤胀痛疼痒肿热疹血疮癣痘石痫泻汗嗽喘吐虚湿衰颤疝疖痈高低多少弱裂聋瘫痪晕]|异常|增加|不足|缺乏|紊乱|失调|亢进|不全"
    "|坏死|损[伤害]|骨折|脱[位垂]|结核|肥[大厚]|[堵阻栓]塞|梗阻|狭窄|麻痹|中毒|综合征|不稳|松弛|曲张|积[液水]|息肉|闭锁|梅毒|硬化|病变"
    "|畸形|粘连|扭转|辐射伤|过敏|改变|敏感|干枯|酸软|[反返]流)$"
)
_NO_FINDING = re.compile(
    "(?:图|常规|镜|彩超|造影|激素|酶|蛋白|胆固醇|胆红素|剂|药|道|腔|膜|管|动脉|静脉|神经|关节|肌|部|细胞|功能)$"
)


class Name(NamedTuple):
    """What a spelling stands for."""

    entity: str
    type: EntityType
    match: Match


def names_of(graph: KnowledgeGraph) -> dict[str, tuple[Name, ...]]:
    """Every name and alias to be looked for, in normalised spelling.

    An entity's own name wins over an alias; two of one standing are both kept where their types differ.
    """
    kinds = dict(zip(graph.names, graph.types(), strict=True))
    names: dict[str, tuple[Name, ...]] = {}
    _offer(names, kinds, (Name(entity, kind, "exact") for entity, kind in kinds.items()))
    second = {graph.names[number]: kind for number, kind in second_types(graph).items()}
    _offer(names, second, (Name(entity, kind, "exact") for entity, kind in second.items()))
    meant = [(alias, Name(entity, kinds[entity], "alias")) for alias, entity in graph.alias_pairs()]
    whole = [(alias, name) for alias, name in meant if not _is_fragment(alias, name)]
    _offer(names, [alias for alias, _ in whole], (name for _, name in whole))
    return names


def _offer(names: dict[str, tuple[Name, ...]], written: Iterable[str], meant: Iterable[Name]) -> None:
    for plain, name in zip(normalise_all(list(written)), meant, strict=True):
        pattern = plain.strip()
        if name.type in _UNLINKED_TYPES or not _is_distinct(pattern, name):
            continue
        known = names.get(pattern, ())
        if not known or (known[0].match == name.match and all(name.type != other.type for other in known)):
            names[pattern] = (*known, name)


def _is_distinct(pattern: str, name: Name) -> bool:
    """Whether a name says by itself what is meant: no single character, everyday word or mere adjective."""
    if not 1 < len(pattern) <= MAX_LINKED or not any(map(str.isalnum, pattern)):
        return False
    if pattern.isdigit() and len(pattern) < _MIN_DIGITS:
        return False
    if name.match == "exact" and name.type in _KEPT_TYPES:
        return True
    return pattern not in stopwords() and not pattern.endswith(("性", "的", "型", "样", "状"))


def _is_fragment(alias: str, name: Name) -> bool:
    """Whether an alias is but a part of a name, or names something else than the finding it stands for.

    性肝硬化 is the torn-off end of 胆汁性肝硬化; 心电图 is no 心电图异常, 基底膜 no 薄基底膜肾病.
    """
    if alias.startswith(("性", "型", "超")) and not name.entity.startswith(alias[0]):
        return True
    rest = name.entity.partition(alias)[2]
    if rest in _SAME or _FINDING.search(alias):
        return False
    same = sorted(alias) == sorted(name.entity) or (alias[-1] == name.entity[-1] and alias not in name.entity)
    return bool(_FINDING.search(rest)) or (name.type in _FINDINGS and bool(_NO_FINDING.search(alias)) and not same)


@cache
def stopwords() -> frozenset[str]:
    """The words of `data/stopwords.txt`."""
    lines = files("kg").joinpath("data/stopwords.txt").read_text(encoding="utf-8").splitlines()
    return frozenset(word for line in lines if not line.startswith("#") for word in line.split())
