"""What is questionable about sign-in, from the whole of the settings."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from doorward.config.dev_keys import DEV_SECRET_MARK
from doorward.config.findings import SettingsRejected
from doorward.config.loading import check, load
from doorward.config.settings import Settings
from doorward.config.sources import Options, Purpose
from tests.support.auth_trees import ENVIRONMENT, GITHUB, PRINTED, SEVERAL, TENANT, with_key

PUBLIC = '[server]\npublic_url = "https://app.example.com"\n'
FILE = f'{PUBLIC}[auth]\nfile = "auth.json"\n'
LISTED = f'{FILE}[easyauth]\nallowed_domains = ["contoso.com"]\n'
APP = '[app]\nupstream = "http://127.0.0.1:3000"\n'
ISSUER = "identityProviders.azureActiveDirectory.registration.openIdIssuer"
COMMON = "https://login.microsoftonline.com/common/v2.0"
PRINCIPALS = "identityProviders.azureActiveDirectory.validation.defaultAuthorizationPolicy.allowedPrincipals"


@pytest.fixture(autouse=True)
def _in_an_empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def options(
    text: str,
    tree: Mapping[str, Any] | None = None,
    environment: Mapping[str, str] | None = None,
    purpose: Purpose = "serve",
) -> Options:
    """Give options with `text` as doorward.toml and `tree` as auth.json, one key a line."""
    Path("doorward.toml").write_text(text)
    if tree is not None:
        Path("auth.json").write_text(json.dumps(tree, indent=1))
    return Options(config="doorward.toml", environment=ENVIRONMENT | dict(environment or {}), purpose=purpose)


def found(
    text: str, tree: Mapping[str, Any] | None = None, environment: Mapping[str, str] | None = None
) -> list[tuple[str, str, str, str]]:
    """Give severity, code, place and setting of every finding."""
    findings = check(options(text, tree, environment))
    return [(entry.severity, entry.code, entry.where, entry.setting) for entry in findings]


# --- the application and the tree --------------------------------------------------------------------------------


@pytest.mark.parametrize("purpose", ["serve", "check", "dev"])
def test_no_application_stands_open_by_mistake(purpose: Purpose) -> None:
    """An application without an auth tree is refused; who means it writes that the tree is off."""
    with pytest.raises(SettingsRejected):
        load(options(APP, purpose=purpose))
    settings = load(options(f"{APP}[auth.platform]\nenabled = false\n", purpose=purpose))
    assert settings.auth.plan is not None
    assert not settings.auth.plan.enabled
    assert [entry.setting for entry in settings.warnings] == ["auth.platform.enabled"]
    assert load(options("")).auth.plan is None


def test_a_file_is_followed_to_the_line() -> None:
    """App Service's file is read by `serve` and `check` alike, and findings name its lines."""
    tree = with_key(SEVERAL, "login.nonce.validateNonce", "no")
    ((severity, code, where, setting), _) = found(LISTED, tree)
    assert (severity, code, setting) == ("error", "setting_invalid", "auth.login.nonce.validateNonce")
    name, _, line = where.partition(":")
    assert Path(name).read_text().splitlines()[int(line) - 1].strip() == '"validateNonce": "no"'
    with pytest.raises(SettingsRejected):
        load(options(LISTED, tree))


def test_an_inline_tree_is_followed_to_the_line() -> None:
    """The same tree inline is read by the same function; findings name the lines of doorward.toml."""
    text = (
        f"{PUBLIC}[auth.globalValidation]\nunauthenticatedClientAction = 'Return401'\nexcludedPaths = ['x']\n"
        "[auth.identityProviders.azureActiveDirectory.registration]\nclientID = 'x'\n"
        f"openIdIssuer = 'https://login.microsoftonline.com/{TENANT}/v2.0'\n"
    )
    assert found(text) == [("error", "setting_invalid", "doorward.toml:5", "auth.globalValidation.excludedPaths")]
    settings = load(options(text.replace("'x']", "'/x']")))
    assert settings.auth.plan is not None
    assert (settings.auth.plan.action, list(settings.auth.plan.providers)) == ("Return401", ["aad"])


def test_the_tree_of_the_environment_counts_without_another() -> None:
    """App Service's own variable is the tree where the settings have none, and silent where they have one."""
    variable = {"WEBSITE_AUTH_V2_CONFIG_JSON": json.dumps({"globalValidation": {"unauthenticatedClientAction": 2}})}
    plan = load(options(PUBLIC, environment=variable)).auth.plan
    assert plan is not None
    assert plan.action == "Return401"
    inline = load(options(f"{PUBLIC}[auth.globalValidation]\nunauthenticatedClientAction = 3\n", environment=variable))
    assert inline.auth.plan is not None
    assert inline.auth.plan.action == "Return403"
    broken = check(options(PUBLIC, environment={"WEBSITE_AUTH_V2_CONFIG_JSON": "{"}))
    assert [(entry.code, entry.where) for entry in broken] == [("settings_syntax", "WEBSITE_AUTH_V2_CONFIG_JSON")]


