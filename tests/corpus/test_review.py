"""A deduplication looked at again; sets compared with frozen versions and freed of test items."""

import json
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pyarrow.parquet as pq
import pytest

import foundation.cli
import zhongjing
from corpus.deduplication.dedup import dedup
from corpus.deduplication.duplicates import DUPLICATES, Duplicate
from corpus.deduplication.review import borderline, review, side_by_side
from corpus.deduplication.signatures import SIGNATURES
from corpus.deduplication.stock import Others
from corpus.records import Dialogue
from corpus.sets import REJECTS, read_dialogues, stages_of
from corpus.versioning.versions import freeze
from foundation.errors import ZhongjingError
from foundation.rejects import read_rejects

HAN = [chr(code) for code in range(0x4E10, 0x4E10 + 400)]


def edited(turns: list[str], share: float, lots: random.Random) -> list[str]:
    return ["".join(lots.choice(HAN) if lots.random() < share else c for c in turn) for turn in turns]


def made_up(seed: int, count: int) -> list[list[str]]:
    """Dialogues, each followed by three copies of it, edited more and more."""
    lots = random.Random(seed)
    originals = [["".join(lots.choices(HAN, k=60)) for _ in range(4)] for _ in range(count)]
    return [edited(turns, share, lots) for turns in originals for share in (0, 0.02, 0.07, 0.12)]


def rows_of(folder: Path) -> Iterator[Duplicate]:
    for line in (folder / DUPLICATES).read_bytes().splitlines():
        yield msgspec.json.decode(line, type=Duplicate)


def ids(folder: Path) -> set[str]:
    return {dialogue.id for dialogue in read_dialogues(folder)}


@pytest.fixture
def done(set_of: Callable[..., Path], tmp_path: Path) -> Path:
    """A deduplicated set whose source is gone."""
    dedup(set_of(*made_up(3, 12)), tmp_path / "done")
    return tmp_path / "done"


@pytest.mark.parametrize("threshold", [0.45, 0.5, 0.65, 0.9])
def test_another_threshold_gives_what_a_fresh_run_gives(
    set_of: Callable[..., Path], tmp_path: Path, done: Path, threshold: float
) -> None:
    fresh = dedup(tmp_path / "source", tmp_path / "fresh", threshold=threshold)
    shutil.rmtree(tmp_path / "source")
    again = review(done, tmp_path / "again", threshold=threshold)
    assert ids(tmp_path / "again") == ids(tmp_path / "fresh")
    assert sorted(map(str, rows_of(tmp_path / "again"))) == sorted(map(str, rows_of(tmp_path / "fresh")))
    assert (again.read, again.kept, again.rejected) == (fresh.read, fresh.kept, fresh.rejected)
    assert [stage.stage for stage in stages_of(tmp_path / "again")] == ["import", "dedup"]
    assert len(list(read_rejects(tmp_path / "again" / REJECTS))) == again.rejected.get("duplicate", 0)
    back = review(tmp_path / "again", tmp_path / "back", threshold=0.5)
    assert ids(tmp_path / "back") == ids(done)
    assert back.kept == len(ids(done))


def test_a_restored_dialogue_stays_restored(tmp_path: Path, done: Path) -> None:
    gone = [row for row in rows_of(done) if row.removed]
    chosen = min(gone, key=lambda row: row.similarity)
    result = review(done, tmp_path / "again", restore=[chosen.removed or ""])
    assert ids(tmp_path / "again") == {*ids(done), chosen.removed}
    assert result.details["restored"] == 1
    row = next(row for row in rows_of(tmp_path / "again") if row.reason == "restored")
    assert (row.flagged, row.keeper, row.similarity) == (chosen.removed, chosen.keeper, chosen.similarity)
    review(tmp_path / "again", tmp_path / "later", threshold=0.45)
    assert chosen.removed in ids(tmp_path / "later")


def test_borderline_pairs_come_first_with_their_differences_marked(tmp_path: Path, done: Path) -> None:
    pairs = borderline(done, 100)
    assert [pair.distance for pair in pairs] == sorted(pair.distance for pair in pairs)
    assert {pair.verdict for pair in pairs} >= {"removed: near", "kept: just under"}
    text = "\n".join(side_by_side(done, pairs[:1]))
    assert "[-" in text
    assert "{+" in text
    plain = text.replace("[-", "").replace("-]", "").replace("{+", "").replace("+}", "")
    every = {dialogue.id: dialogue for dialogue in read_dialogues(tmp_path / "source")}
    for name in (pairs[0].keeper, pairs[0].other):
        assert all(message.content in plain for message in every[name].messages)


