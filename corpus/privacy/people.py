"""Names of doctors and patients, found by titles and by the words that introduce a name."""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from corpus.privacy.personal import Span
from corpus.privacy.places import COMPOUND_SURNAMES, NO_NAMES, SURNAMES, UNMISTAKABLE_SURNAMES

DOCTOR, PATIENT = "医生", "患者"

_HAN = "\u4e00-\u9fff"
_TITLE = "(?:(?:副?主任|主治|住院|执业)医[师生]|副主任|主任|医生|大夫|医师|教授|院长|护士长|护士|专家|老师|博士|药师)"
_ADDRESS = "(?:先生|女士|小姐|太太|夫人|阿姨|叔叔|大[爷妈叔姐哥娘伯婶]|奶奶|爷爷|伯伯|婆婆|师傅|同学|同志|老板)"
_COMPOUND = "|".join(COMPOUND_SURNAMES)
_SURNAME = f"(?:{_COMPOUND}|[{''.join(SURNAMES)}])"
_UNMISTAKABLE = f"(?:{_COMPOUND}|[{''.join(UNMISTAKABLE_SURNAMES)}])"
# Surnames that mostly end or begin another word before a title: 于医生 "at the doctor's", 全科医生, 任何医生.
_RARELY_NAMES = set("于向时任方安常单关成应解强车包位查管路边房盛游项许谢祝")
_LIKELY = f"(?:{_COMPOUND}|[{''.join(surname for surname in SURNAMES if surname not in _RARELY_NAMES)}])"
# Surnames after 小 and 老 that make no other word: 小李, but 小叶 (of the breast), 小于, 小方, 小白.
_AFTER_SMALL = (
    "[李王张刘陈赵吴徐孙朱郭宋郑韩冯邓彭吕卢蒋蔡贾魏薛阎余潘戴钟汪姜姚谭廖邹熊陆郝崔邱侯邵钱贺赖龚杨周何罗梁许沈]"
)
# Given names of many children after the surname 李, which with 子 is the plum as well.
_AFTER_PLUM = "[轩涵豪怡萱琪墨睿昂恒煜晨阳杰俊浩宁瑜]"

