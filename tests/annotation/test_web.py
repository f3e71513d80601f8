from __future__ import annotations

import re

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from annotation.identity.auth import hash_password
from annotation.identity.auth import log_in as start_login
from annotation.simulation.experts import add_simulated_experts, simulate
from annotation.tables.decisions import Ranking
from annotation.tables.models import Assignment, AuditEntry, User
from annotation.web.app import Settings, create_app
from annotation.web.pages import own_path
from annotation.web.texts import LANGUAGES, TEXTS, text

PASSWORD = "a long enough password"
HASH = hash_password(PASSWORD)


@pytest.fixture
def app(url, tmp_path):
    app = create_app(Settings(database_url=url, data=tmp_path / "data"))
    yield app
    app.state.database.close()


@pytest.fixture
def world(app, made):
    """Two experts with two tasks each, a senior, a curator, and a simulated campaign."""
    with app.state.database.write() as session:
        for name, role in (("李医生", "expert"), ("王医生", "expert"), ("张主任", "senior"), ("赵", "curator")):
            made.person(session, name, role).password_hash = HASH
        made.campaign(session, experts=["李医生", "王医生"], overlap=2, prompts=2)
        simulate(session, made.campaign(session, name="模拟", prompts=2), seed=1)
    return app


def client(app, name=None):
    browser = TestClient(app, base_url="http://testserver", follow_redirects=True)
    if name:
        with app.state.database.write() as session:
            user_id = session.scalars(select(User.id).where(User.name == name)).one()
            browser.cookies.set("zhongjing_login", start_login(session, user_id))
    return browser


def log_in(browser, name, password=PASSWORD, **more):
    form = re.search(r'name="form" value="([^"]+)"', browser.get("/login").text)[1]
    return browser.post("/login", data={"name": name, "password": password, "form": form, **more})


def csrf(browser):
    return browser.get("/session").json()["csrf"]


def assignments(app, name):
    with app.state.database.read() as session:
        query = select(Assignment).join(User, User.id == Assignment.expert_id).where(User.name == name)
        return session.scalars(query.order_by(Assignment.id)).all()


def ranking(assignment, **changes):
    tiers = [[label] for label, _ in assignment.shown]
    return {"orders": {"overall": tiers}, "key": "0123456789abcdef", "seconds": 3.5, **changes}


def send(browser, assignment, token=None, **changes):
    headers = {"X-CSRF-Token": csrf(browser) if token is None else token, "Accept": "application/json"}
    return browser.post(f"/rank/{assignment.id}", json=ranking(assignment, **changes), headers=headers)


def test_nobody_sees_anything_without_a_login(world):
    browser = TestClient(world, follow_redirects=False)
    for path in ("/", "/rank", "/rank/1", "/status", "/jobs"):
        response = browser.get(path)
        assert response.status_code == 303
        assert response.headers["location"].startswith("/login")
    assert browser.post("/rank/1", json={}).status_code == 401
    assert browser.get("/session", headers={"accept": "application/json"}).status_code == 401


AREAS = {
    "/rank": {"李医生": 200, "张主任": 200, "赵": 403},
    "/status": {"李医生": 403, "张主任": 403, "赵": 200},
    "/status?campaign=模拟": {"李医生": 403, "赵": 200},
    "/status?campaign=none": {"赵": 404},
    "/jobs": {"李医生": 403, "张主任": 403, "赵": 200},
    "/session": {"李医生": 200, "赵": 200},
    "/nowhere": {"李医生": 404, "赵": 404},
    "/rank/999": {"李医生": 404, "赵": 403},
    f"/rank/{2**63}": {"李医生": 404},
    "/rank/abc": {"李医生": 404},
    "/rank/0": {"李医生": 404},
}


def test_who_may_open_what(world):
    browsers = {name: client(world, name) for name in ("李医生", "张主任", "赵")}
    for path, expected in AREAS.items():
        assert {name: browsers[name].get(path).status_code for name in expected} == expected, path


def test_an_expert_sees_her_own_tasks_alone(world):
    browser = client(world, "李医生")
    other = assignments(world, "王医生")[0]
    assert browser.get(f"/rank/{other.id}").status_code == 404
    assert send(browser, other).status_code == 404
    assert browser.get(f"/rank/{assignments(world, '李医生')[0].id}").status_code == 200


def test_the_page_is_blind_and_prefills_nothing(world):
    assignment = assignments(world, "李医生")[0]
    html = client(world, "李医生").get(f"/rank/{assignment.id}").text
    assert "model-" not in html
    assert not any(output_id in html for _, output_id in assignment.shown)
    assert all(label in html for label, _ in assignment.shown)
    assert html.index("回答 1") < html.index("回答 4")
    assert 'aria-disabled="true"' in html
    assert "肺炎 检查 胸部X线" in html
    assert "<script>" not in html
    assert " style=" not in html


