"""What a client may not say, and how cookies and challenges are written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doorward.protocol.easyauth import (
    MAX_CHUNKS,
    MAX_SESSION_COOKIE,
    PRINCIPAL,
    PRINCIPAL_ID,
    PRINCIPAL_IDP,
    PRINCIPAL_NAME,
    TOKEN_PREFIX,
    challenge,
    clear_cookie,
    cookie_values,
    is_forgeable,
    session_cookie_names,
    session_cookie_value,
    set_cookie,
    without_forged,
)

FORGED = [
    b"X-MS-CLIENT-PRINCIPAL",
    b"x-ms-client-principal",
    b"x_ms_client_principal",
    b"X_MS-Client_Principal-ID",
    b"x.ms.client.principal",
    b"x-ms-client-principal-name",
    b"x-ms-client-principal-idp",
    b"x-ms-client-principal-anything",
    b"X-MS-TOKEN-AAD-ID-TOKEN",
    b"x_ms_token_google_access_token",
    b"x-ms-token-contoso-refresh-token",
    b"-x-ms-client-principal",
    b"_x-ms-client-principal",
    b"x-ms-client-principal-" + b"a" * 5000,
]
HONEST = [b"x-ms-client", b"x-ms-tokens", b"x-ms-request-id", b"x-zumo-auth", b"authorization", b"ms-client-principal"]


def spelt(name: bytes, separators: str, cases: int) -> bytes:
    """Write a lower-case name with other separators, taken in turn, and with the letters that `cases` has as bits."""
    letters = (c ^ 32 if cases >> i & 1 and 97 <= c <= 122 else c for i, c in enumerate(name))
    return bytes(ord(separators[i % len(separators)]) if c == 45 else c for i, c in enumerate(letters))


SPELLINGS = st.builds(
    spelt,
    st.sampled_from([b"x-ms-client-principal", b"x-ms-client-principal-name", b"x-ms-token-aad-id-token"]),
    st.text("-_. ~", min_size=1, max_size=8),
    st.integers(0, 2**40),
)
NAMES = st.sampled_from([*HONEST, b"cookie", b"connection", b"Connection", b"trailer"]) | SPELLINGS
VALUES = st.binary(max_size=20) | st.lists(NAMES, max_size=4).map(b", ".join)


def fold(name: bytes) -> bytes:
    """Give a header's name as the laxest server would see it, written apart from the code under test."""
    text = name.decode("latin-1").lower()
    return "".join(c if c.isascii() and c.isalnum() else "-" for c in text).encode().strip(b"-")


def is_identity(name: bytes) -> bool:
    return fold(name).startswith((b"x-ms-client-principal", b"x-ms-token-"))


@pytest.mark.parametrize("name", FORGED)
def test_forged_headers_are_removed_in_every_spelling(name: bytes) -> None:
    """Hyphens, underscores, dots, case, one copy or many: none reaches the application, everything else does."""
    sent = [(b"host", b"a"), (name, b"admin"), (b"accept", b"*/*"), (name, b"root")]
    assert without_forged(sent) == [(b"host", b"a"), (b"accept", b"*/*")]
    assert is_forgeable(name)


@pytest.mark.parametrize("name", HONEST)
def test_other_headers_stay(name: bytes) -> None:
    """What only resembles ours is the application's own."""
    assert without_forged([(name, b"x")]) == [(name, b"x")]


def test_every_header_of_ours_is_forgeable() -> None:
    """What we write, a client may not."""
    for name in (PRINCIPAL, PRINCIPAL_ID, PRINCIPAL_NAME, PRINCIPAL_IDP, TOKEN_PREFIX + b"AAD-ID-TOKEN"):
        assert is_forgeable(name)


@given(st.lists(st.tuples(NAMES, VALUES), max_size=10))
def test_no_forged_name_is_left(headers: list[tuple[bytes, bytes]]) -> None:
    """Whatever list of headers comes, none that names an identity is left, and the rest keeps its order."""
    left = without_forged(headers, keep_own_cookies=True)
    assert not [name for name, _ in left if is_identity(name)]
    for name, value in left:
        if fold(name) in {b"connection", b"trailer"}:
            assert not [option for option in value.split(b",") if is_identity(option.strip())]
    listing = {b"connection", b"trailer"}
    honest = [(n, v) for n, v in headers if not is_identity(n) and fold(n) not in listing]
    assert [(n, v) for n, v in left if fold(n) not in listing] == honest


