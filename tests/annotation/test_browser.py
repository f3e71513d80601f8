"""A person at the page: the real service, a real Chromium."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import contextmanager

import pytest
import uvicorn
from playwright.sync_api import expect
from sqlalchemy import select

from annotation.campaigns.campaigns import create_campaign
from annotation.identity.auth import hash_password
from annotation.releases.exports import export
from annotation.simulation.experts import simulate
from annotation.tables.decisions import Ranking
from annotation.tables.models import Assignment
from annotation.web.app import Settings, create_app
from corpus.records import Message, Prompt, RankedPrompt
from foundation.jsonl import read_records

PASSWORD = "a long enough password"
WIDTHS = {1440: 900, 820: 1180, 390: 844}


@contextmanager
def serving(app):
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    thread.join()
    listener.close()


@pytest.fixture
def service(url, made, tmp_path):
    """A running service with one expert, four tasks, a curator and a simulated campaign."""
    app = create_app(Settings(database_url=url, data=tmp_path / "data"))
    with app.state.database.write() as session:
        for name, role in (("李医生", "expert"), ("赵", "curator")):
            made.person(session, name, role).password_hash = hash_password(PASSWORD)
        made.campaign(session, experts=["李医生"], overlap=1, prompts=4)
        simulate(session, made.campaign(session, name="模拟", prompts=4), seed=1)
    with serving(app) as address:
        yield address, app.state.database
    app.state.database.close()


@contextmanager
def visiting(chromium, address, name, width=1440):
    context = chromium.new_context(viewport={"width": width, "height": WIDTHS[width]}, base_url=address)
    page = context.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda message: problems.append(message.text) if "Content Security" in message.text else None)
    page.set_default_timeout(30_000)
    page.goto("/")
    page.get_by_label("用户名").fill(name)
    page.get_by_label("密码").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: "/login" not in url)
    yield page
    assert problems == []
    context.close()


def shown_order(database, number):
    """Output ids in the order the expert was shown them."""
    with database.read() as session:
        assignment = session.get(Assignment, number)
        return [output_id for _, output_id in assignment.shown]


def stored(database, number):
    with database.read() as session:
        query = select(Ranking.tiers).where(Ranking.assignment_id == number).order_by(Ranking.version)
        return list(session.scalars(query))


def number_of(page):
    return int(page.url.rsplit("/", 1)[1])


def begin(page):
    """Open the next task and wait until its page listens."""
    page.locator("#start").click()
    page.wait_for_selector(".slot")


def go_on(page, number):
    """Wait for the task after `number`."""
    page.wait_for_url(lambda url: not url.endswith(f"/{number}"))
    page.wait_for_selector(".slot")


def press(page, keys):
    for key in keys:
        page.keyboard.press(key)


def test_an_expert_ranks_by_keys_and_by_buttons(chromium, service, tmp_path):
    address, database = service
    with visiting(chromium, address, "李医生") as page:
        expect(page.get_by_text("还有 4 题等您排序")).to_be_visible()
        page.keyboard.press("Enter")
        page.wait_for_selector(".slot")
        first = number_of(page)
        page.keyboard.press("Enter")
        expect(page.locator("#message")).to_contain_text("请先把全部回答排入顺序")
        press(page, ["3", "1", "4", "2", "Enter"])
        go_on(page, first)
        ids = shown_order(database, first)
        assert stored(database, first) == [[[ids[2]], [ids[0]], [ids[3]], [ids[1]]]]

        second = number_of(page)
        for card in ("1", "2", "3", "4"):
            page.locator(f"#card-{card}").get_by_role("button", name="选为下一名").click()
        page.locator("#card-4").get_by_role("button", name="上移").click()
        page.locator("#card-2").get_by_role("button", name="并列").click()
        page.locator("#card-1").get_by_role("button", name="下移").click()
        page.get_by_role("button", name="提交，下一题").click()
        go_on(page, second)
        ids = shown_order(database, second)
        assert stored(database, second) == [[[ids[1]], [ids[0]], [ids[3]], [ids[2]]]]

    with database.read() as session:
        from annotation.campaigns.campaigns import find_campaign

        release = export(session, find_campaign(session, "试验"), tmp_path / "release", seed=0)
    assert (release.judgements, release.simulated_judgements) == (2, 0)
    rows = list(read_records(tmp_path / "release" / "rankings.jsonl", RankedPrompt))
    assert rows[0].judgements[0].tiers == stored(database, first)[0]
    assert 0 < rows[0].judgements[0].seconds < 60


def test_ties_taking_back_and_editing_by_keys(chromium, service):
    address, database = service
    with visiting(chromium, address, "李医生") as page:
        begin(page)
        first = number_of(page)
        press(page, ["4", "Backspace", "2", "Escape", "=", "4", "2", "=", "1", "2", "3", "9", "Enter"])
        go_on(page, first)
        ids = shown_order(database, first)
        decided = [[ids[3]], sorted([ids[0], ids[1]]), [ids[2]]]
        assert stored(database, first) == [decided]

        page.goto(f"/rank/{first}")
        page.wait_for_selector(".slot")
        expect(page.get_by_text("4 > 1 = 2 > 3")).to_be_visible()
        assert page.locator(".chip").count() == 0
        page.locator("#card-2").focus()
        press(page, ["Space", "1", "3", "4"])
        page.locator("#card-1").focus()
        press(page, ["ArrowUp", "Enter"])
        go_on(page, first)
        assert stored(database, first) == [decided, [[ids[0]], [ids[1]], [ids[2]], [ids[3]]]]


def test_an_untouched_page_cannot_be_submitted(chromium, service):
    address, database = service
    with visiting(chromium, address, "李医生") as page:
        begin(page)
        number = number_of(page)
        sent: list[str] = []
        page.on("request", lambda request: sent.append(request.method))
        page.get_by_role("button", name="提交，下一题").click(force=True)
        press(page, ["1", "2", "3", "Enter"])
        expect(page.locator("#message")).to_contain_text("请先把全部回答排入顺序")
        page.evaluate("document.getElementById('tray').requestSubmit()")
        assert "POST" not in sent
        assert number_of(page) == number
        assert stored(database, number) == []


def test_a_lost_connection_loses_no_work_and_doubles_none(chromium, service):
    address, database = service
    with visiting(chromium, address, "李医生") as page:
        begin(page)
        number = number_of(page)
        press(page, ["1", "2", "3", "4"])
        page.route("**/rank/*", lambda route: (route.fetch(), route.fulfill(status=503)))
        page.keyboard.press("Enter")
        expect(page.locator("#message")).to_contain_text("连接中断")
        page.unroute("**/rank/*")
        go_on(page, number)
        assert len(stored(database, number)) == 1


def test_an_expired_login_loses_no_work(chromium, service):
    address, database = service
    with visiting(chromium, address, "李医生") as page:
        begin(page)
        number = number_of(page)
        press(page, ["1", "2", "3", "4"])
        page.context.clear_cookies(name="zhongjing_login")
        page.keyboard.press("Enter")
        expect(page.locator("#message")).to_contain_text("登录已过期")
        with page.context.expect_page() as opened:
            page.locator("#log-in").click()
        opened.value.get_by_label("用户名").fill("李医生")
        opened.value.get_by_label("密码").fill(PASSWORD)
        opened.value.keyboard.press("Enter")
        opened.value.wait_for_url(lambda url: "/login" not in url)
        opened.value.close()
        page.get_by_role("button", name="提交，下一题").click()
        go_on(page, number)
        assert len(stored(database, number)) == 1


@pytest.mark.parametrize("width", WIDTHS)
def test_every_page_fits_its_window(chromium, service, width):
    address, _ = service

    def fits(page):
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        heights = "[...document.querySelectorAll('button, a.button')].map(button => button.offsetHeight)"
        assert all(height == 0 or height >= 40 for height in page.evaluate(heights))

    with visiting(chromium, address, "李医生", width) as page:
        fits(page)
        begin(page)
        press(page, ["3", "1"])
        fits(page)
        card = page.locator("#card-4")
        card.scroll_into_view_if_needed()
        card.get_by_role("button", name="选为下一名").click()
        assert page.locator(".chip").count() == 3
    with visiting(chromium, address, "赵", width) as page:
        for path in ("/status", "/jobs", "/nowhere"):
            page.goto(path)
            fits(page)


def test_the_question_is_in_view_whatever_the_length_of_the_dialogue(chromium, url, made, tmp_path):
    app = create_app(Settings(database_url=url, data=tmp_path))
    turns = [Message("user", "夜里咳嗽，痰不多。"), Message("assistant", "多久了？请问有没有发热？")] * 12
    prompt = Prompt(
        prompt_id="p", messages=[*turns, Message("user", "要拍片吗？")], dialogue_id="d", dataset_version="v"
    )
    with app.state.database.write() as session:
        made.person(session, "李医生").password_hash = hash_password(PASSWORD)
        options = {"experts": ["李医生"], "overlap": 1, "seed": 0}
        create_campaign(session, name="长", prompts=[prompt], outputs=made.outputs([prompt]), **options)
    with serving(app) as address, visiting(chromium, address, "李医生") as page:
        begin(page)
        question, tray = page.locator(".last p").bounding_box(), page.locator("#tray").bounding_box()
        assert question["y"] + question["height"] <= tray["y"]
    app.state.database.close()


def test_in_english(chromium, service):
    address, _ = service
    with visiting(chromium, address, "李医生") as page:
        page.get_by_role("link", name="English").click()
        expect(page.get_by_role("link", name="Start ranking")).to_be_visible()
        begin(page)
        expect(page.get_by_role("button", name="Submit and go on")).to_be_visible()
        assert page.locator("html").get_attribute("lang") == "en"
