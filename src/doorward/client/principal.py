"""Who calls an application that stands behind the gateway, by the `X-MS-*` headers (easy-auth reference 6).

Believe these headers only where nobody but the gateway can reach the application: whoever reaches it past the gateway
writes them as they like. Owns the strict reading of them. What is malformed, too large, or there twice is an error and
never a guess, since a gateway sends nothing of the kind.
"""

import binascii
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import cast

from doorward.base.clock import SystemClock
from doorward.base.strict_json import NotStrictJson, decode_object
from doorward.client.headers import Values, headers_of
from doorward.client.refusals import MalformedPrincipal

HEADER = "x-ms-client-principal"
MAX_PRINCIPAL = 128 * 1024
"""Characters of base64; more does not fit into a request's head that any common server takes."""

MAX_CLAIMS = 5000
MAX_LINE = 8 * 1024
MAX_TOKEN = 64 * 1024
ROLE = "http://schemas.microsoft.com/ws/2008/06/identity/claims/role"
_OBJECT_ID = "http://schemas.microsoft.com/identity/claims/objectidentifier"
_NAMEIDENTIFIER = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/nameidentifier"
_MEMBERS = ("auth_typ", "name_typ", "role_typ")
_KINDS = ("access_token", "access_token_secret", "authentication_token", "id_token", "refresh_token")


@dataclass(frozen=True, slots=True)
class PrincipalClaim:
    """One claim: a type, which may be repeated, and a value."""

    typ: str
    val: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderTokenSet:
    """The provider's tokens as the gateway hands them on, None for those that it does not; nothing prints them.

    `expires_on` is when the access token expires, in UTC.
    """

    access_token: str | None = field(default=None, repr=False)
    access_token_secret: str | None = field(default=None, repr=False)
    authentication_token: str | None = field(default=None, repr=False)
    id_token: str | None = field(default=None, repr=False)
    refresh_token: str | None = field(default=None, repr=False)
    expires_on: datetime | None = None

    def has_expired(self, now: datetime | None = None) -> bool:
        """Say whether the access token has expired; False where nobody said when it does."""
        return self.expires_on is not None and self.expires_on <= (now or _now())


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientPrincipal:
    """Somebody who signed in at the gateway.

    `provider` is its alias (`aad`, `google`, ..., `doorward` for platform tokens). `id` never changes and is what to
    keep people by, together with `provider`; `name` is for people, and may change and be given to somebody else. Both
    are empty where the gateway said nothing. `claims` stand in the order in which the provider issued them.
    """

    provider: str
    id: str
    name: str
    auth_typ: str
    name_typ: str
    role_typ: str
    claims: tuple[PrincipalClaim, ...]
    tokens: ProviderTokenSet = field(default_factory=ProviderTokenSet)

    def first(self, typ: str) -> str | None:
        """Give the value of the first claim of a type, or None."""
        return next((claim.val for claim in self.claims if claim.typ == typ), None)

    def all(self, typ: str) -> tuple[str, ...]:
        """Give the values of every claim of a type, in order."""
        return tuple(claim.val for claim in self.claims if claim.typ == typ)

    @property
    def roles(self) -> tuple[str, ...]:
        """Give the roles, each once: what `role_typ` names, and what stands under `roles`.

        App Service names one type in `role_typ` and writes Entra's roles under another (easy-auth reference 6.1); here
        both count, so an application need not know which setting is in force.
        """
        kinds = {self.role_typ, ROLE, "roles"}
        return tuple(dict.fromkeys(claim.val for claim in self.claims if claim.typ in kinds))

    def has_role(self, role: str) -> bool:
        """Say whether a role is among them."""
        return role in self.roles


