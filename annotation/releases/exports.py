"""A release: K-wise rankings and preference pairs in files, the same bytes for the same judgements and seed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import msgspec
from sqlalchemy.orm import Session

from annotation.campaigns.guideline import priority_of
from annotation.consensus.methods import Method, campaign_consensus
from annotation.consensus.ranked_pairs import UNDECIDED
from annotation.errors import InvalidError
from annotation.identity.consents import withdrawn
from annotation.judgements import JudgedTask, judged_tasks
from annotation.releases.card import write_card
from annotation.releases.eligible import Eligible, eligible, waiting
from annotation.releases.forms import pairs_of, write_forms, write_table
from annotation.releases.leave_one_out import COLUMNS, leave_one_out
from annotation.releases.leave_one_out import TABLE as LEAVE_ONE_OUT
from annotation.releases.release import Contents, Release, Sides
from annotation.tables.models import Campaign
from corpus.records import Consensus, RankedPrompt, Split
from foundation.files import new_folder
from foundation.jsonl import write_records
from foundation.manifest import FileEntry, claim_folder, write_manifest

KIND = "preference-release"
LEFT_OUT = "left_out.jsonl"


def export(
    session: Session,
    campaign: Campaign,
    out: Path,
    *,
    test_share: float = 0.2,
    seed: int,
    method: Method = "ranked_pairs",
    guideline_version: str | None = None,
    inputs: Sequence[FileEntry] = (),
) -> Release:
    """Write the campaign's judgements to the folder `out`; an earlier release there is replaced.

    `test_share` of the source dialogues, drawn with `seed`, is the test split: a prompt and its pairs stand on one
    side, and so do all prompts of one dialogue. `method` finds the consensus; `guideline_version` is needed where
    judgements follow several versions of the rule. `inputs` go into the manifest.
    """
    if not 0 <= test_share < 1:
        raise InvalidError("test_share", "the share of the test split is at least 0 and under 1")
    contents = _gather(session, campaign, method, guideline_version, Sides(test_share, seed))
    release = _count(contents)
    claim_folder(out, KIND)
    with new_folder(out) as folder:
        write_forms(folder, contents.rankings, contents.preferences)
        write_table(
            folder / LEAVE_ONE_OUT, COLUMNS, leave_one_out(contents.tasks, contents.rankings, contents.priority)
        )
        write_records(folder / LEFT_OUT, contents.chosen.left_out)
        write_card(folder, campaign, contents, release)
        manifest = write_manifest(
            folder,
            kind=KIND,
            name=campaign.name,
            inputs=inputs,
            parameters=_parameters(campaign, contents),
            counts={name: count for name, count in msgspec.to_builtins(release).items() if name != "sha256"},
        )
    return msgspec.structs.replace(release, sha256=manifest.sha256)


def _gather(
    session: Session, campaign: Campaign, method: Method, guideline_version: str | None, sides: Sides
) -> Contents:
    tasks = judged_tasks(session, campaign)
    if not any(task.judgements for task in tasks):
        raise InvalidError("no_rankings", f"nobody has ranked anything in {campaign.name} yet")
    chosen = eligible(tasks, campaign.dimensions, withdrawn(session), guideline_version)
    if not chosen.tasks:
        raise InvalidError("no_rankings", f"no prompt of {campaign.name} can be used: {_why(chosen)}")
    named = with_pseudonyms(chosen.tasks)
    priority = priority_of(session, campaign)
    split = split_dialogues({task.prompt.dialogue_id for task in named}, sides.test_share, sides.seed)
    found = campaign_consensus(named, priority, method, waiting=waiting(session, campaign, named))
    rankings = [_ranked(task, each, split) for task, each in zip(named, found, strict=True)]
    return Contents(
        tasks=named,
        rankings=rankings,
        preferences=[pair for row in rankings for pair in pairs_of(row)],
        chosen=chosen,
        priority=priority,
        method=method,
        sides=sides,
    )


def split_dialogues(dialogue_ids: Iterable[str], test_share: float, seed: int) -> dict[str, Split]:
    """Each dialogue's side. The share is met to the nearest whole dialogue; neither side stays empty where there are
    two dialogues."""
    drawn = sorted(set(dialogue_ids), key=lambda name: hashlib.sha256(f"{seed}/{name}".encode()).digest())
    tests = min(max(1, round(test_share * len(drawn))), len(drawn) - 1) if test_share else 0
    return {name: "test" if place < tests else "train" for place, name in enumerate(drawn)}


def with_pseudonyms(tasks: Sequence[JudgedTask]) -> list[JudgedTask]:
    """The same tasks, experts by what they are called in a release: simulated ones by their name, people by a
    number."""
    experts = {(judgement.expert, judgement.simulated) for task in tasks for judgement in task.judgements}
    people = sorted(expert for expert, simulated in experts if not simulated)
    numbered = {expert: f"expert-{number}" for number, expert in enumerate(people, start=1)}
    return [_renamed(task, numbered) for task in tasks]


def _renamed(task: JudgedTask, names: Mapping[str, str]) -> JudgedTask:
    judgements = [
        msgspec.structs.replace(judgement, expert=names.get(judgement.expert, judgement.expert))
        for judgement in task.judgements
    ]
    return msgspec.structs.replace(task, judgements=judgements)


def _ranked(task: JudgedTask, consensus: Consensus, split: Mapping[str, Split]) -> RankedPrompt:
    return RankedPrompt(
        prompt_id=task.prompt.prompt_id,
        prompt=task.prompt.messages,
        responses=task.responses,
        judgements=task.judgements,
        consensus=consensus,
        adjudicated=task.decided is not None,
        split=split[task.prompt.dialogue_id],
        dialogue_id=task.prompt.dialogue_id,
        dataset_version=task.prompt.dataset_version,
        department=task.prompt.department,
        none_acceptable=task.none_acceptable,
    )


def _why(chosen: Eligible) -> str:
    return ", ".join(sorted({row.reason for row in chosen.left_out}))


def _count(contents: Contents) -> Release:
    rankings, preferences, left_out = contents.rankings, contents.preferences, contents.chosen.left_out
    judgements = [judgement for row in rankings for judgement in row.judgements]
    possible = sum(len(row.responses) * (len(row.responses) - 1) // 2 for row in rankings)
    unranked = sum(row.reason == "unranked" for row in left_out)
    return Release(
        prompts=len(rankings),
        judgements=len(judgements),
        simulated_judgements=sum(judgement.simulated for judgement in judgements),
        imported_judgements=sum(judgement.origin is not None for judgement in judgements),
        pairs=len(preferences),
        train_prompts=sum(row.split == "train" for row in rankings),
        test_prompts=sum(row.split == "test" for row in rankings),
        train_pairs=sum(pair.split == "train" for pair in preferences),
        test_pairs=sum(pair.split == "test" for pair in preferences),
        undecided_pairs=possible - len(preferences),
        undecided_prompts=sum(row.consensus.method == UNDECIDED for row in rankings),
        single_opinions=sum(len({judgement.expert for judgement in row.judgements}) == 1 for row in rankings),
        adjudicated=sum(row.adjudicated for row in rankings),
        unranked=unranked,
        left_out=len(left_out) - unranked,
        withdrawn_judgements=contents.chosen.withdrawn_judgements,
    )


def _parameters(campaign: Campaign, contents: Contents) -> dict[str, object]:
    return {
        "adjudicate_below": campaign.adjudicate_below,
        "campaign": campaign.name,
        "campaign_seed": campaign.seed,
        "dimensions": list(campaign.dimensions),
        "guideline_version": contents.chosen.guideline_version,
        "method": contents.method,
        "min_overlap": campaign.min_overlap,
        "overlap": campaign.overlap,
        "priority": contents.priority,
        "seed": contents.sides.seed,
        "test_share": contents.sides.test_share,
    }
