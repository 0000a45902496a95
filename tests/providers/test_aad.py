import pytest

from doorward.protocol import oidc
from doorward.protocol.refusal import Fault, TokenRefused
from doorward.providers import aad
from doorward.providers.aad import CONSUMER_TENANT
from tests.support.entra import (
    CLIENT,
    CLIENT_OF_USGOV,
    CONSUMERS,
    LEEWAY,
    NOW,
    OID,
    STRANGERS_TENANT,
    TENANT,
    UNKNOWN_CLIENT,
    V1,
    V2,
    V2_USGOV,
    Bench,
    claims,
    claims_v1,
    header,
    key_set,
    mint,
    published,
    signer,
)

DAY = 24 * 3600
SHAPES, EXPIRY, NOT_BEFORE, LIFETIME, NONCE = (
    check.name for check in (oidc.CLAIM_SHAPES, oidc.EXPIRY, oidc.NOT_BEFORE, oidc.LIFETIME, oidc.NONCE)
)
ISSUER, VERSION, KEY_ISSUER, CLOUD, AUDIENCE, KIND = (
    check.name for check in (aad.ISSUER, aad.VERSION, aad.KEY_ISSUER, aad.CLOUD, aad.AUDIENCE, aad.TOKEN_KIND)
)
ISS = V2.replace("{tenantid}", TENANT)
STRANGER = {"tid": STRANGERS_TENANT, "iss": V2.replace("{tenantid}", STRANGERS_TENANT)}
CONSUMER = {"tid": CONSUMER_TENANT, "iss": CONSUMERS}


def by(name: str) -> dict[str, object]:
    """Give a header that names the key `name`."""
    return header(kid=signer(name).kid)


def refused_by(**changes: object) -> str | None:
    """Name the check that refuses an honest token with these changes."""
    return Bench().refused_by(mint(claims(**changes)))


# --- shapes ------------------------------------------------------------------------------------------------------

REQUIRED = ["iss", "aud", "exp", "iat", "nbf", "sub", "tid", "oid", "ver"]
TEXTS = ["iss", "sub", "tid", "oid", "ver", "nonce", "azp", "appid", "name", "preferred_username", "email", "upn",
         "unique_name", "idp"]  # fmt: skip
NOT_TEXT: list[object] = [None, True, False, 0, 1.5, 10**30, [], ["x"], {}, {"a": 1}]
NOT_TIME: list[object] = [None, True, False, "1800000000", "", [], [NOW], {}, "NaN", "Infinity"]
NOT_GUID: list[object] = [
    "", "x", "common", "organizations", "consumers", TENANT[:-1], TENANT + "0", f"{{{TENANT}}}", f" {TENANT}",
    f"{TENANT}\n", TENANT.replace("-", ""), TENANT.replace("1", "１"), TENANT.replace("1", "g"), "{tenantid}",
]  # fmt: skip
NOT_AUDIENCE: list[object] = [None, True, 1, {}, "", [], [CLIENT, CLIENT], [CLIENT, UNKNOWN_CLIENT], [[CLIENT]], [1]]


def test_honest_tokens_pass() -> None:
    """Both versions are accepted, so the tables below prove something."""
    assert Bench().refused_by(mint()) is None
    assert Bench().refused_by(mint(claims_v1())) is None


@pytest.mark.parametrize("name", REQUIRED)
def test_required_claims(name: str) -> None:
    """A required claim that is absent is refused; absent is never "no limit" (reference 2.7)."""
    assert refused_by(**{name: ...}) == SHAPES


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("value", NOT_TEXT)
def test_texts_are_strings(name: str, value: object) -> None:
    """A claim of another JSON type is refused, null and huge numbers included (interface, last points)."""
    assert refused_by(**{name: value}) == SHAPES


@pytest.mark.parametrize("name", ["exp", "iat", "nbf"])
@pytest.mark.parametrize("value", NOT_TIME)
def test_times_are_numbers(name: str, value: object) -> None:
    """A time is a JSON number."""
    assert refused_by(**{name: value}) == SHAPES


@pytest.mark.parametrize("name", ["tid", "oid"])
@pytest.mark.parametrize("value", NOT_GUID)
def test_guids(name: str, value: object) -> None:
    """Tenant and person are GUIDs, in no other spelling."""
    assert refused_by(**{name: value}) == SHAPES


