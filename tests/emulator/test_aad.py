"""The pretend Entra's documents and tokens, with PyJWT and joserfc as outside witnesses."""

import json
from pathlib import Path
from typing import Any

import jwt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc import jwt as joserfc_jwt
from joserfc.jwk import KeySet as JoserfcKeySet

from doorward.base.clock import FrozenClock
from doorward.base.entropy import SeededEntropy
from doorward.emulator.aad import PretendEntra, cloud_settings
from doorward.emulator.messages import BadMessage, MintRequest
from doorward.emulator.people import CONTOSO, DEV_CLIENT_ID, DEV_TENANT_ID, FABRIKAM, directory
from doorward.emulator.stage import set_stage
from doorward.protocol.jose import KeySet, parse_key_set, read_compact, verify_rs256
from doorward.protocol.refusal import Fault, TokenRefused
from doorward.providers.aad import CONSUMER_TENANT, Authority, EntraIdentity, Signer, authorities_named_by, verify

NOW = 1_800_000_000.0
BASE = "http://127.0.0.1:8082"
CLOUD = cloud_settings(BASE)
OTHER_CLIENT = "11111111-2222-4333-8444-555555555555"


@pytest.fixture(scope="module")
def entra(tmp_path_factory: pytest.TempPathFactory) -> PretendEntra:
    """Give a pretend Entra whose keys were made once."""
    return pretend(tmp_path_factory.mktemp("keys"))


def pretend(keys: Path | None) -> PretendEntra:
    """Make a pretend Entra with a clock that stands still."""
    return PretendEntra(set_stage(BASE, directory(), FrozenClock(NOW), SeededEntropy(), keys))


def published(entra: PretendEntra, version: str = "2.0") -> bytes:
    """Give the key document of all tenants, as JSON."""
    path = CLOUD["keys_v2" if version == "2.0" else "keys_v1"].removeprefix(BASE)
    document = entra.document(path)
    assert document is not None
    return json.dumps(document).encode()


def claims_of(token: str) -> dict[str, Any]:
    """Read a token's claims without looking at its signature."""
    return jwt.decode(token, options={"verify_signature": False})


def accept(entra: PretendEntra, token: str, now: float = NOW) -> EntraIdentity:
    """Put a token through the checks of production; raises `TokenRefused`."""
    authorities = [
        Authority(
            cloud="global",
            version=version,
            issuer=CLOUD[f"issuer_v{version[0]}"],
            keys=CLOUD[f"keys_v{version[0]}"],
            issuer_v2=CLOUD["issuer_v2"],
            keys_v2=CLOUD["keys_v2"],
        )
        for version in ("1.0", "2.0")
    ]
    unverified = read_compact(token)
    sets: dict[str, KeySet] = {version: parse_key_set(published(entra, version)) for version in ("1.0", "2.0")}
    signers = tuple(
        Signer(authority=authority, key=key, keys_v2=sets["2.0"])
        for authority in authorities_named_by(unverified, authorities)
        for key in sets[authority.version].find(unverified.kid)
        if verify_rs256(unverified, key)
    )
    assert signers, "no key"
    return verify(unverified, signers, now=now, leeway=60, nonce=None, cloud_of_audience={DEV_CLIENT_ID: "global"}.get)


# --- documents -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "issuer"),
    [
        ("/common/v2.0/.well-known/openid-configuration", f"{BASE}/{{tenantid}}/v2.0"),
        ("/organizations/v2.0/.well-known/openid-configuration", f"{BASE}/{{tenantid}}/v2.0"),
        ("/consumers/v2.0/.well-known/openid-configuration", f"{BASE}/{CONSUMER_TENANT}/v2.0"),
        (f"/{CONTOSO}/v2.0/.well-known/openid-configuration", f"{BASE}/{CONTOSO}/v2.0"),
        (f"/{CONTOSO.upper()}/v2.0/.well-known/openid-configuration", f"{BASE}/{CONTOSO}/v2.0"),
        ("/contoso.com/v2.0/.well-known/openid-configuration", f"{BASE}/{CONTOSO}/v2.0"),
        ("/common/.well-known/openid-configuration", f"{BASE}/v1/{{tenantid}}/"),
        (f"/{FABRIKAM}/.well-known/openid-configuration", f"{BASE}/v1/{FABRIKAM}/"),
    ],
)
def test_metadata_names_the_issuer_as_entra_does(entra: PretendEntra, path: str, issuer: str) -> None:
    """Aliases give the template with braces or the consumer tenant; a tenant gives its own issuer."""
    document = entra.document(path)
    assert document is not None
    assert document["issuer"] == issuer
    keys = entra.document(str(document["jwks_uri"]).removeprefix(BASE))
    assert keys is not None
    assert keys["keys"]


