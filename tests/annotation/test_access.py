"""The table of `annotation/web/access.py`, walked whole: every route, role, object and key."""

from __future__ import annotations

import re
import shutil
from itertools import count, product

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import delete, select

from annotation.adjudication import versions_of
from annotation.identity.auth import csrf_token, hash_password, log_in
from annotation.identity.invitations import invite
from annotation.identity.keys import make_key
from annotation.ranking import Decision, submit
from annotation.tables.base import now
from annotation.tables.models import ApiKey, Assignment, Campaign, Job, Task, User
from annotation.web import access
from annotation.web.access import NOBODY, RULES, SCOPES
from annotation.web.app import Settings, create_app, routes
from foundation.jsonl import write_records

PASSWORD = "a long enough password"
ROLES = ("expert", "senior", "curator", "engineer", "admin")
NUMBERS = count(1)
JSON = {"Accept": "application/json"}


@pytest.fixture
def house(url, made, tmp_path, frozen):
    app = create_app(Settings(database_url=url, data=tmp_path / "data"))
    shutil.copytree(frozen, tmp_path / "data" / "versions")
    with TestClient(app, follow_redirects=False) as browser:
        yield House(app, browser, made, tmp_path / "data")
    app.state.database.close()


class House:
    """Two people of each role, each ranking role with tasks in an open and a closed campaign, and a data folder."""

    def __init__(self, app, browser, made, data):
        self.app, self.browser, self.database, self.data = app, browser, app.state.database, data
        prompts = made.prompts(1)
        for name in ("raw", "set", "kg", "recipes"):
            (data / name).mkdir(parents=True)
        write_records(data / "prompts.jsonl", prompts)
        write_records(data / "outputs.jsonl", made.outputs(prompts))
        (data / "recipes" / "made.yaml").write_text("name: made\ninputs: [../outputs.jsonl]\nout: ../built\n")
        hashed = hash_password(PASSWORD)
        with self.database.write() as session:
            self.people = {}
            for role, whose in product(ROLES, ("own", "other")):
                person = made.person(session, f"{role} {whose}", role)
                person.password_hash = hashed
                self.people[role, whose] = person.id
            experts = [f"{role} {whose}" for role, whose in product(("expert", "senior"), ("own", "other"))]
            for name in ("open", "shut"):
                made.campaign(session, name=name, experts=experts, overlap=len(experts), prompts=1)
                self.dispute(session, made, f"{name} case")
            for shut in session.scalars(select(Campaign).where(Campaign.name.startswith("shut"))):
                shut.closed_at = now()
            self.campaigns = dict(session.execute(select(Campaign.name, Campaign.id)).all())

    def dispute(self, session, made, name):
        """A campaign whose one prompt two experts rank in opposite ways."""
        experts = ["expert own", "expert other"]
        campaign = made.campaign(session, name=name, experts=experts, overlap=2, prompts=1)
        for assignment in session.scalars(select(Assignment).where(Assignment.campaign_id == campaign.id)).all():
            labels = sorted(assignment.shown, key=lambda pair: pair[1], reverse=bool(assignment.id % 2))
            submit(
                session,
                assignment_id=assignment.id,
                expert_id=assignment.expert_id,
                decision=Decision(orders={"overall": [[label] for label, _ in labels]}),
                key=f"dispute {assignment.id}",
                seconds=1,
            )

    def ask(self, method, path, role, *, whose="own", campaign="open", key=None, csrf=True):
        """The status of a valid request to this route by this role, for an object of her own or of another."""
        browser = self.browser
        browser.cookies.clear()
        browser.headers.clear()
        browser.headers.update(JSON)
        owner = self.people.get((role, whose), self.people["curator", "other"])
        with self.database.write() as session:
            session.execute(delete(Job))
            values = self.objects(session, path, owner, campaign)
            if key is not None:
                _, secret = make_key(session, self.people[role, "own"], name="k", scopes=key, known=SCOPES)
                browser.headers["Authorization"] = f"Bearer {secret}"
            elif role != NOBODY:
                token = log_in(session, self.people[role, "own"])
                browser.cookies.set("zhongjing_login", token)
                if csrf:
                    browser.headers["X-CSRF-Token"] = csrf_token(token)
        address = re.sub(r"{(\w+)}", lambda match: str(values[match[1]]), path)
        body = self.body(browser, method, path, address, values, campaign)
        return browser.request(method, address, **body)

    def objects(self, session, path, owner, campaign):
        """What the path names, made anew: a request may use it up."""
        number = next(NUMBERS)
        values = {"language": "en", "campaign_id": self.campaigns[campaign], "file": "rankings.jsonl", "project_id": 1}
        query = select(Assignment).where(
            Assignment.campaign_id == self.campaigns[campaign],
            Assignment.expert_id == (owner if "rank" in path else self.people["expert", "own"]),
        )
        values["assignment"] = session.scalars(query).first() or session.scalars(select(Assignment)).first()
        values["assignment_id"] = values["assignment"].id
        if "task_id" in path:
            disputed = select(Task.id).where(Task.campaign_id == self.campaigns[f"{campaign} case"])
            values["task_id"] = session.scalars(disputed).one()
            values["seen"] = len(versions_of(session, values["task_id"]))
        if "job_id" in path:
            values["job_id"] = self.job(session, path, owner)
        if "person_id" in path:
            spare = User(name=f"spare {number}", role="expert", simulated=False)
            session.add(spare)
            session.flush()
            values["person_id"] = spare.id
        if "key_id" in path:
            values["key_id"] = make_key(session, owner, name="k", scopes=["me"], known=SCOPES)[0].id
        if "token" in path or "number" in path:
            invitation, token = invite(session, name=f"invited {number}", role="expert", by=None)
            values |= {"token": token, "number": invitation.id}
        return values

    def job(self, session, path, owner):
        state = "failed" if path.endswith("retry") else "done" if "exports" in path else "queued"
        job = Job(kind="export", payload={"campaign": "open"}, state=state, submitted_by=owner, result={"folder": "x"})
        session.add(job)
        session.flush()
        folder = self.data / "releases" / str(job.id)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "rankings.jsonl").write_text("{}\n")
        return job.id

    def body(self, browser, method, path, address, values, campaign):
        number = next(NUMBERS)
        name = path.removeprefix("/api")
        orders = {
            "/jobs/import": {"files": ["outputs.jsonl"], "out": f"work/{number}"},
            "/jobs/deduplicate": {"source": "set", "out": f"work/{number}"},
            "/jobs/match": {"source": "set", "graph": "kg", "out": f"work/{number}"},
            "/jobs/build": {"recipe": "made.yaml"},
            "/jobs/export": {"campaign": campaign},
        }
        if path == "/versions/diff":
            return {"params": {"old": "versions/made-v1", "new": "versions/made-v2"}}
        if method == "GET":
            return {}
        if name in orders:
            return {"json": orders[name]} if path.startswith("/api") else {"data": orders[name]}
        if path in ("/login", "/invitation/{token}"):
            token = browser.cookies.get("zhongjing_login")
            browser.cookies.delete("zhongjing_login") if token else None
            form = re.search(r'name="form" value="([^"]+)"', browser.get(address).text)[1]
            browser.cookies.set("zhongjing_login", token) if token else None
            return {"data": {"name": "expert own", "password": PASSWORD, "again": PASSWORD, "form": form}}
        sent = {
            "/adjudicate/{task_id}": {"json": self.decision(browser, address, number, values)},
            "/rank/{assignment_id}": {
                "json": {
                    "orders": {"overall": [[label] for label, _ in values["assignment"].shown]},
                    "key": f"key {number:08}",
                    "seconds": 1,
                }
            },
            "/account/password": {"data": {"old": PASSWORD, "new": PASSWORD}},
            "/account/keys": {"data": {"name": "k", "scopes": ["me"]}},
            "/people/{person_id}": {"data": {"role": "senior"}},
            "/people/invitations": {"data": {"name": f"new {number}", "role": "expert"}},
            "/api/people/{person_id}": {"json": {"active": False}},
            "/api/invitations": {"json": {"name": f"new {number}", "role": "expert"}},
            "/api/campaigns": {
                "json": {
                    "name": f"new {number}",
                    "prompts": "prompts.jsonl",
                    "outputs": "outputs.jsonl",
                    "experts": "expert own",
                }
            },
        }
        return sent.get(path, {})

    def decision(self, browser, address, number, values):
        """What a page for a senior expert sends; to anyone else the page does not open."""
        if not address.startswith("/adjudicate/"):
            return {}
        labels = re.findall(r'<article class="card" id="card-\d" data-label="(\w+)"', browser.get(address).text)
        return {
            "order": [[label] for label in labels],
            "reason": "x",
            "key": f"key {number:08}",
            "seen": values["seen"],
        }


