"""The pretend Facebook: its dialog, Graph's token endpoint, `/me` and `debug_token`.

Calls of Graph must carry `appsecret_proof`, as an application can demand: a token that leaked is worth nothing without
the application's secret. A code brings a token of two hours, which can be exchanged for one of sixty days; none is
refreshed. A person has another id for each application.
"""

import hmac
import re
from collections.abc import Mapping
from hashlib import sha256
from typing import ClassVar

from doorward.base.text import email_key
from doorward.emulator.clients import Client
from doorward.emulator.doors import OAuthProvider
from doorward.emulator.grants import Grant, NotGranted
from doorward.emulator.people import Person
from doorward.emulator.pretend import Door, Spot
from doorward.emulator.traffic import texts
from doorward.emulator.web import Ask, Refused, Reply, json_reply
from doorward.protocol.oauth2 import AuthorizationRequest, TokenError, TokenResponse
from doorward.protocol.parameters import BadMessage, read_form, read_parameters

FACEBOOK_CLIENT_ID = "100000000000001"
ROOT = "/facebook"
_TWO_HOURS = 2 * 3600
_SIXTY_DAYS = 60 * 86400
_EXCHANGE = "fb_exchange_token"
_VERSION = re.compile(r"/v[0-9]{1,2}\.[0-9](?=/)")
_DOORS: dict[str, Door] = {
    f"{ROOT}/dialog/oauth": "authorize",
    f"{ROOT}/graph/oauth/access_token": "token",
    f"{ROOT}/graph/me": "userinfo",
    f"{ROOT}/graph/debug_token": "token_info",
    f"{ROOT}/logout": "end_session",
}
_ALWAYS = ("id", "name")
_WITH_PROFILE = ("first_name", "last_name", "link", "gender", "locale", "timezone", "birthday")


def addresses(base_url: str) -> dict[str, str]:
    """Give the members of `[providers.facebook]`; sign-out is for the pretence alone."""
    return {
        "authorization_endpoint": f"{base_url}{ROOT}/dialog/oauth",
        "token_endpoint": f"{base_url}{ROOT}/graph/oauth/access_token",
        "userinfo_endpoint": f"{base_url}{ROOT}/graph/me",
        "token_info_endpoint": f"{base_url}{ROOT}/graph/debug_token",
        "end_session_endpoint": f"{base_url}{ROOT}/logout",
    }


