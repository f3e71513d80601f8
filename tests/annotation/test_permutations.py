"""Every order of four answers, with all ties, comes out of a release as it went into the page."""

from __future__ import annotations

import re
from itertools import combinations

from fastapi.testclient import TestClient
from sqlalchemy import select

from annotation.identity.auth import log_in
from annotation.releases.exports import export
from annotation.tables.models import Assignment, Task
from annotation.web.app import Settings, create_app
from corpus.records import Preference, RankedPrompt
from foundation.jsonl import read_records

IDS = ["0", "1", "2", "3"]
CARD = re.compile(r'<article class="card"[^>]* data-label="([^"]+)".*?<div class="text"><p>(.*?)</p></div>', re.DOTALL)
TOKEN = re.compile(r'data-csrf="([^"]+)"')


def weak_orders(names):
    """3 of two names, 13 of three, 75 of four."""
    if not names:
        yield []
    for size in range(1, len(names) + 1):
        for first in combinations(names, size):
            for rest in weak_orders([name for name in names if name not in first]):
                yield [list(first), *rest]


ORDERS = sorted(weak_orders(IDS))


def sent_by_page(browser, number, tiers, words):
    """Send the order as the page's script does: by the labels of the cards, which are known by their words, with the
    token in the form."""
    page = browser.get(f"/rank/{number}").text
    label_of = {text: label for label, text in CARD.findall(page)}
    assert len(label_of) == len(words)
    sent = {
        "orders": {"overall": [[label_of[words[name]] for name in tier] for tier in tiers]},
        "key": f"key-{number:08}",
        "seconds": 1.0,
    }
    headers = {"X-CSRF-Token": TOKEN.search(page)[1], "Accept": "application/json"}
    assert browser.post(f"/rank/{number}", json=sent, headers=headers).status_code == 200


def test_all_75_orders_go_through_page_database_and_release(sqlite_url, made, tmp_path):
    app = create_app(Settings(database_url=sqlite_url, data=tmp_path / "data"))
    with app.state.database.write() as session:
        expert = made.person(session)
        campaign = made.campaign(session, experts=[expert.name], overlap=1, prompts=len(ORDERS), repeats=0.0)
        browser = TestClient(app, base_url="http://testserver")
        browser.cookies.set("zhongjing_login", log_in(session, expert.id))
        asked = session.execute(select(Assignment.id, Task.prompt_id).join(Task, Task.id == Assignment.task_id)).all()
    words = {name: output.text for name, output in zip(IDS, made.outputs(made.prompts(1)), strict=True)}
    wanted = {}
    for (number, prompt_id), tiers in zip(sorted(asked), ORDERS, strict=True):
        sent_by_page(browser, number, tiers, words)
        wanted[prompt_id] = [[f"o-{prompt_id}-{name}" for name in tier] for tier in tiers]
    with app.state.database.read() as session:
        export(session, campaign, tmp_path / "release", seed=0)
    app.state.database.close()
    rows = list(read_records(tmp_path / "release" / "rankings.jsonl", RankedPrompt))
    assert {row.prompt_id: row.judgements[0].tiers for row in rows} == wanted
    assert {row.prompt_id: row.consensus.tiers for row in rows} == wanted
    name_of = {text: name for name, text in words.items()}
    pairs = read_records(tmp_path / "release" / "preferences.jsonl", Preference)
    found = {(pair.prompt_id, name_of[pair.chosen[0].content], name_of[pair.rejected[0].content]) for pair in pairs}
    assert found == {
        (prompt_id, better, worse)
        for prompt_id, tiers in zip((prompt_id for _, prompt_id in sorted(asked)), ORDERS, strict=True)
        for upper, lower in combinations(tiers, 2)
        for better in upper
        for worse in lower
    }


def test_there_are_75_orders():
    assert len({str(order) for order in ORDERS}) == 75
    assert sum(all(len(tier) == 1 for tier in order) for order in ORDERS) == 24
