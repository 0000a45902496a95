"""What `config show` tells."""

import json
from pathlib import Path

import pytest

from doorward.config.loading import load
from doorward.config.settings import Settings, every_row
from doorward.config.showing import render_text, show
from doorward.config.sources import Options
from tests.support.auth_trees import ENVIRONMENT, SEVERAL, with_key
from tests.support.canaries import keep_secret

TEXT = """\
[server]
head_limit = "1MiB"
trusted_proxies = ["10.0.0.0/8"]
[secrets]
signing_key = "{key}"
[clouds.usgov]
keys_v2 = "https://keys.example"
[providers.google]
issuer = "https://issuer.example"
[token_service]
subscription_key = "{subscription}"
"""


def test_every_setting_is_shown_with_its_origin_and_without_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Values stand as they could be written, with their place; keys and the database's password are stars."""
    monkeypatch.chdir(tmp_path)
    key, subscription = keep_secret("c3" * 32), keep_secret("subscription-of-a-test")
    password = keep_secret("password-of-a-test")
    Path("doorward.toml").write_text(TEXT.format(key=key, subscription=subscription))
    environment = {
        "DOORWARD_DATABASE__URL": f"postgresql://u:{password}@h/n",
        "DOORWARD_SECRETS__ENCRYPTION_KEY": keep_secret("d4" * 32),
    }
    shown = show(load(Options(environment=environment)))
    told = {entry.name: (entry.value, entry.origin) for entry in shown}
    assert told["server.listen"] == ("127.0.0.1:8080", "default")
    assert told["server.head_limit"] == ("1MiB", "doorward.toml:2")
    assert told["server.trusted_proxies"] == ("10.0.0.0/8", "doorward.toml:3")
    assert told["server.access_log"] == ("true", "default")
    assert told["token_service.access_token_lifetime"] == ("7d", "default")
    assert told["secrets.signing_key"] == ("********", "doorward.toml:5")
    assert told["token_service.subscription_key"] == ("********", "doorward.toml:11")
    assert told["database.url"] == ("postgresql://u:********@h/n", "DOORWARD_DATABASE__URL")
    assert told["clouds.usgov.keys_v2"] == ("https://keys.example", "doorward.toml:7")
    assert told["clouds.usgov.issuer_v2"] == ("https://login.microsoftonline.us/{tenantid}/v2.0", "default")
    assert told["providers.google.issuer"] == ("https://issuer.example", "doorward.toml:9")
    text = render_text(shown) + json.dumps([entry.members() for entry in shown])
    assert not any(secret in text for secret in (key, subscription, password))


def test_the_auth_tree_is_shown_key_by_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each key of the tree stands with its value and its place, and no secret is among them."""
    monkeypatch.chdir(tmp_path)
    Path("auth.json").write_text(json.dumps(SEVERAL, indent=1))
    Path("doorward.toml").write_text('[server]\npublic_url = "https://a.example"\n[auth]\nfile = "auth.json"\n')
    secret = keep_secret("a-client-secret-that-nobody-may-see")
    environment = dict.fromkeys(ENVIRONMENT, secret) | {"WEBSITE_AUTH_NONCE_DURATION": "00:01:00"}
    shown = show(load(Options(environment=environment, purpose="command")))
    told = {entry.name: (entry.value, entry.origin) for entry in shown}
    providers = "auth.identityProviders"
    assert told["auth.login.nonce.nonceExpirationInterval"] == ("00:01:00", "WEBSITE_AUTH_NONCE_DURATION")
    assert told["auth.globalValidation.unauthenticatedClientAction"] == ("RedirectToLoginPage", "default")
    assert told["auth.globalValidation.excludedPaths"] == ('["/public/*", "/health"]', "auth.json:6")
    assert told["auth.login.cookieExpiration.convention"][0] == "IdentityProviderDerived"
    assert told["auth.httpSettings.requireHttps"] == ("true", "default")
    name = "GITHUB_PROVIDER_AUTHENTICATION_SECRET"
    assert told[f"{providers}.gitHub.registration.clientSecretSettingName"][0] == name
    custom = f"{providers}.customOpenIdConnectProviders.contoso"
    assert told[f"{custom}.login.nameClaimType"][0] == "preferred_username"
    assert secret not in render_text(shown)


def test_a_secret_in_place_of_its_name_is_masked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What looks like a secret where a variable's name should stand is not shown."""
    monkeypatch.chdir(tmp_path)
    secret = keep_secret("GOCSPX-pasted-in-place-of-a-name")
    path = "identityProviders.google.registration.clientSecretSettingName"
    Path("auth.json").write_text(json.dumps(with_key(SEVERAL, path, secret)))
    Path("doorward.toml").write_text('[auth]\nfile = "auth.json"\n')
    shown = show(load(Options(environment=ENVIRONMENT, purpose="command")))
    assert next(entry.value for entry in shown if entry.name == f"auth.{path}") == "********"
    assert secret not in render_text(shown)


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("session-encryption-key", "session-encryption-key"),
        ("auth.v2-key", "auth.v2-key"),
        ("AUTH_KEY", "AUTH_KEY"),
        ("0123456789abcdef" * 4, "********"),
        ("Zm9v+YmFy/cGFzdGVk==", "********"),
    ],
)
def test_names_of_container_apps_secrets_are_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: str, shown: str
) -> None:
    """The names under which Container Apps keep their keys are no secrets; a key in place of its name is."""
    monkeypatch.chdir(tmp_path)
    names = [f"encryptionSettings.containerAppAuth{use}SecretName" for use in ("Encryption", "Signing")]
    Path("auth.json").write_text(json.dumps(with_key(with_key(SEVERAL, names[0], written), names[1], written)))
    Path("doorward.toml").write_text('[auth]\nfile = "auth.json"\n')
    told = {entry.name: entry.value for entry in show(load(Options(environment=ENVIRONMENT, purpose="command")))}
    assert [told[f"auth.{name}"] for name in names] == [shown, shown]


def test_no_setting_is_left_out() -> None:
    """Every row of the table is shown, and an unset secret shows as nothing."""
    shown = show(Settings())
    names = {entry.name for entry in shown}
    assert {f"{entry.name}.{key}" for entry, key, _ in every_row() if not entry.named} <= names
    assert {"clouds.global.keys_v2", "clouds.china.issuer_v1"} <= names
    assert next(entry.value for entry in shown if entry.name == "secrets.signing_key") == ""


def test_an_empty_list_is_shown_as_one() -> None:
    """Where nothing is listed, that is told from an empty text."""
    told = {entry.name: entry.value for entry in show(Settings())}
    assert (told["server.trusted_proxies"], told["outbound.ca_file"]) == ("[]", "")


def test_text_stands_in_columns() -> None:
    """Each line has name, value and origin; an empty value is visible."""
    lines = render_text(show(Settings())).splitlines()
    assert [line.split()[0] for line in lines][:2] == ["server.listen", "server.admin_listen"]
    assert all(line.split()[-1] == "default" and len(line.split()) >= 3 for line in lines)
    assert render_text([]) == ""
