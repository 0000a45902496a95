"""`current_principal` reads what the gateway sends, from whatever an application holds of a request."""

import json
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from io import BytesIO
from types import SimpleNamespace
from typing import Any

import django.conf  # pyright: ignore[reportMissingTypeStubs] - Django brings none
import fastapi
import flask
import pytest
from django.test import (  # pyright: ignore[reportMissingTypeStubs] - Django brings none
    AsyncRequestFactory,
    RequestFactory,
)
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.websockets import WebSocket
from werkzeug.datastructures import Headers as WerkzeugHeaders

from doorward.client import ClientPrincipal, MalformedPrincipal, current_principal
from doorward.client.principal import MAX_CLAIMS, MAX_PRINCIPAL, ROLE
from doorward.identity.claims import EMAIL, NAMEIDENTIFIER, OBJECT_ID, Claim
from doorward.identity.person import Identity, ProviderTokens, ticks
from doorward.identity.principal import PLATFORM, principal_of, principal_of_platform_token
from doorward.providers import ALL
from tests.support.canaries import canary

Raw = list[tuple[bytes, bytes]]
if not django.conf.settings.configured:
    django.conf.settings.configure(ALLOWED_HOSTS=["*"])  # at once: other tests look at every object there is
EXPIRES = 1_800_000_000.0
JANE = Identity(
    provider="aad",
    user_id="jané@contoso.com",
    subject="sub-of-jane",
    principal_id="oid-of-jane",
    name_typ=EMAIL,
    claims=(
        Claim(EMAIL, "jané@contoso.com"),
        Claim(OBJECT_ID, "oid-of-jane"),
        Claim(NAMEIDENTIFIER, "sub-of-jane"),
        Claim("roles", "Reader"),
        Claim("roles", "Writer"),
        Claim("roles", "Reader"),
    ),
    tokens=ProviderTokens(access_token=canary("access token of jane"), expires_on=ticks(EXPIRES + 0.257421)),
)


def sent(identity: Identity = JANE) -> Raw:
    """Give the headers that the gateway sends for somebody."""
    kinds = ALL["aad"].tokens
    return list(principal_of(identity, token_kinds=kinds, with_tokens=True, with_refresh_token=True).headers)


def scope(raw: Raw, kind: str = "http") -> dict[str, Any]:
    """Make an ASGI scope as servers do, with names in lower case."""
    return {
        "type": kind,
        "method": "GET",
        "path": "/",
        "query_string": b"",
        "headers": [(name.lower(), value) for name, value in raw],
    }


def environ(raw: Raw) -> dict[str, Any]:
    """Make a WSGI environ as servers do (PEP 3333): Latin-1, and what came twice joined by a comma."""
    found: dict[str, Any] = {"REQUEST_METHOD": "GET", "PATH_INFO": "/", "SERVER_NAME": "app", "SERVER_PORT": "80"}
    found |= {"wsgi.version": (1, 0), "wsgi.url_scheme": "http", "wsgi.input": BytesIO()}
    for name, value in raw:
        key = f"HTTP_{name.decode().upper().replace('-', '_')}"
        text = value.decode("latin-1")
        found[key] = f"{found[key]},{text}" if key in found else text
    return found


def texts(raw: Raw) -> list[tuple[str, str]]:
    """Give headers as text, as servers decode them."""
    return [(name.decode(), value.decode("latin-1")) for name, value in raw]


class ContextHeaders(Mapping[str, str]):
    """Headers as Streamlit's `st.context.headers` has them: the first of each name, and `get_all`."""

    def __init__(self, pairs: list[tuple[str, str]]) -> None:
        """Keep every value."""
        self._values: dict[str, list[str]] = {}
        for name, value in pairs:
            self._values.setdefault(name.title(), []).append(value)

    def get_all(self, key: str) -> list[str]:
        """Give every value."""
        return list(self._values.get(key.title(), []))

    def __getitem__(self, key: str) -> str:
        """Give the first."""
        return self._values[key.title()][0]

    def __iter__(self) -> Iterator[str]:
        """Give the names."""
        return iter(self._values)

    def __len__(self) -> int:
        """Count the names."""
        return len(self._values)


def of_django(raw: Raw) -> object:
    """Make a request of Django under WSGI."""
    return RequestFactory().get("/", **{k: v for k, v in environ(raw).items() if k.startswith("HTTP_")})


def of_django_async(raw: Raw) -> object:
    """Make a request of Django under ASGI."""
    return AsyncRequestFactory().request(**scope(raw))


def of_flask(raw: Raw) -> object:
    """Make a request of Flask."""
    return flask.Flask("app").request_context(environ(raw)).request


