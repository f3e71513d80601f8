"""Killed at any point, a run goes on to the same numbers to the last digit."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from foundation.errors import ZhongjingError
from foundation.manifest import read_manifest
from training.checkpoints import partial_folder
from training.ppo import train_ppo
from training.recipes import Lora, PPORecipe, parameters

# One process that forks: a child trains and kills itself with SIGKILL at the n-th call of a function; the last child is
# let through. Importing torch once instead of seven times is what the fork is for.
PROGRAM = """
import json, os, signal, sys
from pathlib import Path
import msgspec
import training.actor, training.checkpoints, training.policy, training.ppo
from training.recipes import PPORecipe

options, kills = json.loads(sys.argv[1]), json.loads(sys.argv[2])
recipe = msgspec.convert(options, PPORecipe, dec_hook=lambda _, value: Path(value))
PLACES = {
    "update": (training.ppo.Trainer, "descend"),
    "rollout": (training.ppo.Trainer, "note"),
    "half-written checkpoint": (training.checkpoints.torch, "save"),
    "after a step was logged": (training.ppo.RunLog, "add"),
    "evaluation": (training.policy, "sample"),
    "half-written policy": (training.policy, "write_policy_report"),
}

def deadly(place, count):
    owner, name = PLACES[place]
    original, calls = getattr(owner, name), []
    def killing(*arguments, **named):
        calls.append(1)
        if len(calls) < count:
            return original(*arguments, **named)
        if place == "half-written checkpoint":
            Path(arguments[1]).write_bytes(b"PK half")
        elif place == "after a step was logged":
            original(*arguments, **named)
        os.kill(os.getpid(), signal.SIGKILL)
    setattr(owner, name, killing)

for place, count in [*kills, [None, 0]]:
    child = os.fork()
    if not child:
        if place:
            deadly(place, count)
        training.ppo.train_ppo(recipe)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    print(place, os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.waitstatus_to_exitcode(status), flush=True)
"""
KILLS = [
    ["rollout", 1],
    ["update", 13],
    ["half-written checkpoint", 2],
    ["after a step was logged", 2],
    ["evaluation", 1],
    ["half-written policy", 1],
]


@pytest.fixture
def recipe(ppo_recipe: PPORecipe, version: Path) -> PPORecipe:
    return msgspec.structs.replace(
        ppo_recipe,
        iterations=6,
        epochs=2,
        samples=1,
        checkpoint_every=1,
        kl_target=0.5,
        kl_horizon=200.0,
        ema=0.9,
        ptx=version,
        ptx_coefficient=0.1,
        adam_epsilon_hat=True,
    )


def test_killed_at_six_points_the_run_ends_with_the_same_bytes(recipe: PPORecipe, tmp_path: Path) -> None:
    killed = msgspec.structs.replace(recipe, output=tmp_path / "killed" / "policy")
    options = json.dumps({name: as_json(getattr(killed, name)) for name in killed.__struct_fields__})
    program = [sys.executable, "-c", PROGRAM, options, json.dumps(KILLS)]
    done = subprocess.run(program, capture_output=True, text=True, timeout=300)
    assert done.stdout.splitlines() == [f"{place} 9" for place, _ in KILLS] + ["None 0"], done.stderr
    assert done.stderr.count("going on after step") == 5
    assert not partial_folder(killed.output).exists()
    whole = msgspec.structs.replace(recipe, output=tmp_path / "whole" / "policy")
    train_ppo(whole)
    for name in ("history.jsonl", "samples.jsonl", "metrics.json", "model.safetensors"):
        assert (killed.output / name).read_bytes() == (whole.output / name).read_bytes(), name
    assert read_manifest(killed.output).sha256 == read_manifest(whole.output).sha256


def test_a_checkpoint_of_another_recipe_is_refused_with_the_difference(
    recipe: PPORecipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    import training.ppo

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(training.ppo, "conclude", interrupted)
        train_ppo(recipe)
    changed = msgspec.structs.replace(recipe, clip=0.3, lora=Lora(rank=4, alpha=16.0))
    with pytest.raises(ZhongjingError) as caught:
        train_ppo(changed)
    told = str(caught.value)
    assert "clip: 0.2 in the checkpoint, 0.3 now" in told and "lora.rank: 8 in the checkpoint, 4 now" in told
    assert "--afresh" in told
    assert "learning_rate" not in told
    assert train_ppo(changed, afresh=True).metrics.iterations == 6


def as_json(value: object) -> object:
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, msgspec.Struct):
        return {name: as_json(getattr(value, name)) for name in value.__struct_fields__}
    return value


def test_the_identity_holds_every_option_that_changes_the_result(recipe: PPORecipe) -> None:
    kept = {"output", "prompts", "model", "reward_model", "ptx", "checkpoint_every", "log_to", "show_texts", "server"}
    assert set(recipe.__struct_fields__) - set(parameters(recipe)) <= kept
