"""A release: K-wise rankings and preference pairs in files, the same bytes for the same judgements and seed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.resources import files
from itertools import combinations
from pathlib import Path

import msgspec
from sqlalchemy.orm import Session

from annotation.agreement import AgreementSummary, agreement
from annotation.consensus import Votes, consensus, count_votes
from annotation.errors import InvalidError
from annotation.judgements import JudgedTask, judged_tasks
from annotation.models import Campaign
from corpus.records import Message, Preference, RankedPrompt, Split, make_id
from foundation.files import new_folder
from foundation.jsonl import write_records
from foundation.manifest import FileEntry, claim_folder, write_manifest

KIND = "preference-release"
RANKINGS, PREFERENCES, CARD = "rankings.jsonl", "preferences.jsonl", "README.md"


class Release(msgspec.Struct, frozen=True, kw_only=True):
    """What an export holds. `unranked` prompts are left out; `undecided_pairs` are pairs of answers that make no
    preference because the experts' votes tie or contradict the consensus."""

    prompts: int
    judgements: int
    simulated_judgements: int
    pairs: int
    train_prompts: int
    test_prompts: int
    train_pairs: int
    test_pairs: int
    undecided_pairs: int
    adjudicated: int
    unranked: int
    sha256: str = ""


def export(
    session: Session,
    campaign: Campaign,
    out: Path,
    *,
    test_share: float = 0.2,
    seed: int,
    inputs: Sequence[FileEntry] = (),
) -> Release:
    """Write the campaign's judgements to the folder `out`; an earlier release there is replaced.

    `test_share` of the source dialogues, drawn with `seed`, is the test split: a prompt and its pairs stand on one
    side, and so do all prompts of one dialogue. `inputs` go into the manifest.
    """
    if not 0 <= test_share < 1:
        raise InvalidError("test_share", "the share of the test split is at least 0 and under 1")
    tasks = judged_tasks(session, campaign)
    judged = [task for task in tasks if task.tiers()]
    if not judged:
        raise InvalidError("no_rankings", f"nobody has ranked anything in {campaign.name} yet")
    split = split_dialogues({task.prompt.dialogue_id for task in judged}, test_share, seed)
    names = pseudonyms(judged)
    rankings = [_ranked(task, split[task.prompt.dialogue_id], names) for task in judged]
    preferences = [pair for row in rankings for pair in pairs_of(row)]
    release = _count(rankings, preferences, unranked=len(tasks) - len(judged))
    claim_folder(out, KIND)
    with new_folder(out) as folder:
        write_records(folder / RANKINGS, rankings)
        write_records(folder / PREFERENCES, preferences)
        (folder / CARD).write_text(_card(campaign, release, agreement(session, campaign), seed), encoding="utf-8")
        manifest = write_manifest(
            folder,
            kind=KIND,
            name=campaign.name,
            inputs=inputs,
            parameters=_parameters(campaign, test_share, seed),
            counts={name: count for name, count in msgspec.to_builtins(release).items() if name != "sha256"},
        )
    return msgspec.structs.replace(release, sha256=manifest.sha256)


def split_dialogues(dialogue_ids: Iterable[str], test_share: float, seed: int) -> dict[str, Split]:
    """Each dialogue's side. The share is met to the nearest whole dialogue; neither side stays empty where there are
    two dialogues."""
    drawn = sorted(set(dialogue_ids), key=lambda name: hashlib.sha256(f"{seed}/{name}".encode()).digest())
    tests = min(max(1, round(test_share * len(drawn))), len(drawn) - 1) if test_share else 0
    return {name: "test" if place < tests else "train" for place, name in enumerate(drawn)}


