"""Personal data with a structure: numbers, accounts, addresses on the net. Each pattern is one kind."""

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
    """`accept` says whether a match counts; group 1 is the stretch where there is one."""

    kind: str
    pattern: re.Pattern[str]
    accept: Callable[[str], bool]


def structured_spans(text: str) -> Iterator[Span]:
    """Structured personal data in a text, in order of kind; stretches may overlap."""
    view = plain(text)
    if _MAY_HOLD_ANY.search(view):
        yield from _found(_RULES, view)
    if _HAN_NUMBER.search(view):
        yield from _found(_SPELT_OUT, view.translate(_HAN_DIGITS))


def plain(text: str) -> str:
    """A text with ASCII letters, digits and dashes for their full-width forms, character for character."""
    return text.translate(_NARROW)


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


def _found(rules: tuple[_Rule, ...], view: str) -> Iterator[Span]:
    for rule in rules:
        group = 1 if rule.pattern.groups else 0
        for match in rule.pattern.finditer(view):
            if match.end(group) > match.start(group) and rule.accept(match.group(group)):
                yield Span(match.start(group), match.end(group), rule.kind)


def _always(_found: str) -> bool:
    return True


def _is_date(year: str, month: str, day: str) -> bool:
    try:
        date(int(year), int(month), int(day))
    except ValueError:
        return False
    return True


def _is_identity(found: str) -> bool:
    """A number that checks; or one mistyped, whose region and birth date are still possible."""
    number = re.sub(r"[ -]", "", found)
    if identity_number_is_valid(number):
        return True
    return (
        _PROVINCE.match(number) is not None
        and "1900" <= number[6:10] <= "2040"
        and _is_date(number[6:10], number[10:12], number[12:14])
    )


def _is_card(found: str) -> bool:
    digits = re.sub(r"\D", "", found)
    in_groups = len(re.findall(r"\b\d{4}\b", found)) > 3
    return 15 <= len(digits) <= 19 and len(set(digits)) > 2 and (in_groups or luhn_is_valid(digits))


def _is_mobile(found: str) -> bool:
    """Eleven digits in one stretch, in groups, or one by one, parted by one kind of mark."""
    number = _COUNTRY.sub("", found, count=1)
    marks = set(re.findall("[ .-]", number))
    groups = {len(group) for group in re.split("[ .-]", number)}
    return len(marks) < 2 and (1 not in groups or groups == {1})


def _has_digits(found: str) -> bool:
    return sum(character.isdigit() for character in found) > 1


def _rule(kind: str, pattern: str, accept: Callable[[str], bool] = _always) -> _Rule:
    return _Rule(kind, re.compile(pattern, re.IGNORECASE | re.ASCII), accept)


# The first two digits of an identity number: the province.
_PROVINCE = re.compile("1[1-5]|2[1-3]|3[1-7]|4[1-6]|5[0-4]|6[1-5]|71|8[1-3]")
_NARROW = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F) if chr(code) not in "，。！？：；（）"}
_NARROW |= {ord(character): ord("-") for character in "—–‐‑−－"} | {0x3000: 0x20, 0xA0: 0x20, ord("："): ord(":")}
_HAN_DIGITS = str.maketrans(
    "零〇○洞⓪一壹幺①二贰两②三叁③四肆④五伍⑤六陆⑥七柒拐⑦八捌⑧九玖勾⑨",
    "000001111222233344455566677778889999",
)
_ANY_HAN_DIGIT = "".join(map(chr, _HAN_DIGITS))
_HAN_NUMBER = re.compile(
    f"(?:[{_ANY_HAN_DIGIT}0-9][ -]?){{6,}}[{_ANY_HAN_DIGIT}]|[{_ANY_HAN_DIGIT}](?:[ -]?[{_ANY_HAN_DIGIT}0-9]){{6,}}"
)
# Nothing structured is without three digits, an at sign, a full stop between letters, or a word of Latin letters.
_MAY_HOLD_ANY = re.compile(r"\d[ .-]?\d[ .-]?\d|[A-Za-z\d_-]{5}|@|[A-Za-z\d]\.[A-Za-z]|[A-Z][·. ]?[A-Z\d]{4}")

_IS = r"(?:号码?|账号|帐号|id|码)?(?:是|为|[:=]|\s){0,4}"
_TOP_DOMAINS = "com|cn|net|org|cc|top|vip|info|xyz|edu|gov|io|tv|site|shop|online|club|link|app|hk|tw"
_PROVINCE_LETTERS = "京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼使领"
_NUMBERED_THING = (
    "住院|出院(?:小结)?|入院|病历|病例|病案|门诊|急诊|就诊|登记|档案|病理|检查|检验|化验|影像|片子?|CT|MRI?|核磁|B超|彩超|超声|X光|标本|样本|条码"
    "|体检|挂号|床位?|诊疗|医保|社保|医疗|病人|患者|报告|处方|预约|订单|快递|运单|流水|发票|保单|保险|会员|学生?|工|编|序|单|受理|登录"
)
_NUMBER_OF = rf"(?:{_NUMBERED_THING})(?:卡|单|证)?(?:编号|卡号|序号|单号|号码?|ID|No\.?)(?:是|为|[:#=]|\s){{0,3}}"
_PHONE_CUE = "电话|座机|手机|热线|传真|号码|联系方式|致电|来电|拨打?|打给?|tel|phone|call"
_WECHAT = (
    r"微信|威信|薇信|徽信|微号|v信|weixin|wechat|(?<![a-z])[vw]x(?![a-z])"
    r"|加[^\s，。,\dA-Za-z]{0,4}\s?v(?![a-z])|(?<![a-z\d])v(?=\s?:)|(?<![a-z\d])\+\s?v(?![a-z])"
)
_MOBILE = r"(?<![\d.])((?:(?:\+|00)?86[ -]?)?1[ .-]?[3-9](?:[ .-]?\d){9})(?![\d.]\d|\d)"
_COUNTRY = re.compile(r"^(?:\+|00)?86[ -]?")
_BANK = "(?:银行|信用|储蓄|借记)卡|卡号|账号|帐号|账户|卡|[建工农中交招邮储商]行|银行"