@pytest.mark.parametrize(
    ("value", "left"),
    [
        (b"close", b"close"),
        (b"X-MS-CLIENT-PRINCIPAL", None),
        (b"close, X-MS-CLIENT-PRINCIPAL", b"close"),
        (b"x_ms_token_aad_id_token , keep-alive,te", b"keep-alive,te"),
        (b"cookie", b"cookie"),
    ],
)
def test_connection_cannot_have_our_headers_dropped(value: bytes, left: bytes | None) -> None:
    """A client that names our headers in Connection does not get the next proxy to remove them."""
    assert without_forged([(b"connection", value)]) == ([] if left is None else [(b"connection", left)])


@pytest.mark.parametrize(
    ("sent", "left"),
    [
        (b"a=b; AppServiceAuthSession=x; c=d", b"a=b; c=d"),
        (b"AppServiceAuthSession=x; AppServiceAuthSession1=y;AppServiceAuthSession02=z", None),
        (b"Nonce=x; RedirectCount=3", None),
        (b"Nonce1=x; Nonce_abc=y; Nonce.2=z; a=b", b"a=b"),
        (b"appserviceauthsession=x; NONCE=y; a=b", b"a=b"),
        (b"a=b;  AppServiceAuthSession =x", b"a=b"),
        (b"NonceOfTheApp=1; MyNonce=2; RedirectCounter=3", b"NonceOfTheApp=1; MyNonce=2; RedirectCounter=3"),
        (b"a=AppServiceAuthSession", b"a=AppServiceAuthSession"),
        (b"a=b;;c", b"a=b;;c"),
        (b"", b""),
    ],
)
def test_our_cookies_stay_with_us(sent: bytes, left: bytes | None) -> None:
    """The application gets its own cookies, byte for byte, and none of ours unless the settings say so."""
    assert without_forged([(b"Cookie", sent)]) == ([] if left is None else [(b"Cookie", left)])
    assert without_forged([(b"Cookie", sent)], keep_own_cookies=True) == [(b"Cookie", sent)]


def cookies(*lines: str) -> list[tuple[bytes, bytes]]:
    return [(b"cookie", line.encode("latin-1")) for line in lines]


@pytest.mark.parametrize(
    ("lines", "value"),
    [
        ((), None),
        (("a=b",), None),
        (("AppServiceAuthSession=x",), "x"),
        (("a=b; AppServiceAuthSession=x; c=d",), "x"),
        (("a=b", "AppServiceAuthSession=x"), "x"),
        (("AppServiceAuthSession = x ; c=d",), "x"),
        (("AppServiceAuthSession=a==",), "a=="),
        (("AppServiceAuthSession=",), None),
        (("XAppServiceAuthSession=x",), None),
        (("appserviceauthsession=x",), None),
        (("a=AppServiceAuthSession=x",), None),
        (("AppServiceAuthSession10=c; AppServiceAuthSession2=b; AppServiceAuthSession=a",), "abc"),
        (("AppServiceAuthSession1=b",), None),
        (("AppServiceAuthSession=x; AppServiceAuthSession=x",), "x"),
        (("AppServiceAuthSession=x; AppServiceAuthSession=y",), None),
        (("AppServiceAuthSession=x", "AppServiceAuthSession=y"), None),
        (("AppServiceAuthSession=x; AppServiceAuthSession01=y; AppServiceAuthSession0=z",), "x"),
        ((f"AppServiceAuthSession={'x' * MAX_SESSION_COOKIE}",), "x" * MAX_SESSION_COOKIE),
        ((f"AppServiceAuthSession={'x' * (MAX_SESSION_COOKIE + 1)}",), None),
        (("; ".join(f"AppServiceAuthSession{i or ''}=x" for i in range(MAX_CHUNKS)),), "x" * MAX_CHUNKS),
        (("; ".join(f"AppServiceAuthSession{i or ''}=x" for i in range(MAX_CHUNKS + 1)),), None),
        (("; ".join(f"AppServiceAuthSession{i or ''}=x" for i in range(900)),), None),
    ],
)
def test_the_session_cookie_is_put_together(lines: tuple[str, ...], value: str | None) -> None:
    """Chunks are joined in numeric order; too many, too much or contradicting ones are no cookie at all."""
    assert session_cookie_value(cookies(*lines)) == value