@pytest.mark.parametrize(
    "path", ["/", "", "/common", "/nobody/discovery/keys", "/common/discovery/keys/", "//discovery/keys", "/../keys"]
)
def test_nothing_else_is_published(entra: PretendEntra, path: str) -> None:
    """Only tenants, domains and the three aliases have documents."""
    assert entra.document(path) is None


def test_key_documents_bind_keys_to_issuers_in_version_2_only(entra: PretendEntra) -> None:
    """Shared keys carry the template, the consumer key the fixed issuer; version 1.0 names no issuer at all."""
    v2, v1 = (json.loads(published(entra, version))["keys"] for version in ("2.0", "1.0"))
    assert {key["issuer"] for key in v2} == {f"{BASE}/{{tenantid}}/v2.0", f"{BASE}/{CONSUMER_TENANT}/v2.0"}
    assert len(v2) >= 3
    assert [key["kid"] for key in v1] == [key["kid"] for key in v2]
    assert all("issuer" not in key for key in v1)
    assert all(key["kty"] == "RSA" and key["use"] == "sig" and key["e"] == "AQAB" for key in (*v1, *v2))


# --- good tokens ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["2.0", "1.0"])
@pytest.mark.parametrize("tenant", [None, FABRIKAM, CONSUMER_TENANT, "acme.example"])
def test_outside_witnesses_verify_the_token(entra: PretendEntra, version: Any, tenant: str | None) -> None:
    """PyJWT and joserfc accept what is minted, by the published keys alone."""
    token = entra.mint(MintRequest(version=version, tenant=tenant))
    document = json.loads(published(entra, version))
    header = jwt.get_unverified_header(token)
    key = next(key for key in document["keys"] if key["kid"] == header["kid"])
    options: Any = {"verify_exp": False, "verify_iat": False, "verify_nbf": False}
    verified = jwt.decode(token, jwt.PyJWK(key), algorithms=["RS256"], audience=DEV_CLIENT_ID, options=options)
    assert joserfc_jwt.decode(token, JoserfcKeySet.import_key_set(document), algorithms=["RS256"]).claims == verified
    assert verified["iss"] == CLOUD[f"issuer_v{version[0]}"].replace("{tenantid}", verified["tid"])


@pytest.mark.parametrize("version", ["2.0", "1.0"])
def test_defaults_are_a_member_of_the_development_tenant(entra: PretendEntra, version: Any) -> None:
    """Without any knob the token passes production's own checks and has Entra's times."""
    token = entra.mint(MintRequest(version=version))
    who = accept(entra, token)
    assert (who.tid, who.client_id, who.username) == (DEV_TENANT_ID, DEV_CLIENT_ID, "jane@contoso.com")
    assert who.email_is_verified
    assert not who.is_guest
    claims = claims_of(token)
    assert claims["iat"] == claims["nbf"] == NOW - 300
    assert claims["exp"] == claims["iat"] + 3900
    assert {"aio", "rh", "uti"} <= claims.keys()
    assert ("upn" in claims) is ("preferred_username" not in claims) is (version == "1.0")
    assert ("x5t" in jwt.get_unverified_header(token)) is (version == "1.0")


def test_one_address_is_one_person_everywhere() -> None:
    """Tenant, oid and sub follow from the address: in any spelling, after a restart, with other keys."""
    first, second = pretend(None), pretend(None)
    names = ("tid", "oid", "sub")
    who = claims_of(first.mint(MintRequest(email="Jane@Contoso.com")))
    again = claims_of(second.mint(MintRequest(email=" jane@CONTOSO.COM ", version="1.0", name="J.")))
    assert [who[name] for name in names] == [again[name] for name in names]
    other = claims_of(first.mint(MintRequest(email="omar@contoso.com")))
    assert who["tid"] == other["tid"]
    assert who["oid"] != other["oid"]


def test_the_subject_is_pairwise_and_the_object_is_not(entra: PretendEntra) -> None:
    """Another application sees another sub and the same oid."""
    here, there = (claims_of(entra.mint(MintRequest(audience=a))) for a in (None, OTHER_CLIENT))
    assert here["oid"] == there["oid"]
    assert here["sub"] != there["sub"]
    assert there["aud"] == OTHER_CLIENT


