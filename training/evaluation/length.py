"""What length has to do with verdicts, and win rates with that taken out.

After AlpacaEval 2 (Dubois et al. 2024, arXiv 2404.04475): logit P(one wins) = a + b tanh(d / sd(d)), where d is how
much longer its answer is; the length-controlled win rate is P at d = 0. Its third term, how hard a prompt is, needs
many models that all answered the same prompts, and is left out.
"""

from __future__ import annotations

import msgspec
import numpy as np
import numpy.typing as npt

from training.evaluation.shares import Floats, interval

PRIOR = 0.1
STEPS = 50
CLOSE = 1e-10
AT_ONCE = 1_000_000  # numbers in memory


class LengthControl(msgspec.Struct, frozen=True, kw_only=True):
    """`win_rate` in % at equal length, ties counting half, and `effect`, the log odds that much greater length adds;
    both with 95 % intervals by prompt."""

    win_rate: float
    interval: tuple[float, float]
    effect: float
    effect_interval: tuple[float, float]


def length_controlled(outcomes: Floats, longer_by: Floats, weights: Floats) -> LengthControl:
    """`outcomes` (n) are 1, 0.5 or 0 from one model's side, `longer_by` (n) characters; `weights` (r, n) say how often
    each counts in each bootstrap sample."""
    level, effect = _with_length(np.ones((len(outcomes), 1)), outcomes, longer_by, weights)
    return LengthControl(
        win_rate=float(100 * _sigmoid(level)[0]),
        interval=interval(100 * _sigmoid(level[1:])),
        effect=float(effect[0]),
        effect_interval=interval(effect[1:]),
    )


def length_effect(
    pairs: npt.NDArray[np.int64], outcomes: Floats, longer_by: Floats, weights: Floats
) -> tuple[float, tuple[float, float]]:
    """The log odds that much greater length adds before one judge, whoever met whom (`pairs` (n) are numbers of
    pairs, each with a level of its own), with a 95 % interval."""
    *_, effect = _with_length(np.eye(int(pairs.max()) + 1)[pairs], outcomes, longer_by, weights)
    return float(effect[0]), interval(effect[1:])


def _with_length(levels: Floats, outcomes: Floats, longer_by: Floats, weights: Floats) -> list[Floats]:
    """Coefficients of the levels and of length: fitted to all, then to each sample (each (1 + r))."""
    design = np.concatenate([levels, _bounded(longer_by)[:, None]], axis=1)
    parts = [np.ones((1, len(outcomes))), *np.array_split(weights, max(1, weights.size // AT_ONCE))]
    return list(np.concatenate([fit_logistic(design, outcomes, part) for part in parts]).T)


def fit_logistic(design: Floats, outcomes: Floats, weights: Floats, prior: float = PRIOR) -> Floats:
    """Coefficients (r, k) of logistic regressions of `outcomes` (n), from 0 to 1, on `design` (n, k), one for each row
    of `weights` (r, n): Newton's method under a normal prior of precision `prior`."""
    coefficients = np.zeros((len(weights), design.shape[1]))
    for _ in range(STEPS):
        chances = _sigmoid(coefficients @ design.T)
        gradient = (weights * (outcomes - chances)) @ design - prior * coefficients
        curvature = np.einsum("rn,nk,nl->rkl", weights * chances * (1 - chances), design, design, optimize=True)
        curvature += (prior + 1e-9) * np.eye(design.shape[1])
        step = np.linalg.solve(curvature, gradient[:, :, None])[:, :, 0]
        coefficients += np.clip(step, -1.0, 1.0)
        if np.abs(step).max(initial=0.0) < CLOSE:
            break
    return coefficients


def _bounded(differences: Floats) -> Floats:
    spread = float(differences.std())
    return np.tanh(differences / spread) if spread else np.zeros_like(differences)


def _sigmoid(values: Floats) -> Floats:
    result: Floats = 1 / (1 + np.exp(-np.clip(values, -40, 40)))
    return result
