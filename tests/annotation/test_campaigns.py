from __future__ import annotations

from collections import Counter
from itertools import combinations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from annotation.campaigns.assignments import shuffled
from annotation.campaigns.campaigns import create_campaign, find_campaign, sizes
from annotation.campaigns.drafts import draft_tasks
from annotation.campaigns.pairing import pair_up
from annotation.errors import RefusedError
from annotation.simulation.experts import add_simulated_experts
from annotation.tables.models import Answer, Assignment, Task
from corpus.records import Message, ModelOutput


@given(st.integers(1, 300), st.integers(2, 8), st.data())
def test_loads_and_meetings_are_even_however_long_the_campaign(tasks, experts, data):
    overlap = data.draw(st.integers(1, experts))
    plan = pair_up(tasks, experts, overlap, seed=data.draw(st.integers(0, 99)))
    assert all(len(set(seats)) == overlap for seats in plan)
    load = Counter(expert for seats in plan for expert in seats)
    met = Counter(pair for seats in plan for pair in combinations(seats, 2))
    assert spread(load[expert] for expert in range(experts)) <= 2
    assert spread(met[pair] for pair in combinations(range(experts), 2)) <= 4


def test_many_experts_meet_evenly_too():
    plan = pair_up(600, 20, 6, seed=1)
    met = Counter(pair for seats in plan for pair in combinations(seats, 2))
    assert spread(met[pair] for pair in combinations(range(20), 2)) <= 5


def spread(counts):
    found = list(counts)
    return max(found) - min(found)


def test_a_campaign_gives_every_task_to_overlap_experts(database, made):
    with database.write() as session:
        campaign = made.campaign(session, prompts=9, overlap=2)
        assert sizes(session, campaign) == (9, 18)
    with database.read() as session:
        campaign = find_campaign(session)
        per_task = Counter(session.scalars(select(Assignment.task_id)))
        assert set(per_task.values()) == {2}
        for shown in session.scalars(select(Assignment.shown)):
            labels = [label for label, _ in shown]
            assert len(set(labels)) == 4
            assert not any(output_id in label for label, output_id in shown)


def test_orders_are_stored_shuffled_and_seeded(made):
    ids = [f"o-{number}" for number in range(4)]
    orders = {tuple(output for _, output in shuffled(1, f"expert {n}", "p", ids)) for n in range(200)}
    assert len(orders) == 24
    assert shuffled(1, "a", "p", ids) == shuffled(1, "a", "p", reversed(ids))


def test_answers_that_are_alike_are_merged_and_kept_by_name(database, made):
    prompts = made.prompts(1)
    outputs = [
        ModelOutput(prompt_id="p-00", output_id=name, text=text, model="m")
        for name, text in (("b", "建议 检查"), ("a", "建议检查\n"), ("c", "多休息"))
    ]
    with database.write() as session:
        made.person(session)
        create_campaign(session, name="x", prompts=prompts, outputs=outputs, experts=["李医生"], overlap=1, seed=0)
        kept = {answer.output_id: answer.merged for answer in session.scalars(select(Answer))}
    assert kept == {"a": ["b"], "c": []}


def test_what_cannot_be_ranked_is_left_out_with_a_reason(made):
    prompts = made.prompts(6)
    prompts[1] = msgspec.structs.replace(prompts[1], messages=[Message("assistant", "您好")])
    prompts[2] = msgspec.structs.replace(prompts[2], messages=[Message("user", "a\x00b")])
    outputs = made.outputs([prompts[0]]) + made.outputs([prompts[3]], 1) + made.outputs([prompts[4]], 12)
    outputs += [outputs[0], ModelOutput(prompt_id="no", output_id="o-x", text="t", model="m")]
    outputs += [ModelOutput(prompt_id="p-00", output_id="o-empty", text=" \n", model="m")]
    drafts, left_out = draft_tasks([*prompts, prompts[0]], outputs)
    assert [draft.prompt.prompt_id for draft in drafts] == ["p-00"]
    assert dict(left_out) == {
        "p-00": "duplicate_prompt",
        "p-01": "prompt_without_question",
        "p-02": "bad_text",
        "p-03": "fewer_than_2_answers",
        "p-04": "more_than_9_answers",
        "p-05": "fewer_than_2_answers",
        "o-p-00-0": "duplicate_output",
        "o-x": "unknown_prompt",
        "o-empty": "empty_answer",
    }


@pytest.mark.parametrize("answers", range(2, 10))
def test_two_to_nine_answers(made, answers):
    prompts = made.prompts(1)
    drafts, left_out = draft_tasks(prompts, made.outputs(prompts, answers))
    assert len(drafts[0].answers) == answers
    assert not left_out


@pytest.mark.parametrize(
    "options",
    [
        {"overlap": 7},
        {"overlap": 0},
        {"experts": ["nobody"]},
        {"experts": ["王管理"]},
        {"dimensions": ["safety"]},
        {"dimensions": ["overall", "beauty"]},
        {"repeats": 0.6},
        {"repeats": -0.1},
        {"daily_goal": 0},
        {"break_minutes": 0},
        {"name": ""},
        {"name": "a\x00b"},
        {"name": "there already"},
        {"outputs": []},
    ],
)
def test_impossible_campaigns_are_refused_and_leave_nothing(database, made, options):
    with database.write() as session:
        experts = [user.name for user in add_simulated_experts(session)]
        made.person(session, "王管理", "curator")
        made.campaign(session, name="there already")
    prompts = made.prompts()
    usual = {"name": "new", "prompts": prompts, "outputs": made.outputs(prompts), "experts": experts, "overlap": 2}
    with pytest.raises(RefusedError), database.write() as session:
        create_campaign(session, **{**usual, "seed": 1, **options})
    with database.read() as session:
        assert len(session.scalars(select(Task)).all()) == 6


def test_finding_a_campaign(database, made):
    with database.read() as session, pytest.raises(RefusedError, match="no campaign yet"):
        find_campaign(session)
    with database.write() as session:
        made.campaign(session, name="a")
        assert find_campaign(session).name == "a"
        made.campaign(session, name="b")
        with pytest.raises(RefusedError, match="a, b"):
            find_campaign(session)
        with pytest.raises(RefusedError, match="no campaign c"):
            find_campaign(session, "c")
