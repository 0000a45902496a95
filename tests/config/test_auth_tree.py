"""From App Service's tree to a plan: ordinary trees, defaults, contradictions."""

from dataclasses import replace
from typing import Any

import pytest

from doorward import providers
from doorward.config.auth_plan import AuthPlan
from doorward.config.sections_easyauth import ProviderSettings
from doorward.config.tree_docs import render_tree_docs
from doorward.providers.spec import Endpoints
from tests.support.auth_trees import AAD, CONTOSO, GITHUB, GOOGLE, PRINTED, SEVERAL, TENANT, planned, with_key

ONE: dict[str, Any] = {"identityProviders": {"azureActiveDirectory": AAD}}


def plan_of(tree: dict[str, Any], **environment: str) -> AuthPlan:
    """Give the plan of a tree that nothing is wrong with."""
    result = planned(tree, environment)
    assert [finding.line() for finding in result.findings if finding.severity == "error"] == []
    return result.plan


def complaints(tree: dict[str, Any], **environment: str) -> list[tuple[str, str, str]]:
    """Give severity, code and setting of every finding about a tree."""
    return [(entry.severity, entry.code, entry.setting) for entry in planned(tree, environment).findings]


# --- ordinary trees ----------------------------------------------------------------------------------------------


def test_an_empty_tree_asks_everybody_and_knows_nobody() -> None:
    """Without a key everything has the default of the reference and the interface."""
    assert plan_of({}) == AuthPlan(enabled=True, action="RedirectToLoginPage")


def test_the_tree_that_azure_prints_is_read_as_it_is() -> None:
    """A body of the resource manager, with nulls and empty shells, is one provider; what Azure added is one warning."""
    assert complaints(PRINTED) == [("warning", "setting_unknown", "auth.clearInboundClaimsMapping")]
    plan = plan_of(PRINTED)
    assert list(plan.providers) == ["aad"]
    assert (plan.enabled, plan.action, plan.provider) == (True, "RedirectToLoginPage", "aad")
    aad = plan.providers["aad"]
    assert aad.client_id == "11111111-aaaa-4aaa-8aaa-000000000001"
    assert aad.client_secret.reveal() == "secret-of-aad"
    assert aad.login_parameters == (("scope", "openid offline_access"),)
    assert aad.audiences == ("api://app",)
    assert aad.endpoints.issuer == f"https://login.microsoftonline.com/{TENANT}/v2.0"
    assert aad.endpoints.discovery == f"{aad.endpoints.issuer}/.well-known/openid-configuration"
    assert aad.sends_challenge
    assert (plan.require_https, plan.api_prefix, plan.logout_path) == (True, "/.auth", "/.auth/logout")


def test_a_file_with_several_providers_is_read_whole() -> None:
    """Four providers of four kinds, in the order of the file, with the spellings of the file's documentation."""
    plan = plan_of(SEVERAL)
    assert list(plan.providers) == ["aad", "google", "github", "contoso"]
    assert plan.provider is None
    assert plan.excluded_paths == ("/public/*", "/health")
    assert (plan.api_prefix, plan.logout_path) == ("/login-service", "/bye")
    assert plan.expiration == "IdentityProviderDerived"
    assert plan.allowed_targets == ("https://other.example.com/app", "app://easyauth.callback")
    assert plan.host_header == "x-forwarded-host"
    google, github, contoso = (plan.providers[name] for name in ("google", "github", "contoso"))
    assert (google.scopes, google.audiences) == (("openid", "email"), ("another-client",))
    assert google.endpoints.discovery == "https://accounts.google.com/.well-known/openid-configuration"
    assert github.client_secret.reveal() == "secret-of-github"
    assert github.endpoints.token_endpoint == "https://github.com/login/oauth/access_token"
    assert github.endpoints.discovery == ""
    assert contoso.client_secret.reveal() == "secret-of-contoso"
    assert contoso.endpoints.discovery == "https://id.contoso.com/.well-known/openid-configuration"
    assert (contoso.name_claim_type, contoso.scopes) == ("preferred_username", ("openid",))


def test_no_plan_prints_a_secret() -> None:
    """Whoever logs a plan, or what was found about one, logs no secret."""
    result = planned(SEVERAL)
    assert not any(secret in repr(result) for secret in ("secret-of-aad", "secret-of-google", "secret-of-contoso"))


