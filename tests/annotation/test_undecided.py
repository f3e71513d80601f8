"""What a senior expert has yet to decide makes no preference: the release and the page for her speak of the same."""

from __future__ import annotations

import json
import random

import polars as pl
import pytest
from sqlalchemy import select

from annotation.adjudication import adjudicate, take_back
from annotation.agreement.ballots import followed
from annotation.agreement.disputes import disputes
from annotation.campaigns.campaigns import find_campaign
from annotation.cases import open_case
from annotation.consensus.ranked_pairs import count_votes
from annotation.database import Database
from annotation.errors import InvalidError
from annotation.identity.consents import state_consent
from annotation.ranking import Decision, submit
from annotation.releases.exports import export
from annotation.releases.forms import pairs_of
from annotation.tables.models import Assignment, Task, User
from corpus.records import Preference, RankedPrompt
from foundation.jsonl import read_records

FORWARD, SWAPPED = [[0], [1], [2], [3]], [[0], [1], [3], [2]]
NAMES = ("李医生", "王医生", "张医生", "赵医生")


@pytest.fixture
def quick(sqlite_url):
    database = Database(sqlite_url)
    yield database
    database.close()


@pytest.fixture
def panel_of_four(made):
    """A campaign of four experts and their senior, who was not asked."""

    def make(session, prompts, **options):
        made.person(session, "王主任", "senior")
        names = [made.person(session, name).name for name in NAMES]
        return made.campaign(session, prompts=prompts, experts=names, overlap=4, repeats=0.0, **options)

    return make


def say(session, expert, orders, flags=(), key="first"):
    """Have an expert rank prompts (by number) by answer numbers."""
    query = select(Assignment, Task.prompt_id).join(Task, Task.id == Assignment.task_id).join(User)
    for assignment, prompt_id in session.execute(query.where(User.name == expert)).all():
        label = {output_id[-1]: label for label, output_id in assignment.shown}
        number = int(prompt_id[-2:])
        if number in orders:
            order = [[label[str(answer)] for answer in tier] for tier in orders[number]]
            danger = [(label["0"], "harm")] if number in flags else []
            submit(
                session,
                assignment_id=assignment.id,
                expert_id=assignment.expert_id,
                decision=Decision(orders={"overall": order}, flags=danger),
                key=f"{key}/{assignment.id}",
                seconds=20,
            )


def queue(session, campaign):
    return {one.prompt_id for one in disputes(followed(session, campaign.id), lowest_w=campaign.adjudicate_below)}


def released(database, folder):
    with database.read() as session:
        return export(session, find_campaign(session), folder, seed=0, test_share=0.0)


def paired(folder):
    return {row.prompt_id for row in read_records(folder / "preferences.jsonl", Preference)}


def test_a_tied_majority_alone_is_reason_enough(quick, panel_of_four, tmp_path):
    """Four experts agree on all but the last two answers of p-00, where they are 2 : 2; on p-01 they are 3 : 1."""
    with quick.write() as session:
        campaign = panel_of_four(session, 2)
        for place, name in enumerate(NAMES):
            say(session, name, {0: SWAPPED if place < 2 else FORWARD, 1: SWAPPED if place < 1 else FORWARD})
        assert queue(session, campaign) == {"p-00"}
    release = released(quick, tmp_path / "release")
    assert (release.undecided_prompts, release.pairs) == (1, 6)
    assert paired(tmp_path / "release") == {"p-01"}
    assert set(pl.read_parquet(tmp_path / "release" / "leave_one_out.parquet")["prompt_id"]) == {"p-01"}
    row = next(read_records(tmp_path / "release" / "rankings.jsonl", RankedPrompt))
    assert (row.consensus.method, row.consensus.margins) == ("undecided", {})


def test_a_decision_lets_a_prompt_in_and_its_withdrawal_out_again(quick, panel_of_four, tmp_path):
    ids = [f"o-p-00-{k}" for k in range(4)]
    with quick.write() as session:
        panel_of_four(session, 1)
        for place, name in enumerate(NAMES):
            say(session, name, {0: SWAPPED if place < 2 else FORWARD})
        task, senior = session.scalar(select(Task)), session.scalar(select(User).where(User.role == "senior"))
        who = {"task_id": task.id, "senior_id": senior.id, "reason": "剂量"}
        adjudicate(session, **who, tiers=[ids[:1], ids[1:]])
    assert released(quick, tmp_path / "release").pairs == 3
    with quick.write() as session:
        take_back(session, **who)
    assert released(quick, tmp_path / "release").pairs == 0


