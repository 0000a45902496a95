"""Microsoft Entra ID: whose tokens these are, and when they are acceptable (token-exchange reference section 2).

Owns the accepted issuer forms, the tie between a signing key and the tenants it may speak for, what tells an id_token
from an access token, who is a guest, and which e-mail addresses a token vouches for. An address never identifies
anybody here: the key of a person is (cloud, tid, oid) (reference 2.8, 2.9).
"""

from collections.abc import Callable, Iterable, Mapping
from typing import cast

from doorward.base.frozen import frozen
from doorward.base.text import ascii_lower, cleaned, email_key, guid
from doorward.protocol.jose import (
    COMPACT_FORM,
    HEADER,
    PAYLOAD,
    SIGNATURE,
    KeySet,
    ProviderKey,
    UnverifiedToken,
)
from doorward.protocol.oidc import (
    CLAIM_SHAPES,
    EXPIRY,
    LIFETIME,
    NONCE,
    NOT_BEFORE,
    ClaimShape,
    VerifiedClaims,
    check_nonce,
    check_shapes,
    check_times,
    is_audience,
    is_guid,
    is_subject,
    is_text,
    is_time,
    single_audience,
)
from doorward.protocol.refusal import Check, Fault, TokenRefused

TENANT_MARK = "{tenantid}"
CONSUMER_TENANT = "9188040d-6c67-4c5b-b112-36a304b66dad"
# Applications of Microsoft itself: whoever could register one could exchange tokens that were meant for Microsoft.
MICROSOFT_AUDIENCES = frozenset(
    {
        "00000003-0000-0000-c000-000000000000",  # Microsoft Graph
        "00000002-0000-0000-c000-000000000000",  # Azure AD Graph
        "00000002-0000-0ff1-ce00-000000000000",  # Exchange Online
        "00000003-0000-0ff1-ce00-000000000000",  # SharePoint Online
        "797f4846-ba00-4fd7-ba43-dac1f8f63013",  # Azure Service Management
        "04b07795-8ddb-461a-bbee-02f9e1bf7b46",  # Azure CLI
        "1950a258-227b-4e31-a9cf-717495945fc2",  # Azure PowerShell
        "1fec8e78-bce4-4aaf-ab1b-5451cc387264",  # Microsoft Teams
        "d3590ed6-52b3-4102-aeff-aad2292ab01c",  # Microsoft Office
        "cfa8b339-82a2-471a-a3c9-0fc0be7a4093",  # Azure Key Vault
        "e406a681-f3d4-42a8-90b6-c2b029497af1",  # Azure Storage
    }
)

ISSUER = Check(
    name="issuer",
    demands="iss is, as a complete string, the issuer of a configured cloud for the tenant in tid",
    source="reference 2.1",
)
VERSION = Check(name="version", demands="ver is 1.0 or 2.0 and agrees with the form of iss", source="reference 2.1")
KEY_ISSUER = Check(
    name="key issuer", demands="the signing key may speak for the token's tenant", source="reference 2.3"
)
CLOUD = Check(
    name="cloud", demands="the token comes from the cloud of the audience's registration", source="reference 2.1"
)
AUDIENCE = Check(
    name="audience", demands="aud is the client ID of a registered, enabled application", source="reference 2.7"
)
TOKEN_KIND = Check(name="token kind", demands="an id_token of a person, not an access token", source="reference 2.12")

CHECKS = (
    COMPACT_FORM,
    HEADER,
    PAYLOAD,
    SIGNATURE,
    CLAIM_SHAPES,
    EXPIRY,
    NOT_BEFORE,
    LIFETIME,
    ISSUER,
    VERSION,
    KEY_ISSUER,
    AUDIENCE,
    CLOUD,
    TOKEN_KIND,
    NONCE,
)
"""Every check of an Entra id_token, in the order in which it is made (reference 1.7, steps 3 to 8)."""


def _is_list(value: object) -> bool:
    return isinstance(value, list)


def _is_flag(value: object) -> bool:
    return isinstance(value, bool | int | str)


def _is_member_mark(value: object) -> bool:
    return isinstance(value, int | str) and not isinstance(value, bool)


SHAPES = (
    ClaimShape("iss", True, is_text, "a string"),
    ClaimShape("aud", True, is_audience, "one audience"),
    ClaimShape("exp", True, is_time, "a finite number"),
    ClaimShape("iat", True, is_time, "a finite number"),
    ClaimShape("nbf", True, is_time, "a finite number"),
    ClaimShape("sub", True, is_subject, "a string of 1 to 255 visible characters"),
    ClaimShape("tid", True, is_guid, "a GUID"),
    ClaimShape("oid", True, is_guid, "a GUID"),
    ClaimShape("ver", True, is_text, "a string"),
    ClaimShape("nonce", False, is_text, "a string"),
    ClaimShape("azp", False, is_text, "a string"),
    ClaimShape("appid", False, is_text, "a string"),
    ClaimShape("name", False, is_text, "a string"),
    ClaimShape("preferred_username", False, is_text, "a string"),
    ClaimShape("email", False, is_text, "a string"),
    ClaimShape("upn", False, is_text, "a string"),
    ClaimShape("unique_name", False, is_text, "a string"),
    ClaimShape("idp", False, is_text, "a string"),
    ClaimShape("acct", False, _is_member_mark, "0 or 1"),
    ClaimShape("roles", False, _is_list, "an array"),
    ClaimShape("wids", False, _is_list, "an array"),
    ClaimShape("groups", False, _is_list, "an array"),
    ClaimShape("hasgroups", False, _is_flag, "a boolean"),
)
# xms_edov has no shape on purpose: whatever is not one of its four spellings of true is simply not verified (2.8).
_USER_NAMES = ("preferred_username", "upn", "unique_name")
_ACCESS_TOKEN_MARKS = ("scp", "appidacr", "azpacr", "idtyp")


