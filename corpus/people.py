"""Names of doctors and patients, found by titles and by the words that introduce a name."""

from __future__ import annotations

import re
from collections.abc import Iterator

from corpus.personal import Span
from corpus.places import COMPOUND_SURNAMES, SURNAMES, UNMISTAKABLE_SURNAMES

_HAN = "\u4e00-\u9fff"
_TITLE = "(?:(?:副?主任|主治)医师|副主任|主任|医生|大夫|医师|教授|院长|护士长|护士|专家|老师)"
_ADDRESS = "(?:先生|女士|小姐|太太)"
_COMPOUND = "|".join(COMPOUND_SURNAMES)
_SURNAME = f"(?:{_COMPOUND}|[{''.join(SURNAMES)}])"
_UNMISTAKABLE = f"(?:{_COMPOUND}|[{''.join(UNMISTAKABLE_SURNAMES)}])"
# Surnames that mostly end or begin another word before a title: 于医生 "at the doctor's", 全科医生, 任何医生.
_RARELY_NAMES = set("于向时任方安常单关成应解强车包位查管路边房盛游项许谢")
_LIKELY = f"[{''.join(surname for surname in SURNAMES if surname not in _RARELY_NAMES)}]"

# Characters that stand in hardly any given name, but in words that only look like a name before a title.
_NO_GIVEN = (
    "的了是不有我你您他她它们这那哪就也都还吗呢吧啊请问找看给跟和与及或在到去从让被把对很太更最叫要想说能会可该应当时候间么什怎何谁每各另其此"
    "医药病诊治疗痛疼炎症癌瘤疮疸烧热血压糖尿咳喘腹胸肝肾胃肠肺心脑骨皮肤科院生师主任专业级规做过于为上下里外先后再又才只已经被所以及"
)
_GIVEN = f"(?:[^\\W\\d_a-zA-Z{_NO_GIVEN}]{{1,2}}|某{{1,2}})"
_ANY_GIVEN = "(?:[^\\W\\d_a-zA-Z的了是不在我你您他她们吗呢吧啊]{1,2})"
_START = f"(?:(?<![{_HAN}])|(?<=我是|我叫|您好|你好|谢谢|感谢|请问|麻烦|医院|昨天|今天|上次|之前))"
_AFTER_CUE = f"(?:{_START}|(?<=[找给让请跟和挂约叫由听科的]))"
_END = f"(?:(?![{_HAN}])|(?=[今在是来的男女我想有你您]|先生|女士|患者|医生|大夫))"
_KIN = (
    "[小女]孩|孩子|宝宝|娃娃?|闺女|姑娘|弟弟|妹妹|哥哥|姐姐|儿子|女儿|爸爸|妈妈|父亲|母亲|爷爷|奶奶|姥爷|姥姥|外公|外婆"
    "|老公|老婆|妻子|丈夫|爱人|患者|病人|他|她"
)
_OF_KIN = "的(?:爸|妈|父|母|家属|妻|丈夫|老公|老婆|儿子|女儿|爱人|亲属)"

_RULES = tuple(
    (kind, re.compile(pattern))
    for kind, pattern in (
        ("医生", f"我(?:是|叫)({_SURNAME}{_ANY_GIVEN}?{_TITLE})"),
        ("医生", f"{_AFTER_CUE}({_SURNAME}{_GIVEN}{_TITLE})"),
        ("医生", f"({_UNMISTAKABLE}(?:{_GIVEN})?{_TITLE})"),
        ("医生", f"{_AFTER_CUE}({_LIKELY}{_TITLE})"),
        ("医生", f"(?:医生|大夫|医师|主任)(?:姓名)?(?:名?叫|是|[：:])({_SURNAME}{_GIVEN}){_END}"),
        ("医生", f"{_TITLE}({_UNMISTAKABLE}{_GIVEN}){_END}"),
        ("医生", f"(?:医生|大夫|主任|免贵|我)姓({_SURNAME})(?![{_HAN}])"),
        (
            "患者",
            "(?:[我人]叫(?:做|作)?|名字(?:是|叫)|姓名(?:是|[：:])?\\s?|(?:患者|病人|联系人|签名)(?:姓名)?[：:])"
            f"({_SURNAME}{_ANY_GIVEN}|[小阿老]{_GIVEN}){_END}",
        ),
        ("患者", f"(?:名字|姓名).{{0,5}}?({_UNMISTAKABLE}{_GIVEN}){_END}"),
        ("患者", f"(?:{_KIN})名?叫(?:做|作)?({_SURNAME}{_ANY_GIVEN}|[小阿]{_GIVEN}){_END}"),
        ("患者", f"(?:我是(?:患者|病人)?|本人)({_SURNAME}{_GIVEN})(?:(?=[，。,.！!\\n]|$)|(?={_OF_KIN}))"),
        ("患者", f"{_AFTER_CUE}({_SURNAME}(?:{_GIVEN})?{_ADDRESS})"),
        ("患者", f"({_UNMISTAKABLE}(?:{_GIVEN})?{_ADDRESS})"),
    )
)
# Words that begin with a surname's character and are no names.
_NO_PERSON = re.compile(
    "谢|许多|包括|解|祝|方便|高级|安排|于是|何时|任何|应该|常规|成为|平时|时间|关于|关键|全部|全科|万一|金牌|明白|强烈|单位|单纯|温馨|尤其"
    "|容易|江湖|房间|游戏|白天|毛病|黄金|石膏|高烧|高热|高血|雷同|童年|查看|车上|季节|顾客|向来|和蔼|边缘|管床|高三|高中|高一|高二|孙女|孙子|江湖|过敏|康复|毕竟|支持|家属|陆续|莫非|段时|龙头"
)


def person_spans(text: str) -> Iterator[Span]:
    """Names of people in a text, with their titles; stretches may overlap, the first counts."""
    for kind, pattern in _RULES:
        for match in pattern.finditer(text):
            if not _NO_PERSON.match(match.group(1)) or match.group(1).startswith("祝医"):
                yield Span(*match.span(1), kind)


def bare_name(text: str) -> str:
    """A name without title."""
    return re.sub(f"(?:{_TITLE}|{_ADDRESS})$", "", text)