def expected(rule, role, whose, campaign):
    """What the table says of a request that is right in every other way."""
    reach = rule.reach.get(role)
    if reach is None:
        return 401 if role == NOBODY else 403
    if reach == "own" and whose == "other" and is_about_an_object(rule.path):
        return 404
    return 409 if campaign == "shut" and rule.closed is False else "yes"


def is_about_an_object(path):
    return any(name in path for name in ("assignment_id", "job_id", "key_id"))


def outcome(response):
    return "yes" if response.status_code < 400 else response.status_code


# Without an identity provider there is no login by it, without its secret no webhook, whoever asks.
NOTHING_THERE = {
    ("GET", "/login/oidc"): 404,
    ("GET", "/login/oidc/back"): 403,
    ("POST", "/label-studio/hook/{project_id}"): 403,
}


def test_every_route_is_in_the_table_and_every_row_is_a_route():
    assert sorted(routes()) == sorted(RULES)


def test_an_unlisted_route_keeps_the_service_from_starting(url, monkeypatch):
    monkeypatch.delitem(access.RULES, ("GET", "/jobs"))
    with pytest.raises(RuntimeError, match="GET /jobs"):
        create_app(Settings(database_url=url))


def test_the_table_holds_for_every_role_and_object(house):
    for rule in RULES.values():
        for role in (NOBODY, *ROLES):
            for whose, campaign in product(
                ("own", "other") if is_about_an_object(rule.path) else ("own",),
                ("open", "shut") if rule.closed is not None else ("open",),
            ):
                wanted = NOTHING_THERE.get((rule.method, rule.path)) or expected(rule, role, whose, campaign)
                response = house.ask(rule.method, rule.path, role, whose=whose, campaign=campaign)
                case = (rule.method, rule.path, role, whose, campaign)
                assert (*case, outcome(response)) == (*case, wanted), response.text[:300]


