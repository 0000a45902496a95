"""What the application is told: headers in bytes, in their order, and never one more than was meant."""

import base64
import re
import unicodedata

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from doorward.identity.claims import Claim
from doorward.identity.person import Identity, ProviderTokens, me_entry
from doorward.identity.principal import (
    Principal,
    platform_identity,
    principal_of,
    principal_of_platform_token,
    principal_of_session_token,
    with_named_roles,
)
from tests.support.canaries import canary

X = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/"
ROLE = "http://schemas.microsoft.com/ws/2008/06/identity/claims/role"
KINDS = ("id_token", "access_token", "expires_on", "refresh_token")
HEADER_NAME = re.compile(rb"X-MS-[A-Z0-9-]+")


def person(**changes: object) -> Identity:
    """Give somebody of the custom provider contoso."""
    honest = Identity(
        provider="contoso",
        user_id="jane@contoso.com",
        subject="248289761001",
        principal_id="248289761001",
        name_typ=f"{X}emailaddress",
        claims=(Claim(f"{X}emailaddress", "jane@contoso.com"), Claim("groups", "a"), Claim("groups", "b")),
        tokens=ProviderTokens(
            access_token=canary("principal access token"),
            expires_on=10_000_000,
            refresh_token=canary("principal refresh"),
        ),
    )
    return msgspec.structs.replace(honest, **changes)


def headers(principal: Principal) -> dict[str, str]:
    """Give the headers as text; a repeated name would be lost, so there must be none."""
    named = {name.decode("ascii"): value.decode() for name, value in principal.headers}
    assert len(named) == len(principal.headers)
    return named


def payload(principal: Principal) -> dict[str, object]:
    """Decode X-MS-CLIENT-PRINCIPAL as applications do."""
    decoded: dict[str, object] = msgspec.json.decode(base64.b64decode(principal.headers[0][1], validate=True))
    return decoded


def all_headers(identity: Identity) -> Principal:
    """Give the principal with every header."""
    return principal_of(identity, token_kinds=KINDS, with_tokens=True, with_refresh_token=True)


def test_headers_in_order() -> None:
    """The headers stand in the order of the reference, a custom provider's name in upper case."""
    told = headers(all_headers(person()))
    assert list(told) == [
        "X-MS-CLIENT-PRINCIPAL",
        "X-MS-CLIENT-PRINCIPAL-ID",
        "X-MS-CLIENT-PRINCIPAL-NAME",
        "X-MS-CLIENT-PRINCIPAL-IDP",
        "X-MS-TOKEN-CONTOSO-ACCESS-TOKEN",
        "X-MS-TOKEN-CONTOSO-EXPIRES-ON",
        "X-MS-TOKEN-CONTOSO-REFRESH-TOKEN",
    ]
    assert told["X-MS-TOKEN-CONTOSO-EXPIRES-ON"] == "1970-01-01T00:00:01.0000000Z"
    assert told["X-MS-CLIENT-PRINCIPAL-IDP"] == "contoso"


def test_the_payload_to_the_byte() -> None:
    """X-MS-CLIENT-PRINCIPAL is padded base64 of compact JSON, with its properties in order (reference 6.1)."""
    written = base64.b64decode(all_headers(person()).headers[0][1], validate=True)
    assert written.decode() == (
        '{"auth_typ":"contoso","claims":[{"typ":"' + X + 'emailaddress","val":"jane@contoso.com"},'
        '{"typ":"groups","val":"a"},{"typ":"groups","val":"b"}],'
        '"name_typ":"' + X + 'emailaddress","role_typ":"' + ROLE + '"}'
    )


def test_tokens_need_the_store() -> None:
    """Without a token store there is no token header; the refresh token can be kept back alone."""
    bare = principal_of(person(), token_kinds=KINDS, with_tokens=False, with_refresh_token=True)
    assert len(bare.headers) == 4
    kept = principal_of(person(), token_kinds=KINDS, with_tokens=True, with_refresh_token=False)
    assert [name for name, _ in kept.headers[4:]] == [
        b"X-MS-TOKEN-CONTOSO-ACCESS-TOKEN", b"X-MS-TOKEN-CONTOSO-EXPIRES-ON",
    ]  # fmt: skip


