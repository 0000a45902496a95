"""The pretend Google: OpenID Connect with a header without `typ`, and refresh tokens by Google's own rule.

A refresh token comes with `access_type=offline` at the first consent, and later only with `prompt=consent` (easy-auth
reference 5); it is not exchanged for another one.
"""

from collections.abc import Mapping
from hashlib import sha256
from typing import ClassVar

from doorward.base.text import email_key
from doorward.emulator.clients import Client
from doorward.emulator.doors import OAuthProvider
from doorward.emulator.grants import Grant
from doorward.emulator.keys import SigningRing
from doorward.emulator.people import Person
from doorward.emulator.pretend import Door, Spot
from doorward.emulator.stage import Stage
from doorward.protocol.jose_sign import RsaSigner
from doorward.protocol.oauth2 import AuthorizationRequest

GOOGLE_CLIENT_ID = "100000000001-doorward.apps.googleusercontent.com"
ROOT = "/google"
_DOORS: dict[str, Door] = {
    f"{ROOT}/o/oauth2/v2/auth": "authorize",
    f"{ROOT}/token": "token",
    f"{ROOT}/v1/userinfo": "userinfo",
    f"{ROOT}/logout": "end_session",
}
# The order of a captured token (easy-auth reference 4.3).
_ORDER = ("iss", "at_hash", "aud", "sub", "email_verified", "azp", "email", "iat", "exp", "name")


def addresses(base_url: str) -> dict[str, str]:
    """Give the members of `[providers.google]`.

    The real Google has no address for sign-out; the pretend one has, so that another person can follow.
    """
    return {"issuer": f"{base_url}{ROOT}", "end_session_endpoint": f"{base_url}{ROOT}/logout"}


class PretendGoogle(OAuthProvider):
    """Google as far as applications see it."""

    name = "google"
    label = "Google"
    response_types: ClassVar[frozenset[str]] = frozenset({"code", "id_token", "code id_token"})
    needs_openid: ClassVar[bool] = False
    rotates: ClassVar[bool] = False
    default_client = GOOGLE_CLIENT_ID

    def __init__(self, stage: Stage) -> None:
        """Pretend on `stage`."""
        super().__init__(stage)
        self._ring = SigningRing("google", stage.keys, at_first=2)
        self._issuer = f"{stage.base_url}{ROOT}"

    def document(self, path: str) -> Mapping[str, object] | None:
        """Give the discovery document or the keys."""
        match path.removeprefix(ROOT) if path.startswith(ROOT) else "":
            case "/.well-known/openid-configuration":
                return self._metadata()
            case "/oauth2/v3/certs":
                keys = (key.jwk() for key in self._ring.published)
                return {"keys": [{name: one[name] for name in one if name != "x5t"} | {"alg": "RS256"} for one in keys]}
            case _:
                return None

    def door(self, path: str) -> Spot | None:
        """Give the door at a path."""
        door = _DOORS.get(path)
        return Spot(door=door) if door is not None else None

    def _metadata(self) -> dict[str, object]:
        return {
            "issuer": self._issuer,
            "authorization_endpoint": f"{self._issuer}/o/oauth2/v2/auth",
            "token_endpoint": f"{self._issuer}/token",
            "userinfo_endpoint": f"{self._issuer}/v1/userinfo",
            "jwks_uri": f"{self._issuer}/oauth2/v3/certs",
            "response_types_supported": ["code", "id_token", "code id_token"],
            "response_modes_supported": ["query", "fragment", "form_post"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "scopes_supported": ["openid", "email", "profile"],
            "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
            "claims_supported": [
                "aud", "email", "email_verified", "exp", "family_name", "given_name", "iat", "iss", "name", "sub",
            ],
            "code_challenge_methods_supported": ["S256"],
            "grant_types_supported": ["authorization_code", "refresh_token"],
        }  # fmt: skip

    def check_request(self, request: AuthorizationRequest) -> None:
        """Google knows `online` and `offline`, and wants some scope."""
        self.require(request.access_type in ("", "online", "offline"), "access_type is neither online nor offline")
        self.require(bool(request.scope), "scope is absent")

    def wants_refresh(self, grant: Grant, client: Client) -> bool:
        """Say whether a code brings a refresh token."""
        del client
        return grant.offline

    def shown_scope(self, grant: Grant) -> str:
        """Google names the scope beside the code."""
        return grant.scope

    def ring(self, grant: Grant, person: Person) -> SigningRing:
        """Give the keys."""
        del grant, person
        return self._ring

    def header(self, grant: Grant, key: RsaSigner) -> dict[str, object]:
        """Give the header: no `typ`."""
        del grant
        return {"alg": "RS256", "kid": key.kid}

    def claims(self, grant: Grant, person: Person) -> dict[str, object]:
        """Give the claims of an id_token, as far as the scopes reach; minted ones have no scope and get all."""
        now = int(self.stage.clock.now())
        claims: dict[str, object] = {
            "iss": self._issuer,
            "azp": grant.client_id,
            "aud": grant.client_id,
            "sub": subject_of(person.email),
            "iat": now,
            "exp": now + 3600,
        }
        domain = (email_key(person.email) or "").rpartition("@")[2]
        if domain not in ("gmail.com", "googlemail.com"):
            claims["hd"] = domain
        if not grant.scope or grant.has_scope("email"):
            claims |= {"email": person.email, "email_verified": person.verified}
        if not grant.scope or grant.has_scope("profile"):
            given, family = person.given_and_family_name()
            claims |= {"name": person.name, "given_name": given, "family_name": family, "locale": "en"}
        return claims | person.claims_at(self.name)

    def arranged(self, claims: dict[str, object]) -> dict[str, object]:
        """Put claims into Google's order."""
        first = {name: claims[name] for name in _ORDER if name in claims}
        return first | claims


def subject_of(address: str) -> str:
    """Give Google's number of a person: 21 digits."""
    digest = sha256(f"google\n{email_key(address) or address}".encode()).digest()
    return f"1{int.from_bytes(digest[:10], 'big') % 10**20:020}"