@pytest.mark.parametrize("value", NOT_AUDIENCE)
def test_one_audience(value: object) -> None:
    """`aud` is one string, or an array of exactly one."""
    assert refused_by(aud=value) == SHAPES


@pytest.mark.parametrize("value", ["", "s" * 256, "a\nb", "a\u200bb"])
def test_subject(value: str) -> None:
    """`sub` has 1 to 255 visible characters."""
    assert refused_by(sub=value) == SHAPES


@pytest.mark.parametrize("name", ["roles", "wids", "groups"])
@pytest.mark.parametrize("value", [None, "x", 1, {}, True])
def test_lists(name: str, value: object) -> None:
    """Groups and roles are arrays."""
    assert refused_by(**{name: value}) == SHAPES


@pytest.mark.parametrize("value", [None, True, [], {}, 0.5])
def test_account_mark(value: object) -> None:
    """`acct` is a number or a string."""
    assert refused_by(acct=value) == SHAPES


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": [CLIENT]}, {"aud": CLIENT.upper()}, {"name": ...}, {"preferred_username": ...}, {"email": "x"},
        {"preferred_username": "+49 170 1234567"}, {"sub": "s" * 255}, {"exp": NOW + 0.5}, {"groups": []},
        {"hasgroups": True}, {"azp": CLIENT}, {"appid": CLIENT}, {"nonce": "n"}, {"email_verified": True},
        {"_claim_names": {"groups": "src1"}, "_claim_sources": {"src1": {"endpoint": "https://evil.example"}}},
        {"aio": 1, "rh": None, "uti": [], "sid": {}, "auth_time": "x", "at_hash": 1},
    ],
)  # fmt: skip
def test_what_is_not_a_fault(changes: dict[str, object]) -> None:
    """Optional claims may be absent, and claims that nobody depends on may be anything (reference 2.7)."""
    assert refused_by(**changes) is None


# --- times -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "check"),
    [
        ({"exp": NOW - LEEWAY + 0.001}, None),
        ({"exp": NOW - LEEWAY}, EXPIRY),
        ({"exp": NOW - LEEWAY - 1}, EXPIRY),
        ({"exp": 0}, EXPIRY),
        ({"exp": -1}, EXPIRY),
        ({"exp": -1e300}, EXPIRY),
        ({"exp": 1e300}, LIFETIME),
        ({"exp": 10**39}, LIFETIME),
        ({"exp": 10**40}, "payload"),
        ({"nbf": NOW + LEEWAY}, None),
        ({"nbf": NOW + LEEWAY + 1}, NOT_BEFORE),
        ({"nbf": 1e300}, NOT_BEFORE),
        ({"nbf": 0}, None),
        ({"iat": NOW + LEEWAY}, None),
        ({"iat": NOW + LEEWAY + 1}, NOT_BEFORE),
        ({"iat": NOW + 3600, "exp": NOW + 3600}, NOT_BEFORE),
        ({"iat": NOW, "exp": NOW}, LIFETIME),
        ({"iat": NOW + 1, "exp": NOW}, LIFETIME),
        ({"iat": NOW, "exp": NOW + 0.5}, None),
        ({"iat": NOW - DAY, "exp": NOW}, None),
        ({"iat": NOW - DAY, "exp": NOW + LEEWAY}, None),
        ({"iat": NOW - DAY, "exp": NOW + LEEWAY + 1}, LIFETIME),
        ({"iat": -1e300}, LIFETIME),
        ({"iat": NOW - 3900, "nbf": NOW - 3900, "exp": NOW}, None),
    ],
)
def test_times(changes: dict[str, object], check: str | None) -> None:
    """`now < exp + leeway`, nbf and iat at most the leeway ahead, at most a day and the leeway long (reference 2.7)."""
    assert refused_by(**changes) == check


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"exp": NOW - 3600}, Fault.EXPIRED),
        ({"nbf": NOW + 3600}, Fault.NOT_YET_VALID),
        ({"iat": NOW, "exp": NOW}, Fault.INVALID),
        ({"iss": "https://evil.example"}, Fault.ISSUER),
        ({"ver": "1.0"}, Fault.ISSUER),
        ({"aud": UNKNOWN_CLIENT}, Fault.AUDIENCE),
        ({"aud": CLIENT_OF_USGOV}, Fault.ISSUER),
        ({"scp": "User.Read"}, Fault.INVALID),
        ({"tid": 1}, Fault.INVALID),
    ],
)
def test_faults(changes: dict[str, object], fault: Fault) -> None:
    """Each check reports the fault that the interface names ("Which code for which bad token")."""
    with pytest.raises(TokenRefused) as refused:
        Bench().check(mint(claims(**changes)))
    assert refused.value.fault is fault


