"""Numbers with their units in a doctor's words, brought to one form: 三天, 3日 and 3 天 are the same; 0.3g is 300mg.

The text is one that `kg.normalise` normalised: half width, lower case, simplified.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

_DIGITS = {character: value for value, character in enumerate("零一二三四五六七八九")} | {"两": 2, "〇": 0}
_PLACES = {"十": 10, "百": 100, "千": 1000, "万": 10000}
_HAN = "零〇一二两三四五六七八九十百千万半"
_NUMBER = (
    rf"(?:(?<!\d)[1-9]/[1-9](?!\d)|\d+(?:\.\d+)?|百分之[{_HAN}\d.]+|[{_HAN}]+(?:点[{_HAN}]+)?"
    r"|十?几十?|数(?=[天日周月年小次]))"
)
_TO = r"\s*(?:-|~|—|到|至|或者?)\s*"

_COUNTED = (
    "次 片 支 滴 丸 贴 喷 揿 瓶 盒 勺 格 剂 针 杯 碗 点 号 期 级 型 步 个疗程 疗程 口 元 组 寸 餐 顿 遍 mg/kg ml/kg"
)
_SCALES: dict[str, tuple[str, float]] = {
    **dict.fromkeys(("毫克", "mg"), ("mg", 1)),
    **dict.fromkeys(("微克", "ug", "mcg"), ("mg", 0.001)),
    **dict.fromkeys(("公斤", "千克", "kg"), ("mg", 1e6)),
    "斤": ("mg", 5e5),
    "两重": ("mg", 5e4),
    **dict.fromkeys(("克", "g"), ("mg", 1000)),
    **dict.fromkeys(("毫升", "ml", "cc"), ("ml", 1)),
    **dict.fromkeys(("升", "l"), ("ml", 1000)),
    **dict.fromkeys(("国际单位", "单位", "iu", "u"), ("iu", 1)),
    **dict.fromkeys(("毫米汞柱", "mmhg"), ("mmhg", 1)),
    **dict.fromkeys(("毫摩尔", "毫摩尔每升", "mmol/l", "mmol"), ("mmol", 1)),
    **dict.fromkeys(("厘米", "公分", "cm"), ("mm", 10)),
    **dict.fromkeys(("毫米", "mm"), ("mm", 1)),
    **dict.fromkeys(("米", "m"), ("mm", 1000)),
    "秒": ("min", 1 / 60),
    **dict.fromkeys(("分钟", "min"), ("min", 1)),
    **dict.fromkeys(("个小时", "小时", "个钟头", "钟头", "h"), ("min", 60)),
    **dict.fromkeys(("天", "日", "d"), ("天", 1)),
    **dict.fromkeys(("周", "个星期", "星期", "个礼拜", "礼拜"), ("天", 7)),
    **dict.fromkeys(("个月", "月"), ("月", 1)),
    **dict.fromkeys(("年",), ("月", 12)),
    **dict.fromkeys(("周岁", "岁"), ("岁", 1)),
    **dict.fromkeys(("摄氏度", "℃", "°c", "度"), ("度", 1)),
    **dict.fromkeys(("粒", "颗", "枚"), ("粒", 1)),
    **dict.fromkeys(("包", "袋"), ("袋", 1)),
    **dict.fromkeys(("%",), ("%", 1)),
    **dict.fromkeys(("倍",), ("倍", 1)),
    **{unit: (unit, 1) for unit in _COUNTED.split()},
}
_UNIT = "|".join(sorted(map(re.escape, _SCALES), key=len, reverse=True))
_DOSES = frozenset(("mg", "ml", "iu", *"粒片支滴丸贴喷揿袋瓶勺针剂格"))
_WRITTEN_DOSES = [unit for unit, (name, _) in _SCALES.items() if name in _DOSES]
_TIMES, _WITHIN = frozenset(("min", "天", "月")), ("以内", "之内", "内")
_LEAST = r"(?P<least>不少于|不低于|至少|最少|超过|大于|高于|多于|>=?|≥)?"
_MOST = r"(?P<most>不超过|不要超过|不能超过|别超过|不多于|不高于|至多|最多|小于|低于|少于|<=?|≤)?"
_QUANTITY = re.compile(
    rf"{_MOST}{_LEAST}\s*(?P<low>{_NUMBER})\s*(?:(?P<between>{_UNIT})?{_TO}(?P<high>{_NUMBER}))?"
    rf"\s*(?:个(?P<half>半)(?=月|小时))?(?P<unit>{_UNIT})?(?P<more>半(?!夜|天|年|身|月))?"
    r"(?P<side>以上|以下|以内|之内|内(?![科部分])|及以上|及以下)?"
)
_VERB = "(?:(?![各早晚一二两三四五六七八九十半几])[^,。;!?\\d]){0,4}?"
_PER_DAY = re.compile(
    rf"(?:每|1|一)?[天日]{_VERB}\s*(?P<low>{_NUMBER})(?:{_TO}(?P<high>{_NUMBER}))?\s*次"
    rf"|(?P<low2>{_NUMBER})(?:{_TO}(?P<high2>{_NUMBER}))?\s*次\s*(?:/|每|一|1)\s*[天日]"
)
_PRESSURE = re.compile(r"(?<![\d/.])(\d{2,3})/(\d{2,3})(?![\d/])\s*(?:mmhg|毫米汞柱)?")
_LATIN_RHYTHM = re.compile(r"(?<![a-z])(q[di]d|[bt]id|qd|qod)(?![a-z])")
_RHYTHMS = {"qd": 1.0, "bid": 2.0, "tid": 3.0, "qid": 4.0, "qod": 0.5}
_EACH_TIME = re.compile(rf"(?:一|1)次(?=[^,。;!?]{{0,4}}{_NUMBER}\s*(?:{_UNIT}))")
_DOSE_UNIT = "|".join(sorted(_WRITTEN_DOSES, key=len, reverse=True))
_DOSE_AND_TIME = re.compile(rf"({_NUMBER}\s*(?:{_DOSE_UNIT}))\s*/?(?:一|1)次")
_EACH_DAY = re.compile(rf"(?:一|1)[天日](?=[^,。;!?]{{0,5}}{_NUMBER}\s*(?:{_UNIT}))")
_HOURS = r"(?:\d+|[一二三四五六七八九十]+)"
_EVERY_HOURS = re.compile(
    rf"(?P<every>[每隔]\s*{_HOURS}(?:[-~到至]{_HOURS})?\s*个?小时)(?:服|吃|用|喝|服用)?(?:一|1)次"
)
_LIST_MARK = re.compile(r"(?:^|(?<=[\n。;:,!?\s]))\s*(?:\(?\d{1,2}[.、)](?!\d)|[一二三四五六七八九十][、.])")
_IDIOM = re.compile(
    "一(?:下|般|些|点(?!五)|定|直|种|样|起|旦|切|方面|边|致|律|会儿?|并|同|向|侧|面|步|段|线|部分|共|味|时|个人|口气|两句)"
    "|进一步|第一时间|[十千]万(?!单位)|万一|千万(?!单位)|百日咳|三餐|三叉|四肢|五官|五谷|两侧|双侧|两者|两边|十二指肠|三甲|三高|二便|六味|九味|八味|四物|三九"
    "|统一|唯一|之一|单一|星期[一二三四五六日天]|周[一二三四五六日]|半夜|半身|半流质?|一半|多半|大半|后半|前半|一个(?!半|月|小时|星期|礼拜|疗程|钟)|一(?=是)|半天"
)


class Quantity(msgspec.Struct, frozen=True):
    """A quantity at ``text[start:end]``: from `low` to `high` of `unit`; `bound` is ≤ or ≥ where one was stated.

    `written` is how it stands in the text; `low` and `high` are nan where it says but 几 or 数.
    """

    start: int
    end: int
    low: float
    high: float
    unit: str
    bound: str
    written: str

    @property
    def key(self) -> str:
        """What makes two quantities the same."""
        ends = f"{self.low:.6g}" if self.low == self.high else f"{self.low:.6g}-{self.high:.6g}"
        return f"{self.bound}{ends if self.low == self.low else '几'}{self.unit}"


def quantities(text: str) -> list[Quantity]:
    """The quantities of a normalised text, from left to right."""
    masked = _blank(_LIST_MARK, text)
    masked = _blank(_IDIOM, masked)
    masked = _EACH_TIME.sub("每次", _EACH_DAY.sub(_every, masked))
    masked = _DOSE_AND_TIME.sub(lambda found: found[1] + " " * (len(found[0]) - len(found[1])), masked)
    masked = _EVERY_HOURS.sub(lambda found: found["every"] + " " * (len(found[0]) - len(found["every"])), masked)
    found = []
    for (start, end), one in list(_rhythms(masked)):
        found.append(one)
        masked = masked[:start] + " " * (end - start) + masked[end:]
    plain = (_quantity(match, masked) for match in _QUANTITY.finditer(masked))
    found += filter(None, plain)
    return sorted((_as_written(one, text) for one in found), key=lambda one: one.start)


def _rhythms(text: str) -> Iterator[tuple[tuple[int, int], Quantity]]:
    """How often a day, and blood pressures, each with the span that says so; how often begins at its number."""
    for match in _PER_DAY.finditer(text):
        low = "low" if match["low"] else "low2"
        ends = _range(match[low], match["high"] or match["high2"])
        if ends is not None:
            yield match.span(), Quantity(match.start(low), match.end(), *ends, "次/天", "", "")
    for match in _PRESSURE.finditer(text):
        yield match.span(), Quantity(*match.span(), float(match[1]), float(match[2]), "mmhg", "", "")
    for match in _LATIN_RHYTHM.finditer(text):
        if (times := _RHYTHMS.get(match[0])) is not None:
            yield match.span(), Quantity(*match.span(), times, times, "次/天", "", "")


def _quantity(match: re.Match[str], text: str) -> Quantity | None:
    unit, before = match["unit"], text[match.start("low") - 1 : match.start("low")]
    digits = match["low"][0].isdigit()
    percent = match["low"].startswith("百分之")
    if not (unit or percent) and (not digits or _joined(before, text[match.end() : match.end() + 1])):
        return None
    if unit and digits and before.isascii() and before.isalpha():
        return None
    ends = _range(match["low"], match["high"])
    if ends is None:
        return None
    low, high = ends
    half = 0.5 if match["half"] or match["more"] else 0.0
    name, scale = _SCALES[unit] if unit else ("", 1.0)
    name = "%" if percent else name
    between = match["between"]
    first = _SCALES[between][1] if between else scale
    bound = "" if name in _TIMES and match["side"] in _WITHIN else _bound(match)
    return Quantity(*match.span(), (low + half) * first, (high + half) * scale, name, bound, "")


def _bound(match: re.Match[str]) -> str:
    side = match["side"] or ""
    if match["most"] or side in ("以下", "及以下", *_WITHIN):
        return "≤"
    return "≥" if match["least"] or side in ("以上", "及以上") else ""


def _joined(before: str, after: str) -> bool:
    """Whether a bare number belongs to a word of Latin letters: b12, hpv16, c13."""
    return any(one.isascii() and (one.isalpha() or one in "-_[]") for one in (before, after) if one)


def _range(low: str, high: str | None) -> tuple[float, float] | None:
    if high is None and (pair := _neighbours(low)) is not None:
        return pair
    first, second = _value(low), _value(high) if high is not None else None
    if first is None or (high is not None and second is None):
        return None
    return first, first if second is None else second


def _neighbours(written: str) -> tuple[float, float] | None:
    """两三天, 三五天: a range in two numerals."""
    if len(written) != 2 or not all(character in _DIGITS for character in written):
        return None
    low, high = (_DIGITS[character] for character in written)
    return (float(low), float(high)) if 0 < low < high else None


def _value(written: str) -> float | None:
    written = written.removeprefix("百分之")
    if "几" in written or "数" in written:
        return float("nan")
    if written[0].isdigit():
        top, _, bottom = written.partition("/")
        return float(top) / float(bottom) if bottom and float(bottom) else float(top)
    whole, _, decimals = written.partition("点")
    value = _han(whole)
    if value is None or not decimals:
        return value
    return value + float("0." + "".join(str(_DIGITS.get(character, 0)) for character in decimals))


def _han(written: str) -> float | None:
    """The value of Chinese numerals up to 万; a 半 at the end adds a half."""
    total, current = 0.0, 0.0
    for character in written.removesuffix("半"):
        if character in _DIGITS:
            current = _DIGITS[character]
        elif character == "半":
            return None
        else:
            total += (current or 1) * _PLACES[character]
            current = 0
    return total + current + (0.5 if written.endswith("半") else 0)


def _every(match: re.Match[str]) -> str:
    return "每" + match[0][-1]


def _blank(pattern: re.Pattern[str], text: str) -> str:
    return pattern.sub(lambda found: " " * len(found[0]), text)


def _as_written(one: Quantity, text: str) -> Quantity:
    return msgspec.structs.replace(one, written=text[one.start : one.end].strip())
