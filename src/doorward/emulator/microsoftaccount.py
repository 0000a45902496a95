"""The pretend Microsoft account of the Live protocol: scopes `wl.*`, a profile, and an authentication token.

The authentication token is a JWT under SHA-256 of the client secret followed by `JWTSig` (interface section 7,
easy-auth reference 4.8).
"""

import hmac
from collections.abc import Mapping
from hashlib import sha256
from typing import ClassVar
from urllib.parse import urlsplit

import msgspec

from doorward.base.text import email_key
from doorward.emulator.clients import Client
from doorward.emulator.doors import OAuthProvider
from doorward.emulator.grants import Grant
from doorward.emulator.messages import BadMessage, MintRequest
from doorward.emulator.people import Person
from doorward.emulator.pretend import Door, Spot
from doorward.emulator.web import Ask
from doorward.protocol import parameters
from doorward.protocol.jose import base64url_encode
from doorward.protocol.oauth2 import AuthorizationRequest
from doorward.protocol.parameters import read_parameters

LIVE_CLIENT_ID = "000000004c12ae6f"
ROOT = "/live"
_DAY = 86400
_DOORS: dict[str, Door] = {
    f"{ROOT}/oauth20_authorize.srf": "authorize",
    f"{ROOT}/oauth20_token.srf": "token",
    f"{ROOT}/v5.0/me": "userinfo",
    f"{ROOT}/oauth20_logout.srf": "end_session",
}


def addresses(base_url: str) -> dict[str, str]:
    """Give the members of `[providers.microsoftaccount]`; sign-out is for the pretence alone."""
    return {
        "authorization_endpoint": f"{base_url}{ROOT}/oauth20_authorize.srf",
        "token_endpoint": f"{base_url}{ROOT}/oauth20_token.srf",
        "userinfo_endpoint": f"{base_url}{ROOT}/v5.0/me",
        "end_session_endpoint": f"{base_url}{ROOT}/oauth20_logout.srf",
    }


class PretendLive(OAuthProvider):
    """The Microsoft account as far as applications of the Live protocol see it."""

    name = "microsoftaccount"
    label = "Microsoft account"
    has_id_tokens: ClassVar[bool] = False
    needs_openid: ClassVar[bool] = False
    access_seconds: ClassVar[int] = 3600
    default_client = LIVE_CLIENT_ID

    def document(self, path: str) -> Mapping[str, object] | None:
        """Live publishes nothing."""
        del path

    def door(self, path: str) -> Spot | None:
        """Give the door at a path."""
        door = _DOORS.get(path)
        return Spot(door=door) if door is not None else None

    def check_request(self, request: AuthorizationRequest) -> None:
        """A scope of Live's must be asked for."""
        self.require(any(one.startswith("wl.") for one in request.scope.split()), "no scope wl.*", "invalid_scope")

    def wants_refresh(self, grant: Grant, client: Client) -> bool:
        """Refresh tokens come with `wl.offline_access`."""
        del client
        return grant.has_scope("wl.offline_access")

    def beside_tokens(self, grant: Grant, client: Client) -> dict[str, object]:
        """Add the authentication token and the person's id."""
        person = self.stage.people.find(grant.email)
        site = urlsplit(grant.redirect_uri).hostname or "localhost"
        return {"authentication_token": self._authentication_token(client, person, site), "user_id": _uid(person)}

    def bearer_of(self, ask: Ask) -> str:
        """Live takes the token in the query, too."""
        try:
            query = dict(read_parameters(ask.query))
        except parameters.BadMessage:
            query = {}
        return super().bearer_of(ask) or query.get("access_token", "")

    def profile(self, grant: Grant, person: Person, ask: Ask) -> object:
        """Give `/v5.0/me`, addresses with `wl.emails`."""
        del ask
        given, family = person.given_and_family_name()
        profile: dict[str, object] = {
            "id": _uid(person)[:16],
            "name": person.name,
            "first_name": given,
            "last_name": family,
            "link": "https://profile.live.com/",
            "gender": None,
            "locale": "en_US",
            "updated_time": "2016-08-09T01:51:00+0000",
        }
        if not grant.scope or grant.has_scope("wl.emails"):  # minted ones have no scope and get all
            address = {"preferred": person.email, "account": person.email, "personal": None, "business": None}
            profile["emails"] = address
        return profile | person.claims_at(self.name)

    def mint(self, request: MintRequest) -> str:
        """Mint an authentication token in place of an id_token, or an access token; raises `BadMessage`."""
        if request.kind == "access_token":
            return super().mint(request)
        client = self.stage.clients.find(self.name, request.audience or LIVE_CLIENT_ID)
        if client is None:
            raise BadMessage("no application with this client ID is registered, and its secret signs the token")
        person = self.stage.people.find(request.email or "sam@outlook.com")
        site = urlsplit(next(iter(client.redirect_uris), "")).hostname or "localhost"
        late = -2 * _DAY if request.expired else 0
        claims = request.claims | dict.fromkeys(request.without)
        return self._authentication_token(client, person, site, late, claims)

    def _authentication_token(
        self, client: Client, person: Person, site: str, late: int = 0, changes: Mapping[str, object] | None = None
    ) -> str:
        claims: dict[str, object] = {
            "ver": 1,
            "iss": "urn:windows:liveid",
            "exp": int(self.stage.clock.now()) + _DAY + late,
            "uid": _uid(person),
            "aud": site,
            "urn:microsoft:appuri": f"appid://{client.client_id}",
            "urn:microsoft:appid": client.client_id,
        }
        claims = {name: value for name, value in (claims | dict(changes or {})).items() if value is not None}
        header = {"typ": "JWT", "alg": "HS256", "kid": "0"}
        signing_input = b".".join(base64url_encode(msgspec.json.encode(part)) for part in (header, claims))
        key = sha256(f"{client.client_secret}JWTSig".encode()).digest()
        return (signing_input + b"." + base64url_encode(hmac.digest(key, signing_input, "sha256"))).decode()


def _uid(person: Person) -> str:
    return sha256(f"live\n{email_key(person.email)}".encode()).hexdigest()[:32]