# --- issuers -----------------------------------------------------------------------------------------------------

LOOK_ALIKES = [
    "", " ", ISS + "/", ISS + " ", " " + ISS, ISS + "\n", ISS + "\0", ISS.upper(), ISS.replace("https", "HTTPS"),
    ISS.replace("https", "http"), ISS.replace("login", "Login"),
    ISS.replace("v2.0", "V2.0"), ISS.replace("v2.0", "v2.1"),
    ISS.replace("/v2.0", ""), ISS.replace("/v2.0", "/"), ISS.replace("/v2.0", "//v2.0"), ISS.replace(".com/", ".com//"),
    ISS.replace(".com/", ".com:443/"), ISS.replace(".com/", ".com./"), ISS.replace("https://", "https://user@"),
    ISS.replace("https://", "https://evil.example@"), ISS.replace("https://", "https://evil.example/"),
    ISS.replace(".com/", ".com@evil.example/"), ISS.replace(".com/", ".com.evil.example/"),
    ISS.replace(".com/", ".com%2eevil.example/"), ISS.replace(".com/", ".com\\.evil.example/"),
    ISS.replace(".com/", ".com#.evil.example/"), ISS.replace(".com/", ".com?x=/"), ISS + "?x=1", ISS + "#x", ISS + "?",
    ISS.replace("login", "l0gin"), ISS.replace("login", "login-"), ISS.replace("o", "о"), ISS.replace(".", "。"),
    ISS.replace("microsoftonline", "microsoftonIine"), ISS.replace("login.", ""), ISS.replace("login.", "sts."),
    ISS.replace("https:", ""), ISS.replace("https://", "//"), ISS.replace("https://", "https:\\\\"),
    ISS.replace(TENANT, "common"), ISS.replace(TENANT, "organizations"), ISS.replace(TENANT, "consumers"),
    ISS.replace(TENANT, "{tenantid}"), ISS.replace(TENANT, "contoso.com"), ISS.replace(TENANT, STRANGERS_TENANT),
    ISS.replace(TENANT, TENANT.upper()), ISS.replace(TENANT, CONSUMER_TENANT), ISS.replace(TENANT, TENANT + "/."),
    ISS.replace(TENANT, f"{STRANGERS_TENANT}/../{TENANT}"), ISS.replace(TENANT, f"%31{TENANT[1:]}"),
    ISS.replace("%", ""), V2, V1.replace("{tenantid}", STRANGERS_TENANT), "https://login.microsoftonline.de/" + TENANT,
    "https://sts.windows.net/" + TENANT, f"https://{TENANT}.ciamlogin.com/{TENANT}/v2.0", f"tfp/{TENANT}/x/v2.0/",
    "https://evil.example/" + ISS, "javascript:" + ISS, "data:," + ISS,
]  # fmt: skip


@pytest.mark.parametrize("issuer", [issuer for issuer in LOOK_ALIKES if issuer != ISS])
def test_look_alike_issuers(issuer: str) -> None:
    """The issuer is compared as a complete string (reference 2.1, 2.13)."""
    assert refused_by(iss=issuer) == ISSUER


@pytest.mark.parametrize(
    ("changes", "check"),
    [
        ({"tid": STRANGERS_TENANT}, ISSUER),
        (STRANGER, None),
        ({"ver": "1.0"}, VERSION),
        ({"ver": "2"}, VERSION),
        ({"ver": "3.0"}, VERSION),
        ({"ver": ""}, VERSION),
        ({"ver": " 2.0"}, VERSION),
        ({"iss": V1.replace("{tenantid}", TENANT)}, VERSION),
        ({"tid": TENANT.upper()}, ISSUER),
        ({"tid": TENANT.upper(), "iss": ISS.replace(TENANT, TENANT.upper())}, ISSUER),
        ({"iss": V2_USGOV.replace("{tenantid}", TENANT)}, "signature"),
    ],
)
def test_tenant_and_version_against_issuer(changes: dict[str, object], check: str | None) -> None:
    """`tid` is the tenant in `iss`, and `ver` agrees with its form (reference 2.1)."""
    assert refused_by(**changes) == check


