"""What a doctor's words state: the facts that a rewrite must neither lose nor add.

Names come from the graph's linker, the rest from `concepts` and `quantities`. Whether a finding is there, doubted, or
somebody else's comes from the graph's rules (`kg.linking.assertion`).
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec
import numpy as np

from corpus.rewriting.concepts import (
    Cue,
    assures,
    before_stop,
    concepts_in,
    cues_in,
    governing,
    hedges,
    is_concept,
    token_of,
    without_courtesies,
    without_fillers,
)
from corpus.rewriting.quantities import Quantity, quantities
from kg.records import EntityType, Mention

if TYPE_CHECKING:
    from kg.linking.linker import EntityLinker

FactKind = Literal["entity", "drug", "test", "finding", "advice", "usage", "ask", "term", "mark"]

_MARK = re.compile(r"\[[^\[\]\s]{1,12}\]")
_TERM = re.compile(r"(?<![a-z0-9])(?:[a-z]{2,}[a-z0-9+-]*|[a-z]\d+[a-z0-9]*)(?![a-z0-9])")
_NO_TERMS = frozenset(("ok", "app", "the", "hi", "hello"))
_DRUG_LIKE = re.compile(
    "[^\\W\\d_a-z服用吃喝给予口加或和及与同配合选种打按擦涂抹天日周月次片粒支袋、]{1,3}(?:西林|沙星|霉素|环素|他汀|洛尔|地平|普利|沙坦|拉唑|替丁|洛芬|昔康|硝唑|康唑|胺醇|奈德|司特|溴索|茶碱|西汀|拉法辛|曲嗪|米松|松龙|特罗|噻嗪|塞米|西坦"
    "|西泮|唑仑|替尼|单抗|他定|列汀|列净|格列\\w|双胍|司琼|曲坦|拉明|必利|立酮|胶囊|颗粒|口服液|滴眼液|软膏|乳膏|凝胶|喷雾剂?|糖浆|注射液|冲剂|合剂|混悬液)"
    "|头孢[^\\W\\d_a-z服用吃喝等和或类]{1,2}|青霉素|红霉素|布洛芬|地塞米松|泼尼松|强的松"
)
_CLAUSE = re.compile(r"[^,。;!?\n:]+")
_SENTENCE = re.compile(r"[^。;!?\n]+\??")
_ASKS = re.compile(
    r"\?|[吗么呢][,。!\s]*$|[^,。;!?\s]不[,。!\s]*$|(?<![看查定断解确除诉])(?:有没有|有无|是不是|会不会|[多几][久天](?![就后之以内])|多长时间|(?:查|做|吃|用|看|好|有|来|打|得|发)[过了]?[^,。;!?\d]{0,6}没有?[呢啊]?[,。!\s]*$|几天了|多大了?|几岁|什么颜色|几次[,。!\s]*$)"
    r"|(?<![说告诉解清])是否(?:有|伴|出现|感|存在|做过|吃过|用过)(?![^。;!?]*(?:需要|检查|排除))"
)
_MAY_ASK = re.compile(
    r"几[^,。;!?乎率]{0,3}|多少|什么|哪[里儿个些种]|怎么样|怎样|[了过]没(?=[,。\s]|$)"
    r"|还是(?!要|得|需|去|应|建议|有|会|可以|不)"
)
_BLANK = re.compile(r"(?<=[\u4e00-\u9fff]) +(?=[\u4e00-\u9fff])")
_NEGATED, _UNCERTAIN, _FAMILY, _OTHER, _PAST = (1 << bit for bit in range(5))
_REACH = 10
_KINDS: dict[EntityType, FactKind] = {"drug": "drug", "examination": "test"}
_EXAMINATION, _TAKING = "检查", "用药"
_FINDINGS = ("finding", "entity")
KIN = frozenset(("父亲", "母亲", "祖辈", "配偶", "家人"))
PRIVATE = 0xE000
"""Where the characters begin that stand for names and concepts."""


class Fact(msgspec.Struct, frozen=True):
    """Something stated at ``text[start:end]`` of the normalised text.

    `polarity` is + where it is there or advised, - where denied or refused, 0 where called needless; `doubted` says
    that it is supposed or conditional, `asked` that it stands in what may be a question; `whose` is empty for the
    patient.
    """

    kind: FactKind
    key: str
    start: int
    end: int
    written: str
    polarity: str = "+"
    doubted: bool = False
    whose: str = ""
    asked: bool = False


class Clause(msgspec.Struct, frozen=True):
    """A clause or sentence: as written, the characters that carry its sense, a name or concept being one, and all."""

    written: str
    content: frozenset[str]
    letters: frozenset[str]


class Negation(msgspec.Struct, frozen=True):
    """A refusal or denial of something that is neither a name nor a concept, with the sense of its surroundings."""

    polarity: str
    written: str
    content: frozenset[str]


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """All that a text states. `doses` are (drug, quantity) where a text has several drugs; `possible` questions are
    those that end like one and those that only have a word of one (几根, 还是)."""

    facts: list[Fact]
    quantities: list[Quantity]
    doses: list[tuple[str, str]]
    clauses: list[Clause]
    sentences: list[Clause]
    questions: list[Clause]
    possible: list[Clause]
    negations: list[Negation]
    hedged: bool
    assured: bool


class FactReader:
    """Reads facts with the names of one graph. Build it once; threads may share it."""

    def __init__(self, graph: Path) -> None:
        from kg.graph import KnowledgeGraph
        from kg.linking.linker import EntityLinker

        self._linker: EntityLinker = EntityLinker(KnowledgeGraph.open(graph), fuzzy=True)

    def read(self, text: str, *, misspelt: bool = False) -> Facts:
        """The facts of a text; with `misspelt` also of names that are slightly misspelt."""
        from kg.normalise import normalise

        commas = _BLANK.sub(lambda found: "," * len(found[0]), normalise(text).text)
        plain = without_courtesies(commas)
        found = quantities(plain)
        spans = _disjoint([*self._named(plain, misspelt), *_marked(plain), *_stated(plain), *_coined(plain)])
        found = [one for one in found if not any(span.start < one.end and one.start < span.end for span in spans)]
        cues = [cue for cue in cues_in(plain) if not any(s.start <= cue.start and cue.end <= s.end for s in spans)]
        used: set[Cue] = set()
        facts = list(_judged(plain, spans, cues, used))
        sense = _sense(plain, spans, found)
        sentences = [match.span() for match in _SENTENCE.finditer(plain)]
        sentences = [(start, end) for start, end in sentences if _letters(sense[start:end])]
        questions = [span for span in sentences if _ASKS.search(plain[slice(*span)])]
        possible = [span for span in sentences if span in questions or _MAY_ASK.search(plain[slice(*span)])]
        return Facts(
            facts=list(_counting(facts, possible)),
            quantities=found,
            doses=_doses(plain, facts, found),
            clauses=[_clause(plain, sense, *match.span()) for match in _CLAUSE.finditer(plain)],
            sentences=[_clause(plain, sense, *span) for span in sentences],
            questions=[_clause(plain, sense, *span) for span in questions],
            possible=[_clause(plain, sense, *span) for span in possible],
            negations=[_negation(plain, sense, cue, cues) for cue in cues if cue not in used],
            hedged=hedges(plain),
            assured=assures(plain),
        )

    def _named(self, text: str, misspelt: bool) -> Iterator[Fact]:
        for mention in self._linker.link(text):
            if mention.match == "fuzzy" and not misspelt:
                continue
            written = text[mention.start : mention.end]
            if without_fillers(written):
                yield _shortened(mention, written)


def _shortened(mention: Mention, written: str) -> Fact:
    """A name as a fact; 胃镜检查 is 胃镜."""
    kind = _KINDS.get(mention.type, "entity")
    short = written.removesuffix(_EXAMINATION)
    if short in ("", written):
        return Fact(kind, mention.entity, mention.start, mention.end, written)
    return Fact(kind, mention.entity.removesuffix(_EXAMINATION), mention.start, mention.start + len(short), short)


def _marked(text: str) -> Iterator[Fact]:
    for match in _MARK.finditer(text):
        yield Fact("drug" if match[0] == "[mask]" else "mark", match[0], *match.span(), match[0])


def _stated(text: str) -> Iterator[Fact]:
    for concept in concepts_in(text):
        yield Fact(concept.kind, concept.name, concept.start, concept.end, text[concept.start : concept.end])


def _coined(text: str) -> Iterator[Fact]:
    """Drugs by how they are called, and words in Latin letters, for what no graph knows."""
    for match in _DRUG_LIKE.finditer(text):
        yield Fact("drug", match[0], *match.span(), match[0])
    for match in _TERM.finditer(text):
        if match[0] not in _NO_TERMS:
            yield Fact("term", match[0], *match.span(), match[0])


_RANKED: tuple[FactKind, ...] = ("mark", "test", "advice", "finding", "usage", "ask", "drug", "entity", "term")
_RANK = {kind: rank for rank, kind in enumerate(_RANKED)}


def _disjoint(spans: list[Fact]) -> list[Fact]:
    """The longest spans that do not overlap, in order; of equal ones the concept, whose wordings are one."""
    chosen: list[Fact] = []
    for span in sorted(
        spans, key=lambda one: (one.start - one.end, not is_concept(one.key), _RANK[one.kind], one.start)
    ):
        if all(span.end <= other.start or other.end <= span.start for other in chosen):
            chosen.append(span)
    return sorted(chosen, key=lambda one: one.start)


def _judged(text: str, spans: list[Fact], cues: list[Cue], used: set[Cue]) -> Iterator[Fact]:
    """The facts with polarity, doubt and owner; `used` collects the cues that spoke of one."""
    before: Fact | None = None
    for span, flags in zip(spans, _flags(text, spans), strict=True):
        cue = governing(text, cues, span.start, span.end)
        if cue is not None and before is not None and cue.end <= before.start and _turns(before, span):
            cue = None  # 不见好转去医院 denies the first alone
        before = span
        if cue is not None:
            used.add(cue)
        finding = span.kind in _FINDINGS
        yield msgspec.structs.replace(
            span,
            polarity=cue.polarity if cue is not None else "-" if finding and flags & _NEGATED else "+",
            doubted=finding and bool(flags & _UNCERTAIN),
            whose="family" if flags & _FAMILY else "other" if flags & _OTHER else "",
        )


def _turns(before: Fact, span: Fact) -> bool:
    """Whether a finding is followed by something to do."""
    return before.kind in _FINDINGS and span.kind in ("advice", "test")


def _flags(text: str, spans: list[Fact]) -> list[int]:
    from kg.linking.assertion import statuses
    from kg.linking.scopes import FINDING, TAKEN

    rows = [(one.start, one.end, FINDING if one.kind in _FINDINGS else TAKEN) for one in spans]
    codes = np.frombuffer(text.encode("utf-32-le"), dtype="<u4")
    return statuses(codes, rows, compiled=False)


def _sense(text: str, spans: list[Fact], found: list[Quantity]) -> str:
    """The text with each name or concept as one private character at its start, quantities and their rest blank."""
    letters = list(text)
    for start, end in [(one.start, one.end) for one in spans] + [(one.start, one.end) for one in found]:
        letters[start:end] = " " * (end - start)
    for fact in spans:
        letters[fact.start] = _letter(fact)
    return "".join(letters)


def _letter(fact: Fact) -> str:
    if is_concept(fact.key):
        return token_of(fact.key)
    return chr(0xF0000 + zlib.crc32(fact.key.encode()) % 0xFFFD)


def _clause(text: str, sense: str, start: int, end: int) -> Clause:
    return Clause(text[start:end].strip(), _content(sense[start:end]), _letters(sense[start:end]))


def _content(sense: str) -> frozenset[str]:
    return _letters(without_fillers(sense))


def _letters(sense: str) -> frozenset[str]:
    return frozenset(one for one in sense if one.isalnum() or ord(one) >= PRIVATE)


def _negation(text: str, sense: str, cue: Cue, cues: list[Cue]) -> Negation:
    """What an unattached cue is about: the words after it in its clause, or those before where nothing follows."""
    clause = next((match for match in _CLAUSE.finditer(text) if match.start() <= cue.start < match.end()), None)
    start, end = clause.span() if clause is not None else (cue.start, cue.end)
    limit = min([end, cue.end + _REACH, *(other.start for other in cues if other.start >= cue.end)])
    after = _content(before_stop(sense[cue.end : limit]))
    return Negation(cue.polarity, text[start:end].strip(), after or _content(sense[start : cue.start]))


def _doses(text: str, facts: list[Fact], found: list[Quantity]) -> list[tuple[str, str]]:
    """Which quantity belongs to which drug: the last one named before it, or the one right after it (0.3g的布洛芬)."""
    drugs = [fact for fact in facts if fact.kind == "drug"]
    if len({fact.key for fact in drugs}) < 2:
        return []
    doses = []
    for one in found:
        behind = (drug for drug in drugs if drug.start >= one.end and text[one.end : drug.start] in ("", "的"))
        before = next((drug for drug in reversed(drugs) if drug.end <= one.start), None)
        owner = next(behind, before)
        if owner is not None:
            doses.append((owner.key, one.key))
    return doses


def _counting(facts: list[Fact], questions: list[tuple[int, int]]) -> Iterator[Fact]:
    """The facts but for asking words outside of questions, 检查 beside what is examined, 吃药 beside what is taken."""
    tested, taken = (any(fact.kind in kinds for fact in facts) for kinds in (("test",), ("drug", "usage")))
    for fact in facts:
        asked = _inside(fact, questions)
        if (fact.kind == "ask" and not asked) or (tested and fact.key == _EXAMINATION):
            continue
        if taken and fact.key == _TAKING and fact.polarity == "+":
            continue
        yield msgspec.structs.replace(fact, asked=asked)


def _inside(fact: Fact, spans: list[tuple[int, int]]) -> bool:
    return any(start <= fact.start < end for start, end in spans)
