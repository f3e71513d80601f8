"""What doctors speak of under names that no graph lists: groups of people, the allergic, alcohol, departments."""

from __future__ import annotations

import re
from collections.abc import Iterator

from kg.graph import KnowledgeGraph
from kg.normalise import normalise

_SPOKEN = {
    "孕妇": "孕妇|怀孕(?:期间?|妇女|的?女性|的人|时)?(?!之?前(?!三|几))|孕期|妊娠期?(?:妇女)?(?!之?前(?!三|几))"
    "|孕妈妈?|准妈妈|孕[一二三四五六七八九十1-9]+(?:个?月|周)|身孕",
    "哺乳期妇女": "哺乳期(?:妇女|的?妈妈|女性)?|哺乳(?:妇女|期间)?|(?:母乳喂养|喂奶)(?:期间|的妈妈)?|乳母",
    "儿童": "(?:[1-9]|1[0-8])岁以[下内](?:的?(?:儿童|小孩子?|孩子|患儿|患者))?"
    "|未成年人?|儿童|(?<![生怀])(?<!生[完了])(?<!(?<![主需])要)(?:小孩子?|孩子|宝宝)|小儿|婴幼儿|幼儿|婴儿"
    "|小朋友|患儿",
    "老年人": "老年人|老人家?|老年患者",
}
_BOTH = "孕妇及哺乳期妇女 妊娠期及哺乳期妇女 妊娠及哺乳期妇女 孕妇和哺乳期妇女"
_WRITTEN = {
    "孕妇": f"孕妇 妊娠期妇女 妊娠妇女 妊娠期 妊娠 怀孕妇女 孕期 孕期妇女 怀孕 {_BOTH}",
    "哺乳期妇女": f"哺乳期妇女 哺乳期 哺乳妇女 哺乳期女性 乳母 {_BOTH}",
    "儿童": "儿童 小儿 婴幼儿及儿童 小孩 未成年人",
    "老年人": "老年人 老人 老年患者",
}
_RELATIVES = "的?(?:妈|爸|母亲|父亲|家长|家里人|家人|家属|丈夫|老公|爱人)"
_PATTERN = re.compile(
    "|".join(f"(?P<g{number}>(?:{words})(?!{_RELATIVES}))" for number, words in enumerate(_SPOKEN.values()))
)
_NAMES = tuple(_SPOKEN)

ALCOHOL = "酒精"
_ALCOHOLS = "酒精 乙醇 酒 饮酒 喝酒 酒类 含酒精饮料 白酒"
_ALCOHOL = re.compile("(?<!药)(?:[白红黄]酒|酒(?:精|水|类)?)(?![渣窝糟])")

_ALLERGIC = re.compile("(?:类药物?|类|药物)?过敏(?:史|体质)?的?(?:者|患者|病人|人群|人|孩子)?")
_ALLERGIC_NAMES = (
    "{}过敏者",
    "对{}过敏者",
    "{}过敏",
    "{}过敏患者",
    "{}类过敏者",
    "对{}过敏",
    "{}类药物过敏者",
    "{}过敏史",
)
_LONGEST_DRUG = 10

_DEPARTMENTS = re.compile(
    "(?:呼吸|消化|心血管|神经|内分泌|血液|肾|风湿免疫|风湿|感染|肿瘤|老年|心|普通|普|胸|骨|泌尿|肝胆|血管|烧伤"
    "|整形|乳腺|甲状腺|胃肠)"
    "(?:内科|外科|科)|(?:皮肤性病|皮肤|耳鼻喉|耳鼻咽喉|口腔|眼|妇产|妇|产|儿|小儿|精神心理|精神|心理|康复|中医"
    "|急诊|疼痛|肛肠|男|生殖|传染病?"
    "|肝病|营养|感染)科|内科|外科"
)


_WHOSE_RELATIVE = re.compile(_RELATIVES)
_OF_OTHERS = re.compile("(?:邻居|别人|人家|同事|朋友|亲戚|隔壁)家?的?$")
_LOOK_BACK = 5


def is_of_others(text: str, start: int, end: int) -> bool:
    """Whether a group is named for its relatives (孕妇家人), or is somebody else's (邻居家孩子)."""
    theirs = _OF_OTHERS.search(text, max(0, start - _LOOK_BACK), start)
    return theirs is not None or _WHOSE_RELATIVE.match(text, end) is not None


def groups_in(text: str) -> Iterator[tuple[int, int, str]]:
    """Start, end and name of the groups a normalised text speaks of."""
    for found in _PATTERN.finditer(text):
        if not is_of_others(text, *found.span()):
            yield found.start(), found.end(), _NAMES[int((found.lastgroup or "g0")[1:])]


def entities_of(graph: KnowledgeGraph) -> dict[str, list[str]]:
    """For each group, and for `ALCOHOL`, the entities of a graph that mean it."""
    named = {**_WRITTEN, ALCOHOL: _ALCOHOLS}
    found = {name: [graph.entity(written) for written in words.split()] for name, words in named.items()}
    return {name: [entity for entity in dict.fromkeys(entities) if entity] for name, entities in found.items()}


def group_of(name: str) -> str | None:
    """The group that a graph's entity means: 妊娠期妇女 is 孕妇."""
    plain = normalise(name).text
    return next((group for group, words in _WRITTEN.items() if plain in words.split()), None)


def alcohol_in(text: str) -> Iterator[tuple[int, int]]:
    """Where a normalised text speaks of alcohol: 喝酒, 酒精."""
    return (found.span() for found in _ALCOHOL.finditer(text))


def departments_in(text: str) -> Iterator[tuple[int, int]]:
    """Where a normalised text names a department."""
    return (found.span() for found in _DEPARTMENTS.finditer(text))


def allergic_in(text: str, graph: KnowledgeGraph) -> Iterator[tuple[int, int, str]]:
    """Start, end and name of those allergic to a drug of the graph: 对青霉素过敏的人 is 青霉素过敏者."""
    for found in _ALLERGIC.finditer(text):
        for length in range(min(_LONGEST_DRUG, found.start()), 1, -1):
            start = found.start() - length
            name = _allergic(text[start : found.start()], graph)
            if name:
                yield start - text.startswith("对", start - 1) if start else start, found.end(), name
                break


def _allergic(drug: str, graph: KnowledgeGraph) -> str | None:
    canonical = graph.entity_of_plain(drug)
    look_up = graph.entity if canonical else graph.entity_of_plain
    for name in dict.fromkeys((drug, canonical or drug)):
        for form in _ALLERGIC_NAMES:
            if entity := look_up(form.format(name)):
                return entity
    return f"{canonical}过敏者" if canonical and graph.type_of(canonical) == "drug" else None
