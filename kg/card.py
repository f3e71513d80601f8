"""What the graph knows of one entity, in order for a person to read."""

from __future__ import annotations

from pathlib import Path

import msgspec

from foundation.errors import ZhongjingError
from kg.graph import KnowledgeGraph
from kg.records import EntityType, Fact

_SUGGESTIONS = 5
_SIMILAR = 40


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """An entity with its facts by relation: `outward` where it is the subject, `inward` where it is the object."""

    name: str
    type: EntityType
    aliases: list[str]
    outward: dict[str, list[Fact]]
    inward: dict[str, list[Fact]]


def card_of(graph: KnowledgeGraph, name: str) -> Card:
    """The card of an entity by name or alias. Raises ZhongjingError with similar names where there is none."""
    entity = graph.entity(name)
    if entity is None:
        similar = suggestions(graph, name)
        hint = f"did you mean: {'、'.join(similar)}" if similar else "no name in it is similar"
        raise ZhongjingError(f"the graph has no entity of this name: {name[:60]}", where=graph.folder, hint=hint)
    return Card(
        name=entity,
        type=graph.type_of(entity) or "other",
        aliases=graph.aliases_of(entity),
        outward=_grouped(list(graph.triples(subject=entity))),
        inward=_grouped(list(graph.triples(object=entity))),
    )


def suggestions(graph: KnowledgeGraph, name: str, limit: int = _SUGGESTIONS) -> list[str]:
    """The names and aliases most like `name`, best first."""
    from rapidfuzz import fuzz, process

    known = sorted({*graph.names, *graph.alias_names})
    found = process.extract(name, known, scorer=fuzz.ratio, limit=limit, score_cutoff=_SIMILAR)
    if found:
        return [near for near, _, _ in found]
    around = (other for other in known if name in other or other in name)
    return sorted(around, key=lambda other: (abs(len(other) - len(name)), other))[:limit] if name else []


def card_lines(card: Card, limit: int | None = None) -> list[str]:
    """The card as lines; at most `limit` facts of each relation and direction."""
    lines = [f"{card.name}  [{card.type}]"]
    if card.aliases:
        lines.append(f"  aliases: {'、'.join(card.aliases)}")
    for arrow, groups in (("→", card.outward), ("←", card.inward)):
        for relation, facts in groups.items():
            lines.append(f"  {arrow} {relation} ({len(facts)})")
            for fact in facts[:limit]:
                other = fact.object if arrow == "→" else fact.subject
                lines.append(f"      {other}    {provenance(fact)}")
            if limit is not None and len(facts) > limit:
                lines.append(f"      … and {len(facts) - limit} more")
    if not card.outward and not card.inward:
        lines.append("  no triple: known from the alias map only")
    return lines


def provenance(fact: Fact) -> str:
    """Where a fact was stated, and how often."""
    times = f", {fact.count} statements" if fact.count > 1 else ""
    return f"{Path(fact.file).name}:{fact.line} ({fact.original}{times})"


def _grouped(facts: list[Fact]) -> dict[str, list[Fact]]:
    groups: dict[str, list[Fact]] = {}
    for fact in facts:
        groups.setdefault(fact.relation, []).append(fact)
    return groups
