"""How doctors state what a graph can know: phrases over a skeleton in which every name is one capital letter.

D drug, F disease or symptom, G group of people, E examination, K department, O food or alcohol, T treatment, C cause,
I ingredient, B part of the body, N what is denied, X any other name. 孕妇可以吃布洛芬 has the skeleton G可以吃D.
Normalised text has no capitals of its own, and its commas are ASCII.
"""

from __future__ import annotations

import re
from functools import cache

import msgspec

from kg.relations import (
    ADVERSE,
    AVOIDED_FOOD,
    CAUSE,
    COMPLICATION,
    CONTRAINDICATION,
    DEPARTMENT,
    EXAMINATION,
    INDICATION,
    INGREDIENT,
    INTERACTION,
    RECOMMENDED_FOOD,
    SITE,
    SUSCEPTIBLE,
    SYMPTOM,
    TREATMENT,
)

TOGETHER = "联合用药"
SUITABLE = "适用人群"
CAUSING = "导致"
"""The cause relation read backwards."""


class Phrase(msgspec.Struct, frozen=True):
    """A way to state a relation; the groups `s` and `o` of the pattern hold the letters of its ends.

    The words leave open which of `relations` is meant; the first is the usual one. A match that holds a word of
    `veto` states something else. `whether` where 是否 and 有没有 ask nothing: 做胃镜看看有没有胃溃疡.
    """

    relations: tuple[str, ...]
    pattern: re.Pattern[str]
    veto: re.Pattern[str]
    whether: bool = False


_DENIED = "不|别|勿|忌|禁|没|无|非|慎|停|避免|除了|除非|以外|之外|而不是|代替|替代|戒|过敏"
_IF = "如果|若|一旦|万一|要是|假如"
_HELPS = "缓解|改善|治|减轻|控制|预防|防止|消除|退|减少|降低"
_NOT_STATED = f"{_DENIED}|{_IF}"
_NOT_RECOMMENDED = f"{_DENIED}|可能(?!会)|怀疑|排除|[吃用服打喝做](?:过|了(?!,)|完|的)|引起(?!的)|副作用|不良反应|考虑(?!用|使用|吃|服|[^A-Z]*[,:])"
_NOT_GIVEN_BOTH = f"{_DENIED}|或"
_NOT_FORBIDDEN = (
    "乱|再|一起|一块|同时|合用|过量|多|随便|自行|长期|盲目|擅自|大量|随意|空腹|继续|马上|立即|突然|停|自己|单独|光|只|仅|(?<![A-Z])[和与跟]"
    "|一直|超过|轻易|滥|并非|不是(?!很)|没有(?!特)|除了|除非"
)
_NO_EFFECT = f"没|无|不(?!良|适)|{_HELPS}|{_IF}"
_NOT_CAUSED = f"{_NOT_STATED}|{_HELPS}"
_NOT_BAD = f"没(?!有?(?:关系|事|问题))|{_IF}|不(?!要紧)"
_NOT_NEEDED = "不用|不需要|没必要|无需|不必|不要|不能|暂不|不建议"
_NEVER = "(?!)"