# Characters that stand in hardly any given name, but in words that only look like a name before a title.
_NO_GIVEN = (
    "的了是不有我你您他她它们这那哪就也都还吗呢吧啊请问找看给跟和与及或在到去从让被把对很太更最叫要想说能会可该应当时候间么什怎何谁每各另其此"
    "医药病诊治疗痛疼炎症癌瘤疮疸烧热血压糖尿咳喘腹胸肝肾胃肠肺心脑骨皮肤科院生师主任专业级规做过于为上下里外先后再又才只已经被所以及"
    "吃喝岁旧性术疹痒肿胀痔疣癣胎脉肌腺酸素粉片丸胶囊液膏汤散剂虚湿寒燥毒但因号第检唑酮坦酯醇迭饮油菇薯豆鱼谢藤消酚酊胺菌霉瘘疝痣"
)
_GIVEN_ONE = f"[^\\W\\d_a-zA-Z{_NO_GIVEN}]"
_GIVEN = f"(?:{_GIVEN_ONE}{{1,2}}|某{{1,2}})"
_ANY_GIVEN = "(?:[^\\W\\d_a-zA-Z的了是不在我你您他她们吗呢吧啊]{1,2})"
_NAME, _SURE_NAME = f"{_SURNAME}{_GIVEN}", f"{_UNMISTAKABLE}{_GIVEN}"
_START = f"(?:(?<![{_HAN}])|(?<=我是|我叫|您好|你好|谢谢|感谢|请问|麻烦|医院|昨天|今天|上次|之前|本人))"
_AFTER_CUE = f"(?:{_START}|(?<=[找给让请跟和挂约叫由听科的是问]))"
_END = (
    f"(?:(?![{_HAN}])|(?=[今在是来的男女我想有你您家住现年电手身因收吗呢吧么代去也刚]|先生|女士|患者|医生|大夫|主任|教授|之前|之后|曾经|已经|目前|最近|于"
    "|做过|术后|需要|咨询|预约))"
)
_STOP = f"(?![{_HAN}a-zA-Z])"
_KIN = (
    "[小女男]孩|孩子|宝宝|娃娃?|闺女|姑娘|弟弟|妹妹|哥哥|姐姐|大哥|大姐|儿子|女儿|爸爸?|妈妈?|父亲|母亲|爷爷|奶奶|姥爷|姥姥|外公|外婆|公公|婆婆|岳父|岳母"
    "|家父|家母|舅[舅妈]|姑[姑妈父]|嫂子|姐夫|老人|老公|老婆|妻子|丈夫|爱人|先生|太太|媳妇|侄[子女]|外甥|孙[子女]|家属|同事|同学|室友|邻居|亲戚|朋友|护工|患者|病人|宝贝"
)
_OF_KIN = "的(?:爸|妈|父|母|家属|妻|丈夫|老公|老婆|儿子|女儿|爱人|亲属|家长|哥|姐|弟|妹|爷|奶|朋友)"
_ROLE = (
    "患者|病人|联系人|签名|签字|收件人|收货人|收款人|户主|户名|持卡人|机主|车主|监护人|家长|家属|陪护"
    "|预约人|就诊人|本人|患儿|产妇|死者|伤者|宝宝|孩子"
)
_DIRECT_ROLE = "家属|家长|陪护|收件人|收货人|收款人|户主|户名|联系人|持卡人|监护人|患儿"
_BELONGING = "卡|片子|病历|报告|检查|结果|化验|CT|手术|电话|手机|微信|号|妈|爸|父|母|家属|老公|老婆|爱人|孩子"
_DOCTOR_ROLE = (
    "主刀|术者|主管(?:医生|大夫|医师)?|管床(?:医生|大夫|医师)?|主治(?:医生|大夫|医师)?|主诊(?:医生|大夫|医师)?|接诊(?:医生|大夫"
    "|医师)?|经治(?:医生|医师)"
)
_NUMBER_AFTER = "(?=[的，,、:：\\s]{0,2}(?:电话|手机|联系|tel)?[号码是：:，,\\s]{0,3}(?:\\+?86)?[ -]?1[3-9]\\d)"
_PERSON_AFTER = "(?=[，,、\\s（(]{1,2}[男女](?:性)?(?:[，,、。\\s]|\\d|$))"


class _Rule(msgspec.Struct, frozen=True):
    """Group 1 of `pattern` is the name with its title; a `sure` rule is not asked whether the name is another word."""

    kind: str
    pattern: re.Pattern[str]
    cues: tuple[str, ...]
    sure: bool = False


def _rule(kind: str, pattern: str, cues: tuple[str, ...], *, sure: bool = False) -> _Rule:
    return _Rule(kind, re.compile(pattern), cues, sure)