def test_names_and_words_count_without_regard_to_case() -> None:
    """App Service's reader compares names and words without case, and takes numbers for words."""
    tree = {
        "PLATFORM": {"Enabled": True},
        "GlobalValidation": {"unauthenticatedclientaction": "return403"},
        "login": {"cookieExpiration": {"convention": 1}, "TokenStore": {"ENABLED": False}},
        "httpSettings": {"forwardProxy": {"convention": "custom", "customHostHeaderName": "X-Original-Host"}},
    }
    plan = plan_of(tree)
    assert (plan.action, plan.expiration, plan.token_store) == ("Return403", "IdentityProviderDerived", False)
    assert plan.host_header == "x-original-host"
    both = {"identityProviders": {"azureActiveDirectory": AAD | {"login": {"disableWwwAuthenticate": True}}}}
    assert not plan_of(both).providers["aad"].sends_challenge


# --- who is asked ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("validation", "action"),
    [
        ({}, "RedirectToLoginPage"),
        ({"requireAuthentication": True}, "RedirectToLoginPage"),
        ({"requireAuthentication": None}, "RedirectToLoginPage"),
        ({"requireAuthentication": False}, "AllowAnonymous"),
        ({"requireAuthentication": False, "unauthenticatedClientAction": "Return401"}, "Return401"),
        ({"requireAuthentication": True, "unauthenticatedClientAction": 0}, "RedirectToLoginPage"),
        ({"unauthenticatedClientAction": 1}, "AllowAnonymous"),
        ({"unauthenticatedClientAction": 2}, "Return401"),
        ({"unauthenticatedClientAction": 3}, "Return403"),
        ({"unauthenticatedClientAction": "Return404"}, "Return404"),
    ],
)
def test_the_action_follows_the_interface(validation: dict[str, Any], action: str) -> None:
    """The action decides; without one, only a literal false of requireAuthentication lets everybody pass."""
    assert plan_of({"globalValidation": validation}).action == action


@pytest.mark.parametrize("enabled", [True, None])
def test_a_tree_is_on_unless_it_is_switched_off(*, enabled: bool | None) -> None:
    """Only a literal false of platform.enabled turns a tree off; then nothing else is asked of it."""
    assert plan_of({"platform": {"enabled": enabled}}).enabled
    off = {"platform": {"enabled": False}, "identityProviders": {"google": {"registration": {"clientId": "x"}}}}
    assert (plan_of(off).enabled, dict(plan_of(off).providers)) == (False, {})


@pytest.mark.parametrize(
    "spelling", ["azureactivedirectory", "AzureActiveDirectory", "azureActiveDirectory", "aad", "AAD"]
)
def test_spellings_of_the_provider_to_go_to(spelling: str) -> None:
    """Every spelling of the reference leads to the alias."""
    assert plan_of(with_key(SEVERAL, "globalValidation.redirectToProvider", spelling)).provider == "aad"


@pytest.mark.parametrize(("spelling", "alias"), [("GitHub", "github"), ("google", "google"), ("Contoso", "contoso")])
def test_other_providers_to_go_to(spelling: str, alias: str) -> None:
    """Keys of the tree, aliases and custom names count without regard to case."""
    assert plan_of(with_key(SEVERAL, "globalValidation.redirectToProvider", spelling)).provider == alias


def test_the_only_provider_is_gone_to_and_several_are_chosen_from() -> None:
    """Without redirectToProvider one provider needs no choice."""
    assert plan_of(ONE).provider == "aad"
    assert plan_of(SEVERAL).provider is None
    off = with_key(SEVERAL, "identityProviders.google.enabled", False)
    assert list(plan_of(off).providers) == ["aad", "github", "contoso"]


# --- what is refused, with its line ------------------------------------------------------------------------------

