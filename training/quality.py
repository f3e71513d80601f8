"""How well a reward model orders answers: figures over prompts, from scores and the experts' orders."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from math import comb

import msgspec
import numpy as np

from training.examples import Example, Opinion, Pair, ordered_pairs
from training.measures import interval, kendall_tau, mean

MARGINS = ((1 / 3, "0 to 1/3"), (2 / 3, "1/3 to 2/3"), (1.0, "2/3 to 1"))
BINS = 10
Scores = Sequence[float]


class Accuracy(msgspec.Struct, frozen=True):
    """The share of pairs ordered as the experts did, a tie in scores counting half, over this many pairs."""

    accuracy: float
    pairs: int


class Bin(msgspec.Struct, frozen=True):
    """Pairs whose stated probability lies together: its mean, the share that was right, and how many they are."""

    stated: float
    right: float
    pairs: int


class Length(msgspec.Struct, frozen=True, kw_only=True):
    """Length bias, in characters. `choosing_longer` is the accuracy of preferring the longer answer; `correlation`
    is Pearson's between scores and lengths, both less their prompt's mean."""

    choosing_longer: float
    model_prefers_longer: float
    accuracy_where_longer_is_better: Accuracy
    accuracy_where_shorter_is_better: Accuracy
    correlation: float


class BestOf(msgspec.Struct, frozen=True):
    """The answer that scores best among `k` of a prompt's: its mean quality, and that of the experts' own choice.

    Quality is the share of the prompt's other answers that it beats in the consensus, a tie counting half.
    """

    k: int
    chosen: float
    best_possible: float


class Quality(msgspec.Struct, frozen=True, kw_only=True):
    """Figures on held-out prompts; those by dimension and expert compare with single judgements, not the consensus.

    `calibration_error` is the expected one (ECE) of sigmoid(score difference) over ten bins of `reliability`.
    """

    accuracy: Accuracy
    accuracy_interval: tuple[float, float]
    kendall_tau: float | None
    by_margin: dict[str, Accuracy]
    by_dimension: dict[str, Accuracy]
    by_department: dict[str, Accuracy]
    by_expert: dict[str, Accuracy]
    calibration_error: float
    reliability: list[Bin]
    length: Length
    best_of: list[BestOf]


def measure(examples: Sequence[Example], scores: Sequence[Scores], seed: int) -> Quality | None:
    """All figures; None where there is no example."""
    if not examples:
        return None
    both = list(zip(examples, scores, strict=True))
    hits = [_hits(values, example.pairs) for example, values in both]
    taus = [kendall_tau(values, example.tiers) for example, values in both if example.tiers is not None]
    gaps = [values[pair.better] - values[pair.worse] for example, values in both for pair in example.pairs]
    bins = reliability(gaps)
    return Quality(
        accuracy=_accuracy(hit for row in hits for hit in row),
        accuracy_interval=interval(hits, seed),
        kendall_tau=mean(taus) if taus else None,
        by_margin=_by((_margin(pair), _hit(values, pair)) for example, values in both for pair in example.pairs),
        by_dimension=_by(
            (opinion.dimension, hit) for example, values in both for opinion, hit in _opinion_hits(example, values)
        ),
        by_department=_by(
            (example.department or "unknown", hit) for (example, _), row in zip(both, hits, strict=True) for hit in row
        ),
        by_expert=_by(
            (opinion.expert, hit) for example, values in both for opinion, hit in _opinion_hits(example, values)
        ),
        calibration_error=sum(part.pairs * abs(part.right - part.stated) for part in bins) / len(gaps),
        reliability=bins,
        length=_length(both),
        best_of=best_of([(example.tiers, values) for example, values in both if example.tiers is not None]),
    )


def pair_accuracy(examples: Sequence[Example], scores: Sequence[Scores]) -> Accuracy:
    """Over all pairs of all prompts."""
    both = zip(examples, scores, strict=True)
    return _accuracy(hit for example, values in both for hit in _hits(values, example.pairs))


def expert_accuracy(examples: Sequence[Example], scores: Sequence[Scores], expert: str) -> Accuracy | None:
    """Agreement with one expert's own orders; None where the expert ordered none of these prompts."""
    both = zip(examples, scores, strict=True)
    hits = [
        hit
        for example, values in both
        for opinion, hit in _opinion_hits(example, values)
        if (opinion.expert, opinion.dimension) == (expert, "overall")
    ]
    return _accuracy(hits) if hits else None


