import subprocess
import sys

import pytest

from doorward.client import (
    MalformedRequest,
    NoToken,
    PlatformTokens,
    ServiceUnavailable,
    TokenRefused,
)
from doorward.client.tokens import bearer_of
from doorward.testing import DoorwardServer
from tests.support.canaries import canary, keep_secret

SECRET = canary("app's client")


@pytest.fixture
def tokens(doorward_server: DoorwardServer) -> PlatformTokens:
    """Give what an app makes at its start."""
    return PlatformTokens(doorward_server.base_url, *doorward_server.client_credentials)


def test_a_platform_token_gives_its_user(doorward_server: DoorwardServer, tokens: PlatformTokens) -> None:
    """The opaque token of a fresh exchange names the person who signed in."""
    pair = doorward_server.exchange("ann@contoso.com")
    user = tokens.verify(keep_secret(pair.platform_token))
    assert (user.email, user.kind, user.client_id) == ("ann@contoso.com", "platform", doorward_server.client_id)
    assert user.expires_at - user.issued_at == 7 * 24 * 3600


async def test_both_kinds_are_verified_where_both_are_accepted(doorward_server: DoorwardServer) -> None:
    """Introspection knows the JWT and the opaque token, and both name the same user."""
    tokens = PlatformTokens(
        doorward_server.base_url, *doorward_server.client_credentials, accepts=("platform", "access")
    )
    pair = doorward_server.exchange("ann@contoso.com")
    users = [await tokens.verify_async(token) for token in pair]
    assert [user.kind for user in users] == ["access", "platform"]
    assert users[0].id == users[1].id


def test_one_kind_is_refused_where_the_other_is_due(doorward_server: DoorwardServer, tokens: PlatformTokens) -> None:
    """The JWT is for `/auth-service`; an app takes the platform token unless it says otherwise, and the reverse."""
    pair = doorward_server.exchange("ann@contoso.com")
    with pytest.raises(TokenRefused, match="kind access"):
        tokens.verify(pair.access_token)
    reverse = PlatformTokens(doorward_server.base_url, *doorward_server.client_credentials, accepts="access")
    with pytest.raises(TokenRefused, match="kind platform"):
        reverse.verify(pair.platform_token)


def test_a_revoked_token_is_refused(doorward_server: DoorwardServer, tokens: PlatformTokens) -> None:
    """Revocation reaches an app that has not seen the token before at once."""
    pair = doorward_server.exchange("ann@contoso.com")
    doorward_server.revoke(pair.access_token)
    with pytest.raises(TokenRefused):
        tokens.verify(pair.platform_token)


@pytest.mark.parametrize(
    "token", ["", "x", "A" * 64, "0" * 63, "0" * 65, "a.b", "a.b.c.d.e", "é" * 64, "a.b." + "c" * 5000]
)
def test_what_cannot_be_a_token_reaches_nobody(token: str) -> None:
    """Strings of no form of ours are refused without a call: here nobody would answer one."""
    away = PlatformTokens("http://127.0.0.1:9", "app", SECRET, accepts=("platform", "access"))
    with pytest.raises(TokenRefused):
        away.verify(token)


def test_a_service_that_is_away_refuses_everybody() -> None:
    """Whatever cannot be checked is an error, never a user."""
    away = PlatformTokens("http://127.0.0.1:9", "app", SECRET)
    with pytest.raises(ServiceUnavailable, match="does not answer"):
        away.verify("0" * 64)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["Bearer abc"], "abc"),
        (["bearer  abc "], "abc"),
        ([None, "BEARER abc"], "abc"),
        ([], NoToken),
        ([None], NoToken),
        ([""], NoToken),
        (["Basic abc"], NoToken),
        (["abc"], NoToken),
        (["Bearer a", "Bearer b"], MalformedRequest),
        (["Bearer a", "Basic b"], MalformedRequest),
    ],
)
def test_bearers_are_read_from_one_header(values: list[str | None], expected: str | type[Exception]) -> None:
    """The scheme's case does not matter, other schemes are no bearer, and two headers are refused."""
    if isinstance(expected, str):
        assert bearer_of(*values) == expected
        return
    with pytest.raises(expected):
        bearer_of(*values)


