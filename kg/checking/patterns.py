"""What a sentence states: phrases found in its skeleton, unless it asks, doubts or denies them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache, lru_cache

import msgspec

from kg.checking.conditions import is_qualified
from kg.checking.phrases import Omission, Phrase, phrases
from kg.relations import EXAMINATION, INDICATION


class Stated(msgspec.Struct, frozen=True):
    """A relation stated in a skeleton: the positions of the letters at its ends.

    The words leave open which of `relations` is meant. `qualified` where it holds under some condition only (急性期,
    酒后), which a graph cannot know.
    """

    relations: tuple[str, ...]
    subjects: list[int]
    objects: list[int]
    qualified: bool


_ASKS_WHETHER = "是否|有没有|是不是|有无|会不会"
_DOUBTS = (
    "能否|可否|能不能|可不可以|要不要|该不该|行不行|好不好|吗|么|哪|怎么|什么|为何|谁|如何|也许|或许|不确定|请问"
    "|不清楚|不知道|据说|听说|有人(?![吃用含喝服会还也])|以为|好像|似乎|大概|说不定|未必|不一定|不见得|错误|谣言"
    "|误区|不代表|不等于|不是说|假设|说法|不对"
    "|(?:没有?|无|缺乏)[^,A-Z]{0,4}(?:证据|依据)|(?:未|没有?)[被经]?证[实明]|不[能得可]不|不能没有"
    "|不正确|并非|不是所有|不是每|有[些的][^,]{0,4}说|网上说|别人说|不赞成|以前|从前|曾经|原来|原本|本来|要不是"
    "|差点|(?<!耽)误(?![差吸])|传言|偏方|广告|邻居|隔壁|药店|过时|早就不|已经不|不再|不是让|没让|没说|没叫|没建议|没有?(?:写|讲|提|规定|要求)|过去"
    "|这种?话|也信|[别要]信|[别要]听|(?<![来是再明])说(?=[A-Z])|不负责"
)
_HEDGED = re.compile(f"{_ASKS_WHETHER}|{_DOUBTS}")
"""An examination may be for just that: 做胃镜看看有没有胃溃疡."""
_DOUBTED = re.compile(_DOUBTS)
_FORBIDDEN_BEFORE = re.compile(
    "(?:(?:避免|不要|(?<![特分区级鉴个])别|不能|不可|不宜|不建议|不推荐|禁止|杜绝|减少|少|不用|不需要|代替|替代"
    "|而不是|与其)[^A-Z,]{0,3}"
    "|(?:不会?|没有?|别|哪|谁|反对|拒绝)[^A-Z,]{0,3}(?:推荐|建议|主张|鼓励|同意|赞成|支持|提倡|敢|让|给|叫)[^A-Z,]"
    "{0,3})$"
)
_WARNED_AFTER = re.compile(
    "的?(?:时|期间|之前|之后|以前|前|后|过程)|[^。;A-Z]{0,10}?(?:小心|谨慎|慎重|当心|危险|风险|加重|导致|引起|有害"
    "|不行|不好|不合适|不对|后果|无效|没用|算了|免了|没有?效|不管用|不起作用|(?:[效作][用果]|疗效|意义)(?:并?不"
    "(?:大|佳|好|够|明显|理想|确切)|有限|较?差))"
)
_GOES_ON = re.compile(
    "[A-Z](?:[吃用服]药|刚|[吃用]完|有些?的?人|长期|个别|最|要?(?:注意|当心|小心|警惕)|副作用|就|它|通常|往往|经常"
    "|后期|甚至|而且|并且|同时|但是?|不过|也|还|并|常|一般|大?多|主要|偶尔|有时|严重时?|晚期|早期|可|会|容易|易|伴"
    "|有可能|引起|导致|造成|出现|表现"
    "|吃了|服用后|少|不能|不宜|不要|忌|避免|禁|宜|所以|病因|原因|好发)"
)
_DRUG_GOES_ON = re.compile(
    "D(?:也|还|一般|主要|常|临床|其实|这个?药?|倒|反正|就算|即使)*(?:可|能|用于|适用|适合|主治|适应|对|是|[FG])"
)
_LOOK_BACK, _CLAUSE = 8, 40
_LETTER = re.compile("[A-Z]")
_TWO_NAMES = re.compile("[A-MO-WYZ][^A-MO-WYZ]*[A-MO-WYZ]")
_PARENTHESIS = re.compile("[(][^()]*[)]")


def stated_in(skeleton: str) -> Iterator[Stated]:
    """What a sentence states, its closing mark included; nothing where it asks, doubts or denies."""
    for phrase in _fitting(skeleton):
        for found in phrase.pattern.finditer(skeleton):
            if not _is_taken_back(phrase, found):
                yield _stated(phrase, found)


def stated_of(skeleton: str, omission: Omission) -> Iterator[Stated]:
    """What a clause states of its first letter, which stands for what a clause or sentence before it named."""
    for phrase in _fitting(skeleton):
        if phrase.omission < omission or not _goes_on(phrase, skeleton):
            continue
        found = phrase.pattern.match(skeleton)
        if found and not _is_taken_back(phrase, found):
            stated = _stated(phrase, found)
            if [0] in (stated.subjects, stated.objects):
                yield stated


def _goes_on(phrase: Phrase, skeleton: str) -> bool:
    """Whether a clause begins as one does that says more of its topic."""
    if phrase.relations[0] == INDICATION and skeleton.startswith("D"):
        return _DRUG_GOES_ON.match(skeleton) is not None
    return phrase.omission is not Omission.NEAR or _GOES_ON.match(skeleton) is not None


def _fitting(skeleton: str) -> Iterator[Phrase]:
    """The phrases whose ends a skeleton has."""
    if _TWO_NAMES.search(skeleton):
        yield from _with_ends(frozenset(_LETTER.findall(skeleton)))


@cache
def _with_ends(letters: frozenset[str]) -> tuple[Phrase, ...]:
    return tuple(one for one in phrases() if one.subjects & letters and one.objects & letters)


@lru_cache(4)
def question_start(skeleton: str) -> int:
    """Where the question at the end of a sentence begins; its length where it asks nothing."""
    body = skeleton.rstrip(" \n。")
    if not body.endswith(("?", "吗", "呢")):
        return len(skeleton)
    return body.rfind(",") + 1


def _stated(phrase: Phrase, found: re.Match[str]) -> Stated:
    return Stated(
        phrase.relations, _letters(found, "s"), _letters(found, "o"), is_qualified(phrase.relations[0], found)
    )


def _is_taken_back(phrase: Phrase, found: re.Match[str]) -> bool:
    """Whether the words in or around a phrase doubt it, deny it or warn against it (避免给宝宝吃…)."""
    skeleton, start = found.string, found.start()
    if found.end() > question_start(skeleton):
        return True
    hedge = _DOUBTED if phrase.relations[0] == EXAMINATION else _HEDGED
    if phrase.relations[0] == INDICATION and _WARNED_AFTER.match(skeleton, found.end()):
        return True
    return (
        phrase.veto.search(found[0]) is not None
        or hedge.search(_clause(skeleton, start, found.end())) is not None
        or _FORBIDDEN_BEFORE.search(skeleton, max(0, start - _LOOK_BACK), start) is not None
    )


def is_hedged(words: str, *, examining: bool = False) -> bool:
    """Whether words ask or doubt; where one is `examining`, to ask whether something is there is no doubt."""
    return (_DOUBTED if examining else _HEDGED).search(words) is not None


def _letters(found: re.Match[str], group: str) -> list[int]:
    """The positions of the letters of a group; what stands in parentheses explains them and is passed over."""
    start = found.start(group)
    inside = {place for part in _PARENTHESIS.finditer(found[group]) for place in range(*part.span())}
    return [start + place for place, letter in enumerate(found[group]) if "A" <= letter <= "Z" and place not in inside]


def _clause(skeleton: str, start: int, end: int) -> str:
    """The clauses that a phrase lies in, from comma to comma, but no farther than `_CLAUSE`."""
    before, after = skeleton[max(0, start - _CLAUSE) : start], skeleton[end : end + _CLAUSE]
    return before.rpartition(",")[2] + skeleton[start:end] + after.partition(",")[0]
