"""Plackett-Luce with ties and a reliability for every expert, fitted to all prompts of a campaign at once.

An expert e takes the tier S from the answers that are left with a probability proportional to
exp(beta_e mean(theta over S) + delta_|S|): the Davidson-Luce model (Firth, Kosmidis and Turner 2019), which with two
answers is Davidson's (1970) Bradley-Terry with ties, and a discrimination beta_e as in item response theory. beta_e is
0 for who orders by chance and negative for who orders the wrong way round. The abilities theta of a prompt's answers
are independent and standard normal.

beta and delta maximise the marginal likelihood with a weak normal prior: EM, the posterior of each prompt's abilities
by Laplace's approximation and expectations by the 2K points of third-degree spherical cubature. Uncertainty is from
the observed information: of the abilities given beta and delta, and of beta by Louis' (1982) identity.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from math import isfinite, sqrt
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from annotation.agreement.gaps import gap_in
from annotation.agreement.measures import panel_of
from annotation.consensus.choices import Choices, Floats, choices_of
from annotation.errors import InvalidError
from corpus.records import Tiers
from foundation.progress import progress

DISCRIMINATION = (2.0, 1.5)
TIE_STRENGTH = (-2.0, 2.0)
MOST_PROMPTS = 2_000
ROUNDS, NEWTON_STEPS = 80, 50
TOLERANCE, LONGEST_STEP = 1e-3, 1.0
NORMAL = NormalDist()


class Reliability(NamedTuple):
    """An expert's chance of ordering rightly two answers of a prompt that she does not tie, with a 95 % interval."""

    value: float
    low: float
    high: float


class Posterior(NamedTuple):
    """What is known of one prompt's answers: their abilities and the covariance (K, K), by the sorted `ids`."""

    ids: list[str]
    mean: Floats
    covariance: Floats

    def chance(self, one: str, other: str) -> float:
        """The probability that `one` is better than `other`."""
        a, b = self.ids.index(one), self.ids.index(other)
        variance = self.covariance[a, a] + self.covariance[b, b] - 2 * self.covariance[a, b]
        return NORMAL.cdf(float((self.mean[a] - self.mean[b]) / sqrt(variance)))


class Parameters(NamedTuple):
    """`beta` (experts) and `delta` by the size of a tier; delta[0] and delta[1] are 0."""

    beta: Floats
    delta: Floats


class Fit(NamedTuple):
    """A posterior for every prompt, in the order given, and every expert's reliability."""

    posteriors: list[Posterior]
    reliabilities: dict[str, Reliability]
    parameters: Parameters