def test_each_refusal_says_what_to_answer() -> None:
    """Status and challenge follow RFC 6750: no error code for a request without a token."""
    answers = {kind: kind("why") for kind in (NoToken, TokenRefused, MalformedRequest, ServiceUnavailable)}
    assert [answer.status for answer in answers.values()] == [401, 401, 400, 503]
    assert answers[NoToken].headers["WWW-Authenticate"] == 'Bearer realm="platform"'
    assert 'error="invalid_token"' in answers[TokenRefused].headers["WWW-Authenticate"]
    assert 'error="invalid_request"' in answers[MalformedRequest].headers["WWW-Authenticate"]
    assert answers[ServiceUnavailable].headers["Retry-After"] == "1"
    assert not [answer for answer in answers.values() if "why" in str((answer.detail, answer.headers))]


@pytest.mark.parametrize(
    ("url", "options", "complaint"),
    [
        ("auth.example.com", {}, "https://"),
        ("http://auth.example.com", {}, "https"),
        ("http://127.0.0.1.example.com", {}, "https"),
        ("https://u:p@auth.example.com", {}, "credentials"),
        ("https://auth.example.com/?a=b", {}, "query"),
        ("ftp://auth.example.com", {}, "https://"),
        ("https://auth.example.com", {"accepts": ()}, "accepts"),
        ("https://auth.example.com", {"accepts": "refresh"}, "accepts"),
        ("https://auth.example.com", {"jwks": True}, "jwks"),
        ("https://auth.example.com", {"client_secret": None}, "client_id and client_secret"),
        ("https://auth.example.com", {"client_id": None, "accepts": "access"}, "client_id and client_secret"),
        ("https://auth.example.com", {"cache_seconds": -1.0}, "cache_seconds"),
        ("https://auth.example.com", {"timeout": 0.0}, "timeout"),
    ],
)
def test_what_cannot_work_is_refused_at_the_start(url: str, options: dict[str, object], complaint: str) -> None:
    """An app that is put together wrongly does not start, and is told why."""
    given: dict[str, object] = {"client_id": "app", "client_secret": SECRET}
    with pytest.raises(ValueError, match=complaint):
        PlatformTokens(url, **(given | options))  # pyright: ignore[reportArgumentType] - wrong on purpose


def test_importing_it_is_cheap() -> None:
    """An app that imports the client loads nothing of the service, and no library for signatures either."""
    code = "import sys, doorward.client; print(' '.join(sorted({name.partition('.')[0] for name in sys.modules})))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    heavy = {"uvicorn", "uvloop", "sqlite3", "asyncpg", "sqlalchemy", "alembic", "click", "cryptography", "urllib3"}
    assert not heavy.intersection(loaded)
    assert not {"fastapi", "flask", "django", "starlette", "pytest"}.intersection(loaded)


FORKING = """
import os, sys
from doorward.client import PlatformTokens

url, client_id, token = sys.argv[1:]
tokens = PlatformTokens(url, client_id, sys.stdin.read(), cache_seconds=0)
tokens.verify(token)
child = os.fork()
if not child:
    tokens.verify(token)
    os._exit(0)
status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
tokens.verify(token)
sys.exit(status)
"""


def test_a_server_may_fork_after_the_first_request(doorward_server: DoorwardServer) -> None:
    """Threads and connections stay with the process that made them; the child begins anew."""
    client_id, secret = doorward_server.client_credentials
    token = doorward_server.exchange("ann@contoso.com").platform_token
    command = [sys.executable, "-c", FORKING, doorward_server.base_url, client_id, token]
    forked = subprocess.run(command, input=secret, capture_output=True, text=True, timeout=30, check=False)
    assert forked.returncode == 0, forked.stderr
