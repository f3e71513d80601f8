"""Names that stand together and are joined in the graph: what the words around them say of that very fact.

No list of phrases holds every way to say that aspirin is for the heart. Where the graph knows how two names of one
breath are joined, it is enough to see whether the words are for or against it; so this reading supports, and
contradicts where words of approval meet a ban, but it never claims what the graph does not know.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import msgspec

from kg.checking.conditions import GIVEN_IF, TOGETHER_IF
from kg.checking.patterns import is_hedged, question_start
from kg.checking.reading import Item, Skeleton
from kg.checking.wording import BOTH, DENIED, DOSE, LEAD_TO, NOT_NEEDED, USE
from kg.records import Fact, Verdict
from kg.relations import (
    ADVERSE,
    COMPLICATION,
    CONTRAINDICATION,
    DEPARTMENT,
    EXAMINATION,
    INDICATION,
    INTERACTION,
    SUITABLE,
    SYMPTOM,
    TOGETHER,
)

_REACH = 24
_SPOKEN = "DFGEKO"
_IDIOMS = re.compile(
    "[离少]不[开了]|[受忍]不[了住]|别[断停忘急怕忍硬拖担]|不(?:能|要|可以?|用)?(?:自己|擅自|随便|突然)?[停断]"
    "|不(?:用|要|必)(?:怕|担心)|没跑|跑不了|不光|不仅|不止|不一会|不久|没再|不可怕|不在少数|不是问题"
    "|[不没](?:好好|治|管|控制|及时|注意|舒服|少|错|几天|多久)"
)
_DENIED = re.compile(f"{DENIED}|少[吃用喝]|换掉|换成|不如|与其|怀疑|(?<!耽)误|类似|区别|不同于|相鉴")
_TAKEN_FOR_ILLNESS = re.compile(f"{LEAD_TO}|副作用|不良反应|小心|当心|警惕|怕|加重|恶化|伤|过[敏量]")
_AGAINST = re.compile(
    "不能|不可|不宜|不要|不得(?!不)|不准|不许|不敢|不行|不用|不适|不合适|不建议|不推荐|不考虑|不该|不碰|不沾"
    "|(?<![特分区级鉴个])别|禁|(?<!禁)忌|切勿"
    "|避免|避开|[得要该快须紧先]停|[碰用吃沾]不得|[用吃]不了|绕着|算了|远离|[不没]是[^A-Z,]{0,4}该"
)
_NO_BAN = re.compile("不是[^A-Z,]{0,4}[A-Z]?的?禁|不属于")
_CAREFUL = re.compile("慎|小心|当心|注意|留意|的时候|权衡|监测|减量|酌情|遵医嘱")
_APPROVED = re.compile(
    "放心|没事|没(?:有|什么|任何|多大)*(?:问题|关系|影响|妨碍|大不了)|无妨|安全|不要紧|不碍事|不用(?:怕|担心|停)"
    "|不影响[吃用服]|不受影响|不会有[^A-Z,]{0,3}影响|两?不耽误|照[样用吃常]|挺好|很好|友好|效果[很挺也]?好|[也都就]行"
    "|[也都]?可以|[也都]能|[吃用]就[好行]|顶一顶|推荐|首选|建议|最合适|最好|接着[吃用]|继续[吃用]|该[吃用]"
    f"|{DOSE}|(?:给您?|再)(?:开|加|补)"
)
_GIVEN = re.compile(f"(?<!还)(?<!敢){USE}(?:点|些|上|了?[一两半]?[片粒个支包]?)?$")
_HARMING = re.compile(
    f"(?<![不没])会(?!好|有)|有关|关系|容易|风险|危险|害|出血|畸|加重|恶化|诱发|{LEAD_TO}|后果|小心|当心|不对|不行|不能|禁|忌|错|慎"
    "|(?<![特分区级鉴个])别(?![忍怕急停断])|还敢?[吃用]|竟|居然|怪"
)
_CLASHING = re.compile(
    "冲突|犯冲|相冲|打架|相克|对着干|不对付|遇[上到]|碰[上到]|撞[上到]|堆积|蓄积|吸收|浓度|药效|疗效|出血|风险"
    "|危险|反应|出(?:大)?(?:事|问题)|隔开|错开|间隔|岔开"
    "|不能|不要|(?<![特分区级鉴个])别|不宜|避免|禁|忌"
)
_NO_CLASH = re.compile("(?:不|没有?|没什么)(?:会)?(?:冲突|打架|犯冲|相互作用)|不会有[^A-Z,]{0,3}影响")
_JOINING = re.compile(f"{BOTH}|再?[加配]上?[点个]?$|同服")
_WELCOME = re.compile(
    "没事|没问题|没关系|没有问题|无妨|不要紧|[就也都]行|就好|可以|安全|放心|建议|推荐|能|更|翻倍|两不耽误|双管齐下|好得快"
    "|照样|没(?:有|什么)?冲突|不会有"
)
_HELPING = re.compile("治|缓解|改善|减轻|控制|用于|预防|防止|止|对|退")
_TAKEN = re.compile("[吃服用含打][了完上多久着]|期间|不舒服")
_GIVEN_FOR = re.compile(f"{BOTH}|{USE}$")
_BLAMED = re.compile(f"{LEAD_TO}|所致|闹的|惹的|反应|有关|关系|副作用|老毛病|的事")
_RECOVERED = re.compile("[^A-Z,]{0,3}(?:就?好|缓解|减轻|消|退|没|可以|能|的?时?候?[吃用服])")
_TAKING = re.compile(USE)
_SHOWING = re.compile(
    "像|典型|没跑|跑不了|提示|说明|符合|症状|表现|多半|估计|八成|嘛|的(?:人|患者|病人|男|女|老)|爱|发作|起来|为什么|不光"
    "|厉害|闹的|想到"
)
_EXAMINING = re.compile(
    "做|查|拍|测|看|检|金标准|提示|支持|清楚|说话|靠|反映|确诊|诊断|排除|发现|证实|明确|监测|化验|抽血"
)
_MEASURED = re.compile("[^A-Z,]{0,2}[高低升降偏]")

_BECOMING = re.compile(f"成|变|发展|{LEAD_TO}|伤|防|警惕|并发|转|最后|早晚|长了|久了|留下|就是|就来")
_LISTED = re.compile("[、,和及与或跟还有以]*")


class Near(msgspec.Struct, frozen=True):
    """What is said of two names: the relation as it is said, and the facts for or against it."""

    relation: str
    verdict: Verdict
    evidence: list[Fact]
    subject: Item
    target: Item


def said_near(skeleton: Skeleton, facts_between: Callable[[Item, Item], list[Fact]]) -> Iterator[Near]:
    """What a sentence says of the names in it that stand together and that facts join."""
    end = question_start(skeleton.text)
    places = [place for place, item in sorted(skeleton.items.items()) if item.letter in _SPOKEN and place < end]
    for number, first in enumerate(places):
        for second in places[number + 1 :]:
            if second - first > _REACH or skeleton.text.count(",", first, second) > 1:
                break
            yield from _between(skeleton, first, second, facts_between)


def _between(
    skeleton: Skeleton, first: int, second: int, facts_between: Callable[[Item, Item], list[Fact]]
) -> Iterator[Near]:
    one, other = skeleton.items[first], skeleton.items[second]
    if one.name == other.name or one.of_family or other.of_family:
        return
    facts = facts_between(one, other)
    relations = {fact.relation for fact in facts}
    if not facts or {INDICATION, CONTRAINDICATION} <= relations:
        return
    words = _Words.around(skeleton.text, first, second)
    for relation in sorted(relations):
        letters, read = _READINGS.get(relation, ("", None))
        fits = "".join(sorted(words.letters)) in letters.split()
        said = read(words) if read and fits and not is_hedged(words.window, examining=relation == EXAMINATION) else None
        if said:
            evidence = [fact for fact in facts if fact.relation == relation]
            subject, target = _ends(one, other, evidence[0])
            if said == COMPLICATION and subject is other:
                continue
            against = said in (SUITABLE, INDICATION, TOGETHER) and relation in (CONTRAINDICATION, INTERACTION)
            named = SUITABLE if said == INDICATION and target.letter == "G" else said
            yield Near(named, "contradicted" if against else "supported", evidence, subject, target)


def _ends(one: Item, other: Item, fact: Fact) -> tuple[Item, Item]:
    return (one, other) if fact.subject in one.entities else (other, one)


class _Words(msgspec.Struct, frozen=True):
    """The words around two names: before the first in its clause, between them, after the second in its clause.

    `window` is all that without idioms that deny nothing (离不开); `tail` comes behind, `letters` are the two names.
    """

    window: str
    before: str
    between: str
    after: str
    tail: str
    letters: str

    @classmethod
    def around(cls, text: str, first: int, second: int) -> _Words:
        start = max(text.rfind(",", max(0, first - _REACH), first) + 1, first - _REACH, 0)
        stop = text.find(",", second, second + _REACH)
        stop = min(len(text), second + _REACH) if stop < 0 else stop
        before, between, after = text[start:first], text[first + 1 : second], text[second + 1 : stop]
        tail = text[stop : stop + _REACH]
        return cls(_IDIOMS.sub("", text[start:stop]), before, between, after, tail, text[first] + text[second])


def _treats(words: _Words) -> str | None:
    """A drug beside what it is for."""
    elsewhere = "," in words.between and "D" in words.between
    blamed = words.after if words.letters[0] == "F" else words.window
    if elsewhere or _DENIED.search(words.window) or _TAKEN_FOR_ILLNESS.search(blamed):
        return None
    return INDICATION


def _suits(words: _Words) -> str | None:
    """A drug beside those it suits."""
    return None if _DENIED.search(words.window) or _CAREFUL.search(words.window) else SUITABLE


def _joins(words: _Words) -> str | None:
    """Two drugs given together, as the graph has it."""
    joined = _JOINING.search(words.between) or _JOINING.search(words.after)
    return TOGETHER if joined and not _DENIED.search(words.window) else None


def _banned(words: _Words) -> str | None:
    """A ban said again, or broken by a recommendation."""
    whole = words.before + words.between + words.after
    if _CAREFUL.search(whole) or _NO_BAN.search(whole):
        return None
    if _AGAINST.search(_APPROVED.sub("", words.window)):
        return None if _APPROVED.search(whole) else CONTRAINDICATION
    return INDICATION if _is_recommended(words, whole) and not _is_warned_of(words, whole) else None


def _is_recommended(words: _Words, whole: str) -> bool:
    """Whether a drug is approved of or given, without a pause between it and what comes behind it."""
    if words.letters[0] == "D" and "," in words.between:
        return _APPROVED.search(words.after) is not None
    given = words.letters[1] == "D" and _GIVEN.search(words.between) is not None
    return given or _APPROVED.search(whole) is not None


def _is_warned_of(words: _Words, whole: str) -> bool:
    """Whether anything but the words of approval, in the clause or the next one, speaks against or sets a condition."""
    window, later = _APPROVED.sub("", words.window), _APPROVED.sub("", _IDIOMS.sub("", words.tail))
    rest = _APPROVED.sub("", words.between + words.after)
    return any(
        found is not None
        for found in (
            _DENIED.search(window + later),
            GIVEN_IF.search(_APPROVED.sub("", whole)),
            _HARMING.search(rest),
            _HARMING.search(later),
        )
    )


def _clash(words: _Words) -> str | None:
    """Two drugs that clash, said again or set at naught."""
    whole = words.between + words.after
    if "或" in words.between:
        return None
    joined = _JOINING.search(words.between) is not None or _JOINING.search(words.after) is not None
    whole += words.tail if joined else ""
    plain = _NO_CLASH.sub("", whole)
    clashing = _CLASHING.search(plain) is not None
    if (plain != whole or joined) and _WELCOME.search(words.before + whole):
        return None if clashing or TOGETHER_IF.search(words.between + words.after + words.tail) else TOGETHER
    return INTERACTION if clashing and plain == whole else None


def _harms(words: _Words) -> str | None:
    """A drug and what it does to people, not what it is taken for."""
    before = _IDIOMS.sub("", words.before + words.between)
    taken_for = _HELPING.search(words.between) or _GIVEN_FOR.search(words.between) or _RECOVERED.match(words.after)
    if taken_for or _DENIED.search(before):
        return None
    if words.letters[0] == "F":
        return ADVERSE if _BLAMED.search(words.after) else None
    return ADVERSE if "," not in words.between or _TAKEN.search(words.between) else None


def _shows(words: _Words) -> str | None:
    """An illness and how it shows."""
    if _DENIED.search(words.window) or "D" in words.window or _TAKING.search(words.between):
        return None
    if not words.between or (_LISTED.fullmatch(words.between) and "," not in words.between):
        return None
    return SYMPTOM if _SHOWING.search(words.between + words.after[:6]) else None


def _becomes(words: _Words) -> str | None:
    """An illness and what it leads to."""
    return COMPLICATION if _BECOMING.search(words.between) and not _DENIED.search(words.window) else None


def _examined(words: _Words) -> str | None:
    """An illness and an examination for it, not a value that is high or low."""
    measured = _MEASURED.match(words.after if words.letters[1] == "E" else words.between)
    if measured or re.search(NOT_NEEDED, words.window) or _DENIED.search(words.window):
        return None
    return EXAMINATION if _EXAMINING.search(words.window) else None


def _sent(words: _Words) -> str | None:
    """An illness and the department for it."""
    return None if re.search(NOT_NEEDED, words.window) or _DENIED.search(words.window) else DEPARTMENT


_READINGS: dict[str, tuple[str, Callable[[_Words], str | None]]] = {
    INDICATION: ("DF", _treats),
    CONTRAINDICATION: ("DF DG", _banned),
    INTERACTION: ("DD DO", _clash),
    SUITABLE: ("DG DF", _suits),
    TOGETHER: ("DD DO", _joins),
    ADVERSE: ("DF", _harms),
    SYMPTOM: ("FF", _shows),
    COMPLICATION: ("FF", _becomes),
    EXAMINATION: ("EF", _examined),
    DEPARTMENT: ("FK", _sent),
}
