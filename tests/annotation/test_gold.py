"""Gold and repeats: the file's form, its faults, who gets them, and that no export ever holds them."""

from __future__ import annotations

import json
from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from annotation.campaigns.assignments import Place, in_order
from annotation.campaigns.campaigns import create_campaign, probes_in, sizes
from annotation.campaigns.drafts import draft_tasks
from annotation.campaigns.gold import read_gold
from annotation.errors import InvalidError
from annotation.judgements import judged_tasks
from annotation.releases.exports import export
from annotation.simulation.experts import add_simulated_experts, simulate
from annotation.tables.decisions import GoldOrder, Queue, Repeat
from annotation.tables.models import Assignment, Task
from corpus.records import Message, Preference, RankedPrompt
from foundation.jsonl import read_records

LINE = {
    "prompt_id": "g-1",
    "prompt": "孩子高热抽搐，怎么办？",
    "outputs": [
        {"output_id": "g-1-a", "text": "请立即侧卧并拨打 120。"},
        {"output_id": "g-1-b", "text": "先观察。"},
        {"output_id": "g-1-c", "text": "掐人中，喂一点水。"},
    ],
    "tiers": [["g-1-a"], ["g-1-b", "g-1-c"]],
}


def written(tmp_path, *lines):
    path = tmp_path / "gold.jsonl"
    path.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines), encoding="utf-8")
    return path


def test_a_line_that_stands_alone(tmp_path):
    talk = [
        {"role": "user", "content": "发热"},
        {"role": "assistant", "content": "几度？"},
        {"role": "user", "content": "39"},
    ]
    first, second = read_gold(written(tmp_path, LINE, LINE | {"prompt_id": "g-2", "prompt": talk}), [], [])
    assert first.prompt.messages == [Message("user", "孩子高热抽搐，怎么办？")]
    assert first.tiers == [["g-1-a"], ["g-1-b", "g-1-c"]]
    assert [message.role for message in second.prompt.messages] == ["user", "assistant", "user"]


def test_a_line_that_speaks_of_the_campaigns_own_prompt(tmp_path, made):
    prompts = made.prompts(2)
    outputs = made.outputs(prompts)
    ids = [output.output_id for output in outputs if output.prompt_id == "p-01"]
    gold = read_gold(written(tmp_path, {"prompt_id": "p-01", "tiers": [[name] for name in ids]}), prompts, outputs)
    assert gold[0].prompt == prompts[1]
    assert [output.output_id for output in gold[0].outputs] == ids


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"tiers": []}, "without an order"),
        ({"tiers": None}, "without an order"),
        ({"tiers": [["g-1-a"], ["g-1-b"]]}, "every answer exactly once"),
        ({"tiers": [["g-1-a"], ["g-1-b", "g-1-c"], []]}, "every answer exactly once"),
        ({"tiers": [["g-1-a"], ["g-1-b", "g-1-c", "other"]]}, "every answer exactly once"),
        ({"tiers": [["g-1-a", "g-1-b", "g-1-c"]]}, "ties everything"),
        ({"tiers": "abc"}, "Expected `array`"),
        ({"outputs": [{"output_id": "g-1-a", "text": " "}]}, "empty"),
        ({"outputs": [{"output_id": name, "text": "同"} for name in ("g-1-a", "g-1-b", "g-1-c")]}, "same text"),
        ({"prompt": None, "prompt_id": "unknown"}, "no prompt"),
        ({"prompt": [{"role": "assistant", "content": "您好"}]}, "the patient says"),
        ({"outputs": None}, "no answers"),
        ({"answers": []}, "unknown field"),
    ],
)
def test_a_faulty_line_is_refused_with_its_number(tmp_path, changes, fault):
    path = written(tmp_path, LINE | {"prompt_id": "g-0"}, "", LINE | changes)
    with pytest.raises(InvalidError, match=fault) as refused:
        read_gold(path, [], [])
    assert f"{path}:3" in str(refused.value)
    assert "掐人中" not in str(refused.value)


@pytest.mark.parametrize("line", ["{", "[]", '{"tiers": NaN}', '{"a": 1, "a": 2}', "\x00"])
def test_what_is_no_line_is_refused_with_its_number(tmp_path, line):
    with pytest.raises(InvalidError, match=":1: "):
        read_gold(written(tmp_path, line), [], [])


def test_twice_the_same_prompt_and_nothing_at_all(tmp_path):
    with pytest.raises(InvalidError, match=":2: the prompt g-1 is there twice"):
        read_gold(written(tmp_path, LINE, LINE), [], [])
    with pytest.raises(InvalidError, match="nothing"):
        read_gold(written(tmp_path, ""), [], [])