_FILL = "[^A-Z,、。可能用吃服不没无禁会是有为建要治引导致做查挂看但而则若如果]"
_SEPARATOR = (
    f"(?:{_FILL}{{0,3}}(?:、{_FILL}{{1,7}})*"
    f"(?:[、/,和及或与跟+]|或者|或是|以及|还有|等|,?(?:而且|并且|同时|常常?|还会?|也会?|甚至|并)?伴?有?)+{_FILL}{{0,4}})"
)
_JOINT = f"(?:{_SEPARATOR}|(?:病史|患者|病人|人群|妇女|女性|期间|人|者|期|时|引起|导致|所致|合并|伴|有|患|得了?|出现|发生|了|的|,)*)"
_PEOPLE = "(?:的?(?:患者|病人|人群|人|朋友|妇女|女性|期间|期|时候|时|者|情况|话|急性发作|发作|急性期|病史|了|得厉害))*"
_USE = (
    "(?:口服|服用|外用|使用|应用|加用|选用|选择|注射|静滴|静脉滴注|涂抹|外涂|含服|吸入|吃|喝|用|服|涂|抹|喷|滴|打|输|给予|予以|给"
    "|开(?!始|水))"
)
_MAY = (
    "(?:可以|建议您?|推荐|应该|应当|需要|能够|首选|可|应|宜|能|要|先|最好|考虑|适合|请|放心|遵医嘱|按时|继续|同时|配合|给孩子|给宝宝|给"
    "|您|你|就|也|都|还|是|直接|适当|一般|通常|常|多|酌情|必要时|立即|及时|尽早|长期|平时)"
)
_SOME = "(?:点儿?|一点|些|一些|一[片粒颗包支]|药|药物|上|的药|含有|比如|例如|像|的是|的话|儿童|小儿|一下|几天|一种|两种|、|:)?"
_FORBID = (
    "(?:不能够?|不可以|不可|不得|不宜|不要|不应该|不应|不适合|不适宜|不建议|不推荐|不主张|不允许|禁止|禁用|忌用|禁服|忌服|禁忌|严禁|禁"
    "|切勿|切忌|勿|忌|千万别|别|避免)"
)
_FORBID_USE = f"{_FORBID}(?:口服|服用|使用|应用|注射|外用|吃|用|服|打|涂|喝)?"
_FORBID_FOR = (
    "(?:禁用于|禁止用于|不能用于|不可用于|不适用于|不宜用于|忌用于|不得用于|不能给|不适合|不推荐给?|不建议给?"
    "|禁忌(?:症|证|人群)?(?:主要)?(?:有|是|包括|为|:)?|的禁忌[症证]?(?:主要)?(?:有|是|包括|为|:)?)"
)
_BOTH = "(?:一起|一块儿?|同时|合用|合在一起|同服|联用|联合|并用|混用|混着|混合|同用)"
_ALLOWED = "(?:可以|能|可|建议|需要|应该)"
_OFTEN = "(?:会|可能|可以|可|能|容易|易|常见|常常?|偶尔|偶有|有时候?|往往|多|主要|一般|也|还|通常|大多|个别人?|有可能|都|比较|最)"
_ALSO = "(?:和|与|跟|加|加上|联合|配合|合并|[+]|,?同时(?:口服|服用|使用|吃|用|加用))"
_EFFECTIVE = "(?:有效|有作用|有帮助|有用|管用|效果(?:很|比较|较|也|都|最|更)?(?:不错|好|明显)|有[^A-Z,]{0,5}(?:效果|疗效|作用)|[很是]?安全)"
_CAUSED = "(?:引起|导致|造成|所致|引发|诱发)"
_CONFIRM = "(?:排除|排查|确诊|明确|诊断|看看?|判断|了解|筛查|发现|鉴别|除外|评估|确定)"
_END = "(?=[的了啊呀哦吧。,;!]|就|$)"
_BE = "(?:有|是|为|包括|就是|如|:|主要|以|表现)+"


def _gap(most: int) -> str:
    return f"[^A-Z,]{{0,{most}}}?"


def _pause(before: int, after: int) -> str:
    """Words that may go over a comma."""
    return f"[^A-Z]{{0,{before}}}?,?[^A-Z,]{{0,{after}}}?"


def _many(letters: str, joint: str = _SEPARATOR) -> str:
    one = f"[{letters}](?:[(][^()]{{0,12}}[)])?"
    return f"{one}(?>{joint}{one})*(?:等(?:症状|表现|情况|药物?|疾病|不适|问题)?)?"


_DRUG, _FINDING, _TEST = f"(?P<s>{_many('D')})", f"(?P<o>{_many('F')})", f"(?P<o>{_many('E')})"
_FOR = f"(?P<o>{_many('FG', _JOINT)})"
_ILL = "(?P<s>F)"
_FOOD = f"(?P<o>{_many('O')})"
_EITHER = "(?P<o>[DO])"

