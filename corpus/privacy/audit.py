"""Samples of what was replaced, for a person to judge: the words around it, and of itself the shape alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from corpus.privacy.deidentify import Deidentify, spans_in
from corpus.privacy.personal import Span
from corpus.sets import read_dialogues
from foundation.progress import track

PER_KIND = 5
LOOKED_AT = 20_000
_AROUND = 12


def audit(source: Path, step: Deidentify, *, per_kind: int = PER_KIND) -> Iterator[str]:
    """A line for each of the first `per_kind` replacements of every kind in the first dialogues of a set.

    Every span found is masked, also where it stands beside another: a digit as 0, a letter as x, a Chinese
    character as 某.
    """
    known, tagger = step.open()
    shown: dict[str, int] = {}
    for number, dialogue in enumerate(track(read_dialogues(source), "audit")):
        if number >= LOOKED_AT:
            break
        texts = [message.content for message in dialogue.messages]
        for turn, (text, spans) in enumerate(zip(texts, spans_in(texts, known=known, tagger=tagger), strict=True)):
            masked = mask(text, spans)
            for span in spans:
                shown[span.kind] = shown.get(span.kind, 0) + 1
                if shown[span.kind] <= per_kind:
                    before, after = masked[max(0, span.start - _AROUND) : span.start], masked[span.end :][:_AROUND]
                    words = f"{before}⟦{masked[span.start : span.end]}⟧{after}".replace("\n", " ")
                    yield f"{span.kind}  {dialogue.id} turn {turn + 1}  …{words}…"


def mask(text: str, spans: list[Span]) -> str:
    """A text of the same length in which every span is reduced to its shape."""
    characters = list(text)
    for span in spans:
        characters[span.start : span.end] = map(_shape, characters[span.start : span.end])
    return "".join(characters)


def _shape(character: str) -> str:
    if character.isascii():
        return "0" if character.isdigit() else "x" if character.isalpha() else character
    return "某" if character.isalnum() else character
