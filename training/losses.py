"""What a reward model minimises. Every prompt is one element, however many answers it has.

`pairs` is the pairwise logistic loss of InstructGPT (arXiv 2203.02155, equation 1), averaged over a prompt's ordered
pairs, with a margin (Llama 2, arXiv 2307.09288, equation 2) and smoothed labels as options. `plackett-luce` is the
likelihood of the whole order. Either can be weighed by the experts' agreement, and centred around 0 (Eisenstein et
al., arXiv 2312.09244).
"""

from __future__ import annotations

from collections.abc import Sequence

from foundation.errors import ZhongjingError, needs_extra
from training.examples import Example
from training.recipes import RewardRecipe

with needs_extra("train", "training a reward model"):
    import torch
    from torch import Tensor
    from torch.nn.functional import softplus


def prompt_losses(scores: Tensor, examples: Sequence[Example], recipe: RewardRecipe) -> Tensor:
    """(B,) losses of B prompts from their (B, K) scores."""
    losses = (
        plackett_luce(scores, examples, recipe)
        if recipe.loss == "plackett-luce"
        else pairwise(scores, examples, recipe)
    )
    return losses + recipe.centring * _off_centre(scores, examples) if recipe.centring else losses


def pairwise(scores: Tensor, examples: Sequence[Example], recipe: RewardRecipe) -> Tensor:
    """(B,) means over a prompt's pairs of w [(1 - e) softplus(-d) + e softplus(d)].

    d is the score of the better answer minus that of the worse, less `margin` times the experts' margin; e is
    `label_smoothing`; w is the experts' margin with `weight_by_agreement`, else 1.
    """
    better, worse, prompt, margins = _pairs(scores, examples)
    gaps = better - worse - recipe.margin * margins
    losses = (1 - recipe.label_smoothing) * softplus(-gaps) + recipe.label_smoothing * softplus(gaps)
    return _means(losses * margins if recipe.weight_by_agreement else losses, prompt, examples)


def plackett_luce(scores: Tensor, examples: Sequence[Example], recipe: RewardRecipe) -> Tensor:
    """(B,) negative log-likelihoods of a prompt's order, each divided by the number of choices it consists of.

    A tie says nothing about the order inside it: the likelihood is summed over all orders that keep the tiers
    (Kalbfleisch and Prentice, Biometrika 60, 1973; Allison and Christakis, Sociological Methodology 24, 1994).
    """
    losses = []
    for row, example in zip(scores, examples, strict=True):
        if example.tiers is None:
            raise ZhongjingError(
                f"the pairs of {example.prompt_id} are not those of one order",
                hint="loss: pairs takes any pairs; plackett-luce needs whole rankings",
            )
        loss = -order_likelihood(row, example.tiers) / (len(example.tiers) - 1)
        agreement = sum(pair.margin for pair in example.pairs) / len(example.pairs)
        losses.append(loss * agreement if recipe.weight_by_agreement else loss)
    return torch.stack(losses)


def order_likelihood(scores: Tensor, tiers: Sequence[int]) -> Tensor:
    """Log-probability under Plackett-Luce that the answers come in the order of their tiers, whatever the order
    inside a tier. `scores` is (K,) or longer."""
    total = scores.new_zeros(())
    remaining = list(range(len(tiers)))
    for tier in sorted(set(tiers))[:-1]:
        members = [place for place in remaining if tiers[place] == tier]
        total = total + _first_in_any_order(scores, members, remaining)
        remaining = [place for place in remaining if tiers[place] != tier]
    return total


def _first_in_any_order(scores: Tensor, members: Sequence[int], remaining: Sequence[int]) -> Tensor:
    """Log-probability that `members` are chosen before the rest of `remaining`: a sum over their orders, by subsets.

    chosen[S] is the log-probability that exactly the members in S (a bit set) come first.
    """
    chosen = [scores.new_zeros(())]
    for subset in range(1, 1 << len(members)):
        ways = []
        for bit in (bit for bit in range(len(members)) if subset >> bit & 1):
            before = subset ^ (1 << bit)
            gone = {members[other] for other in range(len(members)) if before >> other & 1}
            left = scores[[place for place in remaining if place not in gone]]
            ways.append(chosen[before] + scores[members[bit]] - left.logsumexp(0))
        chosen.append(torch.stack(ways).logsumexp(0))
    return chosen[-1]


def _off_centre(scores: Tensor, examples: Sequence[Example]) -> Tensor:
    """(B,) means over a prompt's pairs of the squared sum of both scores."""
    better, worse, prompt, _ = _pairs(scores, examples)
    return _means((better + worse) ** 2, prompt, examples)


def _pairs(scores: Tensor, examples: Sequence[Example]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """All pairs of a batch (P,): the better scores, the worse, whose prompt, and the experts' margins."""
    found = [(row, pair) for row, example in enumerate(examples) for pair in example.pairs]
    prompt = torch.tensor([row for row, _ in found], device=scores.device)
    better = torch.tensor([pair.better for _, pair in found], device=scores.device)
    worse = torch.tensor([pair.worse for _, pair in found], device=scores.device)
    margins = torch.tensor([pair.margin for _, pair in found], device=scores.device)
    return scores[prompt, better], scores[prompt, worse], prompt, margins


def _means(values: Tensor, prompt: Tensor, examples: Sequence[Example]) -> Tensor:
    counts = torch.tensor([float(len(example.pairs)) for example in examples], device=values.device)
    return values.new_zeros(len(examples)).index_add(0, prompt, values) / counts