def test_a_ranking_is_stored_once_and_shown_in_the_queue(world):
    browser = client(world, "李医生")
    first, second = assignments(world, "李医生")
    browser.get(f"/rank/{first.id}")
    answers = [send(browser, first).json() for _ in range(2)]
    assert answers[0] == answers[1] == {"version": 1, "next": f"/rank/{second.id}", "today": 1}
    assert send(browser, second, key="another key").json()["next"] == "/rank"
    assert "您的题目已全部完成" in browser.get("/rank").text
    with world.state.database.read() as session:
        stored = session.scalars(select(Ranking).where(Ranking.assignment_id == first.id)).one()
        assert stored.tiers == [[output_id] for _, output_id in first.shown]
        assert stored.seconds <= 3.5
        assert "ranked" in session.scalars(select(AuditEntry.action)).all()


def test_time_on_task_is_never_more_than_has_passed(world):
    browser = client(world, "李医生")
    first, second = assignments(world, "李医生")
    browser.get(f"/rank/{first.id}")
    send(browser, first, seconds=80_000)
    send(browser, second, seconds=80_000, key="another key")
    with world.state.database.read() as session:
        for ranking in session.scalars(select(Ranking).where(Ranking.assignment_id.in_([first.id, second.id]))):
            assert ranking.seconds < 60


BAD = [
    {"orders": {}},
    {"orders": {"overall": [["x"]]}},
    {"orders": {"overall": "abcd"}},
    {"orders": {"overall": [[1, 2]]}},
    {"orders": {"overall": [["\x00"]]}},
    {"orders": {"beauty": []}},
    {"orders": {"safety": []}},
    {"verdict": "perfect"},
    {"verdict": "cannot_judge"},
    {"verdict": "withdrawn", "orders": {}},
    {"reason": "other"},
    {"worst": "x"},
    {"rewrite": "better"},
    {"flags": [{"label": "x", "kind": "harm"}]},
    {"note": "x" * 501},
    {"note": "\x00"},
    {"seconds": -1},
    {"seconds": "soon"},
    {"key": ""},
    {"key": "\x00" * 8},
    {"more": 1},
]
BROKEN = [b"", b"{", b"[]", b"null", b'{"note": "\\ud800"}', b"\xff\xfe", b"NaN", b"[" * 100_000]


def test_bad_rankings_are_refused_and_store_nothing(world):
    browser, assignment = client(world, "李医生"), assignments(world, "李医生")[0]
    for changes in BAD:
        assert send(browser, assignment, **changes).status_code in (409, 422), changes
    headers = {"X-CSRF-Token": csrf(browser), "Content-Type": "application/json", "Accept": "application/json"}
    for body in BROKEN:
        response = browser.post(f"/rank/{assignment.id}", content=body, headers=headers)
        assert response.status_code in (400, 422), body[:20]
    with world.state.database.read() as session:
        assert session.scalars(select(Ranking).where(Ranking.assignment_id == assignment.id)).all() == []


def test_a_huge_body_is_refused_unread(world):
    browser, assignment = client(world, "李医生"), assignments(world, "李医生")[0]
    headers = {"X-CSRF-Token": csrf(browser)}
    assert browser.post(f"/rank/{assignment.id}", content=b"x" * 10_000_000, headers=headers).status_code == 413
    chunks = browser.post(f"/rank/{assignment.id}", content=iter([b"x"]), headers=headers)
    assert (chunks.status_code, bool(chunks.text)) == (411, True)


def test_a_refusal_says_why(world):
    browser, assignment = client(world, "李医生"), assignments(world, "李医生")[0]
    headers = {"X-CSRF-Token": csrf(browser), "Accept": "application/json"}
    bad = browser.post(f"/rank/{assignment.id}", json=ranking(assignment, orders={"overall": []}), headers=headers)
    assert bad.json() == {"reason": "not_a_ranking", "message": "a ranking names every answer shown exactly once"}
    assert (
        browser.post(f"/rank/{assignment.id}", json=[], headers=headers)
        .json()["message"]
        .startswith("内容不符合要求。 body:")
    )


def test_changes_need_the_token_of_the_page(world):
    browser, assignment = client(world, "李医生"), assignments(world, "李医生")[0]
    other = csrf(client(world, "王医生"))
    for token in ("", "x", other):
        assert send(browser, assignment, token=token).status_code == 403
    headers = {"X-CSRF-Token": csrf(browser), "Sec-Fetch-Site": "cross-site"}
    assert browser.post(f"/rank/{assignment.id}", json=ranking(assignment), headers=headers).status_code == 403
    assert browser.post("/logout", data={"csrf": "x"}).status_code == 403
    assert browser.post("/jobs/export", data={"csrf": csrf(browser), "campaign": "试验"}).status_code == 403
    curator = client(world, "赵")
    assert curator.post("/jobs/export", data={"csrf": "x", "campaign": "试验"}).status_code == 403
    bare = TestClient(world)
    assert bare.post("/login", data={"name": "李医生", "password": PASSWORD, "form": "x"}).status_code == 403


