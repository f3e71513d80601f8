from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from annotation.errors import ConflictError, InvalidError, NotFoundError
from annotation.identity import auth
from annotation.identity.invitations import accept, invitations, invite, open_invitation, revoke_invitation
from annotation.identity.keys import key_of, keys_of, make_key, revoke_key
from annotation.identity.people import alter_user, audit_log, people
from annotation.tables.models import ApiKey, AuditEntry, Invitation, User

PASSWORD = "a long enough password"
SCOPES = ("jobs:read", "jobs:write")


def test_an_invitation_makes_one_person_once(database):
    with database.write() as session:
        _, token = invite(session, name="李医生", role="expert", by=None)
    with database.write() as session:
        user = accept(session, token, password=PASSWORD)
        assert (user.name, user.role) == ("李医生", "expert")
    with database.write() as session, pytest.raises(NotFoundError):
        accept(session, token, password=PASSWORD)
    with database.read() as session:
        assert auth.check_password(session, "李医生", PASSWORD) == user.id
        assert invitations(session) == []
        assert token not in str(session.scalars(select(Invitation.token_hash)).all())
        assert {"invited", "user_added", "invitation_used"} <= set(session.scalars(select(AuditEntry.action)))


def test_an_invitation_ends_by_time_or_is_taken_back(database):
    with database.write() as session:
        late, late_token = invite(session, name="late", role="expert", by=None, lasts=timedelta(seconds=-1))
        gone, gone_token = invite(session, name="gone", role="expert", by=None)
        revoke_invitation(session, gone.id, None)
    for token in (late_token, gone_token, "unknown", "\ud800", ""):
        with database.read() as session, pytest.raises(NotFoundError):
            open_invitation(session, token)
    with database.write() as session, pytest.raises(NotFoundError):
        revoke_invitation(session, late.id, None)


def test_two_browsers_cannot_use_one_link(database):
    with database.write() as session:
        _, token = invite(session, name="李医生", role="expert", by=None)
    with database.write() as session:
        accept(session, token, password=PASSWORD)
    with database.write() as session, pytest.raises(NotFoundError):
        accept(session, token, password="another long password")
    with database.read() as session:
        assert [user.name for user in people(session)] == ["李医生"]


@pytest.mark.parametrize(("name", "role"), [("李医生", "king"), ("", "expert"), ("a\x00", "expert")])
def test_bad_invitations_are_refused(database, name, role):
    with database.write() as session, pytest.raises(InvalidError):
        invite(session, name=name, role=role, by=None)


def test_nobody_is_invited_under_a_taken_name(database, made):
    with database.write() as session:
        made.person(session)
        with pytest.raises(ConflictError):
            invite(session, name="李医生", role="expert", by=None)


def test_a_key_is_kept_as_a_hash_and_ends(database, made):
    with database.write() as session:
        user_id = made.person(session).id
        key, secret = make_key(session, user_id, name="script", scopes=["jobs:read"], known=SCOPES, days=1)
        assert secret.startswith("zj_")
        assert secret not in str(session.scalars(select(ApiKey.key_hash)).all())
    with database.read() as session:
        assert key_of(session, secret).user.id == user_id
        assert key_of(session, secret + "x") is None
        assert key_of(session, secret[3:]) is None
    with database.write() as session, pytest.raises(NotFoundError):
        revoke_key(session, key.id, user_id + 1)
    with database.write() as session:
        revoke_key(session, key.id, user_id)
        assert keys_of(session, user_id) == []
        assert key_of(session, secret) is None


@pytest.mark.parametrize("wrong", [{"scopes": []}, {"scopes": ["all"]}, {"days": 0}, {"days": 366}, {"name": ""}])
def test_bad_keys_are_refused(database, made, wrong):
    asked = {"name": "script", "scopes": ["jobs:read"], "known": SCOPES, "days": 1, **wrong}
    with database.write() as session, pytest.raises(InvalidError):
        make_key(session, made.person(session).id, **asked)


def test_who_leaves_is_out_at_once(database, made):
    with database.write() as session:
        user_id, admin = made.person(session).id, made.person(session, "管理员", "admin").id
        _, secret = make_key(session, user_id, name="script", scopes=["jobs:read"], known=SCOPES)
        token = auth.log_in(session, user_id)
    with database.write() as session:
        alter_user(session, user_id, active=False, by=admin)
    with database.read() as session:
        assert auth.user_of(session, token) is None
        assert key_of(session, secret) is None
    with database.write() as session:
        alter_user(session, user_id, active=True, role="senior", by=admin)
    with database.read() as session:
        assert session.get(User, user_id).role == "senior"
        assert key_of(session, secret) is None
        newest = [(entry.action, name, entry.detail) for entry, name in audit_log(session, count=3)]
        assert newest == [
            ("user_back", "管理员", None),
            ("role_changed", "管理员", {"from": "expert", "to": "senior"}),
            ("user_left", "管理员", None),
        ]


def test_nobody_changes_herself(database, made):
    with database.write() as session:
        admin = made.person(session, "管理员", "admin").id
    for change in ({"role": "expert"}, {"active": False}):
        with database.write() as session, pytest.raises(ConflictError):
            alter_user(session, admin, by=admin, **change)
