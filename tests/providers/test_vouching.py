"""Which e-mail addresses count when it is asked who may sign in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doorward.base.text import email_key
from doorward.providers import ALL, custom

TENANT = "11111111-2222-4333-8444-5555aaaabbbb"
ONE = f"https://login.microsoftonline.com/{TENANT}/v2.0"
COMMON = "https://login.microsoftonline.com/common/v2.0"
CONSUMERS = "9188040d-6c67-4c5b-b112-36a304b66dad"
JANE, OTHER = "jane@contoso.com", "ceo@contoso.com"
V2: dict[str, object] = {"ver": "2.0", "preferred_username": JANE, "email": OTHER}
V1: dict[str, object] = {"ver": "1.0", "upn": JANE, "unique_name": "x@y.example", "email": OTHER}

ROWS: list[tuple[str, str, dict[str, object], tuple[str, ...]]] = [
    ("aad", ONE, V2, (JANE, OTHER)),
    ("aad", TENANT, V2, (JANE, OTHER)),
    ("aad", ONE, {**V2, "email_verified": False}, (JANE,)),
    ("aad", ONE, {**V2, "email_verified": True}, (JANE, OTHER)),
    ("aad", ONE, {**V2, "xms_edov": False}, (JANE,)),
    ("aad", ONE, {**V2, "xms_edov": "yes"}, (JANE,)),
    ("aad", ONE, {**V2, "xms_edov": True, "email_verified": False}, (JANE,)),
    ("aad", ONE, {**V2, "upn": OTHER, "email": None}, (JANE,)),
    ("aad", ONE, {"ver": "1.0", "unique_name": JANE}, (JANE,)),
    ("aad", COMMON, V2, ()),
    ("aad", COMMON.replace("common", "Organizations"), V2, ()),
    ("aad", "", V2, ()),
    ("aad", COMMON, {**V2, "xms_edov": True}, (OTHER,)),
    ("aad", COMMON, {**V2, "xms_edov": "1"}, (OTHER,)),
    ("aad", COMMON, {**V2, "xms_edov": False}, ()),
    ("aad", COMMON, {**V2, "xms_edov": "yes"}, ()),
    ("aad", COMMON, V1, ()),
    ("aad", COMMON, {**V2, "tid": CONSUMERS}, (JANE, OTHER)),
    ("aad", COMMON, {**V2, "tid": CONSUMERS, "email_verified": False}, (JANE,)),
    ("aad", ONE, {"ver": "2.0", "preferred_username": JANE, "email": JANE}, (JANE,)),
    ("aad", ONE, {"ver": "2.0", "oid": "o"}, ()),
    ("google", "", {"email": JANE, "email_verified": True}, (JANE,)),
    ("google", "", {"email": JANE, "email_verified": False}, ()),
    ("google", "", {"email": JANE}, ()),
    ("google", "", {"email": JANE, "email_verified": 1}, ()),
    ("apple", "", {"email": JANE, "email_verified": "true"}, (JANE,)),
    ("apple", "", {"email": JANE, "email_verified": "false"}, ()),
    ("contoso", "", {"email": JANE, "email_verified": True}, (JANE,)),
    ("contoso", "", {"email": JANE}, (JANE,)),
    ("contoso", "", {"email": JANE, "email_verified": False}, ()),
    ("contoso", "", {"email": JANE, "email_verified": None}, ()),
    ("contoso", "", {"email": [JANE], "email_verified": True}, ()),
    ("contoso", "", {"email": JANE, "email_verified": ["true"]}, ()),
    ("github", "", {"email": JANE}, (JANE,)),
    ("github", "", {"email": None}, ()),
    ("facebook", "", {"email": JANE}, (JANE,)),
    ("microsoftaccount", "", {"emails": {"account": JANE, "preferred": OTHER}}, (JANE,)),
    ("microsoftaccount", "", {"emails": JANE}, ()),
    ("twitter", "", {"email": JANE, "email_verified": True}, ()),
]


@pytest.mark.parametrize(("name", "issuer", "raw", "expected"), ROWS)
def test_addresses_that_count(name: str, issuer: str, raw: dict[str, object], expected: tuple[str, ...]) -> None:
    """Only an address that the provider vouches for counts."""
    spec = ALL.get(name) or custom(name)
    assert spec.vouched_emails(raw, issuer) == expected


VALUES = st.none() | st.booleans() | st.integers() | st.text() | st.emails() | st.lists(st.emails(), max_size=2)
FIELDS = st.sampled_from(
    ["email", "email_verified", "upn", "unique_name", "preferred_username", "ver", "xms_edov", "emails"]
)


@given(raw=st.dictionaries(FIELDS, VALUES | st.dictionaries(st.just("account"), VALUES)), issuer=st.text())
def test_whatever_is_answered(raw: dict[str, object], issuer: str) -> None:
    """Whatever a provider answers, what counts are addresses."""
    for spec in [*ALL.values(), custom("contoso")]:
        assert all(email_key(address) for address in spec.vouched_emails(raw, issuer))
