"""The service under what its own OpenAPI document allows and does not allow: never a fault of ours."""

from __future__ import annotations

import json
import re
from itertools import product

import pytest
import schemathesis
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from sqlalchemy import select

from annotation.identity.auth import csrf_token, log_in
from annotation.jobs.data_folder import DataFolder
from annotation.jobs.leases import submit
from annotation.jobs.orders import Export
from annotation.tables.models import User
from annotation.web.access import NOBODY, RULES
from annotation.web.app import Settings, create_app
from foundation.jsonl import write_records

ROLES = ("expert", "senior", "curator", "engineer", "admin")
EXAMPLES = 3
BRIEFLY = settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
# These end the very session that is used to knock, or make people: they are knocked at last.
LAST = ("/logout", "/account/password", "/people/{person_id}", "/api/people/{person_id}")


@pytest.fixture
def app(url, made, tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    prompts = made.prompts(2)
    write_records(data / "prompts.jsonl", prompts)
    write_records(data / "outputs.jsonl", made.outputs(prompts))
    app = create_app(Settings(database_url=url, data=data))
    with app.state.database.write() as session:
        for role in ROLES:
            made.person(session, role, role)
        made.campaign(session, experts=["expert", "senior"], overlap=2, prompts=2)
        submit(session, Export(campaign="试验"), DataFolder(data), by=None)
    yield app
    app.state.database.close()


def headers_of(app, role):
    if role == NOBODY:
        return {}
    with app.state.database.write() as session:
        token = log_in(session, session.scalars(select(User.id).where(User.name == role)).one())
    return {"Cookie": f"zhongjing_login={token}", "X-CSRF-Token": csrf_token(token), "Accept": "application/json"}


def test_nothing_that_is_sent_is_a_fault_of_ours(app):
    schema = schemathesis.openapi.from_asgi("/openapi.json", app)
    operations = sorted((found.ok() for found in schema.get_all_operations()), key=lambda one: one.path in LAST)
    assert len(operations) > 50
    everyone = [headers_of(app, role) for role in (NOBODY, *ROLES)]
    for operation in operations:
        assert knock(operation, GenerationMode.POSITIVE, everyone) > 0, operation.label
        if operation.body or operation.path_parameters or operation.query:
            assert knock(operation, GenerationMode.NEGATIVE, everyone) > 0, operation.label


def knock(operation, mode, everyone):
    """How many requests were sent, by each role, and answered by something else than a fault of ours."""
    answered = []

    @BRIEFLY
    @given(case=operation.as_strategy(generation_mode=mode))
    def send(case):
        for headers in everyone:
            response = case.call(headers=headers)
            answered.append(response.status_code)
            check(response, operation.label)

    send()
    return len(answered)


def check(response, what):
    assert response.status_code < 500, (what, response.status_code)
    if response.status_code >= 400 and response.headers["content-type"] == "application/json":
        assert response.json()["message"], what


NUMBERS = ["0", "-1", str(2**63), str(2**64), "9" * 400, "abc", "1.5", "%00", "%ED%A0%80", "%F0%9F%92%8A", "a" * 3000]


def test_no_number_in_a_path_or_a_query_is_a_fault_of_ours(app):
    with TestClient(app, follow_redirects=False) as browser:
        for role, (rule, number) in product(("expert", "admin"), product(RULES.values(), NUMBERS)):
            browser.headers.update(headers_of(app, role)) if number == NUMBERS[0] else None
            address = re.sub(r"{\w+}", number, rule.path)
            if address == rule.path:
                address = f"{address}?before={number}&count={number}&after={number}&campaign={number}&next={number}"
            if rule.path not in LAST:
                check(browser.request(rule.method, address), (rule.path, number))


WORDS = ["\x00", "\ud800", "a\x00b", "x" * 100_000, -7, None, [], {}, True, 1e400]
FIELDS = {
    "/api/jobs/import": {"files": ["prompts.jsonl"], "out": "x"},
    "/api/jobs/deduplicate": {"source": "prompts.jsonl", "out": "x", "threshold": 0.5},
    "/api/jobs/match": {"source": "prompts.jsonl", "graph": "prompts.jsonl", "out": "x"},
    "/api/jobs/build": {"recipe": "x"},
    "/api/jobs/export": {"campaign": "试验", "seed": 1, "test_share": 0.1},
    "/api/invitations": {"name": "李医生", "role": "expert"},
    "/api/campaigns": {"name": "x", "prompts": "prompts.jsonl", "outputs": "outputs.jsonl", "experts": "expert"},
}


def test_no_word_in_a_body_is_a_fault_of_ours_and_wrong_ones_are_refused(app):
    with TestClient(app, headers=headers_of(app, "admin")) as browser:
        for (path, right), word in product(FIELDS.items(), WORDS):
            for name in right:
                text = json.dumps({**right, name: word})
                response = browser.post(path, content=text, headers={"Content-Type": "application/json"})
                check(response, (path, name, word))
                assert response.status_code >= 400, (path, name, word)


def test_ten_megabytes_are_refused_everywhere(app):
    with TestClient(app) as browser:
        for rule in RULES.values():
            if rule.method != "GET":
                response = browser.request(rule.method, rule.path, content=b"x" * 10_000_000)
                assert (response.status_code, response.json()["reason"]) == (413, "too_large"), rule.path
