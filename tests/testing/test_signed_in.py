"""A gateway in front of the app under test: people sign in without a browser, and the app is told who they are."""

import json
import threading
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest

from doorward.client import current_principal
from doorward.testing import DoorwardServer, SignedInClient, SignInRefused, running_server
from tests.support.canaries import keep_secret


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the standard library's name
        """Say nothing."""


def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Say who asks, by what the gateway says."""
    found = current_principal(environ)
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(None if found is None else [found.provider, found.name, environ.get("HTTP_COOKIE")]).encode()]


@contextmanager
def running_app() -> Generator[str]:
    """Serve the app under test."""
    with make_server("127.0.0.1", 0, app, handler_class=_Quiet) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def server() -> Generator[DoorwardServer]:
    """Give a gateway in front of the app."""
    with running_app() as url, running_server(app=url) as server:
        yield server


@pytest.mark.parametrize(
    ("provider", "name"),
    [("aad", "jane@contoso.com"), ("google", "jane@contoso.com"), ("github", "Jane Doe"), ("contoso", "Jane Doe")],
)
def test_the_app_is_told_who_signed_in(server: DoorwardServer, provider: str, name: str) -> None:
    """Through the gateway the app sees the person, and no cookie of ours."""
    client = server.client_for("jane@contoso.com", provider)
    keep_secret(client.session_cookie)
    assert client.get("/anything").json() == [provider, name, None]
    assert client.get("/.auth/me").json()[0]["provider_name"] == provider


def test_headers_for_a_test_client_are_those_of_the_gateway(server: DoorwardServer) -> None:
    """`identity_headers` say of the same person what the gateway says."""
    client = server.client_for("omar@contoso.com")
    found = current_principal(client.identity_headers)
    assert found is not None
    assert [found.provider, found.name, None] == client.get("/").json()


def test_a_stranger_does_not_pass(server: DoorwardServer) -> None:
    """A script gets 401, a browser a redirect; headers that a client makes up count for nothing."""
    forged = {"X-MS-CLIENT-PRINCIPAL": "e30=", "X-MS-CLIENT-PRINCIPAL-NAME": "root"}
    assert server.stranger.get("/", forged).status_code == 401
    assert server.stranger.get("/", {"User-Agent": "Mozilla/5.0"}).status_code == 302
    assert server.stranger.get("/public/page", forged).json() is None


def test_who_signed_out_is_a_stranger(server: DoorwardServer) -> None:
    """A session ends for the client that held it."""
    client = server.client_for("omar@contoso.com")
    assert client.get("/").status_code == 200
    assert client.get("/.auth/logout").status_code == 302
    assert client.get("/").status_code == 401
    with pytest.raises(SignInRefused, match="the gateway answered 401"):
        server.identity_headers(client.session_cookie)


def test_people_are_told_apart(server: DoorwardServer) -> None:
    """Two clients are two people, each signed in once and only when needed."""
    jane, omar = server.client_for("jane@contoso.com"), server.client_for("omar@contoso.com")
    assert [one.get("/").json()[1] for one in (jane, omar, jane)] == [
        "jane@contoso.com",
        "omar@contoso.com",
        "jane@contoso.com",
    ]
    assert jane.session_headers == {"Cookie": f"AppServiceAuthSession={keep_secret(jane.session_cookie)}"}


@pytest.mark.parametrize("fault", ["expired_token", "wrong_audience", "wrong_nonce", "wrong_signature"])
def test_a_provider_can_be_made_to_fail(server: DoorwardServer, fault: str) -> None:
    """What goes wrong at the provider is refused by the gateway, and the test is told with its words."""
    with pytest.raises(SignInRefused, match="the callback answered 401") as refused:
        server.sign_in("jane@contoso.com", faults=(fault,))
    assert refused.value.response.json()["error"]["code"]


def test_a_provider_that_is_not_there_is_said(server: DoorwardServer) -> None:
    """A mistake in the provider's name is an answer, not a riddle."""
    with pytest.raises(SignInRefused, match="the sign-in address answered 404"):
        server.sign_in("jane@contoso.com", "gogle")


def test_the_apps_own_auth_json_is_pretended(tmp_path: Path) -> None:
    """The very file that is deployed can be tested: its providers are pretended, and its secrets made up."""
    tree = {
        "globalValidation": {"unauthenticatedClientAction": "Return403", "excludedPaths": ["/health"]},
        "identityProviders": {
            "azureActiveDirectory": {
                "registration": {
                    "openIdIssuer": "https://login.microsoftonline.com/common/v2.0",
                    "clientId": "11111111-2222-4333-8444-555555555555",
                    "clientSecretSettingName": "SOME_SECRET",
                }
            },
            "openIdConnectProviders": {
                "acme": {
                    "registration": {
                        "clientId": "acme-app",
                        "clientCredential": {"clientSecretSettingName": "ACME_SECRET"},
                        "openIdConnectConfiguration": {
                            "wellKnownOpenIdConfiguration": "https://acme.example/.well-known/openid-configuration"
                        },
                    }
                }
            },
        },
        "httpSettings": {"requireHttps": False, "routes": {"apiPrefix": "/who"}},
    }
    (tmp_path / "auth.json").write_text(json.dumps(tree))
    with running_app() as url, running_server({"auth.file": str(tmp_path / "auth.json")}, app=url) as server:
        assert server.stranger.get("/").status_code == 403
        assert server.stranger.get("/health").json() is None
        for provider in ("aad", "acme"):
            assert server.client_for("jane@contoso.com", provider).get("/").json()[0] == provider
        assert server.client_for("jane@contoso.com").get("/who/me").status_code == 200


def test_a_client_without_a_session_says_so(doorward_server: DoorwardServer) -> None:
    """A client made of platform tokens alone has no cookie to give."""
    client = SignedInClient(doorward_server.base_url, doorward_server.exchange("jane@contoso.com"))
    for name in ("session_cookie", "session_headers", "identity_headers"):
        with pytest.raises(LookupError, match="no session"):
            getattr(client, name)
    assert client.get("/.auth/me").json()[0]["provider_name"] == "doorward"
