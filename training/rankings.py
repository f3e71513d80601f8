"""`rankings.jsonl`: K answers a prompt, every expert's order of them, and the consensus."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from corpus.records import RankedPrompt, Tiers
from training.examples import BadRowError, Example, Examples, Gathering, Opinion, Pair, decode, lines_of, ordered_pairs

OVERALL = "overall"


def read_rankings(path: Path) -> Examples:
    """The ranked prompts of a release. Damaged rows and those without an ordered pair are left out with a reason.

    Raises `ZhongjingError` where train and test share a prompt or dialogue, or where nothing is left to train on.
    """
    gathering = Gathering(path)
    seen: set[str] = set()
    for line, text in lines_of(path):
        try:
            ranked = decode(text, RankedPrompt)
            _refuse_repeated(ranked, seen)
            ids = {"prompt_id": ranked.prompt_id, "dialogue_id": ranked.dialogue_id}
            gathering.refuse_shared(line, ranked.split, ranked.prompt, ids)
            gathering.add(ranked.split, _example(ranked, line))
        except BadRowError as error:
            gathering.reject(line, error)
    return gathering.examples()


def without_expert(examples: Sequence[Example], expert: str) -> list[Example]:
    """The examples as they would be had this expert not taken part: pairs by majority of the others.

    What a senior expert decided stays, unless it was this one alone who judged. Prompts left without a pair go.
    """
    changed = []
    for example in examples:
        others = [opinion for opinion in example.opinions if opinion.expert != expert]
        overall = [opinion.tiers for opinion in others if opinion.dimension == OVERALL]
        pairs = example.pairs if example.adjudicated and overall else list(majorities(overall))
        if pairs:
            changed.append(msgspec.structs.replace(example, pairs=pairs, tiers=None, opinions=others))
    return changed


def majorities(orders: Sequence[Sequence[int]]) -> Iterator[Pair]:
    """The pairs that more orders put one way than the other, with (wins - losses) / orders as margin.

    Each order gives every answer's tier, 0 the best. Where votes tie there is no preference.
    """
    for one, other in itertools.combinations(range(len(orders[0]) if orders else 0), 2):
        balance = sum((order[one] < order[other]) - (order[one] > order[other]) for order in orders)
        better, worse = (one, other) if balance > 0 else (other, one)
        if balance:
            yield Pair(better, worse, abs(balance) / len(orders))


def _refuse_repeated(ranked: RankedPrompt, seen: set[str]) -> None:
    if ranked.prompt_id in seen:
        raise BadRowError("repeated", f"the prompt {ranked.prompt_id} occurs a second time")
    seen.add(ranked.prompt_id)


def _example(ranked: RankedPrompt, line: int) -> Example:
    identities = [response.output_id for response in ranked.responses]
    tiers = _places(ranked.consensus.tiers, identities, "the consensus")
    return Example(
        line=line,
        prompt_id=ranked.prompt_id,
        prompt=ranked.prompt,
        answers=[response.text for response in ranked.responses],
        models=[response.model for response in ranked.responses],
        pairs=_pairs(ranked, identities, tiers),
        tiers=tiers,
        department=ranked.department,
        adjudicated=ranked.adjudicated,
        opinions=[
            Opinion(judged.expert, judged.dimension, _places(judged.tiers, identities, f"{judged.expert}'s order"))
            for judged in ranked.judgements
        ],
    )


def _places(tiers: Tiers, identities: Sequence[str], whose: str) -> list[int]:
    """Each answer's tier; every answer must be in one."""
    level = {identity: number for number, tier in enumerate(tiers) for identity in tier}
    placed = sorted(itertools.chain.from_iterable(tiers))
    if len(set(identities)) < len(identities) or placed != sorted(identities):
        raise BadRowError("bad_order", f"{whose} does not rank each answer once")
    return [level[identity] for identity in identities]


def _pairs(ranked: RankedPrompt, identities: Sequence[str], tiers: Sequence[int]) -> list[Pair]:
    """The strict majorities, as in `preferences.jsonl`; all pairs of the tiers where a file gives no margins.

    Tiers alone may order a pair that no majority ordered: that would invent a preference.
    """
    if not ranked.consensus.margins:
        return [Pair(better, worse) for better, worse in ordered_pairs(tiers)]
    place = {identity: number for number, identity in enumerate(identities)}
    pairs = []
    for names, margin in ranked.consensus.margins.items():
        one, _, other = names.partition(">")
        if one not in place or other not in place or one == other or not -1 <= margin <= 1:
            raise BadRowError("bad_margin", "a margin is not of two of the answers, or not within -1 and 1")
        if margin:
            better, worse = (one, other) if margin > 0 else (other, one)
            pairs.append(Pair(place[better], place[worse], abs(margin)))
    return sorted(set(pairs), key=lambda pair: (pair.better, pair.worse))
