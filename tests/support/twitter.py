"""A small X for tests: it checks signatures by oauthlib's own server half, and answers what a test tells it."""

import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

from oauthlib.oauth1 import Client
from oauthlib.oauth1.rfc5849 import signature

from tests.support import peers
from tests.support.canaries import canary
from tests.support.sign_in import Asked, Provider

CONSUMER_KEY = "consumer-of-tests"


@dataclass
class SmallTwitter(Provider):
    """A provider whose endpoints are those of OAuth 1.0a; `secret` is the consumer's.

    `request_answer` goes over the answer with the request token. What was approved is exchanged once.
    """

    secret: str = ""
    request_answer: dict[str, str] = field(default_factory=dict[str, str])
    requests_open: dict[str, str] = field(default_factory=dict[str, str])
    approved: dict[str, tuple[str, str]] = field(default_factory=dict[str, tuple[str, str]])
    people: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    nonces: set[str] = field(default_factory=set[str])

    def approve(self, address: str, person: str = "jane") -> str:
        """Let `person` approve, and give the address that the browser is sent back to."""
        token = parse_qs(urlsplit(address).query)["oauth_token"][0]
        callback = self.requests_open[token]
        verifier = f"verifier-{len(self.approved)}"
        self.approved[token] = (person, verifier)
        return f"{callback}&{urlencode({'oauth_token': token, 'oauth_verifier': verifier})}"

    def deny(self, address: str) -> str:
        """Let the person say no."""
        token = parse_qs(urlsplit(address).query)["oauth_token"][0]
        return f"{self.requests_open[token]}&{urlencode({'denied': token})}"

    def answer_asked(self, asked: Asked) -> bytes | None:
        """Answer one request, once its signature holds."""
        given = parameters_of(asked.headers.get("authorization", ""))
        match asked.path:
            case "/oauth/request_token":
                return self._request_token(asked, given)
            case "/oauth/access_token":
                return self._access_token(asked, given)
            case "/verify":
                return self._profile(asked, given)
            case _:
                return None

    def _request_token(self, asked: Asked, given: dict[str, str]) -> bytes:
        if not self._holds(asked, given, ""):
            return _refusal()
        token = f"request-{len(self.requests_open)}"
        self.requests_open[token] = given["oauth_callback"]
        answer = {
            "oauth_token": token,
            "oauth_token_secret": canary(f"secret-of-{token}"),
            "oauth_callback_confirmed": "true",
        }
        return _form(answer | self.request_answer)

    def _access_token(self, asked: Asked, given: dict[str, str]) -> bytes:
        token = given.get("oauth_token", "")
        person, verifier = self.approved.pop(token, ("", ""))
        if not verifier or given.get("oauth_verifier") != verifier:
            return _refusal()
        if not self._holds(asked, given, canary(f"secret-of-{token}")):
            return _refusal()
        access = canary(f"access-{person}")
        return _form({"oauth_token": access, "oauth_token_secret": canary(f"secret-{person}"), "user_id": "1"})

    def _profile(self, asked: Asked, given: dict[str, str]) -> bytes:
        token = given.get("oauth_token", "")
        known = next((name for name in self.people if token == canary(f"access-{name}")), "")
        if not known or not self._holds(asked, given, canary(f"secret-{known}")):
            return _refusal()
        return peers.answer(json.dumps(self.people[known]).encode())

    def _holds(self, asked: Asked, given: dict[str, str], token_secret: str) -> bool:
        """Check a signature: HMAC-SHA1 by oauthlib over what was really asked, under a nonce that is new."""
        if given.get("oauth_nonce", "") in {"", *self.nonces} or given.get("oauth_consumer_key") != CONSUMER_KEY:
            return False
        self.nonces.add(given["oauth_nonce"])
        pairs = [(n, v) for n, v in given.items() if n != "oauth_signature"] + [*asked.query.items()]
        library: Any = signature
        base = library.signature_base_string(
            asked.method, library.base_string_uri(f"{self.url}{asked.path}"), library.normalize_parameters(pairs)
        )
        client = Client(CONSUMER_KEY, client_secret=self.secret, resource_owner_secret=token_secret or None)
        return library.sign_hmac_sha1_with_client(base, client) == given.get("oauth_signature")


def parameters_of(authorization: str) -> dict[str, str]:
    """Read an Authorization header of OAuth 1.0a."""
    parts = (part.strip().partition("=") for part in authorization.removeprefix("OAuth ").split(","))
    return {name: dict(parse_qsl(f"x={value.strip(chr(34))}"))["x"] for name, _, value in parts if value}


def _form(pairs: dict[str, str]) -> bytes:
    kept = {name: value for name, value in pairs.items() if value}
    return peers.answer(urlencode(kept).encode(), content_type="text/html")


def _refusal() -> bytes:
    return peers.answer(b'{"errors":[{"code":32,"message":"Could not authenticate you."}]}', status="401 Unauthorized")