@pytest.mark.parametrize("seed", range(4))
def test_no_pair_without_a_majority_and_none_of_what_waits(quick, panel_of_four, tmp_path, seed):
    """Random orders with ties, an edited one, a flag, who left half-way, a closed campaign."""
    rng = random.Random(seed)
    with quick.write() as session:
        campaign = panel_of_four(session, 12, adjudicate_below=0.3)

        def order():
            places = [k + rng.gauss(0, 0.8) for k in range(4)]
            order = [[k] for k in sorted(range(4), key=places.__getitem__)]
            return [order[0] + order[1], *order[2:]] if rng.random() < 0.2 else order

        for name in NAMES:
            asked = range(12) if name != NAMES[0] else range(7)
            say(session, name, {number: order() for number in asked}, flags=[rng.randrange(12)])
        say(session, NAMES[1], {number: order() for number in (0, 5)}, key="edited")
        campaign.closed_at = campaign.created_at
        waits = queue(session, campaign)
        export(session, campaign, tmp_path / "release", seed=seed)
    rows = list(read_records(tmp_path / "release" / "rankings.jsonl", RankedPrompt))
    pairs = [pair for row in rows for pair in pairs_of(row)]
    assert waits
    assert {row.prompt_id for row in rows if row.consensus.method == "undecided"} == waits
    assert pairs
    assert not waits & {pair.prompt_id for pair in pairs}
    for row in rows:
        votes = count_votes([judgement.tiers for judgement in row.judgements])
        for pair in row.consensus.margins:
            better, worse = pair.split(">")
            assert votes[better, worse] > votes[worse, better]


def test_consent_withdrawn_may_leave_a_tie_and_that_makes_nothing(quick, panel_of_four, tmp_path):
    """3 : 1 on the page; without one of the three it is 2 : 1, without another 1 : 1."""
    with quick.write() as session:
        campaign = panel_of_four(session, 1)
        for name in NAMES[:3]:
            say(session, name, {0: FORWARD})
        say(session, NAMES[3], {0: SWAPPED})
        export(session, campaign, tmp_path / "release", seed=0)
        assert paired(tmp_path / "release") == {"p-00"}
        for name in NAMES[:2]:
            state_consent(session, "expert", name, given=False)
        export(session, campaign, tmp_path / "release", seed=0)
    assert paired(tmp_path / "release") == set()


def test_the_threshold_is_the_campaigns(quick, panel_of_four, tmp_path):
    """Three against one who says the reverse: W is 0.25, and no majority is tied."""
    with quick.write() as session:
        campaign = panel_of_four(session, 1)
        for name in NAMES[:3]:
            say(session, name, {0: FORWARD})
        say(session, NAMES[3], {0: FORWARD[::-1]})
        task, senior = session.scalar(select(Task)), session.scalar(select(User).where(User.role == "senior"))
        assert open_case(session, task.id, senior.id).reasons == ["low_agreement"]
        export(session, campaign, tmp_path / "strict", seed=0)
        campaign.adjudicate_below = 0.2
        export(session, campaign, tmp_path / "loose", seed=0)
    assert paired(tmp_path / "strict") == set()
    assert paired(tmp_path / "loose") == {"p-00"}
    assert "Kendall's W under 0.2" in (tmp_path / "loose" / "README.md").read_text("utf-8")
    assert (
        json.loads((tmp_path / "loose" / "manifest.json").read_text("utf-8"))["parameters"]["adjudicate_below"] == 0.2
    )


def test_a_threshold_that_is_no_w_is_refused(quick, panel_of_four):
    with quick.write() as session, pytest.raises(InvalidError, match="between 0 and 1"):
        panel_of_four(session, 1, adjudicate_below=1.5)


def test_a_majority_that_gave_way_in_a_circle_is_no_margin_of_the_ranking(quick, made, tmp_path):
    """1 > 2 by 4 : 1; 0 > 1 and 2 > 0 by 3 : 2 close a circle with it and give way, and no margin brings them back."""
    orders = [[[0], [1], [2], [3]]] * 2 + [[[1], [2], [0], [3]]] * 2 + [[[2], [0], [1], [3]]]
    with quick.write() as session:
        names = [made.person(session, f"专家{number}").name for number in range(5)]
        made.campaign(session, prompts=1, experts=names, overlap=5, repeats=0.0, adjudicate_below=0.0)
        for name, order in zip(names, orders, strict=True):
            say(session, name, {0: order})
    released(quick, tmp_path / "release")
    (row,) = read_records(tmp_path / "release" / "rankings.jsonl", RankedPrompt)
    ids = {response.text: response.output_id[-1] for response in row.responses}
    pairs = {f"{ids[pair.chosen[0].content]}>{ids[pair.rejected[0].content]}" for pair in pairs_of(row)}
    assert pairs == {"1>2", "0>3", "1>3", "2>3"}
    assert set(row.consensus.margins) == {f"o-p-00-{pair[0]}>o-p-00-{pair[2]}" for pair in pairs}
