"""What development mode sets so that everybody signs in at the emulator: auth tree, provider addresses, secrets.

The secrets stand in public source: they open nothing but pretend providers on this machine, and `serve` refuses them.
"""

from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

from doorward.emulator.clients import Client
from doorward.emulator.custom import ROOT as CUSTOM_ROOT
from doorward.emulator.custom import custom_client_id
from doorward.emulator.github import GITHUB_CLIENT_ID
from doorward.emulator.google import GOOGLE_CLIENT_ID
from doorward.emulator.people import DEV_CLIENT_ID

CUSTOM = "contoso"
SECRETS: Mapping[str, str] = {
    "MICROSOFT_PROVIDER_AUTHENTICATION_SECRET": "doorward-dev-secret-of-aad",
    "GOOGLE_PROVIDER_AUTHENTICATION_SECRET": "doorward-dev-secret-of-google",
    "GITHUB_PROVIDER_AUTHENTICATION_SECRET": "doorward-dev-secret-of-github",
    "CONTOSO_AUTHENTICATION_SECRET": "doorward-dev-secret-of-contoso",
}
"""The client secrets of development, by the names of the environment variables that the auth tree points to."""

_REGISTERED = (
    ("aad", DEV_CLIENT_ID, "MICROSOFT_PROVIDER_AUTHENTICATION_SECRET"),
    ("google", GOOGLE_CLIENT_ID, "GOOGLE_PROVIDER_AUTHENTICATION_SECRET"),
    ("github", GITHUB_CLIENT_ID, "GITHUB_PROVIDER_AUTHENTICATION_SECRET"),
    (CUSTOM, custom_client_id(CUSTOM), "CONTOSO_AUTHENTICATION_SECRET"),
)


def settings_of(base_url: str) -> dict[str, dict[str, object]]:
    """Give the auth tree as `auth`, the tables `[providers.NAME]` as `providers`, the secrets as `environment`."""
    return {"auth": auth_tree(base_url), "providers": dict(_addresses(base_url)), "environment": dict(SECRETS)}


def auth_tree(base_url: str) -> dict[str, object]:
    """Give the auth tree in which aad, google, github and one custom provider sign in at the emulator."""
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
            "customOpenIdConnectProviders": {CUSTOM: _custom(base_url)},
        },
    }


def addresses_at(base_url: str, name: str, issuer: str) -> dict[str, str]:
    """Give the members of `[providers.NAME]` that have a provider pretended at `base_url`.

    `issuer` is the one that the auth tree names: of Entra's the tenant is kept.
    """
    known = _addresses(base_url).get(name)
    if known is not None:
        return known
    if name != "aad":
        return {"issuer": f"{base_url}{CUSTOM_ROOT}{name}"}
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


def _addresses(base_url: str) -> dict[str, dict[str, str]]:
    """Point providers whose addresses are built in at the emulator.

    The real Google and GitHub have no address for sign-out; the pretend ones do, so that another person can follow.
    """
    google, github = f"{base_url}/google", f"{base_url}/github"
    return {
        "google": {"issuer": google, "end_session_endpoint": f"{google}/logout"},
        "github": {
            "authorization_endpoint": f"{github}/login/oauth/authorize",
            "token_endpoint": f"{github}/login/oauth/access_token",
            "userinfo_endpoint": f"{github}/api/user",
            "end_session_endpoint": f"{github}/logout",
        },
    }


def _registration(provider: str) -> dict[str, object]:
    client_id, secret = next((client_id, secret) for name, client_id, secret in _REGISTERED if name == provider)
    return {"clientId": client_id, "clientSecretSettingName": secret}


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
