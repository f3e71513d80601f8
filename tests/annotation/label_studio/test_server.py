"""Against a real Label Studio: what goes there and comes back, and what must not."""

from __future__ import annotations

import json
import random
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import product

import httpx
import pytest
from sqlalchemy import select

from annotation.campaigns.campaigns import close_campaign, find_campaign
from annotation.label_studio.client import Client, LabelStudioError, open_with
from annotation.label_studio.connection import connect
from annotation.label_studio.hooks import hint
from annotation.label_studio.pull import hinted, look_at, watch
from annotation.ranking import Decision, submit
from annotation.releases.exports import export
from annotation.tables.label_studio import Project, Sighting
from annotation.tables.models import Assignment
from annotation.web.app import Settings, create_app
from corpus.records import RankedPrompt
from foundation.jsonl import read_records


def weak_orders(cards: int) -> list[list[list[int]]]:
    """Every way to put cards into tiers, by levels: 75 for four, 24 of them without ties."""
    found = set()
    for levels in product(range(cards), repeat=cards):
        if set(levels) == set(range(max(levels) + 1)):
            found.add(levels)
    return [
        [[card + 1 for card in range(cards) if levels[card] == tier] for tier in range(max(levels) + 1)]
        for levels in sorted(found)
    ]


def test_all_orders_of_six_experts_come_back_exactly(house, tmp_path):
    orders = weak_orders(4)
    assert (len(orders), sum(len(order) == 4 for order in orders)) == (75, 24)
    random.Random(7).shuffle(orders)
    there = house(experts=6, prompts=75, overlap=1)
    assert there.push().done == {}
    wanted = {}
    for expert in range(6):
        for place, task in enumerate(there.tasks(expert)):
            wanted[expert, place] = orders[len(wanted)]
            there.annotate(task, wanted[expert, place], by=expert)
    assert len(wanted) == 75
    pulled = there.pull()
    assert (pulled.used, pulled.quarantined, pulled.deleted, pulled.warnings) == (75, {}, 0, [])
    assert {key: there.stored(*key) for key in wanted} == {key: [order] for key, order in wanted.items()}
    again = there.pull()
    assert (again.used, again.quarantined) == (0, {})
    with there.database.read() as session:
        release = export(session, find_campaign(session), tmp_path / "release", seed=0)
    assert (release.judgements, release.simulated_judgements) == (75, 0)
    rows = list(read_records(tmp_path / "release" / "rankings.jsonl", RankedPrompt))
    assert all(0 <= judgement.seconds <= 3.146 for row in rows for judgement in row.judgements)


def test_what_is_sent_says_nothing_of_models_and_differs_by_expert(house):
    there = house(experts=2, prompts=3)
    shown = []
    for expert in range(2):
        tasks = there.tasks(expert)
        text = json.dumps([task["data"] for task in tasks], ensure_ascii=False)
        assert "model-" not in text
        assert "o-p-" not in text
        assert "建议先做血常规和胸片，请问有没有发热？" not in text, "the doctor's own answer"
        shown.append([[answer["body"] for answer in task["data"]["answers"]] for task in tasks])
    assert shown[0] != shown[1]
    assert [sorted(one) for one in shown[0]] == [sorted(one) for one in shown[1]]
    assert there.push(language="en").done == {"interfaces restored": 2, "tasks restored": 6}
    assert [answer["title"] for answer in there.tasks(0)[0]["data"]["answers"]][:2] == ["Answer 1", "Answer 2"]
    assert "Tier 1 (best)" in there.client.project(there.project(0))["label_config"]
    there.annotate(there.tasks(0)[0], [[2], [1, 4], [3]])
    assert (there.pull().used, there.stored(0, 0)) == (1, [[[2], [1, 4], [3]]])


HOSTILE = {
    "untouched": {"tiers": [], "left": [1, 2, 3, 4]},
    "leftovers": {"tiers": [[1], [2, 3]], "left": [4]},
    "not_a_permutation": {"tiers": [[1, 1], [2], [3], [4]]},
    "ground_truth": {"tiers": [[1], [2], [3], [4]], "ground_truth": True},
    "skipped": {"tiers": [[1], [2], [3], [4]], "was_cancelled": True},
    "wrong_person": {"tiers": [[1], [2], [3], [4]], "by": 1},
    "implausible_time": {"tiers": [[1], [2], [3], [4]], "lead_time": -5},
    "malformed": {"tiers": [], "result": [{"from_name": "overall", "value": {"ranker": ["a", "b"]}}]},
}


