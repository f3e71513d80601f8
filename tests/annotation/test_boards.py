"""What the dashboards say of campaigns in the database: the same as other programs, followed as it comes, and a
sentence wherever there is too little to say."""

from __future__ import annotations

import krippendorff
import msgspec
import numpy as np
import pytest
from scipy import stats
from sqlalchemy import select, text, update

from annotation.agreement.agreement import agreement
from annotation.agreement.ballots import Ballots, followed
from annotation.agreement.boards import campaign_board, experts_board, stamp
from annotation.agreement.disputes import disputes
from annotation.agreement.intervals import Share
from annotation.agreement.live import Live
from annotation.campaigns.gold import Gold
from annotation.database import Database
from annotation.judgements import judged_tasks
from annotation.ranking import Decision, submit
from annotation.simulation.experts import simulate
from annotation.status import status_lines
from annotation.tables.base import now
from annotation.tables.decisions import GoldOrder
from annotation.tables.models import Answer, Assignment, Campaign, Task, User
from annotation.tiers import level_of


def gold_of(made, count):
    prompts = [msgspec.structs.replace(prompt, prompt_id=f"gold-{prompt.prompt_id}") for prompt in made.prompts(count)]
    return [
        Gold(prompt=prompt, outputs=outputs, tiers=[[output.output_id] for output in outputs[::-1]])
        for prompt in prompts
        for outputs in [made.outputs([prompt])]
    ]


def simulated(session, made, **options):
    campaign = made.campaign(session, **options)
    simulate(session, campaign, seed=2, truth=None)
    return campaign


def say(session, campaign, expert, orders, *, key, dimension="overall", flags=()):
    """Have an expert rank her tasks by answer numbers, in the order of `orders`: [[3], [0, 1], [2]]; None withdraws."""
    query = select(Assignment).join(User, User.id == Assignment.expert_id).where(User.name == expert)
    own = session.scalars(query.where(Assignment.campaign_id == campaign.id).order_by(Assignment.position)).all()
    for assignment, tiers in zip(own, orders, strict=False):
        label = {output_id[-1]: label for label, output_id in assignment.shown}
        if tiers is None:
            decision = Decision(verdict="withdrawn")
        else:
            order = [[label[str(answer)] for answer in tier] for tier in tiers]
            decision = Decision(
                orders=dict.fromkeys(campaign.dimensions, order), flags=[(label[str(a)], kind) for a, kind in flags]
            )
        submit(
            session,
            assignment_id=assignment.id,
            expert_id=assignment.expert_id,
            decision=decision,
            key=f"{key}/{assignment.id}",
            seconds=20,
        )


def two_experts(session, made, prompts=2, **options):
    for name in ("李医生", "王医生"):
        made.person(session, name)
    return made.campaign(session, experts=["李医生", "王医生"], overlap=2, prompts=prompts, **options)


FORWARD, BACKWARD, TIED = [[0], [1], [2], [3]], [[3], [2], [1], [0]], [[0, 1, 2, 3]]


def test_figures_are_those_of_krippendorff_and_scipy(database, made):
    with database.write() as session:
        campaign = simulated(session, made, prompts=12, overlap=4)
    with database.read() as session:
        found = agreement(session, campaign)
        tasks = judged_tasks(session, campaign)
    ranks = {
        (task.prompt.prompt_id, judgement.expert): stats.rankdata(
            [level for _, level in sorted(level_of(judgement.tiers).items())]
        )
        for task in tasks
        for judgement in task.judgements
    }
    experts = sorted({expert for _, expert in ranks})
    prompts = sorted({prompt for prompt, _ in ranks})
    table = [np.concatenate([ranks.get((prompt, expert), [np.nan] * 4) for prompt in prompts]) for expert in experts]
    assert found.alpha == pytest.approx(krippendorff.alpha(reliability_data=table, level_of_measurement="ordinal"))
    assert found.alpha_interval[0] < found.alpha < found.alpha_interval[1]
    for pair in found.pairs:
        shared = [prompt for prompt in prompts if (prompt, pair.one) in ranks and (prompt, pair.other) in ranks]
        taus = [stats.kendalltau(ranks[prompt, pair.one], ranks[prompt, pair.other]).statistic for prompt in shared]
        assert (pair.prompts, pair.tau_b) == (len(shared), pytest.approx(np.nanmean(taus)))
    concordance = []
    for prompt in prompts:
        rows = np.array([ranks[prompt, expert] for expert in experts if (prompt, expert) in ranks])
        concordance.append(stats.friedmanchisquare(*rows.T).statistic / (len(rows) * 3))
    assert found.kendall_w == pytest.approx(np.mean(concordance))


