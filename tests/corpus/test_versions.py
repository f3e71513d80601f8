"""Versions: frozen once, numbered, described, loadable; and the prompts drawn from them."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.filters import filter_dialogues
from corpus.records import Prompt
from corpus.sampling import cut, draw, sample_prompts
from corpus.sets import DIALOGUES, REJECTS, read_dialogues, stages_of
from corpus.turns import asks
from corpus.versions import freeze
from foundation.errors import ZhongjingError
from foundation.jsonl import read_records
from foundation.manifest import read_manifest

CONSULTATION = ["孩子发烧两天了，怎么办？", "体温多少？", "39度", "吃布洛芬，多喝水。", "好的，谢谢医生", "不客气"]


def test_a_version_is_numbered_described_and_reused(set_of: Callable[..., Path], tmp_path: Path) -> None:
    source = tmp_path / "filtered"
    filter_dialogues(set_of(CONSULTATION, ["谢谢", "不客气"]), source)
    versions = tmp_path / "versions"
    first = freeze(source, versions, "care")
    again = freeze(source, versions, "care")
    assert (first.details["version"], first.reused) == ("care-v1", False)
    assert (again.details["version"], again.reused) == ("care-v1", True)
    folder = versions / "care-v1"
    assert {file.name for file in folder.iterdir()} == {DIALOGUES, REJECTS, "manifest.json", "README.md"}
    manifest = read_manifest(folder, "dataset-version")
    assert manifest.counts["departments"] == {"unknown": 1}
    assert manifest.counts["left_out"] == {"filter: goodbye_only": 1}
    assert [stage.stage for stage in stages_of(folder)] == ["import", "filter"]
    card = (folder / "README.md").read_text()
    assert "# care-v1" in card
    assert "goodbye_only" in card
    assert "发烧" not in card


def test_new_content_gets_the_next_number_and_old_versions_stay(set_of: Callable[..., Path], tmp_path: Path) -> None:
    versions = tmp_path / "versions"
    freeze(set_of(CONSULTATION, name="one"), versions, "care")
    before = (versions / "care-v1" / DIALOGUES).read_bytes()
    freeze(set_of(CONSULTATION, CONSULTATION, name="two"), versions, "care", parents=["care-v1"])
    assert (versions / "care-v1" / DIALOGUES).read_bytes() == before
    assert read_manifest(versions / "care-v2").parameters == {"parents": ["care-v1"]}


@pytest.mark.parametrize("name", ["", "../up", "a/b", ".hidden", "a..b"])
def test_a_name_that_is_no_name_is_refused(set_of: Callable[..., Path], tmp_path: Path, name: str) -> None:
    with pytest.raises(ZhongjingError):
        freeze(set_of(CONSULTATION), tmp_path / "versions", name)


def test_only_a_dialogue_set_can_be_frozen(set_of: Callable[..., Path], tmp_path: Path) -> None:
    freeze(set_of(CONSULTATION), tmp_path / "versions", "care")
    with pytest.raises(ZhongjingError, match="dataset-version"):
        freeze(tmp_path / "versions" / "care-v1", tmp_path / "versions", "care")
    with pytest.raises(ZhongjingError, match="no such folder"):
        freeze(tmp_path / "missing", tmp_path / "versions", "care")


def test_datasets_loads_a_version(set_of: Callable[..., Path], tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    freeze(set_of(CONSULTATION), tmp_path / "versions", "care")
    file = str(tmp_path / "versions" / "care-v1" / DIALOGUES)
    loaded = datasets.load_dataset("parquet", data_files=file, split="train", cache_dir=str(tmp_path / "cache"))
    assert [turn["content"] for turn in loaded[0]["messages"]] == CONSULTATION
    assert loaded[0]["meta"]["file"] == "made-up.jsonl"


def prompts_of(path: Path) -> list[Prompt]:
    return list(read_records(path, Prompt))


def test_prompts_end_on_a_turn_that_asks(set_of: Callable[..., Path], tmp_path: Path) -> None:
    result = sample_prompts(
        set_of(CONSULTATION, ["谢谢", "不客气"], ["头疼"], name="care"), tmp_path / "p.jsonl", count=9, seed=1
    )
    first, second = prompts_of(tmp_path / "p.jsonl")
    assert [message.content for message in first.messages] == CONSULTATION[:1]
    assert (first.reference, second.reference) == ("体温多少？", None)
    assert (first.dialogue_id, first.dataset_version) == ("d-0000000000000001", "care")
    assert result.rejected == {"no_asking_turn": 1}
    assert (result.read, result.kept, result.details["short_of_the_count_asked_for"]) == (3, 2, 7)


def test_the_last_asking_turn_is_the_cut(set_of: Callable[..., Path]) -> None:
    dialogue = next(
        read_dialogues(set_of(["疼三天", "哪里疼？", "肚子疼，吃什么药？", "[MASK]", "好的谢谢", "不客气"]))
    )
    assert cut(dialogue.messages) == 3


def test_only_the_requested_rows(set_of: Callable[..., Path], tmp_path: Path) -> None:
    source = set_of(CONSULTATION, CONSULTATION)
    with pytest.raises(ZhongjingError):
        sample_prompts(source, tmp_path / "p.jsonl", count=2, seed=1, raw_ids={"other"})
    assert not (tmp_path / "p.jsonl").exists()


def test_a_seed_draws_the_same_and_another_seed_others(set_of: Callable[..., Path], tmp_path: Path) -> None:
    source = set_of(*([f"头疼{'很' * n}怎么办？", "休息"] for n in range(40)))
    drawn = []
    for number, seed in enumerate((1, 1, 2)):
        result = sample_prompts(source, tmp_path / f"{number}.jsonl", count=10, seed=seed)
        assert (result.read, result.kept, result.rejected) == (40, 10, {"not_drawn": 30})
        drawn.append((tmp_path / f"{number}.jsonl").read_bytes())
    assert drawn[0] == drawn[1] != drawn[2]
    assert all(asks(prompt.messages[-1].content) for prompt in prompts_of(tmp_path / "0.jsonl"))


SIZES = st.dictionaries(st.sampled_from("abcdefgh"), st.integers(1, 50), min_size=1)


@given(SIZES, st.integers(1, 120), st.integers(0, 9))
def test_draws_are_in_proportion(sizes: dict[str, int], count: int, seed: int) -> None:
    groups = {name: [f"{name}{number}" for number in range(size)] for name, size in sizes.items()}
    drawn = Counter(identity[0] for identity in draw(groups, count, seed))
    total = sum(sizes.values())
    assert sum(drawn.values()) == min(count, total)
    first = 1 if min(count, total) >= len(sizes) else 0
    for name, size in sizes.items():
        rest = (min(count, total) - first * len(sizes)) * (size - first) / max(total - first * len(sizes), 1)
        assert drawn[name] <= size
        assert abs(drawn[name] - first - rest) < 1