WAYS: dict[str, Callable[[Raw], object]] = {
    "ASGI": scope,
    "ASGI WebSocket": lambda raw: scope(raw, "websocket"),
    "WSGI": environ,
    "Starlette": lambda raw: Request(scope(raw)),
    "Starlette WebSocket": lambda raw: WebSocket(scope(raw, "websocket"), _nobody, _nobody),
    "Starlette headers": lambda raw: Request(scope(raw)).headers,
    "FastAPI": lambda raw: fastapi.Request(scope(raw)),
    "Django": of_django,
    "Django async": of_django_async,
    "Django META": lambda raw: of_django(raw).META,  # type: ignore[attr-defined] # made above
    "Flask": of_flask,
    "werkzeug headers": lambda raw: WerkzeugHeaders(texts(raw)),
    "Streamlit": lambda raw: SimpleNamespace(headers=ContextHeaders(texts(raw))),
    "Streamlit headers": lambda raw: ContextHeaders(texts(raw)),
    "pairs": texts,
    "pairs of bytes": lambda raw: raw,
    "mapping": lambda raw: dict(texts(raw)),
    "mapping of lists": lambda raw: {name: [v for n, v in texts(raw) if n == name] for name, _ in texts(raw)},
}
ALL_VALUES = [way for way in WAYS if way != "mapping"]
"""The ways that show whether a header came twice; a plain mapping has lost the second before we see it."""


async def _nobody(*_: object) -> Any:
    raise AssertionError


@pytest.mark.parametrize("way", WAYS)
def test_somebody_is_read_in_every_way(way: str) -> None:
    """Provider, id, name in UTF-8, claims in order, roles once, and the token's end."""
    found = current_principal(WAYS[way](sent()))
    assert found is not None
    assert (found.provider, found.id, found.name) == ("aad", "oid-of-jane", "jané@contoso.com")
    assert [(claim.typ, claim.val) for claim in found.claims] == [(claim.typ, claim.val) for claim in JANE.claims]
    assert found.roles == ("Reader", "Writer")
    assert found.tokens.access_token == JANE.tokens.access_token
    assert found.tokens.expires_on == datetime(2027, 1, 15, 8, 0, tzinfo=UTC)


@pytest.mark.parametrize("way", WAYS)
def test_nobody_is_none(way: str) -> None:
    """A request without the header has no principal, whatever else it carries."""
    assert current_principal(WAYS[way]([(b"Host", b"app"), (b"X-MS-CLIENT-PRINCIPAL-NAME", b"admin")])) is None


@pytest.mark.parametrize("way", ALL_VALUES)
def test_two_of_one_header_are_refused(way: str) -> None:
    """Two principals, and two ids, are an attack: never the first, never the last."""
    with pytest.raises(MalformedPrincipal):
        current_principal(WAYS[way]([*sent(), sent()[0]]))
    if "WSGI" not in way and "Django" not in way and way != "Flask":  # an environ has joined the two
        with pytest.raises(MalformedPrincipal, match="principal-id is there 2 times"):
            current_principal(WAYS[way]([*sent(), (b"x-ms-client-principal-id", b"root")]))


def encoded(content: object) -> bytes:
    """Give what stands in the header for a JSON value."""
    return b64encode(json.dumps(content).encode())


