"""What a 401 says about signing in."""

from dataclasses import replace
from typing import Any

import pytest

from doorward.base.secret import Secret
from doorward.config.auth_plan import AuthPlan, ProviderPlan
from doorward.config.challenge import challenges_of
from doorward.providers import ALL
from doorward.providers.spec import Endpoints
from tests.support.auth_trees import planned
from tests.support.visits import TRUST

SITE = "https://app.example.com:8443"
TENANT = "11111111-2222-4333-8444-5555aaaabbbb"


def provider(name: str = "aad", issuer: str = "", authorization: str = "", **more: Any) -> dict[str, ProviderPlan]:
    endpoints = Endpoints(issuer=issuer, authorization_endpoint=authorization)
    spec = ALL[name]
    plan = ProviderPlan(name=name, spec=spec, client_id="client", client_secret=Secret(""), endpoints=endpoints, **more)
    return {name: plan}


def said(plan: AuthPlan, path: str = "/a") -> bytes | None:
    visit = TRUST.visit(method="GET", path=path, query="", raw_headers=[], peer="192.0.2.1", scheme="https")
    return challenges_of(plan)(visit, SITE)


PLAN = AuthPlan(enabled=True, action="RedirectToLoginPage")


@pytest.mark.parametrize(
    ("issuer", "authorization", "uri"),
    [
        (
            f"https://login.microsoftonline.com/{TENANT}/v2.0",
            "",
            f"https://login.microsoftonline.com/{TENANT}/oauth2/v2.0/authorize",
        ),
        (
            "https://login.microsoftonline.com/common/v2.0/",
            "",
            "https://login.microsoftonline.com/common/oauth2/v2.0/authorize",
        ),
        (f"https://sts.windows.net/{TENANT}/", "", f"https://login.windows.net/{TENANT}/oauth2/authorize"),
        (
            f"https://login.microsoftonline.us/{TENANT}/v2.0",
            "",
            f"https://login.microsoftonline.us/{TENANT}/oauth2/v2.0/authorize",
        ),
        (f"http://127.0.0.1:8082/{TENANT}/v2.0", "http://127.0.0.1:8082/authorize", "http://127.0.0.1:8082/authorize"),
    ],
)
def test_aad_says_where_to_sign_in(issuer: str, authorization: str, uri: str) -> None:
    """The challenge names the sign-in address and the client id, separated by spaces (reference 8.4)."""
    plan = replace(PLAN, providers=provider(issuer=issuer, authorization=authorization))
    expected = f'Bearer realm="app.example.com:8443" authorization_uri="{uri}" resource_id="client"'
    assert said(plan) == expected.encode()


def test_an_issuer_of_many_tenants_is_named_as_it_is_written() -> None:
    """Where tokens name their own tenant, people sign in at `common`; so it is with a tenant named by its domain."""
    for tenant in ("common", "contoso.onmicrosoft.com"):
        issuer = f"https://login.microsoftonline.com/{tenant}/v2.0"
        registration = {"openIdIssuer": issuer, "clientId": "client"}
        plan = planned({"identityProviders": {"azureActiveDirectory": {"registration": registration}}}).plan
        uri = f"https://login.microsoftonline.com/{tenant}/oauth2/v2.0/authorize"
        assert f'authorization_uri="{uri}"'.encode() in (said(plan) or b"")


def test_without_aad_the_host_stands_alone() -> None:
    """Other providers, and none, have the realm alone."""
    for providers in ({}, provider("google", issuer="https://accounts.google.com")):
        assert said(replace(PLAN, providers=providers)) == b'Bearer realm="app.example.com:8443"'


def test_the_settings_can_leave_it_out() -> None:
    """`disableWWWAuthenticate` and the environment's setting drop the header."""
    assert said(replace(PLAN, sends_challenge=False)) is None
    quiet = provider(issuer=f"https://login.microsoftonline.com/{TENANT}/v2.0", sends_challenge=False)
    assert said(replace(PLAN, providers=quiet)) is None


@pytest.mark.parametrize(("path", "suffix"), [("/", ""), ("/api/x", "/api/x"), ('/a"b', '/a\\"b')])
def test_it_points_at_the_metadata_where_there_is_any(path: str, suffix: str) -> None:
    """With metadata on, the challenge names its address for the path that was asked for (reference 8.4)."""
    found = said(replace(PLAN, scopes_of_metadata=("scope",)), path)
    assert found is not None
    assert found.endswith(f' resource_metadata="{SITE}/.well-known/oauth-protected-resource{suffix}"'.encode())