# The first kind that claims a stretch keeps it.
_RULES = (
    _rule("邮箱", r"[A-Za-z0-9][A-Za-z0-9_.+-]*@[A-Za-z0-9][A-Za-z0-9-]*(?:[.。][A-Za-z0-9-]+)+"),
    _rule("网址", r"(?:https?://|www\.)[^\s\u3000-\u9fff，。！？；）】》)\]\"']+"),
    _rule(
        "网址",
        rf"(?<![A-Za-z0-9@._-])(?:[A-Za-z0-9-]+\.)+(?:{_TOP_DOMAINS})(?![A-Za-z0-9-])(?:[/?][^\s\u3000-\u9fff，。；！？]*)?",
    ),
    _rule(
        "车牌",
        rf"(?<![\u4e00-\u9fff])([{_PROVINCE_LETTERS}][A-HJ-Z][·. -]?[A-HJ-NP-Z\d]{{5,6}})(?![A-Z\d])",
        _has_digits,
    ),
    _rule("车牌", rf"([{_PROVINCE_LETTERS}][A-HJ-Z][·. -]?[A-HJ-NP-Z\d]{{5,6}})(?![A-Z\d])", _has_digits),
    _rule("身份证", r"(?<!\d)([1-9]\d{5}[ -]?\d{8}[ -]?\d{3}[\dX])(?![\dX])", _is_identity),
    _rule("身份证", rf"(?:身份证|身份|证件)(?:件)?{_IS}([1-9](?:[ -]?\d){{13,18}}[\dX]?)(?!\d)"),
    _rule("身份证", rf"(?:护照|通行证|军官证|驾驶证|驾照|回乡证|居住证|出生证){_IS}([A-Z]{{0,2}}\d{{6,10}})(?!\d)"),
    _rule("病历号", rf"{_NUMBER_OF}([A-Z]{{0,6}}[-_]?\d[\dA-Z_-]{{2,}})"),
    _rule("病历号", r"(?<![A-Za-z])ID号?(?:是|为|[:#]|\s){0,3}([A-Z]{0,4}\d{5,})"),
    _rule("银行卡", rf"(?:{_BANK}){_IS}(\d(?:[ -]?\d){{11,18}})(?!\d)"),
    _rule("银行卡", r"(?<![\d.-])([1-9]\d{3}(?:[ -]?\d{4}){2,3}(?:[ -]?\d{1,7})?)(?![\d.])", _is_card),
    _rule(
        "微信",
        rf"(?:{_WECHAT})[^\dA-Za-z\s，。！？；,:=]{{0,3}}{_IS}((?=[A-Z\d_.-]*\d|[A-Z_-]{{6}})[A-Z](?:[-_A-Z0-9]|\.(?=[A-Z0-9])){{4,19}}|[1-9]\d{{5,9}}(?!\d))",
    ),
    _rule("微信", r"(?<![A-Z\d_])(wxid_[A-Z\d]{6,})"),
    _rule("QQ", rf"(?:(?<![a-z])q\s?q|扣扣|企鹅|球球|抠抠)(?:群|邮箱)?{_IS}([1-9]\d{{4,11}})(?!\d)"),
    _rule("QQ", r"(?<![a-z\d])q号?\s?:?\s?([1-9]\d{6,10})(?!\d)"),
    _rule("电话", _MOBILE, _is_mobile),
    _rule("电话", r"(?<!\d)1[3-9]\d[ -]?[*x]{4,8}[ -]?\d{2,4}(?!\d)"),
    _rule(
        "电话",
        r"(?<![\d.])[（(]?(?:0|(?:\+|00)86[ -]?0?)(?:10|2\d|[3-9]\d{2})[）)]?[ -]{0,2}[2-9]\d{2,3}[ -]?\d{4}"
        r"(?:\s?(?:转|-|分机){1,2}\s?\d{1,5})?(?![\d.]\d|\d)",
    ),
    _rule("电话", r"(?<![\d.])[48]00[ -]\d{3,4}[ -]\d{3,4}(?!\d)"),
    _rule(
        "电话",
        rf"(?:{_PHONE_CUE})(?:号码?)?(?:是|为|[:]|\s|打|到){{0,3}}([2-9]\d{{2,3}}[ -]?\d{{4}}|[48]00\d{{7}})(?!\d)",
    ),
    _rule("病历号", r"(?<![\d.A-Za-z])(\d{12,})(?![\d.])"),
)
_SPELT_OUT = tuple(rule for rule in _RULES if rule.kind in ("电话", "QQ", "身份证", "银行卡"))
