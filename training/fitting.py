"""The optimisation of a reward model: from a base and encoded prompts to trained weights, resumable at any step.

One process or many: every process takes its share of each batch, and the gradient is that of the mean over all its
prompts, as if one process had taken them all.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from foundation.errors import ZhongjingError, needs_extra
from training.adapters import Adapter, adapted, adapter_of
from training.checkpoints import Checkpoints, Identity
from training.examples import Example
from training.logs import RunLog
from training.losses import prompt_losses
from training.models import load_classifier
from training.packing import Row, Scorer, collate
from training.recipes import RewardRecipe
from training.runtime import accelerator, device, enough_memory, seeded, training_progress, uses_bf16

with needs_extra("train", "training a reward model"):
    import torch
    from accelerate import DistributedType
    from torch import Tensor

SPREAD = (DistributedType.FSDP, DistributedType.DEEPSPEED)
MEMORY = "prompts_per_forward or max_tokens, set gradient_checkpointing: true, train adapters (lora) of a lower rank"


class RewardStep(msgspec.Struct, frozen=True, kw_only=True):
    """A line of `history.jsonl`: one optimiser step over the whole batch. The norm is that before clipping."""

    step: int
    epoch: int
    loss: float
    gradient_norm: float
    learning_rate: float


class Fit(msgspec.Struct, frozen=True):
    """A trained classifier with its adapter merged, the adapter by itself where there is one, and how it went."""

    model: Any
    tokenizer: Any
    adapter: Adapter | None
    history: list[RewardStep]


class Learner:
    """Model, optimiser and schedule under way, wrapped for one process or many."""

    def __init__(self, base: Path, recipe: RewardRecipe, steps: int) -> None:
        self.worker = accelerator(recipe.precision)
        model, self.tokenizer = trainable(base, recipe)
        self.scorer: Any = Scorer(model)
        weights = [weight for weight in self.scorer.parameters() if weight.requires_grad]
        optimizer = torch.optim.AdamW(weights, lr=recipe.learning_rate, weight_decay=recipe.weight_decay)
        self.scorer, self.optimizer = self.worker.prepare(self.scorer, optimizer)
        self.schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: slope(step, steps, recipe.warmup))
        self.recipe = recipe

    def step(self, examples: Sequence[Example], rows: Sequence[Row]) -> tuple[float, float]:
        """One step on a batch; returns its mean loss and the norm of its gradient, both before the step.

        Where either is not a finite number no step is made, and `NotFiniteError` names the prompts.
        """
        self.optimizer.zero_grad()
        losses = self._gradient(examples, rows)
        norm = float(self.worker.clip_grad_norm_(self.scorer.parameters(), self.recipe.max_grad_norm) or 0.0)
        losses = self.worker.reduce(losses, "sum")
        if not losses.isfinite().all() or not math.isfinite(norm):
            raise NotFiniteError(_spoilt(examples, losses))
        self.optimizer.step()
        self.schedule.step()
        return losses.mean().item(), norm

    def _gradient(self, examples: Sequence[Example], rows: Sequence[Row]) -> Tensor:
        """Add up the gradient of this process's share, a few prompts at once; returns the losses it computed, (B,)
        and 0 at the places of others."""
        computed = torch.zeros(len(rows), device=device())
        parts = list(shares(len(rows), self.worker.process_index, self.worker.num_processes, self.recipe))
        for number, (places, counts) in enumerate(parts, start=1):
            joined = contextlib.nullcontext() if number == len(parts) else self.worker.no_sync(self.scorer)
            with joined, enough_memory(MEMORY):
                scores = self.scorer(collate([rows[place] for place in places], device()))
                losses = prompt_losses(scores, [examples[place] for place in places], self.recipe)
                losses = losses.where(torch.tensor(counts, device=device()), 0.0)
                self.worker.backward(losses.sum() * self.worker.num_processes / len(rows))
            computed.index_add_(0, torch.tensor(places, device=device()), losses.detach())
        return computed


class NotFiniteError(ArithmeticError):
    """A loss or a gradient is not a finite number; `examples` are those to look at."""

    def __init__(self, examples: Sequence[Example]) -> None:
        super().__init__("not a finite number")
        self.examples = examples


def fit(
    recipe: RewardRecipe, base: Path, examples: Sequence[Example], rows: Sequence[Row], place: Path, identity: Identity
) -> Fit:
    """Train on all examples, going on from the checkpoint at `place` where there is one.

    The caller removes the checkpoint when what it wants to keep is written.
    """
    batches = list(batches_of(len(rows), recipe))
    learner = Learner(base, recipe, len(batches))
    checkpoints = Checkpoints(place, identity)
    checkpoints.load(learner.scorer, learner.optimizer, learner.schedule)
    with RunLog(place, RewardStep, recipe) as log, training_progress("training the reward model", len(batches)) as bar:
        log.resume(checkpoints.step)
        bar.advance(checkpoints.step)
        for number, (epoch, places) in enumerate(batches[checkpoints.step :], start=checkpoints.step + 1):
            rate = float(learner.schedule.get_last_lr()[0])
            try:
                loss, norm = learner.step([examples[place] for place in places], [rows[place] for place in places])
            except NotFiniteError as error:
                raise _stopped(number, error.examples, checkpoints) from error
            log.add(RewardStep(step=number, epoch=epoch, loss=loss, gradient_norm=norm, learning_rate=rate))
            if number % recipe.checkpoint_every == 0 or number == len(batches):
                checkpoints.save(number, learner.scorer, learner.optimizer, learner.schedule)
            bar.advance()
            bar.say(f"training the reward model, loss {loss:.3f}")
    model = gathered(learner, base, recipe)
    adapter = adapter_of(model) if recipe.lora else None
    return Fit((model.merge_and_unload() if recipe.lora else model).eval(), learner.tokenizer, adapter, log.history)


def trainable(base: Path, recipe: RewardRecipe) -> tuple[Any, Any]:
    """The base with a new head, and an adapter where the recipe has one, without dropout; and its tokenizer.

    A frozen base is held in bfloat16 where products are; weights that are trained are always in float32.
    """
    dtype = "bfloat16" if recipe.lora and uses_bf16(recipe.precision) else "float32"
    with seeded(recipe.seed, 1), enough_memory(MEMORY):
        template = recipe.model.chat_template
        model, tokenizer = load_classifier(base, recipe.attention, dtype=dtype, chat_template=template)
        model = adapted(model, recipe.lora) if recipe.lora else model
    if recipe.gradient_checkpointing:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
        model.train()
        for module in model.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0
    return model, tokenizer


def gathered(learner: Learner, base: Path, recipe: RewardRecipe) -> Any:
    """The trained model in one piece: where its weights are spread over processes, a copy of the first one's own."""
    if learner.worker.distributed_type not in SPREAD:
        return learner.worker.unwrap_model(learner.scorer).model
    weights = learner.worker.get_state_dict(learner.scorer)
    model, _ = trainable(base, recipe)
    Scorer(model).load_state_dict(weights or {}, strict=False)
    return model


