"""The hand-written statements: how many claims are drawn, and how many of them rightly."""

import importlib
import sys
from pathlib import Path

import pytest

BENCH = str(Path(__file__).parents[2] / "bench")


@pytest.fixture(scope="module")
def checker(tmp_path_factory: pytest.TempPathFactory):
    return _statements().clinic(tmp_path_factory.mktemp("clinic") / "kg")


@pytest.fixture(scope="module")
def scores(checker) -> dict[str, dict[str, tuple[int, float, float]]]:
    return {
        name: {verdict: row for verdict, *row in _statements().score(checker, part)}
        for name, part in _statements().parts().items()
    }


def _statements():
    sys.path.insert(0, BENCH)
    try:
        return importlib.import_module("statements")
    finally:
        sys.path.remove(BENCH)


@pytest.mark.parametrize("part", ["developed on", "held out", "written later"])
def test_contradictions_are_contradictions(scores, part: str) -> None:
    claims, precision, recall = scores[part]["contradicted"]
    assert claims >= 14
    assert precision >= 0.95
    assert recall >= 0.8


@pytest.mark.parametrize("part", ["developed on", "held out", "written later"])
def test_support_is_found_and_rightly(scores, part: str) -> None:
    claims, precision, recall = scores[part]["supported"]
    assert claims >= 50
    assert precision >= 0.95
    assert recall >= 0.8


def test_what_the_graph_does_not_know_is_unknown(scores) -> None:
    for part in scores.values():
        _, precision, recall = part["unknown"]
        assert precision >= 0.85
        assert recall >= 0.85


def test_there_are_enough_statements_and_none_twice() -> None:
    texts = [
        line.partition(" | ")[0]
        for path in sorted((Path(__file__).parent / "data").glob("statements*.txt"))
        for line in path.read_text(encoding="utf-8").splitlines()
        if not line.startswith("#")
    ]
    assert len(texts) == len(set(texts)) >= 600


def test_nothing_is_contradicted_where_nothing_wrong_is_advised(checker) -> None:
    lines = (Path(__file__).parent / "data/traps.txt").read_text(encoding="utf-8").splitlines()
    traps = [line for line in lines if not line.startswith("#")]
    assert len(traps) >= 55
    wrong = [line for line in traps if any(claim.verdict == "contradicted" for claim in checker.check(line))]
    assert wrong == []
