"""Curation review on a real Label Studio: what was held up goes there, what was decided reaches the next version."""

from __future__ import annotations

import re

import pytest

from annotation.database import Database
from annotation.label_studio.client import Client
from annotation.label_studio.connection import connect, current_server, enrol
from annotation.label_studio.pull import pull
from annotation.label_studio.review import push_review, write_decisions
from annotation.label_studio.review_interface import review_data
from corpus.decisions import decide
from corpus.matching import Review, match
from corpus.records import Dialogue, Message, Meta
from corpus.sets import Plan, read_dialogues, run_step
from kg.building.build import build_graph

GRAPH = "布洛芬,禁忌,孕妇\n布洛芬,适应症,发热\n阿司匹林,禁忌,胃溃疡\n"
CONSULTATIONS = [
    ["孕妇发烧怎么办？", "孕妇可以吃<b>布洛芬</b>。"],
    ["怀孕了头疼？", "孕妇可以吃布洛芬，多喝水。"],
    ["怀孕五个月牙疼？", "不要紧，孕妇可以吃布洛芬。"],
    ["发热吃什么药？", "可以吃布洛芬。"],
]


@pytest.fixture
def matched(tmp_path):
    (tmp_path / "graph.csv").write_text(GRAPH, encoding="utf-8")
    build_graph([tmp_path / "graph.csv"], tmp_path / "kg")

    def work(writer):
        for number, (asked, told) in enumerate(CONSULTATIONS):
            meta = Meta(file="made.jsonl", line=number + 1, format="jsonl")
            messages = [Message("user", asked), Message("assistant", told)]
            writer.keep(Dialogue(id=f"d-{number}", messages=messages, source="made", meta=meta))

    run_step(Plan(stage="import", inputs=[], parameters={}), tmp_path / "set", work)
    match(tmp_path / "set", tmp_path / "kg", tmp_path / "match", processes=1)
    return tmp_path / "match"


def annotate(browser, task, verdict, text=None):
    def item(name, kind, **value):
        return {"from_name": name, "to_name": "dialogue", "type": kind, "value": value}

    result = [item("verdict", "choices", choices=[verdict])]
    result += [item("corrected_text", "textarea", text=[text])] if text else []
    path = f"/api/tasks/{task['id']}/annotations?project={task['project']}"
    assert browser.post(path, json={"result": result, "lead_time": 9.5}).status_code == 201


def test_decisions_reach_the_next_version(studio, base: Database, made, matched, tmp_path):
    data = tmp_path / "data"
    name = f"review {tmp_path.name}"[:50]
    connect(base, data, studio.url, studio.token, None)
    with base.write() as session:
        made.person(session, "赵", "curator")
        enrol(session, current_server(session), "赵", f"{tmp_path.name}@example.org")
    with Client(studio.url, studio.token) as client:
        curator = studio.sign_up(client.invitation(), f"{tmp_path.name}@example.org")
        stranger = studio.sign_up(client.invitation(), f"{tmp_path.name}-stranger@example.org")
        pushed = push_review(base, data, matched, name=name)
        assert (pushed.turns, pushed.done) == (3, {"projects made": 1, "tasks sent": 3})
        assert push_review(base, data, matched, name=name).done == {}
        project = next(one["id"] for one in client.projects() if one["title"] == name)
        tasks = sorted((task for page, _ in client.tasks(project) for task in page), key=lambda task: task["id"])
    shown = [task["data"] for task in tasks]
    assert all("孕妇" in task["about"] and "布洛芬 禁忌 孕妇 (graph.csv:1)" in task["evidence"] for task in shown)
    assert all(re.search("<mark>[^<]*孕妇", task["html"]) for task in shown)
    assert "<b>布洛芬" not in shown[0]["html"], "what doctors wrote is text, not HTML"
    annotate(curator, tasks[0], "corrected", "孕妇发烧请先就诊。")
    annotate(curator, tasks[1], "remove")
    annotate(curator, tasks[2], "right")
    annotate(stranger, tasks[2], "remove")
    pulled = pull(base, data, review=name)
    assert (pulled.used, pulled.quarantined) == (3, {"wrong_person": 1})
    assert write_decisions(base, name, tmp_path / "decisions.jsonl") == 3
    result = decide(matched, tmp_path / "decisions.jsonl", tmp_path / "decided", processes=1)
    assert (result.kept, result.rejected) == (3, {"removed_in_review": 1})
    told = {dialogue.id: dialogue.messages[1].content for dialogue in read_dialogues(tmp_path / "decided")}
    assert told == {"d-0": "孕妇发烧请先就诊。", "d-2": CONSULTATIONS[2][1], "d-3": CONSULTATIONS[3][1]}
    curator.close()
    stranger.close()


def test_spans_are_marked_merged_and_within_the_text():
    dialogue = Dialogue(
        id="d", messages=[Message("user", "a<b"), Message("assistant", "0123456789")], source="s",
        meta=Meta(file="f", line=1, format="jsonl"),
    )  # fmt: skip

    def row(start, end):
        return Review(
            dialogue_id="d", file="f", line=1, turn=1, start=start, end=end, claim=["x", "y", "z"], evidence=["e"]
        )

    html = review_data("k", dialogue, 1, [row(6, 99), row(1, 3), row(2, 4), row(5, 5)], "en")["html"]
    assert html == "<p><b>Patient</b>：a&lt;b</p><p><b>Doctor</b>：0<mark>123</mark>45<mark>6789</mark></p>"