_INDICATIONS = (
    f"{_FOR}{_PEOPLE}{_pause(10, 6)}{_MAY}*{_USE}{_SOME}{_gap(4)}{_DRUG}",
    f"{_FINDING}{_PEOPLE}{_pause(10, 4)}(?:给|让)?G{_gap(4)}{_USE}{_SOME}{_gap(4)}{_DRUG}",
    f"{_FOR}{_PEOPLE}{_pause(10, 6)}{_USE}?{_gap(12)}(?:药物?|药膏|抗生素|制剂|激素|治疗|抗[^A-Z,]{{1,4}})[^A-Z]{{0,4}}"
    f"(?:如|像|包括|有|首选|常用|选|用|是|为|以|:){_gap(4)}{_DRUG}",
    f"{_FOR}{_PEOPLE}{_gap(4)}(?:首选|优选|常用|推荐|多用|主要用){_gap(4)}{_DRUG}",
    f"(?:治疗|缓解|控制|改善|对付|针对){_gap(4)}(?P<o>{_many('F')}){_gap(8)}(?:用|选|是|有|药|吃|服|推荐|建议){_gap(5)}{_DRUG}",
    f"{_DRUG}[^A-Z]{{0,10}}?(?:治疗|用于|适用于|缓解|改善|针对|对付|减轻|主治|专治|治|控制|适合){_gap(6)}{_FOR}",
    f"{_DRUG}的?(?:主要)?适应[症证](?:主要)?{_BE}{_gap(3)}{_FINDING}",
    f"{_DRUG}{_gap(3)}(?:是|为|属于){_gap(3)}{_FINDING}的?{_gap(6)}(?:药|首选|选择)",
    f"{_DRUG}{_gap(3)}对于?{_gap(4)}{_FOR}{_PEOPLE}{_gap(6)}{_EFFECTIVE}",
    f"{_DRUG}{_gap(4)},?{_gap(2)}{_FOR}{_PEOPLE}(?:也|都|是)*(?:可以|能|可|适合|适用)(?:放心|安全)*{_USE}?{_END}",
    f"{_FOR}{_PEOPLE}{_pause(6, 4)}{_DRUG}{_gap(2)}(?:是|都|也)*(?:可以|能|可)(?:放心|安全|正常|继续)*{_USE}{_END}",
    f"{_DRUG}[^A-Z]{{0,10}}?{_FINDING}(?:时|的时候|者)可?以?(?:口服|服用?|吃|用)",
)
_BANS = (
    f"{_FOR}{_PEOPLE}{_pause(6, 4)}{_FORBID_USE}{_gap(3)}{_DRUG}",
    f"{_FORBID}(?:给|让|对)?{_gap(2)}{_FOR}{_PEOPLE}{_gap(2)}{_USE}{_gap(4)}{_DRUG}",
    f"{_DRUG}{_gap(4)}{_FORBID_FOR}{_gap(4)}{_FOR}",
    f"{_DRUG}[^A-Z]{{0,12}}?(?:禁忌(?:人群|症|证)?|禁用人群)(?:主要)?(?:有|是|包括|为|:)+{_gap(3)}{_FOR}",
    f"{_DRUG}{_gap(4)},?{_gap(8)}{_FOR}{_PEOPLE}{_gap(3)}{_FORBID_USE}{_END}",
)
_SIDE_EFFECTS = (
    f"{_DRUG}{_gap(10)}{_OFTEN}*(?:引起|导致|造成|出现|产生|引发|诱发|发生)(?!的){_gap(8)}{_FINDING}",
    f"{_DRUG}{_gap(10)}(?:会|可能会?|容易|有时会?|易|会让人|使人)(?:有点?|觉得|感到|变成|变得|增加)*{_gap(2)}{_FINDING}",
    f"{_DRUG}[^A-Z]{{0,10}}?{_FINDING}{_gap(4)}(?:这[个种些])?(?:副作用|不良反应)",
    f"{_FINDING}{_gap(4)}(?:是|属于|与|和)(?:由|因为?|吃|服用)?{_gap(3)}{_DRUG}{_gap(4)}(?:引起|导致|造成|副作用|不良反应|所致|有关)",
)
_TOLD_SIDE_EFFECTS = (f"{_DRUG}[^A-Z]{{0,8}}?(?:副作用|不良反应|毒性){_gap(6)}{_BE}{_gap(4)}{_FINDING}",)
_CLASHES = (
    f"(?P<s>D)[和与跟及同、]{_EITHER}{_gap(3)}{_FORBID}{_gap(3)}{_BOTH}",
    f"(?P<s>D){_gap(3)}{_FORBID}{_gap(3)}[和与跟同]{_EITHER}{_gap(3)}{_BOTH}",
    f"(?P<s>D){_gap(3)}(?:期间|时|后|的时候|前后|的话)?{_gap(3)}{_FORBID}{_gap(4)}(?:喝|饮|沾|碰){_gap(2)}(?P<o>O)",
)
_EFFECTS_ON_EACH_OTHER = (
    f"(?P<s>D)[和与跟及同]{_EITHER}{_gap(4)}(?:有|存在|会|发生|产生)+{_gap(4)}(?:相互作用|冲突|配伍禁忌)",
    f"(?P<s>D)[和与跟及同、]{_EITHER}{_gap(2)}{_BOTH}{_gap(3)}(?:会|可能|容易|有|可){_gap(8)}(?:风险|危险|反应|中毒|毒性|出血|影响|增加)",
    f"(?P<s>D){_gap(4)}(?:增强|降低|减弱|影响|增加|抑制|减低){_gap(2)}{_EITHER}的?{_gap(3)}(?:作用|疗效|效果|药效|浓度|毒性|代谢|吸收)",
)
_PAIRS = (
    f"(?P<s>D)[和与跟及同加]{_EITHER}{_gap(2)}{_ALLOWED}{_gap(2)}{_BOTH}",
    f"(?P<s>D){_gap(2)}{_ALLOWED}[和与跟同]{_EITHER}{_gap(2)}{_BOTH}",
    f"(?:可以|建议|推荐|应该|需要|给予|可){_MAY}*{_USE}{_SOME}(?P<s>D){_ALSO}(?P<o>D)",
    "(?P<s>D)(?:联合|联用|配合)(?P<o>D)",
)
_HARMLESS_PAIRS = (f"(?P<s>D){_gap(4)}{_EITHER}{_gap(2)}(?:没关系|没事|没问题|不要紧)",)
_SYMPTOMS = (
    f"{_ILL}{_PEOPLE}{_pause(6, 6)}{_OFTEN}+(?:出现|表现为|表现|伴有?|有|引起|导致|造成|引发|起|感到|觉得|留下|发生)(?!的){_gap(6)}{_FINDING}",
    f"{_ILL}{_PEOPLE}{_gap(6)}(?:引起|导致|造成|引发|诱发|表现为)(?!的){_gap(6)}{_FINDING}",
    f"{_ILL}{_PEOPLE}{_gap(6)}(?:会|可能会|容易|可以有)(?:有|出现|感觉|觉得|感到|变得)*{_gap(2)}{_FINDING}",
    f"{_ILL}{_PEOPLE}{_gap(3)}以{_FINDING}{_gap(3)}(?:为|常见|多见)",
    f"{_FINDING}{_gap(5)}(?:是|考虑|属于)(?:由|因为|您的|这个)*{_gap(3)}{_ILL}{_CAUSED}",
)
_NAMED_SYMPTOMS = (
    f"{_FINDING}{_gap(3)}(?:是|属于|为){_gap(3)}{_ILL}的?{_gap(12)}(?:症状|表现|征象|信号|特征)",
    f"{_ILL}{_PEOPLE}的?{_gap(6)}(?:症状|表现|特点|特征|征象){_gap(5)}{_BE}{_gap(6)}{_FINDING}",
    f"{_FINDING}{_gap(3)}(?:多见于|常见于|见于|提示|考虑是?|要?警惕|要?小心|符合){_gap(3)}{_ILL}(?!{_CAUSED})",
)
_COMPLICATIONS = (
    f"{_ILL}{_PEOPLE}{_gap(10)}(?:并发|继发|发展成|发展为|恶化成){_gap(4)}{_FINDING}",
    f"{_ILL}的?{_gap(4)}并发症{_gap(5)}{_BE}{_gap(4)}{_FINDING}",
)
_CAUSES = (
    f"{_ILL}{_gap(8)}(?:是|由|因){_gap(4)}(?P<o>{_many('C')}){_gap(3)}(?:{_CAUSED}|感染)",
    f"{_ILL}的?{_gap(4)}(?:病因|原因|诱因|病原体?){_gap(4)}{_BE}{_gap(4)}(?P<o>{_many('CF')})",
)
_CAUSED_BY = (f"(?P<s>C){_gap(4)}{_OFTEN}*{_CAUSED}(?!的){_gap(4)}{_FINDING}",)
_TESTS_OF = (
    f"{_ILL}{_PEOPLE}{_pause(10, 6)}(?:需要?|建议您?|可以?|应该?|最好|要|得|先|请|去|通过|靠|做|查|拍|化验|完善|复查){_gap(8)}{_TEST}",
)
_TESTS_FOR = (
    f"(?:做|查|检查|化验|拍|完善|复查|行|抽血|通过|用|靠|先){_gap(6)}{_TEST}{_pause(12, 4)}{_CONFIRM}{_gap(8)}{_ILL}",
    f"{_TEST}{_gap(4)}(?:是|可以?|能够?|用于|有助于|用来|可用于){_gap(3)}{_CONFIRM}{_gap(4)}{_ILL}",
)
_WARDS = (
    f"{_ILL}{_PEOPLE}[^A-FH-Z]{{0,10}}?,?[^A-FH-Z,]{{0,8}}?(?:挂|看|去|到|就诊于|咨询|找|属于|归|转|往){_gap(6)}(?P<o>{_many('K')})",
    f"(?P<o>K)(?:是|可以|能|主要|就|专门)*(?:治疗|看|诊治|负责){_gap(4)}{_ILL}",
)
_BAD_FOOD = (
    f"{_ILL}{_PEOPLE}{_pause(6, 4)}(?:少|戒|{_FORBID})(?:再|多)?(?:吃|喝|食用|饮用?|进食|摄入|碰)?{_gap(3)}{_FOOD}",
)
_GOOD_FOOD = (
    f"{_ILL}{_PEOPLE}{_pause(6, 4)}(?:可以|能|宜|多|适合|建议|应该?|最好|要){_gap(2)}(?:吃|喝|食用|饮用?){_gap(3)}{_FOOD}",
)
_CONTENTS = (f"(?P<s>D){_gap(4)}(?:含有?|成[分份]{_gap(2)}(?:是|有|为|包括|:)){_gap(6)}(?P<o>{_many('DI')})",)
_CURES = (
    f"{_ILL}{_PEOPLE}{_pause(6, 6)}(?:可以?|需要?|建议|应该?|要|进行|采取|采用|行|做|首选|考虑)+{_gap(4)}(?P<o>{_many('T')})",
    f"(?P<o>T){_gap(4)}(?:治疗|用于|适用于){_gap(4)}{_ILL}",
)
_SITES = (
    f"{_ILL}{_gap(4)}(?:发生在|位于|累及|侵犯|好发于|多发生于|长在|部位是|多发于|见于){_gap(3)}(?P<o>{_many('B')})",
)
_PRONE = (
    f"(?P<o>G){_PEOPLE}{_gap(3)}(?:容易|易)(?:得|患|发生|感染|患上|出现)?{_gap(2)}{_ILL}",
    f"{_ILL}{_gap(3)}(?:多见于|好发于|常见于|多发于){_gap(3)}(?P<o>{_many('G')})",
)
_CURE_KINDS = (TREATMENT, "手术治疗", "辅助治疗", "化疗", "放射治疗")
_TABLE: tuple[tuple[tuple[str, ...], str, tuple[str, ...], bool], ...] = (
    ((INDICATION,), _NOT_RECOMMENDED, _INDICATIONS, False),
    ((CONTRAINDICATION,), _NOT_FORBIDDEN, _BANS, False),
    ((ADVERSE,), _NOT_CAUSED, _SIDE_EFFECTS, False),
    ((ADVERSE,), _NO_EFFECT, _TOLD_SIDE_EFFECTS, False),
    ((INTERACTION,), _NEVER, _CLASHES, False),
    ((INTERACTION,), _NOT_STATED.replace("禁|", ""), _EFFECTS_ON_EACH_OTHER, False),
    ((TOGETHER,), _NOT_GIVEN_BOTH, _PAIRS, False),
    ((TOGETHER,), _NOT_BAD, _HARMLESS_PAIRS, False),
    ((SYMPTOM, COMPLICATION, CAUSING), _NOT_CAUSED, _SYMPTOMS, False),
    ((SYMPTOM,), _NOT_STATED, _NAMED_SYMPTOMS, False),
    ((COMPLICATION,), "没|无|不会|预防|避免", _COMPLICATIONS, False),
    ((CAUSE,), _NOT_STATED, _CAUSES, False),
    ((CAUSING,), _NOT_CAUSED, _CAUSED_BY, False),
    ((EXAMINATION,), _NOT_NEEDED, _TESTS_OF, True),
    ((EXAMINATION,), _NOT_NEEDED, _TESTS_FOR, True),
    ((DEPARTMENT,), _NOT_NEEDED, _WARDS, False),
    ((AVOIDED_FOOD,), "不是|不必|没必要", _BAD_FOOD, False),
    ((RECOMMENDED_FOOD,), "不|少|忌|避免|戒|别|禁|勿", _GOOD_FOOD, False),
    ((INGREDIENT,), _NOT_STATED, _CONTENTS, False),
    (_CURE_KINDS, _NOT_STATED, _CURES, False),
    ((SITE,), _NOT_STATED, _SITES, False),
    ((SUSCEPTIBLE,), _NOT_STATED, _PRONE, False),
)


@cache
def phrases() -> tuple[Phrase, ...]:
    """Every phrase, compiled."""
    return tuple(
        Phrase(relations, re.compile(pattern), re.compile(veto), whether)
        for relations, veto, patterns, whether in _TABLE
        for pattern in patterns
    )
