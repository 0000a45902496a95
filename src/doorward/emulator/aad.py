"""The pretend Entra: metadata, keys, sign-in and tokens of many tenants (easy-auth 2.2, token-exchange 2.1 to 2.12).

One shared key signs for every tenant and says so with a template for its issuer; another signs for personal accounts
alone. Both stand in every key document, as they do at Microsoft: a signature says nothing until the key's issuer was
compared. Every tenant has the doors of version 1.0 and 2.0; a tenant lets in its members and those who are guests.
"""

from collections.abc import Mapping
from typing import ClassVar

from doorward.base.clock import rfc3339
from doorward.emulator.aad_claims import (
    BACKDATED,
    GRAPH,
    Subject,
    common_claims,
    issuer_of,
    ordered,
    subject_at,
    subject_in,
    tenant_named,
)
from doorward.emulator.clients import Client
from doorward.emulator.doors import OAuthProvider
from doorward.emulator.grants import Grant
from doorward.emulator.id_tokens import signed, spoilt
from doorward.emulator.keys import SigningRing
from doorward.emulator.messages import BadMessage, MintRequest
from doorward.emulator.people import DEV_CLIENT_ID, Person, guid_from
from doorward.emulator.pretend import Door, Spot
from doorward.emulator.stage import Stage
from doorward.emulator.web import Ask, Reply, json_reply
from doorward.protocol.jose import base64url_encode
from doorward.protocol.jose_sign import RsaSigner
from doorward.protocol.oauth2 import TokenError, TokenResponse
from doorward.providers.aad import CONSUMER_TENANT, TENANT_MARK

USERINFO_PATH = "/graph/oidc/userinfo"
_ALIASES = {"common": TENANT_MARK, "organizations": TENANT_MARK, "consumers": CONSUMER_TENANT}
_DOORS: dict[str, tuple[Door, str]] = {
    "oauth2/authorize": ("authorize", "1.0"),
    "oauth2/token": ("token", "1.0"),
    "oauth2/logout": ("end_session", "1.0"),
    "oauth2/v2.0/authorize": ("authorize", "2.0"),
    "oauth2/v2.0/token": ("token", "2.0"),
    "oauth2/v2.0/logout": ("end_session", "2.0"),
}
_OIDC_SCOPES = frozenset({"openid", "profile", "email", "offline_access"})
_NUMBERS = {
    "access_denied": 65004,
    "interaction_required": 50058,
    "invalid_client": 7000215,
    "invalid_grant": 70008,
    "invalid_request": 900144,
    "invalid_scope": 70011,
    "login_required": 50058,
    "unsupported_grant_type": 70003,
    "unsupported_response_type": 700054,
}


def cloud_settings(base_url: str) -> dict[str, str]:
    """Give the members of `[clouds.NAME]` that point a cloud at the emulator."""
    return {
        "issuer_v1": issuer_of(base_url, "1.0", TENANT_MARK),
        "issuer_v2": issuer_of(base_url, "2.0", TENANT_MARK),
        "keys_v1": f"{base_url}/common/discovery/keys",
        "keys_v2": f"{base_url}/common/discovery/v2.0/keys",
    }