def test_what_fails_a_check_is_kept_and_not_used(house):
    there = house(experts=2, prompts=len(HOSTILE) + 3)
    tasks = there.tasks(0)
    for task, sent in zip(tasks, HOSTILE.values(), strict=False):
        there.annotate(task, **sent)
    forged, empty, twice = tasks[len(HOSTILE) :]
    there.annotate(forged, [[1], [2], [3], [4]], by=1, completed_by=there.members[0])
    there.annotate(empty, [], result=[])
    with ThreadPoolExecutor(2) as clicks:
        list(clicks.map(lambda _: there.annotate(twice, [[2], [1], [3, 4]]), range(2)))
    pulled = there.pull()
    expected = dict.fromkeys(HOSTILE, 1) | {"edited_by_other": 1, "malformed": 2, "second_annotation": 1}
    assert (pulled.used, pulled.quarantined) == (1, dict(sorted(expected.items())))
    assert there.stored(0, len(tasks) - 1) == [[[2], [1], [3, 4]]]
    with there.database.read() as session:
        held = session.scalars(select(Sighting).where(Sighting.outcome == "quarantined")).all()
        assert all(json.loads(row.raw)["id"] == row.annotation_id for row in held)
    assert there.pull().quarantined == {}, "seen once, told once"


def test_edits_and_deletions_there_are_seen_for_what_they_are(house):
    there = house(experts=2, prompts=3)
    own, meddled, gone = (there.annotate(task, [[1], [2], [3], [4]]) for task in there.tasks(0))
    tasks = there.tasks(0)
    assert there.pull().used == 3
    there.change(own, result=there.result(tasks[0], [[4], [3], [1, 2]]))
    there.change(meddled, by=1, result=there.result(tasks[1], [[4], [3], [2], [1]]))
    there.people[1].delete(f"/api/annotations/{gone['id']}/").raise_for_status()
    pulled = there.pull()
    assert (pulled.used, pulled.quarantined, pulled.deleted) == (1, {"edited_by_other": 1}, 1)
    assert there.stored(0, 0) == [[[1], [2], [3], [4]], [[4], [3], [1, 2]]]
    assert there.stored(0, 1) == [[[1], [2], [3], [4]]]
    assert there.stored(0, 2) == [[[1], [2], [3], [4]]]
    assert there.sightings()[3:] == [
        ("changed", "used", None),
        ("changed", "quarantined", "edited_by_other"),
        ("deleted", "noted", None),
    ]
    there.change(meddled, result=there.result(tasks[1], [[2], [1], [3], [4]]))
    assert there.pull().used == 1, "her own word again"
    assert there.stored(0, 1)[-1] == [[2], [1], [3], [4]]


def test_a_project_edited_by_hand_is_noticed_and_mended(house):
    there = house(experts=2, prompts=4)
    project, tasks = there.project(0), there.tasks(0)
    before = there.client.project(project)["label_config"]
    there.people[1].patch(f"/api/projects/{project}/", json={"label_config": before.replace("最好", "最差")})
    there.annotate(tasks[0], [[1], [2], [3], [4]])
    pulled = there.pull()
    assert pulled.quarantined == {"interface_changed": 1}
    assert "labelling interface was changed" in pulled.warnings[0]
    assert there.push().done == {"interfaces restored": 1}
    assert there.client.project(project)["label_config"] == before

    swapped = {**tasks[1]["data"], "answers": tasks[1]["data"]["answers"][::-1]}
    there.people[1].patch(f"/api/tasks/{tasks[1]['id']}/", json={"data": swapped})
    there.annotate(tasks[1], [[1], [2], [3], [4]])
    there.people[1].delete(f"/api/tasks/{tasks[2]['id']}/").raise_for_status()
    there.people[1].post(f"/api/projects/{project}/import", json=[{"data": {**tasks[3]["data"], "key": "mine"}}])
    strange = next(task for task in there.tasks(0) if task["data"]["key"] == "mine")
    there.annotate(strange, [[1], [2], [3], [4]])
    pulled = there.pull()
    assert pulled.quarantined == {"task_changed": 1, "unknown_task": 1}
    assert any("1 of our tasks were deleted" in line for line in pulled.warnings)
    assert any("1 tasks there are not ours" in line for line in pulled.warnings)
    assert there.push().done == {"tasks restored": 1, "tasks sent": 1}
    kept = {task["data"]["key"]: task["data"] for task in there.tasks(0)}
    assert all(kept[task["data"]["key"]] == task["data"] for task in tasks)

    there.people[1].delete(f"/api/projects/{project}/").raise_for_status()
    assert "was deleted there" in there.pull().warnings[0]
    assert there.push().done["projects made"] == 1
    assert len(there.tasks(0)) == 4
    there.annotate(there.tasks(0)[3], [[4], [3], [2], [1]])
    assert there.pull().used == 1


def test_a_push_cut_off_anywhere_is_completed_and_doubles_nothing(house, monkeypatch):
    there = house(experts=1, prompts=5)
    calls = []

    def cut(self, project, tasks):
        calls.append(Client.post(self, f"/api/projects/{project}/import", list(tasks)))
        raise LabelStudioError("cut off", where=self.url)

    with there.database.write() as session:
        project = session.scalars(select(Project)).one()
        project.remote_id = project.config = None
    there.client.delete(f"/api/projects/{project_number(there)}/")
    monkeypatch.setattr("annotation.label_studio.push.BATCH", 2)
    monkeypatch.setattr("annotation.label_studio.client.PAGE", 2)
    with monkeypatch.context() as broken:
        broken.setattr(Client, "import_tasks", cut)
        with pytest.raises(LabelStudioError, match="cut off"):
            there.push()
    assert len(calls) == 1
    assert there.push().done == {"tasks sent": 3}
    assert there.push().done == {}
    keys = [task["data"]["key"] for task in there.tasks(0)]
    assert (len(keys), len(set(keys))) == (5, 5)


