from dataclasses import replace
from typing import Any

import pytest

from doorward import providers
from doorward.base.clock import FrozenClock
from doorward.base.entropy import SeededEntropy
from doorward.emulator.clients import Client, Clients
from doorward.emulator.from_spec import addresses, pretend_by
from doorward.emulator.people import directory
from doorward.emulator.providers import KNOWN, pretend_providers
from doorward.emulator.settings import addresses_at
from doorward.emulator.stage import set_stage
from doorward.emulator.web import Ask, Reply
from doorward.protocol.oauth2 import FORM, AuthorizationRequest, CodeRedemption, TokenResponse
from doorward.protocol.parameters import read_parameters

BASE = "http://127.0.0.1:8082"
CALLBACK = "http://127.0.0.1:8080/.auth/login/novel/callback"
CLIENT = Client(provider="novel", client_id="c", client_secret="s", redirect_uris=(CALLBACK,))


def new(kind: str) -> Any:
    """Give the specification of a provider that nobody has heard of."""
    like = {"oauth2": providers.ALL["github"], "oidc": providers.ALL["google"], "oauth1": providers.ALL["twitter"]}
    return replace(like[kind], name="novel", label="Novel")


def pretended(kind: str) -> Any:
    """Give the pretend provider made of it."""
    stage = set_stage(BASE, directory(), FrozenClock(1_800_000_000.0), SeededEntropy(), None, Clients([CLIENT]))
    return pretend_by(new(kind), stage)


def answer(provider: Any, address: str, **more: Any) -> Reply:
    """Ask it something."""
    path, _, query = address.removeprefix(BASE).partition("?")
    spot = provider.door(path)
    assert spot is not None, path
    given: dict[str, Any] = {"method": "GET", "path": path, "query": query} | more
    return provider.answer(Ask(**given), spot)


@pytest.mark.parametrize("kind", ["oauth2", "oidc"])
def test_a_new_provider_is_pretended_without_a_file_of_its_own(kind: str) -> None:
    """Its specification is enough: people sign in at its addresses, and it tells who they are."""
    provider = pretended(kind)
    at = addresses(BASE, new(kind))
    if kind == "oidc":
        at = provider.document("/oidc/novel/.well-known/openid-configuration")
        assert at["issuer"] == addresses(BASE, new(kind))["issuer"]
    request = AuthorizationRequest(
        response_type="code", client_id="c", redirect_uri=CALLBACK, scope="openid profile email", state="x"
    )
    person = (("x-emulator-person", "omar@contoso.com"),)
    back = answer(provider, f"{at['authorization_endpoint']}?{request.to_query()}", headers=person)
    code = dict(read_parameters(dict(back.headers)[b"location"].decode().partition("?")[2]))["code"]
    form = CodeRedemption(code=code, redirect_uri=CALLBACK, client_id="c", client_secret="s").to_form()
    granted = answer(provider, at["token_endpoint"], method="POST", body=form, headers=(("content-type", FORM),))
    tokens = TokenResponse.from_json(granted.body)
    bearer = (("authorization", f"Bearer {tokens.access_token}"),)
    known = answer(provider, at["userinfo_endpoint"], headers=bearer)
    assert b"Omar Haddad" in known.body
    assert b"omar@contoso.com" in known.body
    assert bool(tokens.id_token) is (kind == "oidc")


def test_oauth_1_wants_a_file() -> None:
    """What cannot be made of data alone is not half made."""
    assert pretended("oauth1") is None


def test_every_provider_that_doorward_knows_is_pretended_once() -> None:
    """Each name has one pretend provider and addresses of its own, custom ones behind them."""
    stage = set_stage(BASE, directory(), FrozenClock(0.0), SeededEntropy())
    names = [one.name for one in pretend_providers(stage, ["contoso", "auth0"])]
    assert set(names) >= {*providers.ALL, "contoso", "auth0"}
    assert len(names) == len(set(names))
    assert {known.name for known in KNOWN} == set(providers.ALL)
    for name in providers.ALL:
        assert all(url.startswith(BASE) for url in addresses_at(BASE, name, "").values())
