"""Bearers of providers: whose JWTs count, and who is refused although the token is good."""

import json
from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from doorward.base.clock import FrozenClock
from doorward.base.errors import DoorwardError, ErrorRow
from doorward.base.refusals import KEYS_UNAVAILABLE
from doorward.base.refusals_sign_in import DISCOVERY_FAILED
from doorward.config.auth_plan import AuthPlan, ProviderPlan
from doorward.identity.admission import Recognised, Via
from doorward.identity.person import Identity
from doorward.identity.policy import GuestList, Policy, refuse_by_policy
from doorward.protocol.algorithms import read_key_set
from doorward.protocol.jose import KeySet, ProviderKey
from doorward.protocol.jose_sign import RsaSigner
from doorward.protocol.oidc import VerifiedClaims
from doorward.providers.spec import Endpoints
from doorward.sessions.bearers import RECHECK_BEARER, ProviderBearers
from doorward.sessions.presenting import Presenter
from doorward.sessions.session import Caller
from tests.support.other_keys import other_signer
from tests.support.sessions import NOW, PROVIDERS, plan_of

CLIENT = "client-aad"
LEEWAY = 60.0


@cache
def signer(name: str) -> RsaSigner:
    """Give the key of a provider, made once."""
    return RsaSigner.generate()


class Providers:
    """The providers' documents and keys, as a test has them."""

    def __init__(self) -> None:
        self.away = set[str]()
        self.keyless = set[str]()

    async def endpoints(self, plan: ProviderPlan) -> Endpoints:
        """Give what a provider says of itself."""
        if plan.name in self.away:
            raise DoorwardError(DISCOVERY_FAILED)
        return plan.endpoints

    async def find(self, url: str, kid: str) -> tuple[ProviderKey, ...]:
        """Give a provider's keys."""
        if _name(url) in self.keyless:
            raise DoorwardError(KEYS_UNAVAILABLE)
        return self.key_set(url).find(kid)

    def key_set(self, url: str) -> KeySet:
        """Give a provider's whole key set, with an elliptic key beside the other."""
        keys = [signer(_name(url)).jwk(), other_signer("ES256").jwk()]
        return read_key_set(json.dumps({"keys": keys}).encode())


def _name(url: str) -> str:
    return url.removeprefix("https://").partition(".")[0]


def judge(plan: ProviderPlan, claims: VerifiedClaims, identity: Identity) -> ErrorRow | None:
    """Hold somebody to the policy of the provider, as the house does."""
    return refuse_by_policy(
        plan.policy, GuestList(), provider=plan.name, subject=identity.subject, raw=claims, emails=(),
        checks_application=True,
    )  # fmt: skip


def bearers(providers: Providers, plan: AuthPlan | None = None) -> ProviderBearers:
    """Give what checks bearers of the five providers."""
    plan = plan or plan_of()
    return ProviderBearers(
        plan,
        endpoints=providers.endpoints,
        keys=providers,
        judge=judge,
        presenter=Presenter(plan, profile="current", redact=False, with_refresh_token=True),
        clock=FrozenClock(NOW),
        profile="current",
        leeway=LEEWAY,
    )


def token(name: str = "aad", key: str = "", header: dict[str, object] | None = None, **claims: Any) -> str:
    """Have a provider make a token; a claim of None is left out."""
    made = signer(key or name)
    usual: dict[str, object] = {
        "aud": f"client-{name}", "iss": f"https://{name}.example", "iat": int(NOW), "nbf": int(NOW),
        "exp": int(NOW) + 3600, "sub": "sub-jane", "oid": "0aaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee",
        "email": "jane@contoso.com", "azp": "the-caller",
    }  # fmt: skip
    known = {name: value for name, value in {**usual, **claims}.items() if value is not None}
    return made.sign({"typ": "JWT", "alg": "RS256", "kid": made.kid, **(header or {})}, known)


def changed(policy: Policy) -> AuthPlan:
    """Give the auth tree with this policy for aad."""
    return plan_of(providers={**PROVIDERS, "aad": replace(PROVIDERS["aad"], policy=policy)})


def name_of(caller: Caller) -> str:
    """Give who was recognised."""
    assert isinstance(caller.credential, Recognised)
    assert caller.credential.via is Via.BEARER
    return caller.credential.principal.name


async def code_of(checks: ProviderBearers, bearer: str) -> str:
    """Give the code with which a bearer is refused."""
    with pytest.raises(DoorwardError) as refused:
        await checks.check(bearer)
    return refused.value.code


@pytest.mark.parametrize("name", ["aad", "contoso"])
async def test_aad_and_custom_providers_speak_for_people(name: str) -> None:
    """A good JWT of aad or of a custom provider is somebody, whose own token the application gets."""
    bearer = token(name)
    caller = await bearers(Providers()).check(bearer)
    assert isinstance(caller.credential, Recognised)
    headers = dict(caller.credential.principal.headers)
    assert headers[f"X-MS-TOKEN-{name.upper()}-ACCESS-TOKEN".encode()] == bearer.encode()
    assert headers[b"X-MS-CLIENT-PRINCIPAL-IDP"] == name.encode()
    assert caller.session is None
    assert caller.until == NOW + RECHECK_BEARER


