"""The two `sid` of a session token."""

from hypothesis import given
from hypothesis import strategies as st

from doorward.identity.person import Identity
from doorward.identity.sid import login_sid, sid_of, stable_sid


def test_the_known_example() -> None:
    """The derivation gives what the live service was seen to give (reference 3.1)."""
    assert sid_of("user@contoso.com") == "sid:61f7d36ec1a6feeb55d0dae8a34fce34"


def test_stable_and_login_sid() -> None:
    """The stable one follows the provider's identifier, the other one the login name."""
    identity = Identity(
        provider="aad", user_id="user@contoso.com", subject="s", principal_id="o", name_typ="upn", claims=()
    )
    assert login_sid(identity) == "sid:61f7d36ec1a6feeb55d0dae8a34fce34"
    assert stable_sid(identity) == sid_of("o")


@given(identifier=st.text())
def test_any_identifier_has_one(identifier: str) -> None:
    """Every identifier has a `sid` of 32 lower-case hexadecimal digits."""
    head, digits = sid_of(identifier).split(":")
    assert head == "sid"
    assert len(digits) == 32
    assert set(digits) <= set("0123456789abcdef")
