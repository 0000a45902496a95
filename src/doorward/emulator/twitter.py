"""The pretend X, by its old name: OAuth 1.0a with request tokens, and a profile for signed calls.

Strict: every call is signed by a known application with a fresh nonce, a request token is approved by one person and
exchanged once with its verifier, and the browser goes back to a registered address alone.
"""

from collections.abc import Mapping
from dataclasses import field, replace
from hashlib import sha256

from doorward.base.frozen import frozen
from doorward.base.text import email_key
from doorward.emulator import leave
from doorward.emulator.choosing import Choice, Offer, choice_of, offer_page
from doorward.emulator.clients import Client
from doorward.emulator.lobby import COOKIE, set_cookie
from doorward.emulator.messages import BadMessage as BadWish
from doorward.emulator.messages import MintRequest
from doorward.emulator.people import Person
from doorward.emulator.pretend import Door, Spot
from doorward.emulator.stage import Stage
from doorward.emulator.web import (
    GARBAGE,
    Ask,
    Refused,
    Reply,
    form_reply,
    json_reply,
    redirect,
    refusal_page,
    refuse_other_pages,
)
from doorward.protocol.oauth1 import (
    AccessTokenAnswer,
    CallbackAnswer,
    Consumer,
    RequestTokenAnswer,
    Token,
    is_signed,
    read_authorization,
)
from doorward.protocol.parameters import BadMessage, read_form, read_parameters, with_parameters

TWITTER_CLIENT_ID = "pretendConsumerKey"
ROOT = "/twitter"
WINDOW = 300
REQUEST_SECONDS = 900
KEPT_AT_MOST = 2000
_NO = {"consent_denied", "login_required"}  # OAuth 1.0a has one word for both
_DOORS: dict[str, Door] = {
    f"{ROOT}/oauth/request_token": "request_token",
    f"{ROOT}/oauth/authenticate": "authorize",
    f"{ROOT}/oauth/access_token": "token",
    f"{ROOT}/1.1/account/verify_credentials.json": "userinfo",
    f"{ROOT}/logout": "end_session",
}


def addresses(base_url: str) -> dict[str, str]:
    """Give the members of `[providers.twitter]`; sign-out is for the pretence alone."""
    return {
        "request_token_endpoint": f"{base_url}{ROOT}/oauth/request_token",
        "authorization_endpoint": f"{base_url}{ROOT}/oauth/authenticate",
        "access_token_endpoint": f"{base_url}{ROOT}/oauth/access_token",
        "userinfo_endpoint": f"{base_url}{ROOT}/1.1/account/verify_credentials.json",
        "end_session_endpoint": f"{base_url}{ROOT}/logout",
    }


@frozen
class _Held:
    """A request token or an access token: its secret, whose application it is, and the person once there is one."""

    secret: str = field(repr=False)
    client_id: str
    ends_at: float
    callback: str = ""
    email: str = ""
    verifier: str = field(default="", repr=False)
    faults: tuple[str, ...] = ()


