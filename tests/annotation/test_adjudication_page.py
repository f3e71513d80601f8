"""A senior expert at her page: the real service, a real Chromium, both databases."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect
from sqlalchemy import select

from annotation.adjudication import adjudicate, versions_of
from annotation.ranking import Decision, submit
from annotation.tables.decisions import Ranking
from annotation.tables.models import Assignment, Task, User


@pytest.fixture
def senior(desk, made):
    """王主任 at the page; 李医生 and 赵医生 have ranked two prompts in opposite ways and flagged a danger in one."""
    with desk.database.write() as session:
        made.person(session, "赵医生")
        desk.expert_id = made.person(session, "王主任", "senior").id
        campaign = made.campaign(session, experts=["李医生", "赵医生"], overlap=2, prompts=2)
        rank(session, campaign, ["李医生", "赵医生"], "first")
    return desk


def rank(session, campaign, experts, key):
    """The first expert orders the answers one way, the second the other; the first sees a danger in prompt 1."""
    for backward, name in enumerate(experts):
        query = select(Assignment).join(User, User.id == Assignment.expert_id).where(User.name == name)
        for assignment in session.scalars(query.where(Assignment.campaign_id == campaign.id)).all():
            labels = [label for label, _ in sorted(assignment.shown, key=lambda pair: pair[1], reverse=bool(backward))]
            flags = [(labels[0], "dose")] if assignment.position == 1 and not backward else []
            submit(
                session,
                assignment_id=assignment.id,
                expert_id=assignment.expert_id,
                decision=Decision(orders={"overall": [[label] for label in labels]}, flags=flags),
                key=f"{key}/{assignment.id}",
                seconds=30,
            )


def stored(desk, task_id):
    with desk.database.read() as session:
        return versions_of(session, task_id)


def originals(desk):
    with desk.database.read() as session:
        return session.execute(select(Ranking.id, Ranking.tiers).order_by(Ranking.id)).all()


def task_of(page):
    return int(page.url.rsplit("/", 1)[1])


def press(page, *keys):
    for key in keys:
        page.keyboard.press(key)


def open_first(page):
    page.goto("/adjudicate")
    expect(page.locator("#start")).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_selector(".slot")
    return task_of(page)


def test_a_senior_decides_by_keys_alone_and_the_rankings_stay(senior):
    before = originals(senior)
    with senior.browser() as context:
        page = context.new_page()
        first = open_first(page)
        expect(page.locator(".why")).to_contain_text("有危险标记")
        expect(page.locator(".noted")).to_have_text(re.compile("用药或剂量错误（1 人）"))
        expect(page.locator(".splits li.tied")).to_have_count(6)
        expect(page.locator(".opinions li")).to_have_count(2)
        page.keyboard.press("Enter")
        expect(page.locator("#message")).to_contain_text("请先把全部回答排入顺序")
        press(page, "3", "1", "=", "4", "2", "n", "Enter")
        expect(page.locator("#message")).to_contain_text("请写明裁定理由")
        page.keyboard.type("剂量错误的回答排在最后")
        page.keyboard.press("Control+Enter")
        page.wait_for_url(lambda url: not url.endswith(f"/{first}"))
        page.wait_for_selector(".slot")
        second = task_of(page)
        press(page, "1", "0", "Enter")
        page.keyboard.type("其余相当")
        page.keyboard.press("Control+Enter")
        expect(page.get_by_text("目前没有需要您裁定的题目")).to_be_visible()
        expect(page.get_by_text("已裁定 2 题")).to_be_visible()
    (decision,) = stored(senior, first)
    assert [len(tier) for tier in decision.tiers] == [1, 2, 1]
    assert (decision.reason, decision.none_acceptable, decision.withdrawn) == ("剂量错误的回答排在最后", True, False)
    assert decision.guideline_version == "safety>professionalism>fluency/1"
    assert [len(tier) for tier in stored(senior, second)[0].tiers] == [1, 3]
    assert originals(senior) == before


def test_a_decision_is_looked_at_again_and_taken_back(senior):
    with senior.browser() as context:
        page = context.new_page()
        task = open_first(page)
        press(page, "1", "2", "3", "4", "Enter")
        page.keyboard.type("第一次")
        page.get_by_role("button", name="裁定", exact=True).click()
        page.wait_for_url(lambda url: not url.endswith(f"/{task}"))
        page.goto(f"/adjudicate/{task}")
        expect(page.locator(".before")).to_contain_text("1 > 2 > 3 > 4")
        page.get_by_role("button", name="撤销裁定").click()
        expect(page.locator("#message")).to_contain_text("请写明裁定理由")
        page.keyboard.type("看错了题")
        page.get_by_role("button", name="撤销裁定").click()
        page.wait_for_url(lambda url: not url.endswith(f"/{task}"))
        page.goto(f"/adjudicate/{task}")
        expect(page.locator(".before li")).to_have_count(2)
        expect(page.locator(".before")).to_contain_text("已撤销")
        expect(page.get_by_role("button", name="撤销裁定")).to_have_count(0)
    assert [(row.version, row.withdrawn) for row in stored(senior, task)] == [(1, False), (2, True)]


def test_a_draft_survives_and_what_another_senior_decided_meanwhile_is_said(senior, made):
    with senior.browser() as context:
        page = context.new_page()
        task = open_first(page)
        press(page, "4", "3", "2", "1", "Enter")
        page.keyboard.type("草稿")
        page.reload()
        expect(page.locator("#message")).to_contain_text("已恢复")
        expect(page.locator("#reason")).to_have_value("草稿")
        with senior.database.write() as session:
            other = made.person(session, "钱主任", "senior").id
            ids = [f"o-{session.get(Task, task).prompt_id}-{k}" for k in range(4)]
            adjudicate(session, task_id=task, senior_id=other, tiers=[ids], reason="都一样")
        page.locator("#reason").focus()
        page.keyboard.press("Control+Enter")
        expect(page.locator("#message")).to_contain_text("另一位高级专家刚刚裁定了此题")
        page.reload()
        expect(page.locator(".before")).to_contain_text("钱主任")
    assert len(stored(senior, task)) == 1


def test_nothing_on_the_page_tells_who_said_what(senior):
    with senior.browser() as context:
        page = context.new_page()
        task = open_first(page)
        html = context.request.get(f"/adjudicate/{task}").text()
        assert not re.search("李医生|赵医生|model-|o-p-", html)
        with senior.database.write() as session:
            for name in ("李医生", "赵医生"):
                query = select(Assignment).join(User, User.id == Assignment.expert_id).where(User.name == name)
                own = session.scalars(query.where(Assignment.task_id == task)).one()
                labels = [label for label, _ in sorted(own.shown, key=lambda pair: pair[1], reverse=name == "李医生")]
                flags = [(sorted(own.shown, key=lambda pair: pair[1])[0][0], "dose")] if name == "赵医生" else []
                submit(
                    session,
                    assignment_id=own.id,
                    expert_id=own.expert_id,
                    decision=Decision(orders={"overall": [[label] for label in labels]}, flags=flags),
                    key=f"swapped {own.id}",
                    seconds=1,
                )
        assert context.request.get(f"/adjudicate/{task}").text() == html


def test_who_was_asked_to_rank_a_prompt_never_sees_it_here(senior, made):
    with senior.database.write() as session:
        senior.expert_id = made.person(session, "孙主任", "senior").id
        campaign = made.campaign(session, name="二", experts=["李医生", "赵医生", "孙主任"], overlap=3, prompts=2)
        rank(session, campaign, ["李医生", "赵医生"], "second")
        hers = session.scalars(select(Task.id).where(Task.campaign_id == campaign.id)).all()
    with senior.browser() as context:
        page = context.new_page()
        page.goto("/adjudicate?campaign=二")
        expect(page.get_by_text("另有 2 题分配给您本人排序过")).to_be_visible()
        assert [context.request.get(f"/adjudicate/{task}").status for task in hers] == [404, 404]
        for path in ("/adjudicate/0", "/adjudicate/x", f"/adjudicate/{2**63}"):
            assert context.request.get(path).status == 404


def test_no_barrier_for_a_senior_at_any_width_by_day_or_night(senior, looks_right):
    with senior.browser() as context:
        page = context.new_page()
        page.goto("/adjudicate")
        looks_right(page)
        page.set_viewport_size({"width": 1440, "height": 900})
        open_first(page)
        page.locator(".facts summary").click()
        press(page, "1", "=", "2", "3", "4")
        looks_right(page)
        tray = page.locator("#tray").bounding_box()
        assert tray["y"] + tray["height"] <= 901
        page.goto("/language/en?next=/adjudicate")
        page.get_by_role("link", name="Start deciding").click()
        page.wait_for_selector("#order li")
        for part in (".views", ".tray", ".why", ".where h1"):
            assert not re.search("[\u4e00-\u9fff]", page.locator(part).inner_text())
