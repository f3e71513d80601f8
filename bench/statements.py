"""The hand-written statements of `tests/kg/data`, and how well a checker draws the claims in them."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from kg.building.build import build_graph
from kg.checking.checker import Checker
from kg.graph import KnowledgeGraph
from kg.relations import INDICATION, INTERACTION, SUITABLE, TOGETHER

DATA = Path(__file__).parent.parent / "tests/kg/data"
VERDICTS = {"+": "supported", "-": "contradicted", "?": "unknown"}

Claimed = tuple[str, str, str, str]
Statement = tuple[str, set[Claimed]]


class Part(NamedTuple):
    """Statements over one graph, with the name of its file."""

    graph: str
    statements: list[Statement]


def statements(file: str) -> list[Statement]:
    """Each text of a file with its claims: subject, relation, object, verdict."""
    lines = (DATA / file).read_text(encoding="utf-8").splitlines()
    return [_parsed(line) for line in lines if line and not line.startswith("#")]


def _parsed(line: str) -> Statement:
    text, _, written = line.partition(" | ")
    claims = (claim.split() for claim in written.split(";") if claim.strip())
    return text, {_alike(subject, relation, target, VERDICTS[mark]) for subject, relation, target, mark in claims}


def _alike(subject: str, relation: str, target: str, verdict: str) -> Claimed:
    """A claim in one form: two drugs in either order, and what suits those who have an illness, suits the illness."""
    if relation in (INTERACTION, TOGETHER):
        subject, target = sorted((subject, target))
    return subject, INDICATION if relation == SUITABLE else relation, target, verdict


def parts() -> dict[str, Part]:
    """What the rules were developed on, and what they were not.

    Held out: every second statement written with the first ones. Written later: after the rules of the first day.
    Of those by two other hands, who never saw the rules, half was read to widen them, half only measured.
    """
    first, others, thirds = map(
        statements, ("statements.txt", "statements_other_hand.txt", "statements_third_hand.txt")
    )
    developed = [*first[::2], *statements("statements_developed.txt")]
    return {
        "developed on": Part("clinic", developed),
        "spoken": Part("consulting", statements("statements_spoken.txt")),
        "other hand, read": Part("consulting", others[::2]),
        "third hand, read": Part("ward", thirds[::2]),
        "held out": Part("clinic", first[1::2]),
        "written later": Part("clinic", statements("statements_later.txt")),
        "other hand, held out": Part("consulting", others[1::2]),
        "third hand, held out": Part("ward", thirds[1::2]),
    }


def checkers(folder: Path) -> dict[str, Checker]:
    """A checker over each graph of the statements, built into `folder`."""
    build_graph([DATA / "clinic.csv"], folder / "clinic", aliases=DATA / "clinic_aliases.json")
    for name in ("consulting", "ward"):
        build_graph([DATA / f"{name}.csv"], folder / name)
    return {name: Checker(KnowledgeGraph.open(folder / name)) for name in ("clinic", "consulting", "ward")}


def score(checker: Checker, part: Part) -> Iterator[tuple[str, int, float, float]]:
    """For each verdict: how many claims, precision, recall. A claim is right where all four of its parts are."""
    right, found, wanted = Counter[str](), Counter[str](), Counter[str]()
    for text, expected in part.statements:
        drawn = {_alike(claim.subject, claim.relation, claim.object, claim.verdict) for claim in checker.check(text)}
        for counter, claims in ((right, drawn & expected), (found, drawn), (wanted, expected)):
            counter.update(claim[-1] for claim in claims)
    for verdict in VERDICTS.values():
        recall = right[verdict] / max(wanted[verdict], 1)
        yield verdict, wanted[verdict], right[verdict] / max(found[verdict], 1), recall
