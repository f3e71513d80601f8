"""The hand-written statements: how many claims are drawn, and how many of them rightly."""

import sys
from pathlib import Path

import pytest

BENCH = str(Path(__file__).parents[2] / "bench")


@pytest.fixture(scope="module")
def scores(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, tuple[int, float, float]]]:
    sys.path.insert(0, BENCH)
    import statements

    sys.path.remove(BENCH)
    checker = statements.clinic(tmp_path_factory.mktemp("clinic") / "kg")
    return {
        name: {verdict: row for verdict, *row in statements.score(checker, part)}
        for name, part in statements.halves().items()
    }


@pytest.mark.parametrize("half", ["develop", "held out"])
def test_contradictions_are_contradictions(scores, half: str) -> None:
    claims, precision, recall = scores[half]["contradicted"]
    assert claims >= 20
    assert precision >= 0.95
    assert recall >= 0.9


@pytest.mark.parametrize("half", ["develop", "held out"])
def test_support_is_found_and_rightly(scores, half: str) -> None:
    claims, precision, recall = scores[half]["supported"]
    assert claims >= 90
    assert precision >= 0.95
    assert recall >= 0.9


@pytest.mark.parametrize("half", ["develop", "held out"])
def test_what_the_graph_does_not_know_is_unknown(scores, half: str) -> None:
    _, precision, recall = scores[half]["unknown"]
    assert precision >= 0.85
    assert recall >= 0.85