class PretendEntra(OAuthProvider):
    """Microsoft Entra ID as far as applications see it."""

    name = "aad"
    label = "Microsoft Entra"
    response_types: ClassVar[frozenset[str]] = frozenset({"code", "id_token", "code id_token", "id_token token"})
    default_client = DEV_CLIENT_ID

    def __init__(self, stage: Stage) -> None:
        """Pretend on `stage`; with its `keys`, a directory, the signing keys outlive the process."""
        super().__init__(stage)
        self._shared = SigningRing("aad-shared", stage.keys, at_first=2)
        self._consumer = SigningRing("aad-consumer", stage.keys)

    # --- documents and doors ---

    def document(self, path: str) -> Mapping[str, object] | None:
        """Give a metadata or key document of a tenant, named by its GUID, its domain or an alias."""
        head, tenant, rest = _split(path)
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

    def door(self, path: str) -> Spot | None:
        """Give the door at a path: a tenant's, of version 1.0 or 2.0, or the profile."""
        if path == USERINFO_PATH:
            return Spot(door="userinfo")
        _, tenant, rest = _split(path)
        door, version = _DOORS.get(rest, (None, ""))
        return None if tenant is None or door is None else Spot(door=door, realm=f"{tenant} {version}")

    def _metadata(self, head: str, tenant: str, version: str) -> dict[str, object]:
        marked = "/v2.0" if version == "2.0" else ""
        place = f"{self.stage.base_url}/{head}"
        return {
            "token_endpoint": f"{place}/oauth2{marked}/token",
            "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt", "client_secret_basic"],
            "jwks_uri": f"{place}/discovery{marked}/keys",
            "response_modes_supported": ["query", "fragment", "form_post"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
            "scopes_supported": ["openid", "profile", "email", "offline_access"],
            "issuer": issuer_of(self.stage.base_url, version, tenant),
            "userinfo_endpoint": f"{self.stage.base_url}{USERINFO_PATH}",
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
        template = issuer_of(self.stage.base_url, "2.0", TENANT_MARK)
        consumer = issuer_of(self.stage.base_url, "2.0", CONSUMER_TENANT)
        return [
            *(key.jwk(template) for key in self._shared.published),
            *(key.jwk(consumer) for key in self._consumer.published),
        ]

    # --- signing in ---

    def check_person(self, person: Person, realm: str) -> None:
        """Refuse who is neither a member nor a guest of the tenant; raises `BadMessage`."""
        subject_at(person, realm.partition(" ")[0])

    def claims(self, grant: Grant, person: Person) -> dict[str, object]:
        """Give the claims of an id_token, as far as the scopes reach in version 2.0."""
        tenant, _, version = grant.realm.partition(" ")
        subject, version = subject_at(person, tenant or TENANT_MARK), version or "2.0"
        claims = self._of(subject, version, grant.client_id) | self._session_claims(grant, version, person)
        if version == "2.0" and not grant.has_scope("email"):
            claims = _without(claims, "email", "xms_edov")
        if version == "2.0" and not grant.has_scope("profile"):
            claims = _without(claims, "name", "oid", "preferred_username")
        return claims | person.claims_at(self.name)

    def arranged(self, claims: dict[str, object]) -> dict[str, object]:
        """Put claims into Entra's order."""
        return ordered(claims)

    def ring(self, grant: Grant, person: Person) -> SigningRing:
        """Give the keys of the tenant."""
        tenant = grant.realm.partition(" ")[0] or TENANT_MARK
        return self._consumer if subject_at(person, tenant).tenant == CONSUMER_TENANT else self._shared

    def header(self, grant: Grant, key: RsaSigner) -> dict[str, object]:
        """Give the header of a token: version 1.0 names the key twice."""
        return _header(key, grant.realm.partition(" ")[2] or "2.0")

    def access_token(self, grant: Grant) -> str:
        """Make an access token: a JWT for the API that the scope or `resource` names, else for Microsoft Graph."""
        tenant, _, version = grant.realm.partition(" ")
        person = self.stage.people.find(grant.email)
        subject = subject_at(person, tenant or TENANT_MARK)
        audience, scopes = _api(grant)
        claims = self._of(subject, version or "2.0", audience) | person.claims_at(self.name)
        claims |= _client_claims(version or "2.0", grant.client_id, scopes)
        # What an API sees is for the API: no nonce, no e-mail but by the API's own wish, and a subject of its own.
        key = self.ring(grant, person).newest
        return key.sign(self.header(grant, key), ordered(_without(claims, "email", "xms_edov")))

    def wants_refresh(self, grant: Grant, client: Client) -> bool:
        """Say whether a code brings a refresh token: by `offline_access` in 2.0, by `resource` in 1.0 (reference 5)."""
        del client
        return grant.has_scope("offline_access") or (grant.realm.endswith("1.0") and bool(grant.resource))

    def token_answer(self, grant: Grant, tokens: TokenResponse, ask: Ask) -> Reply:
        """Version 1.0 writes numbers as text, and says more."""
        del ask
        members: dict[str, object] = {"token_type": "Bearer", **tokens.members(), "ext_expires_in": tokens.expires_in}
        if grant.realm.endswith("1.0"):
            now = int(self.stage.clock.now())
            members |= {"expires_on": now + self.access_seconds, "not_before": now - BACKDATED}
            members = {**{name: str(value) for name, value in members.items()}, "resource": grant.resource or GRAPH}
        return json_reply(members)

    def token_refusal(self, error: TokenError, status: int, ask: Ask, realm: str) -> Reply:
        """Add what Entra adds to a refusal."""
        del ask, realm
        trace = guid_from("trace", self.stage.grants.new_text())
        more: dict[str, object] = {
            "error_codes": [_NUMBERS.get(error.error, 9002313)],
            "timestamp": rfc3339(self.stage.clock.now()),
            "trace_id": trace,
            "correlation_id": guid_from("correlation", trace),
        }
        return json_reply(error.members() | more, status)

    def error_text(self, error: str, description: str) -> str:
        """Put Entra's number before a description."""
        return f"AADSTS{_NUMBERS.get(error, 9002313)}: {description}."

    def session_state(self, grant: Grant) -> str:
        """Give the session's GUID."""
        return guid_from("session", grant.session)

    def profile(self, grant: Grant, person: Person, ask: Ask) -> object:
        """Give what Graph's UserInfo says."""
        del ask
        given, family = person.given_and_family_name()
        claims = self.claims(grant, person)
        return {
            "sub": claims["sub"],
            "name": person.name,
            "given_name": given,
            "family_name": family,
            "email": person.email,
        }

    # --- minting ---

    def mint(self, request: MintRequest) -> str:
        """Mint an id_token, or an access token, as Entra would send it; raises `BadMessage`."""
        if request.rotate_key or request.withdraw_keys:
            self._shared.rotate(withdraw=request.withdraw_keys)
        person = self.stage.people.find(request.email or _default_address(request))
        subject = subject_in(person, _tenant_asked_for(request), guest=request.guest)
        claims = spoilt(self._minted(request, subject), request.faults, refreshed=False) | request.claims
        for name in request.without:
            claims.pop(name, None)
        is_personal = request.fault == "consumer_key" or subject.tenant == CONSUMER_TENANT
        key = (self._consumer if is_personal else self._shared).newest
        client = self.stage.clients.find(self.name, str(claims.get("aud")))
        secret = client.client_secret if client is not None else ""
        return signed(_header(key, request.version), claims, key, request.faults, secret)

    def _minted(self, request: MintRequest, subject: Subject) -> dict[str, object]:
        audience = request.audience if request.audience is not None else DEV_CLIENT_ID
        claims = self._of(subject, request.version, audience) | subject.person.claims_at(self.name)
        claims |= {"name": request.name} if request.name is not None else {}
        claims |= {"nonce": request.nonce} if request.nonce is not None else {}
        if request.kind == "access_token":
            claims |= _client_claims(request.version, audience, "User.Read")
        return claims

    # --- claims ---

    def _of(self, subject: Subject, version: str, audience: str) -> dict[str, object]:
        moment = int(self.stage.clock.now()) - BACKDATED
        claims = common_claims(subject, self.stage.base_url, version, audience, moment)
        return claims | {"aio": self._filler(36), "rh": f"1.A{self._filler(24)}.", "uti": self._filler(16)}

    def _session_claims(self, grant: Grant, version: str, person: Person) -> dict[str, object]:
        if version == "2.0":
            return {"sid": guid_from("session", grant.session)}
        given, family = person.given_and_family_name()
        return {"amr": ["pwd"], "ipaddr": "127.0.0.1", "given_name": given, "family_name": family}

    def _filler(self, size: int) -> str:
        return base64url_encode(self.stage.entropy.draw(size)).decode()


def _split(path: str) -> tuple[str, str | None, str]:
    """Split a path into the name of the tenant, the tenant and the rest; an issuer of version 1.0 begins with `v1`."""
    head, _, rest = path.removeprefix("/").partition("/")
    if head == "v1":
        head, _, rest = rest.partition("/")
    return head, _ALIASES.get(head) or tenant_named(head), rest


def _header(key: RsaSigner, version: str) -> dict[str, object]:
    twice = {"x5t": key.kid} if version == "1.0" else {}
    return {"typ": "JWT", "alg": "RS256", **twice, "kid": key.kid}


def _api(grant: Grant) -> tuple[str, str]:
    """Give the API that an access token is for, and the scopes at it: `api://ID/name`, `ID/name`, else Graph's."""
    wanted = [scope for scope in grant.scope.split() if scope not in _OIDC_SCOPES]
    for scope in wanted:
        api, _, name = scope.rpartition("/")
        if api and not api.startswith("https://graph.microsoft.com"):
            is_v2 = grant.realm.endswith("2.0")
            return (api.removeprefix("api://") if is_v2 else api), name.replace(".default", "user_impersonation")
    if grant.resource:
        return grant.resource, "user_impersonation"
    return GRAPH, " ".join([*wanted, *(scope for scope in grant.scope.split() if scope in _OIDC_SCOPES)])


def _client_claims(version: str, client_id: str, scopes: str) -> dict[str, object]:
    """Give what tells an access token from an id_token (token-exchange reference 2.12)."""
    name = "azp" if version == "2.0" else "appid"
    return {name: client_id, f"{name}acr": "0", "scp": scopes}


def _without(claims: Mapping[str, object], *names: str) -> dict[str, object]:
    return {name: value for name, value in claims.items() if name not in names}


def _tenant_asked_for(request: MintRequest) -> str | None:
    if request.tenant is None:
        return None
    tenant = CONSUMER_TENANT if request.tenant == "consumers" else tenant_named(request.tenant)
    if tenant is None:
        raise BadMessage(f"tenant is neither a GUID nor a domain: {request.tenant!r}")
    return tenant


def _default_address(request: MintRequest) -> str:
    if _tenant_asked_for(request) == CONSUMER_TENANT:
        return "sam@outlook.com"
    return "gia@fabrikam.com" if request.guest else "jane@contoso.com"
