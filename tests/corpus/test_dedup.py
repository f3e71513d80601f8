"""Nothing removed whose keeper is not like it; nothing alike overlooked."""

import random
from collections.abc import Callable, Iterator
from itertools import combinations
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.dedup import DUPLICATES, Duplicate, comparable, dedup, numbers_of
from corpus.minhash import band_keys, bands_for, code_points, jaccard
from corpus.sets import REJECTS, read_dialogues
from foundation.errors import ZhongjingError
from foundation.rejects import read_rejects

HAN = [chr(code) for code in range(0x4E00, 0x4E00 + 400)]


def grams(text: str) -> set[str]:
    return {text[place : place + 3] for place in range(max(len(text) - 2, 1))}


def brute_jaccard(first: str, second: str) -> float:
    return len(grams(first) & grams(second)) / len(grams(first) | grams(second))


def made_up(seed: int, count: int) -> list[list[str]]:
    """Random dialogues, each with copies edited more and more."""
    lots = random.Random(seed)
    many: list[list[str]] = []
    for _ in range(count):
        turns = ["".join(lots.choices(HAN, k=lots.randint(20, 60))) for _ in range(4)]
        shares = (0.0, *lots.sample([0.01, 0.03, 0.06, 0.1, 0.2], k=2))
        many += [
            ["".join(lots.choice(HAN) if lots.random() < share else c for c in turn) for turn in turns]
            for share in shares
        ]
    lots.shuffle(many)
    return many


def rows_of(folder: Path) -> Iterator[Duplicate]:
    for line in (folder / DUPLICATES).read_bytes().splitlines():
        yield msgspec.json.decode(line, type=Duplicate)


@given(st.text(min_size=1, max_size=60), st.text(min_size=1, max_size=60))
@settings(max_examples=60, deadline=None)
def test_exact_jaccard_is_that_of_sets(first: str, second: str) -> None:
    assert jaccard(code_points([first, second]), 0, 1) == pytest.approx(brute_jaccard(first, second))


def test_bands_find_pairs_at_the_threshold() -> None:
    for threshold in (0.3, 0.5, 0.7, 0.9):
        assert 1 - (1 - threshold**4) ** bands_for(threshold) > 0.997


def test_signatures_agree_as_often_as_texts_are_alike() -> None:
    lots = random.Random(5)
    first = "".join(lots.choices(HAN, k=900))
    second = first[:600] + "".join(lots.choices(HAN, k=300))
    keys = band_keys(code_points([first, second]), bands=2000, rows=1)
    assert np.mean(keys[:, 0] == keys[:, 1]) == pytest.approx(brute_jaccard(first, second), abs=0.04)


@pytest.mark.parametrize("threshold", [0.5, 0.7])
def test_against_brute_force(set_of: Callable[..., Path], tmp_path: Path, threshold: float) -> None:
    source = set_of(*made_up(7, 60))
    texts = {dialogue.id: comparable(dialogue) for dialogue in read_dialogues(source)}
    result = dedup(source, tmp_path / "out", threshold=threshold)
    kept = {dialogue.id for dialogue in read_dialogues(tmp_path / "out")}
    rows = list(rows_of(tmp_path / "out"))
    removed = {row.removed: row for row in rows}
    assert set(texts) - kept == set(removed)
    assert len(rows) == result.rejected["duplicate"] > 40
    for row in rows:
        assert row.keeper in kept
        assert row.similarity == pytest.approx(brute_jaccard(texts[row.removed or ""], texts[row.keeper]), abs=1e-4)
        assert row.similarity >= threshold - 1e-9
    alike = [pair for pair in combinations(sorted(kept), 2) if brute_jaccard(*map(texts.get, pair)) >= threshold]
    assert len(alike) <= 1


