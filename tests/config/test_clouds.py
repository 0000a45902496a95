"""Clouds: what is built in, and what a table makes of it."""

from pathlib import Path

import pytest

from doorward.config.clouds import BUILT_IN, Cloud
from doorward.config.loading import load
from doorward.config.sources import Options


@pytest.fixture(autouse=True)
def _in_an_empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def read(text: str, environment: dict[str, str] | None = None) -> tuple[dict[str, Cloud], frozenset[str]]:
    """Give the clouds, and the configured ones, of a file."""
    Path("doorward.toml").write_text(text)
    settings = load(Options(environment=environment or {}))
    return dict(settings.clouds), settings.configured_clouds


def test_three_clouds_are_built_in() -> None:
    """The built-in clouds are those of the token-exchange reference 2.1 and 2.2; global alone is configured."""
    clouds, configured = read("")
    assert clouds == dict(BUILT_IN)
    assert configured == {"global"}
    assert clouds["global"] == Cloud(
        name="global",
        issuer_v1="https://sts.windows.net/{tenantid}/",
        issuer_v2="https://login.microsoftonline.com/{tenantid}/v2.0",
        keys_v1="https://login.microsoftonline.com/common/discovery/keys",
        keys_v2="https://login.microsoftonline.com/common/discovery/v2.0/keys",
    )
    assert clouds["usgov"].issuer_v1 == clouds["global"].issuer_v1
    assert clouds["usgov"].issuer_v2 == "https://login.microsoftonline.us/{tenantid}/v2.0"
    assert clouds["china"].issuer_v1 == "https://sts.chinacloudapi.cn/{tenantid}/"
    assert clouds["china"].keys_v2 == "https://login.partner.microsoftonline.cn/common/discovery/v2.0/keys"


def test_a_table_keeps_the_built_in_values_of_the_other_keys() -> None:
    """Setting one key changes that key alone, and an empty one nothing."""
    clouds, _ = read("[clouds.global]\nkeys_v2 = 'https://keys.example'\nissuer_v1 = ''\n")
    assert clouds["global"].keys_v2 == "https://keys.example"
    assert clouds["global"].issuer_v1 == BUILT_IN["global"].issuer_v1
    assert clouds["global"].keys_v1 == BUILT_IN["global"].keys_v1


def test_a_table_alone_enables_its_cloud() -> None:
    """An empty table says that a built-in cloud is used."""
    assert read("[clouds.usgov]\n")[1] == {"global", "usgov"}


def test_a_cloud_of_ones_own_may_have_one_version() -> None:
    """A new name with an issuer and its keys is a cloud for tokens of that version alone, from file and variable."""
    text = "[clouds.lab]\nissuer_v2 = 'https://lab.example/{tenantid}/v2.0'\n"
    clouds, configured = read(text, {"DOORWARD_CLOUDS__LAB__KEYS_V2": "https://lab.example/keys"})
    assert clouds["lab"] == Cloud(
        name="lab", issuer_v2="https://lab.example/{tenantid}/v2.0", keys_v2="https://lab.example/keys"
    )
    assert configured == {"global", "lab"}
