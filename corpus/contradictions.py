"""The review queue of a match, for a person to read: each contradicted statement in its words, with the evidence."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from corpus.matching import REVIEW, Review
from corpus.sets import read_some, stages_of
from foundation.errors import ZhongjingError
from foundation.jsonl import read_records

_AROUND = 40


def queue(folder: Path, show: int, relation: str | None = None) -> Iterator[str]:
    """Lines for the first `show` contradictions of a matched set, those of one relation only where it is given."""
    stages_of(folder)
    if not (folder / REVIEW).is_file():
        raise ZhongjingError("this set has no review queue", where=folder, hint="corpus match writes one")
    rows = [row for row in read_records(folder / REVIEW, Review) if relation in (None, row.claim[1])]
    shown = list(islice(rows, show))
    dialogues = read_some(folder, {row.dialogue_id for row in shown})
    for row in shown:
        content = dialogues[row.dialogue_id].messages[row.turn].content
        yield f"{row.dialogue_id} turn {row.turn + 1} ({row.file}:{row.line})  {' '.join(row.claim)}"
        yield f"    {_marked(content, row.start, row.end)}"
        yield from (f"    against it: {fact}" for fact in row.evidence)
    yield f"{len(shown):,} of {len(rows):,} shown, all in {folder / REVIEW}"


def _marked(text: str, start: int, end: int) -> str:
    """The statement in ⟦⟧ with some words around it, on one line."""
    first, last = max(0, start - _AROUND), end + _AROUND
    before, after = "…" * (first > 0), "…" * (last < len(text))
    return f"{before}{text[first:start]}⟦{text[start:end]}⟧{text[end:last]}{after}".replace("\n", " ")
