"""The pretend Entra: metadata, key documents and tokens of many tenants (token-exchange reference 2.1 to 2.3, 2.7).

One shared key signs for every tenant and says so with a template for its issuer; another signs for personal accounts
alone. Both stand in every key document, as they do at Microsoft: a signature says nothing until the key's issuer was
compared. Metadata names the addresses of the sign-in as Entra does; those are not served here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from doorward.base.clock import Clock
from doorward.base.entropy import Entropy
from doorward.base.text import domain_key, guid
from doorward.emulator.keys import SigningRing
from doorward.emulator.messages import BadMessage, MintRequest
from doorward.emulator.people import (
    CONTOSO,
    DEV_CLIENT_ID,
    DEV_TENANT_ID,
    FABRIKAM,
    TENANT_OF_DOMAIN,
    Directory,
    Person,
    guid_from,
    oid_of,
    sub_of,
    tenant_of,
)
from doorward.protocol.jose import base64url_encode
from doorward.protocol.jose_sign import RsaSigner
from doorward.providers.aad import CONSUMER_TENANT, TENANT_MARK

BACKDATED = 300
LIFETIME = 3900
_ALIASES = {"common": TENANT_MARK, "organizations": TENANT_MARK, "consumers": CONSUMER_TENANT}
_WRONG_AUDIENCE = "0badc0de-0000-4000-8000-0000000bad00"
_LONG_AGO = 7200
_DAY_AHEAD = 86400


def cloud_settings(base_url: str) -> dict[str, str]:
    """Give the members of `[clouds.NAME]` that point a cloud at the emulator."""
    return {
        "issuer_v1": _issuer(base_url, "1.0", TENANT_MARK),
        "issuer_v2": _issuer(base_url, "2.0", TENANT_MARK),
        "keys_v1": f"{base_url}/common/discovery/keys",
        "keys_v2": f"{base_url}/common/discovery/v2.0/keys",
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class _Subject:
    """A person as a token speaks of them. `home` is the tenant that authenticates a guest, None for a member."""

    person: Person
    tenant: str
    oid: str
    home: str | None


class PretendEntra:
    """Microsoft Entra ID as far as applications see it."""

    name = "aad"

    def __init__(
        self, base_url: str, people: Directory, clock: Clock, entropy: Entropy, keys: Path | None = None
    ) -> None:
        """Pretend at `base_url`; with `keys`, a directory, the signing keys outlive the process."""
        self._base = base_url
        self._people = people
        self._clock = clock
        self._entropy = entropy
        self._shared = SigningRing("aad-shared", keys, at_first=2)
        self._consumer = SigningRing("aad-consumer", keys)

    def document(self, path: str) -> Mapping[str, object] | None:
        """Give a metadata or key document of a tenant, named by its GUID, its domain or an alias."""
        head, _, rest = path.removeprefix("/").partition("/")
        tenant = _ALIASES.get(head) or _tenant_named(head)
        if tenant is None:
            return None
        match rest:
            case "v2.0/.well-known/openid-configuration":
                return self._metadata(head, tenant, "2.0")
            case ".well-known/openid-configuration":
                return self._metadata(head, tenant, "1.0")
            case "discovery/v2.0/keys":
                return {"keys": self._keys_v2()}
            case "discovery/keys":
                return {"keys": [key.jwk() for key in (*self._shared.published, *self._consumer.published)]}
            case _:
                return None

    def mint(self, request: MintRequest) -> str:
        """Mint an id_token, or an access token, as Entra would send it; raises `BadMessage`."""
        if request.rotate_key or request.withdraw_keys:
            self._shared.rotate(withdraw=request.withdraw_keys)
        subject = self._subject(request)
        claims = self._claims(request, subject) | request.claims
        for name in request.without:
            claims.pop(name, None)
        key = self._signer(request, subject)
        header = {"typ": "JWT", "alg": "RS256"} | ({"x5t": key.kid} if request.version == "1.0" else {})
        return key.sign(header | {"kid": key.kid}, claims)

    def _metadata(self, head: str, tenant: str, version: str) -> dict[str, object]:
        marked = "/v2.0" if version == "2.0" else ""
        place = f"{self._base}/{head}"
        return {
            "token_endpoint": f"{place}/oauth2{marked}/token",
            "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt", "client_secret_basic"],
            "jwks_uri": f"{place}/discovery{marked}/keys",
            "response_modes_supported": ["query", "fragment", "form_post"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
            "scopes_supported": ["openid", "profile", "email", "offline_access"],
            "issuer": _issuer(self._base, version, tenant),
            "authorization_endpoint": f"{place}/oauth2{marked}/authorize",
            "end_session_endpoint": f"{place}/oauth2{marked}/logout",
            "claims_supported": [
                "sub",
                "iss",
                "aud",
                "exp",
                "iat",
                "nonce",
                "preferred_username",
                "name",
                "tid",
                "ver",
            ],
            "cloud_instance_name": "doorward.emulator",
        }

    def _keys_v2(self) -> list[dict[str, str]]:
        template = _issuer(self._base, "2.0", TENANT_MARK)
        consumer = _issuer(self._base, "2.0", CONSUMER_TENANT)
        return [
            *(key.jwk(template) for key in self._shared.published),
            *(key.jwk(consumer) for key in self._consumer.published),
        ]

    def _signer(self, request: MintRequest, subject: _Subject) -> RsaSigner:
        if request.fault == "unpublished_key":
            return RsaSigner.generate()
        if request.fault == "consumer_key" or subject.tenant == CONSUMER_TENANT:
            return self._consumer.newest
        return self._shared.newest

    def _subject(self, request: MintRequest) -> _Subject:
        person = self._people.find(request.email or _default_address(request))
        is_guest = request.guest or (person.guest and request.tenant is None)
        tenant = _tenant_asked_for(request) or (DEV_TENANT_ID if is_guest else tenant_of(person.email))
        home = tenant_of(person.email) if is_guest else None
        if home == tenant:
            home = FABRIKAM if tenant != FABRIKAM else CONTOSO
        return _Subject(person=person, tenant=tenant, oid=oid_of(tenant, person.email), home=home)

    def _claims(self, request: MintRequest, subject: _Subject) -> dict[str, object]:
        audience = request.audience if request.audience is not None else DEV_CLIENT_ID
        moment = self._issued_at(request)
        claims: dict[str, object] = {
            "aud": _WRONG_AUDIENCE if request.fault == "wrong_audience" else audience,
            "iss": _issuer(self._base, request.version, subject.tenant),
            "iat": moment,
            "nbf": moment,
            "exp": moment + LIFETIME,
            "aio": self._filler(36),
            "name": request.name if request.name is not None else subject.person.name,
            "oid": subject.oid,
            "rh": f"1.A{self._filler(24)}.",
            "sub": sub_of(subject.tenant, subject.oid, audience),
            "tid": subject.tenant,
            "uti": self._filler(16),
            "ver": request.version,
        }
        if request.nonce is not None:
            claims["nonce"] = request.nonce
        return claims | _address_claims(request, subject, self._base) | _kind_claims(request, audience)

    def _issued_at(self, request: MintRequest) -> int:
        moment = int(self._clock.now()) - BACKDATED
        if request.expired:
            return moment - _LONG_AGO
        return moment + _DAY_AHEAD if request.fault == "not_yet_valid" else moment

    def _filler(self, size: int) -> str:
        return base64url_encode(self._entropy.draw(size)).decode()


def _issuer(base_url: str, version: str, tenant: str) -> str:
    return f"{base_url}/{tenant}/v2.0" if version == "2.0" else f"{base_url}/v1/{tenant}/"


def _tenant_named(name: str) -> str | None:
    """Give the tenant that a GUID or a domain in a path names; any domain has one."""
    domain = domain_key(name)
    if domain is None or "." not in domain:
        return guid(name)
    return TENANT_OF_DOMAIN.get(domain) or guid_from("tenant", domain)


def _tenant_asked_for(request: MintRequest) -> str | None:
    if request.tenant is None:
        return None
    tenant = CONSUMER_TENANT if request.tenant == "consumers" else _tenant_named(request.tenant)
    if tenant is None:
        raise BadMessage(f"tenant is neither a GUID nor a domain: {request.tenant!r}")
    return tenant


def _default_address(request: MintRequest) -> str:
    if _tenant_asked_for(request) == CONSUMER_TENANT:
        return "sam@outlook.com"
    return "gia@fabrikam.com" if request.guest else "jane@contoso.com"


def _address_claims(request: MintRequest, subject: _Subject, base_url: str) -> dict[str, object]:
    """Give the claims that carry addresses, and those that say whose guest the person is (reference 2.8 to 2.10)."""
    address = subject.person.email
    claims: dict[str, object] = {"email": address, "xms_edov": not request.unverified}
    if request.version == "2.0":
        claims["preferred_username"] = address
    else:
        claims["unique_name"] = address
        claims["upn"] = address if subject.home is None else _directory_name(address, subject.tenant)
    if subject.home is not None:
        claims |= {"idp": _issuer(base_url, "1.0", subject.home), "acct": 1}
    return claims


def _directory_name(address: str, tenant: str) -> str:
    """Give a guest's name in the inviting tenant's directory: `jane_contoso.com#EXT#@fabrikam.onmicrosoft.com`."""
    names = {CONTOSO: "contoso", FABRIKAM: "fabrikam"}
    return f"{address.replace('@', '_')}#EXT#@{names.get(tenant, f't{tenant[:8]}')}.onmicrosoft.com"


def _kind_claims(request: MintRequest, audience: str) -> dict[str, object]:
    """Give what tells an access token from an id_token (reference 2.12); nothing for an id_token."""
    if request.kind == "id_token":
        return {}
    if request.version == "2.0":
        return {"azp": audience, "azpacr": "0", "scp": "User.Read"}
    return {"appid": audience, "appidacr": "0", "scp": "User.Read"}