def test_only_the_kinds_of_the_provider() -> None:
    """A token of a kind that the provider's headers do not have stays in the store."""
    told = principal_of(person(), token_kinds=("access_token",), with_tokens=True, with_refresh_token=True)
    assert [name for name, _ in told.headers[4:]] == [b"X-MS-TOKEN-CONTOSO-ACCESS-TOKEN"]


@pytest.mark.parametrize("token", ["a\r\nX-Evil: 1", "a\x00", "é", "", "\x7f"])
def test_a_token_that_is_none_gives_no_header(token: str) -> None:
    """A token with other than printable ASCII in it is left out."""
    told = all_headers(person(tokens=ProviderTokens(access_token=token)))
    assert len(told.headers) == 4


def test_names_in_utf_8() -> None:
    """NAME equals `user_id`, in UTF-8 bytes."""
    told = all_headers(person(user_id="Ørjan 🙂"))
    assert dict(told.headers)[b"X-MS-CLIENT-PRINCIPAL-NAME"] == "Ørjan 🙂".encode()


def test_a_name_cannot_end_its_header() -> None:
    """A line break in a name begins no header of its own."""
    told = headers(all_headers(person(user_id="Joe\r\nX-MS-CLIENT-PRINCIPAL-ID: 1", principal_id="7\n8")))
    assert told["X-MS-CLIENT-PRINCIPAL-NAME"] == "JoeX-MS-CLIENT-PRINCIPAL-ID: 1"
    assert told["X-MS-CLIENT-PRINCIPAL-ID"] == "78"


def test_without_a_name_no_header() -> None:
    """An empty header would be a name; there is none instead."""
    assert "X-MS-CLIENT-PRINCIPAL-NAME" not in headers(all_headers(person(user_id="")))


CLAIMS = st.lists(st.builds(Claim, st.text(max_size=20), st.text(max_size=40)), max_size=12).map(tuple)


@given(claims=CLAIMS, name=st.text(st.characters(codec=None)), principal_id=st.text(), token=st.text())
def test_any_claims_can_be_told(claims: tuple[Claim, ...], name: str, principal_id: str, token: str) -> None:
    """Any claims decode to the same list, and no header name or value could be taken for more than one."""
    tokens = ProviderTokens(access_token=token, refresh_token=token)
    told = all_headers(person(claims=claims, user_id=name, principal_id=principal_id, tokens=tokens))
    assert payload(told)["claims"] == [{"typ": claim.typ, "val": claim.val} for claim in claims]
    for header, value in told.headers:
        assert HEADER_NAME.fullmatch(header)
        assert value
        assert value == value.strip()
        assert not [character for character in value.decode() if unicodedata.category(character) == "Cc"]


def test_five_hundred_groups() -> None:
    """A caller in 500 groups is told with all of them, in order."""
    groups = tuple(Claim("groups", f"00000000-0000-4000-8000-{number:012d}") for number in range(500))
    told = all_headers(person(claims=groups))
    assert told.claims == groups
    assert payload(told)["claims"] == msgspec.to_builtins(list(groups))


def test_nothing_prints_a_header() -> None:
    """The text of a principal holds none of its headers: they hold tokens."""
    told = all_headers(person())
    assert repr(told) == "Principal('contoso', '248289761001')"


SESSION_TOKEN = {
    "stable_sid": "sid:0123456789abcdef0123456789abcdef",
    "sub": "sid:61f7d36ec1a6feeb55d0dae8a34fce34",
    "idp": "aad",
    "ver": "3",
    "nbf": 1800000000,
    "exp": 1802592000,
    "iat": 1800000000,
    "iss": "https://app.example.com/",
    "aud": "https://app.example.com/",
    "jti": "the-session",
}


