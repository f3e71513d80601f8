"""What a run says while it goes: `history.jsonl`, TensorBoard and, where asked for, wandb.

    with RunLog(recipe.output, RewardStep, recipe) as log:
        log.resume(checkpoints.step)         # drops the lines that the run will write again
        log.add(RewardStep(step=1, ...))     # a struct whose first field counts from 1
        log.text("samples", 1, "…")          # TensorBoard alone
        log.history                          # all steps so far, for the report

The history of a run under way lies in `OUTPUT.partial/`, TensorBoard's files stay in `OUTPUT.logs/`: they hold clocks
and never enter the output. Only the first of several processes writes.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Generic, TypeVar

import msgspec

from corpus.records import make_id
from foundation.errors import needs_extra
from foundation.jsonl import dump_json, read_records, write_records
from training.checkpoints import partial_folder
from training.recipes import RunOptions, flat, parameters
from training.runtime import machine

Step = TypeVar("Step", bound=msgspec.Struct)

HISTORY = "history.jsonl"


def logs_folder(output: Path) -> Path:
    """Where TensorBoard and wandb keep their files: `tensorboard --logdir` shows it."""
    return output.with_name(f"{output.name}.logs")


class RunLog(Generic[Step]):
    """The steps of one run, in memory, on the disk and in front of whoever watches."""

    def __init__(self, output: Path, kind: type[Step], recipe: RunOptions) -> None:
        self.history: list[Step] = []
        self._output, self._kind, self._recipe = output, kind, recipe
        self._path = partial_folder(output) / HISTORY
        self._counter = kind.__struct_fields__[0]
        self._watchers: list[Any] = []

    def resume(self, step: int) -> None:
        """Take over the first `step` steps of an interrupted run (0: none) and open everything for the next."""
        if step:
            self.history = [found for found in read_records(self._path, self._kind) if self._count(found) <= step]
        if not machine().is_main_process:
            return
        write_records(self._path, self.history)
        folder = logs_folder(self._output)
        if not step:
            shutil.rmtree(folder, ignore_errors=True)
        self._watchers = [WATCHERS[name](folder, step, self._output, self._recipe) for name in self._recipe.log_to]

    def add(self, step: Step) -> None:
        """Log one step; on return it is in the history file."""
        self.history.append(step)
        if not machine().is_main_process:
            return
        with self._path.open("ab") as stream:
            stream.write(dump_json(step) + b"\n")
        values = {
            name: float(value)
            for name, value in flat(msgspec.structs.asdict(step)).items()
            if isinstance(value, int | float) and name != self._counter
        }
        for watcher in self._watchers:
            watcher.scalars(values, self._count(step))

    def text(self, name: str, step: int, text: str) -> None:
        """Show a text, such as a sample of answers, beside the curves."""
        for watcher in self._watchers:
            watcher.text(name, text, step)

    def __enter__(self) -> RunLog[Step]:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for watcher in self._watchers:
            watcher.close()

    def _count(self, step: Step) -> int:
        return int(getattr(step, self._counter))


class _TensorBoard:
    """Curves and texts in TensorBoard's event files."""

    def __init__(self, folder: Path, step: int, _output: Path, _recipe: RunOptions) -> None:
        with needs_extra("train", "logging to TensorBoard"):
            from torch.utils.tensorboard import SummaryWriter

        self._writer: Any = SummaryWriter(str(folder), purge_step=step + 1)

    def scalars(self, values: dict[str, float], step: int) -> None:
        for name, value in values.items():
            self._writer.add_scalar(f"train/{name}", value, step)

    def text(self, name: str, text: str, step: int) -> None:
        self._writer.add_text(name, text, step)

    def close(self) -> None:
        self._writer.close()


class _WandB:
    """A run of Weights & Biases; WANDB_PROJECT, WANDB_MODE and the like are wandb's own."""

    def __init__(self, folder: Path, step: int, output: Path, recipe: RunOptions) -> None:
        with needs_extra("wandb", "logging to wandb"):
            import wandb

        folder.mkdir(parents=True, exist_ok=True)
        self._wandb: Any = wandb
        self._run: Any = wandb.init(
            dir=str(folder),
            name=output.name,
            id=make_id("run", str(output.resolve()), parameters(recipe)),
            config=parameters(recipe),
            resume="allow" if step else None,
        )

    def scalars(self, values: dict[str, float], step: int) -> None:
        self._run.log(values, step=step)

    def text(self, name: str, text: str, step: int) -> None:
        self._run.log({name: self._wandb.Html(f"<pre>{text}</pre>")}, step=step)

    def close(self) -> None:
        self._run.finish()


WATCHERS: dict[str, Callable[[Path, int, Path, RunOptions], Any]] = {"tensorboard": _TensorBoard, "wandb": _WandB}