def test_wrong_passwords_are_counted_and_throttled(world):
    browser = client(world)
    for _ in range(5):
        response = log_in(browser, "李医生", "wrong password")
        assert response.status_code == 401
        assert "用户名或密码不正确" in response.text
    assert log_in(browser, "李医生").status_code == 429
    assert log_in(browser, "王医生").status_code == 200


def test_simulated_experts_cannot_log_in(world):
    browser = client(world)
    for password in ("", " ", PASSWORD):
        assert log_in(browser, "模拟专家1", password).status_code in (401, 422)


def test_cookies_are_closed_and_logout_ends_the_login(world):
    browser = TestClient(world, base_url="https://testserver", follow_redirects=False)
    response = log_in(browser, "李医生")
    cookie = response.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert "secure" in cookie
    token = browser.cookies["zhongjing_login"]
    browser.post("/logout", data={"csrf": csrf(browser)})
    browser.cookies.set("zhongjing_login", token)
    assert browser.get("/rank").status_code == 303


def test_every_answer_carries_the_security_headers(world):
    browser = client(world, "李医生")
    for path in ("/rank", "/login", "/static/rank.js", "/nowhere"):
        policy = browser.get(path).headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy


def test_behind_tls_cookies_and_browsers_stay_there(url, made, tmp_path):
    app = create_app(Settings(database_url=url, data=tmp_path, public_url="https://rank.example"))
    with app.state.database.write() as session:
        made.person(session).password_hash = HASH
    browser = TestClient(app, follow_redirects=False, base_url="https://rank.example")
    response = log_in(browser, "李医生")
    assert response.status_code == 303
    assert "secure" in response.headers["set-cookie"].lower()
    assert response.headers["strict-transport-security"].startswith("max-age=")
    app.state.database.close()


def test_private_pages_stay_out_of_caches(world):
    browser = client(world, "李医生")
    for path in ("/rank", "/session", "/login", "/nowhere"):
        assert browser.get(path, follow_redirects=False).headers["cache-control"] == "no-store"
    assert client(world).get("/rank", follow_redirects=False).headers["cache-control"] == "no-store"


def test_both_languages(world):
    browser = client(world, "李医生")
    assert "我的任务" in browser.get("/rank").text
    assert "My tasks" in browser.get("/language/en?next=/rank").text
    assert "我的任务" in browser.get("/language/zh?next=/rank").text
    for key in TEXTS:
        words = [text(language, key) for language in LANGUAGES]
        assert all(words)
        assert {tuple(re.findall(r"{\w+}", word)) for word in words} == {tuple(re.findall(r"{\w+}", words[0]))}


@pytest.mark.parametrize(
    "path", ["//evil", "https://evil", "/\\evil", "evil", "", "\\\\evil", "/a\nb", "/\t/evil", "http://["]
)
def test_no_one_is_sent_elsewhere(path):
    assert own_path(path) == "/"


def test_status_says_simulated(world):
    html = client(world, "赵").get("/status?campaign=模拟").text
    assert "模拟专家1" in html
    assert "不是临床医生的判断" in html
    assert "不是临床医生的判断" not in client(world, "赵").get("/status?campaign=试验").text


def test_our_own_fault_is_a_friendly_page_without_details(world, monkeypatch):
    import annotation.agreement.boards

    def fail(*_args, **_options):
        raise RuntimeError("patient's words")

    monkeypatch.setattr(annotation.agreement.boards, "summarise", fail)
    browser = TestClient(world, raise_server_exceptions=False)
    log_in(browser, "赵")
    response = browser.get("/status")
    assert response.status_code == 500
    assert "服务出了问题" in response.text
    assert "patient" not in response.text
    assert "default-src 'none'" in response.headers["content-security-policy"]


def test_an_expert_without_tasks_is_told_so(world):
    assert "目前没有分配给您的题目" in client(world, "张主任").get("/rank").text


def test_an_edit_shows_the_earlier_order_but_prefills_nothing(world):
    browser, assignment = client(world, "李医生"), assignments(world, "李医生")[0]
    send(browser, assignment)
    html = browser.get(f"/rank/{assignment.id}").text
    assert "1 &gt; 2 &gt; 3 &gt; 4" in html
    assert "第 1 版" in html
    assert send(browser, assignment, key="another key").json()["version"] == 2


def test_a_simulated_task_is_open_to_nobody(world):
    with world.state.database.write() as session:
        simulated = add_simulated_experts(session)[0].id
    with world.state.database.read() as session:
        of_simulated = session.scalars(select(Assignment).where(Assignment.expert_id == simulated)).first()
    assert client(world, "李医生").get(f"/rank/{of_simulated.id}").status_code == 404
