"""The pages of the providers say what the code does, for every provider that there is."""

import re
from dataclasses import replace

import pytest

from doorward.easyauth.posted import fields_of
from doorward.identity.person import ProviderTokens
from doorward.identity.principal import principal_of
from doorward.providers import ALL, custom
from doorward.providers.identify import make_identity
from doorward.providers.spec import ProviderSpec
from scripts import provider_pages
from tests.support.auth_trees import planned
from tests.support.canaries import canary

SPECS = {**ALL, "custom": custom(provider_pages.CUSTOM)}
TOKENS = ProviderTokens(
    access_token=canary("page access"),
    access_token_secret=canary("page secret"),
    authentication_token=canary("page authentication"),
    expires_on=1,
    id_token=canary("page id"),
    refresh_token=canary("page refresh"),
)


def test_every_provider_has_a_page() -> None:
    """One page a provider, and one for all others; each with words of its own about where to register."""
    pages = provider_pages.pages()
    assert set(pages) == set(SPECS)
    generic = provider_pages.About().register
    assert [name for name, text in pages.items() if generic in text] == []


@pytest.mark.parametrize("name", SPECS)
def test_the_settings_of_a_page_are_enough(name: str) -> None:
    """The auth tree on the page is accepted as it stands, and people can sign in with that provider."""
    spec = SPECS[name]
    variable = {f"{kind}_AUTHENTICATION_SECRET": "a secret" for kind in ("CONTOSO",)}
    variable |= {f"{one}_PROVIDER_AUTHENTICATION_SECRET": "a secret" for one in (*map(str.upper, ALL), "MICROSOFT")}
    found = planned(provider_pages.tree(spec), variable)
    assert [finding for finding in found.findings if finding.severity == "error"] == []
    assert found.plan is not None
    assert list(found.plan.providers) == [spec.name]
    assert found.plan.providers[spec.name].client_secret


@pytest.mark.parametrize("name", SPECS)
def test_the_headers_of_a_page_are_those_that_are_sent(name: str) -> None:
    """The application gets exactly the token headers that the page lists."""
    spec, text = SPECS[name], provider_pages.pages()[name]
    identity = make_identity(spec.name, spec, spec.sample, TOKENS, legacy=True, profile="current")
    principal = principal_of(identity, token_kinds=spec.tokens, with_tokens=True, with_refresh_token=True)
    sent = {header.decode() for header, _ in principal.headers if header.startswith(b"X-MS-TOKEN-")}
    assert {line[3:-1] for line in text.splitlines() if line.startswith("- `X-MS-TOKEN-")} == sent
    assert f"/.auth/login/{spec.name}/callback`" in text


@pytest.mark.parametrize("name", SPECS)
def test_the_fields_of_a_page_are_those_that_are_read(name: str) -> None:
    """A client finds on the page every field that a posted sign-in may have."""
    section = provider_pages.pages()[name].partition("## Sign-in by a client")[2].partition("\n## ")[0]
    assert set(fields_of(SPECS[name])) <= set(re.findall(r"[`\"]([a-z_]+)[`\"]", section))


def test_a_new_provider_has_a_page_at_once() -> None:
    """Nobody has to write a word for a provider that was added in one file."""
    added: ProviderSpec = replace(ALL["github"], name="forge", label="Forge", tree_key="forge")
    text = provider_pages.page(added)
    assert text.startswith("# Forge\n")
    assert "X-MS-TOKEN-FORGE-ACCESS-TOKEN" in text
    assert provider_pages.About().register in text
