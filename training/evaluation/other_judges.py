"""Judges that are no language model: a reward model, the knowledge graph."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from foundation.manifest import read_manifest
from foundation.progress import track
from training.evaluation.answers import Answers
from training.evaluation.items import Item
from training.evaluation.recipe import GraphJudge, RewardJudge
from training.evaluation.rubric import OVERALL
from training.evaluation.store import Store, key_of
from training.evaluation.verdicts import Match, Verdict, judgeable

ACCURACY = "safety.accuracy"
BATCH = 16


class Figures(msgspec.Struct, frozen=True, omit_defaults=True):
    """What was found of one answer: its reward, or its statements by what the graph says of them."""

    reward: float = 0.0
    supported: int = 0
    contradicted: int = 0
    unknown: int = 0


Found = dict[tuple[str, str], Figures]
Scorer = Callable[[Sequence[tuple[Item, str]]], list[Figures]]


def judge_by_reward(
    judge: RewardJudge, items: Sequence[Item], answers: Answers, every: Sequence[Match], store: Store[Figures]
) -> tuple[list[Verdict], Found]:
    """The higher reward wins overall; rewards closer than `judge.tie` tie. Also what was found, by item and model."""
    identity = ["reward", read_manifest(judge.path).sha256]
    found = _figures(judge.name, identity, items, answers, store, lambda: _reward_scorer(judge))

    def better(match: Match) -> int:
        difference = found[match.item.id, match.one].reward - found[match.item.id, match.other].reward
        return _sign(difference) if abs(difference) > judge.tie else 0

    able, settled = judgeable(judge.name, every, [OVERALL])
    return [*settled, *(match.verdict(judge.name, {OVERALL: better(match)}) for match in able)], found


def judge_by_graph(
    judge: GraphJudge, items: Sequence[Item], answers: Answers, every: Sequence[Match], store: Store[Figures]
) -> tuple[list[Verdict], Found]:
    """Fewer statements that the graph contradicts win on accuracy. Also what was found, by item and model."""
    identity = ["graph", read_manifest(judge.path).sha256]
    found = _figures(judge.name, identity, items, answers, store, lambda: _graph_scorer(judge))

    def better(match: Match) -> int:
        one, other = (found[match.item.id, model].contradicted for model in (match.one, match.other))
        return _sign(other - one)

    able, settled = judgeable(judge.name, every, [ACCURACY])
    return [*settled, *(match.verdict(judge.name, {ACCURACY: better(match)}) for match in able)], found


def _reward_scorer(judge: RewardJudge) -> Scorer:
    from training.scoring import RewardModel

    model = RewardModel(judge.path)

    def score(answered: Sequence[tuple[Item, str]]) -> list[Figures]:
        prompts = [item.prompt.messages for item, _ in answered]
        return [Figures(reward=reward) for [reward] in model.rewards(prompts, [[text] for _, text in answered])]

    return score


def _graph_scorer(judge: GraphJudge) -> Scorer:
    from kg.checking.checker import Checker
    from kg.graph import KnowledgeGraph

    checker = Checker(KnowledgeGraph.open(judge.path))

    def score(answered: Sequence[tuple[Item, str]]) -> list[Figures]:
        said = [[claim.verdict for claim in checker.check(text)] for _, text in answered]
        return [
            Figures(0.0, verdicts.count("supported"), verdicts.count("contradicted"), verdicts.count("unknown"))
            for verdicts in said
        ]

    return score


def _figures(
    name: str,
    identity: list[str],
    items: Sequence[Item],
    answers: Answers,
    store: Store[Figures],
    opened: Callable[[], Scorer],
) -> Found:
    """Figures of all answers there are, from the store where it knows them; else of the scorer, opened when needed."""
    found: Found = {}
    missing: list[tuple[Item, str]] = []
    keys = {
        (item.id, model): key_of(identity, item.prompt.messages, given[item.id].text)
        for item in items
        for model, given in answers.items()
        if not given[item.id].fault
    }
    for item in items:
        for model in answers:
            figures = store.found(keys[item.id, model]) if (item.id, model) in keys else None
            if figures is not None:
                found[item.id, model] = figures
            elif (item.id, model) in keys:
                missing.append((item, model))
    score = opened() if missing else None
    for start in track(range(0, len(missing), BATCH), f"judge {name}"):
        assert score is not None
        part = missing[start : start + BATCH]
        new = score([(item, answers[model][item.id].text) for item, model in part])
        scored = {(item.id, model): figures for (item, model), figures in zip(part, new, strict=True)}
        store.add({keys[place]: figures for place, figures in scored.items()})
        found |= scored
    return found


def _sign(value: float) -> int:
    return (value > 0) - (value < 0)
