import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from corpus.records import ModelOutput, Preference, Prompt, RankedPrompt
from corpus.sets import read_dialogues
from demo.inputs import sample
from demo.road import Travelled
from foundation.jsonl import read_records
from foundation.manifest import read_manifest
from foundation.rejects import read_rejects

Walk = Callable[[Path], Travelled]

STAGES = [
    *("graph", "read", "normalise", "de-identify", "filter", "deduplicate", "match", "classify", "freeze", "sample"),
    *("tiny model", "answers", "tasks", "rank", "agreement", "adjudicate", "export", "reward model", "PPO", "report"),
]
PLANTED = json.loads((sample().answers or Path()).with_name("planted.json").read_text())


def test_every_stage_is_told_once_and_in_order(travelled: Travelled) -> None:
    assert [line.stage for line in travelled.lines] == STAGES


def test_what_it_leaves_has_the_promised_shapes(travelled: Travelled) -> None:
    folder = travelled.folder
    assert travelled.version.name == "sample-v1"
    for name in ("dialogues.parquet", "manifest.json", "rejects.jsonl"):
        assert (travelled.version / name).is_file()
    for name in ("rankings.jsonl", "preferences.jsonl", "manifest.json", "README.md"):
        assert (folder / "release" / name).is_file()
    for name in ("kg", "reward_model", "policy"):
        read_manifest(folder / name)
    assert len(list(read_records(folder / "prompts.jsonl", Prompt))) == 30
    assert len(list(read_records(folder / "outputs.jsonl", ModelOutput))) == 120
    assert not list(folder.rglob("*.tmp"))


def test_the_planted_faults_are_found(travelled: Travelled) -> None:
    dialogues = {dialogue.meta.raw_id: dialogue for dialogue in read_dialogues(travelled.version)}
    texts = {raw_id: "\n".join(turn.content for turn in dialogue.messages) for raw_id, dialogue in dialogues.items()}
    leaks = [
        raw_id for raw_id, strings in PLANTED["personal"].items() for text in strings if text in texts.get(raw_id, "")
    ]
    assert not leaks
    assert not [copy for copy, base in PLANTED["duplicates"].items() if copy in dialogues and base in dialogues]
    assert not set(PLANTED["filtered"]) & set(dialogues)
    rejected = {(Path(reject.file).name, reject.line) for reject in read_rejects(travelled.version / "rejects.jsonl")}
    assert {(file, line) for file, lines in PLANTED["broken_lines"].items() for line in lines} <= rejected


def test_the_planted_contradictions_are_found_and_no_others(travelled: Travelled) -> None:
    found = {
        (dialogue.meta.raw_id, triple[0], triple[2])
        for dialogue in read_dialogues(travelled.version)
        if dialogue.kg
        for triple in dialogue.kg.contradictions
    }
    triples = PLANTED["contradictions"].items()
    planted = {(raw_id, drug, target) for raw_id, planted in triples for drug, _, target in planted}
    missed, invented = planted - found, found - planted
    assert len(missed) <= 1, missed
    assert len(invented) <= 1, invented


def test_nothing_is_lost_between_stages(travelled: Travelled) -> None:
    results = travelled.corpus
    assert all(result.read == result.kept + sum(result.rejected.values()) for result in results)
    assert all(later.read == earlier.kept for earlier, later in pairwise(results))


def test_train_and_test_share_no_prompt_and_ties_make_no_pair(travelled: Travelled) -> None:
    release = travelled.folder / "release"
    ranked = {row.prompt_id: row for row in read_records(release / "rankings.jsonl", RankedPrompt)}
    splits = {split: set() for split in ("train", "test")}
    for pair in read_records(release / "preferences.jsonl", Preference):
        splits[pair.split].add(pair.prompt_id)
        assert pair.margin > 0
        assert ranked[pair.prompt_id].split == pair.split
    assert splits["train"]
    assert splits["test"]
    assert not splits["train"] & splits["test"]
    assert all(judgement.simulated for row in ranked.values() for judgement in row.judgements)


def test_the_same_seed_gives_the_same_bytes_elsewhere(travelled: Travelled, walk: Walk, tmp_path: Path) -> None:
    other = walk(tmp_path / "again")
    for name in (f"versions/{travelled.version.name}", "kg", "release", "reward_model", "policy"):
        assert read_manifest(travelled.folder / name) == read_manifest(other.folder / name), name
    for name in ("release/rankings.jsonl", "release/preferences.jsonl", "prompts.jsonl", "outputs.jsonl"):
        assert (travelled.folder / name).read_bytes() == (other.folder / name).read_bytes(), name


def test_a_second_run_reuses_what_is_there(travelled: Travelled, walk: Walk) -> None:
    again = walk(travelled.folder)
    fresh = [line.stage for line in again.lines if not line.reused]
    assert fresh == ["agreement", "export", "report"]
    assert again.version == travelled.version


def test_a_pair_is_traced_to_its_raw_line(travelled: Travelled) -> None:
    pair = next(read_records(travelled.folder / "release" / "preferences.jsonl", Preference))
    done = _zhongjing("trace", pair.pair_id, "--root", str(travelled.folder))
    assert done.returncode == 0, done.stderr
    origin = next(d.meta for d in read_dialogues(travelled.version) if d.id in done.stdout)
    assert f"{origin.file}, line {origin.line}" in done.stdout
    assert not any(turn.content in done.stdout for turn in pair.prompt)


@pytest.mark.parametrize("after", ["normalise", "deduplicate", "sample"])
def test_ctrl_c_leaves_nothing_half_written_and_the_next_run_goes_on(tmp_path: Path, after: str) -> None:
    out = tmp_path / "out"
    command = [sys.executable, "-u", "-m", "zhongjing", "demo", "--out", str(out)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as first:
        assert first.stdout is not None
        assert any(after in line for line in first.stdout)
        time.sleep(1)
        first.send_signal(signal.SIGINT)
        _, errors = first.communicate(timeout=60)
    # Where Ctrl-C met code run from a string (imports are full of it), Python ends by the signal: 130 for a shell too.
    assert first.returncode in (130, -signal.SIGINT)
    assert "interrupted" in errors
    assert "Traceback" not in errors
    assert not list(out.rglob("*.tmp"))
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as second:
        assert second.stdout is not None
        reused = next(line for line in second.stdout if after in line)
        second.kill()
    assert "[reused]" in reused


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--dialogues", "nowhere.jsonl"], "nowhere.jsonl: no such file"),
        (["--dialogues", "empty.jsonl"], "empty.jsonl"),
        (["--dialogues", "unknown.bin"], "unknown.bin"),
        (["--graph", "empty.jsonl"], "empty.jsonl"),
        (["--aliases", "empty.jsonl"], "without a graph"),
    ],
)
def test_what_cannot_be_read_is_named_and_ends_with_status_two(
    tmp_path: Path, arguments: list[str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty.jsonl").touch()
    (tmp_path / "unknown.bin").write_bytes(bytes(range(256)) * 20)
    monkeypatch.chdir(tmp_path)
    done = _zhongjing("demo", "--out", "out", *arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def _zhongjing(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "zhongjing", *arguments], capture_output=True, text=True)
