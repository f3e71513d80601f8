"""Pre-training and supervised fine-tuning from top to bottom: read, encode, train, measure, write.

`training/tuning/texts.py` reads rows, `training/tuning/turns.py` says which tokens count, TRL's `SFTTrainer` trains,
`training/tuning/running.py` keeps its checkpoints and history.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from foundation.cli import warn
from foundation.errors import ZhongjingError, needs_extra
from foundation.manifest import FileEntry, claim_folder, entry_of
from foundation.progress import track
from training.measures import mean
from training.models import entry_of_model, load_tokenizer
from training.recipes import LanguageRecipe, SFTRecipe
from training.tuning.language_report import page_of
from training.tuning.likelihood import Likelihood, likelihood, surprises
from training.tuning.running import TuneStep, arguments, finish, ready, run, starting
from training.tuning.texts import Gathered, is_held_out, read_mix, read_texts
from training.tuning.turns import Tokens, pieces_of, reader_of, says_its_end
from training.tuning.writing import Outcome, write_run

with needs_extra("train", "training a language model"):
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

KIND = "language-model"


class KindCounts(msgspec.Struct):
    """What was learned of one kind: rows, their tokens, and those of them that count."""

    rows: int = 0
    tokens: int = 0
    learned: int = 0


class LanguageMetrics(msgspec.Struct, frozen=True, kw_only=True):
    """`metrics.json`. Likelihoods are on the texts held out, by kind and over all; None where there is none.

    `left_out` counts rows by reason, `cut` those that lost their oldest turns to the limit.
    """

    train_rows: int
    held_out_rows: int
    kinds: dict[str, KindCounts]
    left_out: dict[str, int]
    cut: int
    steps: int
    loss_first: float
    loss_last: float
    held_out: dict[str, Likelihood]


class LanguageResult(msgspec.Struct, frozen=True, kw_only=True):
    """What was written, and how it went."""

    folder: Path
    metrics: LanguageMetrics
    history: list[TuneStep]

    def summary(self) -> str:
        """The result in a few lines."""
        told = self.metrics
        lines = [f"model written to {self.folder}"]
        lines += [
            f"{kind}: {found.rows:,} rows, {found.learned:,} of {found.tokens:,} tokens count"
            for kind, found in told.kinds.items()
        ]
        lines.append(f"loss {told.loss_first:.3f} -> {told.loss_last:.3f} in {told.steps} steps")
        if told.held_out:
            lines += [
                f"held out, {kind}: {found.before:.3f} -> {found.after:.3f} nats per token ({found.rows} rows)"
                for kind, found in told.held_out.items()
            ]
        else:
            lines.append("no text was held out: nothing is known about unseen ones")
        return "\n".join([*lines, f"report: {self.folder / 'report.html'}"])


class Piece(msgspec.Struct, frozen=True):
    """One encoded row and its kind."""

    kind: str
    tokens: Tokens


def train_language(recipe: LanguageRecipe, *, afresh: bool = False) -> LanguageResult:
    """Train on the rows that are not held out, measure on those that are, write the model folder.

    An interrupted run of the same recipe and data goes on from its checkpoint, unless `afresh`.
    """
    claim_folder(recipe.output, KIND)
    gathered = read_rows(recipe)
    base = ready(recipe, afresh=afresh)
    tokenizer = load_tokenizer(base, recipe.model.chat_template)
    train, held_out = encoded(recipe, tokenizer, gathered)
    inputs = inputs_of(recipe, base)
    model, tokenizer, adapters = starting(recipe, base)
    unseen = [piece.tokens for piece in held_out]
    before = surprises(model, unseen)

    trainer = partial(trainer_of, recipe, model, tokenizer, adapters, train)
    trained, history = run(trainer, recipe, inputs, f"training on {len(train):,} rows")
    likelihoods = _likelihoods(held_out, before, surprises(trained, unseen))
    metrics = _metrics(gathered, train, held_out, history, likelihoods)
    outcome = Outcome(
        kind=KIND,
        inputs=inputs,
        metrics=metrics,
        history=history,
        rejects=gathered.rejects,
        counts={"train_rows": metrics.train_rows, "held_out_rows": metrics.held_out_rows},
    )
    write_run(recipe, trained, tokenizer, outcome, page_of(recipe, metrics))
    finish(recipe)
    return LanguageResult(folder=recipe.output, metrics=metrics, history=history)


def trainer_of(
    recipe: LanguageRecipe, model: Any, tokenizer: Any, adapters: Any, train: Sequence[Piece], *callbacks: Any
) -> Any:
    """TRL's trainer on encoded rows. A packed row's positions begin anew with every text, which is how attention knows
    that none sees another; no text is cut to fit."""
    packing = {"max_length": recipe.max_tokens, "packing": recipe.packing, "packing_strategy": "bfd"}
    return SFTTrainer(
        model=model,
        args=SFTConfig(**arguments(recipe), **packing),
        train_dataset=dataset_of(train),
        processing_class=tokenizer,
        peft_config=adapters,
        callbacks=list(callbacks),
    )


def read_rows(recipe: LanguageRecipe) -> Gathered:
    """What the recipe names: conversations, or texts."""
    if isinstance(recipe, SFTRecipe):
        return read_mix(recipe.mix, recipe.without)
    return read_texts(recipe.texts)


def encoded(recipe: LanguageRecipe, tokenizer: Any, gathered: Gathered) -> tuple[list[Piece], list[Piece]]:
    """Training rows and those held out, as tokens; what is too long is added to the rejects."""
    train: list[Piece] = []
    held_out: list[Piece] = []
    if isinstance(recipe, SFTRecipe):
        tokenizer = reader_of(tokenizer)
        if not says_its_end(tokenizer):
            warn("this chat template ends no doctor's turn with the end of sequence: the model may not stop there")
    for row in track(gathered.rows, "encoding"):
        pieces = [Piece(row.kind, tokens) for tokens in pieces_of(tokenizer, row.content, recipe.max_tokens)]
        if not pieces:
            gathered.rejects.append(row.reject("too_long", "its newest turns alone are over max_tokens"))
        (held_out if is_held_out(row, recipe.held_out, recipe.seed) else train).extend(pieces)
    if not train:
        raise ZhongjingError(
            "no row is left to train on", hint=f"{len(held_out)} are held out, left out: {gathered.reasons or 'none'}"
        )
    return train, held_out


def dataset_of(pieces: Sequence[Piece]) -> Any:
    """What `SFTTrainer` takes as it is: tokens, and labels that are -100 where nothing is learned."""
    columns = ("input_ids", "labels")
    return Dataset.from_dict({name: [getattr(piece.tokens, name) for piece in pieces] for name in columns})


def inputs_of(recipe: LanguageRecipe, base: Path) -> dict[str, FileEntry]:
    """The files that decide the result, by what they are."""
    named = {"template": recipe.model.chat_template, **_sources(recipe)}
    return {name: entry_of(path) for name, path in named.items() if path} | {"model": entry_of_model(base)}


def _sources(recipe: LanguageRecipe) -> dict[str, Path]:
    paths = recipe.mix if isinstance(recipe, SFTRecipe) else recipe.texts
    return {f"rows {number}": path for number, path in enumerate(paths, start=1)}


def _likelihoods(pieces: Sequence[Piece], before: Sequence[float], after: Sequence[float]) -> dict[str, Likelihood]:
    """By kind, and over all."""
    groups: dict[str, list[int]] = {kind: [] for kind in sorted({piece.kind for piece in pieces})}
    for place, piece in enumerate(pieces):
        groups[piece.kind].append(place)
    groups["all"] = list(range(len(pieces)))
    columns = [piece.tokens for piece in pieces], before, after
    return {
        name: likelihood(*([column[place] for place in places] for column in columns))  # type: ignore[arg-type]
        for name, places in groups.items()
        if places
    }


def _metrics(
    gathered: Gathered,
    train: Sequence[Piece],
    held_out: Sequence[Piece],
    history: Sequence[TuneStep],
    likelihoods: dict[str, Likelihood],
) -> LanguageMetrics:
    kinds: dict[str, KindCounts] = {}
    for piece in train:
        found = kinds.setdefault(piece.kind, KindCounts())
        found.rows += 1
        found.tokens += len(piece.tokens.input_ids)
        found.learned += piece.tokens.learned
    losses = [step.loss for step in history]
    return LanguageMetrics(
        train_rows=len(train),
        held_out_rows=len(held_out),
        kinds=dict(sorted(kinds.items())),
        left_out=gathered.reasons,
        cut=sum(piece.tokens.cut for piece in [*train, *held_out]),
        steps=len(losses),
        loss_first=losses[0],
        loss_last=mean(losses[-max(1, len(losses) // 10) :]),
        held_out=likelihoods,
    )
