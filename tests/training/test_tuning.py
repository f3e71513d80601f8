"""Pre-training and fine-tuning: what is learned and measured, texts in one row that stay apart, killed and resumed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from foundation.errors import ZhongjingError
from foundation.manifest import read_manifest
from foundation.rejects import read_rejects
from training.checkpoints import partial_folder
from training.recipes import LanguageRecipe, Lora, Model, PretrainRecipe, SFTRecipe
from training.runtime import prepare
from training.tuning.language import encoded, read_rows, train_language, trainer_of
from training.tuning.likelihood import counted, surprises
from training.tuning.turns import IGNORED

# One process that forks, so that the libraries are imported once: a child is killed at once after the step it is told,
# the last child is let through.
PROGRAM = """
import json, os, signal, sys
from pathlib import Path
import msgspec, training.logs, training.tuning.language
from training.recipes import SFTRecipe

options, kills = json.loads(sys.argv[1]), json.loads(sys.argv[2])
recipe = msgspec.convert(options, SFTRecipe, dec_hook=lambda _, value: Path(value))
add = training.logs.RunLog.add
for last in [*kills, None]:
    def killing(self, step):
        add(self, step)
        if step.step == last:
            os.kill(os.getpid(), signal.SIGKILL)

    training.logs.RunLog.add = killing
    child = os.fork()
    if not child:
        training.tuning.language.train_language(recipe)
        os._exit(0)
    print(os.WTERMSIG(os.waitpid(child, 0)[1]), flush=True)
"""


@pytest.fixture
def sft(mix_file: Path, tiny: Path, tmp_path: Path) -> SFTRecipe:
    return SFTRecipe(
        mix=[mix_file],
        output=tmp_path / "sft",
        model=Model(path=tiny),
        lora=Lora(rank=4, alpha=8.0),
        epochs=2,
        learning_rate=1e-3,
        batch=4,
        max_tokens=128,
        held_out=0.15,
        checkpoint_every=2,
        log_to=(),
    )


@pytest.fixture
def pretrain(texts_file: Path, tiny: Path, tmp_path: Path) -> PretrainRecipe:
    return PretrainRecipe(
        texts=[texts_file],
        output=tmp_path / "pretrained",
        model=Model(path=tiny),
        lora=None,
        epochs=1,
        learning_rate=1e-3,
        batch=4,
        rows_per_pass=2,
        max_tokens=96,
        held_out=0.15,
        log_to=(),
    )


def changed(recipe: LanguageRecipe, **changes: Any) -> Any:
    return msgspec.structs.replace(recipe, **changes)


def test_fine_tuning_learns_of_every_kind_and_says_what_was_left_out(sft: SFTRecipe, tiny: Path) -> None:
    result = train_language(changed(sft, lora=None))
    told = result.metrics
    assert told.kinds.keys() == {"multi", "single"}
    assert told.train_rows + told.held_out_rows == 48
    assert told.left_out == {"bad_json": 1, "too_long": 1}
    assert [(reject.reason, reject.line) for reject in read_rejects(sft.output / "rejects.jsonl")] == [
        ("bad_json", 6),
        ("too_long", 50),
    ]
    assert all(0 < found.learned < found.tokens / 2 for found in told.kinds.values())
    assert told.held_out.keys() == {"all", *({"multi", "single"} & told.held_out.keys())}
    assert told.held_out["all"].after < told.held_out["all"].before
    manifest = read_manifest(sft.output, "language-model")
    assert "without" in manifest.parameters and str(sft.mix[0]) not in str(manifest.parameters)
    page = (sft.output / "report.html").read_text("utf-8")
    assert all(entry.sha256 in page for entry in manifest.inputs)
    assert "头痛" not in page and "多喝水" not in page
    assert not partial_folder(sft.output).exists()
    model = AutoModelForCausalLM.from_pretrained(sft.output)
    assert AutoTokenizer.from_pretrained(sft.output).chat_template
    assert (model.lm_head.weight != AutoModelForCausalLM.from_pretrained(tiny).lm_head.weight).any()


def test_pre_training_learns_every_token(pretrain: PretrainRecipe) -> None:
    told = train_language(pretrain).metrics
    assert told.kinds["text"].learned == told.kinds["text"].tokens
    assert told.held_out["text"].after < told.held_out["text"].before - 0.1


def test_the_loss_is_that_of_the_doctors_tokens_in_rows_of_their_own(sft: SFTRecipe, tiny: Path) -> None:
    """One batch of all packed rows: TRL's loss at the first step beside the mean over texts read one at a time."""
    tokenizer = AutoTokenizer.from_pretrained(tiny)
    train, _ = encoded(sft, tokenizer, read_rows(sft))
    model = AutoModelForCausalLM.from_pretrained(tiny)
    alone = sum(surprises(model, [piece.tokens for piece in train])) / sum(counted(piece.tokens) for piece in train)
    trainer = trainer_of(sft, model, tokenizer, None, train)
    rows = len(trainer.train_dataset)
    assert rows < len(train) / 2, "several texts share a row"
    result = train_language(changed(sft, batch=rows, rows_per_pass=1, epochs=1))
    assert result.metrics.steps == 1
    assert result.history[0].loss == pytest.approx(alone, abs=1e-5)


