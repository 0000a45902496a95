"""The people who sign in: their id_tokens, the requests that carry them, and their rows as a first sign-in left them.

Everything follows from a person's number, so that requests, rows of either engine and the floor agree without talking.
"""

import hashlib
import multiprocessing
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import msgspec

from doorward.protocol.jose_sign import RsaSigner

TENANT = "2f6c1d3e-8a4b-4c5d-9e6f-7a8b9c0d1e2f"
CLIENT_ID = "5b1f9a10-3c2d-4e5f-8a6b-7c8d9e0f1a2b"
ISSUER = f"https://login.microsoftonline.com/{TENANT}/v2.0"
LOGIN = "/auth-service/api/v2/sso/microsoft/azure-token-login"
INTROSPECT = "/auth-service/oauth2/introspect"
WEEK = 7 * 86400.0
_BACKDATED, _LIFETIME = 300, 3900
_SHARE = 500


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with an account at the provider; `number` counts from 1 and is the user id of those who were seeded."""

    number: int

    @property
    def oid(self) -> str:
        """Give the object id."""
        digits = self._digest("oid")
        return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:32]}"

    @property
    def sub(self) -> str:
        """Give the pairwise subject, as long as Entra's."""
        return self._digest("sub")[:43]

    @property
    def email(self) -> str:
        """Give the address."""
        return f"person.{self.number}@contoso.com"

    @property
    def name(self) -> str:
        """Give the display name."""
        return f"Person Number {self.number}"

    @property
    def family(self) -> str:
        """Give the id of the token family that the first sign-in left, ordered in time as ours are."""
        return f"{self.number:012x}-{self._digest('family')[:23]}"

    @property
    def platform_token(self) -> str:
        """Give the opaque token that the first sign-in left."""
        return self._digest("platform")

    def _digest(self, purpose: str) -> str:
        return hashlib.sha256(f"{purpose} {self.number}".encode()).hexdigest()


Rows = Iterator[tuple[object, ...]]


def rows_of(people: range, now: float) -> dict[str, tuple[tuple[str, ...], Rows]]:
    """Give what the first sign-ins of `people` left: columns and rows by table, parents first; ids count from 1."""
    everybody = [Person(number) for number in people]
    return {
        "users": (
            ("email", "email_key", "full_name", "organization_id", "verified", "created_at", "updated_at"),
            ((p.email, p.email, p.name, 1, 0, now, now) for p in everybody),
        ),
        "identities": (
            ("cloud", "tid", "oid", "user_id", "iss", "preferred_username", "email", "name", "linked_at", "seen_at"),
            (("global", TENANT, p.oid, p.number, ISSUER, p.email, None, p.name, now, now) for p in everybody),
        ),
        "subjects": (
            ("identity_id", "client_id", "sub"),
            ((p.number, CLIENT_ID, p.sub) for p in everybody),
        ),
        "families": (
            ("id", "user_id", "registration_id", "client_id", "cloud", "tid", "oid", "organization_id", "generation",
             "created_at", "expires_at"),
            ((p.family, p.number, 1, CLIENT_ID, "global", TENANT, p.oid, 1, 1, now, now + WEEK) for p in everybody),
        ),
        "pairs": (
            ("id", "family_id", "generation", "platform_digest", "issued_at", "access_expires_at",
             "platform_expires_at"),
            (
                (f"p{p.family}", p.family, 1, hashlib.sha256(p.platform_token.encode()).digest(), now, now + WEEK,
                 now + WEEK)
                for p in everybody
            ),
        ),
    }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Provider:
    """The pretended provider: one key, with which it signs for one tenant."""

    key: RsaSigner

    def key_document(self, *, with_issuer: bool) -> bytes:
        """Give the JWK set, as version 2.0 documents have it with the issuer in it."""
        issuer = "https://login.microsoftonline.com/{tenantid}/v2.0" if with_issuer else None
        return msgspec.json.encode({"keys": [self.key.jwk(issuer)]})

    def token(self, person: Person, serial: int) -> str:
        """Sign an id_token, as long as Entra's usually are; `serial` makes it differ from others of the same person."""
        moment = int(time.time()) - _BACKDATED
        claims = {
            "aud": CLIENT_ID,
            "iss": ISSUER,
            "iat": moment,
            "nbf": moment,
            "exp": moment + _LIFETIME,
            "aio": "AWQAm/8TAAAAu2ZsJ0k9zX5cVbN1mQwErTyUiOpAsDfGhJkLzXcVbNmQwErTyUiOpAs=",
            "name": person.name,
            "oid": person.oid,
            "preferred_username": person.email,
            "rh": "1.AXcAPh1sL0qLXUyeb3qLnA0eLxCaH1stPF9OimuMfZ4PGisAAAA.",
            "sid": "00a1b2c3-d4e5-4f60-8718-293a4b5c6d7e",
            "sub": person.sub,
            "tid": TENANT,
            "uti": f"{serial:022d}",
            "ver": "2.0",
        }
        return self.key.sign({"typ": "JWT", "alg": "RS256", "kid": self.key.kid}, claims)

    def tokens(self, jobs: Sequence[tuple[Person, int]]) -> list[str]:
        """Sign one token a job, on all cores: a signature costs much more than its verification."""
        pem = self.key.to_pem()
        shares = [(pem, jobs[at : at + _SHARE]) for at in range(0, len(jobs), _SHARE)]
        with multiprocessing.get_context("fork").Pool() as pool:
            return [token for tokens in pool.starmap(_sign, shares) for token in tokens]


def _sign(pem: bytes, jobs: Sequence[tuple[Person, int]]) -> list[str]:
    provider = Provider(RsaSigner.from_pem(pem))
    return [provider.token(person, serial) for person, serial in jobs]


def login_body(person: Person, token: str) -> bytes:
    """Write the body of an exchange."""
    return msgspec.json.encode({"email": person.email, "azure_ad_token": token, "full_name": person.name})


def login_request(host: str, body: bytes) -> bytes:
    """Write the request of an exchange as a client library would."""
    return _request(LOGIN, host, body, "application/json")


def introspect_request(host: str, credentials: str, token: str) -> bytes:
    """Write an introspection; `credentials` are the client's, in base64."""
    authorization = f"Authorization: Basic {credentials}\r\n"
    return _request(INTROSPECT, host, f"token={token}".encode(), "application/x-www-form-urlencoded", authorization)


def _request(path: str, host: str, body: bytes, kind: str, more: str = "") -> bytes:
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: bench/1.0\r\nAccept: */*\r\n"
        f"{more}Content-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
