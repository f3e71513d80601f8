"""Personal data replaced by surrogates that are the same throughout a dialogue and mean nothing outside it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from corpus.privacy.addresses import address_spans
from corpus.privacy.dates import DATE, Found, age_spans, date_spans, days_between, read_date
from corpus.privacy.hospitals import HOSPITAL, hospital_spans, proper_part
from corpus.privacy.people import DOCTOR, PATIENT, bare_name, is_surname, may_be_repeated, person_spans
from corpus.privacy.personal import Span, plain, structured_spans
from corpus.privacy.tagger import Tagger, open_tagger
from corpus.records import Dialogue, Message
from corpus.sets import SetWriter, StageResult, plan_step
from corpus.steps import Change, map_step, one_by_one

if TYPE_CHECKING:
    from kg.graph import KnowledgeGraph

STAGE = "deidentify"

_SURROGATE = re.compile(r"\[(\w+?)(\d+)(?:[前后]\d+天)?\]")
_PEOPLE = (DOCTOR, PATIENT)
# A name that the graph has as part of a longer one is none either: 雷贝 in 雷贝拉唑.
_MARGIN_BEFORE, _MARGIN_AFTER = 2, 5

Known = Callable[[str], bool]


class Deidentify(msgspec.Struct, frozen=True):
    """The step, with the graph whose names are no people and the tagger that finds more names."""

    graph: Path | None
    tagger: str | None = None

    def start(self) -> Change:
        """Open the graph and the tagger."""
        known, tagger = self.open()

        def change(dialogue: Dialogue, writer: SetWriter) -> Dialogue:
            texts, counts = deidentify_texts(
                [message.content for message in dialogue.messages], known=known, tagger=tagger
            )
            writer.details.update(counts)
            messages = [Message(message.role, text) for message, text in zip(dialogue.messages, texts, strict=True)]
            return msgspec.structs.replace(dialogue, messages=messages)

        return one_by_one(change)

    def open(self) -> tuple[Known, Tagger | None]:
        """What says of a name whether it is a medical one, and the tagger."""
        known = graph_names(self.graph) if self.graph is not None else _nobody
        return known, open_tagger(self.tagger) if self.tagger is not None else None


def deidentify(
    source: Path,
    out: Path,
    *,
    graph: Path | None = None,
    tagger: str | None = None,
    processes: int | None = None,
    reuse: bool = False,
) -> StageResult:
    """Replace personal data in every turn of the set `source`.

    Names that the graph in the folder `graph` knows are no people (华法林 is a drug). `tagger` names one of
    `corpus.privacy.tagger.TAGGERS`. Details count the replacements by kind.
    """
    plan = plan_step(STAGE, source, {"tagger": tagger} if tagger else {}, graph=graph)
    return map_step(plan, out, Deidentify(graph, tagger), processes=processes, reuse=reuse)


def deidentify_texts(
    texts: list[str], *, known: Known | None = None, tagger: Tagger | None = None
) -> tuple[list[str], dict[str, int]]:
    """The turns of one dialogue with personal data replaced, and how many replacements of each kind.

    `known` says of a name whether it is a medical one.

    >>> deidentify_texts(["我的手机是19900001234"])
    (['我的手机是[电话1]'], {'电话': 1})
    """
    found = spans_in(texts, known=known, tagger=tagger)
    if not any(found):
        return texts, {}
    surrogates = _Surrogates(texts, found)
    replaced = [_replace(text, spans, surrogates) for text, spans in zip(texts, found, strict=True)]
    return replaced, dict(Counter(span.kind for spans in found for span in spans))


def spans_in(texts: list[str], *, known: Known | None = None, tagger: Tagger | None = None) -> list[list[Span]]:
    """The personal data in each turn of one dialogue, in order of text and without overlaps."""
    found = [_without_overlaps(text, known or _nobody, tagger) for text in texts]
    names = _full_names(texts, found)
    if not names:
        return found
    return [_disjoint([*spans, *_repeats(text, names)]) for text, spans in zip(texts, found, strict=True)]


class _Surrogates:
    """Numbers for the strings of one dialogue, going on after those already in its texts."""

    def __init__(self, texts: Iterable[str], found: Iterable[list[Span]]) -> None:
        self.given: dict[tuple[str, str], str] = {}
        self.last: dict[str, int] = {}
        self.first_date: Found | None = None
        for text in texts:
            for kind, number in _SURROGATE.findall(text):
                self.last[kind] = max(self.last.get(kind, 0), int(number))
        names = {
            (span.kind, bare_name(text[span.start : span.end]))
            for text, spans in zip(texts, found, strict=True)
            for span in spans
            if span.kind in _PEOPLE
        }
        self.full_names = [name for name in sorted(names) if not is_surname(name[1])]

    def of(self, kind: str, text: str) -> str:
        """The surrogate of one string of a kind."""
        if kind == DATE:
            return self._of_date(text)
        if kind in _PEOPLE:
            return self._numbered(kind, self._whole_name(kind, bare_name(text)))
        return self._numbered(kind, re.sub(r"[\s().（）-]", "", plain(text)).lower())

    def _numbered(self, kind: str, text: str) -> str:
        if (kind, text) not in self.given:
            self.last[kind] = self.last.get(kind, 0) + 1
            self.given[kind, text] = f"[{kind}{self.last[kind]}]"
        return self.given[kind, text]

    def _whole_name(self, kind: str, name: str) -> str:
        """王医生 is 王建国医生 where nobody else of that name and trade is in the dialogue."""
        whole = [full for other, full in self.full_names if other == kind and full.startswith(name)]
        return whole[0] if is_surname(name) and len(whole) == 1 else name

    def _of_date(self, text: str) -> str:
        """The year as written, and the day as days from the first date of the dialogue."""
        read = read_date(text) or Found("", None)
        if read.day is None:
            return self._numbered(DATE, text)
        if self.first_date is None:
            self.first_date = read
            self.given[DATE, ""] = self._numbered(DATE, str(read.day))
        days = days_between(self.first_date, read)
        first = self.given[DATE, ""]
        if not days:
            return read.year + first
        return f"{read.year}{first[:-1]}{'后' if days > 0 else '前'}{abs(days)}天]"


def _without_overlaps(text: str, known: Known, tagger: Tagger | None) -> list[Span]:
    named = [*hospital_spans(text), *address_spans(text), *person_spans(text), *(tagger(text) if tagger else ())]
    unknown = (span for span in named if not _is_known(text, span, known))
    return _disjoint([*structured_spans(text), *date_spans(text), *age_spans(text), *unknown])


def _is_known(text: str, span: Span, known: Known) -> bool:
    if known is _nobody:
        return False
    name = text[span.start : span.end]
    bare = bare_name(name)
    if (known(bare) and not is_surname(bare)) or (span.kind == HOSPITAL and known(proper_part(name))):
        return True
    return any(
        known(text[start:end])
        for start in range(max(0, span.start - _MARGIN_BEFORE), span.start + 1)
        for end in range(span.end, min(len(text), span.end + _MARGIN_AFTER) + 1)
        if end - start > span.end - span.start
    )


def _disjoint(spans: Iterable[Span]) -> list[Span]:
    """Spans in order of text; of two that overlap the earlier in the list stays."""
    chosen: list[Span] = []
    for span in spans:
        if all(span.end <= other.start or other.end <= span.start for other in chosen):
            chosen.append(span)
    return sorted(chosen, key=lambda span: span.start)


def _full_names(texts: list[str], found: list[list[Span]]) -> dict[str, str]:
    """Names that are looked for where no title stands beside them too, with their kind."""
    names: dict[str, str] = {}
    for text, spans in zip(texts, found, strict=True):
        for span in spans:
            name = bare_name(text[span.start : span.end]) if span.kind in _PEOPLE else ""
            if name and may_be_repeated(name):
                names.setdefault(name, span.kind)
    return names


def _repeats(text: str, names: dict[str, str]) -> list[Span]:
    return [
        Span(match.start(), match.end(), kind)
        for name, kind in names.items()
        for match in re.finditer(re.escape(name), text)
    ]


def _replace(text: str, spans: list[Span], surrogates: _Surrogates) -> str:
    parts: list[str] = []
    position = 0
    for span in spans:
        replacement = span.text if span.text is not None else surrogates.of(span.kind, text[span.start : span.end])
        parts += (text[position : span.start], replacement)
        position = span.end
    return "".join((*parts, text[position:]))


def _nobody(_name: str) -> bool:
    return False


def graph_names(folder: Path) -> Known:
    """Whether the graph in a folder knows a name."""
    from kg.graph import KnowledgeGraph

    graph: KnowledgeGraph = KnowledgeGraph.open(folder)

    def known(name: str) -> bool:
        return graph.entity(name) is not None

    return known
