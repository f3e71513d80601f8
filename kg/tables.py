"""Results of the room as lines for a person."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any
from unicodedata import east_asian_width

from kg.card import provenance
from kg.records import Claim, Mention


def mention_lines(mentions: Sequence[Mention]) -> Iterator[str]:
    """A table of mentions with their status in words."""
    if not mentions:
        yield "no name of the graph"
        return
    rows = [("span", "text", "entity", "type", "match", "status")]
    for one in mentions:
        flags = (("negated", one.negated), ("uncertain", one.uncertain), ("past", one.temporality == "past"))
        status = [word for word, holds in flags if holds]
        status += [one.experiencer] if one.experiencer != "patient" else []
        span = f"{one.start}-{one.end}"
        rows.append((span, one.text, one.entity, one.type, one.match, ", ".join(status) or "present"))
    yield from _aligned(rows)


def claim_lines(text: str, claims: Sequence[Claim]) -> Iterator[str]:
    """A table of claims, each with its span marked in its surroundings, and the evidence beneath."""
    if not claims:
        yield "no statement that the graph could judge"
        return
    rows = [("verdict", "subject", "relation", "object", "said")]
    rows += [(one.verdict, one.subject, one.relation, one.object, _marked(text, one.start, one.end)) for one in claims]
    head, *lines = _aligned(rows)
    yield head
    for line, claim in zip(lines, claims, strict=True):
        yield line
        for fact in claim.evidence:
            yield f"  graph: {fact.subject} {fact.relation} {fact.object}    {provenance(fact)}"


def stats_lines(counts: dict[str, Any]) -> Iterator[str]:
    """The counts of a graph: totals, then by type and by relation, largest first."""
    totals = [(name.replace("_", " "), f"{count:,}") for name, count in counts.items() if isinstance(count, int)]
    yield from _aligned(totals)
    for title, name in (("entities by type", "types"), ("triples by relation", "relations"), ("rejects", "rejected")):
        table: dict[str, int] = counts.get(name, {})
        if table:
            yield f"{title}:"
            ordered = sorted(table.items(), key=lambda row: (-row[1], row[0]))
            yield from ("  " + line for line in _aligned([(key, f"{count:,}") for key, count in ordered]))


def _marked(text: str, start: int, end: int, around: int = 12) -> str:
    before, after = text[max(0, start - around) : start], text[end : end + around]
    opening, closing = "…" * (start > around), "…" * (end + around < len(text))
    return f"{opening}{before}【{text[start:end]}】{after}{closing}".replace("\n", " ")


def _aligned(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    """Rows in columns; a Chinese character is two columns wide."""
    widths = [max(map(_width, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = [cell + " " * (width - _width(cell)) for cell, width in zip(row, widths, strict=True)]
        yield "  ".join(cells).rstrip()


def _width(text: str) -> int:
    return sum(2 if east_asian_width(character) in "WF" else 1 for character in text)