REFUSED: list[tuple[str, object, str, str]] = [
    ("platform", 1, "setting_invalid", "auth.platform"),
    ("platform.enabled", "true", "setting_invalid", "auth.platform.enabled"),
    ("globalValidation.requireAuthentication", 1, "setting_invalid", "auth.globalValidation.requireAuthentication"),
    ("globalValidation.unauthenticatedClientAction", "Return402", "setting_invalid",
     "auth.globalValidation.unauthenticatedClientAction"),
    ("globalValidation.unauthenticatedClientAction", 5, "setting_invalid",
     "auth.globalValidation.unauthenticatedClientAction"),
    ("globalValidation.unauthenticatedClientAction", True, "setting_invalid",
     "auth.globalValidation.unauthenticatedClientAction"),
    ("globalValidation.redirectToProvider", "okta", "setting_invalid", "auth.globalValidation.redirectToProvider"),
    ("globalValidation.excludedPaths", "/a", "setting_invalid", "auth.globalValidation.excludedPaths"),
    ("globalValidation.excludedPaths", ["/a/**"], "setting_invalid", "auth.globalValidation.excludedPaths"),
    ("globalValidation.excludedPaths", ["/a", 1], "setting_invalid", "auth.globalValidation.excludedPaths"),
    ("identityProviders", [], "setting_invalid", "auth.identityProviders"),
    ("identityProviders.google.registration", "x", "setting_invalid", "auth.identityProviders.google.registration"),
    ("identityProviders.google.registration.clientSecretSettingName", "NOT_SET_ANYWHERE", "setting_missing",
     "auth.identityProviders.google.registration.clientSecretSettingName"),
    ("identityProviders.google.registration.clientSecretSettingName", "", "setting_missing",
     "auth.identityProviders.google.registration.clientSecretSettingName"),
    ("identityProviders.google.registration.clientId", "", "setting_missing", "auth.identityProviders.google"),
    ("identityProviders.azureActiveDirectory.registration.openIdIssuer", "", "setting_missing",
     "auth.identityProviders.azureActiveDirectory.registration.openIdIssuer"),
    ("identityProviders.azureActiveDirectory.registration.openIdIssuer", "http://login.example/t", "setting_invalid",
     "auth.identityProviders.azureActiveDirectory.registration.openIdIssuer"),
    ("identityProviders.azureActiveDirectory.login.loginParameters", ["scope"], "setting_invalid",
     "auth.identityProviders.azureActiveDirectory.login.loginParameters"),
    ("identityProviders.azureActiveDirectory.login.loginParameters", ["state=x"], "setting_invalid",
     "auth.identityProviders.azureActiveDirectory.login.loginParameters"),
    ("identityProviders.openIdConnectProviders.contoso.registration.openIdConnectConfiguration", {}, "setting_missing",
     "auth.identityProviders.customOpenIdConnectProviders.contoso.registration.openIdConnectConfiguration"),
    ("identityProviders.openIdConnectProviders.contoso.registration.clientCredential.method", "Basic",
     "setting_invalid",
     "auth.identityProviders.customOpenIdConnectProviders.contoso.registration.clientCredential.method"),
    ("identityProviders.openIdConnectProviders.my-idp", CONTOSO, "setting_invalid",
     "auth.identityProviders.customOpenIdConnectProviders.my-idp"),
    ("identityProviders.openIdConnectProviders.GitHub", CONTOSO, "setting_invalid",
     "auth.identityProviders.customOpenIdConnectProviders.GitHub"),
    ("identityProviders.openIdConnectProviders.done", CONTOSO, "setting_invalid",
     "auth.identityProviders.customOpenIdConnectProviders.done"),
    ("identityProviders.openIdConnectProviders.CONTOSO", CONTOSO, "setting_invalid",
     "auth.identityProviders.customOpenIdConnectProviders.CONTOSO"),
    ("login.routes.logoutEndpoint", "/auth-service/bye", "setting_invalid", "auth.login.routes.logoutEndpoint"),
    ("login.routes.logoutEndpoint", "/login-service/me", "setting_conflict", "auth.login.routes.logoutEndpoint"),
    ("login.tokenStore.tokenRefreshExtensionHours", -1, "setting_invalid",
     "auth.login.tokenStore.tokenRefreshExtensionHours"),
    ("login.allowedExternalRedirectUrls", ["other.example.com"], "setting_invalid",
     "auth.login.allowedExternalRedirectUrls"),
    ("login.cookieExpiration.timeToExpiration", "8 hours", "setting_invalid",
     "auth.login.cookieExpiration.timeToExpiration"),
    ("login.cookieExpiration.timeToExpiration", "00:00:00", "setting_invalid",
     "auth.login.cookieExpiration.timeToExpiration"),
    ("login.nonce.validateNonce", "false", "setting_invalid", "auth.login.nonce.validateNonce"),
    ("httpSettings.routes.apiPrefix", "/", "setting_invalid", "auth.httpSettings.routes.apiPrefix"),
    ("httpSettings.routes.apiPrefix", "/auth-service", "setting_invalid", "auth.httpSettings.routes.apiPrefix"),
    ("httpSettings.forwardProxy.customHostHeaderName", "a b", "setting_invalid",
     "auth.httpSettings.forwardProxy.customHostHeaderName"),
    ("Login", {"preserveUrlFragmentsForLogins": 1}, "setting_invalid", "auth.login.preserveUrlFragmentsForLogins"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "value", "code", "setting"), REFUSED)
