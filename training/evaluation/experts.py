"""Experts as judges: what they rank, blind, on the ranking page; and what their release says."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path

import msgspec

from corpus.records import ModelOutput, RankedPrompt
from corpus.sampling import draw
from foundation.errors import ZhongjingError
from foundation.jsonl import read_records, write_records
from training.evaluation.answers import Answers, output_id
from training.evaluation.items import Item
from training.evaluation.recipe import ExpertJudge
from training.evaluation.verdicts import NO_ANSWER, Match, Verdict

PROMPTS, OUTPUTS, RANKINGS = "prompts.jsonl", "outputs.jsonl", "rankings.jsonl"
NOT_RANKED, NOT_SHOWN = "not_ranked", "not_shown"
MOST = 9
WORDS = re.compile(r"\w")

Votes = dict[str, tuple[int, int, int]]


class Panel(msgspec.Struct, frozen=True, kw_only=True):
    """Who ranked: how many experts, their judgements, and how many of these were simulated."""

    experts: int = 0
    judgements: int = 0
    simulated: int = 0


def campaign_items(judge: ExpertJudge, items: Sequence[Item], seed: int) -> list[Item]:
    """The items that experts are asked about: of each test set as many as the recipe says."""
    chosen: set[str] = set()
    for test in dict.fromkeys(item.test for item in items):
        ids = [item.id for item in items if item.test == test]
        chosen |= draw({"": ids}, {"": judge.count or len(ids)}, seed)
    return [item for item in items if item.id in chosen]


def write_campaign(folder: Path, items: Sequence[Item], answers: Answers) -> None:
    """Write the two files that `zhongjing rank create` takes. The page shows no model's name."""
    if len(answers) > MOST:
        raise ZhongjingError(f"experts rank at most {MOST} answers at once, here are {len(answers)} models")
    write_records(folder / PROMPTS, (item.prompt for item in items))
    write_records(
        folder / OUTPUTS,
        (
            ModelOutput(prompt_id=item.id, output_id=output_id(item, model), text=given[item.id].text, model=model)
            for item in items
            for model, given in answers.items()
            if not given[item.id].fault
        ),
    )


def judge_by_experts(judge: ExpertJudge, items: Sequence[Item], every: Sequence[Match]) -> tuple[list[Verdict], Panel]:
    """Verdicts of a release on the campaign's items: who more experts put higher, a tie where as many do.

    Nothing where there is no release yet. Rankings of other answers than these are refused.
    """
    if judge.release is None:
        return [], Panel()
    ranked = {row.prompt_id: row for row in read_records(judge.release / RANKINGS, RankedPrompt)}
    asked = {item.id for item in items}
    if asked.isdisjoint(ranked):
        raise ZhongjingError(
            "no prompt of this release is one of the evaluation",
            where=judge.release,
            hint="rank the campaign that the evaluation wrote, and export it",
        )
    verdicts = [_verdict(judge.name, match, ranked.get(match.item.id)) for match in every if match.item.id in asked]
    judgements = list(chain.from_iterable(row.judgements for key, row in ranked.items() if key in asked))
    panel = Panel(
        experts=len({judgement.expert for judgement in judgements}),
        judgements=len(judgements),
        simulated=sum(judgement.simulated for judgement in judgements),
    )
    return verdicts, panel


def _verdict(name: str, match: Match, row: RankedPrompt | None) -> Verdict:
    if row is None or not row.judgements:
        return match.verdict(name, fault=NOT_RANKED)
    if match.first.fault or match.second.fault:
        return match.verdict(name, fault=NO_ANSWER)
    one, other = (
        _shown_as(row, output_id(match.item, model), answer.text)
        for model, answer in ((match.one, match.first), (match.other, match.second))
    )
    if one is None or other is None:
        return match.verdict(name, fault=NOT_SHOWN)
    votes = dict(_votes(row, one, other))
    outcome = {axis: (wins > losses) - (wins < losses) for axis, (wins, _, losses) in votes.items()}
    return msgspec.structs.replace(match.verdict(name, outcome), votes=votes)


def _shown_as(row: RankedPrompt, wanted: str, text: str) -> str | None:
    """The id under which experts saw an answer: answers that say the same were one card, under the id of one."""
    texts = {response.output_id: response.text for response in row.responses}
    if wanted in texts and texts[wanted].strip() != text:
        raise ZhongjingError(
            f"the release has another answer to {row.prompt_id} than the evaluation",
            hint="the models answered anew since the campaign was made: use its cache, or rank again",
        )
    alike = [name for name, shown in texts.items() if WORDS.findall(shown) == WORDS.findall(text)]
    return wanted if wanted in texts else next(iter(alike), None)


def _votes(row: RankedPrompt, one: str, other: str) -> Iterator[tuple[str, tuple[int, int, int]]]:
    """How many judgements put one higher, both level, the other higher, by dimension."""
    for dimension in dict.fromkeys(judgement.dimension for judgement in row.judgements):
        counts = [0, 0, 0]
        for judgement in row.judgements:
            level = {name: place for place, tier in enumerate(judgement.tiers) for name in tier}
            if judgement.dimension == dimension and {one, other} <= level.keys():
                counts[1 + (level[one] > level[other]) - (level[one] < level[other])] += 1
        if any(counts):
            yield dimension, (counts[0], counts[1], counts[2])
