"""Entra's issuers and keys at a sign-in: one tenant, many tenants, both versions."""

import random
from dataclasses import dataclass, replace

import pytest

from doorward.protocol.id_token import ISSUER, KEY_ISSUER, IdTokenRules, verify_id_token
from doorward.protocol.jose import read_compact
from doorward.protocol.refusal import Check, TokenRefused
from doorward.providers import ALL
from doorward.providers.aad import CONSUMER_TENANT
from doorward.providers.aad_sign_in import issuers_of, keys_of, twins_at
from tests.support.entra import (
    CLIENT,
    CONSUMERS,
    LEEWAY,
    NOW,
    STRANGERS_TENANT,
    TENANT,
    V1,
    V2,
    claims,
    claims_v1,
    header,
    key_set,
    mint,
    published,
    signer,
)
from tests.support.spoiling import spoil

HOST = "https://login.microsoftonline.com"
OWN = V2.replace("{tenantid}", TENANT)
OWN_V1 = V1.replace("{tenantid}", TENANT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """A registration's `openIdIssuer`, and the issuer of the document that is found there."""

    configured: str
    issuer: str
    keys: str = "keys:g2"
    twins: bool = False

    def check(self, token: str, *, bearer: bool = False) -> None:
        """Verify a token as a sign-in does; raises `TokenRefused`."""
        unverified = read_compact(token)
        rules = IdTokenRules(
            issuer=issuers_of(self.issuer, self.configured),
            client_id=CLIENT,
            leeway=LEEWAY,
            key_may_sign=keys_of(self.issuer, published()["keys:g2"].find(unverified.kid) if self.twins else ()),
            bearer=bearer,
        )
        verify_id_token(unverified, published()[self.keys].find(unverified.kid), rules, NOW)


ONE = Registration(configured=OWN, issuer=OWN)
ONE_V1 = Registration(configured=OWN_V1, issuer=OWN_V1, keys="keys:g1")
COMMON = Registration(configured=f"{HOST}/common/v2.0", issuer=V2)
COMMON_V1 = Registration(configured=f"{HOST}/common", issuer=V1, keys="keys:g1")
WORK = Registration(configured=f"{HOST}/organizations/v2.0", issuer=V2)
PERSONAL = Registration(configured=f"{HOST}/consumers/v2.0", issuer=CONSUMERS)
PINNED = Registration(configured=OWN, issuer=V2)
KNOWING = replace(ONE_V1, twins=True)
COMMON_KNOWING = replace(COMMON_V1, twins=True)


def of(tenant: str, version: str = V2) -> dict[str, object]:
    """Give the claims of somebody in a tenant."""
    honest = claims if version == V2 else claims_v1
    return honest(tid=tenant, iss=version.replace("{tenantid}", tenant))


def by_consumer(body: dict[str, object]) -> str:
    """Sign with the key that is published for personal accounts alone."""
    return mint(body, header(kid=signer("consumer").kid), by="consumer")


PASSING: dict[str, tuple[Registration, str]] = {
    "own tenant": (ONE, mint(of(TENANT))),
    "own tenant, version 1.0": (ONE_V1, mint(of(TENANT, V1))),
    "personal account, version 1.0": (COMMON_KNOWING, by_consumer(of(CONSUMER_TENANT, V1))),
    "own tenant, version 1.0, key known to version 2.0": (KNOWING, mint(of(TENANT, V1))),
    "any tenant": (COMMON, mint(of(STRANGERS_TENANT))),
    "any tenant, version 1.0": (COMMON_V1, mint(of(STRANGERS_TENANT, V1))),
    "personal account at common": (COMMON, by_consumer(of(CONSUMER_TENANT))),
    "personal account at consumers": (PERSONAL, by_consumer(of(CONSUMER_TENANT))),
    "any work account": (WORK, mint(of(STRANGERS_TENANT))),
    "pinned tenant": (PINNED, mint(of(TENANT))),
}

REFUSED: dict[str, tuple[Check, Registration, str]] = {
    "another tenant": (ISSUER, ONE, mint(of(STRANGERS_TENANT))),
    "own issuer, another tid": (ISSUER, ONE, mint(claims(tid=STRANGERS_TENANT))),
    "own issuer, another tid, version 1.0": (ISSUER, ONE_V1, mint(claims_v1(tid=STRANGERS_TENANT))),
    "own issuer, no text as tid": (ISSUER, ONE_V1, mint(claims_v1(tid=[TENANT]))),
    "version 1.0 at a version 2.0 issuer": (ISSUER, ONE, mint(of(TENANT, V1))),
    "version 2.0 at a version 1.0 issuer": (ISSUER, replace(ONE_V1, keys="keys:g2"), mint(of(TENANT))),
    "tid and iss disagree": (ISSUER, COMMON, mint(claims(tid=STRANGERS_TENANT))),
    "no tid": (ISSUER, COMMON, mint(claims(tid=...))),
    "tid is no GUID": (ISSUER, COMMON, mint(of("common"))),
    "tid is the mark": (ISSUER, COMMON, mint(of("{tenantid}"))),
    "tid is an array": (ISSUER, COMMON, mint(claims(tid=[TENANT]))),
    "tid in capitals": (ISSUER, COMMON, mint(of(TENANT.upper()))),
    "iss is the mark": (ISSUER, COMMON, mint(claims(iss=V2))),
    "iss with something behind": (ISSUER, COMMON, mint(claims(iss=f"{OWN}/"))),
    "version 1.0 at common version 2.0": (ISSUER, COMMON, mint(of(TENANT, V1))),
    "personal account among work accounts": (ISSUER, WORK, by_consumer(of(CONSUMER_TENANT))),
    "another tenant than the pinned": (ISSUER, PINNED, mint(of(STRANGERS_TENANT))),
    "work account at consumers": (ISSUER, PERSONAL, mint(of(TENANT))),
    "consumer key for the own tenant": (KEY_ISSUER, ONE, by_consumer(of(TENANT))),
    "consumer key for any tenant": (KEY_ISSUER, COMMON, by_consumer(of(TENANT))),
    "consumer key, version 1.0": (KEY_ISSUER, KNOWING, by_consumer(of(TENANT, V1))),
    "consumer key, any tenant, version 1.0": (KEY_ISSUER, COMMON_KNOWING, by_consumer(of(TENANT, V1))),
}


@pytest.mark.parametrize("name", PASSING)
@pytest.mark.parametrize("bearer", [False, True])
def test_issuers_that_count(name: str, *, bearer: bool) -> None:
    """Tokens of the tenants that a registration admits pass, as id_tokens and as bearers."""
    registration, token = PASSING[name]
    registration.check(token, bearer=bearer)


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("bearer", [False, True])
def test_issuers_and_keys_that_do_not(name: str, *, bearer: bool) -> None:
    """Everybody else's are refused: by their issuer, or because the key speaks for another one."""
    by, registration, token = REFUSED[name]
    with pytest.raises(TokenRefused) as refused:
        registration.check(token, bearer=bearer)
    assert refused.value.check is by


def test_access_tokens_as_bearers() -> None:
    """An access token passes as a bearer, whoever obtained it; as an id_token of ours it does not."""
    token = mint(claims(azp="another-application", scp="user_impersonation", name=..., preferred_username=...))
    ONE.check(token, bearer=True)
    with pytest.raises(TokenRefused):
        ONE.check(token)


def test_a_tenant_without_tid() -> None:
    """A fixed issuer whose keys name none needs no tid, as where a tenant has its own sign-in pages."""
    issuer = f"https://contoso.b2clogin.com/{TENANT}/v2.0/"
    rules = IdTokenRules(
        issuer=issuers_of(issuer, issuer), client_id=CLIENT, leeway=LEEWAY, key_may_sign=keys_of(issuer)
    )
    token = read_compact(mint(claims(iss=issuer, tid=..., oid=...)))
    verify_id_token(token, key_set(signer("shared").jwk()).find(token.kid), rules, NOW)


def test_spoiled_tokens() -> None:
    """Tokens spoiled at random are judged or refused, and whatever passes comes from an admitted tenant."""
    chance = random.Random(20270115)  # noqa: S311 - the same tokens in every run
    passed = 0
    for _ in range(1500):
        token = spoil(chance)
        for registration, bearer in ((COMMON, False), (COMMON, True), (ONE, True)):
            try:
                registration.check(token, bearer=bearer)
            except TokenRefused:
                continue
            passed += 1
            body = read_compact(token).unverified_claims
            assert body["iss"] == V2.replace("{tenantid}", str(body["tid"]))
            assert body["tid"] in (TENANT, CONSUMER_TENANT)
    assert passed > 100


KEYS = f"{HOST}/common/discovery"
TWINS = [
    (OWN_V1, f"{KEYS}/keys", f"{KEYS}/v2.0/keys"),
    (V1, f"{KEYS}/keys", f"{KEYS}/v2.0/keys"),
    (OWN, f"{KEYS}/v2.0/keys", ""),
    (OWN_V1, "https://keys.example.com/v1", ""),
    ("https://adfs.contoso.com/adfs", "https://adfs.contoso.com/adfs/discovery/keys", ""),
    ("", "", ""),
]


@pytest.mark.parametrize(("issuer", "keys", "twins"), TWINS)
def test_where_version_2_tells_of_the_same_keys(issuer: str, keys: str, twins: str) -> None:
    """The keys of Microsoft's version 1.0 issuers have twins in version 2.0; nobody else's have."""
    assert twins_at(issuer, keys) == twins
    assert ALL["aad"].twin_keys(issuer, keys) == twins


def test_the_specification_carries_the_rules() -> None:
    """What signs people in finds both rules in the provider's specification."""
    spec = ALL["aad"]
    assert spec.issuer_rule(V2, f"{HOST}/common/v2.0").admits(of(TENANT))
    rule = spec.key_rule(V2, ())
    assert rule is not None
    consumer = key_set(signer("consumer").jwk(CONSUMERS)).find(signer("consumer").kid)[0]
    assert not rule(consumer, of(TENANT))
    assert rule(consumer, of(CONSUMER_TENANT))
