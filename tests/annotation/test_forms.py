"""The forms of a release beside each other and as `datasets` reads them; what a release refuses to add up."""

from __future__ import annotations

import json
from collections import Counter

import msgspec
import polars as pl
import pytest
from sqlalchemy import select, update

from annotation.adjudication import adjudicate
from annotation.campaigns.guideline import default_guideline, priority_of, read_guideline
from annotation.database import Database
from annotation.errors import InvalidError, NotFoundError
from annotation.identity.consents import state_consent
from annotation.identity.people import alter_user
from annotation.ranking import Decision, submit
from annotation.releases.exports import export
from annotation.releases.forms import pairs_of, unpaired_of
from annotation.simulation.experts import simulate
from annotation.tables.decisions import Ranking, Submission
from annotation.tables.models import Assignment, Campaign
from corpus.records import Consensus, Message, RankedPrompt, Response
from foundation.jsonl import read_records


@pytest.fixture
def quick(sqlite_url):
    database = Database(sqlite_url)
    yield database
    database.close()


def lines(folder, name):
    return [json.loads(line) for line in (folder / name).read_text("utf-8").splitlines()]


def ranked(session, made, prompts=8, **options):
    campaign = made.campaign(session, prompts=prompts, repeats=0.0, **options)
    truth = made.truth(made.outputs(made.prompts(prompts)))
    simulate(session, campaign, seed=3, truth=truth)
    return campaign


@pytest.fixture
def release(quick, made, tmp_path):
    with quick.write() as session:
        export(session, ranked(session, made), tmp_path / "release", seed=4)
    return tmp_path / "release"


def test_every_form_holds_the_same_preferences(release):
    explicit = lines(release, "preferences.jsonl")
    implicit = lines(release, "implicit.jsonl")
    assert explicit
    assert [row["prompt"] + row["chosen"] for row in explicit] == [row["chosen"] for row in implicit]
    assert [row["prompt"] + row["rejected"] for row in explicit] == [row["rejected"] for row in implicit]
    assert all(
        set(row) == {"chosen", "rejected", "margin", "weight", "prompt_id", "pair_id", "split"} for row in implicit
    )
    for split in ("train", "test"):
        wanted = [
            {key: row[key] for key in ("prompt", "chosen", "rejected", "margin")}
            for row in explicit
            if row["split"] == split
        ]
        assert lines(release, f"openrlhf-{split}.jsonl") == wanted
    table = pl.read_parquet(release / "preferences.parquet")
    assert table.to_dicts() == explicit


def test_rankings_are_the_same_in_parquet(release):
    rows = pl.read_parquet(release / "rankings.parquet").to_dicts()
    for line, row in zip(lines(release, "rankings.jsonl"), rows, strict=True):
        assert row["tiers"] == line["consensus"]["tiers"]
        assert row["responses"] == line["responses"]
        assert [j["tiers"] for j in row["judgements"]] == [j["tiers"] for j in line["judgements"]]
        assert all(j["simulated"] for j in row["judgements"])
        for margin in row["margins"]:
            assert line["consensus"]["margins"][f"{margin['better']}>{margin['worse']}"] == margin["margin"]


def test_unpaired_answers_never_lose_or_never_win(release):
    won, lost = Counter(), Counter()
    for row in lines(release, "preferences.jsonl"):
        won[row["prompt_id"], row["chosen"][0]["content"]] += 1
        lost[row["prompt_id"], row["rejected"][0]["content"]] += 1
    rows = lines(release, "unpaired.jsonl")
    assert {row["label"] for row in rows} == {True, False}
    told = {(row["prompt_id"], row["completion"][0]["content"]): row["label"] for row in rows}
    assert told == {key: key in won for key in won.keys() | lost.keys() if (key in won) != (key in lost)}


def test_datasets_loads_every_configuration_of_the_card(release, tmp_path):
    from datasets import get_dataset_config_names, load_dataset

    names = get_dataset_config_names(str(release))
    assert set(names) == {"preferences", "implicit", "unpaired", "openrlhf"}
    loaded = [load_dataset(str(release), name, cache_dir=str(tmp_path / "cache")) for name in names]
    for name in ("rankings", "preferences", "leave_one_out"):
        files = str(release / f"{name}.parquet")
        loaded.append(load_dataset("parquet", data_files=files, cache_dir=str(tmp_path / "cache")))
    assert all(len(split) for found in loaded for split in found.values())


