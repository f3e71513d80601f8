"""How doctors speak of illnesses: symptoms, complications, causes, examinations, departments, food, treatment.

Each phrase stands beside an example of what it finds, written in the letters of `phrases`.
"""

from __future__ import annotations

from kg.checking.wording import (
    BE,
    CAUSED,
    CONFIRM,
    FINDING,
    FOOD,
    FORBID,
    ILL,
    ILLS,
    LEAD_TO,
    OFTEN,
    PEOPLE,
    TEST,
    gap,
    many,
    pause,
)

SYMPTOMS = {
    "F和F都会有F": f"{ILLS}{gap(2)}都{gap(2)}(?:会|可以?|能)?(?:(?<!拥)有|出现|{LEAD_TO}|伴有?|表现为){gap(4)}"
    f"{FINDING}",
    "F发作起来F得厉害": f"{ILL}(?:起来)?{FINDING}(?:比较|很|非常|特别)?(?:明显|得厉害|突出|剧烈)",
    "F可能出现F": f"{ILL}{pause(6, 6)}{OFTEN}+(?:再次|反复|突然)*(?:出现|表现为|表现|伴发?有?|(?<!拥)有|{LEAD_TO}"
    f"|起|感到|觉得|留下|发生)"
    f"(?!的){gap(6)}{FINDING}(?!{CAUSED})",
    "F引起F": f"{ILL}{gap(6)}(?:{LEAD_TO}|表现为)(?!的){gap(6)}{FINDING}",
    "F引起的F": f"{ILL}{CAUSED}的{FINDING}",
    "F容易F": f"{ILL}{gap(6)}(?:会|可能会|容易|可以有|经常|常常|总是|老是)(?:有|出现|感觉|觉得|感到|变得)*"
    f"[^A-Z,是]{{0,2}}?{FINDING}(?!{CAUSED})",
    "F发作起来特别F": f"{ILL}{gap(6)}(?:特别|非常|明显|剧烈|老是|总是|总会|十分)(?!是){gap(2)}{FINDING}",
    "F早期常见F": f"{ILL}{gap(6)}(?:常见|多见)的?(?:症状|表现)?(?:有|是|为)?{FINDING}",
    "F以F为主": f"{ILL}{gap(3)}以{FINDING}{gap(3)}(?:为|常见|多见)",
    "F初期就是F": f"{ILL}(?:初期|早期|晚期|后期|急性期|发作时?|时|的时候)(?:就是|就会|多|主要|有|以)+{gap(2)}{FINDING}",
    "F,躺下就F": f"{ILL},?{gap(6)}就会?{FINDING}",
    "FF是难免的": f"{ILL}{FINDING}(?:是难免|难免|很常见|是?常有)",
    "F是F引起的": f"{FINDING}{pause(5, 4)}(?:是|考虑|属于)(?:由于?|因为?|您的|这个)*{gap(3)}{ILL}{CAUSED}",
    "F可由多种原因引起,如F": f"(?P<o>F)[^A-Z]{{0,14}}?由{gap(10)}(?:{LEAD_TO})的?,?(?:例如|比如|譬如|如|像|包括"
    f"|常见的?有){gap(8)}"
    f"(?P<s>{many('F')})",
}
NAMED_SYMPTOMS = {
    "F是F的症状": f"{FINDING}{pause(2, 3)}(?:(?<![或还])是|像|属于|(?<!因)为){gap(3)}{ILL}的?{gap(12)}(?:症状|表现"
    f"|征象|信号|特征)",
    "F的症状是F": f"{ILL}的?{gap(6)}(?:症状|表现|特点|特征|征象){gap(5)}{BE}{gap(6)}{FINDING}",
    "F多见于F": f"{FINDING}{pause(3, 4)}(?:多见于|常见于|见于|提示|考虑是?|要?警惕|要?小心|符合){gap(3)}{ILL}(?!"
    f"{CAUSED})",
    "F多半是F": f"{FINDING}{pause(4, 2)}(?:多半|应该|很可能|往往|通常|大多|估计|八成|怀疑)"
    f"(?:就?是|为|属于)?{gap(3)}{ILL}(?!{CAUSED})",
}
NAMED_COMPLICATIONS = {
    "F要预防F等并发症": f"{ILL}(?![、和及]){gap(8)}{FINDING}(?:等|之类|这些|这类)?(?<=[等类些])的?并发症",
    "F常继发于F": f"{FINDING}{gap(4)}(?:继发|并发)于{gap(2)}{ILL}",
}
COMPLICATIONS = {
    "F是F的并发症": f"{FINDING}{gap(3)}(?:是|属于|为){gap(3)}{ILL}的?{gap(6)}并发症",
    "F容易并发F": f"{ILL}{gap(10)}(?:并发|继发(?!于)|发展成|发展为|恶化成){gap(4)}{FINDING}",
    "F的并发症有F": f"{ILL}的?{gap(4)}并发症{gap(5)}{BE}{gap(4)}{FINDING}",
}
CAUSES = {
    "F多由C引起": f"{ILL}{gap(8)}(?:是|由|因){gap(4)}(?P<o>{many('C')}){gap(3)}(?:{CAUSED}|感染)",
    "F的病因是C": f"{ILL}的?{gap(4)}(?:病因|原因|诱因|病原体?){gap(4)}{BE}{gap(4)}(?P<o>{many('CF')})",
    "F跟C有关": f"{ILL}{gap(4)}(?:跟|与|和)(?P<o>{many('C')}){gap(4)}(?:有关|关系密切|相关)",
    "C是F的主要病因": f"(?P<o>{many('CF')}){gap(3)}(?:是|为|属于){gap(3)}{ILL}的{gap(6)}(?:病因|原因|诱因|病原体?"
    f"|致病菌)",
}
CAUSED_BY = {
    "C会引起F": f"(?P<s>C){gap(4)}{OFTEN}*{CAUSED}的?{gap(4)}{FINDING}",
}
TESTS = {
    "F需要做E": f"{ILL}{pause(10, 6)}(?:需要?|建议您?|可以?|应该?|最好|要|得|先|请|去|首选|通过|完善|靠|用|做|查"
    f"|拍|化验)"
    f"{gap(8)}{TEST}",
    "E对F的诊断": f"{TEST}对于?{gap(2)}{ILL}的?{gap(2)}(?:诊断|鉴别|判断|筛查|确诊)",
    "做E排除F": f"(?:做|查|检查|化验|拍|完善|复查|行|抽血|通过|用|靠|先){gap(6)}{TEST}{pause(12, 4)}{CONFIRM}"
    f"{gap(8)}{ILL}",
    "E可以确诊F": f"{TEST}{gap(4)}(?:是|可以?|能够?|用于|有助于|用来|可用于|对于?){gap(3)}{CONFIRM}{gap(4)}{ILL}",
    "F,E也支持": f"{ILL}{gap(4)},{gap(2)}{TEST}(?:检查|结果)?(?:也|都)?(?:支持|符合|证实)",
}
WARDS = {
    "挂K看看是不是F": f"(?:去|到|挂|看){gap(4)}(?P<o>{many('K')}){pause(8, 4)}(?:排除|排查|看看?|诊断|治疗|检查"
    f"|明确){gap(6)}{ILL}",
    "F挂K": f"{ILL}[^A-FH-Z]{{0,10}}?,?[^A-FH-Z,]{{0,8}}?(?:挂|看|去|到|在|就诊于|咨询|找|是|属于|归|转|往)"
    f"{gap(6)}(?P<o>{many('K')})",
    "K可以看F": f"(?P<o>K)(?:是|可以|能|主要|就|专门)*(?:治疗|看|诊治|负责){gap(4)}{ILL}",
}
BAD_FOOD = {
    "F,O要忌口": f"{ILL}{pause(4, 3)}{FOOD}{gap(3)}(?:(?:{FORBID}|要?少){gap(2)}(?:吃|喝|碰|沾|食用)|要?忌口|要忌"
    f"|要戒)",
    "O是F的大忌": f"{FOOD}{gap(3)}(?:是|属于){gap(2)}{ILL}的?{gap(3)}(?:禁忌|忌口|大忌)",
    "F少喝O": f"{ILL}{pause(6, 4)}(?:少|戒|{FORBID})(?:再|多)?(?:吃|喝|食用|饮用?|进食|摄入|碰)?{gap(3)}{FOOD}",
}
GOOD_FOOD = {
    "F喝点O没事": f"{ILL}{gap(3)}(?:吃|喝|食用)(?:点|些)?{FOOD}{gap(2)}(?:没事|没关系|没问题|无妨)",
    "F喝O有好处": f"{ILL}{gap(3)}(?:吃|喝|食用)(?:点|些)?{FOOD}{gap(2)}(?:养|好|有好处|很好|有益|有帮助)",
    "F可以吃O": f"{ILL}{pause(6, 4)}(?:可以|能|宜|多|适合|建议|应该?|最好|要){gap(2)}(?:吃|喝|食用|饮用?){gap(3)}"
    f"{FOOD}(?!之?[前后])",
}
CURES = {
    "F可以做T": f"{ILL}{pause(6, 6)}(?:可以?|需要?|建议|应该?|要|进行|采取|采用|行|做|首选|考虑)+{gap(4)}(?P<o>"
    f"{many('T')})",
    "T用于F": f"(?P<o>T){gap(4)}(?:治疗|用于|适用于){gap(4)}{ILL}",
}
SITES = {
    "F好发于B": f"{ILL}{gap(4)}(?:发生在|位于|累及|侵犯|好发于|多发生于|长在|部位是|多发于|见于){gap(3)}(?P<o>"
    f"{many('B')})",
}
PRONE = {
    "G容易得F": f"(?P<o>G){PEOPLE}{gap(3)}(?:容易|易)(?:得|患|发生|感染|患上|出现)?{gap(2)}{ILL}",
    "F多见于G": f"{ILL}{gap(3)}(?:多见于|好发于|常见于|多发于){gap(3)}(?P<o>{many('G')})",
}
