"""Names of hospitals, written out (北京协和医院, 县人民医院) and short (市一院, 北大三院, 武汉同济)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from corpus.privacy.personal import Span
from corpus.privacy.places import AREA, CITIES, FAMOUS_HOSPITALS, PLACE_CHARACTER, PROVINCES

HOSPITAL = "医院"

_HAN = "\u4e00-\u9fff"
_CITY = "|".join(sorted((*PROVINCES, *CITIES), key=len, reverse=True))
_ORDINAL = "第?[一二三四五六七八九十百\\d]{1,3}"
_KIND = (
    "人民|中心|中医药|中西医结合|中医|妇幼保健|妇幼|妇产科|妇产|妇女|儿童|小儿|肿瘤|口腔|眼科|耳鼻喉|精神卫生|精神病|精神|心理|胸科|肺科|传染病|结核病"
    "|皮肤病|皮肤|骨科|肛肠|康复|整形|医疗美容|美容|心血管病|脑科|血液病|糖尿病|高血压|男科|综合|专科|职工|铁路|矿务局|总|医科大学|医药大学|医学院|大学|附属|直属"
    "|急救|公共卫生|公共卫生临床|职业病|老年病|生殖|红十字会?"
)
_HOUSE = (
    "(?:医院|卫生院|卫生所|卫生室|卫生服务中心|社区卫生服务站|诊所|保健院|保健所|门诊部|疗养院|医学中心|医疗中心"
    "|急救中心|(?:(?:医疗)?美容|口腔|牙科|中医)门诊)"
)
_FAMOUS = "|".join(FAMOUS_HOSPITALS)
_CORE = f"(?:第[一二三四五六七八九十百\\d]{{1,3}}|{_KIND}|{_FAMOUS})"
_BRANCH = f"(?:[{_HAN}]{{1,3}}(?:院区|分院))?"
_QUARTER_BEFORE = f"(?:{PLACE_CHARACTER}{{1,4}}(?:街道|街|路|镇|乡|村))?(?:社区)?"
_PLACED = re.compile(f"((?:{AREA}){{1,3}}{_QUARTER_BEFORE}{PLACE_CHARACTER}{{0,4}}{_CORE}*{_HOUSE}{_BRANCH})")
_NAMED = re.compile(
    f"((?:{PLACE_CHARACTER}{{0,2}}(?:大学|医学院))?{_CORE}*(?:第[一二三四五六七八九十百\\d]{{1,3}}|{_FAMOUS}){_CORE}*{_HOUSE}{_BRANCH})"
)
_OTHER = re.compile(f"(?:(?<=[去到在于是从来])|(?<=附近)|(?<![{_HAN}]))({PLACE_CHARACTER}{{2,4}}?{_CORE}*{_HOUSE})")
# 中国医科大学附属盛京医院, 华中科技大学同济医学院附属协和医院
_OF_SCHOOL = re.compile(
    f"((?:(?:{_CITY}|中国)?[^\\W\\d_a-zA-Z去到在于从是来找的我你他她转和跟了说如各比像等由让叫给就有]{{2,6}}(?:大学|学院)){{1,2}}(?:附属|直属|第[一二三四五六七八九十]|[{_HAN}]{{1,6}}){{1,3}}?{_HOUSE}{_BRANCH})"
)
# 省人民医院 is one hospital where it is said; 县医院 and 人民医院 are kinds.
_OF_AREA = re.compile(f"([省市县区州](?:立|{_ORDINAL}|人民|中心|{_KIND})+(?:医院|保健院|(?<=中医)院))")
_SCHOOL = (
    "北大|北医|首医|清华|复旦|交大|上海?交大|浙大|浙医|温医大?|中大|中山|华中科大|川大|华西|湘雅|武大|山大|吉大|哈医大?|中国?医大|大医|大连医大|河北?医大|安医大?|苏大|南医大?|南大"
    "|东南|徐医|西交|西安?交大|西京|兰大|重医大?|陆军医大|郑大|河大|青大|山东?医大|福医大?|厦大|广医大?|南方医大|暨大|桂医大?|昆医大?|贵医大?|新医大?|宁医大?|内医大|天医|同济|协和|海军医大"
    "|空军医大|医大|医科大|医学院|师大"
)
_SHORT = re.compile(
    f"((?:(?:{_CITY})市?|[省市县区州]|{_SCHOOL})(?:大学)?(?:医学院|医科大)?(?:第?[一二三四五六七八九十]附?属?院|附属?[一二三四五六七八九十儿妇口肿]?院|[一二三四五六七八九十]附院?|附[一二三四五六七八九十]"
    f"|[儿妇肿]医?院|妇幼|妇保|儿研所|妇儿中心|儿童中心|肿瘤(?=[，。、,看查做住说])|眼科(?=[，。、,看查做住说]))(?:院区)?)(?![长子校士外内务])|(浙[一二]|[一二三四五六七八九十]附院|附[一二三]院|[省市县](?:医|中|中医|妇幼|妇保|肿瘤|立)(?=[说看查做住挂开能，。？?、]))"
    f"|((?<!\\d)[1-4]\\d\\d医院|[一二三四][〇零○一二三四五六七八九]{{2}}医院)"
)
# Famous names that are no place, street or district as well.
_DISTINCT = (
    "同仁|协和|同济|华西|湘雅|瑞金|仁济|华山|齐鲁|盛京|西京|唐都|宣武|天坛|安贞|阜外|积水潭|长征|长海"
    "|龙华|广安门|东直门|千佛山"
)
_FAMOUS_SHORT = re.compile(
    f"((?:{_CITY})市?(?:{_DISTINCT}))(?!路|区|街|大道|站|市|县|镇|号|药|制|牌|版|公司|酒店|发酵)"
    f"|(?:(?<=[去到在来转于是和，、。])|^)({_DISTINCT}|301|中山[一二三]院)(?=[看查做住复检就诊开挂治的了手拍化也说和或跟，。！？,.?!、\\s]|$|急诊|门诊|医生|主任)"
)
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
    "方便好点地准备发生进行打拨使用配合需能会说听知道当时国联系"
)
# What a pattern needs, cheap to look for.
_HOUSED = re.compile("院|卫生|诊所|保健|门诊|医学中心|医疗中心|急救中心")
_SCHOOLED = re.compile("(?:大学|学院).{0,20}(?:医院|院)")
_AREA_HOUSED = re.compile("[省市县区州][^，。]{1,12}(?:医院|保健院)")
_SHORTENED = re.compile(
    "[一二三四五六七八九十附儿妇口肿属]院|附[一二三四五六七八九十]|浙[一二]|妇幼|妇保|儿研所|妇儿|中心|肿瘤|眼科|[省市县][医中立]|\\d医院|[〇零○一二三四五六七八九]医院"
)
_FAMOUS_SHORTENED = re.compile(f"{_DISTINCT}|301|中山[一二三]")
_PATTERNS = (
    (_SCHOOLED, _OF_SCHOOL, True),
    (_HOUSED, _PLACED, True),
    (_HOUSED, _NAMED, True),
    (_AREA_HOUSED, _OF_AREA, False),
    (_SHORTENED, _SHORT, False),
    (_FAMOUS_SHORTENED, _FAMOUS_SHORT, False),
)


def hospital_spans(text: str) -> Iterator[Span]:
    """Hospitals named in a text; 三甲医院 or 当地医院 name none."""
    for cue, pattern, may_be_generic in _PATTERNS:
        if not cue.search(text):
            continue
        for match in pattern.finditer(text):
            group = match.lastindex or 0
            if not may_be_generic or proper_part(match.group(group)):
                yield Span(*match.span(group), HOSPITAL)
    if not _HOUSED.search(text):
        return
    for match in _OTHER.finditer(text):
        proper = proper_part(match.group(1))
        if len(proper) > 1 and not _NO_HOUSE_NAME.intersection(proper):
            yield Span(*match.span(1), HOSPITAL)


def proper_part(name: str) -> str:
    """What is left of a hospital's name without the words that only say what kind of hospital it is."""
    return _GENERIC.sub("", _HOUSE_AT_END.sub("", name))
