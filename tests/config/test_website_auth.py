"""App Service's variables: each of the reference's table is followed or reported."""

from typing import Any

import pytest

from doorward import providers
from doorward.config.auth_plan import AuthPlan
from doorward.config.tree_keys import branch_of, keys_of
from doorward.config.tree_reading import key_at
from doorward.config.website_auth import (
    BESIDE_THE_TREE,
    ELSEWHERE,
    OVER_THE_TREE,
    PREFIX,
    REPORTED,
    SECRETS,
    lookup,
    report_idle,
)
from tests.support.auth_trees import AAD, SEVERAL, TENANT, planned

TREE: dict[str, Any] = {"identityProviders": {"azureActiveDirectory": AAD}}
# Easy-auth reference 9.7, every name of its table but the two that are no settings of ours to read.
NAMED = {
    "ENABLED", "V2_CONFIG_JSON", "ENCRYPTION_KEY", "SIGNING_KEY", "USE_LEGACY_CLAIMS", "HIDE_DEPRECATED_SID",
    "PRESERVE_URL_FRAGMENT", "NONCE_DURATION", "VALIDATE_NONCE", "TOKEN_REFRESH_HOURS", "STATE_DIRECTORY",
    "TOKEN_CONTAINER_SASURL", "DISABLE_WWWAUTHENTICATE", "DISABLE_IDENTITY_FLOW", "TRACE_LEVEL", "AAD_ALLOWED_TENANTS",
    "AAD_REQUIRE_CLIENT_SERVICE_PRINCIPAL", "PRM_DEFAULT_WITH_SCOPES", "CLIENT_ID", "CLIENT_SECRET",
    "CLIENT_SECRET_SETTING_NAME", "OPENID_ISSUER", "ALLOWED_AUDIENCES", "LOGIN_PARAMS", "DEFAULT_PROVIDER",
    "TOKEN_STORE", "LOGOUT_PATH", "API_PREFIX", "REQUIRE_HTTPS", "UNAUTHENTICATED_ACTION", "EXTERNAL_REDIRECT_URLS",
    "COOKIE_EXPIRATION_MODE", "COOKIE_EXPIRATION_TIME", "PROXY_HEADER_CONVENTION", "PROXY_HOST_HEADER",
    "PROXY_PROTO_HEADER",
}  # fmt: skip


def plan_of(**environment: str) -> AuthPlan:
    """Give the plan of a tree with aad and these variables, without their prefix, over it."""
    result = planned(TREE, {PREFIX + name: value for name, value in environment.items()})
    assert [finding.line() for finding in result.findings] == []
    return result.plan


def test_every_name_of_the_reference_has_its_place() -> None:
    """No variable of the table is dropped, and none has two meanings."""
    places = [set(OVER_THE_TREE), set(SECRETS), set(BESIDE_THE_TREE), set(ELSEWHERE), set(REPORTED)]
    known = set[str]().union(*places)
    assert known >= NAMED
    assert sum(map(len, places)) == len(known)
    for family in ("GOOGLE_", "FB_", "GITHUB_", "TWITTER_", "MSA_"):
        assert any(name.startswith(family) for name in SECRETS)


def test_every_path_is_one_of_the_tree() -> None:
    """What a variable lies over is a key that is read."""
    root = branch_of(keys_of(providers.ALL.values()))
    for path in OVER_THE_TREE.values():
        assert key_at(root, tuple(path.split("."))) is not None, path