def test_a_held_out_expert_is_in_no_training_pair(release):
    rankings = {row.prompt_id: row for row in read_records(release / "rankings.jsonl", RankedPrompt)}
    rows = pl.read_parquet(release / "leave_one_out.parquet").to_dicts()
    experts = {judgement.expert for row in rankings.values() for judgement in row.judgements}
    assert {row["held_out"] for row in rows} == experts
    for row in rows:
        ranked_prompt = rankings[row["prompt_id"]]
        assert row["split"] == ranked_prompt.split
        ids = {response.text: response.output_id for response in ranked_prompt.responses}
        better, worse = ids[row["chosen"][0]["content"]], ids[row["rejected"][0]["content"]]
        own = row["split"] == "test"
        votes = [
            next(at for at, tier in enumerate(j.tiers) if better in tier)
            - next(at for at, tier in enumerate(j.tiers) if worse in tier)
            for j in ranked_prompt.judgements
            if (j.expert == row["held_out"]) == own
        ]
        assert row["opinions"] == len(votes) == (1 if own else 5)
        wins, losses = sum(vote < 0 for vote in votes), sum(vote > 0 for vote in votes)
        assert row["margin"] == pytest.approx((wins - losses) / len(votes))
        assert wins > losses


def test_the_weight_is_by_the_dimension_that_decides(quick, made, tmp_path):
    with quick.write() as session:
        campaign = ranked(session, made, dimensions=("overall", "safety", "fluency"))
        assert priority_of(session, campaign) == ["safety", "fluency", "overall"]
        export(session, campaign, tmp_path / "release", seed=4)
    rows = list(read_records(tmp_path / "release" / "rankings.jsonl", RankedPrompt))
    decided = Counter(dimension for row in rows for dimension in row.consensus.deciding.values())
    assert decided["safety"] > decided["fluency"] > 0
    for row in rows:
        for pair in pairs_of(row):
            ids = {response.text: response.output_id for response in row.responses}
            better, worse = ids[pair.chosen[0].content], ids[pair.rejected[0].content]
            dimension = row.consensus.deciding[f"{better}>{worse}"]
            assert row.consensus.dimensions[dimension].margins[f"{better}>{worse}"] == pair.margin
            assert 0.5 < pair.weight <= 1
            for above in ("safety", "fluency", "overall"):
                if above == dimension:
                    break
                margins = row.consensus.dimensions[above].margins
                assert f"{better}>{worse}" not in margins
                assert f"{worse}>{better}" not in margins


@pytest.mark.parametrize("method", ["borda", "plackett_luce"])
def test_other_methods_export_too_and_say_so(quick, made, tmp_path, method):
    with quick.write() as session:
        campaign = ranked(session, made)
        export(session, campaign, tmp_path / "one", seed=4, method=method)
        export(session, campaign, tmp_path / "two", seed=4, method=method)
    assert (tmp_path / "one" / "manifest.json").read_bytes() == (tmp_path / "two" / "manifest.json").read_bytes()
    methods = {row["consensus"]["method"] for row in lines(tmp_path / "one", "rankings.jsonl")}
    assert method in methods <= {method, "undecided"}
    assert f"`{method}`" in (tmp_path / "one" / "README.md").read_text("utf-8")


def test_a_prompt_that_waits_for_a_senior_makes_no_pair(quick, made, tmp_path):
    with quick.write() as session:
        names = [made.person(session, f"专家{number}").name for number in range(3)]
        campaign = made.campaign(session, prompts=3, experts=names, overlap=3, repeats=0.0)
        for number, assignment in enumerate(session.scalars(select(Assignment).order_by(Assignment.id)).all()):
            shown = sorted(assignment.shown, key=lambda pair: pair[1])
            if assignment.task_id == 1:
                shown = shown[number % 4 :] + shown[: number % 4]
            danger = [(shown[0][0], "dose")] if assignment.task_id == 2 and number % 3 == 0 else []
            decision = Decision(orders={"overall": [[label] for label, _ in shown]}, flags=danger)
            submit(
                session,
                assignment_id=assignment.id,
                expert_id=assignment.expert_id,
                decision=decision,
                key=f"key-{assignment.id}",
                seconds=1.0,
            )
        release = export(session, campaign, tmp_path / "release", seed=0, test_share=0.0)
    assert (release.undecided_prompts, release.pairs, release.undecided_pairs) == (2, 6, 12)
    rows = lines(tmp_path / "release", "rankings.jsonl")
    assert [row["consensus"]["method"] for row in rows] == ["undecided", "undecided", "ranked_pairs"]
    assert {row["prompt_id"] for row in lines(tmp_path / "release", "preferences.jsonl")} == {"p-02"}
    held_out = pl.read_parquet(tmp_path / "release" / "leave_one_out.parquet")
    assert set(held_out["prompt_id"]) == {"p-02"}