class PretendFacebook(OAuthProvider):
    """Facebook as far as applications see it."""

    name = "facebook"
    label = "Facebook"
    response_types: ClassVar[frozenset[str]] = frozenset({"", "code"})
    has_id_tokens: ClassVar[bool] = False
    needs_openid: ClassVar[bool] = False
    access_seconds: ClassVar[int] = _TWO_HOURS
    default_client = FACEBOOK_CLIENT_ID

    def document(self, path: str) -> Mapping[str, object] | None:
        """Facebook publishes nothing here."""
        del path

    def door(self, path: str) -> Spot | None:
        """Give the door at a path, with or without a version of Graph in it."""
        door = _DOORS.get(_VERSION.sub("", path))
        return Spot(door=door) if door is not None else None

    def answer(self, ask: Ask, spot: Spot) -> Reply:
        """Answer at a door; `debug_token` and the exchange for a long-lived token are Facebook's own."""
        if spot.door == "token_info":
            return self._debug(ask)
        form = _form(ask) if spot.door == "token" else {}
        return self._lengthen(form) if form.get("grant_type") == _EXCHANGE else super().answer(ask, spot)

    def granted_scope(self, request: AuthorizationRequest) -> str:
        """Scopes may be separated by commas; the public profile is always among them."""
        asked = request.scope.replace(",", " ").split()
        return " ".join(dict.fromkeys(["public_profile", *(one for one in asked if one != "openid")]))

    def token_scope(self, grant: Grant) -> str:
        """Facebook does not name the scope."""
        del grant
        return ""

    def wants_refresh(self, grant: Grant, client: Client) -> bool:
        """There are no refresh tokens."""
        del grant, client
        return False

    def token_refusal(self, error: TokenError, status: int, ask: Ask, realm: str) -> Reply:
        """Refuse with Graph's object of an error."""
        del status, ask, realm
        return _graph_error(error.error_description, 100 if error.error == "invalid_grant" else 1)

    def bearer_of(self, ask: Ask) -> str:
        """Graph takes the token in the query, too."""
        return super().bearer_of(ask) or _query(ask).get("access_token", "")

    def profile(self, grant: Grant, person: Person, ask: Ask) -> object:
        """Give `/me`, the fields that were asked for; raises `Refused` without the proof of the secret."""
        client = self.stage.clients.find(self.name, grant.client_id)
        proof = hmac.digest(client.client_secret.encode() if client else b"", self.bearer_of(ask).encode(), "sha256")
        if not hmac.compare_digest(proof.hex(), _query(ask).get("appsecret_proof", "").lower()):
            raise Refused(_graph_error("API calls from the server require an appsecret_proof argument", 100))
        known = self._fields(grant, person) | person.claims_at(self.name)
        fields = ["id", *(one for one in _query(ask).get("fields", "id,name").split(",") if one != "id")]
        return {name: known[name] for name in fields if name in known}

    def _fields(self, grant: Grant, person: Person) -> dict[str, object]:
        given, family = person.given_and_family_name()
        number = _number(person, grant.client_id)
        fields: dict[str, object] = {
            "id": number,
            "name": person.name,
            "link": f"https://www.facebook.com/app_scoped_user_id/{number}/",
            "first_name": given,
            "last_name": family,
            "gender": "female",
            "locale": "en_US",
            "timezone": -7,
        }
        if not grant.scope or grant.has_scope("email"):  # minted ones have no scope and get all
            fields["email"] = person.email
        if not grant.scope or grant.has_scope("user_birthday"):
            fields["birthday"] = "01/31/1990"
        return fields

    def _lengthen(self, form: dict[str, str]) -> Reply:
        """Give a long-lived token for a good one of the same application."""
        client = self.stage.clients.find(self.name, form.get("client_id", ""))
        if client is None or not client.has_secret(form.get("client_secret", "")):
            return _graph_error("Error validating client secret.", 1)
        try:
            grant = self.stage.grants.of_access(form.get(_EXCHANGE, "")).grant
        except NotGranted as error:
            return _graph_error(f"Error validating access token: {error.reason}", 190)
        if (grant.provider, grant.client_id) != (self.name, client.client_id):
            return _graph_error("Error validating access token: it is another application's", 190)
        token = self.access_token(grant)
        self.stage.grants.note_access(token, grant, _SIXTY_DAYS)
        answer = TokenResponse(access_token=token, token_type="bearer", expires_in=_SIXTY_DAYS)
        note = f"a long-lived token for {grant.email}"
        return json_reply(answer.to_json(), note=note).telling(texts(answer.members()))

    def _debug(self, ask: Ask) -> Reply:
        """Say whose a token is, to an application that proves itself by `ID|SECRET`."""
        query = _query(ask)
        client_id, _, secret = (super().bearer_of(ask) or query.get("access_token", "")).partition("|")
        client = self.stage.clients.find(self.name, client_id)
        if client is None or not client.has_secret(secret):
            return _graph_error("Invalid OAuth access token - Cannot parse access token", 190)
        try:
            issued = self.stage.grants.of_access(query.get("input_token", ""))
        except NotGranted as error:
            return json_reply(
                {"data": {"is_valid": False, "error": {"code": 190, "message": error.reason}, "scopes": []}}
            )
        grant = issued.grant
        if grant.provider != self.name:
            return json_reply({"data": {"is_valid": False, "scopes": []}})
        person = self.stage.people.find(grant.email)
        data = {
            "app_id": grant.client_id,
            "type": "USER",
            "application": "Pretend",
            "expires_at": int(issued.ends_at),
            "is_valid": True,
            "scopes": grant.scope.split(),
            "user_id": _number(person, grant.client_id),
        }
        return json_reply({"data": data}, note=f"whose token: {grant.email}")


def _number(person: Person, client_id: str) -> str:
    """Give a person's id for one application."""
    digest = sha256(f"facebook\n{client_id}\n{email_key(person.email)}".encode()).digest()
    return f"1{int.from_bytes(digest[:8], 'big') % 10**16:016}"


def _query(ask: Ask) -> dict[str, str]:
    try:
        return dict(read_parameters(ask.query))
    except BadMessage:
        return {}


def _form(ask: Ask) -> dict[str, str]:
    try:
        return dict(read_form(ask.body)) if ask.is_form else {}
    except BadMessage:
        return {}


def _graph_error(message: str, code: int) -> Reply:
    error = {"message": message, "type": "OAuthException", "code": code, "fbtrace_id": "pretend"}
    return json_reply({"error": error}, 400, note=message)
