"""How raw claims become `user_claims`."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doorward.identity.claims import Claim
from doorward.providers.mapping import LEGACY, MODERN, ClaimRule, map_profile, map_token, mapped_name

X = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims"
M = "http://schemas.microsoft.com"
ROLE = f"{M}/ws/2008/06/identity/claims/role"

BOTH = {
    "acr": f"{M}/claims/authnclassreference",
    "amr": f"{M}/claims/authnmethodsreferences",
    "birthdate": f"{X}/dateofbirth",
    "email": f"{X}/emailaddress",
    "family_name": f"{X}/surname",
    "gender": f"{X}/gender",
    "given_name": f"{X}/givenname",
    "idp": f"{M}/identity/claims/identityprovider",
    "nameid": f"{X}/nameidentifier",
    "oid": f"{M}/identity/claims/objectidentifier",
    "scp": f"{M}/identity/claims/scope",
    "sub": f"{X}/nameidentifier",
    "tid": f"{M}/identity/claims/tenantid",
    "unique_name": f"{X}/name",
    "upn": f"{X}/upn",
    "website": f"{X}/webpage",
}
MODERN_ALONE = {
    "role": ROLE,
    "roles": ROLE,
    "actort": "http://schemas.xmlsoap.org/ws/2009/09/identity/claims/actor",
    "adfs1email": "http://schemas.xmlsoap.org/claims/EmailAddress",
    "adfs1upn": "http://schemas.xmlsoap.org/claims/UPN",
    "authmethod": f"{M}/ws/2008/06/identity/claims/authenticationmethod",
    "clientip": f"{M}/2012/01/requestcontext/claims/x-ms-client-ip",
    "commonname": "http://schemas.xmlsoap.org/claims/CommonName",
    "deviceid": f"{M}/2012/01/devicecontext/claims/identifier",
    "group": "http://schemas.xmlsoap.org/claims/Group",
    "groupsid": f"{M}/ws/2008/06/identity/claims/groupsid",
    "insidecorporatenetwork": f"{M}/ws/2012/01/insidecorporatenetwork",
    "ppid": f"{X}/privatepersonalidentifier",
    "primarygroupsid": f"{M}/ws/2008/06/identity/claims/primarygroupsid",
    "primarysid": f"{M}/ws/2008/06/identity/claims/primarysid",
    "pwdchgurl": f"{M}/ws/2012/01/passwordchangeurl",
    "pwdexpdays": f"{M}/ws/2012/01/passwordexpirationdays",
    "pwdexptime": f"{M}/ws/2012/01/passwordexpirationtime",
    "winaccountname": f"{M}/ws/2008/06/identity/claims/windowsaccountname",
}
NEVER = (
    "aud", "iss", "iat", "nbf", "exp", "nonce", "name", "ipaddr", "ver", "c_hash", "at_hash", "azp", "appid",
    "email_verified", "locale", "preferred_username", "groups", "wids", "hasgroups", "aio", "rh", "uti", "sid",
    "picture", "hd",
)  # fmt: skip


@pytest.mark.parametrize("name", BOTH)
def test_names_of_both_maps(name: str) -> None:
    """What samples prove is mapped in both maps."""
    assert mapped_name(name, legacy=True) == mapped_name(name, legacy=False) == BOTH[name]


@pytest.mark.parametrize("name", MODERN_ALONE)
def test_names_of_the_modern_map(name: str) -> None:
    """The rest of .NET's table, roles above all, is mapped in the modern map alone."""
    assert mapped_name(name, legacy=True) == name
    assert mapped_name(name, legacy=False) == MODERN_ALONE[name]


@pytest.mark.parametrize("name", NEVER)
def test_names_of_no_map(name: str) -> None:
    """What is never mapped keeps its short name in both maps."""
    assert mapped_name(name, legacy=True) == mapped_name(name, legacy=False) == name


def test_the_maps_are_whole() -> None:
    """The legacy map has the names that samples prove and no other; the modern one contains it."""
    assert dict(LEGACY) == BOTH
    assert BOTH.items() | MODERN_ALONE.items() <= MODERN.items()
    assert all(typ.startswith("http://schemas.") for typ in MODERN.values())


def test_order_and_repetition() -> None:
    """Claims stand in issued order, an array as one claim after the other."""
    raw = {"roles": ["a", "b"], "sub": "1", "x": None, "amr": [], "groups": ["c"], "nested": {"a": [1]}}
    assert map_token(raw, True) == (
        Claim("roles", "a"),
        Claim("roles", "b"),
        Claim(f"{X}/nameidentifier", "1"),
        Claim("groups", "c"),
        Claim("nested", '{"a":[1]}'),
    )
    assert [claim.typ for claim in map_token(raw, False)][:2] == [ROLE, ROLE]


PROFILE = map_profile((ClaimRule("id", "ID"), ClaimRule("name", "NAME"), ClaimRule("emails.preferred", "EMAIL")))


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ({"name": "n", "id": 1}, [("ID", "1"), ("NAME", "n")]),
        ({"id": None}, []),
        ({"id": ""}, [("ID", "")]),
        ({"id": [1, 2]}, [("ID", "1"), ("ID", "2")]),
        ({"emails": {"preferred": "a@b"}}, [("EMAIL", "a@b")]),
        ({"emails": {"preferred": None}}, []),
        ({"emails": {}}, []),
        ({"emails": "a@b"}, []),
        ({"emails": ["a@b"]}, []),
        ({"emails": None}, []),
        ({"other": 1}, []),
    ],
    ids=repr,
)
def test_profiles_follow_their_rules(raw: dict[str, object], expected: list[tuple[str, str]]) -> None:
    """A profile's claims stand in the order of its rules, and a field that is not there, or not so, is no claim."""
    assert [(claim.typ, claim.val) for claim in PROFILE(raw, True)] == expected


def test_the_rest_of_a_profile() -> None:
    """Where a provider wants it, every field follows under its own name."""
    mapped = map_profile((ClaimRule("id", "ID"),), rest="urn:p:")({"a": True, "id": 7, "b": None}, False)
    assert [(claim.typ, claim.val) for claim in mapped] == [("ID", "7"), ("urn:p:a", "True"), ("urn:p:id", "7")]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=10,
)
NAMES = st.sampled_from([*MODERN, *NEVER]) | st.text(max_size=8)


@given(raw=st.dictionaries(NAMES, JSON, max_size=8))
def test_maps_change_names_alone(raw: dict[str, object]) -> None:
    """Whatever a token holds, both maps give the same values in the same order."""
    legacy, modern = map_token(raw, True), map_token(raw, False)
    assert [claim.val for claim in legacy] == [claim.val for claim in modern]
    assert PROFILE(raw, True) == PROFILE(raw, False)