def test_a_chain_is_no_star(set_of: Callable[..., Path], tmp_path: Path) -> None:
    """Neighbours in a chain are alike, its ends are not: only what is like the keeper itself goes."""
    lots = random.Random(3)
    text = "".join(lots.choices(HAN, k=400))
    chain = [[text[start : start + 100], text[start + 100 : start + 200]] for start in range(0, 160, 40)]
    source = set_of(*chain)
    dedup(source, tmp_path / "out")
    texts = {dialogue.id: comparable(dialogue) for dialogue in read_dialogues(source)}
    assert all(brute_jaccard(texts[row.removed or ""], texts[row.keeper]) >= 0.5 for row in rows_of(tmp_path / "out"))
    assert len(list(read_dialogues(tmp_path / "out"))) == 2


def test_exact_copies_go_and_the_rejects_name_their_keeper(set_of: Callable[..., Path], tmp_path: Path) -> None:
    turns = ["孩子发烧，怎么办？", "体温多少？"]
    result = dedup(set_of(turns, ["孩子 发烧,怎么办", "体温多少!"], turns), tmp_path / "out")
    assert result.details == {"exact": 2}
    assert [reject.detail for reject in read_rejects(tmp_path / "out" / REJECTS)] == [
        "exact copy of d-0000000000000001"
    ] * 2


LONG = "孩子昨天晚上开始发烧，最高到了三十九度多，精神不太好，也不怎么吃东西，请问医生应该怎么处理才好呢"
ADVICE = "可以先吃退烧药布洛芬混悬液，每次{}毫升，一天不超过四次，多喝温水，如果精神差就要到医院验血"


@pytest.mark.parametrize(("first", "second", "flagged"), [("5", "8", True), ("5", "5", False), ("两", "三", True)])
def test_contradicting_numbers_are_flagged(
    set_of: Callable[..., Path], tmp_path: Path, first: str, second: str, flagged: bool
) -> None:
    result = dedup(set_of([LONG, ADVICE.format(first)], [LONG + "谢谢", ADVICE.format(second)]), tmp_path / "out")
    assert result.details == ({"flagged_for_numbers": 1} if flagged else {"near": 1})
    assert (result.read, result.kept) == (2, 2 if flagged else 1)


def test_a_missing_number_contradicts_nothing(set_of: Callable[..., Path], tmp_path: Path) -> None:
    result = dedup(set_of([LONG, ADVICE.format("5")], [LONG, ADVICE.replace("每次{}毫升，", "")]), tmp_path / "out")
    assert result.details == {"near": 1}


def test_the_better_one_stays(set_of: Callable[..., Path], tmp_path: Path) -> None:
    asked = [LONG, "咳嗽吗？" + ADVICE.format("5")]
    unanswered = [*asked, "好的谢谢"]
    plain = [LONG, "不咳嗽" + ADVICE.format("5")]
    dedup(set_of(unanswered, plain, asked), tmp_path / "out")
    assert [dialogue.id for dialogue in read_dialogues(tmp_path / "out")] == ["d-0000000000000003"]


def test_decimal_points_and_numbers_count(set_of: Callable[..., Path]) -> None:
    one, other = read_dialogues(set_of(["吃1.5mg", "两片，3次"], ["吃15mg", "两片，3次"]))
    assert comparable(one) != comparable(other)
    assert numbers_of(one) == ["1.5", "3", "两"]


@pytest.mark.parametrize("threshold", [0.0, -1.0, 1.5])
def test_a_senseless_threshold_is_refused(set_of: Callable[..., Path], tmp_path: Path, threshold: float) -> None:
    with pytest.raises(ZhongjingError):
        dedup(set_of(["a", "b"]), tmp_path / "out", threshold=threshold)


def test_an_empty_set_is_no_problem(set_of: Callable[..., Path], tmp_path: Path) -> None:
    result = dedup(set_of(), tmp_path / "out")
    assert (result.read, result.kept) == (0, 0)


def test_a_dialogue_is_flagged_once_beside_the_one_it_is_most_like(set_of: Callable[..., Path], tmp_path: Path) -> None:
    """Texts of one template, each with numbers of its own, would else be flagged pair by pair."""
    result = dedup(set_of(*([LONG, ADVICE.format(number)] for number in range(2, 42))), tmp_path / "out")
    assert result.details == {"flagged_for_numbers": 39}
    flagged = [row.flagged for row in rows_of(tmp_path / "out")]
    assert len(set(flagged)) == len(flagged) == 39
