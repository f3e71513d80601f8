from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from annotation.adjudication import adjudicate
from annotation.consensus.ranked_pairs import consensus, count_votes
from annotation.database import Database
from annotation.errors import InvalidError
from annotation.jobs.orders import RELEASED
from annotation.ranking import Decision, submit
from annotation.releases.exports import export, split_dialogues
from annotation.releases.forms import ordered_pairs, pairs_of
from annotation.simulation.experts import simulate
from annotation.tables.models import Assignment, Task
from annotation.tiers import level_of
from corpus.records import Judgement, Message, Preference, RankedPrompt, Response, make_id
from foundation.errors import ZhongjingError
from foundation.jsonl import read_records
from foundation.manifest import read_manifest, sha256_of


def simulated(database, made, out: Path, *, prompts: int = 12, seed: int = 4):
    with database.write() as session:
        campaign = made.campaign(session, prompts=prompts)
        simulate(session, campaign, seed=3)
        return export(session, campaign, out, seed=seed), campaign


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_a_release_holds_what_it_says(database, made, tmp_path):
    release, _ = simulated(database, made, tmp_path / "release")
    rankings = list(read_records(tmp_path / "release" / "rankings.jsonl", RankedPrompt))
    preferences = list(read_records(tmp_path / "release" / "preferences.jsonl", Preference))
    manifest = read_manifest(tmp_path / "release", "preference-release")
    assert (release.prompts, release.judgements, release.simulated_judgements) == (12, 72, 72)
    assert manifest.counts["pairs"] == release.pairs == len(preferences)
    assert release.train_pairs + release.test_pairs == release.pairs
    assert {entry.name for entry in manifest.files} == {*RELEASED} - {"manifest.json"}
    assert all(entry.sha256 == sha256_of(tmp_path / "release" / entry.name) for entry in manifest.files)
    assert sum(1 for row in rankings for _ in ordered_pairs(row)) == len(preferences)
    assert [row.prompt_id for row in rankings] == sorted(row.prompt_id for row in rankings)


def test_every_pair_stands_on_a_majority(database, made, tmp_path):
    simulated(database, made, tmp_path / "release")
    rows = {row.prompt_id: row for row in read_records(tmp_path / "release" / "rankings.jsonl", RankedPrompt)}
    pairs = list(read_records(tmp_path / "release" / "preferences.jsonl", Preference))
    assert pairs
    for pair in pairs:
        row = rows[pair.prompt_id]
        ids = {response.text: response.output_id for response in row.responses}
        chosen, rejected = ids[pair.chosen[0].content], ids[pair.rejected[0].content]
        votes = count_votes([judgement.tiers for judgement in row.judgements])
        wins, losses = votes[chosen, rejected], votes[rejected, chosen]
        assert pair.margin == pytest.approx((wins - losses) / 6)
        assert pair.weight == pytest.approx(wins / (wins + losses))
        assert pair.pair_id == make_id("pair", pair.prompt_id, chosen, rejected)
        level = level_of(row.consensus.tiers)
        assert level[chosen] < level[rejected]


def test_a_prompt_and_a_dialogue_stand_on_one_side(database, made, tmp_path):
    prompts = made.prompts(20, per_dialogue=2)
    with database.write() as session:
        from annotation.campaigns.campaigns import create_campaign
        from annotation.simulation.experts import experts_chosen

        names = experts_chosen(session, "simulated")
        outputs = made.outputs(prompts)
        campaign = create_campaign(
            session, name="x", prompts=prompts, outputs=outputs, experts=names, overlap=3, seed=1
        )
        simulate(session, campaign, seed=1)
        release = export(session, campaign, tmp_path / "release", seed=1)
    rows = list(read_records(tmp_path / "release" / "rankings.jsonl", RankedPrompt))
    sides = {(row.dialogue_id, row.split) for row in rows}
    assert len(sides) == 10
    assert Counter(split for _, split in sides) == {"train": 8, "test": 2}
    split = {row.prompt_id: row.split for row in rows}
    pairs = read_records(tmp_path / "release" / "preferences.jsonl", Preference)
    assert all(pair.split == split[pair.prompt_id] for pair in pairs)
    assert (release.train_prompts, release.test_prompts) == (16, 4)


@given(st.sets(st.text(min_size=1, max_size=5), min_size=1, max_size=40), st.floats(0, 0.9), st.integers(0, 9))
def test_the_split_meets_its_share(names, share, seed):
    split = split_dialogues(names, share, seed)
    tests = sum(side == "test" for side in split.values())
    assert abs(tests - share * len(names)) <= 1
    assert tests < len(names)
    assert tests or share == 0 or len(names) == 1


def test_same_bytes_on_any_database_in_any_order(sqlite_url, postgres_url, made, tmp_path):
    releases = []
    for number, url in enumerate((sqlite_url, postgres_url)):
        database = Database(url)
        with database.write() as session:
            if number:
                made.person(session, "someone who shifts the ids")
            campaign = made.campaign(session, prompts=8)
            assignments = list(session.scalars(select(Assignment).order_by(Assignment.id)))
            random.Random(number).shuffle(assignments)
            for assignment in assignments:
                ordered = sorted(assignment.shown, key=lambda row: (row[1][-1] == str(assignment.position % 4), row[1]))
                submit(
                    session,
                    assignment_id=assignment.id,
                    expert_id=assignment.expert_id,
                    decision=Decision(orders={"overall": [[label] for label, _ in ordered]}),
                    key=f"key-{assignment.id}",
                    seconds=1.5,
                )
            export(session, campaign, tmp_path / f"release{number}", seed=4)
        database.close()
        releases.append(bytes_of(tmp_path / f"release{number}"))
    assert releases[0] == releases[1]