def test_what_is_followed_is_what_is_read_anew(database, made):
    with database.write() as session:
        campaign = two_experts(session, made, prompts=3, dimensions=["overall", "safety"])
    ballots = Ballots(campaign.id)
    steps = [
        ("李医生", [FORWARD, BACKWARD], {}),
        ("王医生", [BACKWARD, None, FORWARD][:1], {"flags": [(3, "dose")]}),
        ("李医生", [TIED, None], {}),
        ("王医生", [FORWARD, FORWARD, FORWARD], {}),
    ]
    for number, (expert, orders, more) in enumerate(steps):
        with database.write() as session:
            say(session, campaign, expert, orders, key=f"step {number}", **more)
        with database.read() as session:
            before = ballots.version
            ballots.follow(session)
            assert ballots.version == before + 1
            ballots.follow(session)
            assert ballots.version == before + 1
            anew = followed(session, campaign.id)
        for dimension in ("overall", "safety"):
            assert (ballots.levels[dimension][: ballots.rows] == anew.levels[dimension][: anew.rows]).all()
        for column in ("task", "expert", "seconds", "rule", "refused", "flagged"):
            assert np.array_equal(ballots.column(column), anew.column(column), equal_nan=column == "seconds")
        assert disputes(ballots, lowest_w=0.5) == disputes(anew, lowest_w=0.5)
    assert not ballots.column("flagged").any()


def test_a_board_is_worked_out_once_until_something_is_submitted(database, made):
    live, made_boards = Live(), []

    def board(session, campaign):
        ballots = live.ballots(session, campaign.id)

        def make():
            made_boards.append(1)
            return campaign_board(session, campaign, ballots, "overall")

        return live.figure(make, stamp(session, campaign, ballots))

    with database.write() as session:
        campaign = two_experts(session, made)
    for expert, expected in (("李医生", 1), ("王医生", 2)):
        with database.write() as session:
            say(session, campaign, expert, [FORWARD], key=expert)
        with database.read() as session:
            campaign = session.get(Campaign, campaign.id)
            assert board(session, campaign) == board(session, campaign)
        assert len(made_boards) == expected


def test_better_experts_are_more_reliable_and_their_intervals_say_how_sure_that_is(database, made):
    with database.write() as session:
        campaign = made.campaign(session, prompts=40, gold=gold_of(made, 12), repeats=0.4)
        simulate(session, campaign, seed=2, truth=made.truth(made.outputs(made.prompts(40))))
    with database.read() as session:
        found = experts_board(session, campaign, followed(session, campaign.id), "overall")
        overall = campaign_board(session, campaign, followed(session, campaign.id), "overall")
    rows = sorted(found.rows, key=lambda row: row.standing.stated_reliability)
    others = [row.reliability.others for row in rows]
    assert others[0].value < others[-1].low
    for row in rows:
        for share in (row.reliability.others, row.reliability.gold, row.reliability.herself):
            assert isinstance(share, Share)
            assert share.low < share.value <= share.high <= 1
        assert row.pace.rankings == 40
    assert overall.gold.clusters == 12
    assert overall.herself.clusters == 16
    assert sum(overall.concordance) == 40
    assert sum(overall.days.values()) == 240


@pytest.mark.parametrize(
    ("expert_orders", "reason"),
    [
        ({}, "no_rankings"),
        ({"李医生": [FORWARD, BACKWARD]}, "one_expert"),
        ({"李医生": [FORWARD], "王医生": [None, FORWARD]}, "no_overlap"),
        ({"李医生": [TIED, TIED], "王医生": [TIED, TIED]}, "all_tied"),
    ],
)
def test_too_little_is_a_sentence_and_never_a_number(database, made, expert_orders, reason):
    with database.write() as session:
        campaign = two_experts(session, made)
        for expert, orders in expert_orders.items():
            if orders[0] is None:
                say(session, campaign, expert, [FORWARD, orders[1]], key="first")
                say(session, campaign, expert, [None], key="second")
            else:
                say(session, campaign, expert, orders, key=expert)
    with database.read() as session:
        ballots = followed(session, campaign.id)
        board = campaign_board(session, campaign, ballots, "overall")
        experts = experts_board(session, campaign, ballots, "overall")
    summary = board.summary
    assert summary.gap.reason == reason
    assert (summary.alpha, summary.kendall_w, summary.pair_agreement, summary.tau_b, summary.pairs) == (
        *[None] * 4,
        [],
    )
    assert (board.gold.reason, board.herself.reason) == ("no_gold", "no_repeats")
    assert board.position.reason == "few_rankings"
    assert board.dimensions[0].alpha == summary.gap
    for row in experts.rows:
        assert row.reliability is None or row.reliability.others.sentence("zh").startswith("数据不足")


def test_gold_that_orders_nothing_tests_nobody(database, made):
    with database.write() as session:
        campaign = simulated(session, made, prompts=3, gold=gold_of(made, 12))
        for row in session.scalars(select(GoldOrder)):
            row.tiers = [sorted(output_id for tier in row.tiers for output_id in tier)]
    with database.read() as session:
        board = campaign_board(session, campaign, followed(session, campaign.id), "overall")
    assert board.gold.reason == "no_gold"