def pairs_of(row: RankedPrompt) -> Iterator[Preference]:
    """The preferences of a prompt: pairs that the consensus orders and a strict majority of the votes stands behind
    (or a senior expert decided).

    `margin` is (wins - losses) / judgements; `weight` the share of the experts with an opinion on the pair, a
    deciding senior included, who share this one.
    """
    text = {response.output_id: response.text for response in row.responses}
    votes = count_votes([judgement.tiers for judgement in row.judgements if judgement.dimension == "overall"])
    for chosen, rejected in ordered_pairs(row):
        yield Preference(
            prompt=row.prompt,
            chosen=[Message("assistant", text[chosen])],
            rejected=[Message("assistant", text[rejected])],
            margin=row.consensus.margins[f"{chosen}>{rejected}"],
            weight=_weight(votes, chosen, rejected, senior=row.adjudicated),
            prompt_id=row.prompt_id,
            pair_id=make_id("pair", row.prompt_id, chosen, rejected),
            split=row.split,
        )


def ordered_pairs(row: RankedPrompt) -> Iterator[tuple[str, str]]:
    """Pairs (better, worse) of the consensus tiers that have a margin."""
    for upper, lower in combinations(row.consensus.tiers, 2):
        for better in upper:
            for worse in lower:
                if f"{better}>{worse}" in row.consensus.margins:
                    yield better, worse


def pseudonyms(tasks: Iterable[JudgedTask]) -> dict[str, str]:
    """What each expert is called in a release: simulated ones by their name, people by a number."""
    experts = {(judgement.expert, judgement.simulated) for task in tasks for judgement in task.judgements}
    people = sorted(expert for expert, simulated in experts if not simulated)
    numbered = {expert: f"expert-{number}" for number, expert in enumerate(people, start=1)}
    return {expert: numbered.get(expert, expert) for expert, _ in experts}


def _ranked(task: JudgedTask, split: Split, names: Mapping[str, str]) -> RankedPrompt:
    return RankedPrompt(
        prompt_id=task.prompt.prompt_id,
        prompt=task.prompt.messages,
        responses=task.responses,
        judgements=[
            msgspec.structs.replace(judgement, expert=names[judgement.expert]) for judgement in task.judgements
        ],
        consensus=consensus(task.tiers(), task.decided),
        adjudicated=task.decided is not None,
        split=split,
        dialogue_id=task.prompt.dialogue_id,
        dataset_version=task.prompt.dataset_version,
        department=task.prompt.department,
    )


def _weight(votes: Votes, chosen: str, rejected: str, *, senior: bool) -> float:
    wins, losses = votes[chosen, rejected] + senior, votes[rejected, chosen]
    return wins / (wins + losses)


def _count(rankings: Sequence[RankedPrompt], preferences: Sequence[Preference], unranked: int) -> Release:
    judgements = [judgement for row in rankings for judgement in row.judgements]
    possible = sum(len(row.responses) * (len(row.responses) - 1) // 2 for row in rankings)
    return Release(
        prompts=len(rankings),
        judgements=len(judgements),
        simulated_judgements=sum(judgement.simulated for judgement in judgements),
        pairs=len(preferences),
        train_prompts=sum(row.split == "train" for row in rankings),
        test_prompts=sum(row.split == "test" for row in rankings),
        train_pairs=sum(pair.split == "train" for pair in preferences),
        test_pairs=sum(pair.split == "test" for pair in preferences),
        undecided_pairs=possible - len(preferences),
        adjudicated=sum(row.adjudicated for row in rankings),
        unranked=unranked,
    )


def _parameters(campaign: Campaign, test_share: float, seed: int) -> dict[str, object]:
    return {
        "campaign": campaign.name,
        "campaign_seed": campaign.seed,
        "dimensions": list(campaign.dimensions),
        "guideline_version": campaign.guideline_version,
        "overlap": campaign.overlap,
        "seed": seed,
        "test_share": test_share,
    }


def _card(campaign: Campaign, release: Release, summary: AgreementSummary, seed: int) -> str:
    from jinja2 import Environment, StrictUndefined

    source = files("annotation").joinpath("templates/card.md").read_text(encoding="utf-8")
    environment = Environment(trim_blocks=True, undefined=StrictUndefined, keep_trailing_newline=True)  # noqa: S701
    environment.filters["figure"] = lambda value: "–" if value is None else f"{value:.3f}"
    return environment.from_string(source).render(campaign=campaign, release=release, agreement=summary, seed=seed)
