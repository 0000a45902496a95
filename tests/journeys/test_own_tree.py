"""Somebody's own `auth.json` in `doorward dev`: every provider that it names is pretended, whatever it is proven by."""

import json
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from tests.support.client_keys import certificate_pem, ec_key, pem, rsa_key
from tests.support.journeys import Dev, Tab, running_dev
from tests.support.programs import run_doorward

PREFIX = "/sign/in"
TENANT = "11111111-2222-4333-8444-555555555555"


def custom(name: str, configuration: dict[str, str], **login: object) -> dict[str, Any]:
    """Give a custom provider of the tree."""
    credential = {"method": "ClientSecretPost", "clientSecretSettingName": f"{name.upper()}_SECRET"}
    registration = {
        "clientId": f"app-at-{name}",
        "clientCredential": credential,
        "openIdConnectConfiguration": configuration,
    }
    return {"registration": registration, "login": login}


TREE: dict[str, Any] = {
    "platform": {"enabled": True},
    "globalValidation": {"unauthenticatedClientAction": "Return401", "excludedPaths": ["/public", "/upload/*"]},
    "httpSettings": {"requireHttps": True, "routes": {"apiPrefix": PREFIX}},
    "identityProviders": {
        "azureActiveDirectory": {
            "registration": {
                "openIdIssuer": f"https://login.microsoftonline.com/{TENANT}/v2.0",
                "clientId": "99999999-aaaa-4aaa-8aaa-000000000001",
                "clientSecretCertificateThumbprint": "ABCD",
            },
            "login": {"loginParameters": ["scope=openid profile email offline_access"]},
        },
        "apple": {"registration": {"clientId": "com.contoso.own"}, "login": {"scopes": ["email"]}},
        "facebook": {"registration": {"appId": "4711", "appSecretSettingName": "FACEBOOK_SECRET"}},
        "twitter": {"registration": {"consumerKey": "own-key", "consumerSecretSettingName": "X_SECRET"}},
        "legacyMicrosoftAccount": {"registration": {"clientId": "0000own", "clientSecretSettingName": "LIVE_SECRET"}},
        "openIdConnectProviders": {
            "auth0": custom(
                "auth0", {"wellKnownOpenIdConfiguration": "https://x.auth0.com/.well-known/openid-configuration"}
            ),
            "okta": custom(
                "okta",
                {
                    "authorizationEndpoint": "https://x.okta.com/authorize",
                    "tokenEndpoint": "https://x.okta.com/token",
                    "issuer": "https://x.okta.com",
                    "certificationUri": "https://x.okta.com/keys",
                },
                nameClaimType="email",
                scopes=["openid", "email"],
            ),
        },
    },
}
SETTINGS = """
[auth]
file = "auth.json"
[providers.aad]
client_certificate_file = "app.pem"
client_key_file = "app.key"
[providers.apple]
team_id = "TEAM"
key_id = "KEY"
private_key_file = "team.p8"
[providers.okta]
token_endpoint = "https://x.okta.com/another"
"""
NAMES = ("aad", "apple", "facebook", "twitter", "microsoftaccount", "auth0", "okta")


@pytest.fixture(scope="module")
def dev(tmp_path_factory: pytest.TempPathFactory) -> Generator[tuple[Dev, Path]]:
    """Give development mode with that tree, and its directory."""
    directory = tmp_path_factory.mktemp("own")
    (directory / "auth.json").write_text(json.dumps(TREE))
    (directory / "own.toml").write_text(SETTINGS)
    (directory / "app.pem").write_bytes(certificate_pem(rsa_key()))
    (directory / "app.key").write_bytes(pem(rsa_key()))
    (directory / "team.p8").write_bytes(pem(ec_key()))
    with running_dev(directory, "--config", "own.toml", prefix=PREFIX) as dev:
        yield dev, directory


@pytest.mark.parametrize("provider", NAMES)
def test_every_provider_of_the_tree_signs_in(dev: tuple[Dev, Path], provider: str) -> None:
    """Below the tree's own prefix, at the pretend provider alone, and with tokens: the proof of the client was good."""
    tab = Tab()
    landed = dev[0].sign_in(tab, provider)
    assert (landed.url, landed.answer.status_code) == (f"{dev[0].site}/api/whoami", 200), landed
    tab.session_of()
    assert all(step.startswith((dev[0].site, dev[0].emulator)) for step in landed.way)
    told = landed.answer.json()
    assert told["idp"] == provider
    assert f"x-ms-token-{provider}-access-token" in told["tokens"]
    refreshed = tab.ask("GET", f"{dev[0].site}{PREFIX}/refresh", {"Accept": "application/json"})
    assert refreshed.status_code == {"aad": 200, "auth0": 403, "okta": 403, "microsoftaccount": 403}.get(provider, 400)


def test_the_tenant_is_the_one_of_the_tree(dev: tuple[Dev, Path]) -> None:
    """People of Contoso are members of a tenant that nobody pretends by name; those of another one stay strangers."""
    told = dev[0].sign_in(Tab(), "aad").answer.json()
    claims = {claim["typ"].rpartition("/")[2]: claim["val"] for claim in told["principal"]["claims"]}
    assert claims["tenantid"] == TENANT
    assert claims["iss"] == f"{dev[0].emulator}/{TENANT}/v2.0"
    stranger = dev[0].sign_in(Tab(), "aad", person="lena@fabrikam.com")
    assert stranger.url != f"{dev[0].site}/api/whoami"


def test_the_rest_of_the_tree_counts(dev: tuple[Dev, Path]) -> None:
    """The action, the paths that are open, and no way to the old prefix."""
    nobody = Tab()
    assert nobody.ask("GET", f"{dev[0].site}/api/whoami").status_code == 401
    assert nobody.ask("GET", f"{dev[0].site}/public").status_code == 200
    assert nobody.ask("GET", f"{dev[0].site}/public/more").status_code == 401
    assert nobody.ask("GET", f"{dev[0].site}{PREFIX}/me").status_code == 401
    assert nobody.ask("GET", f"{dev[0].site}/.auth/me", {"Accept": "application/json"}).status_code == 401
    page = nobody.ask("GET", f"{dev[0].site}/public").text
    assert f'href="{PREFIX}/login/okta?' in page
    assert "/.auth/" not in page


def test_commands_beside_it_see_the_same(dev: tuple[Dev, Path]) -> None:
    """The settings that it writes name the keys in place of secrets, by paths that count from anywhere."""
    written = ("--config", str(dev[1] / ".doorward" / "dev" / "doorward.toml"))
    elsewhere = dev[1] / "elsewhere"
    elsewhere.mkdir()
    told = run_doorward(*written, "explain", "--request", "GET", "/public", cwd=elsewhere)
    assert told.returncode == 0, told.stderr
    assert "excludedPaths" in told.stdout
