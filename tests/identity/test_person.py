"""How somebody is shown at `/.auth/me`, and how moments and names are written."""

import re
import unicodedata
from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from doorward.identity.claims import Claim
from doorward.identity.person import Identity, ProviderTokens, me_entry, one_line, ticks, ticks_text
from tests.support.canaries import canary

TOKENS = ProviderTokens(
    access_token=canary("me access token"),
    access_token_secret=canary("me access token secret"),
    authentication_token=canary("me authentication token"),
    expires_on=14758718952574210,
    id_token=canary("me id token"),
    refresh_token=canary("me refresh token"),
)


def person(provider: str = "google", tokens: ProviderTokens = TOKENS) -> Identity:
    """Give somebody with two claims."""
    return Identity(
        provider=provider,
        user_id="jane@contoso.com",
        subject="1",
        principal_id="1",
        name_typ="name",
        claims=(Claim("aud", "x"), Claim("aud", "y")),
        tokens=tokens,
    )


MOMENTS = [
    (14758718952574210, "2016-10-07T20:24:55.2574210Z"),
    (16231665358963824, "2021-06-08T15:35:35.8963824Z"),
    (0, "1970-01-01T00:00:00.0000000Z"),
    (1, "1970-01-01T00:00:00.0000001Z"),
    (-1, "1970-01-01T00:00:00.0000000Z"),
    (10**30, "9999-12-31T23:59:59.9999999Z"),
]


@pytest.mark.parametrize(("count", "text"), MOMENTS)
def test_moments_have_seven_digits(count: int, text: str) -> None:
    """`expires_on` has exactly seven fractional digits and a Z, trailing zeros kept, and never leaves the calendar."""
    assert ticks_text(count) == text


@given(seconds=st.floats(allow_nan=False))
def test_any_moment_can_be_written(seconds: float) -> None:
    """Whatever `expires_in` a provider says, there is a text for it, and it is the moment to a microsecond."""
    text = ticks_text(ticks(seconds))
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}Z", text)
    if 0 <= seconds < 4e9:
        read = datetime.strptime(text[:-2], "%Y-%m-%dT%H:%M:%S.%f").replace(tzinfo=UTC).timestamp()
        assert abs(read - seconds) < 2e-6


def test_members_in_alphabetical_order() -> None:
    """The element has its members in alphabetical order, each a string but the claims."""
    written = msgspec.json.encode(me_entry(person(), profile="current", refreshed=False, redact=False))
    element = msgspec.json.decode(written)
    assert list(element) == sorted(element)
    assert list(element) == [
        "access_token", "access_token_secret", "authentication_token", "expires_on", "id_token", "provider_name",
        "refresh_token", "user_claims", "user_id",
    ]  # fmt: skip
    assert element["user_claims"] == [{"typ": "aud", "val": "x"}, {"typ": "aud", "val": "y"}]
    assert all(isinstance(value, str) for name, value in element.items() if name != "user_claims")


def test_absent_members_are_left_out() -> None:
    """What a provider did not give is absent, not null."""
    element = me_entry(person(tokens=ProviderTokens()), profile="current", refreshed=True, redact=False)
    assert list(element) == ["provider_name", "user_claims", "user_id"]


def test_redacted_without_tokens() -> None:
    """With `redact` no token is shown; when they expire still is."""
    element = me_entry(person(), profile="current", refreshed=True, redact=True)
    assert list(element) == ["expires_on", "provider_name", "user_claims", "user_id"]


@pytest.mark.parametrize("profile", ["current", "container-apps"])
@pytest.mark.parametrize("refreshed", [True, False])
def test_tokens_of_today(profile: str, *, refreshed: bool) -> None:
    """Today's aad shows access token, expiry and refresh token as soon as they are there."""
    element = me_entry(person("aad"), profile=profile, refreshed=refreshed, redact=False)
    assert {"access_token", "expires_on", "refresh_token"} <= set(element)


@pytest.mark.parametrize(
    ("provider", "refreshed", "absent"),
    [
        ("aad", False, {"access_token", "expires_on", "refresh_token"}),
        ("aad", True, {"access_token", "expires_on"}),
        ("google", False, {"refresh_token"}),
        ("google", True, set[str]()),
    ],
)
def test_tokens_of_2016(provider: str, absent: set[str], *, refreshed: bool) -> None:
    """In 2016 a refresh token shows after a refresh alone, and aad has no access token (reference 12)."""
    members = {"access_token", "expires_on", "id_token", "refresh_token"}
    element = me_entry(person(provider), profile="2016", refreshed=refreshed, redact=False)
    assert members - set(element) == absent


def test_tokens_are_not_printed() -> None:
    """The text of an identity tells which tokens there are, and none of them."""
    assert repr(TOKENS) == (
        "ProviderTokens(access_token, access_token_secret, authentication_token, expires_on, id_token, refresh_token)"
    )
    assert not [value for value in msgspec.structs.astuple(TOKENS) if str(value) in repr(person())]


def test_identities_can_be_stored() -> None:
    """An identity goes to bytes and back, tokens and all."""
    stored = msgspec.msgpack.encode(person())
    assert msgspec.msgpack.decode(stored, type=Identity) == person()


LINES = [
    ("Joe Bloggs", "Joe Bloggs"),
    ("  Joe  ", "Joe"),
    ("Joe\r\nX-MS-CLIENT-PRINCIPAL-ID: 1", "JoeX-MS-CLIENT-PRINCIPAL-ID: 1"),
    ("a\x00b\x7fc\x1bd\te", "abcde"),
    ("a\x85b\u2028c\u2029d\ud800e", "abcde"),
    ("Ørjan \u200c 👩\u200d🚀", "Ørjan \u200c 👩\u200d🚀"),
    ("\u00a0x\u00a0", "x"),
    ("\r\n", ""),
]


@pytest.mark.parametrize(("text", "line"), LINES, ids=repr)
def test_one_line(text: str, line: str) -> None:
    """Control characters and line breaks go, people's own letters and joiners stay."""
    assert one_line(text) == line


@given(text=st.text(st.characters(codec=None)))
def test_any_text_becomes_a_line(text: str) -> None:
    """Any text at all becomes one line of UTF-8 that is its own line."""
    line = one_line(text)
    assert line.encode().decode() == line
    assert one_line(line) == line
    assert len(line.splitlines()) <= 1
    assert not [c for c in line if unicodedata.category(c) == "Cc"]
