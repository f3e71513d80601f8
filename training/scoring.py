"""A trained reward model at work: rewards of answers with mean 0 and standard deviation 1 on what it was trained on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from corpus.records import Message
from foundation.errors import ZhongjingError, needs_extra
from foundation.files import existing_file
from foundation.manifest import read_manifest
from training.models import load_classifier
from training.packing import Row, Scorer, collate, encode_answers
from training.runtime import device, enough_memory

with needs_extra("train", "scoring answers"):
    import torch

KIND = "reward-model"
NORMALISATION = "reward_normalisation.json"
ROWS = 16


class Normalisation(msgspec.Struct, frozen=True, kw_only=True):
    """reward = (score - mean) / standard_deviation, both taken over so many training `answers` of `source`: the
    doctors' own ("reference"), or all. `max_tokens` and `attention` are how the model was trained."""

    mean: float
    standard_deviation: float
    answers: int
    source: str
    max_tokens: int
    attention: str


class RewardModel:
    """A folder written by `train reward`; `loaded` is its model and tokenizer where they are at hand already."""

    def __init__(self, folder: Path, loaded: tuple[Any, Any] | None = None) -> None:
        read_manifest(folder, KIND)
        self.normalisation = _read_normalisation(folder / NORMALISATION)
        self.model, self.tokenizer = loaded or load_classifier(folder, self.normalisation.attention)

    def rewards(self, prompts: Sequence[Sequence[Message]], answers: Sequence[Sequence[str]]) -> list[list[float]]:
        """Normalised rewards of each prompt's answers."""
        rows = [
            encode_answers(self.tokenizer, prompt, texts, self.normalisation.max_tokens)
            for prompt, texts in zip(prompts, answers, strict=True)
        ]
        shift, scale = self.normalisation.mean, self.normalisation.standard_deviation
        return [[(score - shift) / scale for score in row] for row in raw_scores(self.model, rows)]


def raw_scores(model: Any, rows: Sequence[Row]) -> list[list[float]]:
    """Scores as the model gives them, in the order of `rows`."""
    scorer = Scorer(model)
    result: list[list[float]] = []
    with torch.no_grad(), enough_memory("max_tokens"):
        for start in range(0, len(rows), ROWS):
            part = rows[start : start + ROWS]
            values = scorer(collate(part, device()))
            if not values.isfinite().all():
                raise ZhongjingError(
                    "the reward model's scores are not finite numbers; nothing was written", hint="lower learning_rate"
                )
            result += [row[: len(own.own)] for own, row in zip(part, values.tolist(), strict=True)]
    return result


def _read_normalisation(path: Path) -> Normalisation:
    try:
        return msgspec.json.decode(existing_file(path).read_bytes(), type=Normalisation)
    except msgspec.DecodeError as error:
        raise ZhongjingError(f"this file cannot be read: {error}", where=path) from error