def test_texts_in_one_row_never_see_each_other(sft: SFTRecipe, tiny: Path) -> None:
    """Logits of a packed row beside those of each text alone; with positions that go on the row would differ."""
    prepare()
    tokenizer = AutoTokenizer.from_pretrained(tiny)
    train, _ = encoded(sft, tokenizer, read_rows(sft))
    model = AutoModelForCausalLM.from_pretrained(tiny).eval()
    trainer = trainer_of(changed(sft, rows_per_pass=2, batch=2), model, tokenizer, None, train)
    batch = trainer.data_collator([trainer.train_dataset[0], trainer.train_dataset[1]])
    tokens, starts = batch["input_ids"][0], batch["position_ids"][0].eq(0).nonzero().flatten().tolist()
    inputs = {name: value for name, value in batch.items() if name != "labels"}
    with torch.no_grad():
        packed = model(**inputs, use_cache=False).logits[0]
        leaking = model(input_ids=batch["input_ids"], use_cache=False).logits[0]
        apart = [
            model(input_ids=tokens[None, start:end]).logits[0]
            for start, end in zip(starts, [*starts[1:], len(tokens)], strict=True)
        ]
    assert len(starts) > 4
    assert (packed - torch.cat(apart)).abs().max() < 1e-5
    assert (leaking - torch.cat(apart)).abs().max() > 1e-2
    known = {tuple(piece.tokens.input_ids): piece.tokens.labels for piece in train}
    for start, end in zip(starts, [*starts[1:], len(tokens)], strict=True):
        labels = known[tuple(tokens[start:end].tolist())]
        assert batch["labels"][0, start:end].tolist() == [IGNORED, *labels[1:]]


def test_killed_three_times_it_ends_with_the_same_bytes(sft: SFTRecipe, tmp_path: Path) -> None:
    sft = changed(sft, batch=2, epochs=3.0)
    whole = train_language(sft)
    killed = changed(sft, output=tmp_path / "other" / "sft")
    arguments = [json.dumps(msgspec.to_builtins(killed, enc_hook=str)), json.dumps([1, 4, 9])]
    done = subprocess.run([sys.executable, "-c", PROGRAM, *arguments], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["9", "9", "9", "0"]
    assert done.stderr.count("going on after step") >= 2
    assert (killed.output / "history.jsonl").read_bytes() == (sft.output / "history.jsonl").read_bytes()
    assert read_manifest(killed.output).sha256 == read_manifest(sft.output).sha256
    assert whole.metrics.steps > 9
    assert not partial_folder(killed.output).exists()


def test_a_run_that_spoils_keeps_its_checkpoint_and_another_recipe_is_refused(sft: SFTRecipe) -> None:
    with pytest.raises(ZhongjingError, match="not a finite number") as caught:
        train_language(changed(sft, learning_rate=1e30, lora=None, checkpoint_every=1))
    assert "lower learning_rate" in str(caught.value)
    half = partial_folder(sft.output) / "checkpoint-99"
    half.mkdir()
    with pytest.raises(ZhongjingError, match=r"learning_rate: 1e\+30 in the checkpoint, 0.001 now"):
        train_language(changed(sft, lora=None))
    assert not half.exists()
    assert train_language(changed(sft, lora=None, epochs=0.5), afresh=True).metrics.steps == 2


def test_kinds_are_left_out_for_an_ablation(sft: SFTRecipe, version: Path) -> None:
    kept = read_rows(changed(sft, without=("single", "long")))
    assert {row.kind for row in kept.rows} == {"multi"}
    with pytest.raises(ZhongjingError, match="no row is of the kind nursing") as caught:
        read_rows(changed(sft, without=("nursing",)))
    assert "long, multi, single" in str(caught.value)
    both = read_rows(changed(sft, mix=[*sft.mix, version]))
    assert len(both.rows) == 49 + 120
    assert {row.kind for row in both.rows} == {"multi", "single", "long", "multi-turn"}


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"messages": []}', "no_answer"),
        ('{"messages": [{"role": "user", "content": "头痛"}]}', "no_answer"),
        ('{"messages": [{"role": "assistant", "content": "您好"}, {"role": "user", "content": "头痛"}]}', "bad_turns"),
        ('{"messages": [{"role": "user", "content": "头痛"}, {"role": "assistant", "content": " "}]}', "empty"),
        ('{"messages": [{"role": "nurse", "content": "头痛"}]}', "bad_row"),
        ('{"text": "头痛"}', "bad_row"),
        ('{"messages": NaN}', "bad_json"),
    ],
)
def test_a_bad_row_is_named_and_nothing_of_it_quoted(sft: SFTRecipe, tmp_path: Path, line: str, reason: str) -> None:
    path = tmp_path / "m.jsonl"
    path.write_text(line + "\n", "utf-8")
    with pytest.raises(ZhongjingError, match="nothing to learn from") as caught:
        read_rows(changed(sft, mix=[path]))
    assert reason in str(caught.value) and "头痛" not in str(caught.value)


def test_a_batch_that_cannot_be_cut_is_refused(sft: SFTRecipe) -> None:
    with pytest.raises(ZhongjingError, match="batch a multiple of 3"):
        train_language(changed(sft, rows_per_pass=3))