def test_version_1_issuer_needs_its_slash() -> None:
    """A version 1.0 issuer ends with a slash."""
    assert Bench().refused_by(mint(claims_v1(iss=V1.replace("{tenantid}", TENANT)[:-1]))) == ISSUER
    assert Bench().refused_by(mint(claims_v1(ver="2.0"))) == VERSION


@pytest.mark.parametrize(
    ("body", "key", "check"),
    [
        (claims(**CONSUMER), "consumer", None),
        (claims(**CONSUMER), "shared", None),
        (claims(), "consumer", KEY_ISSUER),
        (claims_v1(), "consumer", KEY_ISSUER),
        (claims_v1(tid=CONSUMER_TENANT, iss=V1.replace("{tenantid}", CONSUMER_TENANT)), "consumer", None),
        (claims(aud=CLIENT_OF_USGOV, iss=V2_USGOV.replace("{tenantid}", TENANT)), "usgov", None),
        (claims_v1(aud=CLIENT_OF_USGOV), "usgov", None),
        (claims(iss=V2_USGOV.replace("{tenantid}", TENANT)), "usgov", CLOUD),
        (claims_v1(), "usgov", CLOUD),
        (claims_v1(aud=CLIENT_OF_USGOV), "shared", CLOUD),
        (claims(aud=CLIENT_OF_USGOV), "shared", CLOUD),
        (claims(aud=UNKNOWN_CLIENT), "consumer", KEY_ISSUER),
    ],
)
def test_a_key_speaks_for_its_own_issuer(body: dict[str, object], key: str, check: str | None) -> None:
    """A consumer key never signs for an organization, nor a cloud's key for another's registration (2.3)."""
    assert Bench().refused_by(mint(body, by(key), by=key)) == check


@pytest.mark.parametrize("name", ["kid", "modulus"])
def test_version_1_key_with_a_fixed_twin(name: str) -> None:
    """A version 1.0 key that version 2.0 lists under a fixed issuer signs for that tenant only, by name or material."""
    twin = signer("shared").jwk(CONSUMERS)
    changed = {"kid": {**twin, "n": signer("other").jwk()["n"]}, "modulus": {**twin, "kid": "another"}}[name]
    documents = {**published(), "keys:g2": key_set(changed)}
    assert Bench(documents=documents).refused_by(mint(claims_v1())) == KEY_ISSUER
    consumer = claims_v1(tid=CONSUMER_TENANT, iss=V1.replace("{tenantid}", CONSUMER_TENANT))
    assert Bench(documents=documents).refused_by(mint(consumer)) is None


def test_version_1_key_with_a_template_and_a_fixed_twin() -> None:
    """Where version 2.0 lists the key twice, the narrower entry decides for version 1.0."""
    shared = signer("shared")
    documents = {**published(), "keys:g2": key_set(shared.jwk(V2), shared.jwk(CONSUMERS))}
    assert Bench(documents=documents).refused_by(mint(claims_v1())) == KEY_ISSUER


@pytest.mark.parametrize(
    ("issuer", "check"),
    [
        (None, None),
        (V2, None),
        (ISS, None),
        (V2.replace("{tenantid}", STRANGERS_TENANT), KEY_ISSUER),
        (V2_USGOV, KEY_ISSUER),
        (V1, KEY_ISSUER),
        (V2 + "/", KEY_ISSUER),
        ("{tenantid}", KEY_ISSUER),
        ("", KEY_ISSUER),
    ],
)
def test_issuer_of_a_version_2_key(issuer: str | None, check: str | None) -> None:
    """The key's issuer, its template filled in, equals `iss` exactly (reference 2.3)."""
    documents = {**published(), "keys:g2": key_set(signer("shared").jwk(issuer))}
    assert Bench(documents=documents).refused_by(mint()) == check