def batches_of(count: int, recipe: RewardRecipe) -> Iterator[tuple[int, list[int]]]:
    """Epoch (from 1) and places of each step's prompts, in another order every epoch."""
    random = np.random.default_rng(recipe.seed)
    for epoch in range(1, recipe.epochs + 1):
        order = random.permutation(count).tolist()
        for start in range(0, count, recipe.prompts_per_batch):
            yield epoch, order[start : start + recipe.prompts_per_batch]


def shares(count: int, process: int, processes: int, recipe: RewardRecipe) -> Iterator[tuple[list[int], list[bool]]]:
    """The places that one process takes of a batch, a few at once, and whether each counts.

    All processes make as many forwards: one that runs short takes places again that do not count.
    """
    each = math.ceil(count / processes)
    places = [process + processes * number for number in range(each)]
    for start in range(0, each, recipe.prompts_per_forward):
        part = places[start : start + recipe.prompts_per_forward]
        yield [place % count for place in part], [place < count for place in part]


def slope(step: int, steps: int, warmup: float) -> float:
    """Learning rate's share of its peak: linearly up during `warmup`, then linearly down."""
    rise = max(1, round(steps * warmup))
    return (step + 1) / rise if step < rise else (steps - step) / max(1, steps - rise)


def _spoilt(examples: Sequence[Example], losses: Tensor) -> list[Example]:
    """Those whose own loss is not a finite number; all, where it is the gradient alone."""
    spoilt = [example for example, loss in zip(examples, losses.tolist(), strict=True) if not math.isfinite(loss)]
    return spoilt or list(examples)


def _stopped(step: int, examples: Sequence[Example], checkpoints: Checkpoints) -> ZhongjingError:
    rows = ", ".join(f"line {example.line} ({example.prompt_id})" for example in examples)
    kept = f"the checkpoint of step {checkpoints.step} is kept" if checkpoints.step else "there is no checkpoint yet"
    return ZhongjingError(
        f"the loss or its gradient is not a finite number at step {step}, rows: {rows}",
        hint=f"{kept}; look at these rows, or lower learning_rate and start anew with --afresh",
    )