@pytest.mark.parametrize(
    ("name", "value", "field", "expected"),
    [
        ("PRESERVE_URL_FRAGMENT", "true", "preserve_fragments", True),
        ("NONCE_DURATION", "00:01:00", "nonce_lifetime", 60),
        ("VALIDATE_NONCE", "false", "validate_nonce", False),
        ("TOKEN_REFRESH_HOURS", "0.5", "refresh_extension", 1800),
        ("USE_LEGACY_CLAIMS", "False", "legacy_claims", False),
        ("HIDE_DEPRECATED_SID", "1", "hide_deprecated_sid", True),
        ("DISABLE_WWWAUTHENTICATE", "True", "sends_challenge", False),
        ("PRM_DEFAULT_WITH_SCOPES", "a, api://x/y", "scopes_of_metadata", ("a", "api://x/y")),
        ("TOKEN_STORE", "False", "token_store", False),
        ("LOGOUT_PATH", "/bye", "logout_path", "/bye"),
        ("API_PREFIX", "/sign", "api_prefix", "/sign"),
        ("REQUIRE_HTTPS", "false", "require_https", False),
        ("UNAUTHENTICATED_ACTION", "AllowAnonymous", "action", "AllowAnonymous"),
        ("UNAUTHENTICATED_ACTION", "3", "action", "Return403"),
        ("EXTERNAL_REDIRECT_URLS", "https://a.example,app://x", "allowed_targets", ("https://a.example", "app://x")),
        ("COOKIE_EXPIRATION_MODE", "IdentityDerived", "expiration", "IdentityProviderDerived"),
        ("COOKIE_EXPIRATION_TIME", "01:00:00", "cookie_lifetime", 3600),
        ("PROXY_HEADER_CONVENTION", "Standard", "host_header", "x-forwarded-host"),
        ("DEFAULT_PROVIDER", "AzureActiveDirectory", "provider", "aad"),
    ],
)
def test_a_variable_is_followed(name: str, value: str, field: str, expected: object) -> None:
    """What a variable says counts in place of the tree and its defaults."""
    assert getattr(plan_of(**{name: value}), field) == expected


def test_entra_can_be_set_up_by_variables_alone() -> None:
    """The names of the first version make a whole registration, its secret included."""
    environment = {
        "CLIENT_ID": "an-id",
        "CLIENT_SECRET": "secret-in-the-variable",
        "OPENID_ISSUER": f"https://sts.windows.net/{TENANT}/",
        "ALLOWED_AUDIENCES": "api://a,api://b",
        "LOGIN_PARAMS": '["response_type=code id_token", "resource=x"]',
        "AAD_ALLOWED_TENANTS": TENANT,
        "AAD_REQUIRE_CLIENT_SERVICE_PRINCIPAL": "1",
    }
    result = planned({}, {PREFIX + name: value for name, value in environment.items()})
    assert result.findings == ()
    aad = result.plan.providers["aad"]
    assert (aad.client_id, aad.client_secret.reveal()) == ("an-id", "secret-in-the-variable")
    assert aad.endpoints.issuer == f"https://sts.windows.net/{TENANT}/"
    assert aad.audiences == ("api://a", "api://b")
    assert aad.login_parameters == (("response_type", "code id_token"), ("resource", "x"))
    assert (aad.policy.tenants, aad.policy.requires_oid) == ((TENANT,), True)


@pytest.mark.parametrize(
    ("family", "alias"),
    [("GOOGLE_CLIENT", "google"), ("GITHUB_CLIENT", "github"), ("MSA_CLIENT", "microsoftaccount")],
)
def test_other_providers_can_be_set_up_by_variables(family: str, alias: str) -> None:
    """Each family of the first version sets up its provider; `FB_` and `TWITTER_` have words of their own."""
    result = planned({}, {f"{PREFIX}{family}_ID": "an-id", f"{PREFIX}{family}_SECRET": "a-secret"})
    assert (result.findings, list(result.plan.providers)) == ((), [alias])
    other = planned({}, {f"{PREFIX}FB_APP_ID": "1", f"{PREFIX}FB_APP_SECRET_SETTING_NAME": "FB_KEY", "FB_KEY": "x"})
    assert (other.findings, list(other.plan.providers)) == ((), ["facebook"])


def test_app_settings_are_found_under_their_prefix() -> None:
    """APPSETTING_ is looked for where the plain name is unset or empty."""
    assert lookup({"APPSETTING_A": "1"}, "A") == ("1", "APPSETTING_A")
    assert lookup({"APPSETTING_A": "1", "A": "2"}, "A") == ("2", "A")
    assert lookup({"APPSETTING_A": "1", "A": ""}, "A") == ("1", "APPSETTING_A")
    assert lookup({"APPSETTING_A": ""}, "A") is None
    assert planned(TREE, {f"APPSETTING_{PREFIX}API_PREFIX": "/sign"}).plan.api_prefix == "/sign"


