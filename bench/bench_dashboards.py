"""Dashboards of six experts' rankings: what a look costs, and the measures beside krippendorff and scipy.

python bench/bench_dashboards.py [--prompts N…]
"""

import argparse
import subprocess
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path

import measure
import numpy as np
from sqlalchemy import insert, select

from annotation.agreement.boards import campaign_board, experts_board, stamp
from annotation.agreement.live import Live
from annotation.agreement.measures import kendall_w, krippendorff_alpha, mid_ranks, signs, tau_b
from annotation.campaigns.campaigns import create_campaign
from annotation.database import Database, upgrade
from annotation.ranking import Decision, submit
from annotation.tables.base import now
from annotation.tables.decisions import Ranking, Submission
from annotation.tables.models import Assignment, Campaign, User
from corpus.records import Message, ModelOutput, Prompt

EXPERTS, ANSWERS = 6, 4
PEERS = ("ours", "krippendorff, scipy")
TAU_PROMPTS = 1_000


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--prompts", type=int, nargs="+", default=[1_000, 20_000])
    options.add_argument("--measures", help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if chosen.measures:
        print_measures(chosen.measures, chosen.prompts[0])
        return
    print(f"{'prompts':>8} {'board':>9} {'first look':>11} {'next look':>10} {'after one more':>15}   CPU seconds")
    for prompts in chosen.prompts:
        with tempfile.TemporaryDirectory() as folder:
            looks(f"sqlite:///{Path(folder) / 'bench.db'}", prompts)
    print(f"\n{'prompts':>8} {'':>20} {'alpha':>8} {'W':>8} {'tau-b':>8} {'peak MB':>8}   CPU seconds")
    for prompts in chosen.prompts:
        for name in PEERS:
            subprocess.run([sys.executable, __file__, "--measures", name, "--prompts", str(prompts)], check=True)


def looks(url: str, prompts: int) -> None:
    """A first look at each board, another, and one after another ranking."""
    upgrade(url)
    database = Database(url)
    campaign_id = fill(database, prompts)
    for name, make in (("campaign", campaign_board), ("experts", experts_board)):
        live = Live()

        def look(live=live, make=make) -> None:
            with database.read() as session:
                campaign = session.get_one(Campaign, campaign_id)
                ballots = live.ballots(session, campaign_id)
                key = stamp(session, campaign, ballots)
                live.figure(lambda: make(session, campaign, ballots, "overall"), *key)

        first, again = measure.cpu_seconds(look, 1), measure.cpu_seconds(look, 5)
        rank_once_more(database, name)
        print(
            f"{prompts:>8,} {name:>9} {first:>11.2f} {again:>10.3f} {measure.cpu_seconds(look, 1):>15.2f}", flush=True
        )
    database.close()


def fill(database: Database, prompts: int) -> int:
    """A campaign whose experts have ranked all, through noise of their own; the number of the campaign."""
    asked = [
        Prompt(prompt_id=f"p-{n}", messages=[Message("user", "咳嗽？")], dialogue_id=f"d-{n}", dataset_version="bench")
        for n in range(prompts)
    ]
    outputs = [
        ModelOutput(prompt_id=row.prompt_id, output_id=f"{row.prompt_id}-{k}", text="多休息。" * (k + 2), model=f"m{k}")
        for row in asked
        for k in range(ANSWERS)
    ]
    names = [f"expert {number}" for number in range(EXPERTS)]
    with database.write() as session:
        session.add_all(User(name=name, role="expert", simulated=False) for name in names)
        session.flush()
        campaign = create_campaign(
            session, name="bench", prompts=asked, outputs=outputs, experts=names, overlap=EXPERTS, seed=0
        )
        rows = session.execute(select(Assignment.id, Assignment.shown).order_by(Assignment.id)).all()
        levels = invented(len(rows), 1)[:, 0]
        common = {"version": 1, "seconds": 40.0, "guideline_version": campaign.guideline_version}
        start = now() - timedelta(days=20)
        sent = [
            {
                "id": place,
                "assignment_id": number,
                "key": f"k{place}",
                "created_at": start + place * timedelta(days=20) / len(rows),
                **common,
            }
            for place, (number, _) in enumerate(rows, start=1)
        ]
        session.execute(insert(Submission), [{**row, "verdict": "ranked", "none_acceptable": False} for row in sent])
        tiers = [orders(shown, level) for (_, shown), level in zip(rows, levels.tolist(), strict=True)]
        ranked = [{**row, "dimension": "overall", "tiers": order} for row, order in zip(sent, tiers, strict=True)]
        session.execute(insert(Ranking), ranked)
        return campaign.id


def orders(shown: list, level: list[int]) -> list[list[str]]:
    ids = sorted(output_id for _, output_id in shown)
    return [[ids[answer]] for answer in sorted(range(ANSWERS), key=lambda answer: level[answer])]


def rank_once_more(database: Database, key: str) -> None:
    with database.write() as session:
        assignment = session.scalars(select(Assignment).limit(1)).one()
        order = {"overall": [[label] for label, _ in assignment.shown]}
        submit(
            session,
            assignment_id=assignment.id,
            expert_id=assignment.expert_id,
            decision=Decision(orders=order),
            key=key,
            seconds=9,
        )


def invented(experts: int, prompts: int) -> np.ndarray:
    rng = np.random.default_rng(1)
    scores = rng.normal(size=(experts, prompts, ANSWERS)) + np.arange(ANSWERS)
    return (-scores).argsort(axis=-1).argsort(axis=-1).astype(np.int8)


def print_measures(name: str, prompts: int) -> None:
    levels = invented(EXPERTS, prompts)
    alpha, concordance, tau = ours(levels) if name == PEERS[0] else theirs(levels)
    print(
        f"{prompts:>8,} {name:>20} {alpha:>8.3f} {concordance:>8.3f} {tau:>8.3f} {measure.peak_megabytes():>8.0f}",
        flush=True,
    )


def ours(levels: np.ndarray) -> tuple[float, float, float]:
    """Seconds of alpha with its interval, of every prompt's W, and of tau-b of every two experts on every prompt."""
    ordered = signs(levels)
    pairs = [(one, other) for other in range(EXPERTS) for one in range(other)]
    return (
        measure.cpu_seconds(lambda: krippendorff_alpha(levels)),
        measure.cpu_seconds(lambda: kendall_w(levels)),
        measure.cpu_seconds(lambda: [tau_b(ordered[one], ordered[other]) for one, other in pairs]),
    )


def theirs(levels: np.ndarray) -> tuple[float, float, float]:
    """The same by the packages, alpha without an interval; tau-b is measured on a thousand prompts and scaled up."""
    import krippendorff
    from scipy import stats

    ranks = mid_ranks(levels)
    table = ranks.reshape(EXPERTS, -1)
    few = ranks[:, :TAU_PROMPTS]
    pairs = [(one, other) for other in range(EXPERTS) for one in range(other)]

    def taus() -> None:
        for one, other in pairs:
            for prompt in range(few.shape[1]):
                stats.kendalltau(few[one, prompt], few[other, prompt])

    start = time.process_time()
    taus()
    tau = (time.process_time() - start) * ranks.shape[1] / few.shape[1]
    return (
        measure.cpu_seconds(lambda: krippendorff.alpha(table, level_of_measurement="ordinal")),
        measure.cpu_seconds(lambda: [stats.friedmanchisquare(*ranks[:, n].T) for n in range(ranks.shape[1])], 1),
        tau,
    )


if __name__ == "__main__":
    main()
