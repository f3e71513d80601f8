"""Which judgements go into a release, and why the others do not: nothing is added up that does not belong together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import chain

import msgspec
import numpy as np
from sqlalchemy.orm import Session

from annotation.agreement.ballots import followed
from annotation.agreement.disputes import disputes, grounds
from annotation.agreement.measures import panel_of
from annotation.errors import InvalidError
from annotation.identity.consents import Withdrawn
from annotation.judgements import JudgedTask
from annotation.tables.models import Campaign
from corpus.records import Dimension, Judgement

REASONS = ("consent_withdrawn", "answers_changed", "dimensions_changed", "other_guideline", "unranked")


class LeftOut(msgspec.Struct, frozen=True, kw_only=True):
    """A line of `left_out.jsonl`: a prompt that is not in the release, why, and how many judgements it had."""

    prompt_id: str
    reason: str
    judgements: int


class Eligible(msgspec.Struct, frozen=True, kw_only=True):
    """Tasks with the judgements that count, at least one each; what is left out; judgements of experts who withdrew
    their consent, and of rules of the guideline that were not asked for."""

    tasks: list[JudgedTask]
    left_out: list[LeftOut]
    withdrawn_judgements: int
    guideline_version: str


def eligible(
    tasks: Sequence[JudgedTask],
    dimensions: Sequence[Dimension],
    gone: Withdrawn,
    guideline_version: str | None = None,
) -> Eligible:
    """What of `tasks` goes into a release of a campaign that asks for `dimensions`.

    All judgements follow one version of the rule: where there are several, `guideline_version` says which. A prompt
    whose judgements rank other answers than it has now, or not all dimensions, is left out: the campaign was changed
    half-way.
    """
    allowed = [_of(task, [j for j in task.judgements if j.expert not in gone.expert]) for task in tasks]
    version = _version(allowed, guideline_version)
    kept, left_out = [], []
    for task, before in zip(allowed, tasks, strict=True):
        counted = _of(task, [j for j in task.judgements if j.guideline_version == version])
        reason = _fault(before, task, counted, dimensions, gone)
        if reason is None:
            kept.append(counted)
        else:
            left_out.append(LeftOut(prompt_id=task.prompt.prompt_id, reason=reason, judgements=len(before.judgements)))
    withdrawn = sum(len(task.judgements) for task in tasks) - sum(len(task.judgements) for task in allowed)
    return Eligible(tasks=kept, left_out=left_out, withdrawn_judgements=withdrawn, guideline_version=version)


def waiting(session: Session, campaign: Campaign, tasks: Sequence[JudgedTask]) -> set[str]:
    """The prompts (ids) among `tasks` that a senior expert has yet to decide: those that wait on the page for her,
    and those that would if nothing had been said but the judgements that go into the release."""
    _, levels = panel_of([{j.expert: j.tiers for j in task.judgements if j.dimension == "overall"} for task in tasks])
    queued = {one.prompt_id for one in disputes(followed(session, campaign.id), lowest_w=campaign.adjudicate_below)}
    unflagged = np.zeros(len(tasks), np.bool_)
    disputed = np.flatnonzero(np.any(grounds(levels, unflagged, lowest_w=campaign.adjudicate_below), axis=0))
    queued |= {tasks[place].prompt.prompt_id for place in disputed.tolist()}
    return {task.prompt.prompt_id for task in tasks if task.decided is None and task.prompt.prompt_id in queued}


def _of(task: JudgedTask, judgements: list[Judgement]) -> JudgedTask:
    return msgspec.structs.replace(task, judgements=judgements)


def _version(tasks: Sequence[JudgedTask], wanted: str | None) -> str:
    found = Counter(judgement.guideline_version for task in tasks for judgement in task.judgements)
    if wanted is None and len(found) == 1:
        return next(iter(found))
    listed = ", ".join(f"{version} ({count})" for version, count in sorted(found.items()))
    if not found:
        raise InvalidError("no_rankings", "nobody has ranked anything that may be used here yet")
    if wanted is None:
        raise InvalidError(
            "guideline_changed",
            f"these rankings follow {len(found)} versions of the rule and do not add up: {listed}",
            hint="choose one with --guideline-version",
        )
    if wanted not in found:
        raise InvalidError("guideline_version", f"no ranking follows {wanted}", hint=f"there are: {listed}")
    return wanted


def _fault(
    before: JudgedTask, allowed: JudgedTask, counted: JudgedTask, dimensions: Sequence[Dimension], gone: Withdrawn
) -> str | None:
    if gone.covers(before) or (before.judgements and not allowed.judgements):
        return "consent_withdrawn"
    if not before.judgements:
        return "unranked"
    if not counted.judgements:
        return "other_guideline"
    answers = sorted(answer.output_id for answer in counted.responses)
    if any(sorted(chain(*judgement.tiers)) != answers for judgement in counted.judgements):
        return "answers_changed"
    asked = sorted((expert, each) for expert in {j.expert for j in counted.judgements} for each in dimensions)
    given = sorted((judgement.expert, judgement.dimension) for judgement in counted.judgements)
    return "dimensions_changed" if given != asked else None