def test_a_bad_value_is_one_error_at_its_line(path: str, value: object, code: str, setting: str) -> None:
    """Each fault is one error which names its key, and the line of the file where it stands, or should."""
    tree = with_key(SEVERAL, path, value)
    errors = [finding for finding in planned(tree).findings if finding.severity == "error"]
    assert [(finding.code, finding.setting) for finding in errors] == [(code, setting)]
    assert errors[0].where.startswith("auth.json:")
    assert errors[0].where != "auth.json:0"


def test_a_finding_names_the_very_line() -> None:
    """The line is that of the key in the file, not of the object around it."""
    tree = {"platform": {"enabled": True}, "login": {"routes": {}, "nonce": {"validateNonce": 0}}}
    assert [entry.where for entry in planned(tree).findings] == ["auth.json:8"]


def test_require_authentication_and_allow_anonymous_contradict() -> None:
    """A tree that asks for both is refused; which of the two is meant cannot be known."""
    tree = {"globalValidation": {"requireAuthentication": True, "unauthenticatedClientAction": "AllowAnonymous"}}
    assert complaints(tree) == [("error", "setting_conflict", "auth.globalValidation.unauthenticatedClientAction")]


@pytest.mark.parametrize(
    "name", ["GOCSPX-abcdefghijklmnop", "0123456789abcdef0123456789abcdef", "xYz8Q~abc.def_ghi-jkl"]
)
def test_a_secret_in_place_of_its_name_is_not_repeated(name: str) -> None:
    """Who pastes the secret itself into the tree is told so without it."""
    tree = with_key(SEVERAL, "identityProviders.google.registration.clientSecretSettingName", name)
    findings = planned(tree).findings
    assert [entry.code for entry in findings] == ["setting_missing"]
    assert name not in findings[0].line()


# --- what is reported --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("platfrom", {}, "Did you mean platform?"),
        ("login.tokenstor", {}, "Did you mean tokenStore?"),
        ("identityProviders.google.registration.clientSecret", "x", "Did you mean clientSecretSettingName?"),
        ("identityProviders.okta", {}, "docs/auth-json.md lists every key"),
        ("login.tokenStore.fileSystem.directory", "/home/data", "cannot be followed here"),
        ("login.tokenStore.azureBlobStorage.sasUrlSettingName", "SAS_URL", "cannot be followed here"),
        ("login.tokenStore.azureBlobStorage.blobContainerUri", "https://x.example/c", "cannot be followed here"),
        ("encryptionSettings.containerAppAuthSigningSecretName", "key", "[secrets]"),
        ("identityProviders.azureStaticWebApps.registration.clientId", "x", "exists in Azure alone"),
        ("identityProviders.azureActiveDirectory.registration.clientSecretCertificateThumbprint", "AB", "certificate"),
        ("identityProviders.azureActiveDirectory.registration.clientSecretCertificateIssuer", "CN", "certificate"),
        ("identityProviders.azureActiveDirectory.registration.clientSecretSettingName",
         "OVERRIDE_USE_MI_FIC_ASSERTION_CLIENTID", "managed identity"),
        ("globalValidation.requireAuthentication", False, ""),
        ("httpSettings.forwardProxy.customHostHeaderName", "X-H", "Custom"),
        ("httpSettings.forwardProxy.convention", "Custom", "customHostHeaderName"),
        ("platform.configFilePath", "/other.json", "auth.file"),
        ("identityProviders.openIdConnectProviders.contoso.registration.openIdConnectConfiguration.issuer",
         "https://x.example", "has no effect beside"),
    ],
)  # fmt: skip
def test_what_cannot_be_followed_is_a_warning(path: str, value: object, words: str) -> None:
    """Unknown keys come with a suggestion, known ones that cannot be followed with the reason; both stay warnings."""
    tree = with_key(SEVERAL, path, value)
    if path == "globalValidation.requireAuthentication":
        tree = with_key(tree, "globalValidation.unauthenticatedClientAction", "Return401")
    (finding,) = planned(tree).findings
    assert finding.severity == "warning"
    assert finding.where.startswith("auth.json:")
    assert words in finding.line()


