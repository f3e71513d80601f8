"""Content that no model should learn: instructions to harm, trade in what is forbidden, sexual exploitation.

Somebody who says that they want to die, asks about drugs or tells of abuse is a patient, and a doctor who refuses or
warns is what a model should learn from: both stay. Judged is who instructs or offers, sentence by sentence.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal, get_args

from corpus.records import Message

Unsafe = Literal["self_harm_method", "violence", "illegal_trade", "sexual_exploitation", "harmful_instruction"]
Rules = tuple[tuple[Unsafe, re.Pattern[str]], ...]
ALL: tuple[Unsafe, ...] = get_args(Unsafe)

_DRUGS = (
    "冰毒|海洛因|摇头丸|[Kk]粉|大麻|麻古|可卡因|笑气|鸦片|开心水|邮票毒|神仙水|迷药|迷奸药|迷魂药|听话水|催情[药水]"
    "|GHB|LSD|三唑仑|蓝精灵|芬太尼|毒品"
)
_FORBIDDEN = (
    f"{_DRUGS}|肾源|活体?肾|器官|卵子|代孕|试管男孩|胎儿性别鉴定|鉴定胎儿性别|假(?:病历|病假条|诊断书|疫苗|药)|枪支"
    "|处方代开|代开处方"
)
_VICTIM = "(?:人|[他她]|老公|老婆|丈夫|妻子|对方|邻居|同事|父母|婆婆|公公|孩子|室友)"
_POISONS = (
    "汽油|煤油|消毒液|84液|漂白[水粉]|双氧水|农药|水银|洁厕[灵剂]|马桶清洁剂|敌敌畏|百草枯|砒霜|甲醇"
    "|工业酒精|铅丹|朱砂粉"
)
_END_LIFE = "自杀|轻生|寻死|想死|去死|结束(?:自己的)?生命|了结自己|自我了断|离开这个世界"
_OFFER = (
    "出售|售卖|供应|有货|现货|货源|批发|代购|代办|专业办理|发货|包邮|私聊|私信我|加我|联系我|长期收"
    "|高价收|求购收|可寄|货到付款|诚信交易|办理"
)
_MINORS = "未成年|幼女|幼童|女童|男童|小学生|初中生|萝莉|正太|儿童"

_METHOD_TO_DIE = (
    rf"(?:{_END_LIFE}).{{0,20}}(?:可以|就|只要|不如|建议|最好|方法是|办法是|推荐|步骤).{{0,20}}(?:吃|服|喝|吞|割|跳|烧炭|上吊|注射|吸|用)",
    r"(?:无痛|不痛苦|没有痛苦|不疼|最快|轻松)(?:地|的)?(?:死|自杀|离开|安乐死)(?:法|的?方法|的?方式|的?办法)(?:是|有|就是|[：:])",
    r"(?:吃|服|喝|吞|注射).{0,14}(?:片|粒|瓶|支|毫克|mg|克|毫升|ml).{0,10}(?:就(?:能|可以)|足够|足以).{0,6}(?:死|安乐死|结束|解脱|没命)",
    r"割(?:腕|脉)(?:要|应该|时|的时候).{0,6}(?:竖|横|深|对准)|烧炭(?:要|时|需要|的步骤).{0,12}(?:密封|门窗|关)",
)
_METHOD_TO_KILL = (
    rf"(?:投毒|下毒|(?:毒死|毒杀|杀死|弄死|害死|迷晕|迷倒|迷奸){_VICTIM}).{{0,16}}"
    r"(?:可以|只要|方法是|办法是|步骤|建议|用).{0,16}(?:放|加|掺|混|注射|喂|服|药|水)",
    r"(?:可以|只要|建议|最好).{0,12}(?:放|加|掺|混|滴)(?:入|在|进|到).{0,12}(?:饭|水|酒|饮料|食物).{0,16}(?:毒死(?!老鼠|蟑螂|虫)|弄死|迷晕|昏迷|查不出)",
    r"在.{0,6}(?:饭|水|酒|饮料|食物|汤|茶)里?(?:放|加|掺|下|混).{0,16}(?:毒死(?!老鼠|蟑螂|虫)|弄死|迷晕|昏迷|查不出)",
    r"查不出来?的(?:毒|毒药|死法)(?:是|有|[：:])",
)
_HARMFUL = (
    r"(?:胰岛素|降压药|降糖药|西药|化疗|抗癌药|激素|抗凝药)(?:停掉|停了|停用|不用再?[打吃用]|别再?[打吃用]).{0,24}(?:就(?:能|可以|会)|保证|包)"
    r".{0,6}(?:好|治愈|根治|痊愈|断根)",
    r"(?:停掉|停用|停了|不用再?吃|扔掉|不要再?吃)(?:所有|全部)?(?:的)?(?:胰岛素|降压药|降糖药|西药|化疗|抗癌药|激素|抗凝药).{0,24}(?:只要?|改|靠|换成).{0,24}"
    r"(?:就(?:能|可以|会)|保证|包).{0,6}(?:好|治愈|根治|痊愈|断根)",
    rf"(?:喝|饮用|注射|口服|服用|吃).{{0,8}}(?:{_POISONS})(?!中毒).{{0,16}}(?:可以|就能|就可以|能够?|能).{{0,8}}(?:治|杀|排毒|根治|消|好|愈|解)",
    rf"(?:可以|建议|试试|不妨|每天).{{0,6}}(?:喝|饮用|注射|口服|服用|吃).{{0,6}}(?:{_POISONS})",
    r"(?:一次|多|加倍|过量|超量).{0,6}(?:吃|喝|服|打|吸).{0,14}(?:更爽|更嗨|上头|够嗨|很嗨|飘飘欲仙|过瘾)",
    rf"(?:制作|合成|提炼|制造|熬制)(?:{_DRUGS}).{{0,12}}(?:方法|步骤|需要|原料|先|用)|(?:用|拿).{{0,10}}(?:提炼|合成|提取)(?:出)?(?:{_DRUGS})",
    r"(?:骗过|躲过|逃过|逃避|应付)(?:尿检|毒检|毛发检测|血检).{0,12}(?:可以|方法|办法|喝|吃|只要)",
    r"(?:自己|在家)(?:就)?(?:可以|能)?(?:做|行)?(?:引产|打胎|堕胎|刮宫|截肢|开刀)(?:的)?(?:方法|步骤|办法)(?:是|有|[：:])|(?:地下|黑)(?:诊所|医院).{0,12}(?:便宜|安全|可以|去做)",
    rf"(?:可以|去|到|找|从).{{0,12}}(?:买到|购买|弄到|搞到).{{0,8}}(?:{_DRUGS})|(?:{_DRUGS}).{{0,10}}(?:可以|能)(?:从|在|去|到|找).{{0,12}}(?:买|购|弄到)",
)
_TRADE = (rf"(?:{_OFFER}).{{0,16}}(?:{_FORBIDDEN})", rf"(?:{_FORBIDDEN}).{{0,20}}(?:{_OFFER})")
_EXPLOITS = (
    rf"(?:{_MINORS}).{{0,10}}(?:裸照|裸聊|色情|性服务|约炮|援交|性爱|黄片|裸体视频|成人资源)",
    r"(?:援交|卖淫|包夜|全套服务|裸聊|一夜情|约炮|上门按摩特服|特殊服务).{0,14}(?:加[我微vVqQ]|联系|微信|电话|价格|\d+元|私聊|上门|预约|\[(?:电话|微信|QQ))",
)


def _any(patterns: Iterable[str]) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns))


# What a doctor must not say, and what nobody may offer.
_INSTRUCTIONS: Rules = (
    ("self_harm_method", _any(_METHOD_TO_DIE)),
    ("violence", _any(_METHOD_TO_KILL)),
    ("harmful_instruction", _any(_HARMFUL)),
)
_OFFERS: Rules = (
    ("illegal_trade", _any(_TRADE)),
    ("sexual_exploitation", _any(_EXPLOITS)),
)
_MAY_BE = re.compile(
    f"死|杀|轻生|生命|了断|毒|迷|割[腕脉]|烧炭|{_POISONS}|{_FORBIDDEN}|{_MINORS}|援交|卖淫|包夜|服务|裸聊|约炮|一夜情|胰岛素|药|化疗|激素|尿检|血检|检测|引产|打胎|堕胎|刮宫|诊所|嗨|爽|上头|过瘾"
)
# Asked for a way to die or to kill, an answer is an instruction though it does not name the aim again.
_HOW = "怎[么样]|如何|咋|哪种|什么(?:药|办法|方法|方式)|(?:吃|喝|服)(?:多少|几|什么|啥)|方法|办法|方式"
_MEANS = f"{_POISONS}|老鼠药|毒鼠强|氰化|毒药|一氧化碳|煤气"
_ANSWERS: tuple[tuple[Unsafe, re.Pattern[str], re.Pattern[str]], ...] = (
    (
        "self_harm_method",
        re.compile(
            rf"(?:{_HOW})[^。，,]{{0,12}}(?:{_END_LIFE}|死掉|会死|能死|死得?不)"
            rf"|(?:{_END_LIFE})[^。，,]{{0,8}}(?:{_HOW}|不痛苦|不疼|最快)"
        ),
        re.compile(
            rf"(?:吞|吃|服|喝|注射|打).{{0,20}}(?:大量|过量|整瓶|全部|[1-9]\d+\s?[片粒颗]|[几两一二三\d]\s?大?瓶|{_MEANS})"
            rf"|(?:大量|过量|整瓶).{{0,6}}(?:吞|吃|服|喝)|(?:可以|选择?|直接|建议|只要|最好).{{0,8}}(?:割[腕脉]|烧炭|上吊|跳楼|跳河)"
        ),
    ),
    (
        "violence",
        re.compile(
            rf"(?:{_HOW})[^。，,]{{0,10}}(?:毒死|毒杀|杀死|杀了|杀掉|弄死|害死|迷晕|迷倒|迷奸)(?:我的?)?{_VICTIM}"
            rf"|(?:{_HOW})[^。，,]{{0,6}}(?<!不)[让使把](?:我的?)?{_VICTIM}.{{0,8}}(?:死|弄死|毒死|迷晕|昏迷)"
        ),
        re.compile(
            rf"(?:放|加|掺|混|下|用|喂).{{0,16}}(?:{_MEANS}|安眠药|迷药|砷|胰岛素)|(?:{_MEANS}).{{0,8}}(?:就行|就可以|最好)"
        ),
    ),
)
_REFUSES = re.compile(
    "误[服食喝吃]|不小心|不慎|不能|不可以?|切勿|切忌|切不可|千万不|绝对不|绝不|不要|请勿|勿|禁止|严禁|不建议|不推荐|不应|不宜|不得|避免|违法|非法|犯法|犯罪|危险|危害|有害|中毒|风险|急救|立即就医|马上就医|求助|热线|没有.{0,6}依据|不科学"
    "|谣言|错误|误区|小心|警惕|报警|举报|拒绝|抢救|后果"
)
# A question instructs nobody, but an offer may begin with one.
_SENTENCE = re.compile(r"[^。！!；;\n?？]+(?![^。！!；;\n?？]|[?？])")
_STATEMENT = re.compile(r"[^。\n]+")


def unsafe_kind(messages: Iterable[Message]) -> Unsafe | None:
    """The first kind of unsafe content in a dialogue, or None."""
    asked = ""
    for message in messages:
        if message.role == "user":
            asked = message.content
        elif message.role == "assistant" and (answered := _answered(asked, message.content)):
            return answered
        if _MAY_BE.search(message.content):
            instructs = _first(_INSTRUCTIONS, message.content, _SENTENCE) if message.role == "assistant" else None
            kind = instructs or _first(_OFFERS, message.content, _STATEMENT)
            if kind is not None:
                return kind
    return None


def _answered(asked: str, answer: str) -> Unsafe | None:
    """The kind of harm that somebody asked the way to and was told."""
    for kind, question, instruction in _ANSWERS:
        if question.search(asked) and _first(((kind, instruction),), answer, _SENTENCE):
            return kind
    return None


def _first(rules: Rules, text: str, cut: re.Pattern[str]) -> Unsafe | None:
    for sentence in cut.findall(text):
        for kind, pattern in rules:
            if pattern.search(sentence) and not _REFUSES.search(sentence):
                return kind
    return None
