"""What the page looks like to every eye: WCAG 2.2 AA, three widths, two languages; and what it gives away to none."""

from __future__ import annotations

import re

import msgspec
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect
from sqlalchemy import select

from annotation.campaigns.drafts import draft_tasks
from annotation.campaigns.gold import Gold
from annotation.tables.decisions import GoldOrder, Repeat
from annotation.tables.models import Assignment, Task

WIDTHS = {1440: 900, 820: 1180, 390: 844}
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa"]
OPTIONS = {"runOnly": {"type": "tag", "values": WCAG}, "rules": {"target-size": {"enabled": True}}}
LONG = "您好，根据您的描述考虑急性支气管炎的可能性较大，建议先到呼吸内科就诊，查血常规和胸片。" * 6


@pytest.fixture
def campaign(desk, made):
    prompts = made.prompts(20)
    gold = [msgspec.structs.replace(prompt, prompt_id=f"gold-{prompt.prompt_id}") for prompt in prompts[:2]]
    with desk.database.write() as session:
        known = [
            Gold(prompt=prompt, outputs=outputs, tiers=[[output.output_id] for output in outputs])
            for prompt in gold
            for outputs in [made.outputs([prompt])]
        ]
        options = {"gold": known, "repeats": 0.1, "dimensions": ["overall", "safety"]}
        return made.campaign(session, experts=["李医生"], overlap=1, prompts=20, **options)


def faults(page):
    found = Axe().run(page, options=OPTIONS).response["violations"]
    return [(fault["id"], [node["html"][:120] for node in fault["nodes"]]) for fault in found]


def press(page, *keys):
    for key in keys:
        page.keyboard.press(key)


@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (1440, "dark"), (820, "light"), (390, "light")])
def test_no_barrier_at_any_width(desk, campaign, width, scheme):
    with desk.browser(width, WIDTHS[width], color_scheme=scheme) as context:
        page = context.new_page()
        page.goto("/rank")
        assert faults(page) == []
        page.locator("#start").click()
        page.wait_for_selector(".slot")
        assert faults(page) == []
        page.locator(".facts summary").click()
        page.locator(".rule summary").click()
        press(page, "1", "=", "2", "3", "4", "n", "r", "Escape")
        page.locator("#card-1 .flags summary").click()
        assert faults(page) == []
        page.locator("#card-1").focus()
        press(page, "Enter", "1", "0", "Enter")
        expect(page.locator("#toast")).to_be_visible()
        press(page, "c")
        assert faults(page) == []


def test_no_barrier_in_english(desk, campaign):
    with desk.browser() as context:
        page = context.new_page()
        page.goto("/language/en?next=/rank/1")
        expect(page.get_by_role("button", name="Submit and go on")).to_be_visible()
        assert page.locator("html").get_attribute("lang") == "en"
        assert not re.search("[\u4e00-\u9fff]", page.locator("#tray").inner_text())
        assert faults(page) == []


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("answers", [2, 4, 9])
def test_long_answers_fit_every_window(desk, made, width, answers):
    prompts = made.prompts(1)
    long = [msgspec.structs.replace(row, text=f"{row.text}{LONG}") for row in made.outputs(prompts, answers)]
    made.outputs = lambda _: long
    with desk.database.write() as session:
        made.campaign(session, experts=["李医生"], overlap=1, prompts=1)
    assert len(draft_tasks(prompts, long)[0][0].answers) == answers
    with desk.ranking(width, WIDTHS[width]) as page:
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        tops = page.locator(".card").evaluate_all("cards => cards.map(card => card.getBoundingClientRect().top)")
        assert len(set(tops)) == (answers if width == 390 else -(-answers // 2) if width == 820 else -(-answers // 4))
        press(page, *map(str, range(1, answers + 1)))
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        tray = page.locator("#tray").bounding_box()
        assert tray["y"] + tray["height"] <= WIDTHS[width] + 1
        assert tray["height"] < 0.34 * WIDTHS[width]
        expect(page.get_by_role("button", name="提交，下一题")).to_be_in_viewport()


def test_what_tests_an_expert_looks_like_all_else(desk, campaign):
    with desk.database.read() as session:
        gold, again = set(session.scalars(select(GoldOrder.task_id))), set(session.scalars(select(Repeat.task_id)))
        own = select(Assignment.id, Assignment.task_id, Task.prompt).join(Task, Task.id == Assignment.task_id)
        rows = session.execute(own.order_by(Assignment.position)).all()
    assert (len(gold), len(again), len(rows)) == (2, 2, 24)
    pages = {}
    with desk.browser() as context:
        for number, task_id, prompt in rows:
            html = context.request.get(f"/rank/{number}").text()
            for message in prompt["messages"]:
                html = html.replace(message["content"], "…")
            pages[task_id] = html
    for html in pages.values():
        assert not re.search("gold|again|repeat|金标", html)
    plain = {task_id: blinded(html) for task_id, html in pages.items()}
    assert len(set(plain.values())) == 1


def blinded(html):
    """The page without what differs between any two tasks: numbers, labels, the order of the answers, the token."""
    texts = sorted(re.findall(r'<div class="text">.*?</div>', html))
    html = re.sub(r'<div class="text">.*?</div>', "", html)
    html = re.sub(r"a[0-9a-f]{12}|\b\d+\b", "", html)
    return re.sub(r'data-next-url="[^"]*"', "", html) + "".join(texts)