@pytest.mark.parametrize(
    ("email", "tenant"),
    [
        ("lena@fabrikam.com", FABRIKAM),
        ("sam@outlook.com", CONSUMER_TENANT),
        ("somebody.new@contoso.com", CONTOSO),
        ("bob@example.org", DEV_TENANT_ID),
    ],
)
def test_the_tenant_follows_the_domain(entra: PretendEntra, email: str, tenant: str) -> None:
    """Known domains have their tenants; whoever has another address is a member of the development tenant."""
    claims = claims_of(entra.mint(MintRequest(email=email)))
    assert claims["tid"] == tenant
    assert claims["preferred_username"] == email


def test_strangers_are_named_after_their_address(entra: PretendEntra) -> None:
    """A name is made up, unless one is given."""
    assert claims_of(entra.mint(MintRequest(email="ada.love-lace@x.example")))["name"] == "Ada Love Lace"
    assert claims_of(entra.mint(MintRequest(email="ada@x.example", name="Ada L.")))["name"] == "Ada L."


@pytest.mark.parametrize("version", ["2.0", "1.0"])
@pytest.mark.parametrize("email", [None, "jane@contoso.com", "gia@fabrikam.com"])
def test_a_guest_is_of_the_inviting_tenant(entra: PretendEntra, version: Any, email: str | None) -> None:
    """The inviting tenant is tid, idp names another one, acct is 1, and version 1.0 shows the directory's name."""
    token = entra.mint(MintRequest(guest=True, version=version, email=email))
    claims = claims_of(token)
    assert claims["tid"] == CONTOSO
    assert claims["idp"] == f"{BASE}/v1/{FABRIKAM}/"
    assert claims["acct"] == 1
    assert accept(entra, token).is_guest
    if version == "1.0":
        assert claims["upn"] == f"{claims['email'].replace('@', '_')}#EXT#@contoso.onmicrosoft.com"


def test_a_personal_account_is_signed_by_the_consumer_key(entra: PretendEntra) -> None:
    """The consumer tenant's own key vouches, and the object ID has the look of a personal account."""
    token = entra.mint(MintRequest(tenant="consumers"))
    key = next(k for k in json.loads(published(entra))["keys"] if k["kid"] == jwt.get_unverified_header(token)["kid"])
    assert key["issuer"] == f"{BASE}/{CONSUMER_TENANT}/v2.0"
    who = accept(entra, token)
    assert who.tid == CONSUMER_TENANT
    assert who.oid.startswith("00000000-0000-0000-")


# --- knobs that spoil a token --------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["2.0", "1.0"])
@pytest.mark.parametrize(
    ("knobs", "fault"),
    [
        ({"expired": True}, Fault.EXPIRED),
        ({"fault": "not_yet_valid"}, Fault.NOT_YET_VALID),
        ({"fault": "wrong_audience"}, Fault.AUDIENCE),
        ({"audience": OTHER_CLIENT}, Fault.AUDIENCE),
        ({"fault": "consumer_key"}, Fault.ISSUER),
        ({"kind": "access_token"}, Fault.INVALID),
        ({"claims": {"ver": "3.0"}}, Fault.ISSUER),
        ({"claims": {"oid": "no-guid"}}, Fault.INVALID),
        ({"claims": {"name": None}}, Fault.INVALID),
        ({"without": ["nbf"]}, Fault.INVALID),
    ],
)
def test_each_fault_is_refused_for_its_own_reason(
    entra: PretendEntra, version: Any, knobs: dict[str, Any], fault: Fault
) -> None:
    """What a knob spoils is what production's checks name, and the signature stays good."""
    request = MintRequest.from_json(json.dumps({"version": version, **knobs}).encode())
    with pytest.raises(TokenRefused) as refused:
        accept(entra, entra.mint(request))
    assert refused.value.fault is fault


def test_a_key_that_nobody_publishes_has_a_name_that_nobody_knows(entra: PretendEntra) -> None:
    """The fault `unpublished_key` signs with a key that stands in no document."""
    token = entra.mint(MintRequest(fault="unpublished_key"))
    assert read_compact(token).kid.encode() not in published(entra)


def test_an_unverified_address_says_so(entra: PretendEntra) -> None:
    """`unverified` leaves the address and takes its proof away."""
    who = accept(entra, entra.mint(MintRequest(unverified=True)))
    assert who.email == "jane@contoso.com"
    assert not who.email_is_verified


def test_claims_are_taken_as_they_are_given(entra: PretendEntra) -> None:
    """Overrides of any JSON type stand in the token, beside a nonce."""
    given: dict[str, object] = {"groups": ["a", 1, None], "xms_edov": "1", "acct": 0.5}
    claims = claims_of(entra.mint(MintRequest(claims=given, nonce="n-1")))
    assert {name: claims[name] for name in given} == given
    assert claims["nonce"] == "n-1"