def test_variables_alone_can_ask_for_sign_in() -> None:
    """With WEBSITE_AUTH_ENABLED the other variables make the tree; without it they are reported."""
    environment = {"WEBSITE_AUTH_CLIENT_ID": "x", "WEBSITE_AUTH_OPENID_ISSUER": f"https://sts.windows.net/{TENANT}/"}
    assert [entry[1:3] for entry in found(PUBLIC, environment=environment)] == [
        ("setting_without_effect", "WEBSITE_AUTH_CLIENT_ID")
    ]
    assert load(options(PUBLIC, environment=environment)).auth.plan is None
    plan = load(options(PUBLIC, environment=environment | {"WEBSITE_AUTH_ENABLED": "True"})).auth.plan
    assert plan is not None
    assert plan.provider == "aad"


def test_an_inline_tree_may_name_a_file() -> None:
    """App Service's own pointer to a file is followed once, and a file that is not there is told."""
    pointer = f"{PUBLIC}[auth.platform]\nconfigFilePath = 'auth.json'\n"
    plan = load(options(pointer, {"globalValidation": {"unauthenticatedClientAction": "Return404"}})).auth.plan
    assert plan is not None
    assert plan.action == "Return404"
    missing = pointer.replace("auth.json", "other.json")
    assert ("error", "settings_file_unreadable", "doorward.toml:4", "auth.file") in found(missing)


def test_a_command_brings_its_own_tree() -> None:
    """What a command brings counts where nobody gives another."""
    tree = {"globalValidation": {"unauthenticatedClientAction": "Return403"}}
    plan = load(Options(auth_tree=tree, environment={}, purpose="dev")).auth.plan
    assert plan is not None
    assert plan.action == "Return403"


def test_a_toml_tree_is_read_too() -> None:
    """A file whose name ends in .toml is the same tree."""
    Path("tree.toml").write_text(
        "[login.nonce]\nvalidateNonce = 1\n[globalValidation]\nunauthenticatedClientAction = 2\n"
    )
    assert [entry[2] for entry in found(f"{PUBLIC}[auth]\nfile = 'tree.toml'\n")] == ["tree.toml:2"]


def test_commands_that_serve_nothing_need_no_secrets() -> None:
    """A command on the database runs where the providers' secrets are not set, and still knows the tree."""
    Path("doorward.toml").write_text(FILE)
    Path("auth.json").write_text(json.dumps(PRINTED))
    settings = load(Options(environment={}, purpose="command"))
    assert settings.warnings == ()
    assert settings.auth.plan is not None


# --- who gets in -------------------------------------------------------------------------------------------------


def test_public_providers_without_a_list_are_told() -> None:
    """Google and GitHub admit everybody who has an account; a tenant's own issuer and a custom provider do not."""
    expected = [
        ("warning", "setting_unsafe", "auth.json:20", "auth.identityProviders.google"),
        ("warning", "setting_unsafe", "auth.json:37", "auth.identityProviders.gitHub"),
    ]
    assert [entry for entry in found(FILE, SEVERAL) if entry[1] == "setting_unsafe"] == expected


@pytest.mark.parametrize(
    "text", ["allowed_emails = ['jane@contoso.com']", "allowed_domains = ['contoso.com']", "allowed_users = ['aad:x']"]
)
def test_a_list_closes_the_house(text: str) -> None:
    """Each of our own lists says who may pass, so nothing is left to say."""
    assert found(f"{FILE}[easyauth]\n{text}\n[server.x]\n"[:-11], with_key(SEVERAL, ISSUER, COMMON))[1:] == []


def test_an_issuer_of_many_tenants_is_told() -> None:
    """An issuer called common admits every tenant, unless tenants, groups or people are named."""
    tree = with_key(PRINTED["properties"], ISSUER, COMMON)
    path = "auth.identityProviders.azureActiveDirectory"
    unsafe = [entry[3] for entry in found(FILE, tree) if entry[1] == "setting_unsafe"]
    assert unsafe == [path]
    assert path not in [entry[3] for entry in found(FILE, tree, {"WEBSITE_AUTH_AAD_ALLOWED_TENANTS": TENANT})]
    assert path not in [entry[3] for entry in found(FILE, with_key(tree, f"{PRINCIPALS}.identities", ["x"]))]


@pytest.mark.parametrize(
    ("path", "value", "setting"),
    [
        ("globalValidation.excludedPaths", ["/*"], "auth.globalValidation.excludedPaths"),
        ("login.nonce.validateNonce", False, "auth.login.nonce.validateNonce"),
        ("httpSettings.forwardProxy.convention", "Standard", "auth.httpSettings.forwardProxy.convention"),
        (ISSUER, "http://127.0.0.1:9/tenant/v2.0", f"auth.{ISSUER}"),
    ],
)
def test_what_is_questionable_about_a_tree_is_one_warning(path: str, value: object, setting: str) -> None:
    """What is legal and rarely meant is told, with its line in the file."""
    tree = with_key(PRINTED["properties"], path, value)
    del tree["clearInboundClaimsMapping"]
    ((severity, _, where, named),) = found(FILE, tree)
    assert (severity, named) == ("warning", setting)
    assert where.startswith("auth.json:")