def test_every_piece_of_a_session_cookie_can_be_cleared() -> None:
    """The names of all chunks come back, each once, in numeric order."""
    sent = cookies("AppServiceAuthSession2=a; AppServiceAuthSession=b", "AppServiceAuthSession11=c; Nonce=d")
    expected = ["AppServiceAuthSession", "AppServiceAuthSession2", "AppServiceAuthSession11"]
    assert session_cookie_names(sent) == expected


@given(st.lists(st.binary(max_size=60), max_size=4))
def test_no_cookie_header_breaks_the_reader(lines: list[bytes]) -> None:
    """Whatever bytes a Cookie header has, reading it gives an answer."""
    sent = [(b"cookie", line) for line in lines]
    value = session_cookie_value(sent)
    assert value is None or value
    assert isinstance(cookie_values(sent, "Nonce"), list)


def test_other_cookies_are_read_with_all_their_values() -> None:
    """A cookie that is sent twice shows both values, so that its reader can judge."""
    assert cookie_values(cookies("Nonce=a; b=c", "Nonce=d=e; Nonce"), "Nonce") == ["a", "d=e"]


@pytest.mark.parametrize(
    ("https", "expires", "written"),
    [
        (True, None, "Nonce=x; path=/; secure; HttpOnly; SameSite=None"),
        (False, None, "Nonce=x; path=/; HttpOnly; SameSite=Lax"),
        (True, 0.0, "Nonce=x; path=/; expires=Thu, 01 Jan 1970 00:00:00 GMT; secure; HttpOnly; SameSite=None"),
    ],
)
def test_cookies_are_written_for_their_scheme(https: bool, expires: float | None, written: str) -> None:  # noqa: FBT001 - a table's column
    """On https a cookie survives a provider's cross-site form, on http it does without Secure; none has a Domain."""
    assert set_cookie("Nonce", "x", https=https, expires=expires) == (b"set-cookie", written.encode())


@pytest.mark.parametrize("value", ["a;b", "a b", "a\r\nb", 'a"b', "a,b", "a\\b", "\u00e9"])
def test_a_value_that_a_cookie_cannot_hold_is_a_defect(value: str) -> None:
    """No value can end the cookie or the header that it stands in."""
    with pytest.raises(ValueError, match="no cookie value"):
        set_cookie("Nonce", value, https=True)


def test_cookies_are_cleared_in_the_words_of_app_service() -> None:
    """A cleared cookie is written as captures show it."""
    assert clear_cookie("Nonce") == (b"set-cookie", b"Nonce=deleted; path=/; expires=Thu, 01 Jan 1970 00:00:00 GMT")


def test_the_challenge_separates_its_parameters_by_spaces() -> None:
    """With aad the challenge names where to sign in and for what; without it, the host alone."""
    where = "https://login.windows.net/t/oauth2/v2.0/authorize"
    assert challenge("a.example", authorization_uri=where, resource_id="id") == (
        b'Bearer realm="a.example" authorization_uri="https://login.windows.net/t/oauth2/v2.0/authorize" '
        b'resource_id="id"'
    )
    assert challenge("a.example") == b'Bearer realm="a.example"'
    assert challenge("a.example", resource_metadata="m").endswith(b' resource_metadata="m"')


def test_no_value_breaks_out_of_the_challenge() -> None:
    """A value from elsewhere ends neither its quotation marks nor the header."""
    assert challenge('a"b\\c\r\nd') == b'Bearer realm="a\\"b\\\\cd"'