@pytest.mark.parametrize("name", sorted(REPORTED))
def test_what_cannot_be_followed_is_reported(name: str) -> None:
    """A variable of the table that has no meaning here is one warning that names it."""
    (finding,) = planned(TREE, {PREFIX + name: "x"}).findings
    assert (finding.severity, finding.code, finding.where) == ("warning", "setting_without_effect", PREFIX + name)


@pytest.mark.parametrize(
    ("name", "value", "severity", "code"),
    [
        ("WEBSITE_AUTH_AAD_ALLOWED_TENANT", TENANT, "warning", "setting_unknown"),
        ("WEBSITE_AUTH_AAD_ALLOWED_TENANTS", "contoso.com", "error", "setting_invalid"),
        ("WEBSITE_AUTH_AAD_ALLOWED_TENANTS", " , ", "error", "setting_invalid"),
        ("WEBSITE_AUTH_USE_LEGACY_CLAIMS", "yes", "error", "setting_invalid"),
        ("WEBSITE_AUTH_VALIDATE_NONCE", "nope", "error", "setting_invalid"),
        ("WEBSITE_AUTH_NONCE_DURATION", "5", "error", "setting_invalid"),
        ("WEBSITE_AUTH_PRM_DEFAULT_WITH_SCOPES", "a b", "error", "setting_invalid"),
        ("WEBSITE_WARMUP_PATH", "warmup", "error", "setting_invalid"),
        ("WEBSITE_WARMUP_PATH", "/warm/*", "error", "setting_invalid"),
        ("WEBSITE_AUTH_ENABLED", "maybe", "error", "setting_invalid"),
        ("WEBSITE_AUTH_ENABLED", "false", "warning", "setting_without_effect"),
    ],
)
def test_a_bad_variable_is_one_finding(name: str, value: str, severity: str, code: str) -> None:
    """What cannot be read is an error with the variable's name, and a name that nobody knows a warning."""
    (finding,) = planned(TREE, {name: value}).findings
    assert (finding.severity, finding.code) == (severity, code)
    assert name in {"WEBSITE_AUTH_ENABLED", finding.where}


def test_a_secret_and_a_name_for_it_contradict() -> None:
    """Which of two secrets counts is not for us to guess."""
    environment = {f"{PREFIX}CLIENT_SECRET": "a", f"{PREFIX}CLIENT_SECRET_SETTING_NAME": "B_KEY", "B_KEY": "b"}
    assert [entry.code for entry in planned(TREE, environment).findings] == ["setting_conflict"]


def test_a_tree_that_is_off_contradicts_a_variable_that_says_on() -> None:
    """Where App Service says that authentication is on, a tree that switches it off does not go unnoticed."""
    tree = {"platform": {"enabled": False}}
    assert [entry.code for entry in planned(tree, {"WEBSITE_AUTH_ENABLED": "True"}).findings] == ["setting_conflict"]
    assert planned(SEVERAL, {"WEBSITE_AUTH_ENABLED": "True"}).findings == ()


def test_the_warm_up_path_is_taken() -> None:
    """The path of App Service's warm-up is one that is never rejected."""
    assert planned(TREE, {"WEBSITE_WARMUP_PATH": "/warmup"}).plan.warmup_path == "/warmup"


def test_variables_without_a_tree_are_told() -> None:
    """Who sets them and writes no tree is told that nobody signs in."""
    (finding,) = report_idle({"WEBSITE_AUTH_CLIENT_ID": "x", "WEBSITE_AUTH_OPENID_ISSUER": "y"})
    assert (finding.severity, finding.where) == ("warning", "WEBSITE_AUTH_CLIENT_ID")
    assert list(report_idle({"WEBSITE_AUTH_SIGNING_KEY": "x"})) == []
