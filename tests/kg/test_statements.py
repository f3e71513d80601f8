"""The hand-written statements: how many claims are drawn, and how many of them rightly."""

import importlib
import sys
from pathlib import Path

import pytest

BENCH, DATA = str(Path(__file__).parents[2] / "bench"), Path(__file__).parent / "data"

CONTRADICTED = {
    "developed on": 0.95,
    "spoken": 0.75,
    "other hand, read": 0.75,
    "held out": 0.95,
    "written later": 0.95,
    "other hand, held out": 0.6,
    "third hand, read": 0.85,
    "third hand, held out": 0.8,
}
SUPPORTED = {
    "developed on": 0.95,
    "spoken": 0.85,
    "other hand, read": 0.8,
    "held out": 0.95,
    "written later": 0.9,
    "other hand, held out": 0.7,
    "third hand, read": 0.85,
    "third hand, held out": 0.8,
}
"""The recall of each part; those held out by other hands are what to expect of new text."""


@pytest.fixture(scope="module")
def checkers(tmp_path_factory: pytest.TempPathFactory):
    return _statements().checkers(tmp_path_factory.mktemp("statements"))


@pytest.fixture(scope="module")
def scores(checkers) -> dict[str, dict[str, tuple[int, float, float]]]:
    return {
        name: {verdict: row for verdict, *row in _statements().score(checkers[part.graph], part)}
        for name, part in _statements().parts().items()
    }


def _statements():
    sys.path.insert(0, BENCH)
    try:
        return importlib.import_module("statements")
    finally:
        sys.path.remove(BENCH)


@pytest.mark.parametrize("part", CONTRADICTED)
def test_contradictions_are_contradictions(scores, part: str) -> None:
    claims, precision, recall = scores[part]["contradicted"]
    assert claims >= 14
    assert precision >= 0.95
    assert recall >= CONTRADICTED[part]


@pytest.mark.parametrize("part", SUPPORTED)
def test_support_is_found_and_rightly(scores, part: str) -> None:
    claims, precision, recall = scores[part]["supported"]
    assert claims >= 50
    assert precision >= 0.95
    assert recall >= SUPPORTED[part]


@pytest.mark.parametrize("part", ["developed on", "held out", "written later"])
def test_what_the_graph_does_not_know_is_unknown(scores, part: str) -> None:
    _, precision, recall = scores[part]["unknown"]
    assert precision >= 0.85
    assert recall >= 0.85


def test_there_are_enough_statements_and_none_twice() -> None:
    texts = [line.partition(" | ")[0] for path in sorted(DATA.glob("statements*.txt")) for line in _lines(path)]
    assert len(texts) == len(set(texts)) >= 1_000


@pytest.mark.parametrize(
    ("traps", "graph", "most"), [("traps.txt", "clinic", 0), ("traps_spoken.txt", "consulting", 1)]
)
def test_nothing_is_contradicted_where_nothing_wrong_is_advised(checkers, traps: str, graph: str, most: int) -> None:
    lines = _lines(DATA / traps)
    wrong = [line for line in lines if any(claim.verdict == "contradicted" for claim in checkers[graph].check(line))]
    assert len(lines) >= 55
    assert len(wrong) <= most, wrong


def _lines(path: Path) -> list[str]:
    return [line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
