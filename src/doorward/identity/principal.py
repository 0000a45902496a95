"""What the application is told about its caller: one function makes every `X-MS-*` header for every door.

Easy-auth reference section 6. The headers are made once for a session or a credential, not once a request. Refuses to
put into a header what could end it: a value here is bytes without any control character.
"""

import re
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from doorward.base.frozen import frozen
from doorward.identity.claims import EMAIL, IDENTITY_PROVIDER, NAME, NAMEIDENTIFIER, ROLE, Claim, printed
from doorward.identity.person import Identity, ProviderTokens, one_line, ticks_text

PLATFORM = "doorward"
"""The provider of platform tokens (interface, "Platform token at the gateway")."""

SESSION_TOKEN_TYPE = "AuthenticationTypes.Federation"
_SESSION_TOKEN_CLAIMS = ("stable_sid", "sub", "idp", "ver", "nbf", "exp", "iat", "iss", "aud")
_SESSION_TOKEN_NAMES = {"sub": NAMEIDENTIFIER, "idp": IDENTITY_PROVIDER}
_ROLE_NAMES = frozenset({"role", "roles"})
_TOKEN_TEXT = re.compile(r"[\x20-\x7e]+")


@frozen
class Principal:
    """The caller as the application sees it.

    `lines` are the header lines that say it, ready to be sent, in the order of the reference and with names as App
    Service spells them (`X-MS-CLIENT-PRINCIPAL`, ...). They hold the provider's tokens, so nothing prints them.
    """

    auth_typ: str
    idp: str
    id: str
    name: str
    name_typ: str
    claims: tuple[Claim, ...]
    lines: bytes

    @property
    def headers(self) -> tuple[tuple[bytes, bytes], ...]:
        """Give the lines as names and values. They are not kept so: all at once take half the memory."""
        named = [line.partition(b": ") for line in self.lines.split(b"\r\n")[:-1]]
        return tuple([(name, value) for name, _, value in named])

    def __repr__(self) -> str:
        """Show whose principal it is, and no header."""
        return f"Principal({self.idp!r}, {self.id!r})"


class _Payload(msgspec.Struct):
    """The JSON of `X-MS-CLIENT-PRINCIPAL`; the order of the fields is the order on the wire (reference 6.1)."""

    auth_typ: str
    claims: tuple[Claim, ...]
    name_typ: str
    role_typ: str


def principal_of(
    identity: Identity, *, token_kinds: Sequence[str], with_tokens: bool, with_refresh_token: bool
) -> Principal:
    """Give the principal of somebody who signed in, or came with a bearer of a provider.

    `token_kinds` are the provider's (`ProviderSpec.tokens`), by their names in `ProviderTokens`; `with_tokens` says
    whether there is a token store (reference 6), `with_refresh_token` is the setting `easyauth.inject_refresh_token`.
    """
    kinds = [kind for kind in token_kinds if with_tokens and (with_refresh_token or kind != "refresh_token")]
    return _principal(
        auth_typ=identity.provider,
        idp=identity.provider,
        id=identity.principal_id,
        name=identity.user_id,
        name_typ=identity.name_typ,
        claims=identity.claims,
        tokens=tuple(_token_headers(identity.provider, kinds, identity.tokens)),
    )


def with_named_roles(identity: Identity) -> Identity:
    """Give the same person with their role claims under the type that `role_typ` names.

    App Service leaves them under `roles` while `role_typ` says otherwise (reference 6.1), so who asks by `role_typ`
    finds none. This is `easyauth.consistent_roles`.
    """
    claims = tuple(Claim(ROLE, claim.val) if claim.typ in _ROLE_NAMES else claim for claim in identity.claims)
    return msgspec.structs.replace(identity, claims=claims)


def principal_of_session_token(
    claims: Mapping[str, object],
    *,
    user_id: str = "",
    tokens: ProviderTokens | None = None,
    token_kinds: Sequence[str] = (),
) -> Principal:
    """Give the principal of a caller with a session token, whose claims are those of the token alone (reference 3.2).

    `claims` are those of a token of ours that was verified; `jti` is none of them for the application. `user_id` is the
    store's (interface, "Last points"); `tokens` and `token_kinds` are those of the session, where they are to be shown.
    """
    idp = _text(claims.get("idp"))
    return _principal(
        auth_typ=SESSION_TOKEN_TYPE,
        idp=idp,
        id=_text(claims.get("sub")),
        name=user_id,
        name_typ=NAME,
        claims=tuple(
            Claim(_SESSION_TOKEN_NAMES.get(name, name), text)
            for name in _SESSION_TOKEN_CLAIMS
            for text in printed(claims.get(name))
        ),
        tokens=() if tokens is None else tuple(_token_headers(idp, token_kinds, tokens)),
    )


def platform_identity(user_id: int, email: str, name: str | None, role: str, organization_id: int) -> Identity:
    """Give the owner of a platform token as an identity; there are no tokens of a provider in it.

    Claims in the order of the interface, "Platform token at the gateway"; a user without a name has no claim of it.
    """
    claims = (
        (NAMEIDENTIFIER, str(user_id)),
        (EMAIL, email),
        (NAME, name),
        (ROLE, role),
        ("organization_id", str(organization_id)),
    )
    return Identity(
        provider=PLATFORM,
        user_id=one_line(email),
        subject=str(user_id),
        principal_id=str(user_id),
        name_typ=EMAIL,
        claims=tuple(Claim(typ, val) for typ, val in claims if val),
    )


def principal_of_platform_token(
    user_id: int, email: str, name: str | None, role: str, organization_id: int
) -> Principal:
    """Give the principal of a caller with a platform token (interface, "Platform token at the gateway")."""
    identity = platform_identity(user_id, email, name, role, organization_id)
    return principal_of(identity, token_kinds=(), with_tokens=False, with_refresh_token=False)


def _principal(
    *,
    auth_typ: str,
    idp: str,
    id: str,  # noqa: A002 - the name of the field
    name: str,
    name_typ: str,
    claims: tuple[Claim, ...],
    tokens: tuple[tuple[bytes, bytes], ...],
) -> Principal:
    payload = msgspec.json.encode(_Payload(auth_typ, claims, name_typ, ROLE))
    named = ((b"-ID", id), (b"-NAME", name), (b"-IDP", idp))
    said = ((b"X-MS-CLIENT-PRINCIPAL" + suffix, one_line(text).encode()) for suffix, text in named)
    headers = (
        (b"X-MS-CLIENT-PRINCIPAL", b64encode(payload)),
        *((header, value) for header, value in said if value),
        *tokens,
    )
    return Principal(
        auth_typ=auth_typ,
        idp=idp,
        id=id,
        name=name,
        name_typ=name_typ,
        claims=claims,
        lines=b"".join([b"%b: %b\r\n" % header for header in headers]),
    )


def _token_headers(provider: str, kinds: Sequence[str], tokens: ProviderTokens) -> Iterator[tuple[bytes, bytes]]:
    """Give one header for each token that is held; `kinds` are in the order of the headers."""
    for kind in kinds:
        value = getattr(tokens, kind)
        text = ticks_text(value) if isinstance(value, int) else value
        # A token is printable ASCII (RFC 6749 appendix A); a provider's mistake must not become a header of its own.
        if text and _TOKEN_TEXT.fullmatch(text):
            yield f"X-MS-TOKEN-{provider}-{kind}".upper().replace("_", "-").encode(), text.encode()


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
