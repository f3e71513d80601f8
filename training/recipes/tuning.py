"""`train pretrain`, `train sft`, `train dpo` and `train rloo`: what TRL's trainers are asked for."""

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
    OpenShare,
    Positive,
    Precision,
    RunOptions,
    Share,
    hint,
)


class Tuning(RunOptions, kw_only=True, frozen=True):
    """What all of them share. A batch may be cut into passes and shared by processes: the gradient is that of all."""

    model: Annotated[Model, hint("the model to start from")]
    lora: Annotated[Lora | None, hint("null trains all weights")] = Lora()
    epochs: Annotated[Positive, hint("passes over the training rows")] = 1.0
    learning_rate: Annotated[Positive, hint("peak, after the warm-up")] = 5e-5
    schedule: Annotated[Literal["cosine", "linear", "constant"], hint("how it falls from there")] = "cosine"
    warmup: Annotated[Share, hint("share of the steps that warm up")] = 0.03
    weight_decay: Annotated[NotNegative, hint("of AdamW")] = 0.0
    batch: Annotated[Count, hint("rows per step, over all processes")] = 16
    rows_per_pass: Annotated[Count, hint("rows at once in a process; less needs less memory")] = 1
    max_grad_norm: Annotated[Positive, hint("gradients are clipped to this norm")] = 1.0
    precision: Annotated[Precision, hint("auto: bf16 on a GPU that has it, else float32")] = "auto"
    gradient_checkpointing: Annotated[bool, hint("compute activations twice: less memory, same result")] = False
    seed: Annotated[Natural, hint("seed of the adapters, the split and the order of rows")] = 0


class LanguageTuning(Tuning, kw_only=True, frozen=True):
    """What pre-training and fine-tuning share."""

    max_tokens: Annotated[Count, hint("tokens of a row; with packing, of several texts in one row")] = 2048
    packing: Annotated[bool, hint("several texts in one row, none of which sees another")] = True
    held_out: Annotated[OpenShare, hint("share of the texts kept to measure on")] = 0.02


class PretrainRecipe(LanguageTuning, kw_only=True, frozen=True):
    """Continued pre-training: every token counts, a text longer than a row goes on in another.

    The defaults are those published for Zhongjing (arXiv 2308.03549): adapters, 5e-5 with cosine decay, three epochs.
    """

    texts: Annotated[list[Path], Meta(min_length=1, description="rows {text}: JSON lines, or folders that hold them")]
    epochs: Annotated[Positive, hint("passes over the training rows")] = 3.0


class SFTRecipe(LanguageTuning, kw_only=True, frozen=True):
    """Supervised fine-tuning on conversations: the doctor's turns alone count."""

    mix: Annotated[
        list[Path], Meta(min_length=1, description="rows {messages, kind}: JSON lines, `corpus mix`, or versions")
    ]
    without: Annotated[tuple[str, ...], hint("kinds to leave out, for an ablation")] = ()
    epochs: Annotated[Positive, hint("passes over the training rows")] = 3.0


LanguageRecipe = PretrainRecipe | SFTRecipe


class DPORecipe(Tuning, kw_only=True, frozen=True):
    """Direct preference optimisation (arXiv 2305.18290) on the pairs of a release, without a reward model."""

    preferences: Annotated[Path, hint("preferences.jsonl of a release, or others' in TRL's explicit form")]
    learning_rate: Annotated[Positive, hint("peak, after the warm-up; all weights: 5e-7")] = 1e-5
    beta: Annotated[Positive, hint("how closely the reference is kept to")] = 0.1
    loss: Annotated[Literal["sigmoid", "ipo", "robust"], hint("of a pair: DPO, IPO, or DPO with smoothed labels")] = (
        "sigmoid"
    )
    label_smoothing: Annotated[float, Meta(ge=0, lt=0.5, description="chance that a pair is the wrong way round")] = 0.0
    max_tokens: Annotated[Count, hint("limit of prompt and answer; the oldest turns go first")] = 1024

    def __post_init__(self) -> None:
        if self.label_smoothing and self.loss != "robust":
            raise ValueError("`label_smoothing` is of `loss: robust`")


class RLOORecipe(Tuning, kw_only=True, frozen=True):
    """REINFORCE with a leave-one-out baseline (arXiv 2402.14740) against a reward model: no value function."""

    prompts: Annotated[Path, hint("prompts.jsonl")]
    reward_model: Annotated[Path, hint("folder written by `train reward`")]
    held_out: Annotated[OpenShare, hint("share of prompts kept for the evaluation, whole dialogues")] = 0.25
    samples: Annotated[Count, hint("answers per held-out prompt, before and after")] = 4
    answers: Annotated[int, Meta(ge=2, description="answers per prompt; each is measured against the others")] = 4
    epochs: Annotated[Positive, hint("passes over the training prompts")] = 1.0
    batch: Annotated[Count, hint("answers per step, over all processes: a multiple of `answers`")] = 64
    rows_per_pass: Annotated[Count, hint("answers at once in a process; less needs less memory")] = 8
    learning_rate: Annotated[Positive, hint("peak, after the warm-up")] = 1e-5
    beta: Annotated[NotNegative, hint("weight of the KL penalty")] = 0.05
    temperature: Annotated[Positive, hint("of the answers")] = 0.7
    max_new_tokens: Annotated[Count, hint("an answer is cut here")] = 256
    max_prompt_tokens: Annotated[Count, hint("longer prompts lose their oldest turns")] = 1024

    def __post_init__(self) -> None:
        if self.batch % self.answers:
            raise ValueError("`batch` must be a multiple of `answers`: all answers to a prompt belong to one step")

    @property
    def stop_token(self) -> None:
        """An answer ends at the end of sequence."""
