"""Logging in through an identity provider: a small real one, over HTTP, with keys and tokens of its own."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import secrets
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import requests
from fastapi.testclient import TestClient
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey
from sqlalchemy import select

from annotation.identity.auth import log_in
from annotation.identity.invitations import invite
from annotation.identity.oidc import Provider, provider_from_environment
from annotation.tables.models import AuditEntry, Identity, User
from annotation.web.app import Settings, create_app
from foundation.errors import ZhongjingError

CLIENT, SECRET = "zhongjing", "a client secret of some length, for HS256 too"
KEY, STRANGE_KEY = (RSAKey.generate_key(2048, {"kid": "one"}) for _ in range(2))


class Idp(ThreadingHTTPServer):
    """An OpenID provider: discovery, authorization with PKCE, token, keys. `spoil` changes what it issues."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.issuer = f"http://127.0.0.1:{self.server_port}"
        self.codes = {}
        self.subject = "doctor-1"
        self.spoil = ""

    def claims(self, nonce):
        now = int(time.time())
        claims = {"iss": self.issuer, "sub": self.subject, "aud": CLIENT, "iat": now, "exp": now + 60, "nonce": nonce}
        changes = {
            "nonce": {"nonce": "another"},
            "audience": {"aud": "another"},
            "issuer": {"iss": "http://another"},
            "expired": {"iat": now - 7200, "exp": now - 3600},
        }
        return claims | changes.get(self.spoil, {})

    def token(self, nonce):
        header, key = {"alg": "RS256", "kid": "one"}, KEY
        if self.spoil == "key":
            key = STRANGE_KEY
        if self.spoil == "symmetric":
            header, key = {"alg": "HS256", "kid": "one"}, OctKey.import_key(SECRET)
        token = jwt.encode(header, self.claims(nonce), key, algorithms=["RS256", "HS256"])
        if self.spoil == "unsigned":
            head = base64.urlsafe_b64encode(b'{"alg":"none"}').decode().rstrip("=")
            return f"{head}.{token.split('.')[1]}."
        return token


class Handler(BaseHTTPRequestHandler):
    server: Idp

    def log_message(self, *_):
        pass

    def do_GET(self):
        parts = urlsplit(self.path)
        asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if parts.path == "/.well-known/openid-configuration":
            self.answer(
                {
                    "issuer": self.server.issuer,
                    "authorization_endpoint": f"{self.server.issuer}/authorize",
                    "token_endpoint": f"{self.server.issuer}/token",
                    "jwks_uri": f"{self.server.issuer}/keys",
                }
            )
        elif parts.path == "/keys":
            self.answer({"keys": [KEY.as_dict(private=False)]})
        elif parts.path == "/authorize":
            assert (asked["response_type"], asked["client_id"], asked["scope"]) == ("code", CLIENT, "openid")
            assert asked["code_challenge_method"] == "S256"
            code = secrets.token_urlsafe(8)
            self.server.codes[code] = asked
            back = urlencode({"code": code, "state": asked["state"], "iss": self.server.issuer})
            self.send_response(302)
            self.send_header("Location", f"{asked['redirect_uri']}?{back}")
            self.end_headers()

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        sent = {name: values[0] for name, values in parse_qs(body).items()}
        basic = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        asked = self.server.codes.pop(sent.get("code"), None)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(sent["code_verifier"].encode()).digest()).decode()
        if (
            asked is None
            or self.headers["Authorization"] != f"Basic {basic}"
            or asked["code_challenge"] != challenge.rstrip("=")
            or asked["redirect_uri"] != sent["redirect_uri"]
        ):
            self.answer({"error": "invalid_grant"}, 400)
            return
        token = self.server.token(asked["nonce"])
        self.answer({"access_token": "x", "token_type": "Bearer", "id_token": token})

    def answer(self, content, status=200):
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(content).encode())


@pytest.fixture
def idp():
    server = Idp()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def app(url, idp):
    provider = Provider(issuer=idp.issuer, client_id=CLIENT, client_secret=SECRET)
    app = create_app(Settings(database_url=url, public_url="https://rank.example", provider=provider))
    yield app
    app.state.database.close()


@pytest.fixture
def browser(app):
    with TestClient(app, base_url="https://rank.example", follow_redirects=False) as client:
        yield client


def there(browser, path):
    """Where the provider sends the browser back to."""
    began = browser.get(path)
    assert began.status_code == 303
    return requests.get(began.headers["location"], allow_redirects=False, timeout=5).headers["location"]


def back(browser, address):
    assert address.startswith("https://rank.example/login/oidc/back?")
    return browser.get(address, headers={"accept": "application/json"})


def invited(app, name="李医生"):
    with app.state.database.write() as session:
        return invite(session, name=name, role="expert", by=None)[1]


