"""What a 401 says about signing in: `WWW-Authenticate` as the auth tree has it (easy-auth reference 8.4).

The gateway and the endpoints below `/.auth` say the same. It is worked out from the settings alone: whoever is told to
sign in must not wait for the provider's documents.
"""

from collections.abc import Callable
from typing import TypeAlias
from urllib.parse import urlsplit

from doorward.config.auth_plan import AuthPlan
from doorward.config.tree_endpoints import WELL_KNOWN
from doorward.identity.visit import Visit
from doorward.protocol.easyauth import challenge
from doorward.providers.spec import Endpoints

METADATA_PATH = "/.well-known/oauth-protected-resource"
ChallengeOf: TypeAlias = Callable[[Visit, str], bytes | None]
"""Gives the challenge for a visit to a site (an origin), or None where the settings want none."""

_V2 = "/v2.0"
# Where people sign in for tokens of the issuer of v1.0.
_SIGN_IN_HOSTS = {"sts.windows.net": "login.windows.net", "sts.chinacloudapi.cn": "login.chinacloudapi.cn"}


def challenges_of(plan: AuthPlan) -> ChallengeOf:
    """Give the challenges of an auth tree.

    With aad they name where to sign in and the client id; without it, the host alone (interface, "Challenges and bodies
    of the gateway"). `disableWWWAuthenticate` and WEBSITE_AUTH_DISABLE_WWWAUTHENTICATE leave the header out.
    """
    aad = plan.providers.get("aad")
    if not plan.sends_challenge or (aad is not None and not aad.sends_challenge):
        return _say_nothing
    uri = "" if aad is None else authorization_uri(aad.endpoints)
    client_id = "" if aad is None else aad.client_id

    def challenge_of(visit: Visit, site: str) -> bytes:
        metadata = "" if plan.scopes_of_metadata is None else f"{site}{METADATA_PATH}{_below_root(visit.path)}"
        host = urlsplit(site).netloc
        return challenge(host, authorization_uri=uri, resource_id=client_id, resource_metadata=metadata)

    return challenge_of


def authorization_uri(endpoints: Endpoints) -> str:
    """Give where people sign in at Entra: as the settings say it, else as the openIdIssuer implies (reference 2.2).

    The issuer that tokens name would not do: that of many tenants has a mark where here `common` stands.
    """
    if endpoints.authorization_endpoint:
        return endpoints.authorization_endpoint
    issuer = (endpoints.discovery.removesuffix(WELL_KNOWN) or endpoints.issuer).rstrip("/")
    if not issuer:
        return ""
    if issuer.endswith(_V2):
        return f"{issuer.removesuffix(_V2)}/oauth2/v2.0/authorize"
    parts = urlsplit(issuer)
    return f"{parts.scheme}://{_SIGN_IN_HOSTS.get(parts.netloc, parts.netloc)}{parts.path}/oauth2/authorize"


def _below_root(path: str) -> str:
    return "" if path == "/" else path


def _say_nothing(_visit: Visit, _site: str) -> None:
    return None