GOOD: dict[str, object] = {"auth_typ": "aad", "claims": [], "name_typ": "n", "role_typ": ROLE}
BAD = {
    "empty object": encoded({}),
    "no base64": b"{}",
    "base64url": b64encode(b'{"a":"\xc3\xbf\xc3\xbf\xc3\xbf"}').replace(b"/", b"_") + b"_",
    "no padding": encoded(GOOD).rstrip(b"=") + b"A",
    "white space": encoded(GOOD)[:8] + b" " + encoded(GOOD)[8:],
    "other spelling": b"e31=",  # of {}, with bits that say nothing
    "array": encoded([GOOD]),
    "null": encoded(None),
    "no UTF-8": b64encode(b'{"auth_typ": "\xff"}'),
    "a name twice": b64encode(b'{"auth_typ":"aad","auth_typ":"x","claims":[],"name_typ":"n","role_typ":"r"}'),
    "auth_typ null": encoded({**GOOD, "auth_typ": None}),
    "role_typ a list": encoded({**GOOD, "role_typ": ["a"]}),
    "claims an object": encoded({**GOOD, "claims": {}}),
    "claim a text": encoded({**GOOD, "claims": ["a"]}),
    "claim without value": encoded({**GOOD, "claims": [{"typ": "a"}]}),
    "claim of a number": encoded({**GOOD, "claims": [{"typ": "a", "val": 1}]}),
    "too many claims": encoded({**GOOD, "claims": [{"typ": "", "val": ""}] * (MAX_CLAIMS + 1)}),
    "too long": b"A" * (MAX_PRINCIPAL + 4),
    "deep": b64encode(b'{"a":' + b"[" * 4000 + b"]" * 4000 + b"}"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_no_gateway_sends_is_refused(case: str) -> None:
    """Malformed, oversized, ambiguous: an error with a reason that shows no value, and the answer to give."""
    with pytest.raises(MalformedPrincipal) as caught:
        current_principal(scope([(b"x-ms-client-principal", BAD[case])]))
    assert (caught.value.status, caught.value.detail) == (400, "Request is malformed")
    assert len(caught.value.reason) < 120


@pytest.mark.parametrize("text", ["", "soon", "2027-01-15T08:00:00", "2027-01-15T08:00:00+01:00Z", "9" * 9000])
def test_a_time_that_is_none_is_refused(text: str) -> None:
    """An end of a token is UTC in the form of the reference, or an error; empty is absent."""
    raw = [(name, value) for name, value in sent() if not name.endswith(b"EXPIRES-ON")]
    raw.append((b"X-MS-TOKEN-AAD-EXPIRES-ON", text.encode()))
    if text:
        with pytest.raises(MalformedPrincipal):
            current_principal(scope(raw))
    else:
        found = current_principal(scope(raw))
        assert found is not None
        assert not found.tokens.has_expired()


def test_a_token_expires_when_it_says() -> None:
    """`has_expired` turns at the moment itself."""
    found = current_principal(scope(sent()))
    assert found is not None
    assert found.tokens.has_expired(datetime(2027, 1, 15, 8, 0, tzinfo=UTC))
    assert not found.tokens.has_expired(datetime(2027, 1, 15, 7, 59, 59, tzinfo=UTC))


HOSTILE = {"HTTP_X_MS_CLIENT_PRINCIPAL": encoded(GOOD).decode(), "wsgi.version": "(1, 0)", "type": "http"}


def test_headers_cannot_pose_as_an_environ_or_a_scope() -> None:
    """A client may name a header as a WSGI server does, which no gateway takes away; nobody is made of it."""
    assert current_principal({"Host": "app", **HOSTILE}) is None
    assert current_principal({"Host": "app", **HOSTILE, "headers": "x-ms-client-principal"}) is None
    with pytest.raises(MalformedPrincipal, match="environ"):
        current_principal({"Host": "app", **HOSTILE, "REQUEST_METHOD": "GET"})


@pytest.mark.parametrize("thing", [None, 5, "X-MS-CLIENT-PRINCIPAL: a", b"x", object()])
def test_what_is_no_request_is_a_mistake_of_the_program(thing: object) -> None:
    """A `TypeError` says so at once."""
    with pytest.raises(TypeError, match="neither a request nor"):
        current_principal(thing)


def test_a_platform_token_is_somebody() -> None:
    """Who comes with a platform token is `doorward`, with the role under its own name."""
    principal = principal_of_platform_token(7, "jane@contoso.com", None, "application_admin", 1)
    found = current_principal(scope(list(principal.headers)))
    assert found is not None
    assert (found.provider, found.id, found.roles) == (PLATFORM, "7", ("application_admin",))
    assert found.has_role("application_admin")
    assert not found.has_role("global_admin")
    assert found.first("organization_id") == "1"
    assert found.all(EMAIL) == ("jane@contoso.com",)


def test_without_the_other_headers_the_claims_speak() -> None:
    """A proxy that hands on the principal alone still tells who it is; aad by `oid`, others by nameidentifier."""
    for provider, expected in (("aad", "oid-of-jane"), ("contoso", "sub-of-jane")):
        claims = [{"typ": claim.typ, "val": claim.val} for claim in JANE.claims]
        value = encoded({**GOOD, "auth_typ": provider, "claims": claims, "name_typ": EMAIL})
        found = current_principal([("X-MS-CLIENT-PRINCIPAL", value.decode())])
        assert found is not None
        assert (found.provider, found.id, found.name) == (provider, expected, "jané@contoso.com")


def test_no_token_is_printed() -> None:
    """Whoever logs a principal logs no token."""
    found = current_principal(scope(sent()))
    assert JANE.tokens.access_token
    assert JANE.tokens.access_token not in repr(found)


@given(st.binary(max_size=200) | st.binary(max_size=120).map(b64encode))
def test_whatever_comes_is_read_or_refused(value: bytes) -> None:
    """No bytes bring the reader down: a principal, none, or the one error."""
    try:
        found = current_principal(scope([(b"x-ms-client-principal", value)]))
    except MalformedPrincipal:
        return
    assert found is None or isinstance(found, ClientPrincipal)
