import socket
import threading
import uuid
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

import doorward.testing
from doorward.base.errors import DoorwardError
from doorward.testing import DoorwardServer, SignedInClient, running_server
from doorward.testing.caller import call
from doorward.testing.server import ExchangeRefused

ME = "/auth-service/api/v2/users/me"


def test_everything_answers(doorward_server: DoorwardServer) -> None:
    """A server that a test is given is ready: database, keys, listeners."""
    assert call("GET", f"{doorward_server.admin_url}/readyz").status_code == 200
    assert call("GET", f"{doorward_server.emulator_url}/common/discovery/v2.0/keys").status_code == 200
    assert {urlsplit(url).hostname for url in _urls(doorward_server)} == {"127.0.0.1"}


def test_an_exchange_is_the_real_one(doorward_server: DoorwardServer) -> None:
    """Both tokens are those of the contract, and every exchange gives others."""
    first, second = (doorward_server.exchange("bea@contoso.com") for _ in range(2))
    assert first.access_token.count(".") == 2
    assert len(first.platform_token) == 64
    assert not set(first) & set(second)


@pytest.mark.parametrize(
    ("claims", "code"),
    [
        ({"aud": "00000000-0000-4000-8000-000000000001"}, "audience_mismatch"),
        ({"tid": "x"}, "invalid_token"),
    ],
)
def test_claims_can_be_spoilt(doorward_server: DoorwardServer, claims: dict[str, Any], code: str) -> None:
    """Every check of the exchange is there: a token with another claim is refused as in production."""
    with pytest.raises(ExchangeRefused, match=code) as refused:
        doorward_server.exchange_token("bea@contoso.com", doorward_server.token_for("bea@contoso.com", **claims))
    assert refused.value.response.status_code in {401, 403}


def test_a_token_of_another_person_is_refused(doorward_server: DoorwardServer) -> None:
    """An id_token can be exchanged under another address as an attacker would try it."""
    with pytest.raises(ExchangeRefused, match="email_mismatch"):
        doorward_server.exchange_token("bea@contoso.com", doorward_server.token_for("eve@contoso.com"))


def test_an_expired_token_is_refused(doorward_server: DoorwardServer) -> None:
    """`expired=True` gives a token whose hour is over."""
    with pytest.raises(ExchangeRefused, match="token_expired"):
        doorward_server.exchange("bea@contoso.com", expired=True)


def test_applications_can_be_registered(doorward_server: DoorwardServer) -> None:
    """A test may have an application of its own, with its own rules, and it counts at once."""
    client_id = doorward_server.register(str(uuid.uuid4()), auto_create=False)
    with pytest.raises(ExchangeRefused, match="user_not_found"):
        doorward_server.exchange(f"{uuid.uuid4().hex}@contoso.com", aud=client_id)
    with pytest.raises(DoorwardError, match="already_there"):
        doorward_server.register(client_id)


def test_a_token_can_be_revoked(doorward_server: DoorwardServer) -> None:
    """After `revoke` the pair is dead."""
    pair = doorward_server.exchange("bea@contoso.com")
    client = SignedInClient(doorward_server.base_url, pair)
    assert client.get(ME).status_code == 200
    doorward_server.revoke(pair.platform_token)
    assert client.get(ME).status_code == 401


def test_the_client_sends_each_address_its_kind_of_token(
    doorward_server: DoorwardServer, signed_in_client: SignedInClient
) -> None:
    """`/auth-service` gets the JWT, everything else the platform token; own headers count more."""
    assert signed_in_client.get(ME).status_code == 200
    assert signed_in_client.post("/auth-service/api/v2/users/logout", json={"all": False}).status_code == 200
    assert signed_in_client.get(ME).status_code == 401
    assert signed_in_client.get(ME, {"Authorization": "Basic x"}).headers["www-authenticate"].startswith("Bearer")
    assert signed_in_client.headers == {"Authorization": f"Bearer {signed_in_client.tokens.platform_token}"}


@pytest.mark.parametrize("url", ["http://example.com/", "https://127.0.0.1/", "ftp://127.0.0.1/", "//example.com/"])
def test_the_client_stays_on_this_machine(signed_in_client: SignedInClient, url: str) -> None:
    """A mistake in a test sends no token anywhere."""
    with pytest.raises(ValueError, match="this machine"):
        signed_in_client.get(url)


def test_nothing_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server of a test's own ends with its `with` statement: no port, no file anywhere."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    with running_server() as server:
        server.exchange("jane@contoso.com")
        port = urlsplit(server.base_url).port
        assert [thread.name for thread in threading.enumerate()].count("doorward") >= 1
        assert list(tmp_path.iterdir())
    with pytest.raises(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port or 0)):
        pass
    assert not list(tmp_path.iterdir())


def test_a_setting_that_is_wrong_is_said_at_once() -> None:
    """A server that cannot start raises what was wrong, and waits for nobody."""
    with pytest.raises(DoorwardError), running_server({"token_service.signing_algorithm": "RS256"}):
        pass
    with pytest.raises(DoorwardError), running_server({"token_service.default_organization": 99}):
        pass


def test_only_what_is_offered_can_be_had() -> None:
    """The package offers its public names, loaded when asked for, and no others."""
    assert {name for name in doorward.testing.__all__ if not hasattr(doorward.testing, name)} == set()
    assert not hasattr(doorward.testing, "nonsense")


def _urls(server: DoorwardServer) -> tuple[str, str, str]:
    return server.base_url, server.admin_url, server.emulator_url
