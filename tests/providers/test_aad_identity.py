from collections.abc import Callable

import pytest

from doorward.providers.aad import EntraIdentity, address_is_proven, vouched_addresses
from tests.support.entra import CLIENT, NOW, OID, TENANT, Bench, claims, claims_v1, mint


def identity(**changes: object) -> EntraIdentity:
    """Give the identity of an honest version 2.0 token with these changes."""
    return Bench().check(mint(claims(**changes)))


def identity_v1(**changes: object) -> EntraIdentity:
    """Give the identity of an honest version 1.0 token with these changes."""
    return Bench().check(mint(claims_v1(**changes)))


def authoritative(*domains: str) -> Callable[[str], bool]:
    """Say which domains the tenant is authoritative for."""
    return frozenset(domains).__contains__


def test_identity() -> None:
    """The key of a person is cloud, tenant and object, in canonical spelling; the rest is for display."""
    found = identity(oid=OID.upper(), aud=CLIENT.upper())
    assert (found.cloud, found.tid, found.oid, found.client_id) == ("global", TENANT, OID, CLIENT)
    assert (found.issued_at, found.expires_at) == (NOW - 300, NOW + 3600)
    assert (found.name, found.username, found.kid) == ("Jane Doe", "jane@contoso.com", "kid-shared")


@pytest.mark.parametrize(
    ("name", "shown"),
    [("Jane", "Jane"), (" Jane \n Doe ", "Jane Doe"), ("", None), (" ", None), ("\u202eenaJ", "enaJ"),
     ("J" * 300, "J" * 200),
     ("J\0ane", "Jane"), (..., None)],
)  # fmt: skip
def test_names_are_cleaned(name: object, shown: str | None) -> None:
    """A name that breaks the rules is cleaned and shortened, never a reason to refuse (reference 1.8)."""
    assert identity(name=name).name == shown


@pytest.mark.parametrize(
    ("value", "verified"),
    [
        (True, True), (1, True), ("1", True), ("true", True), (..., False), (False, False), (0, False), ("0", False),
        ("false", False), ("True", False), ("TRUE", False), (" true", False), ("yes", False), ("", False), (2, False),
        (-1, False), (1.0, False), (None, False), ([], False), ([True], False), ({}, False), ({"a": 1}, False),
    ],
)  # fmt: skip
def test_verified_email(value: object, *, verified: bool) -> None:
    """Exactly true, 1, "1" and "true" verify the address; everything else does not, and is no fault (reference 2.8)."""
    found = identity(email="jane@fabrikam.com", xms_edov=value)
    assert found.email_is_verified is verified
    vouched = vouched_addresses(found, authoritative())
    assert ("jane@fabrikam.com" in vouched) is verified


def test_email_verified_means_nothing() -> None:
    """Entra does not send `email_verified`; one that is there proves nothing (reference 2.8)."""
    assert not identity(email="x@fabrikam.com", email_verified=True).email_is_verified


@pytest.mark.parametrize(
    ("found", "candidates"),
    [
        (identity(), ("jane@contoso.com",)),
        (identity(preferred_username=" jane@contoso.com "), ("jane@contoso.com",)),
        (identity(preferred_username=...), ()),
        (identity(preferred_username="+49 170 1234567"), ()),
        (identity(preferred_username="jane"), ()),
        (identity(preferred_username=""), ()),
        (identity(upn="other@contoso.com", unique_name="third@contoso.com"), ("jane@contoso.com",)),
        (identity(preferred_username=..., upn="other@contoso.com"), ()),
        (identity(email="victim@contoso.com"), ("jane@contoso.com",)),
        (identity(email="victim@contoso.com", preferred_username=...), ()),
        (identity(email="jane@mail.example", xms_edov=True), ("jane@contoso.com", "jane@mail.example")),
        (identity(email="jane@own.example"), ("jane@contoso.com", "jane@own.example")),
        (identity(email="jane@OWN.example"), ("jane@contoso.com", "jane@OWN.example")),
        (identity(email="jane@sub.own.example"), ("jane@contoso.com",)),
        (identity(email="not an address", xms_edov=True), ("jane@contoso.com",)),
        (identity_v1(), ("jane@contoso.com",)),
        (identity_v1(unique_name="other@contoso.com"), ("jane@contoso.com",)),
        (identity_v1(upn=..., unique_name="jane@contoso.com"), ("jane@contoso.com",)),
        (identity_v1(upn="", unique_name="other@contoso.com"), ()),
        (identity_v1(upn=..., preferred_username="jane@contoso.com"), ()),
        (identity_v1(upn=..., unique_name="live.com#jane@contoso.com"), ("live.com#jane@contoso.com",)),
    ],
)
def test_candidates(found: EntraIdentity, candidates: tuple[str, ...]) -> None:
    """The addresses that a token vouches for, by version; `email` only if verified or of an own domain (2.9)."""
    assert vouched_addresses(found, authoritative("own.example")) == candidates


@pytest.mark.parametrize(
    ("found", "address", "proven"),
    [
        (identity(), "jane@contoso.com", False),
        (identity(), "jane@own.example", True),
        (identity(email="jane@contoso.com"), "jane@contoso.com", False),
        (identity(email="jane@contoso.com", xms_edov="1"), "jane@contoso.com", True),
        (identity(email="Jane@Contoso.com", xms_edov="1"), "jane@contoso.com", True),
        (identity(email="other@contoso.com", xms_edov="1"), "jane@contoso.com", False),
        (identity(email="not an address", xms_edov="1"), "not an address", False),
    ],
)
def test_proof_for_linking(found: EntraIdentity, address: str, *, proven: bool) -> None:
    """An account is linked by an address of an own domain, or by an equal verified email (reference 2.9)."""
    assert address_is_proven(found, address, authoritative("own.example")) is proven


@pytest.mark.parametrize(
    ("found", "guest"),
    [
        (identity(), False),
        (identity(acct=0), False),
        (identity(acct="0"), False),
        (identity(acct=1), True),
        (identity(acct="1"), True),
        (identity(acct=2), True),
        (identity(acct=""), True),
        (identity(idp=f"https://login.microsoftonline.com/{TENANT}/v2.0"), False),
        (identity(idp="https://sts.windows.net/99999999-2222-4333-8444-5555aaaabbbb/"), True),
        (identity(idp="live.com"), True),
        (identity(idp=""), True),
        (identity(acct=0, idp="live.com"), True),
        (identity(preferred_username="jane_contoso.com#EXT#@fabrikam.onmicrosoft.com"), True),
        (identity(preferred_username="jane_contoso.com#ext#@fabrikam.onmicrosoft.com"), True),
        (identity(upn="jane_contoso.com#EXT#@fabrikam.onmicrosoft.com"), True),
        (identity(preferred_username="jane.ext@contoso.com"), False),
        (identity_v1(), False),
        (identity_v1(idp=f"https://sts.windows.net/{TENANT}/"), False),
        (identity_v1(upn="jane_contoso.com#EXT#@fabrikam.onmicrosoft.com"), True),
        (identity_v1(unique_name="jane_contoso.com#EXT#@fabrikam.onmicrosoft.com"), True),
    ],
)
def test_guests(found: EntraIdentity, *, guest: bool) -> None:
    """A guest is told by `acct`, by a foreign `idp` or by #EXT# in a user name (reference 2.10)."""
    assert found.is_guest is guest
