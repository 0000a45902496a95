"""The pretend Apple: OpenID Connect whose client secret is a JWT, and a name that is told once.

With scopes the answer must be posted; the person's name stands in it at the first sign-in only, beside the code. A
client that has registered a public key proves itself by an ES256 JWT (easy-auth reference 2.3).
"""

from collections.abc import Mapping
from hashlib import sha256
from typing import ClassVar

import msgspec

from doorward.base.text import email_key
from doorward.emulator.assertions import is_good_es256
from doorward.emulator.clients import Client
from doorward.emulator.doors import OAuthProvider
from doorward.emulator.grants import Grant
from doorward.emulator.keys import SigningRing
from doorward.emulator.people import Person
from doorward.emulator.pretend import Door, Spot
from doorward.emulator.stage import Stage
from doorward.protocol.jose_sign import RsaSigner
from doorward.protocol.oauth2 import AuthorizationRequest
from doorward.protocol.parameters import Pairs

APPLE_CLIENT_ID = "com.example.doorward"
ISSUER = "https://appleid.apple.com"
ROOT = "/apple"
_DOORS: dict[str, Door] = {
    f"{ROOT}/auth/authorize": "authorize",
    f"{ROOT}/auth/token": "token",
    f"{ROOT}/auth/logout": "end_session",
}


def addresses(base_url: str) -> dict[str, str]:
    """Give the members of `[providers.apple]`; sign-out is for the pretence alone."""
    return {
        "issuer": f"{base_url}{ROOT}",
        "authorization_endpoint": f"{base_url}{ROOT}/auth/authorize",
        "token_endpoint": f"{base_url}{ROOT}/auth/token",
        "jwks_uri": f"{base_url}{ROOT}/auth/keys",
        "end_session_endpoint": f"{base_url}{ROOT}/auth/logout",
    }


class PretendApple(OAuthProvider):
    """Sign in with Apple as far as applications see it."""

    name = "apple"
    label = "Apple"
    response_types: ClassVar[frozenset[str]] = frozenset({"code", "id_token", "code id_token"})
    needs_openid: ClassVar[bool] = False
    rotates: ClassVar[bool] = False
    access_seconds: ClassVar[int] = 3600
    default_client = APPLE_CLIENT_ID

    def __init__(self, stage: Stage) -> None:
        """Pretend on `stage`."""
        super().__init__(stage)
        self._ring = SigningRing("apple", stage.keys)
        self._issuer = f"{stage.base_url}{ROOT}"

    def document(self, path: str) -> Mapping[str, object] | None:
        """Give the discovery document or the keys."""
        if path == f"{ROOT}/auth/keys":
            return {"keys": [key.jwk() | {"alg": "RS256"} for key in self._ring.published]}
        if path != f"{ROOT}/.well-known/openid-configuration":
            return None
        return {
            "issuer": self._issuer,
            "authorization_endpoint": f"{self._issuer}/auth/authorize",
            "token_endpoint": f"{self._issuer}/auth/token",
            "jwks_uri": f"{self._issuer}/auth/keys",
            "response_types_supported": ["code"],
            "response_modes_supported": ["query", "fragment", "form_post"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "scopes_supported": ["openid", "email", "name"],
            "token_endpoint_auth_methods_supported": ["client_secret_post"],
            "claims_supported": ["aud", "email", "email_verified", "exp", "iat", "is_private_email", "iss", "sub"],
        }

    def door(self, path: str) -> Spot | None:
        """Give the door at a path."""
        door = _DOORS.get(path)
        return Spot(door=door) if door is not None else None

    def check_request(self, request: AuthorizationRequest) -> None:
        """Name and e-mail are posted, never put into an address."""
        asks = bool({"name", "email"} & set(request.scope.split()))
        self.require(
            not asks or request.response_mode == "form_post", "response_mode must be form_post for name or email"
        )

    def has_secret(self, client: Client, given: str) -> bool:
        """A client with a registered key proves itself by a JWT, any other by the text that it has registered."""
        if client.jwk is None:
            return client.has_secret(given)
        now = self.stage.clock.now()
        return any(is_good_es256(given, client, client.team_id, aud, now) for aud in (ISSUER, self._issuer))

    def gives_id_token(self, grant: Grant) -> bool:
        """Apple always gives an id_token."""
        del grant
        return True

    def wants_refresh(self, grant: Grant, client: Client) -> bool:
        """Apple always gives a refresh token."""
        del grant, client
        return True

    def token_scope(self, grant: Grant) -> str:
        """Apple does not name the scope."""
        del grant
        return ""

    def beside_code(self, grant: Grant) -> Pairs:
        """Tell name and address at the first sign-in of a person at an application."""
        if self.stage.grants.has_consent(self.name, grant.client_id, grant.email):
            return ()
        person = self.stage.people.find(grant.email)
        given, family = person.given_and_family_name()
        user: dict[str, object] = {"name": {"firstName": given, "lastName": family}} if grant.has_scope("name") else {}
        user |= {"email": person.email} if grant.has_scope("email") else {}
        return (("user", msgspec.json.encode(user).decode()),) if user else ()

    def ring(self, grant: Grant, person: Person) -> SigningRing:
        """Give the keys."""
        del grant, person
        return self._ring

    def header(self, grant: Grant, key: RsaSigner) -> dict[str, object]:
        """Give the header: no `typ`."""
        del grant
        return {"kid": key.kid, "alg": "RS256"}

    def claims(self, grant: Grant, person: Person) -> dict[str, object]:
        """Give the claims; what is true or false is text, as Apple writes it."""
        now = int(self.stage.clock.now())
        claims: dict[str, object] = {
            "iss": self._issuer,
            "aud": grant.client_id,
            "exp": now + 86400,
            "iat": now,
            "sub": _subject(person),
        }
        if not grant.scope or grant.has_scope("email"):  # minted ones have no scope and get all
            claims |= {"email": person.email, "email_verified": "true" if person.verified else "false"}
            claims["is_private_email"] = "true" if person.email.endswith("@privaterelay.appleid.com") else "false"
        return claims | {"auth_time": grant.signed_in_at or now, "nonce_supported": True} | person.claims_at(self.name)


def _subject(person: Person) -> str:
    digest = sha256(f"apple\n{email_key(person.email)}".encode()).hexdigest()
    return f"001999.{digest[:32]}.{int(digest[32:40], 16) % 10000:04}"
