"""Experts at Label Studio's own page: a real server, a real Chromium, by mouse and by keys."""

from __future__ import annotations

import re
from contextlib import contextmanager

from playwright.sync_api import expect

PATIENCE = 60_000
BY_MOUSE = [
    [[1], [2], [3], [4]],
    [[4], [3], [2], [1]],
    [[2, 3], [1, 4]],
    [[1, 2, 3, 4]],
    [[3], [1, 2, 4]],
    [[2], [4], [1, 3]],
]
BY_KEYS = [
    [[2], [1], [4], [3]],
    [[1, 2], [3, 4]],
    [[4], [1], [2], [3]],
    [[3], [2], [1, 4]],
    [[1], [2, 3, 4]],
    [[4, 1], [3], [2]],
]


@contextmanager
def at_work(chromium, there, expert):
    """An expert's labelling stream, open at her first task."""
    context = chromium.new_context(viewport={"width": 1600, "height": 1200}, base_url=there.studio.url)
    context.set_default_timeout(PATIENCE)
    cookies = there.people[expert].cookies
    context.add_cookies([{"name": name, "value": value, "url": there.studio.url} for name, value in cookies.items()])
    page = context.new_page()
    page.goto(f"/projects/{there.project(expert)}/data?labeling=1")
    rule = page.get_by_text("先看安全")
    expect(rule).to_be_visible(timeout=PATIENCE)
    page.keyboard.press("Escape")
    expect(rule).to_be_hidden(timeout=PATIENCE)
    yield page
    context.close()


def card(page, number, column=None):
    """The card of an answer by its title, in a column where one is given."""
    inside = f'[data-rbd-droppable-id="{column}"] ' if column else ""
    return page.locator(f"{inside}[data-ranker-id]").filter(has_text=f"回答 {number}")


def by_mouse(page, number, tier):
    source, target = card(page, number, "_"), page.locator(f'[data-rbd-droppable-id="overall_{tier}"]')
    box, goal = source.bounding_box(), target.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] - 8
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 12, y, steps=4)
    page.mouse.move(goal["x"] + goal["width"] / 2, goal["y"] + 24, steps=12)
    page.mouse.up()
    expect(card(page, number, f"overall_{tier}")).to_be_visible(timeout=PATIENCE)


def by_keys(page, number, tier):
    """Lift, move to the right column by column, drop; each step is waited for as a person hears it announced."""
    told = page.locator('[id^="rbd-announcement"]').last
    card(page, number, "_").focus()
    page.keyboard.press("Space")
    expect(told).to_contain_text("lifted", timeout=PATIENCE)
    for column in range(1, tier + 1):
        page.keyboard.press("ArrowRight")
        expect(told).to_contain_text(f"overall_{column}", timeout=PATIENCE)
    page.keyboard.press("Space")
    expect(card(page, number, f"overall_{tier}")).to_be_visible(timeout=PATIENCE)


def submit(page, tiers, move):
    expect(card(page, 4, "_")).to_be_visible(timeout=PATIENCE)
    for tier, cards in enumerate(tiers, start=1):
        for number in cards:
            move(page, number, tier)
    with page.expect_response(lambda answer: "/annotations" in answer.url and answer.request.method == "POST") as sent:
        page.get_by_test_id("bottombar-submit-button").click()
    assert sent.value.status == 201


def test_six_experts_rank_by_mouse_and_by_keys(chromium, house):
    there = house(experts=6, prompts=12, overlap=1)
    for expert in range(6):
        with at_work(chromium, there, expert) as page:
            submit(page, BY_MOUSE[expert], by_mouse)
            submit(page, BY_KEYS[expert], by_keys)
    pulled = there.pull()
    assert (pulled.used, pulled.quarantined, pulled.warnings) == (12, {}, [])
    for expert in range(6):
        expected = [[[sorted(tier) for tier in order]] for order in (BY_MOUSE[expert], BY_KEYS[expert])]
        assert [there.stored(expert, place) for place in range(2)] == expected


def test_a_page_left_untouched_becomes_no_ranking_and_refusals_come_back(chromium, house):
    there = house(experts=1, prompts=3, dimensions=("overall", "safety"))
    with at_work(chromium, there, 0) as page:
        expect(page.get_by_text("我咳嗽1天了").first).to_be_visible(timeout=PATIENCE)
        assert page.locator("[data-ranker-id] > p:last-child").first.is_hidden(), "the opaque id is not shown"
        assert page.get_by_test_id("bottombar-submit-button").is_disabled(), "nothing was done"
        page.get_by_text("没有一个回答可以接受").click()
        with page.expect_response(lambda answer: "/annotations" in answer.url and answer.request.method == "POST"):
            page.get_by_test_id("bottombar-submit-button").click()
        expect(page.get_by_text("我咳嗽2天了").first).to_be_visible(timeout=PATIENCE)
        page.get_by_text("问题不清楚").click()
        with page.expect_response(lambda answer: "/annotations" in answer.url and answer.request.method == "POST"):
            page.get_by_test_id("bottombar-submit-button").click()
        expect(page.get_by_text("我咳嗽3天了").first).to_be_visible(timeout=PATIENCE)
    pulled = there.pull()
    assert (pulled.used, pulled.quarantined) == (1, {"untouched": 1})
    (refusal,) = there.submissions()
    assert (refusal.verdict, refusal.reason) == ("cannot_judge", "unclear_question")
    assert there.stored(0, 0) == []


def test_an_invitation_is_followed_in_the_browser(chromium, house):
    there = house(experts=1, prompts=1)
    context = chromium.new_context(base_url=there.studio.url)
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    page.goto(there.client.invitation())
    page.locator('input[name="email"]').fill(f"invited-{there.project(0)}@example.org")
    page.locator('input[name="password"]').fill("a long enough password")
    page.get_by_role("button", name=re.compile("create account", re.I)).click()
    page.wait_for_url(lambda url: "signup" not in url)
    assert f"invited-{there.project(0)}@example.org" in there.client.members()
    context.close()
