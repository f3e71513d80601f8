"""Addresses, and places that somebody says are home."""

from __future__ import annotations

import re
from collections.abc import Iterator

from corpus.privacy.personal import Span
from corpus.privacy.places import AREA, CITIES, PLACE_CHARACTER, PROVINCES

ADDRESS = "地址"

_HAN = "\u4e00-\u9fff"
_PLACE = "|".join(sorted((*PROVINCES, *CITIES), key=len, reverse=True))
_LIVING = re.compile(
    "(?:[家我他她现就们]住在?|住在|居住在?|(?:住|地|住地)址(?:是|为|[：:])?|家在|家是|老家(?:是|在)?|户籍(?:是|在|地?[：:])?|户口在?|籍贯(?:是|[：:])?|来自|坐标[：:]?|现居|定居"
    "|(?:快递|邮?寄|送)(?:药)?(?:到|至))"
    f"\\s?([{_HAN}\\dA-Za-z#-]{{2,60}})"
)
_NUMBERED = "(?:[A-Za-z\\d一二三四五六七八九十-]{1,6}(?:号楼|号院|号|栋|幢|座|单元|期|楼|层|室|弄|户|门|组|队))"
_ROOM = "(?:[A-Za-z]?座?[\\d-]{2,8}(?!\\d|岁|天|年|mg|ml|片|次))?"
_QUARTER = "(?:村|屯|庄|路|街|巷|小区|花园|家园|社区|街道)"
_LIVING_PLACE = re.compile(
    f"(?:{AREA}){{1,4}}(?:{PLACE_CHARACTER}{{1,8}}{_QUARTER}{_NUMBERED}*)?|(?:{PLACE_CHARACTER}|城市){{2,8}}{_QUARTER}{_NUMBERED}*"
)
# Cheap to look for, so that the long patterns run on few texts.
_STREET_CUE = re.compile("[路街道巷同弄段区][\\d一二三四五六七八九十百]{1,5}[号弄]")
_ESTATE_CUE = re.compile("小区|花园|家园|公寓|新村|社区|大厦|广场|[东西南北中]园|[东西南北]里")
_AREA_CUE = re.compile("[省市区县州]")
_ESTATE_NAME = (
    f"(?:{PLACE_CHARACTER}|城市){{2,10}}(?:小区|花园|家园|公寓|新村|社区|大厦|广场"
    f"|[东西南北中]园)(?:[一二三四五六七八九十\\d]{{1,2}}[区期])?"
)
_STREET = re.compile(
    f"((?:{AREA}){{0,4}}{PLACE_CHARACTER}{{1,7}}(?:路|大街|街|大道|巷|胡同|弄|道)(?:{PLACE_CHARACTER}{{0,2}}段)?"
    f"[\\d一二三四五六七八九十百]{{1,5}}(?:号|弄)(?:院|楼)?(?:{_ESTATE_NAME}|[{_HAN}]{{2,8}}?(?={_NUMBERED}))?{_NUMBERED}*{_ROOM})"
)
_ESTATE = re.compile(
    f"((?:{AREA}){{0,4}}(?:{PLACE_CHARACTER}{{1,6}}(?:路|街|街道|镇))?{_ESTATE_NAME}{_NUMBERED}+{_ROOM})"
)
# Two names of areas, one in the other: 河北省保定市, 北京市朝阳区.
_AREAS = re.compile(
    f"((?:{_PLACE})(?:省|市|自治区)?(?:(?:{_PLACE})(?:市|州|地区|盟)(?:{PLACE_CHARACTER}{{1,4}}[区县市旗])?|{PLACE_CHARACTER}{{2,4}}(?:区|县))"
    f"(?:(?:{PLACE_CHARACTER}|家){{1,5}}(?:镇|乡|街道|村|路|大街|街|大道|巷))*(?:{_NUMBERED})*)"
)
_NATIVE = re.compile(
    f"(?:我是|我们是|本人是?|人在|家)((?:{_PLACE})(?:省|市|自治区)?(?:{_PLACE}|{PLACE_CHARACTER}{{2}}[县市区])?)(?=人|的[，。,；;\\s]|这边|那边|[，。,；;]|$)"
)
_NO_AREA = re.compile(
    ".{0,4}(?:地区|社区|小区|病区|院区|辖区|景区|灾区|疫区|山区|郊区|城区|市区|校区|园区|分区|农村|牧区)$"
)


def address_spans(text: str) -> Iterator[Span]:
    """Streets with a number, estates with a block, areas within areas, and places somebody says they live in."""
    for cue, pattern in ((_STREET_CUE, _STREET), (_ESTATE_CUE, _ESTATE)):
        if cue.search(text):
            yield from (Span(*match.span(1), ADDRESS) for match in pattern.finditer(text))
    for match in _LIVING.finditer(text):
        place = _LIVING_PLACE.match(match.group(1))
        if place:
            yield Span(match.start(1), match.start(1) + place.end(), ADDRESS)
    if _AREA_CUE.search(text):
        for match in _AREAS.finditer(text):
            if not _NO_AREA.fullmatch(match.group(1)):
                yield Span(*match.span(1), ADDRESS)
    for match in _NATIVE.finditer(text):
        yield Span(*match.span(1), ADDRESS)
