"""Which addresses a provider is asked at: built-in ones, those of the auth tree, and those of `[providers.NAME]`.

One is laid over the other (interface, section 7): a table that sets some keys keeps the built-in values of the others,
and with an issuer alone everything is discovered at `<issuer>/.well-known/openid-configuration`. The result says in
`discovery` which document fills what is still empty; where nothing is missing it is empty, and nobody is asked.
"""

import re
from dataclasses import fields, replace
from urllib.parse import urlsplit

from doorward.config.sections_easyauth import ProviderSettings
from doorward.providers.spec import Endpoints, Kind

WELL_KNOWN = "/.well-known/openid-configuration"
TENANT_MARK = "{tenantid}"
MANY_TENANTS = frozenset({"common", "organizations", "consumers"})
_PERSONAL_TENANT = "9188040d-6c67-4c5b-b112-36a304b66dad"  # that of every personal Microsoft account
_GUID = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
# Each cloud: the host that signs people in, and the one that names the issuer of version 1.0 tokens.
_V1_HOSTS = {
    "login.microsoftonline.com": "sts.windows.net",
    "login.windows.net": "sts.windows.net",
    "sts.windows.net": "sts.windows.net",
    "login.microsoftonline.us": "sts.windows.net",
    "login.partner.microsoftonline.cn": "sts.chinacloudapi.cn",
    "login.chinacloudapi.cn": "sts.chinacloudapi.cn",
    "sts.chinacloudapi.cn": "sts.chinacloudapi.cn",
}
_DISCOVERED = ("authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint", "end_session_endpoint")
_NEEDED = ("issuer", "authorization_endpoint", "token_endpoint", "jwks_uri")
_VERSIONED = frozenset({"www.facebook.com", "graph.facebook.com"})
_OWN_KEYS = frozenset(entry.name for entry in fields(Endpoints))


def discovery_of(issuer: str) -> str:
    """Give the address of an issuer's discovery document (OpenID Connect Discovery 1.0 section 4)."""
    parts = urlsplit(issuer)
    if parts.path.endswith(WELL_KNOWN):
        return issuer
    return parts._replace(path=parts.path.rstrip("/") + WELL_KNOWN).geturl()


def tenant_of(issuer: str) -> str:
    """Give the tenant that an Entra issuer names, in lower case: a GUID, a domain, or a word such as `common`."""
    return urlsplit(issuer).path.strip("/").partition("/")[0].lower()


def is_multi_tenant(issuer: str) -> bool:
    """Say whether an Entra issuer admits people of more than one tenant."""
    return any(piece in {*MANY_TENANTS, TENANT_MARK} for piece in urlsplit(issuer).path.lower().split("/"))


def entra_endpoints(open_id_issuer: str) -> Endpoints:
    """Give what an `openIdIssuer` says: where to discover, and which issuer its tokens will name.

    That issuer is empty where only the discovery document knows it, as for a tenant that is named by its domain.
    """
    plain = open_id_issuer.removesuffix(WELL_KNOWN)
    return Endpoints(issuer=_token_issuer(plain), discovery=discovery_of(open_id_issuer))


def _token_issuer(issuer: str) -> str:
    parts = urlsplit(issuer)
    host, tenant = parts.hostname or "", tenant_of(issuer)
    if host not in _V1_HOSTS:
        return issuer
    if tenant in MANY_TENANTS:
        tenant = _PERSONAL_TENANT if tenant == "consumers" else TENANT_MARK
    elif not _GUID.fullmatch(tenant):
        return ""
    if parts.path.strip("/").lower().endswith("/v2.0"):
        return f"https://{host}/{tenant}/v2.0"
    return f"https://{_V1_HOSTS[host]}/{tenant}/"


def lay_over(below: Endpoints, written: ProviderSettings | None, kind: Kind) -> Endpoints:
    """Lay `[providers.NAME]` over the addresses that are known without it, and say where the rest is discovered."""
    given = _given(written)
    if "issuer" in given:
        below = _at_issuer(below, given, kind)
    laid = replace(below, **given)
    if kind != "oidc" and not laid.discovery:
        return laid
    complete = all(getattr(laid, key) for key in _NEEDED)
    return replace(laid, discovery="" if complete else laid.discovery or discovery_of(laid.issuer))


def _given(written: ProviderSettings | None) -> dict[str, str]:
    if written is None:
        return {}
    values = {key: str(getattr(written, key, "")) for key in _OWN_KEYS}
    return {key: value for key, value in values.items() if value}


def _at_issuer(below: Endpoints, given: dict[str, str], kind: Kind) -> Endpoints:
    """Move discovery to an issuer of the settings; with the issuer alone, built-in addresses give way to it."""
    if set(given) == {"issuer"}:
        below = replace(below, **dict.fromkeys(_DISCOVERED, ""))
        return replace(below, discovery=discovery_of(given["issuer"]))
    return replace(below, discovery=discovery_of(given["issuer"])) if kind == "oidc" else below


def with_graph_version(endpoints: Endpoints, version: str) -> Endpoints:
    """Put a version of Facebook's Graph API in front of the paths of its own hosts (easy-auth reference 2.3)."""
    if not version:
        return endpoints
    changed = {key: _versioned(str(getattr(endpoints, key)), version) for key in _OWN_KEYS}
    return replace(endpoints, **changed)


def _versioned(url: str, version: str) -> str:
    parts = urlsplit(url)
    return parts._replace(path=f"/{version}{parts.path}").geturl() if parts.hostname in _VERSIONED else url
