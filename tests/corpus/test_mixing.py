"""Mixes of four kinds: shares, caps, shortages said and handled, the same bytes, rows that TRL reads."""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from corpus.mixing.mix import CARD, ROWS, mix
from corpus.mixing.shares import allot, apportion
from corpus.records import Dialogue
from foundation.errors import ZhongjingError
from foundation.manifest import read_manifest
from foundation.rejects import read_rejects


def single(number: int) -> list[str]:
    return [f"头疼{number}天怎么办", f"休息{number}天"]


def multi(number: int) -> list[str]:
    return [*single(number), "还要吃药吗", f"吃{number}片", "谢谢"]


def conversation(asked: str, answered: str) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": asked}, {"role": "assistant", "content": answered}]}


@pytest.fixture
def sources(tmp_path: Path, make_dialogue: Callable[..., Dialogue], make_set: Callable[..., Path]) -> Path:
    """Two sets and two raw files, and a folder to put recipes in."""
    make_set(tmp_path / "visits", [make_dialogue(multi(number), number=number) for number in range(1, 31)])
    make_set(tmp_path / "answers", [make_dialogue(single(number), number=number) for number in range(1, 21)])
    tasks = [{"instruction": "抽取疾病", "input": f"患者得了病{n}", "output": f"病{n}"} for n in range(40)]
    (tmp_path / "tasks.json").write_text(json.dumps(tasks, ensure_ascii=False), encoding="utf-8")
    talk = [conversation(f"说说第{n}天", f"好{n}") for n in range(50)]
    (tmp_path / "talk.jsonl").write_text("".join(json.dumps(row) + "\n" for row in talk), encoding="utf-8")
    return tmp_path


def recipe(folder: Path, shares: dict[str, float] | None = None, **options: Any) -> Path:
    places = {"single-turn": "answers", "multi-turn": "visits", "nlp-task": "tasks.json", "general": "talk.jsonl"}
    shares = shares or {"single-turn": 0.2, "multi-turn": 0.4, "nlp-task": 0.2, "general": 0.2}
    kinds = {kind: {"share": share, "sources": [{"path": places[kind]}]} for kind, share in shares.items()}
    for kind, more in options.pop("kinds", {}).items():
        kinds[kind] |= more
    path = folder / "mix.yaml"
    path.write_text(yaml.safe_dump({"kinds": kinds, **options}, sort_keys=False), encoding="utf-8")
    return path


def rows(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / ROWS).read_text(encoding="utf-8").splitlines()]


def test_shares_kinds_and_provenance(sources: Path) -> None:
    mixed = mix(recipe(sources, rows=50), sources / "out")
    found = rows(sources / "out")
    assert Counter(row["kind"] for row in found) == {"single-turn": 10, "multi-turn": 20, "nlp-task": 10, "general": 10}
    assert Counter(row["source"] for row in found) == {"answers": 10, "visits": 20, "tasks": 10, "talk": 10}
    assert mixed.rows == 50
    for row in found:
        roles = [message["role"] for message in row["messages"]]
        assert roles == ["user", "assistant"] * (2 if row["kind"] == "multi-turn" else 1)
        assert row["dialogue_id"]
        assert row["line"] >= 1
    kinds = [row["kind"] for row in found]
    assert kinds != sorted(kinds)
    manifest = read_manifest(sources / "out", "sft-mix")
    assert [entry.name for entry in manifest.inputs] == ["answers", "visits", "tasks", "talk"]
    assert manifest.inputs[0].sha256 == read_manifest(sources / "answers").sha256
    card = (sources / "out" / CARD).read_text(encoding="utf-8")
    assert "| multi-turn | 40.0% | 20 | 30 |  | 20 | 0 |" in card
    assert str(sources) not in card + (sources / "out" / "manifest.json").read_text()


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(sources: Path) -> None:
    path = recipe(sources, rows=20)
    for name in ("one", "two"):
        mix(path, sources / name / "out")
    files = sorted(file.name for file in (sources / "one" / "out").iterdir())
    assert len(files) == 4
    for file in files:
        assert (sources / "one" / "out" / file).read_bytes() == (sources / "two" / "out" / file).read_bytes()
    mix(recipe(sources, rows=20, seed=1), sources / "three" / "out")
    drawn = [{row["dialogue_id"] for row in rows(sources / name / "out")} for name in ("one", "three")]
    assert drawn[0] != drawn[1]


def test_without_rows_the_scarcest_kind_decides(sources: Path) -> None:
    mixed = mix(recipe(sources), sources / "out")
    assert {one.kind: one.taken for one in mixed.kinds} == {
        "single-turn": 15, "multi-turn": 30, "nlp-task": 15, "general": 15,
    }  # fmt: skip


def test_a_shortage_is_refused_with_its_numbers_and_nothing_is_left(sources: Path) -> None:
    with pytest.raises(ZhongjingError, match="multi-turn: 80 wanted, 30 there, 50 short") as caught:
        mix(recipe(sources, rows=200), sources / "out")
    assert "single-turn: 40 wanted, 20 there" in str(caught.value)
    assert "shortfall: shrink" in str(caught.value)
    assert not (sources / "out").exists()


def test_a_shortage_shrinks_the_whole_or_is_filled_by_others(sources: Path) -> None:
    shrunk = mix(recipe(sources, rows=200, shortfall="shrink"), sources / "shrunk")
    assert {one.kind: one.taken for one in shrunk.kinds}["multi-turn"] == 30
    assert shrunk.rows == 75
    filled = mix(recipe(sources, rows=100, shortfall="fill"), sources / "filled")
    assert filled.rows == 100
    taken = {one.kind: one.taken for one in filled.kinds}
    assert taken == {"single-turn": 20, "multi-turn": 30, "nlp-task": 25, "general": 25}
    assert [one.short for one in filled.kinds] == [0, 10, 0, 0]
    assert "multi-turn: 40 wanted, 30 there, 10 short; 30 taken" in list(filled.lines())
    assert list(shrunk.lines())[-1] == "mix: 75 rows of 200 asked for"


