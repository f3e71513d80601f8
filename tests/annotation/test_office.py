"""Administrators and curators at their pages: the real service, a real Chromium, a real worker."""

from __future__ import annotations

import re
from contextlib import contextmanager

import pytest
from playwright.sync_api import expect

from annotation.identity.auth import hash_password
from annotation.jobs import worker
from annotation.web.app import Settings, create_app
from foundation.jsonl import write_records

PASSWORD = "a long enough password"


@pytest.fixture
def service(url, made, serve, tmp_path):
    data = tmp_path / "data"
    (data / "raw").mkdir(parents=True)
    turns = [{"role": "user", "content": "咳嗽三天，要查什么？"}, {"role": "assistant", "content": "建议查血常规。"}]
    write_records(data / "raw" / "a.jsonl", [{"messages": turns}] * 3)
    app = create_app(Settings(database_url=url, data=data))
    hashed = hash_password(PASSWORD)
    with app.state.database.write() as session:
        for name, role in (("管理员", "admin"), ("赵", "curator")):
            made.person(session, name, role).password_hash = hashed
    with serve(app) as address:
        yield address, app.state.database, data
    app.state.database.close()


@contextmanager
def visiting(chromium, address, name=None):
    context = chromium.new_context(viewport={"width": 1440, "height": 900}, base_url=address, bypass_csp=True)
    page = context.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.set_default_timeout(30_000)
    if name:
        page.goto("/login")
        page.get_by_label("用户名").fill(name)
        page.get_by_label("密码").fill(PASSWORD)
        page.keyboard.press("Enter")
        page.wait_for_url(lambda url: "/login" not in url)
    yield page
    assert problems == []
    context.close()


def test_a_curator_watches_a_job_from_the_form_to_its_report(chromium, service, looks_right):
    address, database, data = service
    with visiting(chromium, address, "赵") as page:
        page.goto("/jobs")
        form = page.locator('form[action="/jobs/import"]')
        form.get_by_label("文件").select_option("raw/a.jsonl")
        form.get_by_label("结果保存为").fill("work/import")
        form.get_by_role("button", name="提交作业").click()
        expect(page.get_by_text("排队中")).to_be_visible()
        looks_right(page)
        page.get_by_role("button", name="取消作业").click()
        expect(page.get_by_text("已取消")).to_be_visible()
        page.get_by_role("button", name="重试").click()
        expect(page.get_by_text("排队中")).to_be_visible()
        worker.work(database, data=data, once=True)
        expect(page.locator("#job .state")).to_have_text("完成")
        expect(page.get_by_role("heading", name="结果报告")).to_be_visible()
        expect(page.locator("#lines")).to_contain_text("import: 3 in, 3 out")
        looks_right(page)
        page.goto("/jobs")
        looks_right(page)
        page.goto("/account")
        page.get_by_label("用途").fill("脚本")
        page.get_by_label("jobs:read").check()
        page.get_by_role("button", name="新建密钥").click()
        secret = page.locator("#secret").inner_text()
        looks_right(page)
        page.get_by_role("button", name="停用 脚本").click()
        expect(page.get_by_text("还没有密钥")).to_be_visible()
        bearer = {"Authorization": f"Bearer {secret}"}
        assert page.request.get(f"{address}/api/me", headers=bearer).status == 401
        page.goto("/language/en?next=/jobs")
        expect(page.get_by_role("heading", name="Newest jobs")).to_be_visible()


def test_an_administrator_invites_and_the_invited_comes_in(chromium, service, looks_right):
    address, _, _ = service
    with visiting(chromium, address, "管理员") as page:
        page.goto("/people")
        page.get_by_label("用户名").fill("李医生")
        page.get_by_role("button", name="邀请", exact=True).click()
        link = page.locator("#link").inner_text()
        looks_right(page)
        with visiting(chromium, address) as guest:
            guest.goto(link)
            looks_right(guest)
            guest.get_by_label("新密码").fill(PASSWORD)
            guest.get_by_label("再输入一次").fill("another long password")
            guest.get_by_role("button", name="加入").click()
            expect(guest.get_by_role("alert")).to_contain_text("两次输入的密码不一致")
            guest.get_by_label("新密码").fill(PASSWORD)
            guest.get_by_label("再输入一次").fill(PASSWORD)
            guest.get_by_role("button", name="加入").click()
            guest.wait_for_url(re.compile("/rank$"))
            page.goto("/people")
            page.get_by_label("角色 李医生").select_option("senior")
            page.get_by_role("button", name="更改 李医生").click()
            page.get_by_role("button", name="停用 李医生").click()
            guest.goto("/rank")
            guest.wait_for_url(re.compile("/login"))
            guest.goto(link)
            expect(guest.get_by_text("邀请链接已被使用")).to_be_visible()
        page.goto("/audit")
        for action in ("invited", "invitation_used", "role_changed", "user_left"):
            expect(page.get_by_text(action, exact=True)).to_be_visible()
        looks_right(page)
