"""How doctors state what a graph can know: phrases over a skeleton in which every name is one capital letter.

D drug, F disease or symptom, G group of people, E examination, K department, O food or alcohol, T treatment, C cause,
I ingredient, B part of the body, N what is denied, X any other name. 孕妇可以吃布洛芬 has the skeleton G可以吃D.
Normalised text has no capitals of its own, and its commas are ASCII.
"""

from __future__ import annotations

import re
from enum import IntEnum
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
from kg.wording import (
    ALLOWED,
    ALSO,
    BE,
    BOTH,
    CAUSED,
    CONFIRM,
    DRUG,
    EFFECTIVE,
    EITHER,
    END,
    FINDING,
    FOOD,
    FOR,
    FORBID,
    FORBID_FOR,
    FORBID_USE,
    IF,
    ILL,
    ILLS,
    MAY,
    NEVER,
    NO_EFFECT,
    NOT_BAD,
    NOT_CAUSED,
    NOT_FORBIDDEN,
    NOT_GIVEN_BOTH,
    NOT_NEEDED,
    NOT_RECOMMENDED,
    NOT_STATED,
    OFTEN,
    PEOPLE,
    PLAIN_FOR,
    SOME,
    TEST,
    USE,
    gap,
    many,
    pause,
)

TOGETHER = "联合用药"
SUITABLE = "适用人群"
CAUSING = "导致"
"""The cause relation read backwards."""


class Omission(IntEnum):
    """Whether a phrase may leave out what it speaks of: never, behind a clause that names it, behind a sentence."""

    NONE = 0
    NEAR = 1
    FAR = 2


class Phrase(msgspec.Struct, frozen=True):
    """A way to state a relation; the groups `s` and `o` of the pattern hold the letters of its ends.

    The words leave open which of `relations` is meant; the first is the usual one. A match that holds a word of
    `veto` states something else; `subjects` and `objects` are the letters that may stand at the ends.
    """

    relations: tuple[str, ...]
    pattern: re.Pattern[str]
    veto: re.Pattern[str]
    omission: Omission
    subjects: frozenset[str]
    objects: frozenset[str]


