"""The hand-written statements of `tests/kg/data`, and how well a checker draws the claims in them."""

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from kg.build import build_graph
from kg.checker import Checker
from kg.graph import KnowledgeGraph

DATA = Path(__file__).parent.parent / "tests/kg/data"
VERDICTS = {"+": "supported", "-": "contradicted", "?": "unknown"}

Claimed = tuple[str, ...]
Statement = tuple[str, set[Claimed]]


def statements(file: str) -> list[Statement]:
    """Each text of a file with its claims: subject, relation, object, verdict."""
    lines = (DATA / file).read_text(encoding="utf-8").splitlines()
    return [_parsed(line) for line in lines if line and not line.startswith("#")]


def _parsed(line: str) -> Statement:
    text, _, written = line.partition(" | ")
    claims = (claim.split() for claim in written.split(";") if claim.strip())
    return text, {(*ends, VERDICTS[mark]) for *ends, mark in claims}


def parts() -> dict[str, list[Statement]]:
    """What the rules were developed on; the half written with it and held out; and what was written afterwards.

    Neither of the last two was looked at while the rules were tuned. The last is the fairest: whoever wrote it could
    not shape the rules after it.
    """
    first = statements("statements.txt")
    developed = [*first[::2], *statements("statements_developed.txt")]
    return {"developed on": developed, "held out": first[1::2], "written later": statements("statements_later.txt")}


def clinic(folder: Path) -> Checker:
    """A checker over the statements' own graph, built into `folder`."""
    build_graph([DATA / "clinic.csv"], folder, aliases=DATA / "clinic_aliases.json")
    return Checker(KnowledgeGraph.open(folder))


def score(checker: Checker, part: Iterable[Statement]) -> Iterator[tuple[str, int, float, float]]:
    """For each verdict: how many claims, precision, recall. A claim is right where all four of its parts are."""
    right, found, wanted = Counter[str](), Counter[str](), Counter[str]()
    for text, expected in part:
        drawn = {(claim.subject, claim.relation, claim.object, claim.verdict) for claim in checker.check(text)}
        for counter, claims in ((right, drawn & expected), (found, drawn), (wanted, expected)):
            counter.update(claim[-1] for claim in claims)
    for verdict in VERDICTS.values():
        yield verdict, wanted[verdict], right[verdict] / max(found[verdict], 1), right[verdict] / wanted[verdict]