def test_one_expert_alone_is_no_consensus_and_the_release_says_so(quick, made, tmp_path):
    with quick.write() as session:
        campaign = ranked(session, made, prompts=4, overlap=1)
        release = export(session, campaign, tmp_path / "release", seed=1)
    assert release.single_opinions == release.prompts == 4
    rows = lines(tmp_path / "release", "rankings.jsonl")
    assert {row["consensus"]["method"] for row in rows} == {"single_opinion"}
    assert {row["opinions"] for row in lines(tmp_path / "release", "preferences.jsonl")} == {1}
    card = (tmp_path / "release" / "README.md").read_text("utf-8")
    assert "no two experts ranked the same prompt" in card
    assert "have one ranking only" in card
    with quick.read() as session, pytest.raises(InvalidError, match="no two experts"):
        export(session, session.merge(campaign), tmp_path / "other", seed=1, method="plackett_luce")
    assert not (tmp_path / "other").exists()


def test_all_tied_makes_no_pair_and_no_figure(quick, made, tmp_path):
    with quick.write() as session:
        names = [made.person(session, name).name for name in ("李医生", "王医生")]
        campaign = made.campaign(session, prompts=2, experts=names, overlap=2, repeats=0.0)
        for assignment in session.scalars(select(Assignment)).all():
            submit(
                session,
                assignment_id=assignment.id,
                expert_id=assignment.expert_id,
                decision=Decision(orders={"overall": [[label for label, _ in assignment.shown]]}),
                key=f"key-{assignment.id}",
                seconds=1.0,
            )
        release = export(session, campaign, tmp_path / "release", seed=1)
    assert (release.prompts, release.pairs, release.undecided_pairs) == (2, 0, 12)
    assert "every ranking ties everything" in (tmp_path / "release" / "README.md").read_text("utf-8")
    assert (tmp_path / "release" / "unpaired.jsonl").read_bytes() == b""


def test_an_expert_who_left_still_counts(quick, made, tmp_path):
    with quick.write() as session:
        expert = made.person(session)
        campaign = made.campaign(session, prompts=1, experts=[expert.name], overlap=1, repeats=0.0)
        (assignment,) = session.scalars(select(Assignment)).all()
        orders = {"overall": [[label] for label, _ in assignment.shown]}
        submit(
            session,
            assignment_id=assignment.id,
            expert_id=expert.id,
            decision=Decision(orders=orders),
            key="k",
            seconds=1.0,
        )
        alter_user(session, expert.id, active=False, by=None)
        assert export(session, campaign, tmp_path / "release", seed=1).judgements == 1


# Consent


def test_withdrawn_consent_of_an_expert_is_honoured(quick, made, tmp_path):
    with quick.write() as session:
        campaign = ranked(session, made)
        state_consent(session, "expert", "模拟专家2", given=False)
        release = export(session, campaign, tmp_path / "release", seed=4)
        assert release.withdrawn_judgements == 8
        everything = b"".join(path.read_bytes() for path in (tmp_path / "release").iterdir())
        assert "模拟专家2".encode() not in everything
        assert {row["opinions"] for row in lines(tmp_path / "release", "preferences.jsonl")} == {5}
        state_consent(session, "expert", "模拟专家2", given=True)
        assert export(session, campaign, tmp_path / "release", seed=4).withdrawn_judgements == 0


