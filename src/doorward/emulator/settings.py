"""What development mode sets so that everybody signs in at the emulator: auth tree, provider addresses, secrets.

The secrets stand in public source: they open nothing but pretend providers on this machine, and `serve` refuses them.
"""

from collections.abc import Callable, Iterable, Mapping
from urllib.parse import urlsplit

from doorward.emulator import apple, facebook, from_spec, github, google, microsoftaccount, twitter
from doorward.emulator.apple import APPLE_CLIENT_ID
from doorward.emulator.clients import Client
from doorward.emulator.custom import ROOT as CUSTOM_ROOT
from doorward.emulator.custom import custom_client_id
from doorward.emulator.facebook import FACEBOOK_CLIENT_ID
from doorward.emulator.github import GITHUB_CLIENT_ID
from doorward.emulator.google import GOOGLE_CLIENT_ID
from doorward.emulator.microsoftaccount import LIVE_CLIENT_ID
from doorward.emulator.people import DEV_CLIENT_ID
from doorward.emulator.twitter import TWITTER_CLIENT_ID
from doorward.providers import by_alias

CUSTOM = "contoso"
SECRETS: Mapping[str, str] = {
    "MICROSOFT_PROVIDER_AUTHENTICATION_SECRET": "doorward-dev-secret-of-aad",
    "GOOGLE_PROVIDER_AUTHENTICATION_SECRET": "doorward-dev-secret-of-google",
    "GITHUB_PROVIDER_AUTHENTICATION_SECRET": "doorward-dev-secret-of-github",
    "FACEBOOK_PROVIDER_AUTHENTICATION_SECRET": "doorward-dev-secret-of-facebook",
    "TWITTER_PROVIDER_AUTHENTICATION_SECRET": "doorward-dev-secret-of-twitter",
    "LIVE_PROVIDER_AUTHENTICATION_SECRET": "doorward-dev-secret-of-microsoftaccount",
    "APPLE_PROVIDER_AUTHENTICATION_SECRET": "doorward-dev-secret-of-apple",
    "CONTOSO_AUTHENTICATION_SECRET": "doorward-dev-secret-of-contoso",
}
"""The client secrets of development, by the names of the environment variables that the auth tree points to."""

_REGISTERED = (
    ("aad", DEV_CLIENT_ID, "MICROSOFT_PROVIDER_AUTHENTICATION_SECRET"),
    ("google", GOOGLE_CLIENT_ID, "GOOGLE_PROVIDER_AUTHENTICATION_SECRET"),
    ("github", GITHUB_CLIENT_ID, "GITHUB_PROVIDER_AUTHENTICATION_SECRET"),
    ("facebook", FACEBOOK_CLIENT_ID, "FACEBOOK_PROVIDER_AUTHENTICATION_SECRET"),
    ("twitter", TWITTER_CLIENT_ID, "TWITTER_PROVIDER_AUTHENTICATION_SECRET"),
    ("microsoftaccount", LIVE_CLIENT_ID, "LIVE_PROVIDER_AUTHENTICATION_SECRET"),
    ("apple", APPLE_CLIENT_ID, "APPLE_PROVIDER_AUTHENTICATION_SECRET"),
    (CUSTOM, custom_client_id(CUSTOM), "CONTOSO_AUTHENTICATION_SECRET"),
)

_ADDRESSES: Mapping[str, Callable[[str], dict[str, str]]] = {
    one.__name__.rpartition(".")[2]: one.addresses
    for one in (google, github, facebook, twitter, microsoftaccount, apple)
}


def settings_of(base_url: str) -> dict[str, dict[str, object]]:
    """Give the auth tree as `auth`, the tables `[providers.NAME]` as `providers`, the secrets as `environment`."""
    providers: dict[str, object] = {name: of(base_url) for name, of in _ADDRESSES.items()}
    return {"auth": auth_tree(base_url), "providers": providers, "environment": dict(SECRETS)}


