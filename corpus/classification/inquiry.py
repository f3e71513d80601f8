"""How a consultation goes: whether the doctor asks, what the answers add, what a record of it would hold.

Proactive inquiry is what sets CMtMedQA apart: a doctor who asks before advising. It is measured as the share of
doctor turns that ask, and by what those questions bring: entities of the graph not named before, and slots that the
answer fills first.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from corpus.records import Dialogue, Message, Structure
from corpus.turns import asking_turns, inquires, is_courtesy

_NUMBER = r"[\d一二两三四五六七八九十半几]"
PATIENT_SLOTS = {
    "age": re.compile(rf"{_NUMBER}{{1,3}} ?(?:周?岁|个月大|个月的?(?:宝宝|孩子|婴儿))|年龄|满月|新生儿|岁半"),
    "sex": re.compile(r"[男女](?:性|的|孩|宝|生|士|，|,|。|\d)|性别|怀孕|孕妇|月经|例假|哺乳"),
    "duration": re.compile(
        rf"{_NUMBER}+ ?个?多?(?:天|周|星期|礼拜|月|年|小时)|昨[天晚]|前天|今[天早]|上[周个]|去年|最近|这几天"
        "|从小|一直|好久|很久|突然"
    ),
    "degree": re.compile(
        rf"\d+(?:\.\d+)? ?(?:度|℃|mm|cm|厘米|公斤|kg|斤|次|毫|分)|{_NUMBER}+次|高烧|低烧|剧烈|轻微|严重"
        "|厉害|加重|有点|特别|非常",
        re.IGNORECASE,
    ),
    "site": re.compile(
        "[左右上下]边?侧?[腹胸肢腿手臂眼耳脚肩]|头|胸|腹|肚|腰|背|腿|膝|脚|手|肩|颈|脖|眼|耳|鼻|嗓|喉|牙|舌|胃|肝|脸|皮肤|阴|肛"
    ),
    "medication": re.compile("[吃用服打抹涂](?:了|过|着|的|完|这?[个些]?药)|输液|挂水|吊瓶|停药|换药|药"),
    "history": re.compile("以前|之前|既往|病史|得过|患有|做过|过敏|遗传|家族|家里人|慢性|老毛病|高血压|糖尿病|确诊"),
    "findings": re.compile(
        "检查|化验|ct|b超|彩超|超声|拍片|片子|报告|指标|核磁|血常规|尿常规|胃镜|肠镜|心电图|结果", re.IGNORECASE
    ),
}
DOCTOR_SLOTS = {
    "assessment": re.compile("考虑|可能|诊断|属于|多半|应该是|由于|引起|导致|怀疑|不排除|像是|提示|说明|正常"),
    "advice": re.compile("建议|可以|口服|服用|治疗|外用|涂|手术|用药|注射|休息|调理|试试|推荐|需要"),
    "caution": re.compile("注意|避免|不要|不能|禁|忌|别|少吃|副作用|慎|以免|不宜|不建议"),
    "follow_up": re.compile(
        "复查|复诊|就诊|就医|去医院|来医院|随诊|随访|观察|门诊|急诊|如果.{0,12}(?:加重|缓解|好转|出现)"
    ),
}
SLOTS = (*PATIENT_SLOTS, *DOCTOR_SLOTS)


class Course(NamedTuple):
    """How a dialogue goes; see `corpus.records.Profile`."""

    inquiry: float
    questions: int
    gained: int
    completeness: float
    slots: list[str]
    structure: Structure


def course_of(dialogue: Dialogue, named: Sequence[Sequence[str]] | None = None) -> Course:
    """How a dialogue goes; `named` are the entities of each of its turns, where there is a graph."""
    turns = dialogue.messages
    asking = [turn.role == "assistant" and inquires(turn.content) for turn in turns]
    doctor = sum(turn.role == "assistant" for turn in turns)
    questions, gained = _gained(turns, asking, named)
    slots = _slots(turns, "user", PATIENT_SLOTS) | _slots(turns, "assistant", DOCTOR_SLOTS)
    return Course(
        inquiry=round(sum(asking) / doctor, 4) if doctor else 0.0,
        questions=questions,
        gained=gained,
        completeness=round(len(slots) / len(SLOTS), 4),
        slots=[slot for slot in SLOTS if slot in slots],
        structure=_structure(turns, asking),
    )


def _gained(turns: Sequence[Message], asking: Sequence[bool], named: Sequence[Sequence[str]] | None) -> tuple[int, int]:
    """How many questions were answered, and how many entities and slots the answers brought up first."""
    known, questions, gained = set[str](), 0, 0
    for place, turn in enumerate(turns):
        told = {f"entity {name}" for name in named[place]} if named is not None else set()
        if turn.role == "user":
            told |= _slots([turn], "user", PATIENT_SLOTS)
            answers = place > 0 and asking[place - 1] and not is_courtesy(turn.content)
            questions += answers
            gained += len(told - known) if answers else 0
        known |= told
    return questions, gained


def _slots(turns: Sequence[Message], role: str, patterns: dict[str, re.Pattern[str]]) -> set[str]:
    said = "\n".join(turn.content for turn in turns if turn.role == role)
    return {name for name, pattern in patterns.items() if pattern.search(said)}


def _structure(turns: Sequence[Message], asking: Sequence[bool]) -> Structure:
    """`unanswered`: the last word is a question of the patient. `single`: one exchange. `doctor_led`: the doctor asks
    from the first reply on, `mixed` only later, `patient_led` never."""
    spoken = [place for place, turn in enumerate(turns) if turn.role != "system"]
    replies = [place for place in spoken if turns[place].role == "assistant"]
    if not replies or asking_turns(turns)[-1]:
        return "unanswered"
    if len(spoken) == len(("question", "answer")):
        return "single"
    if asking[replies[0]]:
        return "doctor_led"
    return "mixed" if any(asking) else "patient_led"
