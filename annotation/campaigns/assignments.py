"""A campaign's tasks in their order, gold and repeats among them, and each expert's queue."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec
from sqlalchemy import insert
from sqlalchemy.orm import Session

from annotation.campaigns.drafts import TaskDraft
from annotation.campaigns.pairing import pair_up
from annotation.tables.decisions import GoldOrder, Queue, Repeat
from annotation.tables.models import Answer, Assignment, Campaign, Task, User
from corpus.records import make_id
from foundation.progress import track

BATCH = 500


class Place(msgspec.Struct, frozen=True):
    """A task's place in the campaign: a draft, shown for the first time or `again`, and the experts it goes to."""

    draft: TaskDraft
    seats: list[int]
    again: bool = False

    @property
    def task_id(self) -> str:
        """What the task is called in its campaign; a repeat has a name of its own."""
        prompt_id = self.draft.prompt.prompt_id
        return make_id("again", prompt_id) if self.again else prompt_id


def fill(
    session: Session,
    campaign: Campaign,
    drafts: Sequence[TaskDraft],
    gold: Sequence[TaskDraft],
    people: Sequence[User],
    repeats: float,
) -> None:
    """Store the tasks of `drafts` and `gold`, a share `repeats` of the drafts once more, and who gets which."""
    teams = pair_up(len(drafts), len(people), campaign.min_overlap or campaign.overlap, campaign.seed)
    work = [Place(draft, seats) for draft, seats in zip(drafts, teams, strict=True)]
    tests = [Place(draft, list(range(len(people)))) for draft in gold]
    places = in_order(work, tests, round(repeats * len(work)), campaign.seed)
    tasks = _tasks(session, campaign, places)
    _mark_tests(session, places, tasks)
    rows = list(_assignments(campaign, places, tasks, people))
    for start in track(range(0, len(rows), BATCH), "assignments"):
        session.execute(insert(Assignment), rows[start : start + BATCH])
    given = Counter(row["expert_id"] for row in rows)
    session.add_all(Queue(expert_id=person.id, campaign_id=campaign.id, total=given[person.id]) for person in people)
    session.flush()


def in_order(work: Sequence[Place], tests: Sequence[Place], repeated: int, seed: int) -> list[Place]:
    """Work in its own order, tests anywhere among it, and `repeated` tasks of the first half again, each at least half
    a campaign later."""
    rng = random.Random(f"order/{seed}")
    middle, end = (len(work) + 1) // 2, len(work)
    keyed = [(float(number), place) for number, place in enumerate(work)]
    keyed += [(rng.uniform(-0.5, end), place) for place in tests]
    for number in sorted(rng.sample(range(middle), min(repeated, middle))):
        again = msgspec.structs.replace(work[number], again=True)
        keyed.append((rng.uniform(number + middle - 0.5, end), again))
    return [place for _, place in sorted(keyed, key=lambda pair: pair[0])]


def shuffled(seed: int, expert: str, task: str, output_ids: Iterable[str]) -> list[Any]:
    """An expert's own order of the answers, each as [label, output id]; the label says nothing about the answer."""
    rng = random.Random(f"shown/{seed}/{expert}/{task}")
    order = sorted(output_ids)
    rng.shuffle(order)
    return [[f"a{rng.getrandbits(48):012x}", output_id] for output_id in order]


def _tasks(session: Session, campaign: Campaign, places: Sequence[Place]) -> list[Task]:
    tasks = [_task(campaign, position, place) for position, place in enumerate(places)]
    for start in track(range(0, len(tasks), BATCH), "tasks"):
        session.add_all(tasks[start : start + BATCH])
        session.flush()
    return tasks


def _task(campaign: Campaign, position: int, place: Place) -> Task:
    return Task(
        campaign_id=campaign.id,
        position=position,
        prompt_id=place.task_id,
        prompt=msgspec.to_builtins(place.draft.prompt),
        responses=[
            Answer(
                output_id=answer.output.output_id,
                text=answer.output.text,
                model=answer.output.model,
                merged=answer.merged,
                names_model=answer.names_model,
            )
            for answer in place.draft.answers
        ],
    )


def _mark_tests(session: Session, places: Sequence[Place], tasks: Sequence[Task]) -> None:
    by_name = {task.prompt_id: task for task in tasks}
    for place, task in zip(places, tasks, strict=True):
        if place.draft.gold is not None:
            session.add(GoldOrder(task_id=task.id, tiers=place.draft.gold))
        if place.again:
            session.add(Repeat(task_id=task.id, original_id=by_name[place.draft.prompt.prompt_id].id))
    session.flush()


def _assignments(
    campaign: Campaign, places: Sequence[Place], tasks: Sequence[Task], people: Sequence[User]
) -> Iterator[dict[str, Any]]:
    """Each expert's tasks in the campaign's order, numbered from 0 without gaps."""
    given: Counter[int] = Counter()
    for place, task in zip(places, tasks, strict=True):
        output_ids = [answer.output.output_id for answer in place.draft.answers]
        for expert in (people[seat] for seat in place.seats):
            yield {
                "task_id": task.id,
                "campaign_id": campaign.id,
                "expert_id": expert.id,
                "position": given[expert.id],
                "shown": shuffled(campaign.seed, expert.name, task.prompt_id, output_ids),
            }
            given[expert.id] += 1