def auth_tree(base_url: str) -> dict[str, object]:
    """Give the auth tree in which every provider, and one custom one, signs in at the emulator."""
    return {
        "globalValidation": {
            "unauthenticatedClientAction": "RedirectToLoginPage",
            "excludedPaths": ["/public", "/public/*"],
        },
        "identityProviders": {
            "azureActiveDirectory": {
                "registration": {"openIdIssuer": f"{base_url}/common/v2.0", **_registration("aad")},
                "login": {"loginParameters": ["scope=openid profile email offline_access"]},
            },
            "google": {"registration": _registration("google")},
            "gitHub": {"registration": _registration("github")},
            "facebook": {
                "registration": _registration("facebook", "appId", "appSecretSettingName"),
                "login": {"scopes": ["public_profile", "email"]},
            },
            "twitter": {"registration": _registration("twitter", "consumerKey", "consumerSecretSettingName")},
            "legacyMicrosoftAccount": {
                "registration": _registration("microsoftaccount"),
                "login": {"scopes": ["wl.basic", "wl.emails", "wl.offline_access"]},
            },
            "apple": {"registration": _registration("apple"), "login": {"scopes": ["name", "email"]}},
            "customOpenIdConnectProviders": {CUSTOM: _custom(base_url)},
        },
    }


def addresses_at(base_url: str, name: str, issuer: str) -> dict[str, str]:
    """Give the members of `[providers.NAME]` that have a provider pretended at `base_url`.

    `issuer` is the one that the auth tree names: of Entra's the tenant is kept.
    """
    if name in _ADDRESSES:
        return _ADDRESSES[name](base_url)
    if name != "aad":
        spec = by_alias(name)
        return {"issuer": f"{base_url}{CUSTOM_ROOT}{name}"} if spec is None else from_spec.addresses(base_url, spec)
    tenant = next((part for part in urlsplit(issuer).path.split("/") if part not in {"", "v1", "v2.0"}), "common")
    is_v2 = issuer.rstrip("/").endswith("/v2.0")
    return {"issuer": f"{base_url}/{tenant}/v2.0" if is_v2 else f"{base_url}/v1/{tenant}/"}


def clients_of(sites: Iterable[str], prefix: str = "/.auth") -> list[Client]:
    """Give the applications of development: one at each provider, for all `sites` (origins such as `http://localhost:1`).

    `prefix` is the one of Doorward's own paths. GitHub's tokens end, so that there is something to refresh.
    """
    origins = tuple(sites)
    return [
        Client(
            provider=provider,
            client_id=client_id,
            client_secret=SECRETS[secret],
            redirect_uris=tuple(f"{origin}{prefix}/login/{provider}/callback" for origin in origins),
            post_logout_redirect_uris=tuple(f"{origin}/*" for origin in origins),
            expiring=provider == "github",
        )
        for provider, client_id, secret in _REGISTERED
    ]


def dev_sites(port: int) -> tuple[str, ...]:
    """Give the origins under which development mode is reached at a port."""
    return tuple(f"http://{host}:{port}" for host in ("127.0.0.1", "localhost"))


def _registration(
    provider: str, id_key: str = "clientId", secret_key: str = "clientSecretSettingName"
) -> dict[str, object]:
    client_id, secret = next((client_id, secret) for name, client_id, secret in _REGISTERED if name == provider)
    return {id_key: client_id, secret_key: secret}


def _custom(base_url: str) -> dict[str, object]:
    client_id, secret = next((client_id, secret) for name, client_id, secret in _REGISTERED if name == CUSTOM)
    well_known = f"{base_url}/oidc/{CUSTOM}/.well-known/openid-configuration"
    return {
        "registration": {
            "clientId": client_id,
            "clientCredential": {"method": "ClientSecretPost", "clientSecretSettingName": secret},
            "openIdConnectConfiguration": {"wellKnownOpenIdConfiguration": well_known},
        },
        "login": {"nameClaimType": "name", "scopes": ["openid", "profile", "email", "offline_access"]},
    }
