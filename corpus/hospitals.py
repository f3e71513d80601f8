"""Names of hospitals, and addresses."""

from __future__ import annotations

import re
from collections.abc import Iterator

from corpus.personal import Span
from corpus.places import CITIES, FAMOUS_HOSPITALS, PROVINCES

_HAN = "\u4e00-\u9fff"
_PLACE = "|".join(sorted((*PROVINCES, *CITIES), key=len, reverse=True))
# Prepositions, verbs and pronouns: no part of a place's name, so that a name begins after them.
_STOP = "去到在于从是来往找的我你您他她们住看上转和跟与及就了过这那某有个家各每同先再又还也都并且回入近离被把让叫请给"
_STOP += "向对至全或者本该现医一较很比些次社地"
_CHAR = f"[^\\W\\d_a-zA-Z{_STOP}省市县区院]"
_UNIT = "(?:自治[区州县]|省|市|县|区|州|旗|镇|乡)"
_KNOWN_AREA = f"(?:{_PLACE})(?:特别行政区|自治[区州县]|省|市|地区|区|县)?"
# Four characters before 市 or 区 are a name only where the name surely begins there.
_AREA = f"(?:{_KNOWN_AREA}|(?:(?<![{_HAN}])|(?<=[去到在于从是来])){_CHAR}{{2,4}}{_UNIT}|{_CHAR}{{2}}{_UNIT})"
_ORDINAL = "第[一二三四五六七八九十百\\d]{1,3}"
_KIND = (
    "人民|中心|中医药|中西医结合|中医|妇幼保健|妇幼|妇产科|妇产|妇女|儿童|小儿|肿瘤|口腔|眼科|耳鼻喉|精神卫生|精神病|精神|心理|胸科|肺科|传染病|结核病"
    "|皮肤病|皮肤|骨科|肛肠|康复|整形|医疗美容|美容|心血管病|脑科|血液病|糖尿病|高血压|男科|综合|专科|职工|铁路|矿务局|总|医科大学|医药大学|医学院|大学|附属|直属"
    "|急救"
)
_HOUSE = (
    "(?:医院|卫生院|卫生所|卫生室|卫生服务中心|社区卫生服务站|诊所|保健院|保健所|门诊部|疗养院|医学中心|医疗中心"
    "|急救中心|(?:(?:医疗)?美容|口腔|牙科|中医)门诊)"
)
_FAMOUS = "|".join(FAMOUS_HOSPITALS)
_CORE = f"(?:{_ORDINAL}|{_KIND}|{_FAMOUS})"
_BRANCH = f"(?:[{_HAN}]{{1,3}}(?:院区|分院))?"
_QUARTER_BEFORE = f"(?:{_CHAR}{{1,4}}(?:街道|街|路|镇|乡|村))?(?:社区)?"
_PLACED = re.compile(f"((?:{_AREA}){{1,3}}{_QUARTER_BEFORE}{_CHAR}{{0,4}}{_CORE}*{_HOUSE}{_BRANCH})")
_NAMED = re.compile(f"((?:{_CHAR}{{0,2}}(?:大学|医学院))?{_CORE}*(?:{_ORDINAL}|{_FAMOUS}){_CORE}*{_HOUSE}{_BRANCH})")
_OTHER = re.compile(f"(?:(?<=[去到在于是从来])|(?<=附近)|(?<![{_HAN}]))({_CHAR}{{2,4}}?{_CORE}*{_HOUSE})")
_HOUSE_AT_END = re.compile(f"{_HOUSE}{_BRANCH}$")
# Words before 医院 that say what kind of hospital, not which one.
_GENERIC = re.compile(
    "三甲|二甲|三级|二级|一级|甲等|正规|正归|当地|附近|本地|外地|专科|专业|综合性?|大型|大|小|公立|私立|私人|民营|上级|下级|基层|社区|乡镇|县|市|省|区"
    "|县级|市级|省级|省立|部队|军区|军医|知名|权威|著名|有名|好|较|更|最|比较|规模|条件|其他|其它|别|另外|另|一|二|三|两|几|哪|什么|啥|任何|教学|附属"
    "|国家|国际|城市|城里|农村|镇|乡|村|街道|宠物|互联网|网上|线下|实体|就近|及时|直接|马上|立即|尽快|尽早|今天|昨天|普通|精神|神经|男|女|妇|中|西|当"
    f"|家|所|间|些|之|{_KIND}"
)
# Characters of verbs, of time and of illness: a proper name of a hospital has none of them.
_NO_HOUSE_NAME = frozenset(
    "病科疗治检诊药查性选择等待咨询可以参考确保按照般外面通经定哪内因互相想换要接忧立即如后前天建议名出年许多决干什么抗原癫痫肝移植癜风嗝气阳手术"
    "方便好点地准备发生进行打拨使用配合需能会说听知道当时国"
)
_LIVING = re.compile(
    "(?:家住|我住在?|住在|居住在?|(?:住|地)址(?:是|为|[：:])?|家在|老家(?:是|在)?|户籍(?:是|在|[：:])?|籍贯(?:是|[：:])?|来自|(?:快递|邮?寄)到)"
    f"\\s?([{_HAN}\\dA-Za-z#-]{{2,40}})"
)
_MAY_NAME_ONE = re.compile(_HOUSE)
_NUMBERED = "(?:[A-Za-z\\d一二三四五六七八九十-]{1,6}(?:号楼|号院|号|栋|幢|座|单元|期|楼|层|室|弄))"
_QUARTER = "(?:村|屯|庄|路|街|巷|小区|花园|家园|社区|街道)"
_LIVING_PLACE = re.compile(
    f"(?:{_AREA}){{1,4}}(?:{_CHAR}{{1,8}}{_QUARTER}{_NUMBERED}*)?|{_CHAR}{{2,8}}{_QUARTER}{_NUMBERED}*"
)
# Cheap to look for, so that the long patterns run on few texts.
_STREET_CUE = re.compile("[路街道巷同弄段][\\d一二三四五六七八九十百]{1,5}[号弄]")
_ESTATE_CUE = re.compile("小区|花园|家园|公寓|新村|社区")
_STREET = re.compile(
    f"((?:{_AREA}){{0,4}}{_CHAR}{{1,6}}(?:路|大街|街|大道|巷|胡同|弄|道)(?:{_CHAR}{{0,2}}段)?"
    f"[\\d一二三四五六七八九十百]{{1,5}}(?:号|弄)(?:院|楼)?{_NUMBERED}*(?:[\\d-]{{2,8}})?)"
)
_ESTATE = re.compile(f"((?:{_AREA}){{0,3}}{_CHAR}{{2,8}}(?:小区|花园|家园|公寓|新村|社区){_NUMBERED}+)")