@frozen
class Authority:
    """One version of one cloud: who issues tokens there, and where its keys are published.

    `issuer` is the form with `{tenantid}` in it. `issuer_v2` and `keys_v2` are those of the same cloud's version 2.0,
    against which a version 1.0 key is held (reference 2.3 number 5); None where the cloud has no version 2.0.
    """

    cloud: str
    version: str
    issuer: str
    keys: str
    issuer_v2: str | None
    keys_v2: str | None

    def issuer_of(self, tenant: str) -> str:
        """Give the issuer of one tenant."""
        return self.issuer.replace(TENANT_MARK, tenant)


@frozen
class Signer:
    """A key that made the signature, the authority that publishes it, and that authority's version 2.0 keys."""

    authority: Authority
    key: ProviderKey
    keys_v2: KeySet | None


@frozen
class EntraIdentity:
    """Who an accepted id_token speaks of.

    `username` is preferred_username (v2.0) or upn, else unique_name (v1.0). `email` is the email claim as it stands;
    `email_is_verified` says what `xms_edov` says. Times are seconds since the epoch.
    """

    cloud: str
    tid: str
    oid: str
    sub: str
    iss: str
    client_id: str
    kid: str
    issued_at: float
    expires_at: float
    name: str | None
    username: str | None
    email: str | None
    email_is_verified: bool
    is_guest: bool


def authorities_named_by(token: UnverifiedToken, authorities: Iterable[Authority]) -> tuple[Authority, ...]:
    """Give the authorities whose issuer for the token's tenant is its `iss`, as a lookup only.

    Two clouds may share a version 1.0 issuer; then there is more than one.
    """
    tenant, issuer = guid(token.unverified_claims.get("tid")), token.unverified_claims.get("iss")
    return tuple(a for a in authorities if tenant is not None and a.issuer_of(tenant) == issuer)


def verify(
    token: UnverifiedToken,
    signers: tuple[Signer, ...],
    *,
    now: float,
    leeway: float,
    cloud_of_audience: Callable[[str], str | None],
    nonce: str | None,
) -> EntraIdentity:
    """Check the claims of a token whose signature `signers` made; the checks stand in the order of `CHECKS`.

    `cloud_of_audience` gives the cloud of a registered and enabled client ID, and None for any other. Raises
    `TokenRefused`.
    """
    claims = token.unverified_claims
    check_shapes(claims, SHAPES)
    check_times(claims, now, leeway)
    signers = _check_issuer(claims, signers)
    signers = _check_version(claims, signers)
    signers = _check_key_issuer(claims, signers)
    client_id = cast("str", single_audience(claims["aud"]))
    cloud = _check_audience(client_id, signers, cloud_of_audience)
    _check_kind(claims, client_id)
    check_nonce(claims, nonce)
    return _identity(VerifiedClaims(claims), cloud, guid(client_id) or client_id, token.kid)


def vouched_addresses(identity: EntraIdentity, is_authoritative: Callable[[str], bool]) -> tuple[str, ...]:
    """Give the e-mail addresses that the token vouches for, first candidate first (reference 2.9).

    `is_authoritative` says whether the token's tenant is registered as authoritative for a domain; without that, the
    email claim counts only when `xms_edov` verifies it: in a tenant of one's own, anybody can write any address there.
    """
    candidates = [identity.username] if identity.username else []
    if identity.email and (identity.email_is_verified or is_authoritative(_domain_of(identity.email))):
        candidates.append(identity.email)
    return tuple(candidate.strip() for candidate in candidates if email_key(candidate) is not None)


def address_is_proven(identity: EntraIdentity, address: str, is_authoritative: Callable[[str], bool]) -> bool:
    """Say whether `address` is proven well enough to link an existing account by it (reference 2.9).

    Either the tenant is authoritative for its domain, or the email claim is the same address and verified.
    """
    key, own = email_key(address), email_key(identity.email or "")
    return is_authoritative(_domain_of(address)) or (identity.email_is_verified and key is not None and own == key)