def project_number(there):
    return next(one["id"] for one in there.client.projects() if one["title"].startswith("试验 · 专家0"))


def test_what_was_ranked_here_or_after_the_end_is_not_overruled(house):
    there = house(experts=1, prompts=2)
    first, second = there.tasks(0)
    with there.database.write() as session:
        assignment = session.scalars(select(Assignment).where(Assignment.position == 0)).one()
        order = {"overall": [[label] for label, _ in assignment.shown]}
        decision = Decision(orders=order)
        submit(
            session, assignment_id=assignment.id, expert_id=assignment.expert_id, decision=decision, key="k", seconds=1
        )
    there.annotate(first, [[4], [3], [2], [1]])
    assert there.pull().quarantined == {"ranked_here": 1}
    there.annotate(second, [[4], [3], [2], [1]])
    with there.database.write() as session:
        close_campaign(session, find_campaign(session))
    assert there.pull().quarantined == {"closed": 1}
    assert there.stored(0, 0) == [[[1], [2], [3], [4]]]
    assert there.stored(0, 1) == []


def test_five_webhooks_in_any_order_have_one_effect(house, serve, sqlite_url, tmp_path):
    app = create_app(Settings(database_url=sqlite_url, data=tmp_path / "data"))
    with serve(app) as address:
        there = house(experts=1, prompts=3, hook_url=address)
        (hook,) = there.client.get("/api/webhooks/", project=there.project(0))
        assert hook["send_payload"] is False
        assert hinted(there.database) is None
        first, second, _ = there.tasks(0)
        made = there.annotate(first, [[1], [2], [3], [4]])
        wait_until(lambda: hinted(there.database))
        there.change(made, result=there.result(first, [[2], [1], [3], [4]]))
        there.annotate(second, [[1, 2, 3, 4]])
        bodies = [{"action": action} for action in hook["actions"]] * 5
        random.Random(3).shuffle(bodies)
        heard = [httpx.post(hook["url"], json=body, headers=hook["headers"]).status_code for body in bodies]
        assert set(heard) == {204}
        for headers in ({}, {"X-Zhongjing-Secret": "wrong"}, {"X-Zhongjing-Secret": ""}):
            assert httpx.post(hook["url"], json={}, headers=headers).status_code == 403
        assert look_at(there.database, there.data, *hinted(there.database)).used == 2
        assert hinted(there.database) is None
        assert there.stored(0, 0) == [[[2], [1], [3], [4]]]
        assert len(there.submissions()) == 2
    app.state.database.close()


def wait_until(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_watching_looks_at_everything_then_where_it_is_told(house):
    there = house(experts=1, prompts=1)
    looks = watch(there.database, there.data, campaign=None, url=None, every=3600)
    assert next(looks).used == 0
    there.annotate(there.tasks(0)[0], [[3], [1, 2], [4]])
    with there.database.write() as session:
        hint(session, session.scalars(select(Project.id)).one())
    assert next(looks).used == 1
    looks.close()


def test_a_receiver_that_is_down_loses_nothing(house):
    there = house(experts=1, prompts=1, hook_url="http://127.0.0.1:9")
    there.annotate(there.tasks(0)[0], [[3], [1, 2], [4]])
    assert there.pull().used == 1
    assert there.stored() == [[[3], [1, 2], [4]]]


def test_an_access_token_that_has_expired_is_renewed_and_a_revoked_one_is_told(house, studio):
    there = house(experts=1, prompts=1)
    there.client._http.headers["Authorization"] = "Bearer expired"
    assert there.client.whoami()["email"].startswith("admin")
    with open_with(studio.url, studio.token) as client:
        client.post("/api/jwt/settings", {"api_tokens_enabled": True, "legacy_api_tokens_enabled": True})
        legacy = client.get("/api/current-user/token")["token"]
        connect(there.database, there.data, studio.url, legacy, None)
        assert there.pull().projects == 1
        client.post("/api/jwt/settings", {"api_tokens_enabled": True, "legacy_api_tokens_enabled": False})
    with pytest.raises(LabelStudioError, match="legacy tokens are switched off"):
        there.pull()
    studio.token = studio.local.token(studio.running)  # ends the one before
    with pytest.raises(LabelStudioError, match="expired or was revoked"):
        there.client.__class__(studio.url, "eyJhbGciOiJIUzI1NiJ9.e30.x").whoami()
    with pytest.raises(LabelStudioError, match="opens nothing"):
        open_with(studio.url, "0123456789abcdef")
    connect(there.database, there.data, studio.url, studio.token, None)
    assert there.pull().projects == 1