def test_withdrawn_consent_of_a_source_is_honoured(quick, made, tmp_path):
    with quick.write() as session:
        campaign = ranked(session, made)
        state_consent(session, "dialogue", "d-03", given=False, note="letter")
        release = export(session, campaign, tmp_path / "release", seed=4)
        assert (release.prompts, release.left_out) == (7, 1)
        assert lines(tmp_path / "release", "left_out.jsonl") == [
            {"prompt_id": "p-03", "reason": "consent_withdrawn", "judgements": 6}
        ]
        words = made.prompts(8)[3].messages[0].content
        assert all(words.encode() not in path.read_bytes() for path in (tmp_path / "release").glob("*.jsonl"))
        state_consent(session, "dataset", "made-v1", given=False)
        with pytest.raises(InvalidError, match="consent_withdrawn"):
            export(session, campaign, tmp_path / "release", seed=4)
        with pytest.raises(NotFoundError, match="no dialogue of this name"):
            state_consent(session, "dialogue", "d-99", given=False)


# A campaign changed half-way


def change(session, table, **values):
    """Past the triggers: what a hand in the database, or an older version of the program, may have left."""
    session.connection().exec_driver_sql(f"DROP TRIGGER IF EXISTS {table.__tablename__}_no_update")
    half = session.scalars(select(Assignment.id).where(Assignment.id % 2 == 0)).all()
    session.execute(update(table).where(table.assignment_id.in_(half)).values(**values))


def test_two_versions_of_the_rule_do_not_add_up(quick, made, tmp_path):
    with quick.write() as session:
        campaign = ranked(session, made)
        change(session, Ranking, guideline_version="2")
        with pytest.raises(InvalidError, match=r"2 versions of the rule and do not add up: 2 \(24\)") as caught:
            export(session, campaign, tmp_path / "release", seed=4)
        assert "--guideline-version" in caught.value.hint
        assert not (tmp_path / "release").exists()
        release = export(session, campaign, tmp_path / "release", seed=4, guideline_version="2")
        assert release.judgements == 24
        assert {
            j["guideline_version"] for row in lines(tmp_path / "release", "rankings.jsonl") for j in row["judgements"]
        } == {"2"}
        with pytest.raises(InvalidError, match="no ranking follows 9"):
            export(session, campaign, tmp_path / "release", seed=4, guideline_version="9")


def test_other_dimensions_half_way_are_left_out(quick, made, tmp_path):
    with quick.write() as session:
        campaign = ranked(session, made)
        session.execute(update(Campaign).values(dimensions=["overall", "safety"]))
        session.refresh(campaign)
        with pytest.raises(InvalidError, match="dimensions_changed"):
            export(session, campaign, tmp_path / "release", seed=4)


def test_other_answers_half_way_are_left_out(quick, made, tmp_path):
    with quick.write() as session:
        campaign = ranked(session, made)
        three = [[f"o-p-00-{k}"] for k in (2, 1, 0)]
        first = session.scalars(select(Assignment.id).where(Assignment.task_id == 1).limit(1)).one()
        session.connection().exec_driver_sql("DROP TRIGGER rankings_no_update")
        session.execute(update(Ranking).where(Ranking.assignment_id == first).values(tiers=three))
        release = export(session, campaign, tmp_path / "release", seed=4)
        assert release.left_out == 1
        (row,) = lines(tmp_path / "release", "left_out.jsonl")
        assert (row["reason"], row["judgements"]) == ("answers_changed", 6)


def test_where_a_ranking_was_made_is_in_the_release(quick, made, tmp_path):
    with quick.write() as session:
        campaign = ranked(session, made, prompts=2)
        session.connection().exec_driver_sql("DROP TRIGGER submissions_no_update")
        session.execute(update(Submission).where(Submission.id == 1).values(origin="argilla a.json:3"))
        release = export(session, campaign, tmp_path / "release", seed=4)
    assert release.imported_judgements == 1
    origins = [j.get("origin") for row in lines(tmp_path / "release", "rankings.jsonl") for j in row["judgements"]]
    assert sorted(filter(None, origins)) == ["argilla a.json:3"]


def test_the_priority_is_the_order_of_the_rule():
    assert default_guideline().priority == ["safety", "professionalism", "fluency"]


