"""A pretend provider of plain OpenID Connect, any number of them under any name: `contoso`, `auth0`, whatever.

By the book: discovery, codes and hybrid, PKCE, claims by scope, refresh tokens for `offline_access` that are exchanged
at each use. Access tokens are JWTs for the API that `resource` names, else for the application.
"""

from collections.abc import Mapping
from typing import ClassVar

from doorward.base.text import email_key
from doorward.emulator.doors import OAuthProvider
from doorward.emulator.grants import Grant
from doorward.emulator.keys import SigningRing
from doorward.emulator.people import Person, guid_from
from doorward.emulator.pretend import Door, Spot
from doorward.emulator.stage import Stage
from doorward.protocol.oauth2 import AuthorizationRequest

ROOT = "/oidc/"
_DOORS: dict[str, Door] = {
    "authorize": "authorize",
    "token": "token",
    "userinfo": "userinfo",
    "logout": "end_session",
}
_SCOPES = frozenset({"openid", "profile", "email", "offline_access", "groups", "roles"})


def custom_client_id(name: str) -> str:
    """Give the client ID that `dev` has at the provider called `name`."""
    return f"doorward-at-{name}"


class PretendCustom(OAuthProvider):
    """An OpenID Connect provider called `name`."""

    response_types: ClassVar[frozenset[str]] = frozenset(
        {"code", "id_token", "code id_token", "id_token token", "code id_token token"}
    )

    def __init__(self, stage: Stage, name: str) -> None:
        """Pretend on `stage` under a name, which is also its alias."""
        super().__init__(stage)
        self.name = name
        self.label = f"{name.capitalize()} (OpenID Connect)"
        self.default_client = custom_client_id(name)
        self._ring = SigningRing(f"oidc-{name}", stage.keys)
        self._root = f"{ROOT}{name}/"
        self._issuer = f"{stage.base_url}{ROOT}{name}"

    def document(self, path: str) -> Mapping[str, object] | None:
        """Give the discovery document or the keys."""
        match path.removeprefix(self._root) if path.startswith(self._root) else "":
            case ".well-known/openid-configuration":
                return self._metadata()
            case "keys":
                return {"keys": [key.jwk() | {"alg": "RS256"} for key in self._ring.published]}
            case _:
                return None

    def door(self, path: str) -> Spot | None:
        """Give the door at a path."""
        door = _DOORS.get(path.removeprefix(self._root)) if path.startswith(self._root) else None
        return Spot(door=door) if door is not None else None

    def _metadata(self) -> dict[str, object]:
        return {
            "issuer": self._issuer,
            "authorization_endpoint": f"{self._issuer}/authorize",
            "token_endpoint": f"{self._issuer}/token",
            "userinfo_endpoint": f"{self._issuer}/userinfo",
            "end_session_endpoint": f"{self._issuer}/logout",
            "jwks_uri": f"{self._issuer}/keys",
            "response_types_supported": sorted(self.response_types),
            "response_modes_supported": ["query", "fragment", "form_post"],
            "grant_types_supported": ["authorization_code", "implicit", "refresh_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "scopes_supported": sorted(_SCOPES),
            "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic", "private_key_jwt"],
            "code_challenge_methods_supported": ["S256"],
            "claims_supported": ["sub", "iss", "aud", "exp", "iat", "auth_time", "nonce", "name", "email"],
            "request_parameter_supported": False,
            "request_uri_parameter_supported": False,
        }

    def granted_scope(self, request: AuthorizationRequest) -> str:
        """Grant the scopes that are known; others are passed over (OpenID Connect Core 3.1.2.1)."""
        return " ".join(scope for scope in request.scope.split() if scope in _SCOPES)

    def ring(self, grant: Grant, person: Person) -> SigningRing:
        """Give the keys."""
        del grant, person
        return self._ring

    def claims(self, grant: Grant, person: Person) -> dict[str, object]:
        """Give the claims of an id_token, as far as the scopes reach; minted ones have no scope and get all."""
        now = int(self.stage.clock.now())
        claims: dict[str, object] = {
            "iss": self._issuer,
            "sub": guid_from("sub", self.name, email_key(person.email) or ""),
            "aud": grant.client_id,
            "exp": now + 3600,
            "iat": now,
            "auth_time": grant.signed_in_at or now,
        }
        if not grant.scope or grant.has_scope("profile"):
            given, family = person.given_and_family_name()
            claims |= {"name": person.name, "given_name": given, "family_name": family}
            claims["preferred_username"] = person.email
        if not grant.scope or grant.has_scope("email"):
            claims |= {"email": person.email, "email_verified": person.verified}
        lists = {"groups": list(person.groups), "roles": list(person.roles)}
        return claims | {name: values for name, values in lists.items() if values} | person.claims_at(self.name)

    def access_token(self, grant: Grant) -> str:
        """Make an access token."""
        person = self.stage.people.find(grant.email)
        now = int(self.stage.clock.now())
        key = self._ring.newest
        claims = {
            "iss": self._issuer,
            "sub": self.claims(grant, person)["sub"],
            "aud": grant.resource or grant.client_id,
            "exp": now + self.access_seconds,
            "iat": now,
            "jti": self.stage.grants.new_text(12),
            "client_id": grant.client_id,
            "scope": grant.scope,
        }
        return key.sign({"typ": "JWT", "alg": "RS256", "kid": key.kid}, claims)
