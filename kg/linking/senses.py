"""Which of two types a name has where it stands: the words around it tell, or both are given."""

from __future__ import annotations

import re
from collections.abc import Sequence

from kg.linking.spellings import Name
from kg.records import EntityType

_AROUND = 6
_BEFORE: dict[EntityType, str] = {
    "drug": "服用|口服|服|注射|输|点滴|开了|吃|用|擦|涂|抹|打|含|喷|过敏的?药?",
    "food": "吃|喝|多吃|少吃|忌食?|饮用?|食用|进食",
    "ingredient": "含有?|补充?|缺乏?|成[分份]",
    "examination": "做个?|查|复查|检查|拍个?|化验|检测|测",
    "treatment": "做|进行|接受|采用|经过|通过",
    "disease": "得了?|患有?|患上|确诊(?:为|是)?|诊断(?:为|是)?|治疗?|我有|病史",
    "symptom": "出现|伴有?|感觉|觉得|感到|有点|有些|一直|总是|老是|症状",
    "pathogen": "感染了?|携带|检出|病原",
    "body_part": "[左右]侧?|我的?|双侧?",
    "department": "挂|去|到|转|看",
    "cause": "由于|因为?|引起|导致",
    "group": "适合|对于?|给|禁用于",
}
_AFTER: dict[EntityType, str] = {
    "drug": "片|胶囊|颗粒|口服|剂量|过敏|治疗|的?(?:副作用|用法|说明书)",
    "food": "(?:可以|能)?(?:吃|喝)|食品",
    "ingredient": "含量|缺乏|偏低|偏高|成[分份]",
    "examination": "检查|结果|报告|正常|异常|[阴阳]性|显示|提示|偏[高低]|值",
    "treatment": "治疗|手术|术后|后|疗法|的?费用",
    "disease": "患者|病人|病史|的?(?:治疗|病因|症状|药)|确诊|复发",
    "symptom": "症状|[一二两三四五几0-9]+[天周个月年]|得?厉害|加重|缓解|明显",
    "pathogen": "感染|[阴阳]性",
    "body_part": "部?(?:疼|痛|酸|麻|肿|痒|不舒服|不适|难受)|部位|上|里",
    "department": "门诊|医生|大夫|就诊|看看|检查",
    "cause": "引起|导致|所致|造成",
    "group": "可以|能|禁用|慎用|不宜|不能|服用",
}
_PATTERNS = {kind: (re.compile(f"(?:{before})$"), re.compile(_AFTER[kind])) for kind, before in _BEFORE.items()}


def fitting(names: Sequence[Name], text: str, start: int, end: int) -> Sequence[Name]:
    """The names whose type the words around ``text[start:end]`` speak for most; all where they are equal."""
    scores = [_support(name.type, text, start, end) for name in names]
    return [name for name, score in zip(names, scores, strict=True) if score == max(scores)]


def _support(kind: EntityType, text: str, start: int, end: int) -> int:
    if kind not in _PATTERNS:
        return 0
    before, after = _PATTERNS[kind]
    return bool(before.search(text, max(0, start - _AROUND), start)) + bool(after.match(text, end))
