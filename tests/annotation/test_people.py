from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from annotation.errors import RefusedError
from annotation.identity import auth
from annotation.identity.people import add_user
from annotation.simulation.experts import add_simulated_experts
from annotation.tables.models import Login, LoginFailure, User

PASSWORD = "a long enough password"


@pytest.fixture
def user_id(database):
    with database.write() as session:
        return add_user(session, name="李医生", role="expert", password=PASSWORD).id


def test_a_password_is_kept_as_an_argon2_hash_alone(database, user_id):
    with database.read() as session:
        stored = session.get(User, user_id).password_hash
        assert stored.startswith("$argon2id$")
        assert auth.check_password(session, "李医生", PASSWORD) == user_id


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": ""},
        {"name": " x"},
        {"name": "a\x00b"},
        {"name": "x" * 101},
        {"name": "李医生"},
        {"role": "king"},
        {"password": "short"},
    ],
)
def test_bad_people_are_refused(database, user_id, wrong):
    with pytest.raises(RefusedError), database.write() as session:
        add_user(session, **{"name": "new", "role": "expert", "password": PASSWORD, **wrong})


@pytest.mark.parametrize("name", ["李医生", "nobody", "a\x00b", "\ud800", ""])
def test_name_and_password_must_belong_together(database, user_id, name):
    with database.read() as session, pytest.raises(auth.WrongPasswordError):
        auth.check_password(session, name, "another password")


def test_a_simulated_expert_never_logs_in(database):
    with database.write() as session:
        add_simulated_experts(session)
    with database.read() as session, pytest.raises(auth.WrongPasswordError):
        auth.check_password(session, "模拟专家1", "")


def test_five_wrong_passwords_close_the_door_for_a_while(database, user_id):
    for number in range(5):
        with database.write() as session:
            auth.begin_attempt(session, "李医生", f"address {number}")
    with database.write() as session, pytest.raises(auth.ThrottledError):
        auth.begin_attempt(session, "李医生", "another")
    with database.write() as session:
        auth.begin_attempt(session, "王医生", "another")
        for failure in session.scalars(select(LoginFailure)):
            failure.at -= timedelta(minutes=16)
    with database.write() as session:
        auth.begin_attempt(session, "李医生", "another")
        auth.forgive(session, "李医生")
        assert session.scalars(select(LoginFailure)).all() == []


def test_an_address_that_tries_many_names_is_shut_out(database):
    with database.write() as session:
        for number in range(50):
            auth.begin_attempt(session, f"name {number}", "one address")
        with pytest.raises(auth.ThrottledError):
            auth.begin_attempt(session, "yet another name", "one address")


def test_a_login_ends_by_time_or_by_leaving(database, user_id):
    with database.write() as session:
        first, second = auth.log_in(session, user_id), auth.log_in(session, user_id)
    with database.write() as session:
        assert auth.user_of(session, first).id == user_id
        auth.log_out(session, first)
    with database.write() as session:
        assert auth.user_of(session, first) is None
        session.scalars(select(Login)).one().expires_at -= timedelta(days=1)
    with database.read() as session:
        assert auth.user_of(session, second) is None
        assert auth.user_of(session, None) is None


def test_the_database_knows_no_token(database, user_id):
    with database.write() as session:
        token = auth.log_in(session, user_id)
        assert token not in str(session.scalars(select(Login.token_hash)).all())
    assert auth.csrf_token(token) != auth.csrf_token(token + "x")
