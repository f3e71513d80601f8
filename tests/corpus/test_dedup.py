"""Nothing removed whose keeper is not like it; nothing alike overlooked."""

import random
from collections.abc import Callable, Iterator
from itertools import combinations
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.deduplication.comparable import comparable
from corpus.deduplication.dedup import dedup
from corpus.deduplication.duplicates import DUPLICATES, NEAR_MISSES, REMOVED, Duplicate, NearMiss
from corpus.records import Dialogue
from corpus.sets import DIALOGUES, REJECTS, arrow_batches, read_dialogues
from corpus.tables import from_batch
from foundation.errors import ZhongjingError
from foundation.manifest import read_manifest
from foundation.rejects import read_rejects

HAN = [chr(code) for code in range(0x4E10, 0x4E10 + 400)]


def grams(text: str) -> set[str]:
    return {text[place : place + 3] for place in range(max(len(text) - 2, min(len(text), 1)))}


def brute_jaccard(first: str, second: str) -> float:
    together = grams(first) | grams(second)
    return len(grams(first) & grams(second)) / len(together) if together else 1.0


def made_up(seed: int, count: int) -> list[list[str]]:
    """Random dialogues, each with copies edited more and more."""
    lots = random.Random(seed)
    many: list[list[str]] = []
    for _ in range(count):
        turns = ["".join(lots.choices(HAN, k=lots.randint(20, 60))) for _ in range(4)]
        shares = (0.0, *lots.sample([0.01, 0.03, 0.06, 0.1, 0.13, 0.2], k=3))
        many += [
            ["".join(lots.choice(HAN) if lots.random() < share else c for c in turn) for turn in turns]
            for share in shares
        ]
    lots.shuffle(many)
    return many


def rows_of(folder: Path) -> Iterator[Duplicate]:
    for line in (folder / DUPLICATES).read_bytes().splitlines():
        yield msgspec.json.decode(line, type=Duplicate)


def check_stars(source: Path, out: Path, threshold: float) -> int:
    """What must hold of every result, by brute force; returns how many pairs at the threshold are left."""
    texts = {dialogue.id: comparable(dialogue) for dialogue in read_dialogues(source)}
    kept = {dialogue.id for dialogue in read_dialogues(out)}
    rows = list(rows_of(out))
    removed = {row.removed for row in rows if row.removed}
    flagged = {row.flagged for row in rows if row.flagged}
    assert set(texts) - kept == removed
    assert len(rows) == len(removed) + len(flagged)
    for row in rows:
        one, keeper = texts[row.removed or row.flagged or ""], texts[row.keeper]
        assert row.keeper in kept
        assert row.similarity == pytest.approx(brute_jaccard(one, keeper), abs=1e-4)
        assert row.similarity >= threshold - 1e-9
        assert (row.reason == "exact") == (one == keeper)
        assert (row.parameters.threshold, row.parameters.grams) == (threshold, 3)
    left = combinations(sorted(kept - flagged), 2)
    return sum(brute_jaccard(texts[one], texts[other]) >= threshold for one, other in left)


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.7, 0.95])
def test_against_brute_force(set_of: Callable[..., Path], tmp_path: Path, threshold: float) -> None:
    source = set_of(*made_up(7, 60))
    result = dedup(source, tmp_path / "out", threshold=threshold)
    assert check_stars(source, tmp_path / "out", threshold) == 0
    assert result.rejected["duplicate"] > 15
    for line in (tmp_path / "out" / NEAR_MISSES).read_bytes().splitlines():
        miss = msgspec.json.decode(line, type=NearMiss)
        assert threshold - 0.1 <= miss.similarity < threshold


TURN = st.text(
    st.sampled_from([*"痛头晕发烧吃药医生好的吗三天两片5189.，？! ", "\n", "😀", "㎎", "Ａ", "a", "漢"]),
    min_size=1,
    max_size=12,
)


@given(many=st.lists(st.lists(TURN, min_size=1, max_size=4), max_size=25), threshold=st.floats(0.05, 1.0))
@settings(max_examples=60, deadline=None)
def test_stars_hold_for_any_texts(
    make_dialogue: Callable[..., Dialogue], make_set: Callable[..., Path], many: list[list[str]], threshold: float
) -> None:
    with TemporaryDirectory() as folder:
        dialogues = [make_dialogue(turns, number=number) for number, turns in enumerate(many, start=1)]
        source = make_set(Path(folder) / "source", dialogues)
        dedup(source, Path(folder) / "out", threshold=threshold)
        check_stars(source, Path(folder) / "out", threshold)


def test_the_same_bytes_whatever_the_threads(set_of: Callable[..., Path], tmp_path: Path) -> None:
    source = set_of(*made_up(11, 40))
    digests = set()
    for threads in (1, 2, 5):
        dedup(source, tmp_path / f"{threads}", threads=threads)
        digests.add(read_manifest(tmp_path / f"{threads}").sha256)
    assert len(digests) == 1


def test_a_chain_is_no_star(set_of: Callable[..., Path], tmp_path: Path) -> None:
    """Neighbours in a chain are alike, its ends are not: only what is like the keeper itself goes."""
    lots = random.Random(3)
    text = "".join(lots.choices(HAN, k=400))
    chain = [[text[start : start + 100], text[start + 100 : start + 200]] for start in range(0, 160, 40)]
    source = set_of(*chain)
    dedup(source, tmp_path / "out")
    check_stars(source, tmp_path / "out", 0.5)
    assert len(list(read_dialogues(tmp_path / "out"))) == 2


