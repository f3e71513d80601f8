"""The reward model: trained on all pairs of a prompt at once, measured on prompts it has not seen."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from foundation.errors import ZhongjingError, needs_extra
from foundation.files import new_folder
from foundation.jsonl import write_records
from foundation.manifest import claim_folder, entry_of, write_manifest
from foundation.progress import progress
from training.measures import interval, kendall_tau, mean, pair_hits
from training.models import entry_of_model, load_classifier, model_folder, save
from training.packing import Row, collate, encode_answers, scores
from training.rankings import Example, Pair, read_rankings
from training.recipes import Lora, RewardRecipe, parameters
from training.runtime import descend, device, prepare, seeded
from training.scoring import KIND, NORMALISATION, Normalisation, raw_scores

with needs_extra("train", "training a reward model"):
    import torch
    from peft import LoraConfig, get_peft_model
    from torch import Tensor


class RewardMetrics(msgspec.Struct, frozen=True, kw_only=True):
    """`metrics.json`. Figures on held-out prompts are None where there are none.

    Accuracy is over strictly ordered pairs of the consensus, with a 95 % bootstrap interval by prompt; tau is the
    mean of Kendall's tau-b per prompt; `length_accuracy` is what choosing the longer answer would reach.
    """

    train_prompts: int
    train_pairs: int
    test_prompts: int
    test_pairs: int
    without_pairs: int
    truncated: int
    steps: int
    loss_first: float
    loss_last: float
    train_accuracy: float
    test_accuracy: float | None
    test_accuracy_interval: tuple[float, float] | None
    test_kendall_tau: float | None
    test_length_accuracy: float | None


class RewardStep(msgspec.Struct, frozen=True, kw_only=True):
    """A line of `history.jsonl`."""

    step: int
    epoch: int
    loss: float
    gradient_norm: float
    learning_rate: float


class RewardResult(msgspec.Struct, frozen=True, kw_only=True):
    """What `train_reward` wrote, and how it went."""

    folder: Path
    metrics: RewardMetrics
    history: list[RewardStep]

    def summary(self) -> str:
        """The result in a few lines."""
        told = self.metrics
        lines = [
            f"reward model written to {self.folder}",
            f"{told.train_prompts} training prompts ({told.train_pairs} pairs), {told.without_pairs} without an "
            f"ordered pair left out, {told.truncated} cut to the limit",
            f"loss {told.loss_first:.3f} -> {told.loss_last:.3f} in {told.steps} steps, "
            f"training pairs right: {told.train_accuracy:.1%}",
        ]
        if told.test_accuracy is None or told.test_accuracy_interval is None:
            return "\n".join([*lines, "no held-out prompt: nothing is known about unseen ones"])
        low, high = told.test_accuracy_interval
        held = f"held-out pairs right: {told.test_accuracy:.1%} (95 % interval {low:.1%} to {high:.1%}; "
        rest = f"the longer answer: {told.test_length_accuracy:.1%}), Kendall tau {told.test_kendall_tau:.2f}"
        return "\n".join([*lines, f"{held}{rest}, {told.test_prompts} prompts, {told.test_pairs} pairs"])


def train_reward(recipe: RewardRecipe) -> RewardResult:
    """Train on the rankings' train split, measure on their test split, write the model folder."""
    prepare()
    claim_folder(recipe.output, KIND)
    rankings = read_rankings(recipe.rankings, weight_by_margin=recipe.weight_by_margin)
    base = model_folder(recipe.model, recipe.output)
    with seeded(recipe.seed, 1):
        model, tokenizer = load_classifier(base, recipe.attention)
        model = adapted(model, recipe.lora) if recipe.lora else model
    train, test = (
        [encode_answers(tokenizer, example.prompt, example.answers, recipe.max_tokens) for example in split]
        for split in (rankings.train, rankings.test)
    )
    history = _train(model, tokenizer, recipe, rankings.train, train)
    model = model.merge_and_unload() if recipe.lora else model
    scored = [raw_scores(model, tokenizer, rows) for rows in (train, test)]
    metrics = RewardMetrics(
        train_prompts=len(train),
        train_pairs=sum(len(example.pairs) for example in rankings.train),
        without_pairs=rankings.without_pairs,
        truncated=sum(row.truncated for row in train + test),
        steps=len(history),
        loss_first=history[0].loss,
        loss_last=mean([step.loss for step in history[-max(1, len(history) // 10) :]]),
        train_accuracy=mean(_hits(rankings.train, scored[0])),
        **_held_out(rankings.test, scored[1], recipe.seed),
    )
    normalisation = _normalisation(scored[0], recipe)
    _save(recipe, base, model, tokenizer, normalisation, metrics, history)
    return RewardResult(folder=recipe.output, metrics=metrics, history=history)


def adapted(model: Any, lora: Lora, task: str = "SEQ_CLS") -> Any:
    """The model with low-rank adapters on its linear layers, without dropout; a new score head is trained fully."""
    config = LoraConfig(
        task_type=task,
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=0.0,
        target_modules="all-linear",
        modules_to_save=["score"] if task == "SEQ_CLS" else None,
    )
    return get_peft_model(model, config).to(device())


def kwise_loss(values: Tensor, pairs: Sequence[Sequence[Pair]]) -> Tensor:
    """Mean over prompts of the mean over a prompt's pairs of weight x -log sigmoid(better - worse).

    InstructGPT (arXiv 2203.02155), equation 1: the C(K, 2) pairs of a prompt are one element. `values` is (B, K).
    """
    losses = []
    for row, ordered in zip(values, pairs, strict=True):
        better = row[[pair.better for pair in ordered]]
        worse = row[[pair.worse for pair in ordered]]
        weights = torch.tensor([pair.weight for pair in ordered], device=row.device)
        losses.append((weights * -torch.nn.functional.logsigmoid(better - worse)).mean())
    return torch.stack(losses).mean()


def _train(
    model: Any, tokenizer: Any, recipe: RewardRecipe, examples: Sequence[Example], rows: Sequence[Row]
) -> list[RewardStep]:
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=recipe.learning_rate, weight_decay=0.0)
    steps = recipe.epochs * math.ceil(len(rows) / recipe.prompts_per_batch)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _slope(step, steps, recipe.warmup))
    history: list[RewardStep] = []
    with progress("training the reward model", steps) as bar:
        for epoch, places in _batches(len(rows), recipe):
            batch = collate([rows[place] for place in places], tokenizer.pad_token_id, device())
            loss = kwise_loss(scores(model, batch), [examples[place].pairs for place in places])
            rate = float(schedule.get_last_lr()[0])
            norm = descend(loss, optimizer, weights, recipe.max_grad_norm)
            if not math.isfinite(loss.item()) or not math.isfinite(norm):
                raise _not_finite(len(history) + 1, [examples[place].prompt_id for place in places])
            schedule.step()
            step = RewardStep(
                step=len(history) + 1,
                epoch=epoch,
                loss=round(loss.item(), 6),
                gradient_norm=round(norm, 6),
                learning_rate=rate,
            )
            history.append(step)
            bar.advance()
            bar.say(f"training the reward model, loss {step.loss:.3f}")
    return history


def _batches(count: int, recipe: RewardRecipe) -> Iterator[tuple[int, list[int]]]:
    """Epoch (from 1) and places of each step's prompts, in another order every epoch."""
    random = np.random.default_rng(recipe.seed)
    for epoch in range(1, recipe.epochs + 1):
        order = random.permutation(count).tolist()
        for start in range(0, count, recipe.prompts_per_batch):
            yield epoch, order[start : start + recipe.prompts_per_batch]


def _slope(step: int, steps: int, warmup: float) -> float:
    """Learning rate's share of its peak: linearly up during `warmup`, then linearly down."""
    rise = max(1, round(steps * warmup))
    return (step + 1) / rise if step < rise else (steps - step) / max(1, steps - rise)


def _not_finite(step: int, prompt_ids: Sequence[str]) -> ZhongjingError:
    return ZhongjingError(
        f"the loss or its gradient is not a finite number at step {step}, prompts {', '.join(prompt_ids)}",
        hint="lower learning_rate, or look at these prompts; nothing was written",
    )


def _hits(examples: Sequence[Example], scored: Sequence[Sequence[float]]) -> list[float]:
    return [hit for example, values in zip(examples, scored, strict=True) for hit in pair_hits(values, example.tiers)]


def _held_out(examples: Sequence[Example], scored: Sequence[Sequence[float]], seed: int) -> dict[str, Any]:
    hits = [pair_hits(values, example.tiers) for example, values in zip(examples, scored, strict=True)]
    flat = [hit for group in hits for hit in group]
    lengths = [[float(len(answer)) for answer in example.answers] for example in examples]
    taus = [kendall_tau(values, example.tiers) for example, values in zip(examples, scored, strict=True)]
    return {
        "test_prompts": len(examples),
        "test_pairs": len(flat),
        "test_accuracy": mean(flat) if flat else None,
        "test_accuracy_interval": interval(hits, seed) if flat else None,
        "test_kendall_tau": mean(taus) if flat else None,
        "test_length_accuracy": mean(_hits(examples, lengths)) if flat else None,
    }


def _normalisation(scored: Sequence[Sequence[float]], recipe: RewardRecipe) -> Normalisation:
    values = np.array([value for row in scored for value in row])
    return Normalisation(
        mean=float(values.mean()),
        standard_deviation=max(float(values.std()), 1e-6),
        answers=len(values),
        max_tokens=recipe.max_tokens,
        attention=recipe.attention,
    )


def _save(
    recipe: RewardRecipe,
    base: Path,
    model: Any,
    tokenizer: Any,
    normalisation: Normalisation,
    metrics: RewardMetrics,
    history: Sequence[RewardStep],
) -> None:
    with new_folder(recipe.output) as folder:
        save(model, tokenizer, folder)
        for name, content in ((NORMALISATION, normalisation), ("metrics.json", metrics)):
            (folder / name).write_bytes(msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n")
        write_records(folder / "history.jsonl", history)
        write_manifest(
            folder,
            kind=KIND,
            name=recipe.output.name,
            inputs=[entry_of(recipe.rankings), entry_of_model(base)],
            parameters=parameters(recipe),
            counts={"train_prompts": metrics.train_prompts, "test_prompts": metrics.test_prompts},
        )