def test_another_seed_is_another_split_and_nothing_else(database, made, tmp_path):
    _, campaign = simulated(database, made, tmp_path / "one", seed=1)
    with database.read() as session:
        export(session, campaign, tmp_path / "two", seed=2)
    one, two = (
        [row.pair_id for row in read_records(tmp_path / name / "preferences.jsonl", Preference)]
        for name in ("one", "two")
    )
    assert one == two


def test_no_time_and_no_database_id_gets_out(database, made, tmp_path):
    simulated(database, made, tmp_path / "release")
    for name, content in bytes_of(tmp_path / "release").items():
        assert b"created_at" not in content, name
        assert str(tmp_path).encode() not in content, name
        assert b"task_id" not in content, name


def test_simulated_is_said_everywhere(database, made, tmp_path):
    simulated(database, made, tmp_path / "release")
    card = (tmp_path / "release" / "README.md").read_text()
    assert "SIMULATED" in card
    assert "模拟数据" in card
    assert card.startswith("---\n")
    rows = read_records(tmp_path / "release" / "rankings.jsonl", RankedPrompt)
    assert all(judgement.simulated for row in rows for judgement in row.judgements)


def test_people_are_exported_under_pseudonyms(database, made, tmp_path):
    with database.write() as session:
        expert = made.person(session)
        campaign = made.campaign(session, experts=["李医生"], overlap=1, prompts=3)
        assignment = session.scalars(select(Assignment).order_by(Assignment.id)).first()
        submit(
            session,
            assignment_id=assignment.id,
            expert_id=expert.id,
            decision=Decision(orders={"overall": [[label] for label, _ in assignment.shown]}),
            key="k",
            seconds=1.0,
        )
        release = export(session, campaign, tmp_path / "release", seed=0)
    assert (release.prompts, release.unranked) == (1, 2)
    content = b"".join(bytes_of(tmp_path / "release").values())
    assert "李医生".encode() not in content
    assert b"expert-1" in content
    assert b"SIMULATED" not in content


def test_a_senior_experts_decision_is_what_is_exported(database, made, tmp_path):
    with database.write() as session:
        senior = made.person(session, "王主任", "senior")
        campaign = made.campaign(session, prompts=3)
        simulate(session, campaign, seed=3)
        task = session.scalars(select(Task).order_by(Task.id)).first()
        ids = [f"o-{task.prompt_id}-{k}" for k in range(4)]
        decided = [[ids[0]], [ids[1], ids[2]], [ids[3]]]
        adjudicate(session, task_id=task.id, senior_id=senior.id, tiers=decided, reason="safety")
        release = export(session, campaign, tmp_path / "release", seed=0)
    row = next(iter(read_records(tmp_path / "release" / "rankings.jsonl", RankedPrompt)))
    assert release.adjudicated == 1
    assert row.adjudicated
    assert row.consensus.tiers == decided
    pairs = list(pairs_of(row))
    assert len(pairs) == 5
    assert all(0 < pair.weight <= 1 and pair.margin == 1.0 for pair in pairs)


def test_a_tie_makes_no_preference():
    responses = [Response(output_id=name, text=name, model="m") for name in "ab"]
    judgements = [
        Judgement(expert=f"{n}", dimension="overall", tiers=tiers, seconds=1, guideline_version="1")
        for n, tiers in enumerate([[["a"], ["b"]]] * 3 + [[["b"], ["a"]]] * 3)
    ]
    row = RankedPrompt(
        prompt_id="p",
        prompt=[Message("user", "?")],
        responses=responses,
        judgements=judgements,
        consensus=consensus([judgement.tiers for judgement in judgements]),
        adjudicated=False,
        split="train",
        dialogue_id="d",
        dataset_version="v",
    )
    assert list(pairs_of(row)) == []


def test_nothing_ranked_is_no_release(database, made, tmp_path):
    with database.write() as session, pytest.raises(InvalidError, match="nobody has ranked"):
        export(session, made.campaign(session), tmp_path / "release", seed=0)
    assert not (tmp_path / "release").exists()


def test_a_release_may_be_replaced_but_nothing_else(database, made, tmp_path):
    _, campaign = simulated(database, made, tmp_path / "release")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with database.read() as session:
        export(session, campaign, tmp_path / "release", seed=9)
        with pytest.raises(ZhongjingError, match="holds other things"):
            export(session, campaign, tmp_path / "mine", seed=9)
        with pytest.raises(InvalidError, match="share"):
            export(session, campaign, tmp_path / "other", seed=9, test_share=1.0)
        (tmp_path / "release" / "notes.txt").write_text("mine")
        with pytest.raises(ZhongjingError, match=r"notes\.txt"):
            export(session, campaign, tmp_path / "release", seed=10)
    assert (tmp_path / "release" / "notes.txt").read_text() == "mine"
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "years of work"
    assert read_manifest(tmp_path / "release").parameters["seed"] == 9


def test_preferences_are_trls_explicit_form(database, made, tmp_path):
    simulated(database, made, tmp_path / "release")
    for line in (tmp_path / "release" / "preferences.jsonl").read_text().splitlines():
        row = json.loads(line)
        assert row["prompt"][-1]["role"] == "user"
        assert [turn["role"] for turn in row["chosen"] + row["rejected"]] == ["assistant", "assistant"]
        assert set(row) == {
            "prompt",
            "chosen",
            "rejected",
            "margin",
            "weight",
            "opinions",
            "prompt_id",
            "pair_id",
            "split",
        }