def test_an_invited_person_comes_in_and_comes_again(app, browser):
    token = invited(app)
    page = browser.get(f"/invitation/{token}").text
    link = re.search(r'href="(/login/oidc\?invitation=[^"]+)"', page)[1]
    response = back(browser, there(browser, link))
    assert (response.status_code, response.headers["location"]) == (303, "/")
    cookie = response.headers["set-cookie"].lower()
    assert "secure" in cookie
    assert "httponly" in cookie
    browser.cookies.clear()
    response = back(browser, there(browser, "/login/oidc?next=/rank"))
    assert (response.status_code, response.headers["location"]) == (303, "/rank")
    assert browser.get("/session").status_code == 200
    assert browser.get(f"/invitation/{token}").status_code == 404
    with app.state.database.read() as session:
        person = session.scalars(select(User)).one()
        assert (person.name, person.role, person.password_hash) == ("李医生", "expert", None)
        assert "logged_in_oidc" in session.scalars(select(AuditEntry.action)).all()


def test_whom_nobody_invited_stays_out(app, browser):
    response = back(browser, there(browser, "/login/oidc"))
    assert (response.status_code, response.json()["reason"]) == (403, "oidc_unknown")
    assert browser.get("/session", headers={"accept": "application/json"}).status_code == 401


def test_who_has_left_stays_out(app, browser, idp):
    back(browser, there(browser, f"/login/oidc?invitation={invited(app)}"))
    with app.state.database.write() as session:
        person = session.scalars(select(User)).one()
        person.left_at = person.created_at
    browser.cookies.clear()
    assert back(browser, there(browser, "/login/oidc")).status_code == 403


def test_an_account_is_joined_once(app, browser, made):
    with app.state.database.write() as session:
        tokens = [log_in(session, made.person(session, name).id) for name in ("李医生", "王医生")]
    browser.cookies.set("zhongjing_login", tokens[0])
    response = back(browser, there(browser, "/login/oidc?join=true&next=/account"))
    assert (response.status_code, response.headers["location"]) == (303, "/account")
    browser.cookies.clear()
    browser.cookies.set("zhongjing_login", tokens[1])
    assert back(browser, there(browser, "/login/oidc?join=true")).status_code == 409
    with app.state.database.read() as session:
        assert session.scalars(select(Identity.subject)).all() == ["doctor-1"]


@pytest.mark.parametrize("spoil", ["nonce", "audience", "issuer", "expired", "key", "symmetric", "unsigned"])
def test_a_token_that_cannot_be_trusted_lets_nobody_in(app, browser, idp, spoil):
    token = invited(app)
    idp.spoil = spoil
    response = back(browser, there(browser, f"/login/oidc?invitation={token}"))
    assert (response.status_code, response.json()["reason"]) == (502, "oidc")
    assert "zhongjing_login" not in browser.cookies
    with app.state.database.read() as session:
        assert session.scalars(select(User)).all() == []


def test_an_answer_to_another_question_lets_nobody_in(app, browser):
    token = invited(app)
    address = there(browser, f"/login/oidc?invitation={token}")
    state = parse_qs(urlsplit(address).query)["state"][0]
    for wrong in (
        address.replace(state, "another"),
        re.sub(r"state=[^&]+&?", "", address),
        re.sub(r"code=[^&]+", "error=access_denied", address),
        re.sub(r"iss=[^&]+", "iss=http%3A%2F%2Fanother", address),
    ):
        assert back(browser, wrong).status_code == 403, wrong
    assert back(browser, re.sub(r"code=[^&]+", "code=guessed", address)).status_code == 502
    browser.cookies.clear()
    assert back(browser, address).status_code == 403
    for cookie in ("", "x", "e30=", "\x7f"):
        response = browser.get(address, headers={"cookie": f"zhongjing_oidc={cookie}", "accept": "application/json"})
        assert response.status_code == 403
    with app.state.database.read() as session:
        assert session.scalars(select(User)).all() == []


def test_a_code_works_once_and_for_the_browser_that_asked(app, browser):
    address = there(browser, f"/login/oidc?invitation={invited(app)}")
    kept = browser.cookies.get("zhongjing_oidc")
    assert back(browser, address).status_code == 303
    browser.cookies.set("zhongjing_oidc", kept, domain="rank.example", path="/login/oidc")
    assert back(browser, address).status_code == 502


def test_a_provider_that_is_away_is_said(url):
    provider = Provider(issuer="http://127.0.0.1:9", client_id=CLIENT, client_secret=SECRET)
    other = create_app(Settings(database_url=url, provider=provider))
    with TestClient(other, headers={"accept": "application/json"}) as client:
        response = client.get("/login/oidc")
    assert (response.status_code, response.json()["reason"]) == (502, "oidc")
    other.state.database.close()


def test_settings_are_whole_or_absent(monkeypatch):
    for name in ("ISSUER", "CLIENT_ID", "CLIENT_SECRET"):
        monkeypatch.delenv(f"ZHONGJING_OIDC_{name}", raising=False)
    assert provider_from_environment() is None
    monkeypatch.setenv("ZHONGJING_OIDC_ISSUER", "https://id.example")
    with pytest.raises(ZhongjingError, match="by halves"):
        provider_from_environment()
    monkeypatch.setenv("ZHONGJING_OIDC_CLIENT_ID", "a")
    monkeypatch.setenv("ZHONGJING_OIDC_CLIENT_SECRET", "b")
    assert provider_from_environment() == Provider(issuer="https://id.example", client_id="a", client_secret="b")
