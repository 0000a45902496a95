"""Protected-resource metadata: what somebody without a token is told about getting one."""

import json
from pathlib import Path

import pytest

from doorward.easyauth.metadata import Metadata, issuers_of
from doorward.testing.caller import call
from tests.support.auth_trees import AAD, SEVERAL, TENANT, planned, with_key
from tests.support.programs import free_ports, start_doorward
from tests.support.sessions import SITE, TRUST, plan_of, visit

PATH = "/.well-known/oauth-protected-resource"
SCOPES = "WEBSITE_AUTH_PRM_DEFAULT_WITH_SCOPES"


def test_anybody_is_told_where_tokens_come_from(tmp_path: Path) -> None:
    """The document is served anonymously; with a path behind it, it speaks of that resource; a 401 points at it."""
    port = free_ports(4)
    base, scopes = f"http://127.0.0.1:{port}", "api://one/user_impersonation,api://one/read"
    extra = {SCOPES: scopes}
    with start_doorward("dev", "--port", str(port), cwd=tmp_path, prints_secrets=True, env=extra) as dev:
        dev.wait_for_output("Have the pretend Entra")
        root, below = call("GET", f"{base}{PATH}"), call("GET", f"{base}{PATH}/api/v1")
        refused = call("GET", f"{base}/api/v1")
    issuers = [f"http://127.0.0.1:{port + 2}/common/v2.0", f"http://127.0.0.1:{port + 2}/oidc/contoso"]
    for answer, resource in ((root, base), (below, f"{base}/api/v1")):
        assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
        assert list(answer.json()) == ["resource", "authorization_servers", "scopes_supported"]
        assert answer.json() == {
            "resource": resource,
            "authorization_servers": issuers,
            "scopes_supported": scopes.split(","),
        }
    assert refused.status_code == 401
    assert f'resource_metadata="{base}{PATH}/api/v1"' in refused.headers["www-authenticate"]


def test_without_the_setting_there_is_no_document() -> None:
    """Nothing is served unless it is asked for: the path is the application's."""
    assert Metadata(plan_of(), TRUST).routes() == []
    assert len(Metadata(plan_of(scopes_of_metadata=()), TRUST).routes()) == 2


@pytest.mark.parametrize(("openid_issuer", "expected"), [
    (f"https://login.microsoftonline.com/{TENANT}/v2.0", f"https://login.microsoftonline.com/{TENANT}/v2.0"),
    (f"https://sts.windows.net/{TENANT}/", f"https://sts.windows.net/{TENANT}/"),
    ("https://login.microsoftonline.com/common/v2.0", "https://login.microsoftonline.com/common/v2.0"),
])  # fmt: skip
def test_entra_is_named_as_in_the_tree(openid_issuer: str, expected: str) -> None:
    """The authorization server is the issuer of the registration: whoever discovers there finds where to sign in."""
    tree = with_key({"identityProviders": {"azureActiveDirectory": AAD}}, "identityProviders.azureActiveDirectory"
                    ".registration.openIdIssuer", openid_issuer)  # fmt: skip
    plan = planned(tree).plan
    assert plan is not None
    assert issuers_of(plan) == (expected,)


def test_only_providers_whose_tokens_count_are_named() -> None:
    """Nobody is sent to Google or GitHub for a token that would be refused here."""
    plan = planned(SEVERAL).plan
    assert plan is not None
    assert issuers_of(plan) == (f"https://login.microsoftonline.com/{TENANT}/v2.0", "https://id.contoso.com")


async def test_a_strange_path_stays_an_address() -> None:
    """Whatever stands behind the path comes out as an address of this site, encoded."""
    metadata = Metadata(plan_of(scopes_of_metadata=()), TRUST)
    reply = await metadata.answer(visit(path=f'{PATH}/"<\xe9>//evil.example'), b"")
    assert json.loads(reply.body) == {
        "resource": f"{SITE}/%22%3C%E9%3E//evil.example",
        "authorization_servers": ["https://aad.example", "https://contoso.example"],
    }
