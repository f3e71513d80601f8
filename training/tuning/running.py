"""Around a trainer of TRL: its arguments, a history and checkpoints like those of our own trainers.

A checkpoint counts when our mark is in it, which is written last: what a killed run left half written is swept.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import msgspec

from foundation.cli import warn
from foundation.errors import ZhongjingError, needs_extra
from foundation.files import new_file
from foundation.manifest import FileEntry
from foundation.progress import Steps
from training.adapters import configuration
from training.checkpoints import Identity, identity, partial_folder, refuse_other, start_afresh
from training.logs import RunLog
from training.models import load_causal, model_folder
from training.recipes.tuning import Tuning
from training.runtime import device, enough_memory, machine, mixed_precision, prepare, training_progress, uses_bf16

with needs_extra("train", "training"):
    import datasets
    from transformers import PrinterCallback, TrainerCallback

MARK = "zhongjing.json"
NO_FIGURES = {"loss", "grad_norm", "learning_rate", "epoch", "num_tokens", "step_time"}
MEMORY = "rows_per_pass or max_tokens, set gradient_checkpointing: true, train adapters (lora) of a lower rank"


class TuneStep(msgspec.Struct, frozen=True, kw_only=True):
    """A line of `history.jsonl`. The norm is that before clipping; `figures` are what this kind of training adds."""

    step: int
    epoch: float
    loss: float
    gradient_norm: float
    learning_rate: float
    figures: dict[str, float] = {}


class Mark(msgspec.Struct, frozen=True):
    """What a whole checkpoint is of."""

    identity: Identity


def ready(recipe: Tuning, *, afresh: bool) -> Path:
    """Set libraries up and find or build the model to start from; returns its folder."""
    prepare()
    datasets.disable_progress_bars()
    with machine().main_process_first():
        base = model_folder(recipe.model, recipe.output)
        if afresh:
            start_afresh(recipe.output)
    return base


def starting(recipe: Tuning, base: Path) -> tuple[Any, Any, Any]:
    """The model to train, its tokenizer, and what its adapters are to be (None: all weights are trained)."""
    dtype = "bfloat16" if recipe.lora and uses_bf16(recipe.precision) else "float32"
    with enough_memory(MEMORY):
        model, tokenizer = load_causal(base, recipe.model.chat_template, dtype=dtype)
    return model, tokenizer, configuration(recipe.lora) if recipe.lora else None


def arguments(recipe: Tuning) -> dict[str, Any]:
    """What every trainer of TRL is told. Accumulation is what is left of the batch after passes and processes."""
    at_once = recipe.rows_per_pass * machine().num_processes
    if recipe.batch % at_once:
        raise ZhongjingError(
            f"a batch of {recipe.batch} cannot be cut into passes of {recipe.rows_per_pass} in "
            f"{machine().num_processes} processes",
            hint=f"make batch a multiple of {at_once}",
        )
    return {
        "output_dir": str(partial_folder(recipe.output)),
        "num_train_epochs": recipe.epochs,
        "learning_rate": recipe.learning_rate,
        "lr_scheduler_type": {"constant": "constant_with_warmup"}.get(recipe.schedule, recipe.schedule),
        "warmup_steps": recipe.warmup,
        "weight_decay": recipe.weight_decay,
        "max_grad_norm": recipe.max_grad_norm,
        "per_device_train_batch_size": recipe.rows_per_pass,
        "gradient_accumulation_steps": recipe.batch // at_once,
        "gradient_checkpointing": recipe.gradient_checkpointing,
        "bf16": mixed_precision(recipe.precision) == "bf16",
        "seed": recipe.seed,
        "save_steps": recipe.checkpoint_every,
        "save_total_limit": 2,
        "logging_steps": 1,
        "logging_nan_inf_filter": False,
        "use_cpu": device().type == "cpu",
        "ddp_find_unused_parameters": False,
        "dataloader_pin_memory": device().type == "cuda",
        "report_to": "none",
        "disable_tqdm": True,
    }


def run(
    make: Callable[[Any], Any],
    recipe: Tuning,
    inputs: Mapping[str, FileEntry],
    description: str,
) -> tuple[Any, list[TuneStep]]:
    """Train to the end, from the last checkpoint where there is one; returns the model, adapters merged, in evaluation
    mode, and its history. `make` builds the trainer around a callback. The caller removes the partial folder."""
    known = identity(recipe, inputs)
    last = _last_checkpoint(partial_folder(recipe.output), known)
    with enough_memory(MEMORY), RunLog(recipe.output, TuneStep, recipe) as log, ExitStack() as stack:
        trainer = make(Watch(log, known, lambda steps: stack.enter_context(training_progress(description, steps))))
        trainer.remove_callback(PrinterCallback)
        log.resume(int(last.name.rpartition("-")[2]) if last else 0)
        trainer.train(resume_from_checkpoint=str(last) if last else None)
    model = trainer.accelerator.unwrap_model(trainer.model)
    merged = model.merge_and_unload() if recipe.lora else model
    return merged.eval(), log.history


class Watch(TrainerCallback):  # type: ignore[misc]
    """Keeps the history, moves the bar, stops at what is no number, and marks checkpoints that are whole."""

    def __init__(self, log: RunLog[TuneStep], known: Identity, start_bar: Callable[[int], Steps]) -> None:
        self.log, self.known, self.start_bar = log, known, start_bar
        self.bar = Steps()

    def on_train_begin(self, _args: Any, state: Any, _control: Any, **_: Any) -> None:
        """The number of steps is known from here on."""
        self.bar = self.start_bar(state.max_steps)
        self.bar.advance(state.global_step)

    def on_log(self, _args: Any, state: Any, _control: Any, logs: dict[str, float], **_: Any) -> None:
        """Called once a step, before a checkpoint is written, and at the end with a summary that is not one."""
        if "loss" not in logs:
            return
        step = TuneStep(
            step=state.global_step,
            epoch=float(state.epoch),
            loss=float(logs["loss"]),
            gradient_norm=float(logs.get("grad_norm", 0.0)),
            learning_rate=float(logs["learning_rate"]),
            figures={name: float(value) for name, value in logs.items() if name not in NO_FIGURES},
        )
        if not (math.isfinite(step.loss) and math.isfinite(step.gradient_norm)):
            raise ZhongjingError(
                f"the loss or its gradient is not a finite number at step {step.step}",
                hint="the last checkpoint is kept; lower learning_rate and start anew with --afresh",
            )
        self.log.add(step)
        self.bar.advance()
        self.bar.say(f"step {step.step}, loss {step.loss:.3f}")

    def on_save(self, args: Any, state: Any, _control: Any, **_: Any) -> None:
        """The checkpoint is whole now."""
        if machine().is_main_process:
            with new_file(Path(args.output_dir) / f"checkpoint-{state.global_step}" / MARK) as temporary:
                temporary.write_bytes(msgspec.json.encode(Mark(self.known)))


def finish(recipe: Tuning) -> None:
    """The output stands for the run now: nothing beside it is needed."""
    machine().wait_for_everyone()
    if machine().is_main_process:
        start_afresh(recipe.output)


def _last_checkpoint(folder: Path, known: Identity) -> Path | None:
    """The newest whole checkpoint; half ones are removed, one of another recipe or of other data is refused."""
    found = {int(path.name.rpartition("-")[2]): path for path in folder.glob("checkpoint-*")}
    whole = {step: path for step, path in found.items() if (path / MARK).is_file()}
    if machine().is_main_process:
        for step in found.keys() - whole.keys():
            shutil.rmtree(found[step], ignore_errors=True)
    if not whole:
        return None
    last = whole[max(whole)]
    refuse_other(msgspec.json.decode((last / MARK).read_bytes(), type=Mark).identity, known, last)
    if machine().is_main_process:
        warn(f"{folder}: going on after step {max(whole)} of an interrupted run")
    return last
