"""The providers as data: each specification whole, found by being there, and one more added in one place."""

import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import msgspec
import pytest

from doorward.identity.person import ProviderTokens, me_entry
from doorward.identity.principal import principal_of
from doorward.protocol.id_token import issuer_is
from doorward.providers import ALL, by_alias, custom
from doorward.providers.custom import RESERVED
from doorward.providers.identify import make_identity
from doorward.providers.spec import Endpoints, ProviderSpec

SPECS = [*ALL.values(), custom("contoso")]


def test_everybody_is_there() -> None:
    """All built-in providers are found, under their own names."""
    assert list(ALL) == ["aad", "apple", "facebook", "github", "google", "microsoftaccount", "twitter"]
    assert all(name == spec.name for name, spec in ALL.items())


@pytest.mark.parametrize(
    ("alias", "name"),
    [
        ("aad", "aad"), ("AAD", "aad"), ("azureactivedirectory", "aad"), ("AzureActiveDirectory", "aad"),
        ("x", "twitter"), ("X", "twitter"), ("twitter", "twitter"), ("Google", "google"), ("gitHub", "github"),
        ("microsoftaccount", "microsoftaccount"),
    ],
)  # fmt: skip
def test_providers_by_alias(alias: str, name: str) -> None:
    """A provider is found by name and alias in any case."""
    spec = by_alias(alias)
    assert spec is not None
    assert spec.name == name


@pytest.mark.parametrize("alias", ["", "contoso", "aad ", "ａad", "faceboo\u212a"])
def test_no_provider_by_that_alias(alias: str) -> None:
    """Whatever else is said names no built-in provider."""
    assert by_alias(alias) is None


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_specifications_are_whole(spec: ProviderSpec) -> None:
    """Token kinds exist, the sample names somebody, and there is a way to ask and a way to learn who it was."""
    assert set(spec.tokens) <= set(ProviderTokens.__struct_fields__)
    assert make_identity(spec.name, spec, spec.sample, ProviderTokens(), legacy=True, profile="current").user_id
    assert msgspec.json.decode(msgspec.json.encode(spec.sample)) == spec.sample
    endpoints = spec.endpoints
    known = {name: getattr(endpoints, name) for name in Endpoints.__dataclass_fields__ if getattr(endpoints, name)}
    assert all(address.startswith("https://") for address in known.values())
    if not spec.id_token_signed:
        assert {"authorization_endpoint", "userinfo_endpoint"} <= set(known)
        assert not spec.takes_bearer
    if spec.kind == "oauth1":
        assert {"request_token_endpoint", "access_token_endpoint"} <= set(known)
        assert "access_token_secret" in spec.tokens
    if spec.kind == "oauth2":
        assert "token_endpoint" in known
    assert spec.response_type_without_secret in ("", "id_token")


def test_keys_of_the_auth_tree() -> None:
    """Each provider has its own key below `identityProviders`, and the names of its registration (reference 9.3)."""
    keys = {spec.tree_key: (spec.client_id_key, spec.secret_key) for spec in ALL.values()}
    usual = ("clientId", "clientSecretSettingName")
    assert keys == {
        "azureActiveDirectory": usual,
        "apple": usual,
        "facebook": ("appId", "appSecretSettingName"),
        "gitHub": usual,
        "google": usual,
        "legacyMicrosoftAccount": usual,
        "twitter": ("consumerKey", "consumerSecretSettingName"),
    }


def test_who_takes_bearers_and_who_can_refresh() -> None:
    """Bearers count for aad and custom providers; facebook, twitter and apple cannot refresh."""
    assert {spec.name for spec in SPECS if spec.takes_bearer} == {"aad", "contoso"}
    assert {spec.name for spec in SPECS if not spec.can_refresh} == {"apple", "facebook", "twitter"}
    assert {spec.name for spec in SPECS if not spec.nonce_in_state} == {"aad", "contoso"}


def test_google_without_a_scheme() -> None:
    """Google's issuer counts with and without its scheme, and in no other spelling."""
    rule = ALL["google"].issuer_rule("https://accounts.google.com", "")
    assert [
        rule.admits({"iss": issuer})
        for issuer in (
            "https://accounts.google.com", "accounts.google.com", "http://accounts.google.com", "Accounts.google.com",
            "https://accounts.google.com/", "google.com", "",
        )
    ] == [True, True, False, False, False, False, False]  # fmt: skip