def test_the_commands_as_they_are_written(
    tmp_path: Path, done: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    def call(words: str) -> int:
        return foundation.cli.run(zhongjing.app, words.split())

    assert call("corpus dedup source --out other --threshold 0.6") == 0
    assert call("corpus dedup --threshold 0.6 --out other source") == 0
    assert call("corpus dedup review done --show 3") == 0
    assert capsys.readouterr().out.count(" beside ") == 3
    assert call("corpus dedup review done --threshold 0.7 --out again") == 0
    assert call("corpus dedup review done --threshold 0.7") == 2
    assert "--out" in capsys.readouterr().err
    assert call("corpus dedup review source") == 2
    assert "not deduplicated" in capsys.readouterr().err
    assert call("corpus dedup review done --restore d-none --out x") == 2
    assert "d-none" in capsys.readouterr().err
    assert call("corpus dedup source --out y --threshold 2") == 2
    assert call("corpus dedup source --out y --exclude missing.json") == 2
    assert call("corpus dedup source --out y --against source") == 2
    assert not Path("x").exists()
    assert not Path("y").exists()


def test_a_copy_of_what_is_frozen_goes(
    set_of: Callable[..., Path], make_dialogue: Callable[..., Dialogue], tmp_path: Path
) -> None:
    many = made_up(4, 10)
    frozen = set_of(*many[::4], name="frozen")
    freeze(frozen, tmp_path / "versions", "care")
    version = tmp_path / "versions" / "care-v1"
    new = [make_dialogue(turns, number=100 + number) for number, turns in enumerate([*many[1::4], *made_up(5, 5)])]
    source = set_of(*new, name="new")
    result = dedup(source, tmp_path / "out", against=version)
    rows = [row for row in rows_of(tmp_path / "out") if row.within]
    assert {row.removed for row in rows} == {dialogue.id for dialogue in new[:10]}
    assert {row.keeper for row in rows} == ids(version)
    assert {row.within for row in rows} == {"care-v1"}
    assert result.read == 30
    with pytest.raises(ZhongjingError, match="--against"):
        review(tmp_path / "out", tmp_path / "again", threshold=0.6)
    review(tmp_path / "out", tmp_path / "again", threshold=0.6, others=Others(against=version))
    assert ids(tmp_path / "again") >= ids(tmp_path / "out")


def test_signatures_of_another_layout_are_refused(set_of: Callable[..., Path], tmp_path: Path) -> None:
    source = set_of(*made_up(4, 3))
    freeze(source, tmp_path / "versions", "care")
    path = tmp_path / "versions" / "care-v1" / SIGNATURES
    table = pq.read_table(path)
    pq.write_table(table.replace_schema_metadata({"zhongjing.layout": "sketch-0"}), path)
    with pytest.raises(ZhongjingError, match="layout 'sketch-0'"):
        dedup(source, tmp_path / "out", against=tmp_path / "versions" / "care-v1")
    pq.write_table(table.slice(1), path)
    with pytest.raises(ZhongjingError, match="11 signatures"):
        dedup(source, tmp_path / "out", against=tmp_path / "versions" / "care-v1")
    path.write_bytes(b"PAR1")
    with pytest.raises(ZhongjingError, match="damaged"):
        dedup(source, tmp_path / "out", against=tmp_path / "versions" / "care-v1")
    path.unlink()
    with pytest.raises(ZhongjingError, match="no signatures"):
        dedup(source, tmp_path / "out", against=tmp_path / "versions" / "care-v1")
    assert not (tmp_path / "out").exists()


def test_items_of_a_test_set_are_taken_out(
    set_of: Callable[..., Path], jsonl: Callable[..., Path], tmp_path: Path
) -> None:
    """Raw test files of any format, a broken row in it told, numbers no excuse."""
    turns = made_up(6, 4)
    dose = [
        "孩子昨天晚上开始发烧，精神不太好，请问应该怎么处理才好",
        "可以先吃退烧药布洛芬混悬液，每次5毫升，一天不超过四次，多喝温水",
    ]
    source = set_of(*turns, dose)
    leaked = [
        {
            "conversations": [
                {"from": ("human", "gpt")[place % 2], "value": text} for place, text in enumerate(turns[1])
            ]
        },
        {"instruction": dose[0], "output": dose[1].replace("5", "8")},
        {"broken": 1},
    ]
    tests = jsonl(*leaked, name="benchmark.jsonl")
    result = dedup(source, tmp_path / "out", exclude=tests)
    assert result.rejected["contaminated"] == 4
    assert result.details["test_rows_unread"] == 1
    rows = [row for row in rows_of(tmp_path / "out") if row.reason == "contaminated"]
    assert {row.within for row in rows} == {"benchmark.jsonl"}
    left = json.dumps([message.content for each in read_dialogues(tmp_path / "out") for message in each.messages])
    assert json.dumps(turns[0][0])[1:-1] not in left
    names = "dialogues.parquet removed.parquet signatures.parquet rejects.jsonl duplicates.jsonl near_misses.jsonl"
    assert {path.name for path in (tmp_path / "out").iterdir()} == {*names.split(), "manifest.json"}
    (tmp_path / "nothing.json").write_text("no dialogues")
    with pytest.raises(ZhongjingError):
        dedup(source, tmp_path / "out2", exclude=tmp_path / "nothing.json")
    assert not (tmp_path / "out2").exists()