def current_principal(request: object) -> ClientPrincipal | None:
    """Give who sent a request, None where nobody is signed in.

    `request` is an ASGI scope, a WSGI environ, a request of Starlette, FastAPI, Flask or Django, Streamlit's
    `st.context`, or headers as a mapping or as pairs.

    Raises `MalformedPrincipal` for headers that no gateway sends, `TypeError` for what is no request.
    """
    values = headers_of(request)
    value = _one(values, HEADER, MAX_PRINCIPAL)
    if value is None:
        return None
    content = _content(value)
    auth_typ, name_typ, role_typ = (_member(content, name) for name in _MEMBERS)
    claims = _claims(content)
    provider = _one(values, f"{HEADER}-idp", MAX_LINE) or auth_typ
    stable = {claim.typ: claim.val for claim in reversed(claims) if claim.typ in {_OBJECT_ID, _NAMEIDENTIFIER}}
    principal_id = stable.get(_OBJECT_ID if provider == "aad" else _NAMEIDENTIFIER) or stable.get(_NAMEIDENTIFIER, "")
    return ClientPrincipal(
        provider=provider,
        id=_one(values, f"{HEADER}-id", MAX_LINE) or principal_id,
        name=_one(values, f"{HEADER}-name", MAX_LINE) or next((c.val for c in claims if c.typ == name_typ), ""),
        auth_typ=auth_typ,
        name_typ=name_typ,
        role_typ=role_typ,
        claims=claims,
        tokens=_tokens(values, provider),
    )


def _one(values: Values, name: str, most: int) -> str | None:
    """Give the value of a header that may be there once; raises `MalformedPrincipal`."""
    found = values(name)
    if len(found) > 1:
        raise MalformedPrincipal(f"{name} is there {len(found)} times")
    if found and len(found[0]) > most:
        raise MalformedPrincipal(f"{name} has more than {most} characters")
    return found[0].strip() or None if found else None


def _content(value: str) -> Mapping[str, object]:
    """Decode base64 and JSON, each in the one spelling that there is; raises `MalformedPrincipal`."""
    try:
        raw = b64decode(value, validate=True)
        content = decode_object(raw)
    except (binascii.Error, ValueError) as error:
        reason = str(error) if isinstance(error, NotStrictJson) else "not base64"
        raise MalformedPrincipal(f"{HEADER} cannot be read: {reason}") from None
    if b64encode(raw) != value.encode():
        raise MalformedPrincipal(f"{HEADER} is not in the canonical spelling of base64")
    return content


def _member(content: Mapping[str, object], name: str) -> str:
    value = content.get(name)
    if not isinstance(value, str):
        raise MalformedPrincipal(f"{name} in {HEADER} is absent or no text")
    return value


def _claims(content: Mapping[str, object]) -> tuple[PrincipalClaim, ...]:
    listed = content.get("claims")
    if not isinstance(listed, list):
        raise MalformedPrincipal(f"claims in {HEADER} is absent or no array")
    found = cast("list[object]", listed)
    if len(found) > MAX_CLAIMS:
        raise MalformedPrincipal(f"{HEADER} has more than {MAX_CLAIMS} claims")
    return tuple(_claim(one) for one in found)


def _claim(one: object) -> PrincipalClaim:
    if isinstance(one, dict):
        members = cast("dict[str, object]", one)
        typ, val = members.get("typ"), members.get("val")
        if isinstance(typ, str) and isinstance(val, str):
            return PrincipalClaim(typ, val)
    raise MalformedPrincipal(f"a claim in {HEADER} is not a pair of texts")


def _tokens(values: Values, provider: str) -> ProviderTokenSet:
    if not provider.isascii():
        return ProviderTokenSet()
    names = {kind: f"x-ms-token-{provider}-{kind}".lower().replace("_", "-") for kind in (*_KINDS, "expires_on")}
    expires = _one(values, names.pop("expires_on"), MAX_LINE)
    found = {kind: _one(values, name, MAX_TOKEN) for kind, name in names.items()}
    return ProviderTokenSet(**found, expires_on=None if expires is None else _moment(expires))


def _now() -> datetime:
    return datetime.fromtimestamp(SystemClock().now(), UTC)


def _moment(text: str) -> datetime:
    """Read `expires_on`: UTC, in ISO 8601, with a fraction of any length (reference 4.1)."""
    whole, _, _ = text.removesuffix("Z").partition(".")
    try:
        moment = datetime.fromisoformat(whole)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is not None or not text.endswith("Z"):
        raise MalformedPrincipal("the time in an EXPIRES-ON header is none in UTC")
    return moment.replace(tzinfo=UTC)