def test_caps_of_kinds_and_sources(sources: Path) -> None:
    path = recipe(
        sources,
        {"single-turn": 0.5, "general": 0.5},
        kinds={"single-turn": {"cap": 5}, "general": {"sources": [{"path": "talk.jsonl", "cap": 7, "name": "chat"}]}},
        rows=12,
        shortfall="fill",
    )
    mixed = mix(path, sources / "out")
    assert mixed.sources == {"answers": 5, "chat": 7}


def test_what_does_not_fit_is_left_out_with_a_reason(
    sources: Path, make_dialogue: Callable[..., Dialogue], make_set: Callable[..., Path]
) -> None:
    odd = [multi(1), single(1), single(1), ["在吗"], single(2)]
    make_set(sources / "answers", [make_dialogue(turns, number=number) for number, turns in enumerate(odd, start=1)])
    lines = ['{"messages": [{"role": "user", "con', json.dumps(conversation("说说", "好"))]
    (sources / "talk.jsonl").write_text("\n".join(lines), encoding="utf-8")
    mixed = mix(recipe(sources, {"single-turn": 0.5, "general": 0.5}), sources / "out")
    reasons = Counter(reject.reason for reject in read_rejects(sources / "out" / "rejects.jsonl"))
    assert reasons == mixed.rejected
    assert {reasons[name] for name in ("not_single_turn", "same_conversation", "no_answer")} == {1}
    assert sum(reasons.values()) == 4
    assert mixed.rows == 2


def test_a_system_turn_is_set(sources: Path) -> None:
    path = recipe(sources, {"nlp-task": 1.0}, kinds={"nlp-task": {"system": "你是医学信息抽取助手"}}, rows=3)
    mix(path, sources / "out")
    assert {row["messages"][0]["content"] for row in rows(sources / "out")} == {"你是医学信息抽取助手"}
    assert {row["messages"][0]["role"] for row in rows(sources / "out")} == {"system"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"shares": {"single-turn": 0.5, "general": 0.6}}, "add up to 1.1"),
        ({"shares": {"single-turn": 1.5}}, "share"),
        ({"rows": 0}, "rows"),
        ({"shortfall": "pray"}, "shortfall"),
        ({"colour": "blue"}, "colour"),
        ({"kinds": {"general": {"sources": []}}}, "sources"),
        ({"kinds": {"general": {"sources": [{"path": "nowhere.jsonl"}]}}}, "no such file"),
    ],
)
def test_a_wrong_recipe_is_named(sources: Path, change: dict[str, Any], message: str) -> None:
    with pytest.raises(ZhongjingError, match=message):
        mix(recipe(sources, **change), sources / "out")
    assert not (sources / "out").exists()


def test_an_unknown_kind_is_named(sources: Path) -> None:
    path = recipe(sources)
    path.write_text(path.read_text().replace("nlp-task", "poetry"), encoding="utf-8")
    with pytest.raises(ZhongjingError, match="poetry"):
        mix(path, sources / "out")


def test_a_kind_without_any_row_is_said(sources: Path) -> None:
    path = recipe(sources, {"multi-turn": 1.0}, kinds={"multi-turn": {"sources": [{"path": "answers"}]}})
    with pytest.raises(ZhongjingError, match="multi-turn: 0 wanted, 0 there"):
        mix(path, sources / "out")


def test_a_folder_of_something_else_is_not_replaced(sources: Path) -> None:
    with pytest.raises(ZhongjingError):
        mix(recipe(sources, rows=10), sources / "visits")
    assert (sources / "visits" / "dialogues.parquet").is_file()


def test_datasets_loads_the_folder_by_its_card(sources: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from datasets import load_dataset

    mix(recipe(sources, rows=20), sources / "out")
    loaded = load_dataset(str(sources / "out"), split="train", cache_dir=str(sources / "cache"))
    assert len(loaded) == 20
    assert loaded[0]["messages"] == rows(sources / "out")[0]["messages"]


KINDS = st.dictionaries(st.sampled_from("abcd"), st.floats(0.01, 1), min_size=1)


@given(KINDS, st.integers(0, 5_000))
def test_largest_remainders_add_up_and_are_never_off_by_one(shares: dict[str, float], total: int) -> None:
    parts = apportion(shares, total)
    assert sum(parts.values()) == total
    for kind, count in parts.items():
        assert abs(count - total * shares[kind] / sum(shares.values())) < 1


@given(KINDS, st.lists(st.integers(1, 300), min_size=4, max_size=4), st.integers(1, 800))
def test_filling_takes_all_that_can_be_had_and_shrinking_keeps_the_shares(
    shares: dict[str, float], sizes: list[int], total: int
) -> None:
    there = dict(zip("abcd", sizes, strict=True))
    filled = allot(shares, there, {}, total, "fill")
    usable = sum(there[kind] for kind in shares)
    assert sum(one.taken for one in filled) == min(total, usable)
    assert all(one.taken <= one.there for one in filled)
    try:
        shrunk = allot(shares, there, {}, total, "shrink")
    except ZhongjingError:
        return
    together = sum(one.taken for one in shrunk)
    assert together <= total
    for one in shrunk:
        assert abs(one.taken - together * one.share / sum(shares.values())) < 1