def _check_issuer(claims: Mapping[str, object], signers: tuple[Signer, ...]) -> tuple[Signer, ...]:
    # Entra writes tenants in lower case; another spelling of the same GUID is another issuer (reference 2.1).
    tenant = cast("str", claims["tid"])
    is_canonical = guid(tenant) == tenant
    fitting = tuple(s for s in signers if is_canonical and s.authority.issuer_of(tenant) == claims["iss"])
    if not fitting:
        raise TokenRefused(ISSUER, "iss is not the issuer of a configured cloud for the tenant in tid", Fault.ISSUER)
    return fitting


def _check_version(claims: Mapping[str, object], signers: tuple[Signer, ...]) -> tuple[Signer, ...]:
    fitting = tuple(s for s in signers if s.authority.version == claims["ver"])
    if not fitting:
        raise TokenRefused(VERSION, "ver does not agree with the form of iss", Fault.ISSUER)
    return fitting


def _check_key_issuer(claims: Mapping[str, object], signers: tuple[Signer, ...]) -> tuple[Signer, ...]:
    tenant = cast("str", guid(claims["tid"]))
    fitting = tuple(s for s in signers if may_speak_for(s, tenant))
    if not fitting:
        # A stolen consumer key must not sign for an organization's tenant: the lesson of Storm-0558.
        raise TokenRefused(KEY_ISSUER, "the signing key is published for another issuer", Fault.ISSUER)
    return fitting


def may_speak_for(signer: Signer, tenant: str) -> bool:
    """Say whether a key may sign for a tenant: by its own issuer and what version 2.0 says of it (reference 2.3)."""
    authority = signer.authority
    admitted = {authority.issuer_of(tenant)}
    issuers = [signer.key.issuer] if signer.key.issuer is not None else []
    if authority.version == "1.0" and authority.issuer_v2 is not None:
        admitted.add(authority.issuer_v2.replace(TENANT_MARK, tenant))
        issuers += [twin.issuer for twin in _twins(signer) if twin.issuer is not None]
    return all(issuer.replace(TENANT_MARK, tenant) in admitted for issuer in issuers)


def _twins(signer: Signer) -> list[ProviderKey]:
    """Give the version 2.0 entries of the same key: same name or same material."""
    key = signer.key
    return [k for k in signer.keys_v2 or () if k.kid == key.kid or k.modulus == key.modulus]


def _check_audience(client_id: str, signers: tuple[Signer, ...], cloud_of_audience: Callable[[str], str | None]) -> str:
    cloud = cloud_of_audience(guid(client_id) or client_id)
    if cloud is None:
        known = {"client_id": cleaned(client_id, 64)}
        raise TokenRefused(AUDIENCE, "aud is not a registered and enabled client ID", Fault.AUDIENCE, **known)
    if all(s.authority.cloud != cloud for s in signers):
        raise TokenRefused(CLOUD, f"the registration belongs to the cloud {cloud}", Fault.ISSUER)
    return cloud


def _check_kind(claims: Mapping[str, object], client_id: str) -> None:
    for mark in _ACCESS_TOKEN_MARKS:
        if mark in claims:
            raise TokenRefused(TOKEN_KIND, f"the claim {mark} marks an access token; send the id_token instead")
    for name in ("azp", "appid"):
        if claims.get(name, client_id) != client_id:
            raise TokenRefused(TOKEN_KIND, f"{name} differs from aud, as in an access token; send the id_token instead")
    if guid(claims["sub"]) == guid(claims["oid"]) and "name" not in claims:
        raise TokenRefused(TOKEN_KIND, "sub equals oid and there is no name: the token of an application, not a person")


def _identity(claims: VerifiedClaims, cloud: str, client_id: str, kid: str) -> EntraIdentity:
    username = claims.text("preferred_username")
    if claims["ver"] == "1.0":
        username = claims.text("upn") if "upn" in claims else claims.text("unique_name")
    return EntraIdentity(
        cloud=cloud,
        tid=cast("str", guid(claims["tid"])),
        oid=cast("str", guid(claims["oid"])),
        sub=claims.required_text("sub"),
        iss=claims.required_text("iss"),
        client_id=client_id,
        kid=kid,
        issued_at=cast("float", claims["iat"]),
        expires_at=cast("float", claims["exp"]),
        name=cleaned(claims.text("name") or "") or None,
        username=username,
        email=claims.text("email"),
        email_is_verified=_is_true(claims.get("xms_edov")),
        is_guest=_is_guest(claims),
    )


def _is_true(flag: object) -> bool:
    """Read `xms_edov`, which has been seen as true, 1, "1" and "true"; everything else is not verified."""
    return flag is True or (isinstance(flag, int) and flag == 1) or flag in ("1", "true")


def _is_guest(claims: VerifiedClaims) -> bool:
    member_mark, home = claims.get("acct", 0), claims.get("idp")
    if member_mark not in (0, "0") or (home is not None and home != claims["iss"]):
        return True
    return any("#ext#" in ascii_lower(claims.text(name) or "") for name in _USER_NAMES)


def _domain_of(address: str) -> str:
    key = email_key(address)
    return "" if key is None else key.rpartition("@")[2]
