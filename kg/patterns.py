"""How doctors state what a graph can know: phrases over a skeleton in which every name is one capital letter.

D drug, F finding (disease or symptom), G group of people, E examination, K department, N what is denied, X any other
name. 孕妇可以吃布洛芬 has the skeleton G可以吃D. Normalised text has no capitals of its own, and its commas are ASCII.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from kg.relations import ADVERSE, CONTRAINDICATION, DEPARTMENT, EXAMINATION, INDICATION, INTERACTION, SYMPTOM

TOGETHER = "联合用药"
SUITABLE = "适用人群"


class Phrase(msgspec.Struct, frozen=True):
    """A way to state a relation; the groups `s` and `o` of the pattern hold the letters of its ends.

    A match that holds a word of `veto` states something else.
    """

    relation: str
    pattern: re.Pattern[str]
    veto: re.Pattern[str]


class Stated(msgspec.Struct, frozen=True):
    """A relation stated in a skeleton: the positions of the letters at its ends.

    `qualified` where it holds under some condition only (急性期, 酒后), which a graph cannot know.
    """

    relation: str
    subjects: list[int]
    objects: list[int]
    qualified: bool


_HEDGED = re.compile(
    "是否|能否|可否|能不能|可不可以|会不会|要不要|该不该|有没有|是不是|行不行|好不好|吗|么|哪|怎么|什么|为何|谁|如何|也许|或许|不确定"
    "|不清楚|不知道|据说|听说|有人|以为|好像|似乎|大概|说不定|未必|不一定|不见得|错误|谣言|误区|不代表|不等于|不是说|假设"
)
_DENIED = "不|别|勿|忌|禁|没|无|非|慎|停|避免|除了|除非|以外|之外|而不是|代替|替代|戒|过敏"
_NOT_STATED = re.compile(_DENIED)
_NOT_RECOMMENDED = re.compile(f"{_DENIED}|可能|怀疑|考虑(?!用|使用|吃|服)")
_NOT_GIVEN_BOTH = re.compile(f"{_DENIED}|或")
_NOT_FORBIDDEN = re.compile(
    "乱|再|一起|一块|同时|合用|过量|多|随便|自行|长期|盲目|擅自|大量|随意|空腹|继续|马上|立即|突然|停|自己|单独|光|只|仅|和|与|跟"
    "|一直|超过|轻易|滥|并非|不是(?!很)|没有(?!特)|除了|除非"
)
_NO_EFFECT = re.compile("没|无|不(?!良)")
_NOT_NEEDED = re.compile("不用|不需要|没必要|无需|不必")
_NEVER = re.compile("(?!)")
_UNDER_CONDITION = {
    CONTRAINDICATION: re.compile(
        "[A-Z].*,|好了|好转|痊愈|治愈|酒|急性|[早晚中初]期|期间?(?!的)|不明|后|前|轻|太|如果|代替|替代|换|空腹|合并|伴|[严比较]重"
    ),
    INDICATION: re.compile("(?<![饭餐])后|结束|停|好了|痊愈|生完"),
}
_FORBIDDEN_BEFORE = re.compile("(?:避免|不要|别|不能|不可|不宜|不建议|不推荐|禁止|杜绝|减少|少)[^A-Z,]{0,3}$")
_LOOK_BACK, _CLAUSE = 8, 40

_AND = "(?:[、/,和及或与跟]|或者|或是|以及|还有)"
_DRUGS, _FINDINGS, _TESTS = (f"{letter}(?:{_AND}{letter})*" for letter in "DFE")
_DRUG, _FINDING, _TEST = f"(?P<s>{_DRUGS})", f"(?P<o>{_FINDINGS})", f"(?P<o>{_TESTS})"
_FOR = f"(?P<o>[FG](?:{_AND}[FG])*)"
_PEOPLE = "(?:的?(?:患者|病人|人群|人|朋友|妇女|女性|期间|期|时候|时|者))?"
_USE = (
    "(?:口服|服用|外用|使用|应用|加用|选用|选择|注射|静滴|静脉滴注|涂抹"
    "|外涂|含服|吃|用|服|涂|抹|喷|滴|打|输|给予|予以|给)"
)
_MAY = (
    "(?:可以|建议您?|推荐|应该|应当|需要|能够|首选|可|应|宜|能|要|先|最好|考虑|适合|请|放心|遵医嘱|按时|继续|同时|配合|给孩子|给宝宝|给"
    "|您|你|就|也|都|还|是|直接|适当|一般|通常|常|多|酌情|必要时)"
)
_SOME = "(?:点儿?|一点|些|一些|药|药物|上|的药|含有|比如|例如|像|的是|的话|儿童|小儿|一下|几天|一种|两种|、|:)?"
_FORBID = (
    "(?:不能|不可以|不可|不得|不宜|不要|不应该|不应|不适合|不建议|不推荐|禁止|禁用|忌用|禁服"
    "|忌服|禁忌|严禁|禁|切勿|勿|忌|千万别|别)"
)
_FORBID_USE = f"{_FORBID}(?:口服|服用|使用|应用|注射|外用|吃|用|服|打|涂)?"
_FORBID_FOR = (
    "(?:禁用于|禁止用于|不能用于|不可用于|不适用于|不宜用于|忌用于|不得用于"
    "|禁忌症?是?|的禁忌症?(?:有|是|包括|为)?|不适合)"
)
_BOTH = "(?:一起|一块儿?|同时|合用|合在一起|同服|联用|联合|并用|混用|混着|混合)"
_ALLOWED = "(?:可以|能|可|建议|需要|应该)"
_OFTEN = "(?:会|可能|可以|可|能|容易|易|常见|常|偶尔|偶有|有时|往往|多|主要|一般|也|还|通常)"
_AND_ALSO = "(?:和|与|跟|加|加上|联合|配合|合并|[+]|,?同时(?:口服|服用|使用|吃|用|加用))"
_EFFECTIVE = "(?:有效|有作用|有帮助|效果(?:很|比较|较)?好|是?安全|有疗效)"
_CAUSE = "(?:引起|导致|所致|引发|合并|伴)"
_CONFIRM = "(?:排除|排查|确诊|明确|诊断)"
_END = "(?=[的了啊呀哦。,;!]|$)"


def _gap(most: int) -> str:
    return f"[^A-Z,]{{0,{most}}}"


def _pause(before: int, after: int) -> str:
    """Words that may go over one comma."""
    return f"[^A-Z]{{0,{before}}}?,?[^A-Z,]{{0,{after}}}?"


_PHRASES = {
    (INDICATION, _NOT_RECOMMENDED): (
        f"{_FOR}{_PEOPLE}{_pause(6, 4)}{_MAY}*{_USE}{_SOME}{_gap(3)}{_DRUG}",
        f"(?P<o>[GF])(?:{_PEOPLE}[^A-Z]{{0,3}}|{_gap(4)}{_CAUSE}的?)F{_gap(4)},?{_MAY}+{_USE}{_SOME}{_DRUG}",
        f"{_DRUG}[^A-Z,]{{0,6}}?(?:治疗|用于|适用于|缓解|改善|针对|主治|专治|治){_gap(6)}{_FINDING}",
        f"{_DRUG}{_gap(3)}对于?{_gap(4)}{_FOR}{_PEOPLE}{_gap(5)}{_EFFECTIVE}",
        f"{_FINDING}的?(?:治疗药物|治疗|用药|常用药物?|药物){_gap(6)}(?:用|选|首选|有|包括|是|为|以){_gap(4)}{_DRUG}",
        f"{_DRUG}{_gap(2)},?{_gap(2)}{_FOR}{_PEOPLE}(?:也|都|是)*(?:可以|能|可|适合|适用)(?:放心|安全)?{_USE}?{_END}",
    ),
    (CONTRAINDICATION, _NOT_FORBIDDEN): (
        f"{_FOR}{_PEOPLE}{_pause(4, 3)}{_FORBID_USE}{_gap(3)}{_DRUG}",
        f"{_DRUG}{_gap(4)}{_FORBID_FOR}{_gap(3)}{_FOR}",
        f"{_DRUG}{_gap(3)},?{_gap(2)}{_FOR}{_PEOPLE}{_gap(2)}{_FORBID_USE}{_END}",
    ),
    (ADVERSE, _NOT_STATED): (f"{_DRUG}{_gap(6)}{_OFTEN}*(?:引起|导致|造成|出现|产生|引发|诱发){_gap(6)}{_FINDING}",),
    (ADVERSE, _NO_EFFECT): (
        f"{_DRUG}[^A-Z]{{0,4}}(?:副作用|不良反应){_gap(6)}(?:是|有|包括|为|如|:){_gap(4)}{_FINDING}",
    ),
    (INTERACTION, _NEVER): (
        f"(?P<s>D)[和与跟及同、](?P<o>D){_gap(3)}{_FORBID}{_gap(3)}{_BOTH}",
        f"(?P<s>D){_gap(3)}{_FORBID}{_gap(3)}[和与跟同](?P<o>D){_gap(3)}{_BOTH}",
    ),
    (INTERACTION, _NOT_STATED): (
        f"(?P<s>D)[和与跟及同](?P<o>D){_gap(4)}(?:有|存在|会|发生|产生)+{_gap(2)}(?:相互作用|冲突)",
    ),
    (TOGETHER, _NOT_GIVEN_BOTH): (
        f"(?P<s>D)[和与跟及同加](?P<o>D){_gap(2)}{_ALLOWED}{_gap(2)}{_BOTH}",
        f"(?P<s>D){_gap(2)}{_ALLOWED}[和与跟同](?P<o>D){_gap(2)}{_BOTH}",
        f"(?:可以|建议|推荐|应该|需要|给予|可){_MAY}*{_USE}{_SOME}(?P<s>D){_AND_ALSO}(?P<o>D)",
    ),
    (SYMPTOM, _NOT_STATED): (
        f"{_FINDING}{_gap(2)}(?:是|属于|为)(?P<s>F)的?(?:一个|一种|常见|典型|主要|早期|之一|的)*(?:症状|表现)",
        f"(?P<s>F)的?(?:常见|典型|主要|临床|早期)*的?(?:症状|表现){_gap(3)}(?:有|是|包括|为|如|:){_gap(4)}{_FINDING}",
        f"(?P<s>F)(?:患者|病人|的人)?{_gap(2)}{_OFTEN}+(?:出现|表现为|表现|伴有|有){_gap(4)}{_FINDING}",
    ),
    (EXAMINATION, _NOT_STATED): (f"(?P<s>F){_pause(6, 2)}(?:需要?|建议|可以?|应该?|最好|要|得|通过){_gap(4)}{_TEST}",),
    (EXAMINATION, _NOT_NEEDED): (
        f"(?:做|查|检查|化验|拍|完善|复查){_gap(4)}{_TEST}[^A-Z]{{0,6}}{_CONFIRM}{_gap(6)}(?P<s>F)",
    ),
    (DEPARTMENT, _NOT_STATED): (f"(?P<s>F){_pause(6, 4)}(?:挂|看|去|到|就诊于|属于|咨询|找){_gap(4)}(?P<o>K)",),
}
PHRASES = tuple(
    Phrase(relation, re.compile(pattern), veto)
    for (relation, veto), patterns in _PHRASES.items()
    for pattern in patterns
)
_TWO_NAMES = re.compile("[DFGEK][^DFGEK]*[DFGEK]")


def stated_in(skeleton: str) -> Iterator[Stated]:
    """What a sentence states, its closing mark included; nothing where it asks, doubts or denies."""
    if not _TWO_NAMES.search(skeleton):
        return
    asked_from = _question_start(skeleton)
    for phrase in PHRASES:
        for found in phrase.pattern.finditer(skeleton):
            if found.end() <= asked_from and not _is_taken_back(phrase, found):
                yield Stated(phrase.relation, _letters(found, "s"), _letters(found, "o"), _is_qualified(phrase, found))


def _is_qualified(phrase: Phrase, found: re.Match[str]) -> bool:
    """Whether a condition goes with a phrase. A ban must be plain: any name before it may be the reason for it."""
    condition = _UNDER_CONDITION.get(phrase.relation)
    if condition is None:
        return False
    if phrase.relation == INDICATION:
        return condition.search(found[0]) is not None
    before, after = found.string[: found.start()], found.string[found.end() :].partition(",")[0]
    return re.search("[A-Z]", before) is not None or condition.search(before + found[0] + after) is not None


def _is_taken_back(phrase: Phrase, found: re.Match[str]) -> bool:
    """Whether the words in or around a phrase doubt it, deny it or warn against it (避免给宝宝吃…)."""
    skeleton, start = found.string, found.start()
    return (
        phrase.veto.search(found[0]) is not None
        or _HEDGED.search(_clause(skeleton, start, found.end())) is not None
        or _FORBIDDEN_BEFORE.search(skeleton, max(0, start - _LOOK_BACK), start) is not None
    )


def _letters(found: re.Match[str], group: str) -> list[int]:
    return [found.start(group) + place for place, letter in enumerate(found[group]) if "A" <= letter <= "Z"]


def _clause(skeleton: str, start: int, end: int) -> str:
    """The clauses that a phrase lies in, from comma to comma, but no farther than `_CLAUSE`."""
    before, after = skeleton[max(0, start - _CLAUSE) : start], skeleton[end : end + _CLAUSE]
    return before.rpartition(",")[2] + skeleton[start:end] + after.partition(",")[0]


def _question_start(skeleton: str) -> int:
    """Where the question at the end of a sentence begins; its length where it asks nothing."""
    body = skeleton.rstrip(" \n。")
    if not body.endswith(("?", "吗", "呢")):
        return len(skeleton)
    return body.rfind(",") + 1
