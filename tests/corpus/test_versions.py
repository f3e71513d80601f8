"""Versions: frozen once, numbered, described, loadable; and the prompts drawn from them."""

import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.deduplication.signatures import SIGNATURES
from corpus.filters import FilterOptions, filter_dialogues
from corpus.records import Dialogue, Message, Prompt, Rewriting
from corpus.sampling import cut, draw, even_shares, sample_prompts, shares_of
from corpus.sets import DIALOGUES, REJECTS, read_dialogues, stages_of
from corpus.turns import asks
from corpus.versioning.diff import GONE, diff
from corpus.versioning.origins import read_origins
from corpus.versioning.versions import freeze, read_card
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
    files = {DIALOGUES, REJECTS, SIGNATURES, "manifest.json", "README.md", "dataset_dict.json", "train"}
    assert {file.name for file in folder.iterdir()} == files
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
    assert read_manifest(versions / "care-v2").parameters == {
        "parents": ["care-v1"],
        "origins": {},
        "steps": {"import": {}},
    }


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


@pytest.mark.parametrize("count", [1, 2_500])
def test_datasets_loads_a_version_either_way(set_of: Callable[..., Path], tmp_path: Path, count: int) -> None:
    import datasets

    freeze(set_of(*[CONSULTATION] * count), tmp_path / "versions", "care")
    folder = str(tmp_path / "versions" / "care-v1")
    mapped = datasets.load_from_disk(folder)["train"]
    read = datasets.load_dataset(folder, split="train", cache_dir=str(tmp_path / "cache"))
    assert len(mapped) == len(read) == count
    assert mapped.features == read.features
    assert mapped.to_list() == read.to_list()
    for row in mapped:
        assert [turn["content"] for turn in row["messages"]] == CONSULTATION
        assert row["meta"]["file"] == "made-up.jsonl"


ORIGINS = "made-up: {licence: MIT, consent: asked and given, note: none}\n"


def test_licence_and_consent_are_on_the_card_and_unknown_where_nobody_said(
    set_of: Callable[..., Path], make_dialogue: Callable[..., Dialogue], tmp_path: Path
) -> None:
    other = msgspec.structs.replace(make_dialogue(CONSULTATION, number=2), source="elsewhere")
    source = set_of(make_dialogue(CONSULTATION), other)
    (tmp_path / "origins.yaml").write_text(ORIGINS)
    freeze(source, tmp_path / "versions", "care", origins=read_origins(tmp_path / "origins.yaml"))
    card = read_card(tmp_path / "versions" / "care-v1")
    assert "| made-up | 1 | MIT | asked and given | none |" in card
    assert "| elsewhere | 1 | unknown | unknown |  |" in card
    assert "| 6 | 2 |" in card
    assert "license: other" in card
    again = freeze(source, tmp_path / "versions", "care")
    assert again.details["version"] == "care-v2"


@pytest.mark.parametrize("text", ["made-up: {license: MIT}", "- MIT", "a: [", "made-up: MIT"])
def test_origins_that_say_something_else_are_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "origins.yaml").write_text(text)
    with pytest.raises(ZhongjingError, match=r"origins\.yaml"):
        read_origins(tmp_path / "origins.yaml")


def test_a_changed_file_of_a_version_is_noticed(set_of: Callable[..., Path], tmp_path: Path) -> None:
    freeze(set_of(CONSULTATION), tmp_path / "versions", "care")
    version = tmp_path / "versions" / "care-v1"
    assert read_card(version).startswith("---\nlanguage: zh\nlicense: unknown\n")
    (version / REJECTS).write_text("{}\n")
    with pytest.raises(ZhongjingError, match="not as it was frozen"):
        read_card(version)


KILLED = """
import os, signal, sys
from pathlib import Path
import corpus.versioning.versions
corpus.versioning.versions.write_for_datasets = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
corpus.versioning.versions.freeze(Path(sys.argv[1]), Path(sys.argv[2]), "care", parents=["care-v1"])
"""


def test_killed_while_freezing_the_old_version_stands(set_of: Callable[..., Path], tmp_path: Path) -> None:
    source, versions = set_of(CONSULTATION), tmp_path / "versions"
    freeze(source, versions, "care")
    before = read_card(versions / "care-v1")
    done = subprocess.run([sys.executable, "-c", KILLED, source, versions])
    assert done.returncode == -signal.SIGKILL
    assert [folder.name for folder in versions.iterdir() if not folder.name.startswith(".")] == ["care-v1"]
    assert read_card(versions / "care-v1") == before
    assert freeze(source, versions, "care", parents=["care-v1"]).details["version"] == "care-v2"