async def test_a_custom_provider_may_sign_by_another_algorithm_and_entra_may_not() -> None:
    """ES256 counts where the provider is the operator's own choice; the same key at aad's address signs nothing."""
    made = other_signer("ES256")

    def of(name: str) -> str:
        claims = {
            "aud": f"client-{name}",
            "iss": f"https://{name}.example",
            "exp": int(NOW) + 60,
            "sub": "s",
            "oid": "o",
        }
        return made.sign({"kid": made.kid}, claims)

    assert name_of(await bearers(Providers()).check(of("contoso"))) == "s"
    assert await code_of(bearers(Providers()), of("aad")) == "invalid_bearer"


async def test_it_counts_no_longer_than_it_lives() -> None:
    """What passed counts until the token expires, leeway included, and a minute at most."""
    caller = await bearers(Providers()).check(token(exp=int(NOW) - 40))
    assert caller.until == NOW + 20


async def test_an_application_may_come_without_a_person() -> None:
    """An app-only token of aad has neither e-mail nor name: it is called by its object id."""
    caller = await bearers(Providers()).check(token(email=None, iat=None))
    assert name_of(caller) == "0aaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee"


@pytest.mark.parametrize("bearer", [
    "", "x", "a.b.c", token("google"), token("github"), token("twitter"), token("elsewhere"),
    token(iss="https://aad.example/"), token(iss="https://AAD.example"), token(iss=None), token(iss=7),
    token(iss=["https://aad.example"]), token(key="contoso"), token(key="stranger"),
    token("aad", iss="https://contoso.example"), token(aud="client-contoso"), token(aud=None), token(aud=[]),
    token(aud=""), token(aud={}), token(exp=None), token(exp="soon"), token(exp=int(NOW) - 60), token(exp=True),
    token(nbf=int(NOW) + 61), token(nbf="x"), token(iat=int(NOW) + 61), token(sub=None), token(sub=""), token(sub=7),
    token(header={"alg": "none"}), token(header={"alg": "HS256"}), token(header={"crit": ["exp"]}),
    token(header={"jku": "https://evil.example"}), token(header={"kid": "other"}), token(header={"kid": None}),
    token()[:-4] + "AAAA", token() + "A",
])  # fmt: skip
async def test_what_is_no_good_token_is_refused(bearer: str) -> None:
    """Anything but a good token of a provider that takes bearers is 401, with one code for all."""
    assert await code_of(bearers(Providers()), bearer) == "invalid_bearer"


async def test_further_audiences_count() -> None:
    """The client id always counts as audience, and so do those that the registration allows."""
    aad = replace(PROVIDERS["aad"], audiences=("api://one",))
    checks = bearers(Providers(), plan_of(providers={"aad": aad}))
    for audience in (CLIENT, "api://one", ["api://two", "api://one"]):
        assert name_of(await checks.check(token(aud=audience))) == "jane@contoso.com"
    assert await code_of(checks, token(aud="api://two")) == "invalid_bearer"


@pytest.mark.parametrize(("policy", "code"), [
    (Policy(applications=("another",)), "application_not_admitted"),
    (Policy(tenants=("11111111-2222-4333-8444-5555aaaabbbb",)), "tenant_not_admitted"),
    (Policy(identities=("0aaaaaaa-bbbb-4ccc-8ddd-000000000000",)), "principal_not_admitted"),
    (Policy(groups=("staff",)), "principal_not_admitted"),
])  # fmt: skip
async def test_a_good_token_may_be_refused_by_policy(policy: Policy, code: str) -> None:
    """A good token of somebody who may not come is refused with the policy's own row, which is 403."""
    with pytest.raises(DoorwardError) as refused:
        await bearers(Providers(), changed(policy)).check(token())
    assert (refused.value.code, refused.value.row.status) == (code, 403)
    admitted = Policy(applications=("the-caller",), identities=("0aaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee",))
    assert name_of(await bearers(Providers(), changed(admitted)).check(token())) == "jane@contoso.com"


async def test_two_providers_of_one_issuer_are_told_apart() -> None:
    """Where two registrations share an issuer, the one whose audience it is speaks."""
    twin = replace(PROVIDERS["contoso"], endpoints=PROVIDERS["aad"].endpoints, client_id="twin")
    checks = bearers(Providers(), plan_of(providers={"aad": PROVIDERS["aad"], "contoso": twin}))
    for audience, idp in ((CLIENT, "aad"), ("twin", "contoso")):
        caller = await checks.check(token(aud=audience))
        assert isinstance(caller.credential, Recognised)
        assert caller.credential.principal.idp == idp
    assert await code_of(checks, token(aud="neither")) == "invalid_bearer"


async def test_a_provider_that_is_away_keeps_only_its_own_people_out() -> None:
    """While a provider cannot be asked, a token that may be its own is no fault of the caller; others pass."""
    providers = Providers()
    providers.away.add("aad")
    checks = bearers(providers)
    assert await code_of(checks, token("aad")) == "discovery_failed"
    assert name_of(await checks.check(token("contoso"))) == "sub-jane"
    providers.away.clear()
    providers.keyless.add("aad")
    assert await code_of(checks, token("aad")) == "keys_unavailable"


async def test_without_such_a_provider_there_are_no_bearers() -> None:
    """A tree without aad and custom providers takes no bearers at all."""
    assert not bearers(Providers(), plan_of(providers={"google": PROVIDERS["google"]}))
    assert bearers(Providers())
