"""What is reported of a tree that asks for more than the generation that `easyauth.profile` names had."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from doorward.config.loading import check
from doorward.config.sources import Options
from tests.support.auth_trees import ENVIRONMENT, SEVERAL, with_key

TOML = """
[server]
public_url = "https://app.example.com"
[auth]
file = "auth.json"
[easyauth]
profile = "{profile}"
allowed_domains = ["contoso.com"]
"""


@pytest.fixture(autouse=True)
def _in_an_empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def found(profile: str, tree: Mapping[str, Any]) -> set[tuple[str, str, str]]:
    """Give severity, code and setting of every finding about `tree` under a profile; each stands at its line."""
    Path("doorward.toml").write_text(TOML.format(profile=profile))
    Path("auth.json").write_text(json.dumps(tree, indent=1))
    findings = check(Options(config="doorward.toml", environment=ENVIRONMENT, purpose="check"))
    assert all(entry.where.startswith("auth.json:") for entry in findings)
    return {(entry.severity, entry.code, entry.setting.removeprefix("auth.")) for entry in findings}


@pytest.mark.parametrize(
    ("path", "value", "code"),
    [
        ("globalValidation.requireAuthentication", True, "setting_unknown"),
        ("globalValidation.unauthenticatedClientAction", "Return404", "setting_conflict"),
        ("login.tokenStore.fileSystem.directory", "/home/data", "setting_unknown"),
    ],
)
def test_keys_that_container_apps_lack(path: str, value: object, code: str) -> None:
    """What App Service has and Container Apps have not is reported under their profile, and under no other."""
    tree = with_key(SEVERAL, path, value)
    assert found("container-apps", tree) - found("current", tree) == {("warning", code, path)}
    assert ("warning", code, path) not in found("2016", tree)


def test_container_apps_have_no_microsoft_account() -> None:
    """The provider is reported once, whatever is written of it."""
    path = "identityProviders.legacyMicrosoftAccount.registration"
    tree = with_key(with_key(SEVERAL, f"{path}.clientId", "id"), f"{path}.clientSecretSettingName", "GITHUB_SECRET")
    more = found("container-apps", tree) - found("current", tree)
    assert more == {("warning", "setting_unknown", "identityProviders.legacyMicrosoftAccount")}


def test_providers_that_are_newer_than_2016() -> None:
    """Providers that came later are reported under the profile 2016, custom ones among them; its own five are not."""
    more = found("2016", SEVERAL) - found("current", SEVERAL)
    newer = ("identityProviders.gitHub", "identityProviders.customOpenIdConnectProviders.contoso")
    assert more == {("warning", "setting_conflict", name) for name in newer}


def test_a_tree_that_is_switched_off_is_not_held_to_a_profile() -> None:
    """Nobody signs in with anything then."""
    tree = with_key(SEVERAL, "platform.enabled", False)
    assert found("2016", tree) == found("current", tree)
