"""Which addresses a provider is asked at, and what is left to discovery."""

import pytest

from doorward.config.sections_easyauth import ProviderSettings
from doorward.config.tree_endpoints import (
    discovery_of,
    entra_endpoints,
    is_multi_tenant,
    lay_over,
    tenant_of,
    with_graph_version,
)
from doorward.providers.spec import Endpoints

GUID = "11111111-2222-4333-8444-5555aaaabbbb"
WELL_KNOWN = "/.well-known/openid-configuration"


@pytest.mark.parametrize(
    ("written", "issuer"),
    [
        (f"https://login.microsoftonline.com/{GUID}/v2.0", f"https://login.microsoftonline.com/{GUID}/v2.0"),
        (f"https://login.microsoftonline.com/{GUID}/v2.0/", f"https://login.microsoftonline.com/{GUID}/v2.0"),
        (f"https://login.microsoftonline.com/{GUID.upper()}/v2.0", f"https://login.microsoftonline.com/{GUID}/v2.0"),
        (f"https://sts.windows.net/{GUID}/", f"https://sts.windows.net/{GUID}/"),
        (f"https://sts.windows.net/{GUID}", f"https://sts.windows.net/{GUID}/"),
        (f"https://login.microsoftonline.com/{GUID}", f"https://sts.windows.net/{GUID}/"),
        (f"https://login.windows.net/{GUID}/", f"https://sts.windows.net/{GUID}/"),
        (f"https://login.partner.microsoftonline.cn/{GUID}/", f"https://sts.chinacloudapi.cn/{GUID}/"),
        ("https://login.microsoftonline.com/common/v2.0", "https://login.microsoftonline.com/{tenantid}/v2.0"),
        ("https://login.microsoftonline.com/organizations/v2.0", "https://login.microsoftonline.com/{tenantid}/v2.0"),
        ("https://login.microsoftonline.com/common", "https://sts.windows.net/{tenantid}/"),
        ("https://login.microsoftonline.com/consumers/v2.0",
         "https://login.microsoftonline.com/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0"),
        ("https://login.microsoftonline.com/contoso.onmicrosoft.com/v2.0", ""),
        ("https://contoso.ciamlogin.com/x/v2.0", "https://contoso.ciamlogin.com/x/v2.0"),
        ("http://127.0.0.1:9/tenant/v2.0", "http://127.0.0.1:9/tenant/v2.0"),
    ],
)  # fmt: skip
def test_an_open_id_issuer_names_its_tokens_issuer(written: str, issuer: str) -> None:
    """What tokens will name as issuer follows from the form; where only the document knows, it stays empty."""
    endpoints = entra_endpoints(written)
    assert endpoints.issuer == issuer
    assert endpoints.discovery == written.rstrip("/") + WELL_KNOWN


@pytest.mark.parametrize(
    ("issuer", "address"),
    [
        ("https://a.example", f"https://a.example{WELL_KNOWN}"),
        ("https://a.example/x/", f"https://a.example/x{WELL_KNOWN}"),
        (f"https://a.example/x{WELL_KNOWN}", f"https://a.example/x{WELL_KNOWN}"),
        ("https://a.example/x/?p=policy", f"https://a.example/x{WELL_KNOWN}?p=policy"),
    ],
)
def test_the_discovery_document_lies_below_the_issuer(issuer: str, address: str) -> None:
    """The well-known path is added to the issuer's, once."""
    assert discovery_of(issuer) == address


@pytest.mark.parametrize("tenant", ["common", "organizations", "consumers", "Common"])
def test_words_in_place_of_a_tenant_admit_many(tenant: str) -> None:
    """Issuers that stand for many tenants are known, whatever version they are of."""
    for form in (f"https://login.microsoftonline.com/{tenant}/v2.0", f"https://sts.windows.net/{tenant}/"):
        assert is_multi_tenant(form)
        assert tenant_of(form) == tenant.lower()
    assert not is_multi_tenant(f"https://login.microsoftonline.com/{GUID}/v2.0")


GOOGLE = Endpoints(issuer="https://accounts.google.com")
APPLE = Endpoints(
    issuer="https://appleid.apple.com", authorization_endpoint="https://apple/a", token_endpoint="https://apple/t",
    jwks_uri="https://apple/k",
)  # fmt: skip
GITHUB = Endpoints(authorization_endpoint="https://github/a", token_endpoint="https://github/t", userinfo_endpoint="x")
FAKE = "http://127.0.0.1:9"


def test_without_a_table_the_built_in_addresses_count() -> None:
    """Google is discovered at its issuer; Apple and GitHub are complete as they are."""
    assert lay_over(GOOGLE, None, "oidc").discovery == f"https://accounts.google.com{WELL_KNOWN}"
    assert lay_over(APPLE, None, "oidc") == APPLE
    assert lay_over(GITHUB, None, "oauth2") == GITHUB


def test_an_issuer_alone_moves_everything() -> None:
    """With the issuer alone the rest is discovered there, in place of what is built in."""
    written = ProviderSettings(issuer=FAKE)
    for below in (GOOGLE, APPLE):
        assert lay_over(below, written, "oidc") == Endpoints(issuer=FAKE, discovery=f"{FAKE}{WELL_KNOWN}")
    assert lay_over(GITHUB, written, "oauth2") == Endpoints(issuer=FAKE, discovery=f"{FAKE}{WELL_KNOWN}")


def test_one_endpoint_leaves_the_others_alone() -> None:
    """Overriding one endpoint keeps the other built-in values, the issuer included."""
    written = ProviderSettings(token_endpoint=f"{FAKE}/t")
    google = lay_over(GOOGLE, written, "oidc")
    assert (google.issuer, google.token_endpoint) == ("https://accounts.google.com", f"{FAKE}/t")
    assert google.discovery == f"https://accounts.google.com{WELL_KNOWN}"
    apple = lay_over(APPLE, written, "oidc")
    assert (apple.token_endpoint, apple.jwks_uri, apple.discovery) == (f"{FAKE}/t", "https://apple/k", "")


def test_nobody_is_asked_where_nothing_is_missing() -> None:
    """With all endpoints and keys given, there is nothing to discover; the issuer stays built in."""
    written = ProviderSettings(authorization_endpoint=f"{FAKE}/a", token_endpoint=f"{FAKE}/t", jwks_uri=f"{FAKE}/k")
    google = lay_over(GOOGLE, written, "oidc")
    assert (google.discovery, google.issuer) == ("", "https://accounts.google.com")
    domain = entra_endpoints("https://login.microsoftonline.com/contoso.onmicrosoft.com/v2.0")
    assert lay_over(domain, written, "oidc").discovery == domain.discovery  # only the document knows the issuer


def test_an_issuer_with_endpoints_is_discovered_for_the_rest() -> None:
    """An issuer of the settings is where the rest is found, not the built-in one."""
    written = ProviderSettings(issuer=FAKE, token_endpoint=f"{FAKE}/t")
    assert lay_over(GOOGLE, written, "oidc").discovery == f"{FAKE}{WELL_KNOWN}"


def test_versions_go_to_facebooks_own_hosts_alone() -> None:
    """An overridden address is used as it is written."""
    endpoints = Endpoints(userinfo_endpoint="https://graph.facebook.com/me", token_endpoint=f"{FAKE}/t")
    versioned = with_graph_version(endpoints, "v3.3")
    assert versioned.userinfo_endpoint == "https://graph.facebook.com/v3.3/me"
    assert versioned.token_endpoint == f"{FAKE}/t"
    assert with_graph_version(endpoints, "") == endpoints