_INDICATIONS = (
    f"{FOR}{PEOPLE}{pause(10, 6)}{MAY}*{USE}{SOME}{gap(4)}{DRUG}",
    f"{FINDING}{PEOPLE}{pause(10, 4)}(?:给|让)?G{gap(4)}{USE}{SOME}{gap(4)}{DRUG}",
    f"{FOR}{PEOPLE}{pause(10, 6)}{USE}?{gap(12)}(?:药物?|药膏|抗生素|制剂|激素|治疗|抗[^A-Z,]{{1,4}})[^A-Z]{{0,4}}"
    f"(?:如|像|包括|有|首选|常用|选|用|是|为|以|:){gap(4)}{DRUG}",
    f"{FOR}{PEOPLE}{gap(4)}(?:首选|优选|常用|推荐|多用|主要用){gap(4)}{DRUG}",
    f"(?:治疗?|缓解|控制|改善|对付|针对){gap(4)}(?P<o>{many('F')})[^A-Z]{{0,12}}?(?:用|选|是|有|药|吃|服|推荐|建议|如|像){gap(5)}{DRUG}",
    f"{FINDING}{PEOPLE}{pause(6, 4)}{DRUG}{gap(3)}(?:是|为|属于){gap(4)}(?:首选|常用|一线|最好|较好|有效|特效)",
    f"{DRUG}{gap(2)}(?:可以|能|可|适合)(?:放心|安全)?(?:给|让|用来给){gap(2)}{PLAIN_FOR}",
    f"{DRUG}[^A-Z]{{0,10}}?(?:治疗|用于|适用于|缓解|改善|针对|对付|减轻|主治|专治|治|控制|适合){gap(6)}{PLAIN_FOR}",
    f"{DRUG}的?(?:主要)?适应[症证](?:主要)?{BE}{gap(3)}{FINDING}",
    f"{DRUG}{gap(3)}(?:是|为|属于){gap(3)}{FINDING}的?{gap(6)}(?:药|首选|选择)",
    f"{DRUG}{pause(3, 2)}对于?{gap(4)}{PLAIN_FOR}{PEOPLE}{gap(6)}{EFFECTIVE}",
    f"{DRUG}{gap(4)},?{gap(2)}{PLAIN_FOR}{PEOPLE}(?:也|都|是)*(?:可以|能|可|适合|适用)(?:放心|安全)*{USE}?{END}",
    f"{FOR}{PEOPLE}{pause(3, 3)}{DRUG}{gap(3)}(?:要|需要?|应|得|可以)(?:坚持|长期|继续|按时|规律|足量)+{USE}",
    f"{DRUG}[^A-Z]{{0,12}}?{PLAIN_FOR}{PEOPLE}(?:常用|首选|可用|适用)",
    f"{FOR}{PEOPLE}{pause(6, 4)}{DRUG}{gap(2)}(?:是|都|也)*(?:可以|能|可)(?:放心|安全|正常|继续)*{USE}{END}",
    f"{DRUG}[^A-Z]{{0,10}}?{FINDING}(?:时|的时候|者)可?以?(?:口服|服用?|吃|用)",
)
_HARMLESS = (
    f"{DRUG}{gap(3)}对于?{gap(2)}{PLAIN_FOR}{PEOPLE}{gap(2)}(?:没有?(?:什么|任何)?(?:影响|危害|问题|风险)|无影响|不影响|无害)",
)
_BANS = (
    f"{PLAIN_FOR}{PEOPLE}{gap(4)}{USE}{gap(2)}{DRUG}{gap(4)}(?:会|可能|可|容易){gap(2)}(?:加重|恶化|诱发)",
    f"{PLAIN_FOR}{PEOPLE}{pause(4, 3)}{DRUG}{gap(2)}{FORBID_USE}{END}",
    f"{PLAIN_FOR}{gap(3)}(?:是|属于){gap(2)}{DRUG}的?{gap(3)}禁忌",
    f"{PLAIN_FOR}{PEOPLE}{pause(6, 4)}{FORBID_USE}{gap(3)}{DRUG}",
    f"{FORBID}(?:给|让|对)?{gap(2)}{PLAIN_FOR}{PEOPLE}{gap(2)}{USE}{gap(4)}{DRUG}",
    f"{DRUG}{gap(4)}{FORBID_FOR}{gap(4)}{PLAIN_FOR}",
    f"{DRUG}[^A-Z]{{0,12}}?(?:禁忌(?:人群|症|证)?|禁用人群)(?:主要)?(?:有|是|包括|为|:)+{gap(3)}{PLAIN_FOR}",
    f"{DRUG}{gap(4)},?{gap(8)}{PLAIN_FOR}{PEOPLE}{gap(3)}(?:{FORBID_USE}|不行){END}",
)
_SIDE_EFFECTS = (
    f"(?:吃|服用?|用|打){DRUG}{gap(6)}(?:当心|小心|警惕|注意|留意|提防){gap(3)}{FINDING}",
    f"{DRUG}{gap(10)}{OFTEN}*(?:引起|导致|造成|致|出现|产生|引发|诱发|发生)(?!的){gap(8)}{FINDING}",
    f"{DRUG}{gap(10)}(?:会|可能会?|容易|有时会?|易|使人)(?:让[您你人])?(?:有点?|觉得|感到|变成|变得|增加)*{gap(2)}{FINDING}",
    f"{DRUG}[^A-Z]{{0,10}}?{FINDING}{gap(4)}(?:这[个种些])?(?:副作用|不良反应)",
    f"{DRUG}{gap(8)}{FINDING}{gap(2)}(?:很|比较|最|是|属于)?(?:常见|多见|正常)",
    f"{FINDING}{pause(4, 2)}(?:是|属于|与|和|跟)(?:由|因为?|吃|服用)?{gap(3)}{DRUG}{gap(4)}"
    "(?:引起|导致|造成|副作用|不良反应|所致|有关)",
)
_TOLD_SIDE_EFFECTS = (
    f"(?:吃|服用?|用|打){DRUG}{gap(6)}(?:当心|小心|警惕|注意|留意|提防){gap(3)}{FINDING}",
    f"{DRUG}[^A-Z]{{0,8}}?(?:副作用|不良反应|毒性){gap(6)}{BE}{gap(4)}{FINDING}",
)
_CLASHES = (
    f"(?P<s>D)[和与跟及同、]{EITHER}{gap(3)}{FORBID}{gap(3)}{BOTH}",
    f"(?P<s>D){gap(3)}{FORBID}{gap(3)}[和与跟同]{EITHER}{gap(3)}{BOTH}",
    f"(?P<s>D){gap(3)}(?:期间|时|后|的时候|前后|的话)?{gap(3)},?{gap(6)}{FORBID}{gap(4)}(?:喝|饮|沾|碰){gap(2)}(?P<o>O)",
    f"(?P<o>O){gap(4)}{FORBID}(?:再)?{USE}?{gap(3)}(?P<s>D)",
    f"(?:吃|用|服用?|口服)(?:了|着)?(?P<s>D)的?(?:患者|病人|人|期间|时候?|同时|,)(?!但|而|不过){gap(4)}{FORBID_USE}{gap(3)}(?P<o>D)",
)
_EFFECTS_ON_EACH_OTHER = (
    f"(?P<s>D)[和与跟及同]{EITHER}{gap(4)}(?:有|存在|会|发生|产生)+{gap(4)}(?:相互作用|冲突|配伍禁忌)",
    f"(?P<s>D)[和与跟及同、]{EITHER}{gap(2)}{BOTH}{gap(3)},?(?:会|可能|容易|有|可)?{gap(8)}(?:风险|危险|反应|中毒|毒性|出血|影响|增加)",
    f"(?P<s>D)[和与跟及同、]{EITHER}{gap(2)}{BOTH}{gap(3)},?F的?(?:风险|几率|可能)",
    f"(?P<s>D){gap(4)}(?:增强|升高|提高|加强|降低|减弱|影响|增加|抑制|减低){gap(2)}{EITHER}的?{gap(3)}(?:作用|疗效|效果|药效|浓度|毒性|代谢|吸收|风险)",
)
_PAIRS = (
    f"(?P<s>D){gap(3)}(?:期间|时)?(?:可以|能|可){gap(3)}(?:喝|饮){gap(1)}(?P<o>O)",
    f"(?P<s>D)[和与跟及同加、]{EITHER}{gap(2)}{BOTH}{USE}?{gap(2)}{EFFECTIVE}",
    f"(?:吃|用|服用?|口服)(?:了|着)?(?P<s>D)的?(?:患者|病人|人|期间|时候?|同时){gap(4)}(?:可以|能|建议){gap(3)}{USE}{gap(3)}{EITHER}",
    f"(?P<s>D)[和与跟及同加、]{EITHER}{gap(2)}{ALLOWED}{gap(2)}{BOTH}",
    f"(?P<s>D){gap(2)}{ALLOWED}[和与跟同]{EITHER}{gap(2)}{BOTH}",
    f"(?:可以|建议|推荐|应该|需要|给予|可){MAY}*{USE}{SOME}(?P<s>D){ALSO}(?P<o>D)",
    "(?P<s>D)(?:联合|联用|配合)(?P<o>D)",
)
_REACTIONS = (f"(?P<s>D)[和与跟及同配加遇]{EITHER}{gap(4)}(?:会|可|容易|有|出现|发生)+{gap(6)}(?:反应|中毒|危险)",)
_HARMLESS_PAIRS = (
    f"(?P<s>D){gap(3)}(?:期间|时)?(?:可以|能|可){gap(3)}(?:喝|饮){gap(1)}(?P<o>O)",
    f"(?P<s>D)[和与跟及同加、]{EITHER}{gap(2)}{BOTH}{USE}?{gap(2)}{EFFECTIVE}",
    f"(?:吃|用|服用?|口服)(?:了|着)?(?P<s>D)的?(?:患者|病人|人|期间|时候?|同时){gap(4)}(?:可以|能|建议){gap(3)}{USE}{gap(3)}{EITHER}",
    f"(?P<s>D){gap(4)}{EITHER}{gap(2)}(?:没关系|没事|没问题|不要紧)",
)
_SYMPTOMS = (
    f"{ILLS}{gap(2)}都{gap(2)}(?:会|可以?|能)?(?:有|出现|引起|导致|伴有?|表现为){gap(4)}{FINDING}",
    f"{ILL}(?:起来)?{FINDING}(?:比较|很|非常|特别)?(?:明显|得厉害|突出|剧烈)",
    f"{ILL}{pause(6, 6)}{OFTEN}+(?:出现|表现为|表现|伴有?|有|引起|导致|造成|引发|起|感到|觉得|留下|发生)"
    f"(?!的){gap(6)}{FINDING}",
    f"{ILL}{gap(6)}(?:引起|导致|造成|引发|诱发|表现为)(?!的){gap(6)}{FINDING}",
    f"{ILL}{gap(6)}(?:会|可能会|容易|可以有|经常|常常|总是|老是)(?:有|出现|感觉|觉得|感到|变得)*[^A-Z,是]{{0,2}}?{FINDING}",
    f"{ILL}{gap(6)}(?:特别|非常|明显|剧烈|老是|总是|总会|十分){gap(2)}{FINDING}",
    f"{ILL}{gap(3)}以{FINDING}{gap(3)}(?:为|常见|多见)",
    f"{ILL}(?:初期|早期|晚期|后期|急性期|发作时?|时|的时候)(?:就是|就会|多|主要|有|以)+{gap(2)}{FINDING}",
    f"{ILL}{FINDING}(?:是难免|难免|很常见|是?常有)",
    f"{FINDING}{pause(5, 4)}(?:是|考虑|属于)(?:由|因为|您的|这个)*{gap(3)}{ILL}{CAUSED}",
)
_NAMED_SYMPTOMS = (
    f"{ILLS}{gap(2)}都{gap(2)}(?:会|可以?|能)?(?:有|出现|引起|导致|伴有?|表现为){gap(4)}{FINDING}",
    f"{ILL}(?:起来)?{FINDING}(?:比较|很|非常|特别)?(?:明显|得厉害|突出|剧烈)",
    f"{FINDING}{pause(2, 3)}(?:(?<![或还])是|像|属于|(?<!因)为){gap(3)}{ILL}的?{gap(12)}(?:症状|表现|征象|信号|特征)",
    f"{ILL}的?{gap(6)}(?:症状|表现|特点|特征|征象){gap(5)}{BE}{gap(6)}{FINDING}",
    f"{FINDING}{pause(3, 4)}(?:多见于|常见于|见于|提示|考虑是?|要?警惕|要?小心|符合){gap(3)}{ILL}(?!{CAUSED})",
)
_GUESSES = (
    f"{FINDING}{pause(4, 2)}(?:多半|应该|很可能|往往|通常|大多|估计|八成|怀疑)"
    f"(?:就?是|为|属于)?{gap(3)}{ILL}(?!{CAUSED})",
)
_NAMED_COMPLICATIONS = (
    f"{ILL}{gap(8)}{FINDING}(?:等|之类|这些|这类)?(?<=[等类些])的?并发症",
    f"{FINDING}{gap(4)}(?:继发|并发)于{gap(2)}{ILL}",
)
_COMPLICATIONS = (
    f"{FINDING}{gap(3)}(?:是|属于|为){gap(3)}{ILL}的?{gap(6)}并发症",
    f"{ILL}{gap(10)}(?:并发|继发(?!于)|发展成|发展为|恶化成){gap(4)}{FINDING}",
    f"{ILL}的?{gap(4)}并发症{gap(5)}{BE}{gap(4)}{FINDING}",
)
_CAUSES = (
    f"{ILL}{gap(8)}(?:是|由|因){gap(4)}(?P<o>{many('C')}){gap(3)}(?:{CAUSED}|感染)",
    f"{ILL}的?{gap(4)}(?:病因|原因|诱因|病原体?){gap(4)}{BE}{gap(4)}(?P<o>{many('CF')})",
)
_NAMED_CAUSES = (
    f"{ILL}{gap(4)}(?:跟|与|和)(?P<o>{many('C')}){gap(4)}(?:有关|关系密切|相关)",
    f"(?P<o>{many('CF')}){gap(3)}(?:是|为|属于){gap(3)}{ILL}的{gap(6)}(?:病因|原因|诱因|病原体?|致病菌)",
)
_CAUSED_BY = (f"(?P<s>C){gap(4)}{OFTEN}*{CAUSED}的?{gap(4)}{FINDING}",)
_TESTS_OF = (
    f"{ILL}{pause(10, 6)}(?:需要?|建议您?|可以?|应该?|最好|要|得|先|请|去|首选|通过|完善|靠|用|做|查|拍|化验)"
    f"{gap(8)}{TEST}",
)
_TESTS_FOR = (
    f"{TEST}对于?{gap(2)}{ILL}的?{gap(2)}(?:诊断|鉴别|判断|筛查|确诊)",
    f"(?:做|查|检查|化验|拍|完善|复查|行|抽血|通过|用|靠|先){gap(6)}{TEST}{pause(12, 4)}{CONFIRM}{gap(8)}{ILL}",
    f"{TEST}{gap(4)}(?:是|可以?|能够?|用于|有助于|用来|可用于|对于?){gap(3)}{CONFIRM}{gap(4)}{ILL}",
)
_WARDS = (
    f"(?:去|到|挂|看){gap(4)}(?P<o>{many('K')}){pause(8, 4)}(?:排除|排查|看看?|诊断|治疗|检查|明确){gap(6)}{ILL}",
    f"{ILL}[^A-FH-Z]{{0,10}}?,?[^A-FH-Z,]{{0,8}}?(?:挂|看|去|到|在|就诊于|咨询|找|是|属于|归|转|往)"
    f"{gap(6)}(?P<o>{many('K')})",
    f"(?P<o>K)(?:是|可以|能|主要|就|专门)*(?:治疗|看|诊治|负责){gap(4)}{ILL}",
)
_BAD_FOOD = (
    f"{ILL}{pause(4, 3)}{FOOD}{gap(3)}(?:(?:{FORBID}|要?少){gap(2)}(?:吃|喝|碰|沾|食用)|要?忌口|要忌|要戒)",
    f"{FOOD}{gap(3)}(?:是|属于){gap(2)}{ILL}的?{gap(3)}(?:禁忌|忌口|大忌)",
    f"{ILL}{pause(6, 4)}(?:少|戒|{FORBID})(?:再|多)?(?:吃|喝|食用|饮用?|进食|摄入|碰)?{gap(3)}{FOOD}",
)
_GOOD_FOOD = (
    f"{ILL}{gap(3)}(?:吃|喝|食用)(?:点|些)?{FOOD}{gap(2)}(?:没事|没关系|没问题|无妨)",
    f"{ILL}{gap(3)}(?:吃|喝|食用)(?:点|些)?{FOOD}{gap(2)}(?:养|好|有好处|很好|有益|有帮助)",
    f"{ILL}{pause(6, 4)}(?:可以|能|宜|多|适合|建议|应该?|最好|要){gap(2)}(?:吃|喝|食用|饮用?){gap(3)}{FOOD}(?!之?[前后])",
)
_CONTENTS = (f"(?P<s>D){gap(4)}(?:含有?|成[分份]{gap(2)}(?:是|有|为|包括|:)){gap(6)}(?P<o>{many('DI')})",)
_CURES = (
    f"{ILL}{pause(6, 6)}(?:可以?|需要?|建议|应该?|要|进行|采取|采用|行|做|首选|考虑)+{gap(4)}(?P<o>{many('T')})",
    f"(?P<o>T){gap(4)}(?:治疗|用于|适用于){gap(4)}{ILL}",
)
_SITES = (f"{ILL}{gap(4)}(?:发生在|位于|累及|侵犯|好发于|多发生于|长在|部位是|多发于|见于){gap(3)}(?P<o>{many('B')})",)
_PRONE = (
    f"(?P<o>G){PEOPLE}{gap(3)}(?:容易|易)(?:得|患|发生|感染|患上|出现)?{gap(2)}{ILL}",
    f"{ILL}{gap(3)}(?:多见于|好发于|常见于|多发于){gap(3)}(?P<o>{many('G')})",
)
_CURE_KINDS = (TREATMENT, "手术治疗", "辅助治疗", "化疗", "放射治疗")
_Row = tuple[tuple[str, ...], str, tuple[str, ...], Omission]
_TABLE: tuple[_Row, ...] = (
    ((INDICATION,), NOT_RECOMMENDED, _INDICATIONS, Omission.FAR),
    ((INDICATION,), f"{IF}|除了|不是", _HARMLESS, Omission.NONE),
    ((CONTRAINDICATION,), NOT_FORBIDDEN, _BANS, Omission.FAR),
    ((ADVERSE,), NOT_CAUSED, _SIDE_EFFECTS, Omission.NEAR),
    ((ADVERSE,), NO_EFFECT, _TOLD_SIDE_EFFECTS, Omission.FAR),
    ((INTERACTION,), NEVER, _CLASHES, Omission.NONE),
    ((INTERACTION,), NOT_STATED.replace("禁|", ""), (*_EFFECTS_ON_EACH_OTHER, *_REACTIONS), Omission.NONE),
    ((TOGETHER,), NOT_GIVEN_BOTH, _PAIRS, Omission.NONE),
    ((TOGETHER,), NOT_BAD, _HARMLESS_PAIRS, Omission.NONE),
    ((SYMPTOM, COMPLICATION, CAUSING), NOT_CAUSED, _SYMPTOMS, Omission.NEAR),
    ((SYMPTOM,), NOT_STATED, (*_NAMED_SYMPTOMS, *_GUESSES), Omission.FAR),
    ((COMPLICATION,), "没|无|不会|预防|避免", _COMPLICATIONS, Omission.NEAR),
    ((COMPLICATION,), "没|无|不会|不是", _NAMED_COMPLICATIONS, Omission.NEAR),
    ((CAUSE,), NOT_STATED, (*_CAUSES, *_NAMED_CAUSES), Omission.NEAR),
    ((CAUSING,), NOT_CAUSED, _CAUSED_BY, Omission.NONE),
    ((EXAMINATION,), NOT_NEEDED, (*_TESTS_OF, *_TESTS_FOR), Omission.FAR),
    ((DEPARTMENT,), NOT_NEEDED, _WARDS, Omission.FAR),
    ((AVOIDED_FOOD,), "不是|不必|没必要", _BAD_FOOD, Omission.NEAR),
    ((RECOMMENDED_FOOD,), "不|少|忌|避免|戒|别|禁|勿|终|停|拒", _GOOD_FOOD, Omission.NEAR),
    ((INGREDIENT,), NOT_STATED, _CONTENTS, Omission.NEAR),
    (_CURE_KINDS, NOT_STATED, _CURES, Omission.FAR),
    ((SITE,), NOT_STATED, _SITES, Omission.NEAR),
    ((SUSCEPTIBLE,), NOT_STATED, _PRONE, Omission.NONE),
)


@cache
def phrases() -> tuple[Phrase, ...]:
    """Every phrase, compiled."""
    return tuple(
        Phrase(relations, re.compile(pattern), re.compile(veto), omission, *(_ends(pattern, end) for end in "so"))
        for relations, veto, patterns, omission in _TABLE
        for pattern in patterns
    )


def _ends(pattern: str, group: str) -> frozenset[str]:
    """The letters that a named group of a pattern begins with."""
    found = re.search(rf"\(\?P<{group}>\[?([A-Z]+)", pattern)
    assert found, pattern
    return frozenset(found[1])
