"""A reward model's run as a whole: killed and resumed, shared by processes, refused, logged, reported, compared."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch
import yaml

import foundation.cli
import training.cli
from foundation.errors import ZhongjingError
from foundation.jsonl import read_records
from foundation.manifest import read_manifest
from training.checkpoints import Checkpoints, partial_folder
from training.comparing import compare_runs, lines_of
from training.fitting import RewardStep
from training.logs import logs_folder
from training.recipes import Model, RewardRecipe, parameters
from training.reward import train_reward
from training.runtime import enough_memory

TORCHRUN = ["-m", "torch.distributed.run", "--nproc_per_node", "2", "--standalone"]
SHARED = """
import sys
from training.runtime import machine
from zhongjing import main

assert machine().num_processes == 2
sys.exit(main())
"""
# One process that forks, so that torch is imported once: a child trains until its history has so many lines, then it
# is killed from outside; the last child is let through.
PROGRAM = """
import json, os, signal, sys
from pathlib import Path
import msgspec, training.reward
from training.checkpoints import partial_folder
from training.recipes import RewardRecipe

options, kills = json.loads(sys.argv[1]), json.loads(sys.argv[2])
recipe = msgspec.convert(options, RewardRecipe, dec_hook=lambda _, value: Path(value))
history = partial_folder(recipe.output) / "history.jsonl"
for lines in [*kills, None]:
    child = os.fork()
    if not child:
        training.reward.train_reward(recipe)
        os._exit(0)
    status = 0
    while lines is not None and not os.waitpid(child, os.WNOHANG)[0]:
        if history.exists() and history.read_bytes().count(b"\\n") >= lines:
            os.kill(child, signal.SIGKILL)
            _, status = os.waitpid(child, 0)
            break
    if lines is None:
        _, status = os.waitpid(child, 0)
    print(os.WTERMSIG(status), flush=True)
