"""The stages of the experts, all simulated here: tasks, rankings, agreement, export."""

from __future__ import annotations

import time
from pathlib import Path

from sqlalchemy.orm import Session

from annotation.agreement.agreement import AgreementSummary, agreement, settled_tasks
from annotation.campaigns.campaigns import create_campaign, find_campaign, sizes
from annotation.campaigns.inputs import read_outputs, read_prompts, read_truth
from annotation.database import Database, open_database
from annotation.errors import NotFoundError
from annotation.releases.exports import export
from annotation.releases.release import Release
from annotation.simulation.experts import add_simulated_experts, simulate
from annotation.simulation.senior import settle_disputes
from annotation.tables.models import Campaign
from corpus.records import make_id
from demo.figures import figure, share
from demo.stages import Road
from foundation.files import sha256_of
from foundation.manifest import entry_of


def ask_experts(road: Road, prompts: Path, seed: int) -> tuple[AgreementSummary, Release]:
    """Have `outputs.jsonl` ranked in `zhongjing.db` and write `release`."""
    outputs = road.folder / "outputs.jsonl"
    database = open_database(f"sqlite:///{(road.folder / 'zhongjing.db').absolute()}")
    try:
        name = _tasks(road, database, prompts, outputs, seed)
        _rank(road, database, name, seed)
        summary = _agreement(road, database, name)
        _settle(road, database, name, seed)
        return summary, _export(road, database, name, [prompts, outputs], seed)
    finally:
        database.close()


def _tasks(road: Road, database: Database, prompts: Path, outputs: Path, seed: int) -> str:
    start = time.monotonic()
    name = make_id("demo", sha256_of(prompts), sha256_of(outputs), seed)
    with database.write() as session:
        try:
            campaign, reused = find_campaign(session, name), True
        except NotFoundError:
            campaign, reused = _create(session, name, prompts, outputs, seed), False
        tasks, assignments = sizes(session, campaign)
    note = f"{tasks} tasks, {assignments} assignments to six SIMULATED experts, blind and shuffled"
    road.tell("tasks", tasks, assignments, note, reused=reused, since=start)
    return name


def _create(session: Session, name: str, prompts: Path, outputs: Path, seed: int) -> Campaign:
    experts = [user.name for user in add_simulated_experts(session)]
    return create_campaign(
        session,
        name=name,
        prompts=read_prompts(prompts),
        outputs=read_outputs(outputs),
        experts=experts,
        overlap=len(experts),
        seed=seed,
    )


def _rank(road: Road, database: Database, name: str, seed: int) -> None:
    start = time.monotonic()
    truth = _truth(road)
    with database.write() as session:
        campaign = find_campaign(session, name)
        done = simulate(session, campaign, seed=seed, truth=truth)
        _, assignments = sizes(session, campaign)
    source = "the sample's known qualities" if truth is not None else "a stated text heuristic"
    note = f"{assignments} SIMULATED rankings, seen through noise from {source}"
    road.tell("rank", assignments, assignments, note, reused=not done.rankings, since=start)


def _agreement(road: Road, database: Database, name: str) -> AgreementSummary:
    start = time.monotonic()
    with database.read() as session:
        summary = agreement(session, find_campaign(session, name))
    note = (
        f"pairs ordered alike {share(summary.pair_agreement)}, alpha {figure(summary.alpha)}, "
        f"W {figure(summary.kendall_w)}; {len(summary.needs_adjudication)} prompts need a senior expert"
    )
    road.tell("agreement", summary.judgements, summary.judged_tasks, note, since=start)
    return summary


def _settle(road: Road, database: Database, name: str, seed: int) -> None:
    start = time.monotonic()
    with database.write() as session:
        campaign = find_campaign(session, name)
        decided = settle_disputes(session, campaign, seed=seed, truth=_truth(road))
        settled = len(settled_tasks(session, campaign))
    note = f"{settled} disputed prompts decided by a SIMULATED senior expert"
    road.tell("adjudicate", settled, settled, note, reused=not decided, since=start)


def _truth(road: Road) -> dict[str, float] | None:
    path = road.folder / "truth.jsonl"
    return read_truth(path) if path.exists() else None


def _export(road: Road, database: Database, name: str, sources: list[Path], seed: int) -> Release:
    start = time.monotonic()
    inputs = [entry_of(path) for path in sources]
    with database.read() as session:
        release = export(session, find_campaign(session, name), road.folder / "release", seed=seed, inputs=inputs)
    note = (
        f"{release.pairs} preference pairs from {release.prompts} prompts "
        f"({release.train_prompts} train, {release.test_prompts} test); {release.undecided_pairs} pairs undecided"
    )
    road.tell("export", release.judgements, release.pairs, note, since=start)
    return release
