"""What may differ between pretend providers of OAuth 2 and OpenID Connect, as data and as functions to override.

Owns what is common in making tokens. The doors ask these rules, and know no provider by name.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar

import msgspec

from doorward.base.frozen import frozen
from doorward.emulator.clients import Client
from doorward.emulator.grants import Grant
from doorward.emulator.id_tokens import signed, spoilt, tied
from doorward.emulator.keys import SigningRing
from doorward.emulator.messages import BadMessage, MintRequest
from doorward.emulator.people import Person
from doorward.emulator.pretend import Spot
from doorward.emulator.stage import Stage
from doorward.emulator.web import Ask, Reply, json_reply
from doorward.protocol import parameters
from doorward.protocol.jose_sign import RsaSigner
from doorward.protocol.oauth2 import AuthorizationRequest, TokenError, TokenResponse
from doorward.protocol.parameters import Pairs


@frozen
class Beside:
    """What an id_token goes out with: a code, an access token, both or neither; and whether it is a refresh."""

    code: str = ""
    access_token: str = ""
    refreshed: bool = False


ALONE = Beside()


class OAuthRules(ABC):
    """The rules of a pretend provider of OAuth 2 or OpenID Connect; those given here are by the book.

    `response_types` are those it knows, `""` among them where an absent one means `code`. `has_id_tokens` says that it
    speaks OpenID Connect, `needs_openid` that the
    scope `openid` must be asked for, `default_redirect` that an application may leave its address out,
    `repeats_redirect` that it must name it again with the code, `rotates` that a refresh token is used once.
    `access_seconds` is how long access tokens live, `default_client` the application that tokens are minted for.
    """

    name: str
    label: str
    response_types: ClassVar[frozenset[str]] = frozenset({"code"})
    has_id_tokens: ClassVar[bool] = True
    needs_openid: ClassVar[bool] = True
    default_redirect: ClassVar[bool] = False
    repeats_redirect: ClassVar[bool] = True
    rotates: ClassVar[bool] = True
    access_seconds: ClassVar[int] = 3599
    default_client: str

    def __init__(self, stage: Stage) -> None:
        """Pretend on `stage`."""
        self.stage = stage

    @abstractmethod
    def document(self, path: str) -> Mapping[str, object] | None:
        """Give the JSON document at a path, or None."""

    @abstractmethod
    def door(self, path: str) -> Spot | None:
        """Give the door at a path, or None."""

    def claims(self, grant: Grant, person: Person) -> dict[str, object]:
        """Give the claims of an id_token, without the nonce and the hashes; raises `BadMessage` where there is none."""
        del grant, person
        raise no_id_token(self.label)

    def ring(self, grant: Grant, person: Person) -> SigningRing:
        """Give the keys that sign for a person; raises `BadMessage` where there are no id_tokens."""
        del grant, person
        raise no_id_token(self.label)

    def check_person(self, person: Person, realm: str) -> None:
        """Refuse who may not sign in at a part of the provider; raises `BadMessage`."""
        del person, realm

    def arranged(self, claims: dict[str, object]) -> dict[str, object]:
        """Put claims into the provider's order."""
        return claims

    def header(self, grant: Grant, key: RsaSigner) -> dict[str, object]:
        """Give the header of an id_token."""
        del grant
        return {"typ": "JWT", "alg": "RS256", "kid": key.kid}

    # --- what an application gets ---

    def id_token(self, grant: Grant, beside: Beside = ALONE) -> str:
        """Make the id_token of a grant."""
        person = self.stage.people.find(grant.email)
        claims = tied(self.claims(grant, person), grant, beside.code, beside.access_token)
        claims = self.arranged(spoilt(claims, grant.faults, refreshed=beside.refreshed))
        key = self.ring(grant, person).newest
        client = self.stage.clients.find(self.name, grant.client_id)
        return signed(self.header(grant, key), claims, key, grant.faults, client.client_secret if client else "")

    def access_token(self, grant: Grant) -> str:
        """Make an access token; opaque unless a provider says otherwise."""
        del grant
        return f"pretend-{self.stage.grants.new_text()}"

    def wants_refresh(self, grant: Grant, client: Client) -> bool:
        """Say whether a redeemed code brings a refresh token."""
        del client
        return grant.has_scope("offline_access")

    def gives_id_token(self, grant: Grant) -> bool:
        """Say whether the token endpoint gives an id_token."""
        return self.has_id_tokens and grant.has_scope("openid")

    def beside_code(self, grant: Grant) -> Pairs:
        """Give what the authorization response carries beyond OAuth's parameters."""
        del grant
        return ()

    def beside_tokens(self, grant: Grant, client: Client) -> dict[str, object]:
        """Give what the token response carries beyond OAuth's members."""
        del grant, client
        return {}

    def bearer_of(self, ask: Ask) -> str:
        """Give the access token that a request carries, empty where there is none (RFC 6750 section 2.1)."""
        scheme, _, token = ask.header("authorization").partition(" ")
        return token.strip() if scheme.lower() in {"bearer", "token"} else ""

    def lifetime(self, client: Client) -> int | None:
        """Give how long an access token of an application lives, in seconds; None is for ever."""
        del client
        return self.access_seconds

    def token_answer(self, grant: Grant, tokens: TokenResponse, ask: Ask) -> Reply:
        """Put tokens into the provider's words."""
        del grant, ask
        return json_reply(tokens.to_json())

    def token_refusal(self, error: TokenError, status: int, ask: Ask, realm: str) -> Reply:
        """Put a refusal of the token endpoint into the provider's words."""
        del ask, realm
        return json_reply(error.to_json(), status)

    def profile(self, grant: Grant, person: Person, ask: Ask) -> object:
        """Give what the provider says of a person to who holds an access token."""
        del ask
        known = self.claims(grant, person)
        return {name: known[name] for name in known if name not in {"iss", "aud", "iat", "nbf", "exp", "azp"}}

    def check_request(self, request: AuthorizationRequest) -> None:
        """Raise protocol's `BadMessage` for what only this provider refuses."""
        del request

    def require(self, holds: bool, message: str, error: str = "invalid_request") -> None:  # noqa: FBT001 - a condition
        """Raise protocol's `BadMessage` unless something holds."""
        if not holds:
            raise parameters.BadMessage(message, error)

    def granted_scope(self, request: AuthorizationRequest) -> str:
        """Give the scope that is granted of the one that was asked for."""
        return request.scope

    def error_text(self, error: str, description: str) -> str:
        """Put the description of an error into the provider's words."""
        del error
        return description

    def token_scope(self, grant: Grant) -> str:
        """Give the scope that the token endpoint names."""
        return grant.scope

    def shown_scope(self, grant: Grant) -> str:
        """Give the scope that the authorization response names, empty where it names none."""
        del grant
        return ""

    def has_secret(self, client: Client, given: str) -> bool:
        """Say whether a client secret is good."""
        return client.has_secret(given)

    def with_faults(self, grant: Grant, faults: tuple[str, ...]) -> Grant:
        """Give a grant with the faults that are to happen; a key rotation happens now."""
        if "key_rotation" in faults and self.gives_id_token(grant):
            self.ring(grant, self.stage.people.find(grant.email)).rotate(withdraw=False)
        left = tuple(fault for fault in faults if fault != "key_rotation")
        return msgspec.structs.replace(grant, faults=left)

    def session_state(self, grant: Grant) -> str:
        """Give the `session_state` of an answer, empty where there is none."""
        del grant
        return ""

    # --- minting ---

    def mint(self, request: MintRequest) -> str:
        """Mint an id_token, or an access token; raises `BadMessage`."""
        client_id = self.default_client if request.audience is None else request.audience
        person = self.stage.people.find(request.email or "jane@contoso.com")
        grant = Grant(
            provider=self.name,
            client_id=client_id,
            email=person.email,
            nonce=request.nonce or "",
            faults=request.faults,
        )
        if request.kind == "access_token":
            token = self.access_token(grant)
            self.stage.grants.note_access(token, grant, self.access_seconds)
            return token
        ring = self.ring(grant, person)
        if request.rotate_key or request.withdraw_keys:
            ring.rotate(withdraw=request.withdraw_keys)
        claims = tied(self.claims(grant, person), grant, "", "")
        if request.name is not None:
            claims["name"] = request.name
        claims = self.arranged(spoilt(claims, request.faults, refreshed=False) | request.claims)
        for name in request.without:
            claims.pop(name, None)
        client = self.stage.clients.find(self.name, client_id)
        key = ring.newest
        return signed(self.header(grant, key), claims, key, request.faults, client.client_secret if client else "")


def no_id_token(label: str) -> BadMessage:
    """Say that a provider issues no id_token."""
    return BadMessage(f"{label} issues no id_token; ask for kind access_token")