def test_a_certificate_file_stands_for_the_certificate() -> None:
    """With files in [providers.aad] the tree's certificate is followed, and no secret is asked for."""
    registration = {key: value for key, value in AAD["registration"].items() if key != "clientSecretSettingName"}
    tree = {"identityProviders": {"azureActiveDirectory": {"registration": registration}}}
    tree = with_key(tree, "identityProviders.azureActiveDirectory.registration.clientSecretCertificateThumbprint", "AB")
    files = ProviderSettings(client_certificate_file="c.pem", client_key_file="k.pem")
    result = planned(tree, written={"aad": files})
    assert result.findings == ()
    aad = result.plan.providers["aad"]
    assert (aad.certificate_file, aad.key_file, bool(aad.client_secret)) == ("c.pem", "k.pem", False)


def test_apple_needs_a_secret_or_a_key() -> None:
    """Apple's client secret is given, or made from the team's key; another provider's key does not count."""
    tree = {"identityProviders": {"apple": {"registration": {"clientId": "com.example"}}}}
    assert [entry.code for entry in planned(tree).findings] == ["setting_missing"]
    key = ProviderSettings(team_id="T", key_id="K", private_key_file="k.p8")
    result = planned(tree, written={"apple": key})
    assert result.findings == ()
    assert result.plan.providers["apple"].private_key_file == "k.p8"
    google = {"identityProviders": {"google": {"registration": {"clientId": "x"}}}}
    assert [entry.code for entry in planned(google, written={"google": key}).findings] == ["setting_missing"]


def test_aad_without_a_secret_signs_in_all_the_same() -> None:
    """Entra's id_token alone needs no secret; every other provider does."""
    registration = {key: value for key, value in AAD["registration"].items() if key != "clientSecretSettingName"}
    assert (
        not plan_of({"identityProviders": {"azureActiveDirectory": {"registration": registration}}})
        .providers["aad"]
        .client_secret
    )


# --- policies, parameters, addresses -----------------------------------------------------------------------------


def test_the_lists_of_entra_become_one_policy() -> None:
    """Each list of the tree and of the variables is asked for; older spellings join the newer ones."""
    validation = {
        "jwtClaimChecks": {"allowedGroups": ["g1"], "allowedClientApplications": ["a1", "a2"]},
        "defaultAuthorizationPolicy": {
            "allowedApplications": ["a2", "a3"],
            "allowedPrincipals": {"groups": ["g2"], "identities": ["O1"]},
        },
    }
    tree = {"identityProviders": {"azureActiveDirectory": AAD | {"validation": validation}}}
    policy = plan_of(tree, WEBSITE_AUTH_AAD_ALLOWED_TENANTS=f"{TENANT.upper()}, {TENANT}").providers["aad"].policy
    assert (policy.groups, policy.checked_groups, policy.applications) == (("g2",), ("g1",), ("a2",))
    assert (policy.identities, policy.tenants, policy.requires_oid) == (("o1",), (TENANT, TENANT), True)


def test_lists_of_applications_without_common_entry_are_refused() -> None:
    """Nobody could pass both, and an empty list would let everybody pass."""
    validation = {
        "jwtClaimChecks": {"allowedClientApplications": ["a1"]},
        "defaultAuthorizationPolicy": {"allowedApplications": ["a2"]},
    }
    tree = {"identityProviders": {"azureActiveDirectory": AAD | {"validation": validation}}}
    assert [entry[:2] for entry in complaints(tree)] == [("error", "setting_conflict")]


