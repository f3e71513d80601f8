"""Weights spread over two processes by FSDP2 (gloo, on a CPU): the losses and the model of one process.

`accelerate launch` knows no FSDP without a GPU, so the program says that its two processes are such as have one; all
that follows is the real thing: weights are DTensors, gradients reduced and scattered, checkpoints gathered.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
import torch
from transformers import AutoModelForSequenceClassification

from foundation.jsonl import read_records
from training.fitting import RewardStep
from training.recipes import Lora, Model, RewardRecipe
from training.reward import train_reward

PROGRAM = """
import json, sys
from pathlib import Path
import msgspec
from accelerate import DistributedType
from accelerate.state import PartialState

PartialState(cpu=True).distributed_type = DistributedType.MULTI_GPU
import training.fitting, training.logs
from training.recipes import RewardRecipe
from training.reward import train_reward

add, gathered = training.logs.RunLog.add, training.fitting.gathered

def interrupted(self, step):
    add(self, step)
    if step.step == 4:
        raise KeyboardInterrupt

def told(learner, *rest):
    kinds = {type(weight).__name__ for weight in learner.scorer.parameters()}
    print(learner.worker.distributed_type.value, *kinds, flush=True)
    return gathered(learner, *rest)

training.fitting.gathered = told
for number, options in enumerate(json.loads(sys.argv[1])):
    recipe = msgspec.convert(options, RewardRecipe, dec_hook=lambda _, value: Path(value))
    if number == 0:
        training.logs.RunLog.add = interrupted
        try:
            train_reward(recipe)
        except KeyboardInterrupt:
            training.logs.RunLog.add = add
    train_reward(recipe)
"""
FSDP = {
    "ACCELERATE_USE_CPU": "true",
    "ACCELERATE_USE_FSDP": "true",
    "FSDP_VERSION": "2",
    "FSDP_RESHARD_AFTER_FORWARD": "true",
    "FSDP_AUTO_WRAP_POLICY": "TRANSFORMER_BASED_WRAP",
    "FSDP_STATE_DICT_TYPE": "FULL_STATE_DICT",
    "FSDP_CPU_RAM_EFFICIENT_LOADING": "false",
    "FSDP_OFFLOAD_PARAMS": "false",
    "OMP_NUM_THREADS": "1",
}
TORCHRUN = ["-m", "torch.distributed.run", "--nproc_per_node", "2", "--standalone"]


def test_spread_weights_learn_what_whole_ones_do(rankings_file: Path, tiny: Path, tmp_path: Path) -> None:
    """All weights, interrupted at step 4 and gone on with from the checkpoint of step 2; then adapters."""
    recipe = RewardRecipe(
        rankings=rankings_file,
        output=tmp_path / "whole",
        model=Model(path=tiny),
        lora=None,
        epochs=1,
        learning_rate=1e-3,
        prompts_per_batch=7,
        prompts_per_forward=2,
        checkpoint_every=2,
        log_to=(),
    )
    recipes = [recipe, msgspec.structs.replace(recipe, output=tmp_path / "adapters", lora=Lora(rank=4, alpha=8.0))]
    alone = [train_reward(one) for one in recipes]
    spread = [msgspec.structs.replace(one, output=tmp_path / "spread" / one.output.name) for one in recipes]
    (tmp_path / "program.py").write_text(PROGRAM, "utf-8")
    options = json.dumps([msgspec.to_builtins(one, enc_hook=str) for one in spread])
    command = [sys.executable, *TORCHRUN, str(tmp_path / "program.py"), options]
    done = subprocess.run(command, env=os.environ | FSDP, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "FSDP DTensor" in done.stdout
    assert "going on after step 2" in done.stderr
    for one, shared in zip(alone, spread, strict=True):
        history = list(read_records(shared.output / "history.jsonl", RewardStep))
        assert [step.loss for step in history] == pytest.approx([step.loss for step in one.history], abs=1e-5)
        first, second = (
            AutoModelForSequenceClassification.from_pretrained(path) for path in (one.folder, shared.output)
        )
        for (name, weight), other in zip(first.named_parameters(), second.parameters(), strict=True):
            assert torch.allclose(weight, other, atol=1e-4), name
