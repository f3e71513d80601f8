"""The dashboards in a real Chromium: at three widths, by day and night, in two languages, with much and with nothing.

What they look like does not depend on the database; what they say is tested on both in `test_boards`.
"""

from __future__ import annotations

import re
import shutil
from datetime import timedelta

import msgspec
import pytest
from playwright.sync_api import expect
from sqlalchemy import select

from annotation.agreement.agreement import agreement
from annotation.campaigns.gold import Gold
from annotation.ranking import Decision, submit
from annotation.simulation.experts import simulate
from annotation.tables.base import now
from annotation.tables.models import Assignment, Campaign, Job, User


@pytest.fixture
def url(sqlite_url):
    return sqlite_url


@pytest.fixture
def lead(desk, made, frozen, tmp_path):
    """A curator, a campaign that simulated experts have ranked, one that nobody has, two versions and two jobs."""
    shutil.copytree(frozen, tmp_path / "data" / "versions")
    gold = [
        Gold(prompt=prompt, outputs=outputs, tiers=[[output.output_id] for output in outputs])
        for prompt in (msgspec.structs.replace(one, prompt_id=f"gold-{one.prompt_id}") for one in made.prompts(10))
        for outputs in [made.outputs([prompt])]
    ]
    with desk.database.write() as session:
        desk.expert_id = made.person(session, "赵", "curator").id
        options = {"prompts": 24, "gold": gold, "repeats": 0.5, "dimensions": ["overall", "safety"]}
        simulate(session, made.campaign(session, name="模拟轮", **options), seed=1)
        session.scalars(select(User).where(User.name == "模拟专家6")).one().left_at = now()
        made.campaign(session, name="空", experts=["李医生"], overlap=1, prompts=2)
        for minutes in (3, 8):
            ended = now() + timedelta(minutes=minutes)
            session.add(Job(kind="export", payload={}, state="done", result={"folder": "x"}, ended_at=ended))
    return desk


def test_a_campaign_is_seen_whole(lead, looks_right):
    with lead.database.read() as session:
        campaign = session.scalars(select(Campaign).where(Campaign.name == "模拟轮")).one()
        found = agreement(session, campaign)
    with lead.browser() as context:
        page = context.new_page()
        page.goto("/status?campaign=模拟轮")
        for value in (found.alpha, found.kendall_w, found.pair_agreement, *found.alpha_interval):
            expect(page.locator(".tiles")).to_contain_text(f"{value:.2f}")
        expect(page.locator(".tiles")).to_contain_text(re.compile(r"24\s*/ 24"))
        expect(page.locator("svg.plot")).to_have_count(3)
        expect(page.get_by_text("不是临床医生的判断")).to_be_visible()
        expect(page.get_by_text("模拟专家6 已离开")).to_be_visible()
        assert page.locator(".checks .gap").count() == 0
        looks_right(page)
        page.get_by_role("link", name="安全").click()
        expect(page.get_by_role("link", name="安全")).to_have_attribute("aria-current", "page")


def test_a_dashboard_that_is_looked_at_stays_up_to_date(lead):
    with lead.browser() as context:
        page = context.new_page()
        page.goto("/status?campaign=空")
        page.wait_for_load_state("networkidle")
        expect(page.locator("#gap")).to_have_text("数据不足：还没有排序。")
        with lead.database.write() as session:
            assignment = session.scalars(select(Assignment).join(Campaign).where(Campaign.name == "空")).first()
            order = {"overall": [[label] for label, _ in assignment.shown]}
            who = {"assignment_id": assignment.id, "expert_id": assignment.expert_id}
            submit(session, **who, decision=Decision(orders=order), key="later", seconds=9)
        page.evaluate("dispatchEvent(new Event('focus'))")
        expect(page.locator("#gap")).to_have_text("数据不足：只有一位专家排过序。")


def test_the_lead_sees_each_expert_with_an_interval(lead, looks_right):
    with lead.browser() as context:
        page = context.new_page()
        page.goto("/experts?campaign=模拟轮")
        expect(page.locator(".people tbody tr")).to_have_count(6)
        for row in page.locator(".people tbody tr").all():
            assert len(re.findall(r"0\.\d\d–[01]\.\d\d", row.inner_text())) >= 4
        expect(page.locator(".heat tbody td:not(.none)")).to_have_count(30)
        expect(page.locator("svg.plot")).to_have_count(3)
        looks_right(page)


def test_a_campaign_without_rankings_shows_sentences_and_no_figures(lead, looks_right):
    with lead.browser() as context:
        page = context.new_page()
        for path in ("/status", "/experts"):
            page.goto(f"{path}?campaign=空")
            expect(page.locator("#gap")).to_have_text("数据不足：还没有排序。")
            shown = page.locator("main").inner_text()
            assert not re.search(r"nan|None|\d\.\d", shown), shown
            looks_right(page)


def test_versions_and_what_changed_between_them(lead, looks_right):
    with lead.browser() as context:
        page = context.new_page()
        page.goto("/versions")
        expect(page.locator(".version h2")).to_have_text(["made-v2", "made-v1"])
        looks_right(page)
        page.get_by_role("link", name="与 made-v1 比较").click()
        expect(page.get_by_role("heading", name="新增 1")).to_be_visible()
        expect(page.get_by_role("heading", name="移除 0")).to_be_visible()
        assert "咳嗽" not in page.content()
        looks_right(page)
        for query in ("old=../x&new=versions/made-v1", "old=versions/made-v1&new=raw", "old=versions/made-v1"):
            assert context.request.get(f"/versions/diff?{query}").status in (404, 422)


def test_jobs_show_how_long_they_took(lead, looks_right):
    with lead.browser() as context:
        page = context.new_page()
        page.goto("/jobs")
        expect(page.locator("svg.plot .bar")).to_have_count(2)
        looks_right(page)


def test_dashboards_in_english(lead):
    with lead.browser() as context:
        page = context.new_page()
        page.goto("/language/en?next=/status")
        for path in ("/status?campaign=模拟轮", "/experts?campaign=模拟轮", "/experts?campaign=空", "/versions"):
            page.goto(path)
            shown = page.locator("main").inner_text()
            assert not re.search("[\u4e00-\u9fff]", re.sub("模拟专家\\d|模拟轮|空|李医生", "", shown)), shown