def hospital_spans(text: str) -> Iterator[Span]:
    """Hospitals named in a text; 三甲医院 or 当地医院 name none."""
    if not _MAY_NAME_ONE.search(text):
        return
    for pattern in (_PLACED, _NAMED):
        for match in pattern.finditer(text):
            if _proper_part(match.group(1)):
                yield Span(*match.span(1), "医院")
    for match in _OTHER.finditer(text):
        proper = _proper_part(match.group(1))
        if len(proper) > 1 and not _NO_HOUSE_NAME.intersection(proper):
            yield Span(*match.span(1), "医院")


def address_spans(text: str) -> Iterator[Span]:
    """Streets with a number, housing estates with a block, and places somebody says they live in."""
    for cue, pattern in ((_STREET_CUE, _STREET), (_ESTATE_CUE, _ESTATE)):
        if cue.search(text):
            yield from (Span(*match.span(1), "地址") for match in pattern.finditer(text))
    for match in _LIVING.finditer(text):
        place = _LIVING_PLACE.match(match.group(1))
        if place:
            yield Span(match.start(1), match.start(1) + place.end(), "地址")


def _proper_part(name: str) -> str:
    """What is left of a hospital's name without the words that only say what kind of hospital it is."""
    return _GENERIC.sub("", _HOUSE_AT_END.sub("", name))
