"""What an annotation says, whoever wrote it: read exactly, or refused with a reason. On both databases where stored."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select, update
from sqlalchemy.exc import DBAPIError

from annotation.label_studio.answers import FaultError, decision_of
from annotation.label_studio.checks import REASONS, seen
from annotation.label_studio.connection import recognise
from annotation.label_studio.interface import WORDS, ranking_config
from annotation.label_studio.rankings import use_ranking
from annotation.label_studio.review_interface import LABELS, review_config
from annotation.label_studio.sightings import look, newest, note_deletions, present
from annotation.ranking import Ranking
from annotation.tables.decisions import DIMENSIONS
from annotation.tables.label_studio import Account, Project, PushedTask, Server, Sighting
from annotation.tables.models import Assignment

SHOWN = ["a1", "b2", "c3", "d4"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(SHOWN),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["_", "overall_1", "x"]), inner),
    max_leaves=8,
)
ITEM = st.fixed_dictionaries(
    {"from_name": st.sampled_from(["overall", "note", "cannot_judge", "none_acceptable", "x"]) | JSON},
    optional={"value": st.dictionaries(st.sampled_from(["ranker", "text", "choices"]), JSON) | JSON},
)


def ranked(columns, *more):
    return [{"from_name": "overall", "type": "ranker", "value": {"ranker": columns}}, *more]


@given(st.permutations(SHOWN), st.lists(st.integers(1, 9), min_size=4, max_size=4), st.booleans())
def test_tiers_are_read_in_their_order_gaps_and_empty_columns_mean_nothing(cards, columns, full):
    sent = {f"overall_{tier}": [] for tier in range(1, 10)} | {"_": []} if full else {}
    for card, column in zip(cards, columns, strict=True):
        sent.setdefault(f"overall_{column}", []).append(card)
    wanted = [[card for card, at in zip(cards, columns, strict=True) if at == tier] for tier in sorted(set(columns))]
    assert decision_of(ranked(sent), ["overall"], SHOWN).orders == {"overall": wanted}


@given(st.lists(ITEM, max_size=4) | JSON)
def test_whatever_comes_is_a_decision_about_what_was_shown_or_a_known_fault(result):
    try:
        decision = decision_of(result, ["overall"], SHOWN)
    except FaultError as error:
        assert error.reason in REASONS
    else:
        told = [label for tier in decision.orders.get("overall", []) for label in tier]
        assert sorted(told) == (SHOWN if decision.verdict == "ranked" else [])


@pytest.mark.parametrize(
    ("result", "reason"),
    [
        ([], "malformed"),
        (ranked({"_": SHOWN}), "untouched"),
        (ranked({"overall_1": SHOWN[:3], "_": SHOWN[3:]}), "leftovers"),
        (ranked({"overall_1": SHOWN[:3]}), "not_a_permutation"),
        (ranked({"overall_1": [*SHOWN, "a1"]}), "not_a_permutation"),
        (ranked({"overall_1": [*SHOWN[:3], 4]}), "not_a_permutation"),
        (ranked({"overall": SHOWN}), "malformed"),
        (ranked({"overall_10": SHOWN}), "malformed"),
        (ranked({"overall_1": SHOWN}) * 2, "malformed"),
        (ranked({"overall_1": SHOWN}, {"from_name": "safety", "value": {"ranker": {}}}), "malformed"),
        (ranked({"overall_1": SHOWN}, {"from_name": "cannot_judge", "value": {"choices": ["other"]}}), "contradictory"),
    ],
)
def test_each_fault_has_its_name(result, reason):
    with pytest.raises(FaultError) as error:
        decision_of(result, ["overall"], SHOWN)
    assert error.value.reason == reason


@given(st.dictionaries(st.sampled_from(["id", "completed_by", "created_at", "lead_time", "ground_truth"]), JSON))
def test_an_outside_that_is_none_is_refused(raw):
    with pytest.raises(FaultError):
        seen(raw)


def test_both_languages_have_the_same_words_and_every_name_is_there_once():
    for words in (WORDS, LABELS):
        assert words["zh"].keys() == words["en"].keys()
    for language in WORDS:
        for config in (ranking_config(DIMENSIONS, 9, language), review_config(language)):
            names = [tag.get("name") for tag in ElementTree.fromstring(config).iter() if tag.get("name")]
            assert len(names) == len(set(names))


BEGUN = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def pushed(database, made):
    """A project as a push leaves it, on either database, without a server: its task and the labels shown."""
    with database.write() as session:
        person = made.person(session)
        campaign = made.campaign(session, experts=[person.name], overlap=1, prompts=1)
        server = Server(url="http://x", version="1.23.2", token_kind="personal", hook_hash="0" * 64)
        session.add(server)
        session.flush()
        session.add(Account(server_id=server.id, expert_id=person.id, email="li@example.org"))
        session.flush()
        assert recognise(session, server, {"someone@example.org": 6}) == [person.name]
        assert recognise(session, server, {"li@example.org": 7}) == []
        assert recognise(session, server, {"li@example.org": 8}) == [], "an address that changed hands changes nothing"
        project = Project(
            server_id=server.id,
            kind="ranking",
            campaign_id=campaign.id,
            expert_id=person.id,
            key="zj-p",
            language="zh",
            remote_id=3,
            config="",
        )
        session.add(project)
        session.flush()
        assignment = session.scalars(select(Assignment)).one()
        task = PushedTask(project_id=project.id, assignment_id=assignment.id, key="zj-t", digest="", remote_id=5)
        session.add(task)
        session.flush()
        return project, task, [label for label, _ in assignment.shown]


def annotation(labels, minute=1, **changes):
    moment = (BEGUN + timedelta(minutes=minute)).isoformat()
    raw = {"id": 11, "completed_by": 7, "updated_by": 7, "created_at": moment, "updated_at": moment, "lead_time": 9.0}
    sent = ranked({f"overall_{tier}": [label] for tier, label in enumerate(labels, start=1)})
    return {**raw, "was_cancelled": False, "ground_truth": False, "result": sent, **changes}


def test_a_sighting_is_never_changed_and_an_older_one_never_overrules(database, pushed):
    project, task, labels = pushed

    def seen_as(raw):
        with database.write() as session:
            last = newest(session, project, {11}).get(11)
            found = look(session, project, task, BEGUN, raw, last, None, use_ranking)
            return None if found is None else (found.event, found.outcome, found.reason)

    first = annotation(labels, note="\x00 and a lone \ud800")
    assert seen_as(first) == ("first", "used", None)
    assert seen_as(first) is None
    assert seen_as(annotation(labels[::-1], minute=3)) == ("changed", "used", None)
    assert seen_as(annotation(labels, minute=2)) is None, "a page that was read too late"
    assert seen_as(annotation(labels, minute=4, lead_time=float("nan"))) == (
        "changed",
        "quarantined",
        "implausible_time",
    )
    with database.write() as session:
        assert note_deletions(session, project, [11, 99]) == 1
        assert 11 not in present(session, project)
    with database.read() as session:
        one, other = session.scalars(select(Ranking.tiers).order_by(Ranking.version))
        assert other == one[::-1]
    with pytest.raises(DBAPIError, match="never changed"), database.write() as session:
        session.execute(update(Sighting).values(outcome="used", reason=None))
