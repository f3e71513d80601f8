"""Logging in through an identity provider: OpenID Connect's authorization code with PKCE, against any issuer.

Set ZHONGJING_OIDC_ISSUER, ZHONGJING_OIDC_CLIENT_ID and ZHONGJING_OIDC_CLIENT_SECRET. Who is let in is decided here,
not by the provider: people it knows must be invited or have joined it to their account.
Sources: OpenID Connect Core 1.0, RFC 7636 (PKCE), RFC 9207 (issuer in the answer).
"""

from __future__ import annotations

import os
import secrets
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from importlib import import_module
from typing import Any

import msgspec
from sqlalchemy import select
from sqlalchemy.orm import Session

from annotation.errors import ConflictError, ForbiddenError, RefusedError
from annotation.identity.auth import same_secret
from annotation.identity.people import record
from annotation.tables.models import Identity, User
from foundation.errors import ZhongjingError, needs_extra

ALGORITHMS = ["RS256", "PS256", "ES256", "EdDSA"]
METADATA_LASTS = 3600.0
TIMEOUT = 10.0
LEEWAY = 60


class ProviderError(RefusedError):
    """The identity provider does not answer, or answers what cannot be trusted."""

    status = 502


class Provider(msgspec.Struct, frozen=True, kw_only=True):
    """An issuer, and who we are to it."""

    issuer: str
    client_id: str
    client_secret: str


class Flow(msgspec.Struct, frozen=True, kw_only=True):
    """A login under way. It waits in a closed cookie of the browser that began it."""

    state: str
    nonce: str
    verifier: str
    next: str
    invitation: str = ""
    join: bool = False

    def packed(self) -> str:
        """As the value of a cookie."""
        return urlsafe_b64encode(msgspec.json.encode(self)).decode()

    @classmethod
    def unpacked(cls, value: str) -> Flow:
        """Back from a cookie."""
        try:
            return msgspec.json.decode(urlsafe_b64decode(value.encode()), type=cls)
        except (ValueError, msgspec.DecodeError) as error:
            raise ForbiddenError("oidc_flow", "this login has expired; begin again") from error


def provider_from_environment() -> Provider | None:
    """The provider of the settings, None where there is none."""
    names = ("ISSUER", "CLIENT_ID", "CLIENT_SECRET")
    values = [os.environ.get(f"ZHONGJING_OIDC_{name}", "") for name in names]
    if not any(values):
        return None
    if not all(values):
        listed = ", ".join(f"ZHONGJING_OIDC_{name}" for name in names)
        raise ZhongjingError("the identity provider is set by halves", hint=f"set {listed}, or none of them")
    with needs_extra("oidc", "logging in through an identity provider"):
        import_module("authlib")
        import_module("requests")
    return Provider(issuer=values[0], client_id=values[1], client_secret=values[2])


def begin(
    provider: Provider, back: str, *, next_path: str, invitation: str = "", join: bool = False
) -> tuple[str, Flow]:
    """Where to send the browser, and what to remember of it. `back` is our address the provider sends it to."""
    flow = Flow(
        state=secrets.token_urlsafe(24),
        nonce=secrets.token_urlsafe(24),
        verifier=secrets.token_urlsafe(48),
        next=next_path,
        invitation=invitation,
        join=join,
    )
    endpoint = _metadata(provider)["authorization_endpoint"]
    with _client(provider, back) as client:
        url, _ = client.create_authorization_url(
            endpoint, state=flow.state, nonce=flow.nonce, code_verifier=flow.verifier
        )
    return str(url), flow


