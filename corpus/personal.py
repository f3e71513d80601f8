"""Personal data with a structure: numbers, addresses on the net, dates, ages. Each pattern is one kind."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import date

import msgspec


class Span(msgspec.Struct, frozen=True):
    """A stretch of personal data, from `start` to `end`. `text` replaces it; None asks for a numbered surrogate."""

    start: int
    end: int
    kind: str
    text: str | None = None


class _Rule(msgspec.Struct, frozen=True):
    """`accept` says whether a match counts and may give what replaces it; group 1 is the stretch where there is one."""

    kind: str
    pattern: re.Pattern[str]
    accept: Callable[[re.Match[str]], bool | str]


def structured_spans(text: str) -> Iterator[Span]:
    """Structured personal data in a text, in order of kind; stretches may overlap."""
    for rule in _RULES:
        for match in rule.pattern.finditer(text):
            verdict = rule.accept(match)
            if verdict is False:
                continue
            group = 1 if rule.pattern.groups else 0
            start, end = match.span(group)
            if start < end:
                yield Span(start, end, rule.kind, verdict if isinstance(verdict, str) else None)


def identity_number_is_valid(number: str) -> bool:
    """Birth date and check digit of an 18-character identity number (GB 11643, ISO 7064 MOD 11-2)."""
    if not re.fullmatch(r"[1-9]\d{16}[\dXx]", number, re.ASCII):
        return False
    weights = (2**position % 11 for position in range(17, 0, -1))
    remainder = sum(int(digit) * weight for digit, weight in zip(number, weights, strict=False)) % 11
    return "10X98765432"[remainder] == number[-1].upper() and _is_date(number[6:10], number[10:12], number[12:14])


def luhn_is_valid(number: str) -> bool:
    """The check digit of a bank card (ISO/IEC 7812)."""
    digits = [int(digit) for digit in reversed(number)]
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[1::2]]
    return (sum(digits[::2]) + sum(doubled)) % 10 == 0


def _always(_match: re.Match[str]) -> bool:
    return True


def _is_date(year: str, month: str, day: str) -> bool:
    try:
        date(int(year), int(month), int(day))
    except ValueError:
        return False
    return True


def _is_identity(match: re.Match[str]) -> bool:
    return identity_number_is_valid(match.group(1))


def _is_card(match: re.Match[str]) -> bool:
    digits = re.sub(r"\D", "", match.group(1))
    return 15 <= len(digits) <= 19 and len(set(digits)) > 2 and luhn_is_valid(digits)


def _year_of(match: re.Match[str]) -> bool | str:
    year, month, day = match.group("year", "month", "day")
    return f"{year}年" if _is_date(year if len(year) == 4 else f"20{year}", month, day) else False


def _year_in_characters(match: re.Match[str]) -> str:
    return match.group("year") + "年"


def _over_89(match: re.Match[str]) -> bool | str:
    return f"90岁以上{match.group('tail') or ''}" if 90 <= int(match.group("age")) < 130 else False


def _age_after_cue(match: re.Match[str]) -> bool | str:
    return "90岁以上" if 90 <= int(match.group(1)) < 130 else False


def _age_in_characters(_match: re.Match[str]) -> str:
    return "90岁以上"


_IS = r"(?:号码?|账号|id|ID|码)?(?:是|为|[：:]|\s){0,3}"
_HAN_DIGIT = "零〇○一二三四五六七八九"


def _rule(kind: str, pattern: str, accept: Callable[[re.Match[str]], bool | str] = _always) -> _Rule:
    return _Rule(kind, re.compile(pattern, re.IGNORECASE), accept)


# The first kind that claims a stretch keeps it.
_RULES = (
    _rule("邮箱", r"[A-Za-z0-9][A-Za-z0-9_.+-]*@[A-Za-z0-9][A-Za-z0-9-]*(?:\.[A-Za-z0-9-]+)+"),
    _rule("网址", r"(?:https?://|www\.)[^\s\u3000-\u9fff，。！？；）】》)\]\"']+"),
    _rule(
        "网址",
        r"(?<![A-Za-z0-9@._-])(?:[A-Za-z0-9-]+\.)+(?:com|cn|net|org|cc|top|vip|info|xyz)(?![A-Za-z0-9-])(?:/[^\s\u3000-\u9fff，。；！？]*)?",
    ),
    _rule("身份证", r"(?<!\d)([1-9]\d{16}[\dX])(?![\dX])", _is_identity),
    _rule("身份证", rf"身份证(?:件)?{_IS}([1-9]\d{{16}}[\dX]|[1-9]\d{{14}})(?!\d)"),
    _rule(
        "病历号",
        r"(?:住院|病历|病案|门诊|就诊|登记|档案|病理|检查|影像|标本|条码|体检|挂号|床位|(?:就诊|诊疗|医保|社保)卡?|病人|患者|报告|处方|预约|订单)"
        r"(?:编号|卡号|序号|号码?|ID)(?:是|为|[：:#]|\s){0,3}([A-Za-z]{0,6}[-_]?\d[\dA-Za-z_-]{2,})",
    ),
    _rule("银行卡", rf"(?:银行卡|卡号|账号|帐号|账户){_IS}(\d(?:[ -]?\d){{11,18}})(?!\d)"),
    _rule("银行卡", r"(?<![\d.-])([1-9]\d{3}(?:[ -]?\d{4}){2,3}(?:[ -]?\d{1,7})?)(?![\d.])", _is_card),
    _rule(
        "微信",
        rf"(?:微信|威信|薇信|weixin|wechat|(?<![a-z])[vw]x|加[vV]){_IS}"
        r"((?=[A-Za-z\d_-]*\d|[A-Za-z_-]{6})[A-Za-z\d][-_A-Za-z0-9]{4,19})",
    ),
    _rule("QQ", rf"(?:(?<![a-z])q\s?q|扣扣|企鹅)(?:群)?{_IS}([1-9]\d{{4,11}})(?!\d)"),
    _rule("电话", r"(?<![\d.])(?:\+?86[ -]?)?1[3-9]\d[ -]?\d{4}[ -]?\d{4}(?![\d.]\d|\d)"),
    _rule(
        "电话",
        r"(?<![\d.])[（(]?0(?:10|2\d|[3-9]\d{2})[）)]?[ -]?[2-9]\d{2,3}[ -]?\d{4}(?:[ -转]{1,2}\d{1,5})?(?![\d.]\d|\d)",
    ),
    _rule("电话", r"(?<![\d.])[48]00[ -]\d{3,4}[ -]\d{3,4}(?!\d)"),
    _rule("电话", r"(?:电话|座机|手机|热线|传真)(?:号码?)?(?:是|为|[：:]|\s){0,3}([2-9]\d{6,7}|[48]00\d{7})(?!\d)"),
    _rule(
        "日期",
        r"(?<!\d)(?P<date>(?P<year>(?:19|20)\d{2})\s?(?:年|[-./])\s?(?P<month>\d{1,2})\s?(?:月|[-./])\s?(?P<day>\d{1,2})"
        r"(?!\d)[日号]?(?:\s?\d{1,2}[:：]\d{2}(?:[:：]\d{2})?)?)",
        _year_of,
    ),
    _rule("日期", r"(?<!\d)(?P<date>(?P<year>\d{2})年(?P<month>\d{1,2})月(?P<day>\d{1,2})[日号])", _year_of),
    _rule(
        "日期",
        r"(?<![\d.])(?P<date>(?P<year>(?:19|20)\d{2})(?P<month>0[1-9]|1[0-2])(?P<day>0[1-9]|[12]\d|3[01]))(?![\d.])",
        _year_of,
    ),
    _rule(
        "日期",
        rf"(?P<date>(?P<year>[{_HAN_DIGIT}]{{4}}|[{_HAN_DIGIT}]{{2}})年[{_HAN_DIGIT}十]{{1,3}}月[{_HAN_DIGIT}十廿]{{1,3}}[日号])",
        _year_in_characters,
    ),
    _rule("高龄", r"(?<![\d.~～至到—-])((?P<age>\d{2,3})\s?周?岁(?P<tail>高龄)?)(?!以上|以下|之前|以前)", _over_89),
    _rule("高龄", r"(?:年龄|年纪)(?:是|为|[：:]|\s){0,2}(\d{2,3})(?![\d岁.])", _age_after_cue),
    _rule(
        "高龄",
        r"((?:九十[一二三四五六七八九]?|一百[零一二三四五六七八九十]{0,3})(?:多|几)?周?岁)(?!以上|以下|之前|以前)",
        _age_in_characters,
    ),
)