def test_a_redirect_to_nobody_is_told() -> None:
    """A tree without providers is valid, and whoever meant to have some hears of it."""
    assert [entry[:2] for entry in found(f"{PUBLIC}[auth]\n")] == [("warning", "setting_conflict")]
    assert found(f"{PUBLIC}[auth.globalValidation]\nunauthenticatedClientAction = 'Return401'\n") == []


def test_what_does_not_go_with_http_is_told() -> None:
    """Over http a form from Entra does not carry the cookie, and a demand for https refuses everybody."""
    tree = {key: value for key, value in PRINTED["properties"].items() if key != "clearInboundClaimsMapping"}
    findings = found('[auth]\nfile = "auth.json"\n', tree)
    assert [(entry[0], entry[3]) for entry in findings] == [
        ("warning", "auth.httpSettings.requireHttps"),
        ("warning", "server.public_url"),
    ]


# --- [providers.NAME] and [easyauth] -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "setting", "words"),
    [
        ("[providers.gogle]\nissuer = 'https://a.example'\n", "providers.gogle", "Did you mean [providers.google]?"),
        ("[providers.contos]\nissuer = 'https://a.example'\n", "providers.contos", "Did you mean [providers.contoso]?"),
        ("[providers.zzz]\n", "providers.zzz", "Remove it"),
        (
            "[providers.aad]\nclient_certificate_file = 'doorward.toml'\n",
            "providers.aad.client_key_file",
            "go together",
        ),
        ("[providers.apple]\nteam_id = 'T'\nkey_id = 'K'\n", "providers.apple.private_key_file", "go together"),
        ("[providers.Google]\n[providers.google]\n", "providers.google", "two spellings"),
        ("[providers.x]\n[providers.twitter]\n", "providers.twitter", "providers.x"),
    ],
)
def test_a_table_has_to_fit_its_provider(text: str, setting: str, words: str) -> None:
    """A table of nobody is an error with a suggestion; files that belong together are asked for together."""
    findings = check(options(LISTED + text, SEVERAL))
    (finding,) = [entry for entry in findings if entry.severity == "error"]
    assert (finding.setting, finding.where.partition(":")[0]) == (setting, "doorward.toml")
    assert words in finding.line()


def test_a_file_that_cannot_be_read_is_told() -> None:
    """Certificates and keys are looked for before anybody signs in."""
    text = f"{LISTED}[providers.aad]\nclient_certificate_file = 'c.pem'\nclient_key_file = 'doorward.toml'\n"
    errors = [entry for entry in found(text, SEVERAL) if entry[0] == "error"]
    assert errors == [("error", "settings_file_unreadable", "doorward.toml:8", "providers.aad.client_certificate_file")]


@pytest.mark.parametrize("name", ["contoso", "Contoso", "google", "x", "twitter"])
def test_tables_of_known_names_are_accepted(name: str) -> None:
    """Built-in names, their aliases and custom names of the tree are known, in any case."""
    text = f"{LISTED}[providers.{name}]\nissuer = 'https://a.example'\n"
    assert [entry for entry in found(text, SEVERAL) if entry[0] == "error"] == []


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("allowed_users = ['gogle:1']", "setting_without_effect"),
        ("allowed_users = ['1']", "setting_invalid"),
        ("allowed_users = ['google:']", "setting_invalid"),
        ("allowed_emails = ['jane']", "setting_invalid"),
        ("allowed_domains = ['jane@contoso.com']", "setting_invalid"),
    ],
)
def test_entries_that_admit_nobody_are_told(text: str, code: str) -> None:
    """An entry that can never match keeps somebody out, so its writer hears of it."""
    codes = [entry.code for entry in check(options(f"{FILE}[easyauth]\n{text}\n", SEVERAL))]
    assert code in codes


def test_the_secrets_of_dev_are_refused_in_production() -> None:
    """A client secret that everybody knows is no secret; `dev` itself works with it."""
    tree = {"identityProviders": {"gitHub": GITHUB}}
    known = {"APPSETTING_GITHUB_PROVIDER_AUTHENTICATION_SECRET": f"{DEV_SECRET_MARK}github"}
    errors = [entry for entry in found(LISTED, tree, known) if entry[0] == "error"]
    assert [(entry[1], entry[3]) for entry in errors] == [("setting_unsafe", "auth.identityProviders.gitHub")]
    settings: Settings = load(options(LISTED, tree, known, purpose="dev"))
    assert settings.auth.plan is not None