def test_a_full_disk_leaves_no_version(
    set_of: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, versions = set_of(CONSULTATION), tmp_path / "versions"
    freeze(source, versions, "care")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("corpus.versioning.versions.write_for_datasets", full)
    with pytest.raises(ZhongjingError, match="disk is full"):
        freeze(source, versions, "care", parents=["care-v1"])
    assert [folder.name for folder in versions.iterdir()] == ["care-v1"]


def test_what_changed_between_versions(set_of: Callable[..., Path], tmp_path: Path) -> None:
    many = [[f"{text}{number}" for text in CONSULTATION] for number in range(4)]
    first = list(read_dialogues(set_of(*many)))
    changed = msgspec.structs.replace(first[1], department="内科")
    new = msgspec.structs.replace(first[3], id="d-new", department="儿科")
    filter_dialogues(set_of(*first[:3], name="a"), tmp_path / "b")
    thanks = msgspec.structs.replace(first[2], messages=[Message("user", "谢谢"), Message("assistant", "好")])
    filter_dialogues(set_of(changed, thanks, new, name="c"), tmp_path / "d")
    for folder in ("b", "d"):
        freeze(tmp_path / folder, tmp_path / "versions", "care")
    found = diff(tmp_path / "versions" / "care-v1", tmp_path / "versions" / "care-v2")
    assert (found.added, found.removed) == (["d-new"], [first[0].id, first[2].id])
    assert found.changed == {first[1].id: ["department"]}
    assert found.reasons == {GONE: 1, "filter: goodbye_only": 1}
    assert found.added_departments == {"儿科": 1}
    assert list(found.lines()) == [
        "care-v1 -> care-v2: 3 -> 2 dialogues",
        "added 1: 儿科 1",
        "removed 2: unknown 2",
        "  why: not among what was read 1, filter: goodbye_only 1",
        "changed 1: department 1",
    ]
    same = diff(tmp_path / "versions" / "care-v1", tmp_path / "versions" / "care-v1")
    assert (same.added, same.removed, same.changed, same.parameters) == ([], [], {}, {})


def test_a_change_of_any_field_and_the_step_that_differs_are_said(set_of: Callable[..., Path], tmp_path: Path) -> None:
    (dialogue,) = read_dialogues(set_of(CONSULTATION))
    kept = msgspec.structs.replace(dialogue, rewriting=Rewriting(kept=[1]))
    filter_dialogues(set_of(dialogue, name="a"), tmp_path / "b")
    filter_dialogues(set_of(kept, name="c"), tmp_path / "d", options=FilterOptions(min_chars=9))
    for folder in ("b", "d"):
        freeze(tmp_path / folder, tmp_path / "versions", "care")
    found = diff(tmp_path / "versions" / "care-v1", tmp_path / "versions" / "care-v2")
    assert found.changed == {dialogue.id: ["rewriting"]}
    assert list(found.parameters) == ["step filter"]


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
    drawn = Counter(identity[0] for identity in draw(groups, shares_of(sizes, count), seed))
    total = sum(sizes.values())
    assert sum(drawn.values()) == min(count, total)
    first = 1 if min(count, total) >= len(sizes) else 0
    for name, size in sizes.items():
        rest = (min(count, total) - first * len(sizes)) * (size - first) / max(total - first * len(sizes), 1)
        assert drawn[name] <= size
        assert abs(drawn[name] - first - rest) < 1


@given(SIZES, st.integers(1, 300))
def test_even_shares_differ_only_for_want_of_dialogues(sizes: dict[str, int], count: int) -> None:
    shares = even_shares(sizes, count)
    assert sum(shares.values()) == min(count, sum(sizes.values()))
    most = max(shares.values())
    for name, size in sizes.items():
        assert shares[name] == size or shares[name] >= most - 1
        assert shares[name] <= size


def test_departments_with_too_few_are_said(
    set_of: Callable[..., Path], make_dialogue: Callable[..., Dialogue], tmp_path: Path
) -> None:
    dialogues = [
        make_dialogue([f"头疼{'很' * number}怎么办？", "休息"], number=number, department=department)
        for number, department in enumerate([*["内科"] * 9, *["外科"] * 6, "儿科", None])
    ]
    thanks = make_dialogue(["谢谢", "不客气"], number=99, department="男科")
    result = sample_prompts(set_of(*dialogues, thanks), tmp_path / "p.jsonl", count=12, seed=1)
    drawn = Counter(prompt.department for prompt in prompts_of(tmp_path / "p.jsonl"))
    assert drawn == {"内科": 5, "外科": 5, "儿科": 1, None: 1}
    assert result.details["fewer_than_the_5_of_others"] == "儿科 1, unknown 1"
    assert "男科" in str(result.details["nobody_asks_in"])
    assert "内科" not in str(result.details["nobody_asks_in"])
    even = sample_prompts(set_of(*dialogues, name="b"), tmp_path / "q.jsonl", count=9, seed=1, proportional=True)
    drawn = Counter(prompt.department for prompt in prompts_of(tmp_path / "q.jsonl"))
    assert drawn == {"内科": 4, "外科": 3, "儿科": 1, None: 1}
    assert "nobody_asks_in" not in even.details


def test_an_answer_to_the_doctor_is_no_end(set_of: Callable[..., Path]) -> None:
    turns = ["喉咙疼", "您好，有没有发烧，咳嗽吗？", "没有发烧，就是有点咳", "多久了？", "三天了", "多喝水"]
    assert cut(next(read_dialogues(set_of(turns))).messages) == 1
    asked = [*turns[:4], "三天了，要吃药吗？", "先不用"]
    assert cut(next(read_dialogues(set_of(asked, name="b"))).messages) == 5
    worse = [*turns[:4], "三天了", "多喝水", "今天又烧到39度了", "去医院吧"]
    assert cut(next(read_dialogues(set_of(worse, name="c"))).messages) == 7
