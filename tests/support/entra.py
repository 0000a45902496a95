"""An honest Entra token and every way to spoil it: the raw material of the tables about tokens.

Owns a few RSA keys, the clouds of the reference, and a bench that checks one token as the exchange does. Time stands at
`NOW`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache

import msgspec
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256

from doorward.protocol.jose import SIGNATURE, KeySet, base64url_encode, parse_key_set, read_compact, verify_rs256
from doorward.protocol.jose_sign import RsaSigner
from doorward.protocol.refusal import TokenRefused
from doorward.providers.aad import CONSUMER_TENANT, Authority, EntraIdentity, Signer, authorities_named_by, verify

NOW = 1_800_000_000.0
LEEWAY = 60.0
TENANT = "11111111-2222-4333-8444-5555aaaabbbb"
STRANGERS_TENANT = "99999999-2222-4333-8444-5555aaaabbbb"
OID = "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee"
CLIENT = "c1c1c1c1-0000-4000-8000-00000000c1c1"
CLIENT_OF_USGOV = "c2c2c2c2-0000-4000-8000-00000000c2c2"
UNKNOWN_CLIENT = "c3c3c3c3-0000-4000-8000-00000000c3c3"

V2 = "https://login.microsoftonline.com/{tenantid}/v2.0"
V1 = "https://sts.windows.net/{tenantid}/"
V2_USGOV = "https://login.microsoftonline.us/{tenantid}/v2.0"
CONSUMERS = V2.replace("{tenantid}", CONSUMER_TENANT)

GLOBAL_2 = Authority(cloud="global", version="2.0", issuer=V2, keys="keys:g2", issuer_v2=V2, keys_v2="keys:g2")
GLOBAL_1 = Authority(cloud="global", version="1.0", issuer=V1, keys="keys:g1", issuer_v2=V2, keys_v2="keys:g2")
USGOV_2 = Authority(
    cloud="usgov", version="2.0", issuer=V2_USGOV, keys="keys:u2", issuer_v2=V2_USGOV, keys_v2="keys:u2"
)
USGOV_1 = Authority(cloud="usgov", version="1.0", issuer=V1, keys="keys:u1", issuer_v2=V2_USGOV, keys_v2="keys:u2")
AUTHORITIES = (GLOBAL_2, GLOBAL_1, USGOV_2, USGOV_1)
CLOUD_OF = {CLIENT: "global", CLIENT_OF_USGOV: "usgov"}


@cache
def signer(name: str) -> RsaSigner:
    """Give the key called `name`, made once a run."""
    return replace(RsaSigner.generate(), kid=f"kid-{name}")


def header(**changes: object) -> dict[str, object]:
    """Give an honest header of the shared key; a change to `...` leaves the member out."""
    return _changed({"typ": "JWT", "alg": "RS256", "kid": signer("shared").kid}, changes)


def claims(**changes: object) -> dict[str, object]:
    """Give the claims of an honest version 2.0 token; a change to `...` leaves the claim out."""
    honest: dict[str, object] = {
        "aud": CLIENT,
        "iss": V2.replace("{tenantid}", TENANT),
        "iat": NOW - 300,
        "nbf": NOW - 300,
        "exp": NOW + 3600,
        "name": "Jane Doe",
        "oid": OID,
        "preferred_username": "jane@contoso.com",
        "sub": "AAAAAAAAAAAAAAAAAAAAAIkzqFVrSaSaFHy782bbtaQ",
        "tid": TENANT,
        "ver": "2.0",
    }
    return _changed(honest, changes)


def claims_v1(**changes: object) -> dict[str, object]:
    """Give the claims of an honest version 1.0 token."""
    honest = claims(ver="1.0", iss=V1.replace("{tenantid}", TENANT), preferred_username=..., upn="jane@contoso.com")
    return _changed(honest, changes)


def mint(body: Mapping[str, object] | None = None, head: Mapping[str, object] | None = None, by: str = "shared") -> str:
    """Sign a token with the key called `by`."""
    return signer(by).sign(header() if head is None else head, claims() if body is None else body)


def mint_raw(head: bytes, body: bytes, by: str = "shared") -> str:
    """Sign a header and a payload of any bytes, each encoded canonically."""
    return sign_parts(base64url_encode(head), base64url_encode(body), by)


def sign_parts(head: bytes, body: bytes, by: str = "shared") -> str:
    """Sign two encoded parts as they stand."""
    signature = signer(by).private.sign(head + b"." + body, PKCS1v15(), SHA256())
    return b".".join((head, body, base64url_encode(signature))).decode()


def key_set(*jwks: Mapping[str, str]) -> KeySet:
    """Read a key document of these members."""
    return parse_key_set(msgspec.json.encode({"keys": jwks}))


@cache
def published() -> Mapping[str, KeySet]:
    """Give what an honest Entra publishes: version 2.0 with issuers, version 1.0 without, each cloud its own keys."""
    shared, consumer, usgov = signer("shared"), signer("consumer"), signer("usgov")
    return {
        "keys:g2": key_set(shared.jwk(V2), consumer.jwk(CONSUMERS)),
        "keys:g1": key_set(shared.jwk(), consumer.jwk()),
        "keys:u2": key_set(usgov.jwk(V2_USGOV)),
        "keys:u1": key_set(usgov.jwk()),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """Checks one token as the exchange does, over `documents` and at `now`."""

    now: float = NOW
    nonce: str | None = None
    documents: Mapping[str, KeySet] | None = None
    authorities: tuple[Authority, ...] = AUTHORITIES

    def check(self, token: str) -> EntraIdentity:
        """Run every check; raises `TokenRefused`."""
        documents = published() if self.documents is None else self.documents
        unverified = read_compact(token)
        signers = tuple(
            Signer(authority=authority, key=key, keys_v2=documents.get(authority.keys_v2 or ""))
            for authority in authorities_named_by(unverified, self.authorities) or self.authorities
            for key in documents[authority.keys].find(unverified.kid)
            if verify_rs256(unverified, key)
        )
        if not signers:
            raise TokenRefused(SIGNATURE, "no key made this signature")
        return verify(
            unverified, signers, now=self.now, leeway=LEEWAY, cloud_of_audience=CLOUD_OF.get, nonce=self.nonce
        )

    def refused_by(self, token: str) -> str | None:
        """Give the name of the check that refuses a token, or None when it is accepted."""
        try:
            self.check(token)
        except TokenRefused as refused:
            return refused.check.name
        return None


def _changed(members: dict[str, object], changes: Mapping[str, object]) -> dict[str, object]:
    merged = {**members, **changes}
    return {name: value for name, value in merged.items() if value is not ...}