def test_session_tokens() -> None:
    """Under a session token the application sees the claims of the token alone, without `jti` (reference 3.2)."""
    told = principal_of_session_token(SESSION_TOKEN, user_id="jane@contoso.com")
    assert payload(told) == {
        "auth_typ": "AuthenticationTypes.Federation",
        "claims": [
            {"typ": "stable_sid", "val": "sid:0123456789abcdef0123456789abcdef"},
            {"typ": f"{X}nameidentifier", "val": "sid:61f7d36ec1a6feeb55d0dae8a34fce34"},
            {"typ": "http://schemas.microsoft.com/identity/claims/identityprovider", "val": "aad"},
            {"typ": "ver", "val": "3"},
            {"typ": "nbf", "val": "1800000000"},
            {"typ": "exp", "val": "1802592000"},
            {"typ": "iat", "val": "1800000000"},
            {"typ": "iss", "val": "https://app.example.com/"},
            {"typ": "aud", "val": "https://app.example.com/"},
        ],
        "name_typ": f"{X}name",
        "role_typ": ROLE,
    }
    named = headers(told)
    del named["X-MS-CLIENT-PRINCIPAL"]
    assert named == {
        "X-MS-CLIENT-PRINCIPAL-ID": "sid:61f7d36ec1a6feeb55d0dae8a34fce34",
        "X-MS-CLIENT-PRINCIPAL-NAME": "jane@contoso.com",
        "X-MS-CLIENT-PRINCIPAL-IDP": "aad",
    }


def test_session_tokens_with_the_tokens_of_the_session() -> None:
    """The provider's tokens of the session go along where they are to be shown."""
    tokens = ProviderTokens(access_token=canary("session access token"))
    told = principal_of_session_token(SESSION_TOKEN, user_id="jane", tokens=tokens, token_kinds=KINDS)
    assert told.headers[-1] == (b"X-MS-TOKEN-AAD-ACCESS-TOKEN", canary("session access token").encode())


def test_platform_tokens() -> None:
    """A platform token gives the principal of the interface: five claims in order, e-mail as the name."""
    told = principal_of_platform_token(7, "jane@contoso.com", "Jane Doe", "application_admin", 1)
    assert payload(told) == {
        "auth_typ": "doorward",
        "claims": [
            {"typ": f"{X}nameidentifier", "val": "7"},
            {"typ": f"{X}emailaddress", "val": "jane@contoso.com"},
            {"typ": f"{X}name", "val": "Jane Doe"},
            {"typ": ROLE, "val": "application_admin"},
            {"typ": "organization_id", "val": "1"},
        ],
        "name_typ": f"{X}emailaddress",
        "role_typ": ROLE,
    }
    assert told.headers[1:] == (
        (b"X-MS-CLIENT-PRINCIPAL-ID", b"7"),
        (b"X-MS-CLIENT-PRINCIPAL-NAME", b"jane@contoso.com"),
        (b"X-MS-CLIENT-PRINCIPAL-IDP", b"doorward"),
    )


def test_platform_tokens_at_me() -> None:
    """At `/.auth/me` the owner of a platform token has no tokens, and no claim of a name that is not known."""
    identity = platform_identity(7, "jane@contoso.com", None, "user", 1)
    element = me_entry(identity, profile="current", refreshed=False, redact=False)
    assert list(element) == ["provider_name", "user_claims", "user_id"]
    assert element["provider_name"] == "doorward"
    assert element["user_id"] == "jane@contoso.com"
    assert [claim.val for claim in identity.claims] == ["7", "jane@contoso.com", "user", "1"]


def test_roles_can_stand_under_the_type_that_is_named() -> None:
    """By default a check by `role_typ` finds no role, as on App Service; renamed, every role is found, in its place."""
    claims = (Claim("a", "1"), Claim("roles", "Reader"), Claim("b", "2"), Claim("roles", "Writer"), Claim("role", "X"))
    faithful = person(claims=claims)
    named = with_named_roles(faithful)
    assert [claim.val for claim in faithful.claims if claim.typ == ROLE] == []
    assert [claim.val for claim in named.claims if claim.typ == ROLE] == ["Reader", "Writer", "X"]
    assert [claim.val for claim in named.claims] == [claim.val for claim in claims]
    assert payload(all_headers(named))["role_typ"] == ROLE