def test_an_expert_who_left_is_named_and_her_rankings_count(database, made):
    with database.write() as session:
        campaign = two_experts(session, made)
        for expert in ("李医生", "王医生"):
            say(session, campaign, expert, [FORWARD], key=expert)
        session.execute(update(User).where(User.name == "王医生").values(left_at=now()))
    with database.read() as session:
        found = agreement(session, campaign)
    assert {row.expert: (row.left, row.ranked, row.assigned, row.waiting) for row in found.experts} == {
        "李医生": (False, 1, 2, 1),
        "王医生": (True, 1, 2, 1),
    }
    assert found.alpha == pytest.approx(1.0)
    assert found.alpha_interval is None


def test_rankings_by_another_version_of_the_rule_are_counted_apart(database, made):
    with database.write() as session:
        campaign = two_experts(session, made)
        for expert in ("李医生", "王医生"):
            say(session, campaign, expert, [FORWARD], key=expert)
        old, campaign.guideline_version = campaign.guideline_version, "2"
    with database.write() as session:
        campaign = session.get(Campaign, campaign.id)
        found = agreement(session, campaign)
        assert (found.gap.reason, found.other_rules, found.alpha) == ("no_rankings", {old: 2}, None)
        say(session, campaign, "李医生", [FORWARD, FORWARD], key="anew")
        found = agreement(session, campaign)
        assert (found.gap.reason, found.other_rules) == ("one_expert", {old: 1})


def test_rankings_of_other_answers_are_left_out_and_counted(database, made):
    with database.write() as session:
        campaign = two_experts(session, made)
        for expert in ("李医生", "王医生"):
            say(session, campaign, expert, [FORWARD, FORWARD], key=expert)
        task = session.scalars(select(Task).order_by(Task.id)).first()
        more = Answer(task_id=task.id, output_id="more", text="新增的回答", model="m", merged=[], names_model=None)
        session.add(more)
        session.flush()
        found = agreement(session, campaign)
    assert (found.foreign, found.judged_tasks, found.judgements) == (2, 1, 2)


def test_a_dimension_that_came_later_says_how_little_it_has(database, made):
    with database.write() as session:
        campaign = two_experts(session, made)
        for expert in ("李医生", "王医生"):
            say(session, campaign, expert, [FORWARD, FORWARD], key=expert)
        campaign.dimensions = ["overall", "safety"]
        session.flush()
        board = campaign_board(session, campaign, followed(session, campaign.id), "safety")
    assert board.summary.gap.reason == "no_rankings"
    assert [(row.dimension, row.rankings) for row in board.dimensions] == [("overall", 4), ("safety", 0)]


def test_why_prompts_need_a_senior_expert(database, made):
    with database.write() as session:
        campaign = two_experts(session, made, prompts=4)
        say(session, campaign, "李医生", [FORWARD, FORWARD, FORWARD, FORWARD], key="one")
        say(session, campaign, "王医生", [FORWARD, BACKWARD, [[0], [1], [3], [2]]], key="other")
        say(session, campaign, "王医生", [FORWARD], key="flag", flags=[(3, "harm")])
    with database.read() as session:
        found = disputes(followed(session, campaign.id), lowest_w=0.5)
        assert [(one.prompt_id, one.reasons, one.rankings) for one in found] == [
            ("p-00", ["danger_flag"], 2),
            ("p-01", ["low_agreement", "majority_tie"], 2),
            ("p-02", ["majority_tie"], 2),
        ]
        assert [round(one.w, 2) for one in found] == [1.0, 0.0, 0.9]
        assert disputes(followed(session, campaign.id), settled={one.task_id for one in found}, lowest_w=0.5) == []


def test_a_row_that_another_transaction_kept_back_is_not_missed(postgres_url, made):
    """PostgreSQL shows rows in the order of commits, and numbers them before that."""
    database = Database(postgres_url)
    with database.write() as session:
        campaign = two_experts(session, made)
    ballots = Ballots(campaign.id)
    with database.write() as slow:
        say(slow, campaign, "李医生", [FORWARD], key="slow")
        with database.write() as quick:
            say(quick, campaign, "王医生", [FORWARD], key="quick")
        with database.read() as session:
            ballots.follow(session)
            assert (ballots.levels["overall"] >= 0).any(axis=1).sum() == 1
    with database.read() as session:
        ballots.follow(session)
        assert session.scalar(text("SELECT count(*) FROM submissions")) == 2
    assert (ballots.levels["overall"] >= 0).any(axis=1).sum() == 2
    database.close()


def test_the_command_line_says_it_as_well(database, made):
    with database.write() as session:
        campaign = two_experts(session, made)
        say(session, campaign, "李医生", [FORWARD, FORWARD], key="one")
        session.execute(update(User).where(User.name == "王医生").values(left_at=now()))
        campaign.guideline_version = "2"
        session.flush()
        lines = status_lines(session, campaign)
    assert "agreement: Not enough: nothing is ranked yet." in lines
    assert "by the rule safety>professionalism>fluency/1, not measured with the others: 2" in lines
    assert "王医生 left; 2 tasks are nobody's now" in lines
