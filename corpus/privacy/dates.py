"""Exact dates and ages over 89. A year may stay; the day goes, and the days between two dates stay."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date

import msgspec

from corpus.privacy.personal import Span, plain

DATE = "日期"
OLD_AGE = "高龄"
OVER_89 = "90岁以上"
LONG_AGO = "1935年以前"

_HAN = "零〇○一二三四五六七八九"
_DIGIT_OF = {character: str(value) for value, character in enumerate("〇一二三四五六七八九")} | {"零": "0", "○": "0"}
_MONTH, _DAY = "(?:0?[1-9]|1[0-2])", "(?:0?[1-9]|[12]\\d|3[01])"
_HAN_MONTH, _HAN_DAY = (
    "(?:十[一二]?|[一二三四五六七八九])",
    "(?:三十一?|[一二]?十[一二三四五六七八九]?|廿[一二三四五六七八九]?|[一二三四五六七八九])",
)
_TIME = r"(?:\s{0,2}(?:[上下]午|早上|晚上)?\s?\d{1,2}[:：]\d{2}(?:[:：]\d{2})?)?"
_DATES = tuple(
    re.compile(pattern)
    for pattern in (
        rf"(?<!\d)(?P<year>(?:19|20)\d{{2}})\s?[年./-]\s?(?P<month>{_MONTH})\s?[月./-]\s?(?P<day>{_DAY})(?!\d|\.\d)"
        rf"[日号]?{_TIME}",
        rf"(?<!\d)(?P<year>\d{{2}})年(?P<month>{_MONTH})月(?P<day>{_DAY})(?!\d)[日号]?",
        rf"(?<![\d./-])(?P<year>[12]\d)(?P<mark>[/.-])(?P<month>{_MONTH})(?P=mark)(?P<day>{_DAY})(?![\d./%-]|\s?(?:mg|g|ml|mm|cm|片|次|岁))",
        r"(?<![\d.])(?P<year>(?:19|20)\d{2})(?P<month>0[1-9]|1[0-2])(?P<day>0[1-9]|[12]\d|3[01])(?![\d.])",
        rf"(?P<year>[{_HAN}]{{4}}|[{_HAN}]{{2}})年(?P<month>{_HAN_MONTH})月(?P<day>{_HAN_DAY})[日号]?",
        rf"(?<![\d.])(?P<month>{_MONTH})\s?月\s?(?P<day>{_DAY})(?:[-~至到、和]{_DAY})?\s?[日号]{_TIME}",
        rf"(?<![\d./])(?P<month>{_MONTH})[./](?P<day>{_DAY})[日号](?!楼|栋|床|院|线|手套|针|刀|管)",
        rf"(?<![{_HAN}十])(?P<month>{_HAN_MONTH})月(?P<day>{_HAN_DAY})[日号]",
        r"(?:农历|阴历|旧历)\s?(?:[一二三四五六七八九十正冬腊]{1,2}|\d{1,2})月(?:[初一二三四五六七八九十廿]|\d){1,3}|[一二三四五六七八九十正冬腊]{1,2}月初[一二三四五六七八九十](?![天个周次])",
    )
)
_MAY_HOLD_A_DATE = re.compile(r"[年月日号]|\d[./-]\d{1,2}[./-]\d|(?:19|20)\d{6}")

_NOT_A_RANGE = "(?!以上|以下|之前|以前|以内|左右的人)"
_KIN = (
    "爷爷|奶奶|姥爷|姥姥|外公|外婆|外祖[父母]|祖[父母]|老人家?|老太太|老爷子|老母亲|老父亲|父亲|母亲"
    "|爸爸?|妈妈?|公公|婆婆|岳[父母]"
)
_HAN_AGE = "(?:九十[一二三四五六七八九]?|一百(?:零?[一二三四五六七八九]|一?十[一二三四五六七八九]?)?)"
_AGES = tuple(
    re.compile(pattern)
    for pattern in (
        rf"(?<![\d.~至到-])(?P<age>\d{{2,3}})(?:多|几)?\s?周?岁(?:高龄)?{_NOT_A_RANGE}",
        r"(?:年龄|年纪|虚岁|周岁|高龄)(?:是|为|[:：]|\s){0,2}(?P<age>\d{2,3})(?![\d.])周?岁?",
        r"[男女]性?[，,、\s/]{1,2}(?P<age>\d{2,3})(?=[，,、。；;\s/]|$)",
        rf"(?:{_KIN})(?:今年|现在|已经?|都|快|也|有|是){{0,3}}(?P<age>\d{{2,3}})(?:多|几)?(?=了|高龄)",
        rf"(?P<age>{_HAN_AGE})(?:多|几)?\s?周?岁(?:高龄)?{_NOT_A_RANGE}",
        rf"(?:{_KIN})(?:今年|现在|已经?|都|快|也|有|是){{0,3}}(?P<age>{_HAN_AGE})(?:多|几)?(?=了|高龄)",
    )
)
_MAY_HOLD_AN_AGE = re.compile(r"9\d|1[0-2]\d|九十|一百")
_BORN = re.compile(
    r"(?<!\d)(19(?:[0-2]\d|3[0-5])年?)(?=[^，。,；\d]{0,3}(?:\d{1,2}月(?:\d{1,2}[日号])?)?(?:出生|生人?|生于))|(?<=生于)(19(?:[0-2]\d|3[0-5])年?)"
)


class Found(msgspec.Struct, frozen=True):
    """A date: its year as it may stay (``2023年`` or nothing), and the day, of any year if none is named."""

    year: str
    day: date | None


def date_spans(text: str) -> Iterator[Span]:
    """Dates exact to the day, with the time of day beside them."""
    if not _MAY_HOLD_A_DATE.search(text):
        return
    view = plain(text)
    for pattern in _DATES:
        for match in pattern.finditer(view):
            if read_date(match.group()) is not None:
                yield Span(match.start(), match.end(), DATE)


def age_spans(text: str) -> Iterator[Span]:
    """Ages over 89 and the years of birth that give them away."""
    if _MAY_HOLD_AN_AGE.search(text):
        view = plain(text)
        for pattern in _AGES:
            for match in pattern.finditer(view):
                if not match.group("age").isdigit() or 90 <= int(match.group("age")) < 130:
                    yield Span(match.start("age"), match.end(), OLD_AGE, OVER_89)
    for match in _BORN.finditer(text):
        group = 1 if match.group(1) else 2
        yield Span(*match.span(group), OLD_AGE, LONG_AGO)


def read_date(written: str) -> Found | None:
    """What a date says; None where there is no such day (2023-02-30, 23/15/6)."""
    view = plain(written)
    for pattern in _DATES:
        match = pattern.match(view)
        if match is None:
            continue
        parts = match.groupdict()
        if not parts:
            return Found("", None)
        year = _number(parts.get("year") or "")
        full = (2000 + year if year < 100 else year) if parts.get("year") else 2000
        try:
            day = date(full, _number(parts["month"]), _number(parts["day"]))
        except ValueError:
            continue
        return Found(f"{parts['year']}年" if parts.get("year") else "", day)
    return None


def days_between(first: Found, other: Found) -> int | None:
    """Days from one date to another; where a year is missing, the nearest such day is meant."""
    if first.day is None or other.day is None:
        return None
    if first.year and other.year:
        return (other.day - first.day).days
    year = first.day.year
    return min(((_in_year(other.day, near) - first.day).days for near in (year - 1, year, year + 1)), key=abs)


def _in_year(day: date, year: int) -> date:
    try:
        return day.replace(year=year)
    except ValueError:
        return date(year, 2, 28)


def _number(written: str) -> int:
    """A number in digits or in Chinese: 2023, 二〇二三, 十二, 廿五."""
    if written.isdigit() and written.isascii():
        return int(written)
    if not set(written) & set("十廿"):
        return int("".join(_DIGIT_OF[character] for character in written) or "0")
    tens, _, ones = written.replace("廿", "二十").partition("十")
    return 10 * int(_DIGIT_OF.get(tens, "1")) + int(_DIGIT_OF.get(ones, "0"))
