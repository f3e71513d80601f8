"""A picture of an entity's surroundings: one HTML file that needs nothing beside it."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from itertools import chain, zip_longest
from math import cos, pi, sin
from pathlib import Path

import msgspec

from foundation.files import new_file
from kg.card import Card, card_of, provenance
from kg.graph import KnowledgeGraph
from kg.relations import TYPE_LABELS

MAX_DRAWN = 96
_FIRST_RING = 24
_SPACE = 19.0
_LEAST_RADIUS = 150.0
_RING = 230.0
_INNER_WIDER = 0.8
_FORKS = (0.66, 0.44, 0.55)
"""How far out a branch parts, of the first ring: in turn, so that the names of relations stand clear."""
_LONGEST = 14
_LETTER = 14.5
_MARGIN = 24.0
_QUARTER, _THREE_QUARTERS, _FULL = pi / 2, 3 * pi / 2, 2 * pi


class Node(msgspec.Struct, kw_only=True):
    """An entity of the picture: how it hangs on its parent, and where it stands."""

    name: str
    number: int
    type: str
    relation: str = ""
    outward: bool = True
    children: list[Node] = msgspec.field(default_factory=list)
    angle: float = 0.0
    radius: float = 0.0

    @property
    def x(self) -> float:
        """From the middle to the right."""
        return round(self.radius * cos(self.angle), 1)

    @property
    def y(self) -> float:
        """From the middle down."""
        return round(self.radius * sin(self.angle), 1)

    @property
    def label(self) -> str:
        """The name, shortened where it is very long."""
        return self.name if len(self.name) <= _LONGEST else self.name[: _LONGEST - 1] + "…"

    @property
    def is_left(self) -> bool:
        """Whether the label reads towards the middle."""
        return _QUARTER < self.angle % _FULL < _THREE_QUARTERS

    @property
    def turn(self) -> float:
        """Degrees that the label is turned by."""
        return round(self.angle * 180 / pi + (180 if self.is_left else 0), 1)


class Branch(msgspec.Struct, kw_only=True):
    """The neighbours by one relation in one direction: those drawn, how many there are, where the branch parts."""

    relation: str
    outward: bool
    nodes: list[Node]
    count: int
    x: float = 0.0
    y: float = 0.0


class Drawn(msgspec.Struct, frozen=True):
    """How many entities a picture shows, and how many lie within its hops."""

    shown: int
    within: int


def draw(graph: KnowledgeGraph, name: str, out: Path, *, hops: int = 1) -> Drawn:
    """Write the picture of what lies within `hops` of an entity, and below it every fact of the entity.

    Of a hub's neighbours `MAX_DRAWN` are drawn, the best connected of each relation first, and the page says so.
    Raises ZhongjingError where the graph has no such entity.
    """
    from jinja2 import Environment

    card = card_of(graph, name)
    number = graph.number(card.name)
    assert number is not None
    branches = _branches(graph, number, hops)
    radius = _place(branches, hops)
    nodes = [node for branch in branches for node in branch.nodes]
    every = [*nodes, *(child for node in nodes for child in node.children)]
    drawn = Drawn(1 + len({node.number for node in every} - {number}), len(graph.within([card.name], hops)))
    page = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(
        files("kg").joinpath("data/picture.html").read_text(encoding="utf-8")
    )
    half = round(radius + _LETTER * max((len(node.label) for node in every), default=0) + _MARGIN)
    html = page.render(
        card=card,
        branches=branches,
        nodes=every,
        drawn=drawn,
        hops=hops,
        half=half,
        labels=TYPE_LABELS,
        lists=list(_lists(card)),
        provenance=provenance,
    )
    with new_file(out) as temporary:
        temporary.write_text(html, encoding="utf-8")
    return drawn


def _branches(graph: KnowledgeGraph, centre: int, hops: int) -> list[Branch]:
    """The neighbours of the centre by relation, each with children where the picture goes further."""
    around: dict[tuple[bool, str], list[int]] = {}
    for outward, relation, other in _joined(graph, centre):
        around.setdefault((outward, relation), []).append(other)
    ranked = {key: sorted(set(others), key=lambda one: (-_degree(graph, one), one)) for key, others in around.items()}
    most = MAX_DRAWN if hops == 1 else _FIRST_RING
    kept = set(_in_turn(ranked, most))
    branches = [
        Branch(
            relation=relation,
            outward=outward,
            count=len(others),
            nodes=[_node(graph, one, relation, outward) for one in others if (outward, relation, one) in kept],
        )
        for (outward, relation), others in sorted(ranked.items(), key=lambda row: (not row[0][0], row[0][1]))
    ]
    shown = {centre, *(number for _, _, number in kept)}
    for _ in range(hops - 1):
        for node in list(_leaves(branches)):
            _grow(graph, node, shown, max(1, (MAX_DRAWN - _FIRST_RING) // max(1, len(kept))))
    return [branch for branch in branches if branch.nodes]


def _in_turn(ranked: dict[tuple[bool, str], list[int]], most: int) -> Iterator[tuple[bool, str, int]]:
    """The first of each relation, then the second of each, until there are enough."""
    rounds = zip_longest(*([(*key, one) for one in others] for key, others in ranked.items()))
    yield from [one for one in chain.from_iterable(rounds) if one is not None][:most]


def _grow(graph: KnowledgeGraph, node: Node, shown: set[int], most: int) -> None:
    """Give a node its best connected neighbours that the picture does not show yet."""
    fresh = {other: (outward, relation) for outward, relation, other in _joined(graph, node.number)}
    best = sorted(fresh.keys() - shown, key=lambda one: (-_degree(graph, one), one))[:most]
    shown.update(best)
    node.children = [_node(graph, one, fresh[one][1], fresh[one][0]) for one in best]


def _leaves(branches: list[Branch]) -> Iterator[Node]:
    for branch in branches:
        stack = list(branch.nodes)
        while stack:
            node = stack.pop()
            stack += node.children
            if not node.children:
                yield node


def _joined(graph: KnowledgeGraph, number: int) -> Iterator[tuple[bool, str, int]]:
    for outward, joined in ((True, graph.outward(number)), (False, graph.inward(number))):
        for relation, other in zip(joined.relations.tolist(), joined.entities.tolist(), strict=True):
            yield outward, graph.vocabulary.relations[relation], other


def _degree(graph: KnowledgeGraph, number: int) -> int:
    return len(graph.outward(number).entities) + len(graph.inward(number).entities)


def _node(graph: KnowledgeGraph, number: int, relation: str, outward: bool) -> Node:
    name = graph.names[number]
    return Node(name=name, number=number, type=graph.type_of(name) or "other", relation=relation, outward=outward)


def _place(branches: list[Branch], hops: int) -> float:
    """Put the nodes on rings, every leaf with room for its label; returns the outermost radius."""
    leaves = sum(_width(node) for branch in branches for node in branch.nodes) + len(branches)
    outer = max(_LEAST_RADIUS + (hops - 1) * _RING, leaves * _SPACE / _FULL)
    step, angle = _FULL / max(leaves, 1), -_QUARTER
    rings = [outer * (depth / hops) ** _INNER_WIDER for depth in range(1, hops + 1)]
    for place, branch in enumerate(branches):
        start = angle
        for node in branch.nodes:
            angle = _spread(node, angle, step, rings)
        middle, reach = (start + angle) / 2, rings[0] * _FORKS[place % len(_FORKS)]
        branch.x, branch.y = round(reach * cos(middle), 1), round(reach * sin(middle), 1)
        angle += step
    return outer


def _spread(node: Node, angle: float, step: float, rings: list[float]) -> float:
    """Place a node in the middle of its leaves, from `angle` on; returns where they end."""
    end = angle + _width(node) * step
    node.angle, node.radius = (angle + end) / 2, rings[0]
    for child in node.children:
        angle = _spread(child, angle, step, rings[1:])
    return end


def _width(node: Node) -> int:
    return sum(map(_width, node.children)) or 1


def _lists(card: Card) -> Iterator[tuple[str, str, list[tuple[str, str]]]]:
    """Every fact of the entity: arrow, relation, and names with their provenance."""
    for relation, facts in card.outward.items():
        yield "→", relation, [(fact.object, provenance(fact)) for fact in facts]
    for relation, facts in card.inward.items():
        yield "←", relation, [(fact.subject, provenance(fact)) for fact in facts]