class PretendTwitter:
    """X as far as applications see it."""

    name = "twitter"
    label = "X"

    def __init__(self, stage: Stage) -> None:
        """Pretend on `stage`."""
        self.stage = stage
        self._requests: dict[str, _Held] = {}
        self._tokens: dict[str, _Held] = {}
        self._nonces: dict[tuple[str, str], float] = {}

    def document(self, path: str) -> Mapping[str, object] | None:
        """X publishes nothing."""
        del path

    def door(self, path: str) -> Spot | None:
        """Give the door at a path."""
        door = _DOORS.get(path)
        return Spot(door=door) if door is not None else None

    def answer(self, ask: Ask, spot: Spot) -> Reply:
        """Answer at a door; raises `Refused`."""
        if spot.door == "authorize":
            return self._authenticate(ask)
        if spot.door == "end_session":
            return leave.answer(self, ask)
        wanted = "GET" if spot.door == "userinfo" else "POST"
        if ask.method != wanted:
            raise Refused(_problem(405, f"use {wanted}").with_headers((b"allow", wanted.encode())))
        try:
            match spot.door:
                case "request_token":
                    return self._request_token(ask)
                case "token":
                    return self._access_token(ask)
                case _:
                    return self._profile(ask)
        except BadMessage as error:
            raise Refused(_problem(401, f"{error}")) from error

    def mint(self, request: MintRequest) -> str:
        """Mint an access token and its secret, with a space between; raises `BadMessage`."""
        if request.kind != "access_token":
            raise BadWish("X issues no id_token; ask for kind access_token")
        person = self.stage.people.find(request.email or "jane@contoso.com")
        token = self._keep(self._tokens, request.audience or TWITTER_CLIENT_ID, email=person.email)
        return f"{token} {self._tokens[token].secret}"

    # --- the three steps ---

    def _request_token(self, ask: Ask) -> Reply:
        given, client = self._checked(ask, None)
        callback = given.get("oauth_callback", "")
        if not client.may_return_to(callback.partition("?")[0]):
            raise BadMessage("oauth_callback is not a registered address")
        token = self._keep(self._requests, client.client_id, callback=callback)
        told = RequestTokenAnswer(
            oauth_token=token,
            oauth_token_secret=self._requests[token].secret,
            oauth_callback_confirmed="true",
        )
        return form_reply(told.pairs(), note=f"a request token for {client.client_id}").telling(told.pairs())

    def _authenticate(self, ask: Ask) -> Reply:
        """Ask who it is, or know it, and send the browser back with a verifier."""
        try:
            query = dict(read_parameters(ask.query))
            chosen = read_form(ask.body) if ask.method == "POST" and ask.is_form else ()
            if chosen:
                refuse_other_pages(ask)
            token = query.get("oauth_token", "")
            held = self._asked_with(token)
            choice = choice_of(chosen, ask)
        except (BadMessage, BadWish) as error:
            raise Refused(refusal_page(400, "That cannot be", f"{error}.")) from error
        signed_in = self.stage.lobby.people(ask.cookie(COOKIE), self.name)
        if choice is None and len(signed_in) == 1 and query.get("force_login") != "true":
            return self._back(token, held, Choice(email=signed_in[0].email, faults=()))
        if choice is None:
            offer = Offer(
                stage=self.stage,
                provider=self.name,
                label=self.label,
                action=f"{ask.path}?{ask.query}",
                application=held.client_id,
                site=held.callback,
                hint=query.get("screen_name", ""),
                has_id_tokens=False,
            )
            return offer_page(offer, signed_in)
        return self._chosen(ask, token, held, choice)

    def _asked_with(self, token: str) -> _Held:
        """Give the request token that a person is asked about; raises protocol's `BadMessage`."""
        held = self._requests.get(token)
        if held is None or held.email or self.stage.clock.now() >= held.ends_at:
            raise BadMessage("the request token is unknown, used or expired")
        return held

    def _chosen(self, ask: Ask, token: str, held: _Held, choice: Choice) -> Reply:
        if not choice.email or _NO & set(choice.faults):
            return self._back(token, held, Choice(email="", faults=()))
        try:
            person = self.stage.people.find(choice.email)
        except BadWish as error:
            raise Refused(refusal_page(400, "That person cannot sign in", f"{error}.")) from error
        browser, _ = self.stage.lobby.enter(ask.cookie(COOKIE), self.name, person.email)
        return self._back(token, held, replace(choice, email=person.email)).with_headers(set_cookie(browser))

    def _back(self, token: str, held: _Held, choice: Choice) -> Reply:
        """Send the browser back, with a verifier or with a no."""
        if not choice.email:
            del self._requests[token]
            told = CallbackAnswer(denied=token)
            return redirect(with_parameters(held.callback, told.pairs()), note="the person said no")
        faults = (*choice.faults, *self.stage.switches.take(self.name))
        if _NO & set(faults):
            return self._back(token, held, Choice(email="", faults=()))
        verifier = self.stage.grants.new_text(24)
        self._requests[token] = replace(held, email=choice.email, verifier=verifier, faults=faults)
        told = CallbackAnswer(oauth_token=token, oauth_verifier="" if "no_code" in faults else verifier)
        note = f"{choice.email} signed in" + (f"; faults: {', '.join(faults)}" if faults else "")
        # The state is the last parameter of the application's own address.
        address = f"{held.callback}x" if "wrong_state" in faults else held.callback
        return redirect(with_parameters(address, told.pairs()), note=note).telling(told.pairs())

    def _access_token(self, ask: Ask) -> Reply:
        given, client = self._checked(ask, self._requests)
        held = self._requests[given["oauth_token"]]
        verifier = given.get("oauth_verifier") or dict(read_form(ask.body)).get("oauth_verifier", "")
        if not held.verifier or verifier != held.verifier:
            raise BadMessage("oauth_verifier is wrong, or nobody has approved the request token")
        del self._requests[given["oauth_token"]]
        late = self.stage.switches.slow_seconds if "slow" in held.faults else 0.0
        if "token_500" in held.faults:
            return replace(_problem(500, "told to: 500"), delay=late)
        if "token_garbage" in held.faults:
            return replace(form_reply([], note="told to: a page"), body=GARBAGE, delay=late)
        token = self._keep(self._tokens, client.client_id, email=held.email, faults=held.faults)
        person = self.stage.people.find(held.email)
        told = AccessTokenAnswer(
            oauth_token=token,
            oauth_token_secret=self._tokens[token].secret,
            user_id=_number(person),
            screen_name=_screen_name(person),
        )
        reply = form_reply(told.pairs(), note=f"an access token for {held.email}").telling(told.pairs())
        return replace(reply, delay=late)

    def _profile(self, ask: Ask) -> Reply:
        given, _ = self._checked(ask, self._tokens)
        held = self._tokens[given["oauth_token"]]
        if "profile_500" in held.faults:
            return _problem(500, "told to: 500")
        person = self.stage.people.find(held.email)
        profile: dict[str, object] = {
            "id": int(_number(person)),
            "id_str": _number(person),
            "name": person.name,
            "screen_name": _screen_name(person),
            "location": "Redmond, WA",
            "description": "A pretend person",
            "url": None,
            "time_zone": None,
            "verified": False,
            "lang": "en",
            "profile_image_url_https": "https://abs.twimg.com/sticky/default_profile_images/default_profile_4.png",
        }
        return json_reply(profile | person.claims_at(self.name), note=f"profile of {held.email}")

    # --- signatures ---

    def _checked(self, ask: Ask, tokens: Mapping[str, _Held] | None) -> tuple[Mapping[str, str], Client]:
        """Give what a signed call says, and whose it is; raises protocol's `BadMessage`.

        `tokens` are those that it must be signed with, None for the first step, which has none.
        """
        given = read_authorization(ask.header("authorization"))
        client = self.stage.clients.find(self.name, given["oauth_consumer_key"])
        if client is None:
            raise BadMessage("no application with this consumer key is registered")
        held = (tokens or {}).get(given.get("oauth_token", ""))
        if (held is None) is not (tokens is None) or (held is None and "oauth_token" in given):
            raise BadMessage("the token is not known")
        if held is not None and (held.client_id != client.client_id or self.stage.clock.now() >= held.ends_at):
            raise BadMessage("the token is another application's, or has expired")
        url = f"{self.stage.base_url}{ask.path}" + (f"?{ask.query}" if ask.query else "")
        consumer = Consumer(key=client.client_id, secret=client.client_secret)
        token = Token(token=given.get("oauth_token", ""), secret=held.secret if held is not None else "")
        if not is_signed(ask.method, url, given, consumer, token, read_form(ask.body) if ask.is_form else ()):
            raise BadMessage("the signature is wrong")
        self._use_nonce(given)
        return given, client

    def _use_nonce(self, given: Mapping[str, str]) -> None:
        now, at = self.stage.clock.now(), int(given["oauth_timestamp"][:12])
        key = (given["oauth_consumer_key"], given["oauth_nonce"])
        if abs(now - at) > WINDOW:
            raise BadMessage("oauth_timestamp is more than five minutes away")
        self._nonces = {known: used for known, used in self._nonces.items() if now - used <= 2 * WINDOW}
        if key in self._nonces:
            raise BadMessage("oauth_nonce was used before")
        self._nonces[key] = now

    def _keep(
        self,
        tokens: dict[str, _Held],
        client_id: str,
        *,
        callback: str = "",
        email: str = "",
        faults: tuple[str, ...] = (),
    ) -> str:
        while len(tokens) >= KEPT_AT_MOST:
            del tokens[next(iter(tokens))]
        token, secret = self.stage.grants.new_text(20), self.stage.grants.new_text()
        ends_at = self.stage.clock.now() + REQUEST_SECONDS if callback else float("inf")
        tokens[token] = _Held(
            secret=secret, client_id=client_id, ends_at=ends_at, callback=callback, email=email, faults=faults
        )
        return token


def _number(person: Person) -> str:
    return str(int.from_bytes(sha256(f"twitter\n{email_key(person.email)}".encode()).digest()[:4], "big") + 10_000_000)


def _screen_name(person: Person) -> str:
    return (email_key(person.email) or "").partition("@")[0].replace(".", "_").replace("-", "_")[:15]


def _problem(status: int, message: str) -> Reply:
    return json_reply({"errors": [{"code": 32, "message": message}]}, status, note=message)