def test_issuers_of_the_others() -> None:
    """Everybody else's issuer is the one of the discovery document, and nobody's where none is known."""
    for name in ("apple", "contoso"):
        rule = (ALL.get(name) or custom(name)).issuer_rule("https://id.example.com", "https://other.example.com")
        assert rule.admits({"iss": "https://id.example.com"})
        assert not rule.admits({"iss": "https://other.example.com"})
    assert not issuer_is("").admits({"iss": ""})


@pytest.mark.parametrize("name", ["contoso", "AUTH0", "a", "my_provider2", "id.example", "0" * 64])
def test_names_of_custom_providers(name: str) -> None:
    """Letters, digits, underscores and dots make a name."""
    assert custom(name).name == name


@pytest.mark.parametrize(
    "name",
    [
        "", "my-provider", ".", "..", ".a", "_a", "a b", "a/b", "a\r\nX-Evil", "käse", "a" * 65, "a\n", "%61",
        *sorted(RESERVED), "Doorward", "aad", "AAD", "x", "AzureActiveDirectory", "faceboo\u212a",
    ],
)  # fmt: skip
def test_names_that_are_none(name: str) -> None:
    """A name that would not stand in an address and in a header name, or that means something else, is refused."""
    with pytest.raises(ValueError, match=r"name"):
        custom(name)


FAR = ProviderSpec(
    name="far",
    label="Far",
    tree_key="farAway",
    kind="oidc",
    endpoints=Endpoints(issuer="https://far.example.com"),
    login_names=(("nick", "nick"),),
    tokens=("id_token",),
    sample={"sub": "7", "nick": "jane", "roles": ["a"]},
)


def test_a_provider_is_one_object() -> None:
    """Mapping, `/.auth/me` and headers of a new provider follow from its specification alone."""
    identity = make_identity("far", FAR, FAR.sample, ProviderTokens(id_token="t"), legacy=False, profile="current")
    element = me_entry(identity, profile="current", refreshed=False, redact=False)
    assert msgspec.json.decode(msgspec.json.encode(element)) == {
        "id_token": "t",
        "provider_name": "far",
        "user_claims": [
            {"typ": "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/nameidentifier", "val": "7"},
            {"typ": "nick", "val": "jane"},
            {"typ": "http://schemas.microsoft.com/ws/2008/06/identity/claims/role", "val": "a"},
        ],
        "user_id": "jane",
    }
    told = principal_of(identity, token_kinds=FAR.tokens, with_tokens=True, with_refresh_token=True)
    assert told.headers[1:] == (
        (b"X-MS-CLIENT-PRINCIPAL-ID", b"7"),
        (b"X-MS-CLIENT-PRINCIPAL-NAME", b"jane"),
        (b"X-MS-CLIENT-PRINCIPAL-IDP", b"far"),
        (b"X-MS-TOKEN-FAR-ID-TOKEN", b"t"),
    )


def test_a_provider_is_one_file(tmp_path: Path) -> None:
    """A file in the package is all that a new provider takes to be known by its name and alias."""
    package = tmp_path / "doorward" / "providers"
    package.mkdir(parents=True)
    package.joinpath("far.py").write_text(
        dedent(
            """
            from doorward.providers.spec import Endpoints, ProviderSpec

            SPEC = ProviderSpec(
                name="far", label="Far", tree_key="farAway", kind="oidc", aliases=("yonder",), tokens=("id_token",),
                endpoints=Endpoints(issuer="https://far.example.com"), sample={"sub": "7"},
            )
            """
        )
    )
    # The directory counts as part of the package from its first import on, as if the file lay beside the others.
    program = f"""
import importlib.util, sys
spec = importlib.util.find_spec("doorward.providers")
spec.submodule_search_locations.append({str(package)!r})
module = importlib.util.module_from_spec(spec)
sys.modules["doorward.providers"] = module
spec.loader.exec_module(module)
print(sorted(module.ALL), module.by_alias("Yonder").name)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    names = [*ALL, "far"]
    assert done.stdout == f"{sorted(names)} far\n"
