"""Whether a statement holds under a condition only (急性期, 酒后), which a graph cannot know."""

from __future__ import annotations

import re

from kg.checking.wording import FORBID_USE, JOINT, PEOPLE
from kg.relations import CONTRAINDICATION, INDICATION

_NOT_YET = (
    "(?<![饭餐])后|结束|停|好了|痊愈|生完|断了?奶|回奶|[岁月]以上|必须|正在|一直|之前|前提|才[能可行]|方可"
    "|等[^,A-Z]{0,10}[再才]"
    "|普通|一般人|成人|成年|大人|其他人|正常人|健康人|家人|家属|妻子|丈夫|老公|老婆|爱人|伴侣|对方|预防|防止|以防|阻拦|阻断|隔绝"
)
_SUPPOSED = "如(?!下)|若|(?<!主)要是|假如|万一"
GIVEN_IF = re.compile(f"{_NOT_YET}|{_SUPPOSED}")
_IN_ITS_CLAUSE = re.compile(f"(?:{_SUPPOSED})[^,]*$")
TOGETHER_IF = re.compile("隔|错开|分开|小时|停|换|等|之后")
_BANNED_IF = re.compile(
    "好了|好转|停|痊愈|治愈|酒|急性|[早晚中初]期|期间?(?!的)|不明|后|前|轻|太|如果|代替|替代|换|空腹|合并|伴"
    "|[严比较]重|再"
    r"|\d|低于|不到|超过|以内|以下|岁|总|老是|经常"
)
_OF_A_BAN = re.compile(
    f"{FORBID_USE}|{PEOPLE}的?治疗|{PEOPLE}[A-Z,、和及与]|(?:就|都|也|千万|一定|绝对|您|你|是|的|得了|患|有|所以"
    f"|因此|等|最好|患者|病人|禁忌[症证]?|说明书上?)"
)
_HEAPED = re.compile("[A-Z][^A-Z、/和及或与跟]*[A-Z]")
"""Names one after the other, no list: 哺乳期肺炎."""
_CLAUSE_BEFORE = re.compile("[^,]{2,},|(?:不|没|太|刚)")
_IN_SHORT = re.compile(f"[A-Z](?:[A-Z]|{JOINT})*{PEOPLE},[^A-Z,]*")
"""A clause that only names the illness: 得了肺炎,."""
_ADVISED = re.compile(
    "可以|建议|应|推荐|能|可(?!能)|要|首选|适|开|给|予|请|宜|试|选|就|放心|有效|安全|治|用于|缓解|控制|改善|没.?"
    "(?:影响|问题|事)|好|用药|药物"
)
_APPROVED_AFTER = re.compile(
    "[^。;A-Z]{0,8}?(?:就[好行可]|没关系|没事|没有?(?:任何|什么)?问题|不要紧|可以|安全|有效|不错|很好|行)"
)
_JUST_BEHIND, _JUST_BEFORE, _BEFORE = 6, 4, 200


def is_qualified(relation: str, found: re.Match[str]) -> bool:
    """Whether a condition goes with a phrase of this relation."""
    if relation == INDICATION:
        return _is_given_if(found)
    if relation == CONTRAINDICATION:
        return _is_banned_if(found)
    return TOGETHER_IF.search(found.string, found.start(), found.end() + _JUST_BEHIND) is not None


def _is_given_if(found: re.Match[str]) -> bool:
    before = found.string[max(0, found.start() - _BEFORE) : found.start()]
    supposed = "," not in found[0] and _IN_ITS_CLAUSE.search(before) is not None
    return supposed or not _is_advised(found) or GIVEN_IF.search(found[0]) is not None


def _is_advised(found: re.Match[str]) -> bool:
    """Whether a drug is recommended, and not just told to be taken (一直在吃…)."""
    skeleton = found.string
    in_words = _ADVISED.search(skeleton, max(0, found.start() - _JUST_BEFORE), found.end())
    return in_words is not None or _APPROVED_AFTER.match(skeleton, found.end()) is not None


def _is_banned_if(found: re.Match[str]) -> bool:
    """A ban must be plain: any other word in it, and any name before it, may be the reason for it."""
    skeleton, start = found.string, found.start()
    before = skeleton[max(0, start - _BEFORE) : start]
    after = skeleton[found.end() : found.end() + _BEFORE].partition(",")[0]
    between = skeleton[start : max(found.start("s"), found.start("o"))]
    if "," in between and (_CLAUSE_BEFORE.search(before) or not _IN_SHORT.fullmatch(between)):
        return True
    reasons = before.rpartition(",")[2] if found.start("s") < found.start("o") else before
    if re.search("[A-Z]", reasons) or _HEAPED.search(found["o"]) or after.startswith(("和", "与", "跟", "及", "或")):
        return True
    if len(re.sub("[A-Z]", "", _OF_A_BAN.sub("", found[0]))) > 1:
        return True
    return _BANNED_IF.search(before + found[0] + after) is not None
