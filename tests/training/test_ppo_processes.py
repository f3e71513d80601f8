"""Two processes (gloo) through accelerate do what one does with the same global batch."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
import yaml
from accelerate import DistributedType

from foundation.errors import ZhongjingError
from foundation.jsonl import read_records
from training.guards import refuse_spread, refuse_uneven
from training.policy import PPOStep, SamplePair
from training.ppo import train_ppo
from training.recipes import PPORecipe

TORCHRUN = ["-m", "torch.distributed.run", "--nproc_per_node", "2", "--standalone"]
SHARED = """
import sys
from training.runtime import machine
from zhongjing import main

assert machine().num_processes == 2
sys.exit(main())
"""


def test_two_processes_learn_what_one_does(ppo_recipe: PPORecipe, tmp_path: Path) -> None:
    recipe = msgspec.structs.replace(
        ppo_recipe,
        iterations=3,
        epochs=2,
        samples=1,
        rows_per_pass=2,
        learning_rate=1e-3,
        checkpoint_every=2,
    )
    alone = train_ppo(recipe)
    options = msgspec.to_builtins(msgspec.structs.replace(recipe, output=tmp_path / "shared" / "policy"), enc_hook=str)
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(options), "utf-8")
    (tmp_path / "shared.py").write_text(SHARED, "utf-8")
    command = [sys.executable, *TORCHRUN, str(tmp_path / "shared.py"), "train", "ppo", str(tmp_path / "recipe.yaml")]
    environment = os.environ | {"ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("policy written to") == 1
    folder = tmp_path / "shared" / "policy"
    history = list(read_records(folder / "history.jsonl", PPOStep))
    assert len(history) == 3
    for one, two in zip(alone.history, history, strict=True):
        for name in PPOStep.__struct_fields__:
            assert getattr(two, name) == pytest.approx(getattr(one, name), abs=1e-5), name
    assert [step.first_ratio_deviation for step in history] == [0.0] * 3
    first, second = (list(read_records(path / "samples.jsonl", SamplePair)) for path in (recipe.output, folder))
    assert [pair.before for pair in first] == [pair.before for pair in second]


def test_weights_that_are_spread_over_processes_are_refused() -> None:
    refuse_spread(DistributedType.MULTI_GPU)
    for kind in (DistributedType.FSDP, DistributedType.DEEPSPEED):
        with pytest.raises(ZhongjingError, match=kind.value):
            refuse_spread(kind)


def test_a_batch_that_cannot_be_shared_is_refused(ppo_recipe: PPORecipe) -> None:
    refuse_uneven(ppo_recipe, 4)
    with pytest.raises(ZhongjingError, match="3 processes cannot share"):
        refuse_uneven(ppo_recipe, 3)
    with pytest.raises(ZhongjingError, match="cannot share"):
        refuse_uneven(msgspec.structs.replace(ppo_recipe, episodes=17), 2)