@pytest.mark.parametrize("knobs", [{"email": "nobody"}, {"tenant": "not a tenant"}, {"tenant": ""}, {"email": "@"}])
def test_what_cannot_be_minted_is_refused_in_words(entra: PretendEntra, knobs: dict[str, str]) -> None:
    """An address or tenant that is none names itself in the refusal."""
    with pytest.raises(BadMessage, match=r"not an e-mail address|neither a GUID nor a domain"):
        entra.mint(MintRequest(**knobs))  # type: ignore[arg-type] # all of them are strings


# --- keys ----------------------------------------------------------------------------------------------------------


def test_rotation_signs_with_a_new_key_and_publishes_the_old_one() -> None:
    """After a rotation both the old token and the new one verify; tokens from then on use the new key."""
    entra = pretend(None)
    old = entra.mint(MintRequest())
    rotated = entra.mint(MintRequest(rotate_key=True))
    later = entra.mint(MintRequest())
    kids = [read_compact(token).kid for token in (old, rotated, later)]
    assert kids[0] != kids[1] == kids[2]
    for token in (old, rotated, later):
        assert accept(entra, token).tid == DEV_TENANT_ID


def test_withdrawal_takes_the_old_keys_away_at_once() -> None:
    """After an emergency withdrawal the old token's key is published no more; the consumer key stays."""
    entra = pretend(None)
    old = entra.mint(MintRequest())
    consumer = entra.mint(MintRequest(tenant=CONSUMER_TENANT))
    new = entra.mint(MintRequest(withdraw_keys=True))
    assert read_compact(old).kid.encode() not in published(entra)
    assert accept(entra, new)
    assert accept(entra, consumer)


def test_keys_in_a_directory_outlive_the_process(tmp_path: Path) -> None:
    """Tokens survive a restart, rotations included; the files are for their owner alone."""
    keys = tmp_path / "emulator" / "keys"
    entra = pretend(keys)
    old = entra.mint(MintRequest())
    new = entra.mint(MintRequest(rotate_key=True))
    again = pretend(keys)
    assert published(again) == published(entra)
    assert accept(again, old)
    assert read_compact(again.mint(MintRequest())).kid == read_compact(new).kid
    assert {file.stat().st_mode & 0o777 for file in keys.iterdir()} == {0o600}
    again.mint(MintRequest(withdraw_keys=True))
    assert len(list(keys.glob("aad-shared-*"))) == 1


def test_old_keys_are_forgotten_in_the_end() -> None:
    """Rotating for ever does not make the document grow for ever."""
    entra = pretend(None)
    for _ in range(6):
        entra.mint(MintRequest(rotate_key=True))
    assert len(json.loads(published(entra))["keys"]) == 5


# --- messages ------------------------------------------------------------------------------------------------------

_json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=3), inner, max_size=3),
    max_leaves=5,
)


@settings(deadline=None, max_examples=100)
@given(
    email=st.none() | st.text(st.characters(exclude_categories=["Cs"])),
    claims=st.dictionaries(st.text("abc", min_size=1), _json, max_size=3),
    without=st.lists(st.text("abc"), max_size=2),
    version=st.sampled_from(["1.0", "2.0"]),
    fault=st.sampled_from([None, "consumer_key"]),
    flags=st.tuples(*[st.booleans()] * 5),
)
def test_a_request_reads_back_as_it_was_written(
    email: str | None, claims: dict[str, Any], without: list[str], version: Any, fault: Any, flags: tuple[bool, ...]
) -> None:
    """`from_json(to_json(x)) == x`: the command line and the emulator share one value."""
    request = MintRequest(
        email=email,
        claims=claims,
        without=tuple(without),
        version=version,
        fault=fault,
        guest=flags[0],
        unverified=flags[1],
        expired=flags[2],
        rotate_key=flags[3],
        withdraw_keys=flags[4],
    )
    assert MintRequest.from_json(request.to_json()) == request


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[]",
        b"null",
        b'{"colour": "red"}',
        b'{"version": "3.0"}',
        b'{"guest": 1}',
        b'{"email": 1}',
        b"\xff",
        b'{"email": "a@b.c", "email": "d@e.f"}',
        b'{"fault": "everything"}',
        b'{"kind": "refresh_token"}',
    ],
)
def test_a_request_that_is_not_understood_is_refused(raw: bytes) -> None:
    """Unknown knobs, other types, other values, duplicate names: refused in words."""
    with pytest.raises(BadMessage, match=r"\w"):
        MintRequest.from_json(raw)
