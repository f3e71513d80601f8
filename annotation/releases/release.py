"""What a release is made of, and what it counts."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from annotation.consensus.methods import Method
from annotation.judgements import JudgedTask
from annotation.releases.eligible import Eligible
from corpus.records import Dimension, Preference, RankedPrompt


class Sides(NamedTuple):
    """How dialogues are split: `test_share` of them, drawn with `seed`, are the test side."""

    test_share: float
    seed: int


class Contents(msgspec.Struct, frozen=True, kw_only=True):
    """All that a release holds before it is written; `tasks` and `rankings` are the same prompts, experts by
    pseudonym."""

    tasks: list[JudgedTask]
    rankings: list[RankedPrompt]
    preferences: list[Preference]
    chosen: Eligible
    priority: list[Dimension]
    method: Method
    sides: Sides


class Release(msgspec.Struct, frozen=True, kw_only=True):
    """What an export holds. `undecided_pairs` are pairs of answers that make no preference because the experts' votes
    tie or contradict the consensus, or because the prompt waits for a senior expert (`undecided_prompts`).

    `single_opinions` are prompts that one expert alone has ranked: an order, but no consensus. `unranked` and
    `left_out` prompts are in no file but `left_out.jsonl`; `withdrawn_judgements` in none.
    """

    prompts: int
    judgements: int
    simulated_judgements: int
    imported_judgements: int
    pairs: int
    train_prompts: int
    test_prompts: int
    train_pairs: int
    test_pairs: int
    undecided_pairs: int
    undecided_prompts: int
    single_opinions: int
    adjudicated: int
    unranked: int
    left_out: int
    withdrawn_judgements: int
    sha256: str = ""