# Words without which a rule cannot match; they are quicker to look for than its pattern.
_ALWAYS = ("",)
_TITLED = ("医生", "大夫", "医师", "主任", "教授", "院长", "护士", "专家", "老师", "博士", "药师")
_ADDRESSED = tuple("先女小太夫阿叔大奶爷伯婆师同老姐哥总婶姨")
_CALLED = ("叫", "姓", "名")
_ROLED = tuple(re.sub(r"\(.*?\)\??", "", f"{_ROLE}|{_DOCTOR_ROLE}").split("|"))
_SAID = ("我是", "本人")
_RELATED = tuple("孩宝娃姑弟妹哥姐儿爸妈父母爷奶姥外公婆老妻丈爱先太媳侄甥孙家同室邻亲朋护患病舅嫂")
_SMALL = ("小", "老")
_RULES = (
    _rule(DOCTOR, f"我(?:是|叫)({_SURNAME}{_ANY_GIVEN}?{_TITLE})", _TITLED),
    _rule(DOCTOR, f"{_AFTER_CUE}({_NAME}{_TITLE})", _TITLED),
    _rule(DOCTOR, f"({_UNMISTAKABLE}(?:{_GIVEN})?{_TITLE})", _TITLED),
    _rule(DOCTOR, f"{_AFTER_CUE}([小老]?{_LIKELY}{_TITLE})", _TITLED),
    _rule(DOCTOR, f"(?:医生|大夫|医师|主任|教授)(?:姓名)?(?:名?叫|是|[：:])({_NAME}){_END}", _TITLED),
    _rule(DOCTOR, f"{_TITLE}({_SURE_NAME}){_END}", _TITLED),
    _rule(DOCTOR, f"{_START}([方任安常关管边游许项包]{_TITLE})", _TITLED),
    _rule(DOCTOR, f"我是[^，。,]{{0,12}}[科院]的?({_NAME}){_STOP}", _SAID),
    _rule(DOCTOR, f"(?:{_DOCTOR_ROLE})(?:姓名)?(?:名?叫|是|为|[：:])\\s?({_NAME}){_END}", _ROLED),
    _rule(DOCTOR, f"(?:医生|大夫|主任|教授)姓({_SURNAME})(?![{_HAN}])", _CALLED),
    _rule(DOCTOR, f"姓({_SURNAME})的?{_TITLE}", _CALLED),
    _rule(DOCTOR, f"(?<=[找挂])({_LIKELY}{_GIVEN_ONE}{{2}})(?=[的，。,；;！!\\s]|$|看|号)", ("找", "挂")),
    _rule(
        PATIENT,
        "(?:[我人]叫(?:做|作)?|名字?(?:是|叫)|(?:姓名|名字|曾用名|署名|昵称)\\s?(?:是|[：:])?\\s?)"
        f"({_SURNAME}{_ANY_GIVEN}|[小阿老]{_GIVEN}){_END}",
        _CALLED,
        sure=True,
    ),
    _rule(
        PATIENT,
        f"(?:{_ROLE})(?:姓名)?\\s?(?:[：:]|是|为|叫)\\s?({_SURNAME}{_ANY_GIVEN}){_END}",
        _ROLED,
    ),
    _rule(PATIENT, f"(?:名字|姓名).{{0,5}}?({_SURE_NAME}){_END}", _CALLED),
    _rule(PATIENT, f"(?:{_KIN}|他|她)名?叫(?:做|作)?({_SURNAME}{_ANY_GIVEN}|[小阿]{_GIVEN}){_END}", _CALLED),
    _rule(PATIENT, f"(?:患者|病人|患儿|户名|户主|家长|陪护|本人)\\s?({_SURE_NAME}){_END}", _ROLED),
    _rule(PATIENT, f"(?:患者|病人|患儿|本人)\\s?({_LIKELY}{_GIVEN_ONE}{{1,2}}){_STOP}", _ROLED),
    _rule(PATIENT, f"(?:{_DIRECT_ROLE})({_SURNAME}{_GIVEN_ONE}{{1,2}})(?:{_STOP}|(?=先生|女士))", _ROLED),
    _rule(PATIENT, f"(?:{_KIN})({_SURE_NAME}|{_LIKELY}{_GIVEN_ONE}{{2}}){_END}", _RELATED),
    _rule(PATIENT, f"(?:我是(?:患者|病人)?|本人)({_NAME})(?:(?=[，。,.！!？?；;、\\s]|$)|(?={_OF_KIN}))", _SAID),
    _rule(PATIENT, f"姓({_SURNAME})(?=[，。,.！!？?；;、\\s]|$)", _CALLED),
    _rule(
        PATIENT,
        f"(?:{_START}|(?<=[叫找问给跟和是我]))([小老]{_AFTER_SMALL})(?=[，。,.！!？?；;：:、的您你我是在来和去住说今昨也叫给已就才还]|$|同志|先生|女士)",
        _SMALL,
    ),
    _rule(PATIENT, f"{_AFTER_CUE}({_SURNAME}(?:{_GIVEN})?{_ADDRESS})", _ADDRESSED),
    _rule(PATIENT, f"({_UNMISTAKABLE}(?:{_GIVEN})?{_ADDRESS})", _ADDRESSED),
    _rule(PATIENT, f"{_START}({_SURE_NAME})(?=宝宝|小朋友)", ("宝宝", "小朋友")),
    _rule(PATIENT, f"我是([小阿]{_GIVEN_ONE})(?={_OF_KIN})", _SAID),
    _rule(PATIENT, f"{_START}({_UNMISTAKABLE}[姐哥总叔婶姨])(?![{_HAN}])", _ADDRESSED),
    _rule(PATIENT, f"(?<![{_HAN}])({_SURNAME}{_GIVEN_ONE}{{1,2}}){_NUMBER_AFTER}", ("1",)),
    _rule(PATIENT, f"(?:^|[。！!？?\\n])\\s?({_SURNAME}{_GIVEN_ONE}{{1,2}}){_PERSON_AFTER}", ("男", "女")),
    _rule(PATIENT, f"{_START}({_SURNAME}{_GIVEN_ONE}{{1,2}})的(?:{_BELONGING})", ("的",)),
    _rule(PATIENT, f"(?:^|[。！!？?\\n])({_SURNAME}{_GIVEN_ONE}{{1,2}})(?=[，,]?[你您]好)", ("好",)),
    _rule(PATIENT, f"(?:^|[，,。！!？?\\s])(?:名字)?叫({_NAME}){_END}", _CALLED),
    _rule(PATIENT, f"(?<![{_HAN}])({_SURNAME}{_GIVEN_ONE}{{1,2}})(?:收|签收|代收)(?![{_HAN}])", ("收",)),
    _rule(PATIENT, f"(?:——|--|此致|敬上)\\s?({_SURNAME}{_GIVEN_ONE}{{1,2}})\\s*$", _ALWAYS),
    _rule(DOCTOR, r"(?i:\b(?:Dr|Doctor)\.?\s?)([A-Z][a-z]+(?:\s[A-Z][a-z]+)?)", _ALWAYS),
    _rule(PATIENT, r"(?i:\b(?:my name is|Mr|Mrs|Ms|Miss)\.?\s)([A-Z][a-z]+(?:\s[A-Z][a-z]+)?)", _ALWAYS),
)
_TITLE_AT_END = re.compile(f"(?:{_TITLE}|{_ADDRESS})$")
# Words that begin with a surname's character and are no names.
_NO_PERSON = re.compile(f"(?!李子{_AFTER_PLUM})(?:{'|'.join(sorted(NO_NAMES, key=len, reverse=True))})")


def person_spans(text: str) -> Iterator[Span]:
    """Names of people in a text, with their titles; stretches may overlap, the first counts."""
    present: dict[tuple[str, ...], bool] = {}
    for rule in _RULES:
        if rule.cues not in present:
            present[rule.cues] = any(cue in text for cue in rule.cues)
        if not present[rule.cues]:
            continue
        for match in rule.pattern.finditer(text):
            if rule.sure or not _NO_PERSON.match(match.group(1)):
                yield Span(*match.span(1), rule.kind)


def bare_name(text: str) -> str:
    """A name without title."""
    return _TITLE_AT_END.sub("", text)


def is_surname(name: str) -> bool:
    """Whether a name is a surname alone, as in 王医生."""
    return name in COMPOUND_SURNAMES or name in SURNAMES


def may_be_repeated(name: str) -> bool:
    """Whether a name is unlike other words, so that it may be looked for where nothing introduces it."""
    surname = next((compound for compound in COMPOUND_SURNAMES if name.startswith(compound)), name[:1])
    given = len(name) - len(surname)
    return given >= 2 or (given == 1 and surname in UNMISTAKABLE_SURNAMES and name not in NO_NAMES)