def test_parameters_of_custom_providers() -> None:
    """Values are sent, and bare names may be handed on by a sign-in."""
    login = {"loginParameterNames": ["prompt=login", "acr_values"], "loginParameters": ["audience=api"]}
    plan = plan_of({"identityProviders": {"customOpenIdConnectProviders": {"contoso": CONTOSO | {"login": login}}}})
    contoso = plan.providers["contoso"]
    assert contoso.login_parameters == (("prompt", "login"), ("audience", "api"))
    assert "acr_values" in contoso.spec.forwarded_parameters


def test_a_version_of_the_graph_api_is_part_of_facebooks_addresses() -> None:
    """The version stands before the paths of Facebook's own hosts."""
    registration = {"appId": "1", "appSecretSettingName": "GOOGLE_PROVIDER_AUTHENTICATION_SECRET"}
    tree = {"identityProviders": {"facebook": {"graphApiVersion": "v3.3", "registration": registration}}}
    facebook = plan_of(tree).providers["facebook"]
    assert facebook.endpoints.authorization_endpoint == "https://www.facebook.com/v3.3/dialog/oauth"
    assert facebook.endpoints.userinfo_endpoint == "https://graph.facebook.com/v3.3/me"


def test_tables_are_laid_over_the_tree() -> None:
    """[providers.NAME] counts for built-in and custom providers, whatever the case of the name."""
    tree = {"identityProviders": {"google": GOOGLE, "gitHub": GITHUB, "openIdConnectProviders": {"Contoso": CONTOSO}}}
    written = {
        "google": ProviderSettings(issuer="http://127.0.0.1:9/google"),
        "github": ProviderSettings(userinfo_endpoint="http://127.0.0.1:9/user"),
        "contoso": ProviderSettings(token_endpoint="http://127.0.0.1:9/token"),
    }
    found = planned(tree, written=written).plan.providers
    assert found["google"].endpoints.discovery == "http://127.0.0.1:9/google/.well-known/openid-configuration"
    assert found["github"].endpoints.userinfo_endpoint == "http://127.0.0.1:9/user"
    assert found["github"].endpoints.token_endpoint == "https://github.com/login/oauth/access_token"
    assert found["Contoso"].endpoints.token_endpoint == "http://127.0.0.1:9/token"
    assert found["Contoso"].endpoints.discovery == "https://id.contoso.com/.well-known/openid-configuration"


@pytest.mark.parametrize(
    ("tree", "public_url", "asked"),
    [
        ({}, "https://a.example", True),
        ({}, "http://127.0.0.1:8080", False),
        ({"httpSettings": {"requireHttps": False}}, "https://a.example", False),
        ({"httpSettings": {"requireHttps": True}}, "http://127.0.0.1:8080", True),
    ],
)
def test_https_is_asked_for_where_the_site_has_it(tree: dict[str, Any], public_url: str, *, asked: bool) -> None:
    """Without the key the public address decides."""
    assert planned(tree, public_url=public_url).plan.require_https is asked


def test_a_new_provider_is_configured_by_its_specification(monkeypatch: pytest.MonkeyPatch) -> None:
    """One specification more, and its keys are read, its secret is asked for, and its table counts."""
    spec = replace(
        providers.ALL["google"], name="fabrikam", label="Fabrikam", tree_key="fabrikamId", client_id_key="appKey",
        secret_key="appKeySettingName", endpoints=Endpoints(issuer="https://id.fabrikam.example"),
    )  # fmt: skip
    monkeypatch.setattr(providers, "ALL", {**providers.ALL, "fabrikam": spec})
    registration = {"appKey": "x", "appKeySettingName": "GOOGLE_PROVIDER_AUTHENTICATION_SECRET"}
    tree: dict[str, Any] = {"identityProviders": {"fabrikamId": {"registration": registration}}}
    tree["globalValidation"] = {"redirectToProvider": "FabrikamID"}
    plan = plan_of(tree)
    assert plan.provider == "fabrikam"
    assert plan.providers["fabrikam"].endpoints.discovery.startswith("https://id.fabrikam.example/.well-known/")
    del registration["appKeySettingName"]
    assert [entry[1] for entry in complaints(tree)] == ["setting_missing"]
    assert "identityProviders.fabrikamId.registration.appKey`" in render_tree_docs()
