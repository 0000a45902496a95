"""Every provider at the running service: signed in by a browser and by a client, against the pretend providers."""

import json
import logging
import threading
from base64 import b64decode
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest

from doorward.emulator.messages import MINT_PATH, MintRequest
from doorward.testing import DoorwardServer, running_server
from doorward.testing.caller import Response, call
from tests.support.canaries import keep_secret, unscanned

# Graph is asked about a token in the address, as it wants to be; the pretend one's server writes that down.
logging.getLogger("uvicorn.access").setLevel(logging.WARNING)

GUID = "11111111-aaaa-4aaa-8aaa-0000000000%02d"
PROVIDERS: dict[str, Any] = {
    "azureActiveDirectory": {
        "registration": {
            "clientId": GUID % 1,
            "openIdIssuer": "https://login.microsoftonline.com/common/v2.0",
            "clientSecretSettingName": "AAD_SECRET",
        },
        "validation": {"defaultAuthorizationPolicy": {"allowedApplications": [GUID % 1]}},
    },
    "google": {"registration": {"clientId": "google-app", "clientSecretSettingName": "GOOGLE_SECRET"}},
    "facebook": {"registration": {"appId": "4711", "appSecretSettingName": "FACEBOOK_SECRET"}},
    "gitHub": {"registration": {"clientId": "github-app", "clientSecretSettingName": "GITHUB_SECRET"}},
    "twitter": {"registration": {"consumerKey": "x-app", "consumerSecretSettingName": "X_SECRET"}},
    "legacyMicrosoftAccount": {"registration": {"clientId": "live-app", "clientSecretSettingName": "LIVE_SECRET"}},
    "apple": {
        "registration": {"clientId": "com.contoso.web", "clientSecretSettingName": "APPLE_SECRET"},
        "login": {"scopes": ["name", "email"]},
    },
    "customOpenIdConnectProviders": {
        "contoso": {
            "registration": {
                "clientId": "contoso-app",
                "clientCredential": {"clientSecretSettingName": "CONTOSO_SECRET"},
                "openIdConnectConfiguration": {
                    "wellKnownOpenIdConfiguration": "https://id.contoso.com/.well-known/openid-configuration"
                },
            }
        }
    },
}
EVERY = ("aad", "google", "facebook", "github", "twitter", "microsoftaccount", "apple", "contoso")
AUDIENCE = {
    "aad": GUID % 1, "google": "google-app", "facebook": "4711", "github": "github-app", "twitter": "x-app",
    "microsoftaccount": "live-app", "apple": "com.contoso.web", "contoso": "contoso-app",
}  # fmt: skip
JANE = "jane@contoso.com"


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the standard library's name
        """Say nothing."""


