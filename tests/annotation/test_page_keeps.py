"""Nothing an expert did is lost or stored twice: drafts, a lost connection, taking back, editing, pace."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import expect
from sqlalchemy import select

from annotation.campaigns.campaigns import close_campaign, find_campaign
from annotation.judgements import judged_tasks
from annotation.queue import progress_of
from annotation.tables.models import Assignment

SAY = "#message"


@pytest.fixture
def campaign(desk, made):
    with desk.database.write() as session:
        return made.campaign(session, experts=["李医生"], overlap=1, prompts=4, break_minutes=30, daily_goal=2)


def press(page, *keys):
    for key in keys:
        page.keyboard.press(key)


def chips(page):
    return [int(text) for text in page.locator(".chip").all_text_contents()]


def go_on(page, number):
    page.wait_for_url(lambda url: not url.endswith(f"/{number}"))
    page.wait_for_selector(".slot")


def settled(page):
    """The next task is fetched ahead; a request that is stopped while that goes on may slip through."""
    page.wait_for_load_state("networkidle")


def test_a_draft_survives_a_reload_and_fills_no_other_task(desk, campaign):
    with desk.ranking() as page:
        press(page, "2", "1", "4", "3", "r")
        page.keyboard.type("更好的回答")
        page.reload()
        expect(page.locator(SAY)).to_contain_text("已恢复")
        assert chips(page) == [2, 1, 4, 3]
        expect(page.locator("#card-3 textarea")).to_have_value("更好的回答")
        page.goto("/rank/2")
        page.wait_for_selector(".slot")
        assert chips(page) == []
        page.goto("/rank/1")
        page.locator("#card-1").focus()
        press(page, "Enter")
        go_on(page, 1)
        page.goto("/rank/1")
        page.wait_for_selector(".slot")
        assert chips(page) == []
    assert desk.stored(1) == [[[2], [1], [4], [3]]]
    assert desk.submissions(1)[0].rewrite == "更好的回答"


def test_without_a_connection_the_order_waits_and_goes_out_by_itself(desk, campaign):
    with desk.ranking() as page:
        press(page, "1", "2", "3", "4")
        settled(page)
        page.route("**/rank/1", lambda route: route.abort("internetdisconnected"))
        press(page, "Enter")
        expect(page.locator(SAY)).to_contain_text("连接中断")
        assert desk.stored(1) == []
        page.unroute("**/rank/1")
        go_on(page, 1)
    assert desk.stored(1) == [[[1], [2], [3], [4]]]


def test_a_window_closed_before_the_answer_came_sends_again_when_opened(desk, campaign):
    with desk.ranking() as page:
        press(page, "4", "3", "2", "1")
        settled(page)
        page.route("**/rank/1", lambda route: (route.fetch(), route.fulfill(status=503)))
        press(page, "Enter")
        expect(page.locator(SAY)).to_contain_text("连接中断")
        page.close()
        later = page.context.new_page()
        later.goto("/rank/1")
        later.wait_for_url("**/rank/2")
    assert desk.stored(1) == [[[4], [3], [2], [1]]]


def test_changing_ones_mind_while_it_waits_is_a_decision_of_its_own(desk, campaign):
    with desk.ranking() as page:
        press(page, "1", "2", "3", "4")
        settled(page)
        page.route("**/rank/1", lambda route: (route.fetch(), route.fulfill(status=503)))
        press(page, "Enter")
        expect(page.locator(SAY)).to_contain_text("连接中断")
        press(page, "Escape")
        page.unroute("**/rank/1")
        press(page, "4", "3", "2", "1", "Enter")
        go_on(page, 1)
    assert desk.stored(1) == [[[1], [2], [3], [4]], [[4], [3], [2], [1]]]


def test_taking_back_is_a_version_and_the_old_one_stays(desk, campaign):
    with desk.ranking() as page:
        press(page, "1", "2", "3", "4", "Enter")
        go_on(page, 1)
        expect(page.locator("#toast")).to_contain_text("已提交第 1 题")
        expect(page.locator("#pace")).to_contain_text("今日 1 / 2")
        press(page, "z")
        page.wait_for_url("**/rank/1")
        expect(page.locator(SAY)).to_contain_text("已恢复")
        assert chips(page) == [1, 2, 3, 4]
        with desk.database.read() as session:
            assert progress_of(session, desk.expert_id)[0].done == 0
            assert session.get(Assignment, 1).completed_at is None
            assert all(task.judgements == [] for task in judged_tasks(session, campaign))
        page.locator("#card-4").focus()
        press(page, "ArrowUp", "Enter")
        go_on(page, 1)
    assert [row.verdict for row in desk.submissions(1)] == ["ranked", "withdrawn", "ranked"]
    assert desk.stored(1) == [[[1], [2], [3], [4]], [[1], [2], [4], [3]]]
    with desk.database.read() as session:
        tiers = [task.tiers() for task in judged_tasks(session, campaign) if task.judgements]
    ids = desk.shown(1)
    assert tiers == [[[[ids[0]], [ids[1]], [ids[3]], [ids[2]]]]]


def test_an_earlier_order_is_loaded_when_asked_for_and_withdrawn_when_asked_to(desk, campaign):
    with desk.ranking() as page:
        press(page, "2", "=", "4", "1", "3", "Enter")
        go_on(page, 1)
        page.goto("/rank")
        page.get_by_role("link", name="查看或修改").click()
        expect(page.get_by_text("2 = 4 > 1 > 3")).to_be_visible()
        assert chips(page) == []
        page.get_by_role("button", name="载入上次的排序").click()
        assert chips(page) == [2, 4, 1, 3]
        page.get_by_role("button", name="撤回提交").click()
        expect(page.locator(".earlier")).to_have_count(0)
    assert [row.verdict for row in desk.submissions(1)] == ["ranked", "withdrawn"]


def test_a_closed_campaign_takes_nothing_more_and_says_so(desk, campaign):
    with desk.ranking() as page:
        press(page, "1", "2", "3", "4")
        with desk.database.write() as session:
            close_campaign(session, find_campaign(session))
        press(page, "Enter")
        expect(page.locator(SAY)).to_contain_text("本项目已结束")
        page.goto("/rank")
        expect(page.locator("#start")).to_have_count(0)
        expect(page.get_by_text("已结束", exact=True)).to_be_visible()
    assert desk.submissions(1) == []


def test_a_break_is_proposed_after_a_stretch_of_work_and_a_goal_is_reached(desk, campaign):
    with desk.ranking() as page:
        name = f"zhongjing/{desk.expert_id}/work"
        stretch = "([name]) => localStorage.setItem(name, JSON.stringify({ seconds: 1800, last: Date.now() }))"
        page.evaluate(stretch, [name])
        press(page, "1", "2", "3", "4", "Enter")
        go_on(page, 1)
        expect(page.get_by_role("dialog")).to_contain_text("您已连续评判 30 分钟")
        press(page, "Enter")
        expect(page.get_by_role("dialog")).to_have_count(0)
        press(page, "1", "2", "3", "4", "Enter")
        go_on(page, 2)
        expect(page.get_by_role("dialog")).to_have_count(0)
        page.goto("/rank")
        expect(page.get_by_text("今日目标已完成")).to_be_visible()


def test_only_time_at_work_counts(desk, campaign):
    """Twenty seconds of reading count; ten minutes without a sign count for one; time behind another tab for none."""
    with desk.browser() as context:
        page = context.new_page()
        page.clock.install()
        page.goto("/rank/1")
        page.wait_for_selector(".slot")
        sent = []
        page.on("request", lambda request: sent.append(request) if request.method == "POST" else None)
        page.clock.run_for(20_000)
        page.mouse.move(300, 300)
        hide = "([hidden]) => { Object.defineProperty(document, 'hidden', { value: hidden, configurable: true });"
        hide += " document.dispatchEvent(new Event('visibilitychange')) }"
        page.evaluate(hide, [True])
        page.clock.run_for(300_000)
        page.evaluate(hide, [False])
        press(page, "1", "2")
        page.clock.run_for(600_000)
        press(page, "3", "4", "Enter")
        page.clock.resume()
        go_on(page, 1)
        seconds = json.loads(sent[0].post_data)["seconds"]
    assert 79 < seconds < 85
    stored = desk.submissions(1)[0]
    assert stored.seconds <= stored.elapsed < 60


def test_the_next_task_is_there_at_once_and_its_time_begins_when_it_is_shown(desk, campaign):
    with desk.ranking() as page:
        asked = []
        page.on("request", lambda request: asked.append(request.url))
        page.wait_for_load_state("networkidle")
        press(page, "1", "2", "3", "4", "Enter")
        go_on(page, 1)
        assert not any(url.endswith("/rank/2") for url in asked)
        with desk.database.read() as session:
            assert session.scalars(select(Assignment.opened_at).where(Assignment.id == 2)).one() is None
        page.wait_for_timeout(300)
        press(page, "1", "2", "3", "4", "Enter")
        go_on(page, 2)
        page.go_back()
        page.wait_for_url("**/rank/2")
        expect(page.get_by_text("您已提交过此题")).to_be_visible()
    assert 0.3 <= desk.submissions(2)[0].seconds <= desk.submissions(2)[0].elapsed < 30