def finish(provider: Provider, back: str, flow: Flow, answer: Mapping[str, str]) -> tuple[str, str]:
    """The identity (issuer, subject) behind the provider's answer to our question.

    Raises `ForbiddenError` where the answer is not to this question, `ProviderError` where it cannot be trusted.
    """
    metadata = _metadata(provider)
    if not same_secret(flow.state, answer.get("state", "")):
        raise ForbiddenError("oidc_flow", "this login has expired; begin again")
    if not same_secret(provider.issuer, answer.get("iss", provider.issuer)):
        raise ForbiddenError("oidc_flow", "another provider answered")
    if "code" not in answer:
        raise ForbiddenError("oidc_refused", "the identity provider did not log you in")
    with _client(provider, back) as client:
        try:
            token = client.fetch_token(metadata["token_endpoint"], code=answer["code"], code_verifier=flow.verifier)
        except Exception as error:  # each provider and transport fails in its own way
            raise ProviderError("oidc", f"the identity provider gave no token ({type(error).__name__})") from error
    claims = _verified(provider, metadata, str(token.get("id_token", "")), flow.nonce)
    return provider.issuer, str(claims["sub"])


def user_with(session: Session, identity: tuple[str, str]) -> User:
    """The person with this identity."""
    query = select(User).join(Identity, Identity.user_id == User.id).where(*_is(identity))
    user = session.scalar(query)
    if user is None or user.left_at is not None:
        raise ForbiddenError("oidc_unknown", "nobody here has this identity; ask for an invitation")
    return user


def join_identity(session: Session, user_id: int, identity: tuple[str, str]) -> None:
    """Let a person log in with this identity from now on."""
    holder = session.scalar(select(Identity.user_id).where(*_is(identity)))
    if holder not in (None, user_id):
        raise ConflictError("identity_used", "this identity belongs to someone else")
    if holder is None:
        session.add(Identity(user_id=user_id, issuer=identity[0], subject=identity[1]))
        session.flush()
        record(session, user_id, "identity_joined", f"user:{user_id}")


def _is(identity: tuple[str, str]) -> tuple[Any, Any]:
    return Identity.issuer == identity[0], Identity.subject == identity[1]


def _client(provider: Provider, back: str) -> Any:
    from authlib.integrations.requests_client import OAuth2Session

    return OAuth2Session(
        provider.client_id,
        provider.client_secret,
        scope="openid",
        redirect_uri=back,
        code_challenge_method="S256",
        default_timeout=TIMEOUT,
    )


_KNOWN: dict[str, tuple[float, dict[str, Any]]] = {}


def _metadata(provider: Provider) -> dict[str, Any]:
    """What the provider says of itself, asked once an hour."""
    asked, found = _KNOWN.get(provider.issuer, (0.0, {}))
    if not found or time.monotonic() - asked > METADATA_LASTS:
        found = _get(f"{provider.issuer.rstrip('/')}/.well-known/openid-configuration")
        if found.get("issuer") != provider.issuer:
            raise ProviderError("oidc", "the identity provider calls itself by another name than the settings")
        _KNOWN[provider.issuer] = (time.monotonic(), found)
    return found


def _verified(provider: Provider, metadata: Mapping[str, Any], token: str, nonce: str) -> Mapping[str, Any]:
    """The claims of an ID token whose signature, issuer, audience, time and nonce are right."""
    from authlib.oidc.core import CodeIDToken
    from joserfc import jwt
    from joserfc.errors import JoseError
    from joserfc.jwk import KeySet

    try:
        keys = KeySet.import_key_set(_get(metadata["jwks_uri"]))  # type: ignore[arg-type]
        decoded = jwt.decode(token, keys, algorithms=ALGORITHMS)
        options = {"iss": {"essential": True, "value": provider.issuer}, "aud": {"value": provider.client_id}}
        asked = {"nonce": nonce, "client_id": provider.client_id}
        claims = CodeIDToken(decoded.claims, decoded.header, options, asked)
        claims.validate(leeway=LEEWAY)
    except (JoseError, ValueError, KeyError) as error:
        raise ProviderError(
            "oidc", f"the identity provider's token cannot be trusted ({type(error).__name__})"
        ) from error
    return dict(claims)


def _get(url: str) -> dict[str, Any]:
    import requests

    try:
        response = requests.get(url, timeout=TIMEOUT)
        response.raise_for_status()
        found = response.json()
    except (requests.RequestException, ValueError) as error:
        raise ProviderError("oidc", f"the identity provider does not answer ({type(error).__name__})") from error
    return found if isinstance(found, dict) else {}
