"""Strengths of models from their comparisons: Bradley and Terry's model with ties as Davidson (1970) put them in."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from training.evaluation.shares import Floats

# A normal prior of standard deviation 3.2 on every log strength: it moves nothing that data speak of, and keeps a
# model that never lost from being infinitely strong.
PRIOR = 0.1
STEPS = 60
CLOSE = 1e-10


def fit_strengths(models: int, pairs: Sequence[tuple[int, int]], counts: Floats, prior: float = PRIOR) -> Floats:
    """Log strengths and log nu of `models` for each sample: (r, models + 1).

    `pairs` are (one, other), `counts` (r, pairs, 3) how often one won, they tied, the other won. Newton's method on
    the likelihood, which is concave, with a normal prior of precision `prior`.
    """
    features = _features(models, pairs)
    parameters = np.zeros((len(counts), models + 1))
    totals = counts.sum(2, keepdims=True)
    ridge = np.full(models + 1, prior)
    level = np.zeros((models + 1, models + 1))
    level[:models, :models] = 1.0  # strengths are known up to a shift, which is fixed at mean 0
    for _ in range(STEPS):
        scores = np.einsum("pok,rk->rpo", features, parameters)
        chances = np.exp(scores - scores.max(2, keepdims=True))
        chances /= chances.sum(2, keepdims=True)
        gradient = np.einsum("rpo,pok->rk", counts - totals * chances, features)
        gradient -= ridge * parameters + parameters @ level
        mean = np.einsum("rpo,pok->rpk", chances, features)
        curvature = np.einsum("rpo,pok,pol->rkl", totals * chances, features, features)
        curvature -= np.einsum("rp,rpk,rpl->rkl", totals[:, :, 0], mean, mean)
        curvature += np.diag(ridge) + level
        step = np.linalg.solve(curvature + 1e-9 * np.eye(models + 1), gradient[:, :, None])[:, :, 0]
        parameters += np.clip(step, -1.0, 1.0)
        if np.abs(step).max(initial=0.0) < CLOSE:
            break
    return parameters


def _features(models: int, pairs: Sequence[tuple[int, int]]) -> Floats:
    """What a win, a tie and a loss of each pair count of the parameters: (pairs, 3, models + 1)."""
    features = np.zeros((len(pairs), 3, models + 1))
    for place, (one, other) in enumerate(pairs):
        features[place, 0, one] = features[place, 2, other] = 1.0
        features[place, 1, [one, other]] = 0.5
        features[place, 1, models] = 1.0
    return features