def test_another_rule_has_another_priority(quick, made, tmp_path):
    rule = default_guideline()
    turned = msgspec.structs.replace(
        rule,
        version="turned/1",
        zh=msgspec.structs.replace(rule.zh, parts=rule.zh.parts[::-1]),
        en=msgspec.structs.replace(rule.en, parts=rule.en.parts[::-1]),
    )
    (tmp_path / "rule.json").write_bytes(msgspec.json.encode(turned))
    with quick.write() as session:
        dimensions = ("overall", "safety", "professionalism", "fluency")
        campaign = ranked(
            session, made, prompts=2, dimensions=dimensions, guideline=read_guideline(tmp_path / "rule.json")
        )
        assert priority_of(session, campaign) == ["fluency", "professionalism", "safety", "overall"]
        export(session, campaign, tmp_path / "release", seed=4)
    parameters = json.loads((tmp_path / "release" / "manifest.json").read_text("utf-8"))["parameters"]
    assert parameters["priority"] == ["fluency", "professionalism", "safety", "overall"]
    assert parameters["guideline_version"] == "turned/1"


def test_a_rule_whose_languages_differ_in_order_is_none(tmp_path):
    rule = default_guideline()
    turned = msgspec.structs.replace(rule, en=msgspec.structs.replace(rule.en, parts=rule.en.parts[::-1]))
    (tmp_path / "rule.json").write_bytes(msgspec.json.encode(turned))
    with pytest.raises(InvalidError, match="same dimensions in the same order"):
        read_guideline(tmp_path / "rule.json")


def test_the_same_bytes_from_both_databases_with_every_dimension(sqlite_url, postgres_url, made, tmp_path):
    for name, url in (("one", sqlite_url), ("two", postgres_url)):
        database = Database(url)
        with database.write() as session:
            campaign = ranked(session, made, prompts=6, dimensions=("overall", "safety"), min_overlap=3)
            export(session, campaign, tmp_path / name, seed=4, method="plackett_luce")
        database.close()
    files = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert [(tmp_path / "one" / name).read_bytes() for name in files] == [
        (tmp_path / "two" / name).read_bytes() for name in files
    ]


def test_an_answer_that_wins_and_loses_has_no_label():
    assert [(each.output_id, each.label) for each in unpaired_of(decided())] == [("a", True), ("c", False)]


def test_where_no_answer_will_do_none_is_labelled_true():
    row = decided(none_acceptable=True)
    assert [(each.output_id, each.label) for each in unpaired_of(row)] == [("a", False), ("c", False)]


@pytest.mark.parametrize(
    ("said", "senior", "refused"), [(2, None, False), (4, None, True), (4, False, False), (0, True, True)]
)
def test_no_answer_will_do_says_the_senior_expert_or_else_a_majority(quick, made, tmp_path, said, senior, refused):
    with quick.write() as session:
        campaign = made.campaign(session, prompts=1, repeats=0.0)
        for place, assignment in enumerate(session.scalars(select(Assignment).order_by(Assignment.id)).all()):
            order = sorted(assignment.shown, key=lambda pair: pair[1])
            submit(
                session,
                assignment_id=assignment.id,
                expert_id=assignment.expert_id,
                decision=Decision(orders={"overall": [[label] for label, _ in order]}, none_acceptable=place < said),
                key=f"key-{place}",
                seconds=1.0,
            )
        if senior is not None:
            tiers = [[name] for _, name in order]
            person = made.person(session, name="王主任", role="senior")
            adjudicate(
                session,
                task_id=assignment.task_id,
                senior_id=person.id,
                tiers=tiers,
                reason="看过",
                none_acceptable=senior,
            )
        export(session, campaign, tmp_path / "release", seed=4)
    (row,) = lines(tmp_path / "release", "rankings.jsonl")
    assert row.get("none_acceptable", False) == refused
    labels = [row["label"] for row in lines(tmp_path / "release", "unpaired.jsonl")]
    assert labels == [not refused, False]


def decided(**more):
    return RankedPrompt(
        prompt_id="p",
        prompt=[Message("user", "?")],
        responses=[Response(output_id=name, text=name, model="m") for name in "abc"],
        judgements=[],
        consensus=Consensus(tiers=[["a"], ["b"], ["c"]], method="adjudication", margins={"a>b": 1, "b>c": 1, "a>c": 1}),
        adjudicated=True,
        split="train",
        dialogue_id="d",
        dataset_version="v",
        **more,
    )
