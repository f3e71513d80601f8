"""Rankings and preferences as files of others hold them: damaged, tied, repeated, shared between the splits."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.records import Judgement, Message, Preference, RankedPrompt
from foundation.errors import ZhongjingError
from foundation.jsonl import write_records
from training.examples import Pair
from training.preferences import read_preferences
from training.rankings import majorities, read_rankings, without_expert


def write(path: Path, *lines: Any) -> Path:
    path.write_text("".join(line if isinstance(line, str) else json.dumps(line) + "\n" for line in lines), "utf-8")
    return path


def test_pairs_are_the_strict_majorities(tmp_path: Path, make_ranked: Callable[..., RankedPrompt]) -> None:
    ranked = make_ranked(1, ["a", "b", "c", "d"], [[3], [1], [0, 2]], "train")
    names = [response.output_id for response in ranked.responses]
    margins = {f"{names[3]}>{names[1]}": 1.0, f"{names[1]}>{names[0]}": 0.5, f"{names[2]}>{names[3]}": -0.25}
    told = msgspec.structs.replace(ranked, consensus=msgspec.structs.replace(ranked.consensus, margins=margins))
    write_records(tmp_path / "r.jsonl", [told])
    found = read_rankings(tmp_path / "r.jsonl").train[0]
    assert found.pairs == [Pair(1, 0, 0.5), Pair(3, 1, 1.0), Pair(3, 2, 0.25)]
    assert found.tiers == [2, 1, 2, 0]


def test_without_margins_the_tiers_speak(tmp_path: Path, make_ranked: Callable[..., RankedPrompt]) -> None:
    ranked = make_ranked(1, ["a", "b", "c"], [[2], [0, 1]], "train")
    bare = msgspec.structs.replace(ranked, consensus=msgspec.structs.replace(ranked.consensus, margins={}))
    write_records(tmp_path / "r.jsonl", [bare])
    assert read_rankings(tmp_path / "r.jsonl").train[0].pairs == [Pair(2, 0), Pair(2, 1)]


def test_rows_that_teach_nothing_are_left_out_with_their_lines(
    tmp_path: Path, make_ranked: Callable[..., RankedPrompt], make_separable: Callable[..., RankedPrompt]
) -> None:
    good = json.loads(msgspec.json.encode(make_separable(1, "train")))
    role = json.loads(msgspec.json.encode(make_separable(4, "train")))
    role["prompt"][0]["role"] = "doctor"
    unranked = json.loads(msgspec.json.encode(make_separable(5, "train")))
    unranked["consensus"]["tiers"] = unranked["consensus"]["tiers"][1:]
    margin = json.loads(msgspec.json.encode(make_separable(6, "train")))
    margin["consensus"]["margins"]["x>y"] = 0.5
    one = json.loads(msgspec.json.encode(make_ranked(2, ["a"], [[0]], "train")))
    tied = json.loads(msgspec.json.encode(make_ranked(3, ["a", "b"], [[0, 1]], "train")))
    path = write(tmp_path / "r.jsonl", good, one, tied, role, "{nonsense\n", unranked, margin, "\n", good)
    found = read_rankings(path)
    assert [example.prompt_id for example in found.train] == ["p-1"]
    assert [(reject.line, reject.reason) for reject in found.rejects] == [
        (2, "one_answer"),
        (3, "all_tied"),
        (4, "bad_row"),
        (5, "bad_json"),
        (6, "bad_order"),
        (7, "bad_margin"),
        (9, "repeated"),
    ]
    assert "role" in found.rejects[2].detail
    assert not [reject for reject in found.rejects if "头痛" in reject.detail or "咳嗽" in reject.detail]


def test_nothing_left_says_the_first_fault(tmp_path: Path) -> None:
    with pytest.raises(ZhongjingError, match=r"r\.jsonl:1.*no training prompt"):
        read_rankings(write(tmp_path / "r.jsonl", {"prompt": [], "chosen": [], "rejected": []}))
    with pytest.raises(ZhongjingError, match="no training prompt"):
        read_rankings(write(tmp_path / "r.jsonl", ""))


@pytest.mark.parametrize("change", ["prompt_id", "dialogue_id", "prompt"])
def test_a_shared_prompt_or_dialogue_is_refused(
    tmp_path: Path, change: str, make_separable: Callable[..., RankedPrompt]
) -> None:
    first, second = make_separable(1, "train"), make_separable(2, "test")
    write_records(tmp_path / "r.jsonl", [first, msgspec.structs.replace(second, **{change: getattr(first, change)})])
    if change == "prompt_id":
        assert read_rankings(tmp_path / "r.jsonl").reasons == {"repeated": 1}
        return
    with pytest.raises(ZhongjingError, match=r"r\.jsonl:2.*is in train \(line 1\) and in test"):
        read_rankings(tmp_path / "r.jsonl")


orders = st.lists(st.lists(st.integers(0, 3), min_size=4, max_size=4), min_size=1, max_size=6)


@given(orders)
def test_majorities_count_votes(votes: list[list[int]]) -> None:
    found = {(pair.better, pair.worse): pair.margin for pair in majorities(votes)}
    for one in range(4):
        for other in range(4):
            wins = sum(order[one] < order[other] for order in votes)
            losses = sum(order[one] > order[other] for order in votes)
            expected = (wins - losses) / len(votes) if wins > losses else None
            assert found.get((one, other)) == (pytest.approx(expected) if expected else None)


def test_without_an_expert_the_others_decide(tmp_path: Path, make_ranked: Callable[..., RankedPrompt]) -> None:
    ranked = make_ranked(1, ["a", "b"], [[0], [1]], "train")
    names = [response.output_id for response in ranked.responses]
    judged = [
        Judgement(expert=expert, dimension="overall", tiers=tiers, seconds=1.0, guideline_version="1")
        for expert, tiers in (("A", [[names[0]], [names[1]]]), ("B", [[names[1]], [names[0]]]), ("C", [names]))
    ]
    told = msgspec.structs.replace(ranked, judgements=judged)
    write_records(tmp_path / "r.jsonl", [told])
    examples = read_rankings(tmp_path / "r.jsonl").train
    assert without_expert(examples, "A")[0].pairs == [Pair(1, 0, 0.5)]
    assert without_expert(examples, "B")[0].pairs == [Pair(0, 1, 0.5)]
    assert without_expert(examples, "C") == []
    senior = [msgspec.structs.replace(example, adjudicated=True) for example in examples]
    assert without_expert(senior, "C")[0].pairs == [Pair(0, 1, 0.5)]


def preference(number: int, better: str, worse: str, split: str = "train", **changes: Any) -> Preference:
    told = Preference(
        prompt=[Message("user", f"问题{number}")],
        chosen=[Message("assistant", better)],
        rejected=[Message("assistant", worse)],
        margin=0.5,
        weight=0.5,
        prompt_id=f"p-{number}",
        pair_id=f"{number}-{better}-{worse}",
        split=split,  # type: ignore[arg-type]
    )
    return msgspec.structs.replace(told, **changes)


def test_preferences_are_gathered_by_prompt(tmp_path: Path) -> None:
    rows = [preference(1, "a", "b"), preference(2, "x", "y", "test"), preference(1, "a", "c"), preference(1, "b", "c")]
    write_records(tmp_path / "p.jsonl", rows)
    found = read_preferences(tmp_path / "p.jsonl")
    assert found.train[0].answers == ["a", "b", "c"]
    assert {(pair.better, pair.worse, pair.margin) for pair in found.train[0].pairs} == {
        (0, 1, 0.5),
        (0, 2, 0.5),
        (1, 2, 0.5),
    }
    assert found.train[0].tiers == [0, 1, 2]
    assert [example.prompt_id for example in found.test] == ["p-2"]


def test_pairs_of_no_order_have_no_tiers(tmp_path: Path) -> None:
    write_records(tmp_path / "p.jsonl", [preference(1, "a", "b"), preference(1, "c", "d")])
    assert read_preferences(tmp_path / "p.jsonl").train[0].tiers is None


def test_preferences_of_others_need_three_fields(tmp_path: Path) -> None:
    bare = [
        {"prompt": [{"role": "user", "content": "q"}], "chosen": [turn("a")], "rejected": [turn(text)]} for text in "bc"
    ]
    found = read_preferences(write(tmp_path / "p.jsonl", *bare))
    assert len(found.train) == 1 and len(found.train[0].pairs) == 2 and found.test == []


def turn(text: str, role: str = "assistant") -> dict[str, str]:
    return {"role": role, "content": text}


def test_damaged_preferences_are_left_out_and_shared_ones_refused(tmp_path: Path) -> None:
    good = json.loads(msgspec.json.encode(preference(1, "a", "b")))
    bad = [
        good | {"chosen": [turn("a"), turn("b")]},
        good | {"rejected": [turn("b", "user")]},
        good | {"rejected": [turn("b", "nurse")]},
        good | {"rejected": [turn("a")]},
        good | {"margin": 2},
        good | {"prompt": [turn("other", "user")]},
        good,
    ]
    found = read_preferences(write(tmp_path / "p.jsonl", good, *bad))
    assert [(reject.line, reject.reason) for reject in found.rejects] == [
        (2, "bad_row"),
        (3, "bad_row"),
        (4, "bad_row"),
        (5, "same_answer"),
        (6, "bad_row"),
        (7, "other_prompt"),
        (8, "repeated"),
    ]
    with pytest.raises(ZhongjingError, match=r"p\.jsonl:2.*prompt_id is in train"):
        read_preferences(write(tmp_path / "p.jsonl", good, good | {"split": "test"}))
