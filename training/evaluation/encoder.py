"""BERTScore (Zhang et al. 2020, arXiv 1904.09675) with an encoder from a folder, as torchmetrics computes it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from foundation.errors import needs_extra
from training.evaluation.measures import Scorer
from training.models import existing_model, loading
from training.runtime import device, prepare

with needs_extra("train", "measuring BERTScore"):
    from torchmetrics.functional.text.bert import bert_score

TOKENS = 512


def bert_scorer(folder: Path, layer: int | None) -> Scorer:
    """A function that gives the F1 of each text against its reference; without baseline and weights of words."""
    prepare()
    existing_model(folder)

    def score(texts: Sequence[str], references: Sequence[str]) -> list[float]:
        with loading(folder):
            found = bert_score(
                list(texts),
                list(references),
                model_name_or_path=str(folder),
                num_layers=layer,
                max_length=TOKENS,
                truncation=True,
                device=device(),
            )
        return [float(value) for value in np.atleast_1d(np.asarray(found["f1"]))]

    return score
