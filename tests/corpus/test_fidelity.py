"""What a rewrite loses, adds or turns round, on pairs labelled by hand: develop.txt made the rules, heldout.txt not."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.rewriting.facts import FactReader
from corpus.rewriting.fidelity import FidelityCheck
from corpus.rewriting.labelled import Score, measure, precision, read_pairs, recall, table
from corpus.rewriting.quantities import quantities
from foundation.errors import ZhongjingError
from kg.building.build import build_graph
from kg.normalise import normalise

PAIRS = Path(__file__).parent / "rewrites"


@pytest.fixture(scope="module")
def check(tmp_path_factory: pytest.TempPathFactory) -> FidelityCheck:
    folder = tmp_path_factory.mktemp("graph") / "kg"
    build_graph([PAIRS / "triples.csv"], folder)
    return FidelityCheck(FactReader(folder))


@pytest.fixture(scope="module")
def scores_of(check: FidelityCheck) -> dict[str, list[Score]]:
    return {half: measure(check, read_pairs(PAIRS / f"{half}.txt")) for half in ("develop", "heldout")}


@pytest.mark.parametrize(
    ("half", "least_recall", "least_precision", "least_faithful"),
    [("develop", 0.98, 0.97, 0.95), ("heldout", 0.92, 0.90, 0.80)],
)
def test_faults_found_and_faithful_rewrites_let_through(
    scores_of: dict[str, list[Score]],
    half: str,
    least_recall: float,
    least_precision: float,
    least_faithful: float,
) -> None:
    scores = scores_of[half]
    print("\n".join([half, *table(scores)]))  # noqa: T201 - shown by pytest -s
    faithful = next(score for score in scores if score.kind == "faithful")
    assert recall(scores) >= least_recall
    assert precision(scores) >= least_precision
    assert 1 - faithful.rejected / faithful.pairs >= least_faithful


@pytest.mark.parametrize("kind", ["quantity", "entity", "negation", "certainty", "advice", "usage", "question"])
def test_no_kind_of_fault_slips_through(scores_of: dict[str, list[Score]], kind: str) -> None:
    for half, least in (("develop", 0.95), ("heldout", 0.7)):
        score = next(score for score in scores_of[half] if score.kind == kind)
        assert score.rejected >= least * score.pairs, half


def test_there_are_enough_pairs_and_none_is_in_both_halves() -> None:
    develop, heldout = (set(read_pairs(PAIRS / f"{half}.txt")) for half in ("develop", "heldout"))
    assert len(develop) + len(heldout) >= 400
    assert not develop & heldout


def test_a_turn_is_faithful_to_itself_and_to_itself_with_courtesies(check: FidelityCheck) -> None:
    for pair in read_pairs(PAIRS / "heldout.txt"):
        assert check.faults(pair.original, pair.original) == []
        assert check.faults(pair.original, f"您好，{pair.original}。祝您早日康复！") == [], pair.original


@given(st.text(max_size=60))
@settings(max_examples=60, deadline=None)
def test_any_text_is_faithful_to_itself(check: FidelityCheck, text: str) -> None:
    assert check.faults(text, text) == []


SAME = [
    ("一天三次，一次两片", "每日3次，每次2片"),
    ("3次/天", "tid"),
    ("0.3g", "300毫克"),
    ("一两片", "1-2片"),
    ("1~2粒", "一到两粒"),
    ("七天", "一周"),
    ("半片", "0.5片"),
    ("一个半月", "1.5个月"),
    ("体温超过38.5℃", "体温38.5度以上"),
    ("不超过4次", "至多四次"),
    ("百分之二十", "20%"),
    ("每隔8小时服用一次", "每8小时一次"),
    ("一天涂两次", "每日涂抹2次"),
    ("0.3g一次", "每次0.3克"),
    ("二十五天", "25日"),
    ("1/2片", "半片"),
    ("1. 多喝水；2. 休息", "多喝水，休息"),
    ("半年", "6个月"),
]
OTHER = [
    ("0.3g", "0.3mg"),
    ("一天三次", "一周三次"),
    ("1片", "2片"),
    ("1-2片", "1-3片"),
    ("38.5度以上", "38.5度以下"),
    ("3天", "3周"),
    ("两片", "两粒"),
    ("150/95", "150/85"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_one_quantity_written_in_two_ways(one: str, other: str) -> None:
    assert keys(one) == keys(other)


@pytest.mark.parametrize(("one", "other"), OTHER)
def test_quantities_that_differ(one: str, other: str) -> None:
    assert keys(one) != keys(other)


@given(st.integers(1, 9999), st.sampled_from(["mg", "ml", "片", "天", "次", "岁", "℃"]))
def test_a_number_with_a_unit_is_one_quantity_where_it_stands(number: int, unit: str) -> None:
    (found,) = quantities(normalise(f"请服{number}{unit}，谢谢").text)
    assert found.low == found.high
    assert str(number) in found.written


def keys(text: str) -> list[str]:
    return [one.key for one in quantities(normalise(text).text)]


def test_a_line_that_is_no_pair_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text("# a comment\nfaithful | 好 | 好\nnonsense | 好 | 好\n", encoding="utf-8")
    with pytest.raises(ZhongjingError, match="no pair") as caught:
        read_pairs(tmp_path / "x.txt")
    assert str(caught.value.where).endswith("x.txt:3")