def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Show the headers that the gateway added."""
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps({name[5:]: value for name, value in environ.items() if name.startswith("HTTP_X_MS_")}).encode()]


@contextmanager
def running_app() -> Generator[str]:
    """Serve the application."""
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
    """Give the service with every provider, and the application behind it."""
    tree = {"identityProviders": PROVIDERS, "globalValidation": {"unauthenticatedClientAction": "Return401"}}
    file: Path = unscanned("every-provider") / "auth.json"
    file.write_text(json.dumps(tree))
    with running_app() as url, running_server({"auth.file": str(file)}, app=url) as server:
        yield server


def minted(server: DoorwardServer, provider: str, kind: str = "id_token", **how: Any) -> dict[str, str]:
    """Have a pretend provider make a token for the application, and give what it told."""
    wish = MintRequest(provider=provider, kind=kind, email=JANE, **{"audience": AUDIENCE[provider], **how})  # pyright: ignore[reportArgumentType] - one of the two kinds
    got = call("POST", f"{server.emulator_url}{MINT_PATH}", {"Content-Type": "application/json"}, wish.to_json())
    assert got.status_code == 200, got
    told = got.json()
    for value in told.values():
        keep_secret(value)
    return told


def good_body(server: DoorwardServer, provider: str, **how: Any) -> dict[str, str]:
    """Give what a client would post."""
    match provider:
        case "aad" | "facebook" | "github":
            return {"access_token": minted(server, provider, "access_token", **how)["token"]}
        case "twitter":
            told = minted(server, provider, "access_token", **how)
            token, _, secret = told["token"].partition(" ")
            return {"access_token": token, "access_token_secret": told.get("secret") or secret}
        case "microsoftaccount":
            return {"authentication_token": minted(server, provider, **how)["token"]}
        case _:
            return {"id_token": minted(server, provider, **how)["token"]}


def token_in(got: Response) -> str:
    """Give the session token of an answer."""
    assert got.status_code == 200, got
    return keep_secret(got.json()["authenticationToken"])


@pytest.mark.parametrize("provider", EVERY)
def test_a_browser_signs_in(server: DoorwardServer, provider: str) -> None:
    """From the sign-in address to what the application is told, at every provider."""
    client = server.client_for(JANE, provider)
    keep_secret(client.session_cookie)
    told = client.get("/anything").json()
    (me,) = client.get("/.auth/me").json()
    assert told["X_MS_CLIENT_PRINCIPAL_IDP"] == me["provider_name"] == provider
    assert told["X_MS_CLIENT_PRINCIPAL_NAME"] == me["user_id"]
    assert json.loads(b64decode(told["X_MS_CLIENT_PRINCIPAL"]))["claims"] == me["user_claims"]
    assert told.get(f"X_MS_TOKEN_{provider.upper()}_ACCESS_TOKEN") == me["access_token"]


@pytest.mark.parametrize("provider", EVERY)
def test_a_client_signs_in(server: DoorwardServer, provider: str) -> None:
    """A token of every pretend provider becomes a session token, under which the application sees its claims alone."""
    got = server.stranger.post(f"/.auth/login/{provider}", json=good_body(server, provider))
    zumo = {"X-ZUMO-AUTH": token_in(got)}
    assert not got.set_cookies
    told = server.stranger.get("/anything", zumo).json()
    principal = json.loads(b64decode(told["X_MS_CLIENT_PRINCIPAL"]))
    assert principal["auth_typ"] == "AuthenticationTypes.Federation"
    assert [claim["typ"].rpartition("/")[2] for claim in principal["claims"]] == [
        "stable_sid", "nameidentifier", "identityprovider", "ver", "nbf", "exp", "iat", "iss", "aud",
    ]  # fmt: skip
    assert told["X_MS_CLIENT_PRINCIPAL_ID"] == got.json()["user"]["userId"]
    (me,) = server.stranger.get("/.auth/me", zumo).json()
    assert (me["provider_name"], me["user_id"]) == (provider, told["X_MS_CLIENT_PRINCIPAL_NAME"])


@pytest.mark.parametrize("provider", ["aad", "google", "facebook", "twitter", "apple", "contoso"])
def test_a_client_with_another_applications_token_does_not(server: DoorwardServer, provider: str) -> None:
    """A token that another application obtained signs nobody in."""
    strangers = {"aad": GUID % 2, "facebook": "4712"}
    body = good_body(server, provider, audience=strangers.get(provider, "stranger"))
    got = server.stranger.post(f"/.auth/login/{provider}", json=body)
    assert got.status_code == 401, got
    assert got.headers["www-authenticate"].startswith("Bearer ")


def test_the_session_token_comes_before_the_cookie(server: DoorwardServer) -> None:
    """With both, the token speaks; a bad token is 401 and no fallback, excluded from nothing."""
    client = server.client_for(JANE, "google")
    keep_secret(client.session_cookie)
    token = token_in(server.stranger.post("/.auth/login/facebook", json=good_body(server, "facebook")))
    both = client.get("/anything", {"X-ZUMO-AUTH": token}).json()
    assert both["X_MS_CLIENT_PRINCIPAL_IDP"] == "facebook"
    refused = client.get("/anything", {"X-ZUMO-AUTH": f"{token}x"})
    assert refused.status_code == 401
    assert refused.headers["www-authenticate"].startswith("Bearer ")
    assert client.get("/.auth/me", {"X-ZUMO-AUTH": "x"}).status_code == 401
    assert client.get("/anything", {"X-ZUMO-AUTH": client.session_cookie}).status_code == 401


def test_signing_out_ends_the_token(server: DoorwardServer) -> None:
    """A session token dies with its session."""
    token = token_in(server.stranger.post("/.auth/login/google", json=good_body(server, "google")))
    zumo = {"X-ZUMO-AUTH": token}
    assert server.stranger.get("/anything", zumo).status_code == 200
    assert server.stranger.get("/.auth/logout", zumo).status_code == 302
    assert server.stranger.get("/anything", zumo).status_code == 401
    assert server.stranger.post("/.auth/login", json={"authenticationToken": token}).status_code == 401


def test_a_token_is_exchanged_for_another(server: DoorwardServer) -> None:
    """`POST /.auth/login` gives a token of the same session, which works as the first does."""
    first = server.stranger.post("/.auth/login/google", json=good_body(server, "google"))
    second = server.stranger.post("/.auth/login", json={"authenticationToken": token_in(first)})
    assert second.json()["user"] == first.json()["user"]
    assert server.stranger.get("/anything", {"X-ZUMO-AUTH": token_in(second)}).status_code == 200


def test_the_application_that_asked_counts(server: DoorwardServer) -> None:
    """`allowedApplications`: a token that another client of Entra's obtained is 403."""
    body = good_body(server, "aad", claims={"azp": GUID % 9})
    got = server.stranger.post("/.auth/login/aad", json=body)
    assert got.status_code == 403, got
