from typing import Any

import pytest

from doorward.emulator.settings import SECRETS, clients_of, dev_sites, settings_of
from doorward.providers import ALL
from tests.emulator.relying import RelyingParty

BASE = "http://127.0.0.1:8082"


def registrations() -> dict[str, dict[str, Any]]:
    """Give each registration of the auth tree of development, by alias."""
    tree: Any = settings_of(BASE)["auth"]
    providers = tree["identityProviders"]
    custom = {name: one["registration"] for name, one in providers["customOpenIdConnectProviders"].items()}
    names = {spec.tree_key: alias for alias, spec in ALL.items()}
    assert providers.keys() == {*names, "customOpenIdConnectProviders"}
    return custom | {alias: providers[name]["registration"] for name, alias in names.items()}


def test_every_provider_of_the_tree_is_registered_at_the_emulator() -> None:
    """Client ID, secret and callback of both sides agree, and every secret that is named is there."""
    clients = {client.provider: client for client in clients_of(dev_sites(8080))}
    assert clients.keys() >= registrations().keys()
    for alias, registration in registrations().items():
        spec = ALL.get(alias)
        secret_key, id_key = (spec.secret_key, spec.client_id_key) if spec else ("clientSecretSettingName", "clientId")
        setting = registration.get(secret_key) or registration["clientCredential"][secret_key]
        assert registration[id_key] == clients[alias].client_id
        assert settings_of(BASE)["environment"][setting] == clients[alias].client_secret
        for host in ("127.0.0.1", "localhost"):
            assert clients[alias].may_return_to(f"http://{host}:8080/.auth/login/{alias}/callback")
            assert clients[alias].may_leave_to(f"http://{host}:8080/.auth/logout/complete")
    assert set(SECRETS) == set(settings_of(BASE)["environment"])


def test_another_prefix_moves_the_callbacks() -> None:
    """`httpSettings.routes.apiPrefix` may be another one."""
    (aad, *_) = clients_of(["http://localhost:1"], "/sign/in")
    assert aad.redirect_uris == ("http://localhost:1/sign/in/login/aad/callback",)


async def test_every_address_of_the_settings_is_served(app: RelyingParty) -> None:
    """Discovery documents name the issuers that are set, and every other address is a door."""
    given: Any = settings_of(app.url)
    addresses: dict[str, dict[str, str]] = given["providers"]
    providers = given["auth"]["identityProviders"]
    issuers = [providers["azureActiveDirectory"]["registration"]["openIdIssuer"], addresses["google"]["issuer"]]
    custom = providers["customOpenIdConnectProviders"]["contoso"]["registration"]["openIdConnectConfiguration"]
    documents = [f"{issuer}/.well-known/openid-configuration" for issuer in issuers]
    for document in (*documents, custom["wellKnownOpenIdConfiguration"]):
        known = (await app.get(document)).json()
        assert document == f"{known['issuer'].replace('{tenantid}', 'common')}/.well-known/openid-configuration"
        assert (await app.get(known["jwks_uri"])).json()["keys"]
    doors = [url for table in addresses.values() for name, url in table.items() if name != "issuer"]
    for url in doors:
        assert url.startswith(app.url)
        assert (await app.get(url)).status_code in {200, 400, 401, 405}


@pytest.mark.parametrize(
    ("entry", "address", "covered"),
    [
        ("http://a/*", "http://a/", True),
        ("http://a/*", "http://a/b/c?d=e", True),
        ("http://a/*", "http://a/.auth/logout/complete", True),
        ("http://a/*", "http://a", False),
        ("http://a/*", "http://ab/", False),
        ("http://a/b/*", "http://a/b/../c", False),
        ("http://a/b/*", "http://a/b/%2e%2e/c", False),
        ("http://a/b/*", "http://a/b/\\..\\c", False),
        ("http://a/b", "http://a/b", True),
        ("http://a/b", "http://a/b/", False),
    ],
)
def test_addresses_to_leave_to(entry: str, address: str, covered: bool) -> None:  # noqa: FBT001 - a column of the table
    """Whole addresses, or everything below one, and never out of it again."""
    (client, *_) = clients_of(["http://x"])
    assert (
        type(client)(provider="x", client_id="y", post_logout_redirect_uris=(entry,)).may_leave_to(address) is covered
    )
