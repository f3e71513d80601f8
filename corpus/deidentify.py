"""Personal data replaced by surrogates that are the same throughout a dialogue and mean nothing outside it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from corpus.hospitals import address_spans, hospital_spans
from corpus.people import bare_name, person_spans
from corpus.personal import Span, structured_spans
from corpus.records import Dialogue, Message
from corpus.sets import SetWriter, StageResult, plan_step
from corpus.steps import Change, map_step

if TYPE_CHECKING:
    from kg.graph import KnowledgeGraph

STAGE = "deidentify"

_SURROGATE = re.compile(r"\[(\w+?)(\d+)\]")
_PEOPLE = ("医生", "患者")
_LONG_NAME = 3

Known = Callable[[str], bool]


class Deidentify(msgspec.Struct, frozen=True):
    """The step, with the graph whose names are no people."""

    graph: Path | None

    def start(self) -> Change:
        """Open the graph."""
        known = _graph_names(self.graph) if self.graph is not None else _nobody

        def change(dialogue: Dialogue, writer: SetWriter) -> Dialogue:
            texts, counts = deidentify_texts([message.content for message in dialogue.messages], known=known)
            writer.details.update(counts)
            messages = [Message(message.role, text) for message, text in zip(dialogue.messages, texts, strict=True)]
            return msgspec.structs.replace(dialogue, messages=messages)

        return change


def deidentify(
    source: Path, out: Path, *, graph: Path | None = None, processes: int | None = None, reuse: bool = False
) -> StageResult:
    """Replace personal data in every turn of the set `source`.

    Names that the graph in the folder `graph` knows are no people (华法林 is a drug). Details count
    the replacements by kind.
    """
    plan = plan_step(STAGE, source, {}, graph=graph)
    return map_step(plan, out, Deidentify(graph), processes=processes, reuse=reuse)


def deidentify_texts(texts: list[str], *, known: Known | None = None) -> tuple[list[str], dict[str, int]]:
    """The turns of one dialogue with personal data replaced, and how many replacements of each kind.

    `known` says of a name whether it is a medical one.

    >>> deidentify_texts(["我的手机是19900001234"])
    (['我的手机是[电话1]'], {'电话': 1})
    """
    surrogates = _Surrogates(texts)
    found = [_without_overlaps(text, known or _nobody) for text in texts]
    names = _full_names(texts, found)
    counts: dict[str, int] = {}
    replaced: list[str] = []
    for text, spans in zip(texts, found, strict=True):
        every = _disjoint([*spans, *_repeats(text, names)])
        replaced.append(_replace(text, every, surrogates))
        for span in every:
            counts[span.kind] = counts.get(span.kind, 0) + 1
    return replaced, counts


class _Surrogates:
    """Numbers for the strings of one dialogue, going on after those already in its texts."""

    def __init__(self, texts: Iterable[str]) -> None:
        self.given: dict[tuple[str, str], str] = {}
        self.last: dict[str, int] = {}
        for text in texts:
            for kind, number in _SURROGATE.findall(text):
                self.last[kind] = max(self.last.get(kind, 0), int(number))

    def of(self, kind: str, text: str) -> str:
        bare = bare_name(text) if kind in _PEOPLE else re.sub(r"[\s-]", "", text).lower()
        if (kind, bare) not in self.given:
            self.last[kind] = self.last.get(kind, 0) + 1
            self.given[kind, bare] = f"[{kind}{self.last[kind]}]"
        return self.given[kind, bare]


def _without_overlaps(text: str, known: Known) -> list[Span]:
    named = (*hospital_spans(text), *address_spans(text), *person_spans(text))
    unknown = (span for span in named if not known(bare_name(text[span.start : span.end])))
    return _disjoint([*structured_spans(text), *unknown])


def _disjoint(spans: Iterable[Span]) -> list[Span]:
    """Spans in order of text; of two that overlap the earlier in the list stays."""
    chosen: list[Span] = []
    for span in spans:
        if all(span.end <= other.start or other.end <= span.start for other in chosen):
            chosen.append(span)
    return sorted(chosen, key=lambda span: span.start)


def _full_names(texts: list[str], found: list[list[Span]]) -> dict[str, str]:
    """Names long enough to be looked for where no title stands beside them, with their kind."""
    names: dict[str, str] = {}
    for text, spans in zip(texts, found, strict=True):
        for span in spans:
            name = bare_name(text[span.start : span.end])
            if span.kind in _PEOPLE and len(name) >= _LONG_NAME:
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


def _graph_names(folder: Path) -> Known:
    from kg.graph import KnowledgeGraph

    graph: KnowledgeGraph = KnowledgeGraph.open(folder)

    def known(name: str) -> bool:
        return graph.entity(name) is not None

    return known
