"""A release: K-wise rankings and preference pairs in files, the same bytes for the same judgements and seed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import msgspec
from sqlalchemy.orm import Session

from annotation.agreement import agreement
from annotation.card import write_card
from annotation.consensus import UNDECIDED
from annotation.consents import withdrawn
from annotation.eligible import Eligible, eligible
from annotation.errors import InvalidError
from annotation.forms import pairs_of, write_forms, write_table
from annotation.guideline import priority_of
from annotation.judgements import JudgedTask, judged_tasks
from annotation.leave_one_out import COLUMNS, leave_one_out
from annotation.leave_one_out import TABLE as LEAVE_ONE_OUT
from annotation.methods import Method, campaign_consensus
from annotation.models import Campaign
from corpus.records import Consensus, Preference, RankedPrompt, Split
from foundation.files import new_folder
from foundation.jsonl import write_records
from foundation.manifest import FileEntry, claim_folder, write_manifest

KIND = "preference-release"
LEFT_OUT = "left_out.jsonl"


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
    tasks = judged_tasks(session, campaign)
    if not any(task.judgements for task in tasks):
        raise InvalidError("no_rankings", f"nobody has ranked anything in {campaign.name} yet")
    chosen = eligible(tasks, campaign.dimensions, withdrawn(session), guideline_version)
    if not chosen.tasks:
        raise InvalidError("no_rankings", f"no prompt of {campaign.name} can be used: {_why(chosen)}")
    named = with_pseudonyms(chosen.tasks)
    priority = priority_of(session, campaign)
    summary = agreement(session, campaign)
    waiting = {prompt for prompt, reasons in summary.needs_adjudication.items() if set(reasons) - {"majority_tie"}}
    split = split_dialogues({task.prompt.dialogue_id for task in named}, test_share, seed)
    found = campaign_consensus(named, priority, method, waiting=waiting)
    rankings = [_ranked(task, each, split) for task, each in zip(named, found, strict=True)]
    preferences = [pair for row in rankings for pair in pairs_of(row)]
    release = _count(rankings, preferences, chosen)
    claim_folder(out, KIND)
    with new_folder(out) as folder:
        write_forms(folder, rankings, preferences)
        write_table(folder / LEAVE_ONE_OUT, COLUMNS, leave_one_out(named, rankings, priority))
        write_records(folder / LEFT_OUT, chosen.left_out)
        write_card(folder, campaign, release, summary, chosen, rankings, seed=seed, method=method, priority=priority)
        manifest = write_manifest(
            folder,
            kind=KIND,
            name=campaign.name,
            inputs=inputs,
            parameters={
                **_parameters(campaign, test_share, seed),
                "guideline_version": chosen.guideline_version,
                "method": method,
                "priority": list(priority),
            },
            counts={name: count for name, count in msgspec.to_builtins(release).items() if name != "sha256"},
        )
    return msgspec.structs.replace(release, sha256=manifest.sha256)


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
    )


def _why(chosen: Eligible) -> str:
    return ", ".join(sorted({row.reason for row in chosen.left_out}))


def _count(rankings: Sequence[RankedPrompt], preferences: Sequence[Preference], chosen: Eligible) -> Release:
    judgements = [judgement for row in rankings for judgement in row.judgements]
    possible = sum(len(row.responses) * (len(row.responses) - 1) // 2 for row in rankings)
    unranked = sum(row.reason == "unranked" for row in chosen.left_out)
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
        left_out=len(chosen.left_out) - unranked,
        withdrawn_judgements=chosen.withdrawn_judgements,
    )


def _parameters(campaign: Campaign, test_share: float, seed: int) -> dict[str, object]:
    return {
        "campaign": campaign.name,
        "campaign_seed": campaign.seed,
        "dimensions": list(campaign.dimensions),
        "min_overlap": campaign.min_overlap,
        "overlap": campaign.overlap,
        "seed": seed,
        "test_share": test_share,
    }
