"""Long texts in pieces of bounded length, cut between paragraphs, else between sentences, else anywhere."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from corpus.mixing.documents import Paragraph

_SENTENCE = re.compile(r"[^。！？!?；;\n]*(?:[。！？!?；;\n]+[”’」）)]*|$)")


def pieces(paragraphs: Iterable[Paragraph], longest: int) -> Iterator[Paragraph]:
    """Neighbouring paragraphs put together as long as they are at most `longest` characters with their line feeds;
    a longer one is cut. A piece has the line of its first paragraph."""
    held: list[Paragraph] = []
    size = 0
    for paragraph in paragraphs:
        for part in _parts(paragraph, longest):
            if held and size + 1 + len(part.text) > longest:
                yield _together(held)
                held, size = [], 0
            size += len(part.text) + bool(held)
            held.append(part)
    if held:
        yield _together(held)


def _together(held: list[Paragraph]) -> Paragraph:
    return Paragraph(held[0].line, "\n".join(part.text for part in held))


def _parts(paragraph: Paragraph, longest: int) -> Iterator[Paragraph]:
    """A paragraph that is short enough, or its sentences put together as far as they go."""
    if len(paragraph.text) <= longest:
        yield paragraph
        return
    held = ""
    for sentence in _SENTENCE.findall(paragraph.text):
        for start in range(0, len(sentence), longest):
            part = sentence[start : start + longest]
            if held and len(held) + len(part) > longest:
                yield Paragraph(paragraph.line, held.strip())
                held = ""
            held += part
    if held.strip():
        yield Paragraph(paragraph.line, held.strip())
