"""Checkpoints of a training run: one file in `OUTPUT.partial/` beside the output, whole at any moment.

    checkpoints = Checkpoints(recipe.output, identity(recipe, {"rankings": entry_of(recipe.rankings)}))
    extra = checkpoints.load(model, optimizer, schedule)   # {} where there is none: start at step 0
    for step in range(checkpoints.step + 1, steps + 1):
        ...
        checkpoints.save(step, model, optimizer, schedule, extra={"kl_coefficient": 0.05})
    checkpoints.remove()                                   # the output stands for it now

A checkpoint holds the trained weights (frozen ones are in the base), the optimiser, the schedule, the random states
of torch, numpy and Python in every process, the step, what the caller adds as `extra` (tensors, numbers, strings and
containers of them), and the identity of its run, so that a run that was killed goes on with the same losses to the
last digit, and a run of another recipe or other data is refused with the difference.
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from foundation.cli import warn
from foundation.errors import ZhongjingError, needs_extra
from foundation.files import new_file
from foundation.manifest import FileEntry
from training.recipes import RunOptions, flat, parameters
from training.runtime import machine

with needs_extra("train", "training"):
    import torch
    from accelerate import DistributedType
    from accelerate.utils import gather_object
    from torch.distributed.checkpoint.state_dict import StateDictOptions, get_state_dict, set_state_dict

NAME = "checkpoint.pt"
NOTHING: Mapping[str, Any] = MappingProxyType({})
Identity = dict[str, Any]


def partial_folder(output: Path) -> Path:
    """Where a run keeps its checkpoint and its history until the output is complete."""
    return output.with_name(f"{output.name}.partial")


def identity(recipe: RunOptions, inputs: Mapping[str, FileEntry]) -> Identity:
    """All that a run's result depends on, flat: its options and the SHA-256 of its inputs."""
    return flat(parameters(recipe)) | {f"{name} (SHA-256)": entry.sha256 for name, entry in inputs.items()}


def start_afresh(output: Path) -> None:
    """Forget an interrupted run."""
    shutil.rmtree(partial_folder(output), ignore_errors=True)


def refuse_other(found: Identity, known: Identity, where: Path) -> None:
    """Raise where a checkpoint is `found` to be of another run than the one that is `known`, with the differences."""
    names = [name for name in {**found, **known} if found.get(name) != known.get(name)]
    if names:
        told = [f"{name}: {found.get(name)} in the checkpoint, {known.get(name)} now" for name in names]
        raise ZhongjingError(
            "the checkpoint here is of another recipe or of other data:\n    " + "\n    ".join(told),
            where=where,
            hint="put these back to go on with it, or start anew with --afresh",
        )


class Checkpoints:
    """The checkpoint of the run that writes `output`; `step` is the last one it holds, 0 where there is none."""

    def __init__(self, output: Path, identity: Identity) -> None:
        self.path = partial_folder(output) / NAME
        self.identity = identity
        self.step = 0

    def save(self, step: int, model: Any, optimizer: Any, schedule: Any, extra: Mapping[str, Any] = NOTHING) -> None:
        """Replace the checkpoint by one of this moment; all processes call it, the first one writes.

        DeepSpeed spreads its state in a way of its own: there is no checkpoint then, and `load` has said so.
        """
        if _deepspeed():
            return
        whole = StateDictOptions(full_state_dict=True, cpu_offload=True, ignore_frozen_params=True)
        weights, optimizer_state = get_state_dict(model, optimizer, options=whole)
        randoms = gather_object([_random_state()])
        if machine().is_main_process:
            state = {
                "identity": self.identity,
                "step": step,
                "weights": weights,
                "optimizer": optimizer_state,
                "schedule": schedule.state_dict(),
                "random": randoms,
                "extra": dict(extra),
            }
            with new_file(self.path) as temporary:
                torch.save(state, temporary)
        self.step = step

    def load(self, model: Any, optimizer: Any, schedule: Any) -> dict[str, Any]:
        """Put a run back to where its checkpoint was taken; returns `extra`. Nothing happens where there is none.

        Raises `ZhongjingError` with the differences where the checkpoint is of another recipe or of other data.
        """
        if _deepspeed():
            warn("no checkpoints under DeepSpeed: an interrupted run starts anew (under DDP and FSDP it goes on)")
        if _deepspeed() or not self.path.is_file():
            return {}
        state = self._read()
        refuse_other(state["identity"], self.identity, self.path)
        set_state_dict(
            model,
            optimizer,
            model_state_dict=state["weights"],
            optim_state_dict=state["optimizer"],
            options=StateDictOptions(full_state_dict=True, strict=False),
        )
        schedule.load_state_dict(state["schedule"])
        _restore_random(state["random"])
        self.step = state["step"]
        if machine().is_main_process:
            warn(f"{self.path.parent}: going on after step {self.step} of an interrupted run")
        extra: dict[str, Any] = state["extra"]
        return extra

    def remove(self) -> None:
        """The run is complete: nothing of it is needed beside the output."""
        machine().wait_for_everyone()
        if machine().is_main_process:
            shutil.rmtree(self.path.parent, ignore_errors=True)

    def _read(self) -> dict[str, Any]:
        try:
            state: dict[str, Any] = torch.load(self.path, map_location="cpu", weights_only=True)
            return state
        except Exception as error:
            raise ZhongjingError(
                f"this checkpoint cannot be read ({type(error).__name__})", where=self.path, hint="--afresh starts anew"
            ) from error


def _deepspeed() -> bool:
    return bool(machine().distributed_type == DistributedType.DEEPSPEED)


def _random_state() -> dict[str, Any]:
    """The states of all generators, in types that load without trust."""
    name, keys, *rest = np.random.get_state()
    numpy = [str(name), np.asarray(keys).tolist(), *rest]
    state = {"torch": torch.get_rng_state(), "numpy": numpy, "python": random.getstate()}
    return state | ({"cuda": torch.cuda.get_rng_state()} if torch.cuda.is_available() else {})


def _restore_random(states: list[dict[str, Any]]) -> None:
    if len(states) != machine().num_processes:
        warn(f"this run had {len(states)} processes before: it goes on, though not with the very same random numbers")
    state = states[machine().process_index % len(states)]
    torch.set_rng_state(state["torch"])
    np.random.set_state(tuple(state["numpy"]))
    random.setstate(state["python"])
    if "cuda" in state and torch.cuda.is_available():
        torch.cuda.set_rng_state(state["cuda"])