def test_exact_copies_go_and_the_rejects_name_their_keeper(set_of: Callable[..., Path], tmp_path: Path) -> None:
    turns = ["孩子发烧，怎么办？", "体温多少？"]
    result = dedup(set_of(turns, ["孩子 發燒,怎麼辦", "體温多少!"], turns), tmp_path / "out")
    assert result.details == {"exact": 2}
    assert [reject.detail for reject in read_rejects(tmp_path / "out" / REJECTS)] == [
        "exact copy of d-0000000000000001"
    ] * 2


def test_removed_dialogues_stay_at_hand(set_of: Callable[..., Path], tmp_path: Path) -> None:
    source = set_of(*made_up(5, 10))
    dedup(source, tmp_path / "out")
    kept, everything = list(read_dialogues(tmp_path / "out")), list(read_dialogues(source))
    gone = [dialogue for batch in arrow_batches(tmp_path / "out", file=REMOVED) for dialogue in from_batch(batch)]
    assert sorted([*kept, *gone], key=lambda dialogue: dialogue.id) == sorted(everything, key=lambda each: each.id)


LONG = "孩子昨天晚上开始发烧，最高到了三十九度多，精神不太好，也不怎么吃东西，请问医生应该怎么处理才好呢"
ADVICE = "可以先吃退烧药布洛芬混悬液，每次{}毫升，一天不超过四次，多喝温水，如果精神差就要到医院验血"


@pytest.mark.parametrize(
    ("first", "second", "flagged"),
    [
        ("5", "8", True),
        ("5", "5", False),
        ("两", "三", True),
        ("两", "2", False),
        ("10", "1.0", True),
        ("10", "１０", False),
        ("10", "药0", False),
        ("10", "1", True),
    ],
)
def test_contradicting_numbers_are_flagged(
    set_of: Callable[..., Path], tmp_path: Path, first: str, second: str, flagged: bool
) -> None:
    result = dedup(set_of([LONG, ADVICE.format(first)], [LONG + "谢谢", ADVICE.format(second)]), tmp_path / "out")
    assert result.details == ({"flagged_for_numbers": 1} if flagged else {"near": 1})
    assert (result.read, result.kept) == (2, 2 if flagged else 1)


def test_a_missing_number_contradicts_nothing(set_of: Callable[..., Path], tmp_path: Path) -> None:
    result = dedup(set_of([LONG, ADVICE.format("5")], [LONG, ADVICE.replace("每次{}毫升，", "")]), tmp_path / "out")
    assert result.details == {"near": 1}


def test_one_answer_to_two_questions_is_flagged(set_of: Callable[..., Path], tmp_path: Path) -> None:
    other = ["我妈妈血压高了好多年，最近头晕，要不要换药", LONG + ADVICE.format("5")]
    result = dedup(set_of(["宝宝咳嗽有痰，吃什么好", LONG + ADVICE.format("5")], other), tmp_path / "out")
    assert result.details == {"flagged_for_questions": 1}


def test_the_better_one_stays(set_of: Callable[..., Path], tmp_path: Path) -> None:
    asked = [LONG, "咳嗽吗？" + ADVICE.format("5")]
    unanswered = [*asked, "好的谢谢"]
    plain = [LONG, "不咳嗽" + ADVICE.format("5")]
    noisy = [LONG + "#$@&*😀😀", "咳嗽吗？" + ADVICE.format("5")]
    dedup(set_of(unanswered, noisy, plain, asked), tmp_path / "out")
    assert [dialogue.id for dialogue in read_dialogues(tmp_path / "out")] == ["d-0000000000000004"]


def test_a_preferred_source_decides_between_equals(
    set_of: Callable[..., Path], make_dialogue: Callable[..., Dialogue], tmp_path: Path
) -> None:
    one, other = make_dialogue([LONG, ADVICE], number=1), make_dialogue([LONG, ADVICE], number=2)
    source = set_of(one, msgspec.structs.replace(other, source="better"))
    for prefer, kept in (((), 1), (("better",), 2), (("made-up", "better"), 1)):
        dedup(source, tmp_path / "out", prefer=prefer)
        assert [dialogue.id for dialogue in read_dialogues(tmp_path / "out")] == [f"d-{kept:016x}"]


@pytest.mark.parametrize("threshold", [0.0, -1.0, 1.5, 2, float("nan")])
def test_a_senseless_threshold_is_refused(set_of: Callable[..., Path], tmp_path: Path, threshold: float) -> None:
    with pytest.raises(ZhongjingError, match="threshold"):
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


def test_a_template_used_often_is_one_large_star(set_of: Callable[..., Path], tmp_path: Path) -> None:
    lots = random.Random(2)
    many = [[LONG + "".join(lots.choices(HAN, k=8)), ADVICE.format("5")] for _ in range(3_000)]
    source = set_of(*many)
    result = dedup(source, tmp_path / "out")
    assert result.kept == 1


def test_disk_full_leaves_the_old_output(
    set_of: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = set_of(*made_up(1, 3))
    dedup(source, tmp_path / "out")
    before = (tmp_path / "out" / DIALOGUES).read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("corpus.deduplication.dedup.write_signatures", full)
    with pytest.raises(ZhongjingError, match="disk is full"):
        dedup(source, tmp_path / "out", threshold=0.6)
    assert (tmp_path / "out" / DIALOGUES).read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "source"]