"""
KILLS = [1, 4, 9, 15, 22]


@pytest.fixture
def recipe(rankings_file: Path, tiny: Path, tmp_path: Path) -> RewardRecipe:
    return RewardRecipe(
        rankings=rankings_file,
        output=tmp_path / "one" / "rm",
        model=Model(path=tiny),
        epochs=5,
        learning_rate=3e-3,
        prompts_per_batch=7,
        checkpoint_every=2,
    )


def changed(recipe: RewardRecipe, **changes: Any) -> RewardRecipe:
    return msgspec.structs.replace(recipe, **changes)


def losses(folder: Path) -> list[float]:
    return [step.loss for step in read_records(folder / "history.jsonl", RewardStep)]


def test_killed_five_times_it_ends_with_the_same_bytes(recipe: RewardRecipe, tmp_path: Path) -> None:
    whole = train_reward(recipe)
    killed = changed(recipe, output=tmp_path / "other" / "rm")
    arguments = [json.dumps(msgspec.to_builtins(killed, enc_hook=str)), json.dumps(KILLS)]
    done = subprocess.run([sys.executable, "-c", PROGRAM, *arguments], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["9"] * len(KILLS) + ["0"]
    assert done.stderr.count("going on after step") >= len(KILLS) - 1
    assert losses(killed.output) == [step.loss for step in whole.history]
    assert read_manifest(killed.output).sha256 == read_manifest(recipe.output).sha256
    assert not partial_folder(killed.output).exists()


def test_two_processes_learn_what_one_does(recipe: RewardRecipe, tmp_path: Path) -> None:
    """48 prompts in batches of 7: one process runs short in every batch, and in the last by more."""
    alone = train_reward(changed(recipe, epochs=1))
    shared = changed(recipe, epochs=1, output=tmp_path / "shared" / "rm", prompts_per_forward=2)
    options = msgspec.to_builtins(shared, enc_hook=str)
    (tmp_path / "recipe.yaml").write_text(
        yaml.safe_dump({key: value for key, value in options.items() if value is not None}), "utf-8"
    )
    (tmp_path / "shared.py").write_text(SHARED, "utf-8")
    command = [sys.executable, *TORCHRUN, str(tmp_path / "shared.py"), "train", "reward", str(tmp_path / "recipe.yaml")]
    environment = os.environ | {"ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert losses(shared.output) == pytest.approx([step.loss for step in alone.history], abs=1e-5)
    assert done.stdout.count("reward model written") == 1


def test_fewer_prompts_at_once_and_activations_twice_change_nothing(recipe: RewardRecipe, tmp_path: Path) -> None:
    whole = train_reward(changed(recipe, epochs=1))
    thrifty = {"prompts_per_forward": 2, "gradient_checkpointing": True}
    other = train_reward(changed(recipe, epochs=1, output=tmp_path / "two", **thrifty))
    assert [step.loss for step in other.history] == pytest.approx([step.loss for step in whole.history], abs=1e-5)
    assert [step.gradient_norm for step in other.history] == pytest.approx(
        [step.gradient_norm for step in whole.history], rel=1e-3
    )


def test_a_checkpoint_of_another_recipe_is_refused_with_the_difference(recipe: RewardRecipe) -> None:
    with pytest.raises(ZhongjingError, match="not a finite number"):
        train_reward(changed(recipe, learning_rate=1e30, lora=None, checkpoint_every=1))
    with pytest.raises(ZhongjingError) as caught:
        train_reward(changed(recipe, lora=None))
    assert "learning_rate: 1e+30 in the checkpoint, 0.003 now" in str(caught.value)
    assert "epochs" not in str(caught.value)
    assert train_reward(changed(recipe, lora=None, epochs=1), afresh=True).metrics.steps == 7
    assert not partial_folder(recipe.output).exists()


def test_a_damaged_checkpoint_is_one_clear_error(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path / "rm", {})
    checkpoints.path.parent.mkdir()
    checkpoints.path.write_bytes(b"PK not really")
    with pytest.raises(ZhongjingError, match="cannot be read"):
        checkpoints.load(None, None, None)


def test_running_out_of_memory_names_what_to_lower() -> None:
    with pytest.raises(ZhongjingError, match="out of memory") as caught, enough_memory("prompts_per_forward"):
        torch.empty(1 << 50)
    assert "lower prompts_per_forward" in str(caught.value)
    with pytest.raises(RuntimeError, match="size"), enough_memory("nothing"):
        torch.zeros(2) @ torch.zeros(3)


def test_tensorboard_holds_the_history(recipe: RewardRecipe) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    result = train_reward(changed(recipe, epochs=1))
    events = EventAccumulator(str(logs_folder(recipe.output)))
    events.Reload()
    seen = [(event.step, event.value) for event in events.Scalars("train/loss")]
    assert seen == [(step.step, pytest.approx(step.loss)) for step in result.history]


def test_the_report_shows_recipe_and_hashes_and_quotes_nobody(
    recipe: RewardRecipe, rankings_file: Path, tmp_path: Path
) -> None:
    train_reward(changed(recipe, epochs=1))
    page = (recipe.output / "report.html").read_text("utf-8")
    manifest = read_manifest(recipe.output)
    assert all(entry.sha256 in page for entry in manifest.inputs)
    assert all(name in page for name in ("prompts_per_batch", "label_smoothing", "lora.rank"))
    assert "多喝水" not in page and "头痛" not in page
    train_reward(changed(recipe, epochs=1, show_texts=True, output=tmp_path / "quoting"))
    assert "多喝水" in (tmp_path / "quoting" / "report.html").read_text("utf-8")


def test_runs_are_compared(
    recipe: RewardRecipe, tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, changes in (("a", {}), ("b", {"loss": "plackett-luce"})):
        train_reward(changed(recipe, epochs=1, output=tmp_path / name, **changes))
    comparison = compare_runs([tmp_path / "a", tmp_path / "b"])
    assert comparison.options == [("loss", "pairs", "plackett-luce")]
    assert comparison.inputs == []
    assert "test_accuracy" in "\n".join(lines_of(comparison))
    app = foundation.cli.group("test")
    training.cli.add_commands(app)
    page = tmp_path / "compare.html"
    told = ["train", "compare", str(tmp_path / "a"), str(tmp_path / "b"), "--out", str(page)]
    assert foundation.cli.run(app, told) == 0
    assert "plackett-luce" in capsys.readouterr().out
    assert "plackett-luce" in page.read_text("utf-8")
    for runs in ([tmp_path / "a"], [tmp_path / "a", tiny]):
        with pytest.raises(ZhongjingError):
            compare_runs(runs)


def test_what_changes_nothing_is_in_no_manifest(recipe: RewardRecipe) -> None:
    assert not {"checkpoint_every", "log_to", "show_texts", "output"} & parameters(recipe).keys()
