"""`train reward`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta

from training.recipes.options import (
    Count,
    Lora,
    Model,
    Natural,
    NotNegative,
    Positive,
    Precision,
    RunOptions,
    Share,
    hint,
)


class RewardRecipe(RunOptions, kw_only=True, frozen=True):
    """A reward model from rankings or from pairs: all pairs of a prompt are one element of a batch.

    The defaults follow InstructGPT (arXiv 2203.02155, C.2: one epoch, batches of 64 prompts, 9e-6 for all weights) but
    for the learning rate, which is what adapters need.
    """

    rankings: Annotated[Path | None, hint("rankings.jsonl of a release")] = None
    preferences: Annotated[Path | None, hint("or pairs: preferences.jsonl, or others' in TRL's explicit form")] = None
    model: Annotated[Model, hint("the model to start from, best the one that was fine-tuned (SFT)")]
    lora: Annotated[Lora | None, hint("null trains all weights")] = Lora()
    loss: Annotated[Literal["pairs", "plackett-luce"], hint("of each pair, or of the whole order")] = "pairs"
    margin: Annotated[NotNegative, hint("a pair's scores should differ by this x the experts' margin")] = 0.0
    label_smoothing: Annotated[float, Meta(ge=0, lt=0.5, description="chance that a pair is the wrong way round")] = 0.0
    centring: Annotated[NotNegative, hint("weight of the squared sum of a pair's scores; TRL suggests 0.01")] = 0.0
    weight_by_agreement: Annotated[bool, hint("weigh a pair by (wins - losses) / judgements")] = False
    epochs: Annotated[Count, hint("passes over the training prompts; more than one overfits early")] = 1
    learning_rate: Annotated[Positive, hint("peak of the linear warm-up and decay; all weights: 9e-6")] = 1e-4
    warmup: Annotated[Share, hint("share of the steps that warm up")] = 0.1
    weight_decay: Annotated[NotNegative, hint("of AdamW")] = 0.0
    prompts_per_batch: Annotated[Count, hint("prompts per step over all processes, each with all its pairs")] = 64
    prompts_per_forward: Annotated[Count, hint("prompts encoded at once by a process; less needs less memory")] = 8
    max_tokens: Annotated[Count, hint("limit of prompt and answer; the oldest turns go first")] = 1024
    max_grad_norm: Annotated[Positive, hint("gradients are clipped to this norm")] = 1.0
    precision: Annotated[Precision, hint("auto: bf16 on a GPU that has it, else float32")] = "auto"
    gradient_checkpointing: Annotated[bool, hint("compute activations twice, to hold fewer of them")] = False
    attention: Annotated[Literal["sdpa", "flex"], hint("kernel; flex needs a GPU")] = "sdpa"
    normalise_on: Annotated[Literal["reference", "all"], hint("whose training answers get mean 0, deviation 1")] = (
        "reference"
    )
    leave_one_out: Annotated[bool, hint("train once more without each expert, to judge on that expert")] = False
    seed: Annotated[Natural, hint("seed of the head, the adapters and the order of prompts")] = 0

    def __post_init__(self) -> None:
        if (self.rankings is None) == (self.preferences is None):
            raise ValueError("a reward recipe needs either `rankings` or `preferences`")
        if self.loss == "plackett-luce" and (self.margin or self.label_smoothing):
            raise ValueError("`margin` and `label_smoothing` are of pairs; plackett-luce has neither")
        if self.leave_one_out and self.rankings is None:
            raise ValueError("`leave_one_out` needs `rankings`: pairs do not say who judged")