def reliability(gaps: Sequence[float]) -> list[Bin]:
    """Ten bins of stated probability from 1/2 to 1, empty ones left out. A gap is better minus worse score."""
    stated = 1 / (1 + np.exp(-np.abs(np.asarray(gaps, dtype=float))))
    right = (np.sign(gaps) + 1) / 2
    place = np.minimum(((stated - 0.5) * 2 * BINS).astype(int), BINS - 1)
    return [
        Bin(float(stated[place == number].mean()), float(right[place == number].mean()), int((place == number).sum()))
        for number in range(BINS)
        if (place == number).any()
    ]


def best_of(ranked: Sequence[tuple[Sequence[int], Scores]]) -> list[BestOf]:
    """Best-of-k for every k up to the largest K, each over the prompts with k answers or more, exactly: of K answers
    in falling order, the r-th (from 0) is the best of a random k with probability C(K - 1 - r, k - 1) / C(K, k)."""
    result = []
    for k in range(1, max((len(tiers) for tiers, _ in ranked), default=0) + 1):
        chosen, possible = [], []
        for tiers, values in ranked:
            if len(tiers) >= k:
                quality = _quality(tiers)
                chosen.append(_expected(quality, values, k))
                possible.append(_expected(quality, quality, k))
        result.append(BestOf(k, mean(chosen), mean(possible)))
    return result


def _quality(tiers: Sequence[int]) -> list[float]:
    others = len(tiers) - 1
    return [(sum((other > tier) + (other == tier) / 2 for other in tiers) - 0.5) / others for tier in tiers]


def _expected(quality: Sequence[float], values: Scores, k: int) -> float:
    count = len(quality)
    falling = sorted(range(count), key=lambda place: -values[place])
    shares = [comb(count - 1 - rank, k - 1) / comb(count, k) for rank in range(count)]
    return sum(share * quality[place] for share, place in zip(shares, falling, strict=True))


def _length(both: Sequence[tuple[Example, Scores]]) -> Length:
    longer: list[float] = []
    prefers: list[float] = []
    when_longer: list[float] = []
    when_shorter: list[float] = []
    for example, values in both:
        for pair in example.pairs:
            difference = len(example.answers[pair.better]) - len(example.answers[pair.worse])
            hit = _hit(values, pair)
            longer.append((np.sign(difference) + 1) / 2)
            if difference:
                prefers.append(hit if difference > 0 else 1 - hit)
                (when_longer if difference > 0 else when_shorter).append(hit)
    return Length(
        choosing_longer=mean(longer),
        model_prefers_longer=mean(prefers),
        accuracy_where_longer_is_better=_accuracy(when_longer),
        accuracy_where_shorter_is_better=_accuracy(when_shorter),
        correlation=_correlation(both),
    )


def _correlation(both: Sequence[tuple[Example, Scores]]) -> float:
    def centred(values: Sequence[float]) -> list[float]:
        return [value - mean(values) for value in values]

    scores = np.array([value for _, values in both for value in centred(values)])
    lengths = np.array([value for example, _ in both for value in centred([len(text) for text in example.answers])])
    scale = np.sqrt((scores**2).sum() * (lengths**2).sum())
    return float((scores * lengths).sum() / scale) if scale else 0.0


def _opinion_hits(example: Example, values: Scores) -> Iterable[tuple[Opinion, float]]:
    for opinion in example.opinions:
        for better, worse in ordered_pairs(opinion.tiers):
            yield opinion, _hit(values, Pair(better, worse))


def _hits(values: Scores, pairs: Sequence[Pair]) -> list[float]:
    return [_hit(values, pair) for pair in pairs]


def _hit(values: Scores, pair: Pair) -> float:
    return float(np.sign(values[pair.better] - values[pair.worse]) + 1) / 2


def _margin(pair: Pair) -> str:
    return next(name for limit, name in MARGINS if pair.margin <= limit + 1e-9)


def _by(named: Iterable[tuple[str, float]]) -> dict[str, Accuracy]:
    groups: dict[str, list[float]] = defaultdict(list)
    for name, hit in named:
        groups[name].append(hit)
    return {name: _accuracy(groups[name]) for name in sorted(groups)}


def _accuracy(hits: Iterable[float]) -> Accuracy:
    values = list(hits)
    return Accuracy(mean(values), len(values))