def fit(prompts: Sequence[Mapping[str, Tiers]]) -> Fit:
    """Fit all `prompts`, each expert to tiers. Reliabilities are learned from `MOST_PROMPTS` of them at most.

    An error where nobody's reliability can be told: no prompt with two opinions, or nothing but ties.
    """
    if gap := gap_in(panel_of(prompts)[1]):
        raise InvalidError(gap.reason, gap.sentence(), hint="ranked_pairs and borda ask for nobody's reliability")
    experts = sorted({expert for prompt in prompts for expert in prompt})
    every = max(1, len(prompts) // MOST_PROMPTS)
    most = max(sum(map(len, next(iter(prompt.values())))) for prompt in prompts)
    parameters, spread = _learn(choices_of(prompts[::every], experts), len(experts), most)
    found: dict[int, Posterior] = {}
    for block in choices_of(prompts, experts):
        mean, information = abilities(block, parameters)
        covariance = np.linalg.inv(information)
        for row, place in enumerate(block.prompts):
            found[place] = Posterior(block.ids[row], mean[row], covariance[row])
    reliabilities = {
        expert: _reliability(beta, error) for expert, beta, error in zip(experts, parameters.beta, spread, strict=True)
    }
    return Fit([found[place] for place in range(len(prompts))], reliabilities, parameters)


def reliability(beta: float) -> float:
    """The chance that an expert of this discrimination orders a pair rightly: the mean of the logistic function of
    beta |d| over d, the difference of two standard normal abilities."""
    return float(np.mean(1 / (1 + np.exp(-beta * _differences()))))


def _reliability(beta: float, error: float) -> Reliability:
    if not isfinite(error):
        return Reliability(reliability(beta), 0.0, 1.0)
    return Reliability(reliability(beta), reliability(beta - 1.96 * error), reliability(beta + 1.96 * error))


def abilities(block: Choices, parameters: Parameters, start: Floats | None = None) -> tuple[Floats, Floats]:
    """The modes (P, K) of the abilities' posteriors and their observed information (P, K, K), by Newton's method."""
    count, answers = len(block.prompts), block.means.shape[1]
    theta = np.zeros((count, answers)) if start is None else start.copy()
    products = (block.means[:, :, None] * block.means[:, None, :]).reshape(-1, answers**2)
    scale = parameters.beta[block.expert][:, None]
    for _ in range(NEWTON_STEPS):
        chances = _chances(block, theta @ block.means.T, parameters)
        expected = chances @ block.means
        gradient = block.by_prompt(scale * (block.means[block.chosen] - expected)) - theta
        second = chances @ products - (expected[:, :, None] * expected[:, None, :]).reshape(len(expected), -1)
        information = block.by_prompt(scale**2 * second).reshape(count, answers, answers) + np.eye(answers)
        step = np.linalg.solve(information, gradient[:, :, None])[:, :, 0]
        theta += step * np.minimum(1, LONGEST_STEP / np.maximum(np.abs(step).max(axis=1, keepdims=True), 1e-12))
        if np.abs(step).max() < 1e-8:
            break
    return theta, information


def _learn(blocks: Sequence[Choices], experts: int, most: int) -> tuple[Parameters, Floats]:
    """beta and delta, the latter for tiers of up to `most` answers, and the standard errors of beta."""
    beta, delta = np.full(experts, DISCRIMINATION[0]), np.full(most - 1, TIE_STRENGTH[0])
    parameters = Parameters(beta, np.r_[0.0, 0.0, delta])
    modes: list[Floats | None] = [None] * len(blocks)
    with progress("reliabilities of the experts", ROUNDS) as steps:
        for _ in range(ROUNDS):
            parameters, information, moved = _round(blocks, parameters, modes)
            steps.advance()
            if moved < TOLERANCE:
                break
    return parameters, _errors(information, experts)


def _errors(information: Floats, experts: int) -> Floats:
    """Standard errors of beta; infinite where this is no maximum, as between two who contradict each other."""
    if np.linalg.eigvalsh(information)[0] <= 0:
        return np.full(experts, np.inf)
    return np.sqrt(np.diag(np.linalg.inv(information))[:experts])


def _round(
    blocks: Sequence[Choices], parameters: Parameters, modes: list[Floats | None]
) -> tuple[Parameters, Floats, float]:
    """One round of EM; also the observed information before it, and how far it moved."""
    gradient, complete, missing = _prior(parameters)
    for place, block in enumerate(blocks):
        mode, information = abilities(block, parameters, modes[place])
        modes[place] = mode
        for total, part in zip(
            (gradient, complete, missing), _moments(block, mode, information, parameters), strict=True
        ):
            total += part
    step = np.clip(np.linalg.solve(complete, gradient), -LONGEST_STEP, LONGEST_STEP)
    experts = len(parameters.beta)
    moved = Parameters(parameters.beta + step[:experts], parameters.delta + np.r_[0.0, 0.0, step[experts:]])
    return moved, complete - missing, float(np.abs(step).max())


def _prior(parameters: Parameters) -> tuple[Floats, Floats, Floats]:
    """Gradient and information of the prior, which misses nothing."""
    values = np.r_[parameters.beta, parameters.delta[2:]]
    means, spreads = (
        np.r_[np.full(len(parameters.beta), for_beta), np.full(len(parameters.delta) - 2, for_delta)]
        for for_beta, for_delta in zip(DISCRIMINATION, TIE_STRENGTH, strict=True)
    )
    return (means - values) / spreads**2, np.diag(1 / spreads**2), np.zeros((len(values), len(values)))


def _moments(
    block: Choices, mode: Floats, information: Floats, parameters: Parameters
) -> tuple[Floats, Floats, Floats]:
    """Expected gradient and information of the complete data, and the information that is missing because abilities
    are unknown (Louis): the covariance, over them, of each prompt's score."""
    at_points = [_complete(block, theta, parameters) for theta in _points(mode, information)]
    scores = np.stack([score for score, _ in at_points])
    complete = np.stack([second for _, second in at_points])
    apart = (scores - scores.mean(axis=0)).reshape(-1, scores.shape[-1])
    return scores.mean(axis=0).sum(axis=0), complete.mean(axis=0), apart.T @ apart / len(scores)


def _points(mode: Floats, information: Floats) -> list[Floats]:
    """2K equally weighted points (P, K) with the mean and covariance of each posterior."""
    answers = mode.shape[1]
    root = np.linalg.cholesky(np.linalg.inv(information)) * sqrt(answers)
    return [mode + sign * root[:, :, k] for k in range(answers) for sign in (1, -1)]


def _complete(block: Choices, theta: Floats, parameters: Parameters) -> tuple[Floats, Floats]:
    """For known abilities, by beta and then delta from size 2: each prompt's score (P, parameters) and the information
    of all (parameters, parameters)."""
    experts, tiers = len(parameters.beta), len(parameters.delta) - 2
    values = theta @ block.means.T
    chances = _chances(block, values, parameters)
    means = values[block.prompt]
    of_size = (block.sizes[:, None] == np.arange(2, tiers + 2)).astype(float)
    weighted = chances * means
    mean, sized = weighted.sum(axis=1), chances @ of_size
    by_whom = np.eye(experts)[block.expert]
    took = means[np.arange(len(means)), block.chosen]
    score = block.by_prompt(np.hstack([by_whom * (took - mean)[:, None], of_size[block.chosen] - sized]))
    information = np.zeros((experts + tiers, experts + tiers))
    information[:experts, :experts] = np.diag(by_whom.T @ ((weighted * means).sum(axis=1) - mean**2))
    information[experts:, experts:] = np.diag(sized.sum(axis=0)) - sized.T @ sized
    information[:experts, experts:] = by_whom.T @ (weighted @ of_size - mean[:, None] * sized)
    information[experts:, :experts] = information[:experts, experts:].T
    return score, information


def _chances(block: Choices, values: Floats, parameters: Parameters) -> Floats:
    """The probability (C, M) of every set at every choice; `values` (P, M) are the sets' mean abilities."""
    logits = parameters.beta[block.expert][:, None] * values[block.prompt] + parameters.delta[block.sizes]
    logits[block.closed] = -np.inf
    chances: Floats = np.exp(logits - logits.max(axis=1, keepdims=True))
    chances /= chances.sum(axis=1, keepdims=True)
    return chances


@cache
def _differences(count: int = 400) -> Floats:
    """Quantiles of |d| for d the difference of two standard normal values."""
    return np.array([sqrt(2) * NORMAL.inv_cdf(0.5 + (place + 0.5) / (2 * count)) for place in range(count)])
