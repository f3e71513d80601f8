"""Rankings as the reward model learns them: per prompt, its answers and the strictly ordered pairs among them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from corpus.records import Message, RankedPrompt, Split
from foundation.errors import ZhongjingError
from foundation.jsonl import read_records


class Pair(msgspec.Struct, frozen=True):
    """`better` and `worse` are places among a prompt's answers; `weight` is the pair's share of the loss."""

    better: int
    worse: int
    weight: float = 1.0


class Example(msgspec.Struct, frozen=True, kw_only=True):
    """One ranked prompt. `tiers` holds each answer's tier in the consensus, 0 the best; equal numbers are ties."""

    prompt_id: str
    prompt: list[Message]
    answers: list[str]
    tiers: list[int]
    pairs: list[Pair]


class Rankings(msgspec.Struct, frozen=True, kw_only=True):
    """`without_pairs` counts prompts that teach nothing: all their answers tied, or fewer than two of them."""

    train: list[Example]
    test: list[Example]
    without_pairs: int


def read_rankings(path: Path, *, weight_by_margin: bool) -> Rankings:
    """Read `rankings.jsonl`; refuse a train and a test split that share a prompt or a dialogue."""
    splits: dict[Split, list[Example]] = {"train": [], "test": []}
    owner: dict[str, tuple[Split, int]] = {}
    without_pairs = 0
    seen: set[str] = set()
    for line, ranked in enumerate(_ranked_prompts(path), start=1):
        where = f"{path}:{line}"
        if ranked.prompt_id in seen:
            raise ZhongjingError(f"the prompt {ranked.prompt_id} occurs twice", where=where)
        seen.add(ranked.prompt_id)
        _refuse_shared(ranked, owner, line, where)
        example = _example(ranked, weight_by_margin, where)
        without_pairs += not example.pairs
        if example.pairs:
            splits[ranked.split].append(example)
    if not splits["train"]:
        raise ZhongjingError(
            "no training prompt has two answers of different rank",
            where=path,
            hint=f"prompts in this file: {len(seen)}, without an ordered pair: {without_pairs}, "
            f"held out: {len(splits['test'])}",
        )
    return Rankings(train=splits["train"], test=splits["test"], without_pairs=without_pairs)


def _ranked_prompts(path: Path) -> Iterator[RankedPrompt]:
    try:
        yield from read_records(path, RankedPrompt)
    except ZhongjingError as error:
        error.hint = error.hint or "give the rankings.jsonl of a release, not its preferences.jsonl"
        raise


def _refuse_shared(ranked: RankedPrompt, owner: dict[str, tuple[Split, int]], line: int, where: str) -> None:
    text = "".join(f"{message.role}\n{message.content}\n" for message in ranked.prompt)
    for what, key in (("dialogue", f"d{ranked.dialogue_id}"), ("prompt", f"t{text}")):
        split, first = owner.setdefault(key, (ranked.split, line))
        if split != ranked.split:
            raise ZhongjingError(
                f"the {what} of {ranked.prompt_id} is in {split} (line {first}) and in {ranked.split}",
                where=where,
                hint="split by dialogue and export again: a held-out figure would mean nothing",
            )


def _example(ranked: RankedPrompt, weight_by_margin: bool, where: str) -> Example:
    identities = [response.output_id for response in ranked.responses]
    tier_of = {identity: tier for tier, members in enumerate(ranked.consensus.tiers) for identity in members}
    placed = list(itertools.chain.from_iterable(ranked.consensus.tiers))
    if len(set(identities)) < len(identities) or sorted(placed) != sorted(identities):
        raise ZhongjingError(f"the consensus of {ranked.prompt_id} does not rank each answer once", where=where)
    tiers = [tier_of[identity] for identity in identities]
    pairs = [
        Pair(better, worse, _margin(ranked, identities[better], identities[worse], where) if weight_by_margin else 1.0)
        for better, worse in ordered_pairs(tiers)
    ]
    return Example(
        prompt_id=ranked.prompt_id,
        prompt=ranked.prompt,
        answers=[response.text for response in ranked.responses],
        tiers=tiers,
        pairs=pairs,
    )


def ordered_pairs(tiers: Sequence[int]) -> Iterator[tuple[int, int]]:
    """All pairs (better, worse) of places whose tiers differ."""
    for first, second in itertools.combinations(range(len(tiers)), 2):
        if tiers[first] != tiers[second]:
            yield (first, second) if tiers[first] < tiers[second] else (second, first)


def _margin(ranked: RankedPrompt, better: str, worse: str, where: str) -> float:
    """The pair's margin; none below 0: a consensus may order a pair against its own majority."""
    margins = ranked.consensus.margins
    if (margin := margins.get(f"{better}>{worse}")) is None:
        if (opposite := margins.get(f"{worse}>{better}")) is None:
            raise ZhongjingError(f"{ranked.prompt_id} has no margin for a pair of its answers", where=where)
        margin = -opposite
    return max(0.0, margin)