# --- audience, kind, nonce -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "audience",
    [UNKNOWN_CLIENT, f"api://{CLIENT}", f"{CLIENT} ", f" {CLIENT}", f"{CLIENT}/", f"spn:{CLIENT}", "*", "common",
     "00000003-0000-0000-c000-000000000000", "https://graph.microsoft.com", CLIENT[:-1], [UNKNOWN_CLIENT]],
)  # fmt: skip
def test_audience(audience: object) -> None:
    """The audience is a registered client ID and nothing like it (reference 2.7)."""
    assert refused_by(aud=audience) == AUDIENCE


@pytest.mark.parametrize(
    "changes",
    [
        {"scp": "User.Read"}, {"scp": ""}, {"scp": None}, {"appidacr": "1"}, {"azpacr": "0"}, {"idtyp": "app"},
        {"idtyp": "user"}, {"azp": UNKNOWN_CLIENT}, {"appid": UNKNOWN_CLIENT}, {"azp": ""}, {"appid": f"{CLIENT} "},
        {"sub": OID, "name": ...}, {"sub": OID.upper(), "name": ...},
    ],
)  # fmt: skip
def test_access_tokens(changes: dict[str, object]) -> None:
    """Whatever marks an access token or an application's own token is refused (reference 2.12)."""
    assert refused_by(**changes) == KIND


@pytest.mark.parametrize("changes", [{"sub": OID}, {"name": ...}])
def test_people_without_a_mark(changes: dict[str, object]) -> None:
    """Neither a missing name nor an equal sub alone makes an application."""
    assert refused_by(**changes) is None


@pytest.mark.parametrize(
    ("claimed", "sent", "check"),
    [
        (..., None, None), ("n", None, None), ("n", "n", None), ("n", "N", NONCE), ("n", "n ", NONCE),
        (..., "n", NONCE),
        ("", "n", NONCE), ("", "", None), (..., "", NONCE), ("n", "", NONCE), ("é", "e\u0301", NONCE),
    ],
)  # fmt: skip
def test_nonce(claimed: object, sent: str | None, check: str | None) -> None:
    """A nonce that is sent must be in the token, character by character; one that is not sent is ignored (2.11)."""
    assert Bench(nonce=sent).refused_by(mint(claims(nonce=claimed))) == check


# --- the order of checks -------------------------------------------------------------------------------------------

FAULTS: list[tuple[str, dict[str, object]]] = [
    (SHAPES, {"oid": "x"}),
    (EXPIRY, {"exp": NOW - 100}),
    (NOT_BEFORE, {"nbf": NOW + 100}),
    (LIFETIME, {"iat": NOW - 3 * DAY}),
    (ISSUER, {"iss": "https://evil.example"}),
    (VERSION, {"ver": "1.0"}),
    (AUDIENCE, {"aud": UNKNOWN_CLIENT}),
    (KIND, {"scp": "User.Read"}),
    (NONCE, {"nonce": "other"}),
]


@pytest.mark.parametrize("first", range(len(FAULTS)))
@pytest.mark.parametrize("second", range(len(FAULTS)))
def test_the_first_fault_is_reported(first: int, second: int) -> None:
    """Of two faults the one that is checked first is reported (reference 1.7)."""
    body = claims(**FAULTS[first][1], **{k: v for k, v in FAULTS[second][1].items() if k not in FAULTS[first][1]})
    assert Bench(nonce="n").refused_by(mint({"nonce": "n", **body})) == FAULTS[min(first, second)][0]


@pytest.mark.parametrize("changes", [fault for _, fault in FAULTS])
def test_a_bad_signature_hides_every_claim(changes: dict[str, object]) -> None:
    """A token with a bad signature is invalid whatever its claims say."""
    assert Bench().refused_by(mint(claims(**changes), by="stranger")) == "signature"


def test_checks_are_listed_in_their_order() -> None:
    """`CHECKS`, which `doorward explain` prints, has the order in which the checks are made."""
    listed = [check.name for check in aad.CHECKS]
    assert [name for name, _ in FAULTS] == [name for name in listed if name in dict(FAULTS)]
    assert listed.index(VERSION) < listed.index(KEY_ISSUER) < listed.index(AUDIENCE)
    assert len(set(listed)) == len(listed)