def test_a_change_from_a_browser_needs_the_token_of_its_page(house):
    for rule in RULES.values():
        if rule.method != "GET" and not rule.public:
            role = next(iter(rule.reach))
            response = house.ask(rule.method, rule.path, role, csrf=False)
            assert (rule.path, response.status_code, response.json()["reason"]) == (rule.path, 403, "csrf")


def test_a_key_opens_what_its_scopes_say_and_no_more(house):
    for rule in RULES.values():
        if rule.public:
            continue
        role = list(rule.reach)[-1]
        others = [scope for scope in SCOPES if scope != rule.scope]
        refused = house.ask(rule.method, rule.path, role, key=others)
        assert (rule.path, refused.status_code, refused.json()["reason"]) == (rule.path, 403, "scope")
        if rule.scope:
            response = house.ask(rule.method, rule.path, role, key=[rule.scope])
            assert (rule.path, outcome(response)) == (rule.path, "yes"), response.text[:300]


def test_a_key_is_no_more_than_its_owner(house):
    for rule in RULES.values():
        for role in ROLES:
            if rule.scope and role not in rule.reach:
                assert house.ask(rule.method, rule.path, role, key=list(SCOPES)).status_code == 403, rule.path


@pytest.mark.parametrize("header", ["Bearer zj_unknown", "Bearer", "Basic YTpi", "Bearer \x7f", "nonsense"])
def test_a_wrong_key_is_never_taken_for_a_browser(house, header):
    with house.database.write() as session:
        token = log_in(session, house.people["admin", "own"])
    browser = TestClient(house.app, cookies={"zhongjing_login": token}, headers={"Authorization": header, **JSON})
    assert browser.get("/api/me").status_code == 401


def test_an_ended_key_opens_nothing(house):
    with house.database.write() as session:
        key, secret = make_key(session, house.people["admin", "own"], name="k", scopes=["me"], known=SCOPES)
    program = TestClient(house.app, headers={"Authorization": f"Bearer {secret}"})
    assert program.get("/api/me").json() == {
        "id": house.people["admin", "own"],
        "name": "admin own",
        "role": "admin",
        "scopes": ["me"],
    }
    with house.database.write() as session:
        session.get(ApiKey, key.id).expires_at = now()
    assert program.get("/api/me").status_code == 401
