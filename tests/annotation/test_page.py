"""How an expert ranks: keys, mouse, finger, buttons; and what she can say beside the order."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from annotation.judgements import judged_tasks
from annotation.queue import progress_of

MOST_KEYS = 8
RANDOM_STEPS = """async () => {
  const Order = await import("/static/order.js");
  const names = ["pick", "tie", "up", "down", "before", "into", "remove"];
  let seed = 7, tiers = [], faults = 0;
  const draw = (count) => { seed = (seed * 48271) % 2147483647; return seed % count; };
  for (let step = 0; step < 1000; step += 1) {
    const label = "abcdefghi"[draw(9)], name = names[draw(7)], old = new Set(tiers.flat());
    if (name === "before") tiers = Order.move(tiers, label, { before: draw(tiers.length + 1) });
    else if (name !== "into") tiers = Order[name](tiers, label);
    else if (tiers.length > 0) tiers = Order.move(tiers, label, { into: draw(tiers.length) });
    const now = new Set(tiers.flat());
    const others = [...old, ...now].filter((one) => one !== label);
    faults += now.size !== tiers.flat().length || tiers.some((tier) => tier.length === 0);
    faults += others.some((one) => !old.has(one) || !now.has(one));
    faults += old.has(label) && now.has(label) === (name === "remove");
  }
  return faults;
}"""
COUNT_KEYS = "addEventListener('keydown', () => { window.name = String(Number(window.name || 0) + 1) }, true)"


@pytest.fixture
def campaign(desk, made):
    with desk.database.write() as session:
        return made.campaign(session, experts=["李医生"], overlap=1, prompts=4)


def press(page, *keys):
    for key in keys:
        page.keyboard.press(key)


def order(page):
    """The order in the tray, by card numbers."""
    tiers = "tiers => tiers.map(tier => [...tier.children].map(chip => Number(chip.textContent)))"
    return page.locator("#order .tier").evaluate_all(tiers)


def go_on(page, number):
    page.wait_for_url(lambda url: not url.endswith(f"/{number}"))
    page.wait_for_selector(".slot")


def middle(locator):
    box = locator.bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def drag(page, source, target, *, aside=0.0):
    """By mouse, onto the middle of `target` or `aside` of it by that share of its width."""
    page.mouse.move(*middle(source))
    page.mouse.down()
    x, y = middle(target)
    page.mouse.move(x + aside * target.bounding_box()["width"], y, steps=6)
    page.mouse.up()


def test_a_strict_order_of_four_takes_no_mouse_and_few_keys(desk, campaign):
    with desk.browser() as context:
        context.add_init_script(COUNT_KEYS)
        page = context.new_page()
        page.goto("/rank/1")
        page.wait_for_selector(".slot")
        page.evaluate("window.name = ''")
        press(page, "2", "4", "1", "3", "Enter")
        go_on(page, 1)
        assert int(page.evaluate("window.name")) <= MOST_KEYS
        press(page, "1", "2", "3", "4", "Enter")
        go_on(page, 2)
    assert desk.stored(1) == [[[2], [4], [1], [3]]]
    assert desk.stored(2) == [[[1], [2], [3], [4]]]


def test_arrows_alone_rank_too(desk, campaign):
    with desk.ranking() as page:
        press(
            page, "ArrowRight", "Space", "ArrowRight", "Space", "ArrowUp", "ArrowRight", "Space", "ArrowRight", "Space"
        )
        assert order(page) == [[2], [1], [3], [4]]
        page.locator(".chip", has_text="4").focus()
        press(page, "ArrowLeft", "ArrowLeft", "ArrowRight")
        assert order(page) == [[2], [1], [4], [3]]
        assert page.evaluate("document.activeElement.dataset.number") == "4"
        press(page, "Delete", "4")
        page.locator("#card-1").focus()
        press(page, "Enter")
        go_on(page, 1)
    assert desk.stored(1) == [[[2], [1], [3], [4]]]


def test_ties_the_rest_and_steps_back(desk, campaign):
    with desk.ranking() as page:
        press(page, "3", "=", "1", "0")
        assert order(page) == [[3, 1], [2, 4]]
        press(page, "Backspace")
        assert order(page) == [[3, 1], [2]]
        press(page, "Escape")
        assert order(page) == []
        press(page, "Control+z")
        assert order(page) == [[3, 1], [2]]
        page.get_by_role("button", name="撤销").click()
        assert order(page) == [[3, 1], [2, 4]]
        press(page, "Enter")
        go_on(page, 1)
    assert desk.stored(1) == [[[1, 3], [2, 4]]]


def test_dragging_by_mouse(desk, campaign):
    with desk.ranking() as page:
        tray = page.locator("#order")
        for card in (2, 4):
            drag(page, page.locator(f"#card-{card} .grip"), page.locator(".slot").last)
        assert order(page) == [[2], [4]]
        drag(page, page.locator("#card-1 .grip"), page.locator(".chip", has_text="2"), aside=-0.4)
        assert order(page) == [[1], [2], [4]]
        drag(page, page.locator("#card-3 .grip"), page.locator(".chip", has_text="4"))
        assert order(page) == [[1], [2], [4, 3]]
        drag(page, page.locator(".chip", has_text="4"), page.locator(".chip", has_text="1"), aside=-0.4)
        assert order(page) == [[4], [1], [2], [3]]
        drag(page, page.locator(".chip", has_text="2"), page.locator("#card-1 .text"))
        assert order(page) == [[4], [1], [2], [3]]
        assert page.locator(".ghost").count() == 0
        expect(tray).to_be_visible()
        page.get_by_role("button", name="提交，下一题").click()
        go_on(page, 1)
    assert desk.stored(1) == [[[4], [1], [2], [3]]]


def test_dragging_by_finger(desk, campaign):
    with desk.ranking(390, 844, has_touch=True, is_mobile=True) as page:
        fingers = page.context.new_cdp_session(page)

        def touch(kind, *points):
            touches = [{"x": x, "y": y} for x, y in points]
            fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": touches})

        def swipe(source, target, aside=0.0):
            source.scroll_into_view_if_needed()
            (x, y), (to_x, to_y) = middle(source), middle(target)
            to_x += aside * target.bounding_box()["width"]
            touch("touchStart", (x, y))
            for step in range(1, 6):
                touch("touchMove", (x + (to_x - x) * step / 5, y + (to_y - y) * step / 5))
            page.wait_for_timeout(100)  # a finger that flings suppresses the tap after it
            touch("touchMove", (to_x, to_y))
            touch("touchEnd")

        for card in (3, 1, 4):
            swipe(page.locator(f"#card-{card} .grip"), page.locator(".slot").last)
        swipe(page.locator("#card-2 .grip"), page.locator(".chip", has_text="1"))
        assert order(page) == [[3], [1, 2], [4]]
        swipe(page.locator(".chip", has_text="4"), page.locator(".chip", has_text="3"), aside=-0.4)
        assert order(page) == [[4], [3], [1, 2]]
        page.get_by_role("button", name="提交，下一题").tap()
        go_on(page, 1)
    assert desk.stored(1) == [[[4], [3], [1, 2]]]


def test_orders_stay_orders_whatever_is_done(desk, campaign):
    """A thousand random steps: every label at most once, no empty tier, and nothing lost but by taking it back."""
    with desk.ranking() as page:
        faults = page.evaluate(RANDOM_STEPS)
    assert faults == 0


def test_marks_dangers_and_a_better_answer(desk, campaign):
    with desk.ranking() as page:
        expect(page.get_by_role("button", name="改写最差")).to_have_count(0)
        press(page, "1", "2", "3", "4", "n", "r")
        page.keyboard.type("请先就医，12 小时内拍胸片。")
        page.locator("#card-2 summary").click()
        page.locator("#card-2").get_by_label("用药或剂量错误").check()
        page.locator("#card-2").get_by_label("可能伤害患者").check()
        page.locator("#card-1").focus()
        press(page, "Enter")
        go_on(page, 1)
    sent, ids = desk.submissions(1)[0], desk.shown(1)
    assert (sent.verdict, sent.none_acceptable, sent.worst) == ("ranked", True, ids[3])
    assert sent.rewrite == "请先就医，12 小时内拍胸片。"
    assert [(flag.output_id, flag.kind) for flag in sent.flags] == [(ids[1], "dose"), (ids[1], "harm")]
    assert desk.stored(1) == [[[1], [2], [3], [4]]]


def test_the_worst_is_no_longer_marked_when_it_is_not_the_worst(desk, campaign):
    with desk.ranking() as page:
        press(page, "1", "2", "3", "4", "r", "Escape")
        press(page, "ArrowUp")
        assert order(page) == [[1], [2], [4], [3]]
        press(page, "Enter")
        go_on(page, 1)
    assert desk.submissions(1)[0].worst is None


def test_who_cannot_judge_says_why(desk, campaign):
    with desk.ranking() as page:
        press(page, "1", "c", "3", "Enter")
        go_on(page, 1)
        press(page, "c", "Escape")
        assert order(page) == []
    sent = desk.submissions(1)[0]
    assert (sent.verdict, sent.reason, desk.stored(1)) == ("cannot_judge", "facts_missing", [])
    with desk.database.read() as session:
        assert progress_of(session, desk.expert_id)[0].done == 1
        assert all(task.judgements == [] for task in judged_tasks(session, campaign))


def test_every_dimension_a_campaign_asks_for(desk, made):
    with desk.database.write() as session:
        dimensions = ["safety", "overall", "fluency"]
        made.campaign(session, experts=["李医生"], overlap=1, prompts=2, dimensions=dimensions)
    with desk.ranking() as page:
        for number, keys in enumerate(("1234", "4321", "0")):
            expect(page.locator(".dimension").nth(number)).to_have_attribute("aria-pressed", "true")
            press(page, *keys, "Enter")
        go_on(page, 1)
    assert desk.stored(1, "overall") == [[[1], [2], [3], [4]]]
    assert desk.stored(1, "safety") == [[[4], [3], [2], [1]]]
    assert desk.stored(1, "fluency") == [[[1, 2, 3, 4]]]
    assert len(desk.submissions(1)) == 1