@pytest.fixture
def campaign(database, made, tmp_path):
    prompts = made.prompts(30)
    with database.write() as session:
        return create_campaign(
            session,
            name="试验",
            prompts=prompts,
            outputs=made.outputs(prompts),
            experts=[user.name for user in add_simulated_experts(session)],
            overlap=3,
            seed=2,
            gold=read_gold(written(tmp_path, LINE), [], []),
            repeats=0.2,
        )


def test_gold_goes_to_all_and_repeats_to_those_who_had_them(database, campaign):
    with database.read() as session:
        assert (sizes(session, campaign), probes_in(session, campaign)) == ((30, 90), (1, 6))
        seats = defaultdict(dict)
        for row in session.scalars(select(Assignment)):
            seats[row.task_id][row.expert_id] = row
        gold = session.scalars(select(GoldOrder.task_id)).one()
        assert len(seats[gold]) == 6
        for repeat in session.scalars(select(Repeat)):
            first, again = seats[repeat.original_id], seats[repeat.task_id]
            assert first.keys() == again.keys()
            for expert in first:
                assert again[expert].position > first[expert].position + 3
                assert again[expert].shown != first[expert].shown


def test_queues_are_numbered_without_gaps_and_counted(database, campaign):
    with database.write() as session:
        simulate(session, campaign, seed=1)
        for queue in session.scalars(select(Queue)):
            own = select(Assignment).where(Assignment.expert_id == queue.expert_id).order_by(Assignment.position)
            rows = session.scalars(own).all()
            assert [row.position for row in rows] == list(range(queue.total))
            assert sum(row.completed_at is not None for row in rows) == queue.done == queue.total


def test_no_export_holds_gold_or_a_prompt_twice(database, campaign, tmp_path):
    with database.write() as session:
        simulate(session, campaign, seed=1)
        release = export(session, campaign, tmp_path / "release", seed=0)
        assert len(session.scalars(select(Task)).all()) == 37
    rows = list(read_records(tmp_path / "release" / "rankings.jsonl", RankedPrompt))
    pairs = list(read_records(tmp_path / "release" / "preferences.jsonl", Preference))
    assert (release.prompts, release.judgements, release.unranked) == (30, 90, 0)
    assert sorted(row.prompt_id for row in rows) == [f"p-{number:02}" for number in range(30)]
    assert all(len(row.judgements) == 3 for row in rows)
    assert len({pair.pair_id for pair in pairs}) == len(pairs)
    assert not any(pair.prompt_id.startswith(("g-", "again")) for pair in pairs)


def test_an_own_prompt_made_gold_is_no_work_any_more(database, made, tmp_path):
    prompts = made.prompts(3)
    outputs = made.outputs(prompts)
    ids = [output.output_id for output in outputs if output.prompt_id == "p-01"]
    gold = read_gold(written(tmp_path, {"prompt_id": "p-01", "tiers": [[name] for name in ids]}), prompts, outputs)
    with database.write() as session:
        made.person(session)
        options = {"experts": ["李医生"], "overlap": 1, "seed": 0, "gold": gold}
        campaign = create_campaign(session, name="x", prompts=prompts, outputs=outputs, **options)
        assert [task.prompt.prompt_id for task in judged_tasks(session, campaign)] == ["p-00", "p-02"]
        assert campaign.left_out == []


@given(st.integers(1, 60), st.integers(0, 8), st.integers(0, 40), st.integers(0, 99))
def test_work_keeps_its_order_and_a_repeat_comes_half_a_campaign_later(work, tests, repeated, seed):
    drafts = [Place(draft, [0]) for draft in range(work)]
    gold = [Place(f"gold {number}", [0]) for number in range(tests)]
    places = in_order(drafts, gold, repeated, seed)
    first = [place.draft for place in places if not place.again and place in drafts]
    assert first == list(range(work))
    assert sum(place in gold for place in places) == tests
    again = [place for place in places if place.again]
    assert len(again) == min(repeated, (work + 1) // 2)
    only_work = [place for place in places if place not in gold]
    for place in again:
        original = only_work.index(Place(place.draft, [0]))
        between = [other for other in only_work[original:] if not other.again]
        assert only_work.index(place) > original
        assert sum(only_work.index(other) < only_work.index(place) for other in between) >= work // 2 or work < 3


def test_the_same_seed_makes_the_same_campaign(made):
    prompts = made.prompts(12)
    drafts, _ = draft_tasks(prompts, made.outputs(prompts))
    work = [Place(draft, [0]) for draft in drafts]
    names = [[place.task_id for place in in_order(work, [], 4, seed)] for seed in (1, 1, 2)]
    assert names[0] == names[1] != names[2]
