import base64
import hmac
import json
from collections.abc import Iterator
from typing import Any, Literal, cast

import jwt
import pytest

from doorward.base.clock import FrozenClock
from doorward.base.entropy import SeededEntropy
from doorward.client import PlatformTokens, ServiceUnavailable, TokenRefused
from doorward.client.published_keys import COOLDOWN, LIFETIME, SKEW, STALE_LIMIT
from doorward.protocol.signing import TokenKey, draw_secret
from doorward.testing import running_server
from tests.support.token_services import NOW, TokenService, token_service

Asymmetric = Literal["ES256", "EdDSA"]
ENTROPY = SeededEntropy(b"published keys")
KEYS = {name: TokenKey.of(f"{name}-1", name, draw_secret(ENTROPY)) for name in ("ES256", "EdDSA")}
NEWER = TokenKey.of("ES256-2", "ES256", draw_secret(ENTROPY))
STRANGER = TokenKey.of("ES256-1", "ES256", draw_secret(ENTROPY))


@pytest.fixture
def clock() -> FrozenClock:
    """Give a clock that stands still."""
    return FrozenClock(NOW)


@pytest.fixture
def service() -> Iterator[TokenService]:
    """Give a service that publishes one key of each algorithm."""
    with token_service() as running:
        publish(running, *KEYS.values())
        yield running


@pytest.fixture
def tokens(service: TokenService, clock: FrozenClock) -> PlatformTokens:
    """Give what verifies by published keys, without credentials."""
    return PlatformTokens(service.url, accepts="access", jwks=True, clock=clock)


def publish(service: TokenService, *keys: TokenKey) -> None:
    """Let the service publish these keys."""
    service.say({"keys": [key.jwk() for key in keys]})


def claims(service: TokenService, **changes: object) -> dict[str, object]:
    """Give the claims of a good access token; `...` takes one out."""
    good: dict[str, object] = {
        "iss": f"{service.url}/auth-service",
        "sub": "7",
        "aud": "auth-service",
        "client_id": "d0025a2d-0000-4000-8000-00000000de00",
        "iat": int(NOW) - 60,
        "nbf": int(NOW) - 60,
        "exp": int(NOW) + 3600,
        "jti": "j",
        "family_id": "f",
        "token_use": "access",
    }
    return {name: value for name, value in (good | changes).items() if value is not ...}


def sign(service: TokenService, key: TokenKey, **changes: object) -> str:
    """Sign an access token."""
    return key.sign(json.dumps(claims(service, **changes)).encode())


def reheaded(token: str, key: TokenKey, **changes: object) -> str:
    """Give the token with another header, signed by the same key."""
    header: dict[str, object] = {"alg": key.algorithm, "typ": "JWT", "kid": key.kid, **changes}
    head = encode(json.dumps({name: value for name, value in header.items() if value is not ...}).encode())
    text = f"{head}.{token.split('.')[1]}"
    return f"{text}.{encode(key.scheme.sign(text.encode()))}"


def encode(raw: bytes) -> str:
    """Encode as unpadded base64url."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


@pytest.mark.parametrize("algorithm", ["ES256", "EdDSA"])
def test_a_real_service_is_understood(algorithm: str) -> None:
    """Tokens of a running service are verified by its keys alone, in both algorithms, without credentials."""
    with running_server({"token_service.signing_algorithm": algorithm}) as server:
        tokens = PlatformTokens(server.base_url, accepts="access", jwks=True)
        user = tokens.verify(server.exchange("jane@contoso.com").access_token)
        assert (user.id, user.email, user.kind) == (1, None, "access")


@pytest.mark.parametrize("algorithm", ["ES256", "EdDSA"])
async def test_a_good_token_gives_its_user(
    tokens: PlatformTokens, service: TokenService, algorithm: Asymmetric
) -> None:
    """One fetch of the keys serves every token, in threads and in event loops."""
    token = sign(service, KEYS[algorithm])
    assert tokens.verify(token) == await tokens.verify_async(token)
    assert [asked["path"] for asked in service.asked] == ["/auth-service/oauth2/jwks"]


def test_another_library_signs_the_same(tokens: PlatformTokens, service: TokenService) -> None:
    """A token that PyJWT made is accepted: the rules are the standard's, not our own."""
    private = cast("Any", KEYS["ES256"].scheme).private
    assert tokens.verify(jwt.encode(claims(service), private, "ES256", headers={"kid": "ES256-1"})).id == 7


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://evil.example/auth-service"},
        {"iss": ...},
        {"aud": "platform"},
        {"aud": ["auth-service"]},
        {"aud": ...},
        {"token_use": "id"},
        {"token_use": ...},
        {"sub": 7},
        {"sub": "jane"},
        {"sub": ...},
        {"client_id": ...},
        {"exp": int(NOW)},
        {"exp": str(int(NOW) + 3600)},
        {"exp": ...},
        {"exp": True},
        {"nbf": int(NOW + SKEW) + 1},
        {"nbf": ...},
        {"iat": int(NOW + SKEW) + 1},
        {"iat": None},
    ],
)
def test_claims_are_held_to_the_letter(
    tokens: PlatformTokens, service: TokenService, changes: dict[str, object]
) -> None:
    """Issuer, audience, use, subject and times each refuse a token that the service itself signed."""
    with pytest.raises(TokenRefused):
        tokens.verify(sign(service, KEYS["ES256"], **changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"alg": "none"},
        {"alg": "HS256"},
        {"alg": "EdDSA"},
        {"alg": ...},
        {"kid": ...},
        {"kid": 1},
        {"kid": "EdDSA-1"},
        {"typ": "logout+jwt"},
        {"typ": None},
        {"crit": ["exp"]},
        {"jwk": NEWER.jwk()},
        {"jku": "https://evil.example/keys"},
        {"b64": False},
        {"zip": "DEF"},
    ],
)
def test_the_header_decides_nothing(tokens: PlatformTokens, service: TokenService, changes: dict[str, object]) -> None:
    """The key decides the algorithm, and a header that asks for anything is refused (RFC 8725 section 3.1)."""
    key = KEYS["ES256"]
    with pytest.raises(TokenRefused):
        tokens.verify(reheaded(sign(service, key), key, **changes))


def test_the_header_of_rfc_9068_is_known(tokens: PlatformTokens, service: TokenService) -> None:
    """A service that marks its tokens `at+jwt` needs no newer client."""
    key = KEYS["ES256"]
    assert tokens.verify(reheaded(sign(service, key), key, typ="at+jwt")).id == 7


def test_the_public_key_is_no_shared_secret(tokens: PlatformTokens, service: TokenService) -> None:
    """Whoever signs with HS256 and the public key as secret is refused (RFC 8725 section 2.1)."""
    head = encode(json.dumps({"alg": "HS256", "typ": "JWT", "kid": "EdDSA-1"}).encode())
    text = f"{head}.{encode(json.dumps(claims(service)).encode())}"
    secret = base64.urlsafe_b64decode((KEYS["EdDSA"].jwk() or {})["x"] + "=")
    with pytest.raises(TokenRefused, match="signature"):
        tokens.verify(f"{text}.{encode(hmac.digest(secret, text.encode(), 'sha256'))}")


@pytest.mark.parametrize("signature", ["A" * 86, "AA", encode(bytes(64)), encode(bytes(63)), "A" * 87])
def test_bad_signatures_are_refused(tokens: PlatformTokens, service: TokenService, signature: str) -> None:
    """Zeroes, cuts and trailing bits are no signature."""
    head, body, _ = sign(service, KEYS["ES256"]).split(".")
    with pytest.raises(TokenRefused):
        tokens.verify(f"{head}.{body}.{signature}")


def test_a_strangers_key_of_the_same_name_is_refused(tokens: PlatformTokens, service: TokenService) -> None:
    """A name is no key."""
    with pytest.raises(TokenRefused, match="signature"):
        tokens.verify(sign(service, STRANGER))


def test_a_new_key_is_fetched_at_once(tokens: PlatformTokens, service: TokenService) -> None:
    """A rotation signs nobody out: the first token of the new key fetches it."""
    tokens.verify(sign(service, KEYS["ES256"]))
    publish(service, NEWER, KEYS["ES256"])
    assert tokens.verify(sign(service, NEWER)).id == 7
    assert len(service.asked) == 2


def test_unknown_keys_fetch_once_a_cooldown(tokens: PlatformTokens, service: TokenService, clock: FrozenClock) -> None:
    """Tokens with invented key names do not make an app hammer the service."""
    tokens.verify(sign(service, KEYS["ES256"]))
    for number in range(100):
        invented = TokenKey.of(f"invented-{number}", "ES256", draw_secret(ENTROPY))
        with pytest.raises(TokenRefused, match="no key"):
            tokens.verify(sign(service, invented))
    assert len(service.asked) == 2
    clock.advance(COOLDOWN)
    publish(service, NEWER)
    assert tokens.verify(sign(service, NEWER)).id == 7


def test_keys_grow_old_and_are_fetched_again(tokens: PlatformTokens, service: TokenService, clock: FrozenClock) -> None:
    """A key that the service has withdrawn stops verifying within ten minutes."""
    tokens.verify(sign(service, KEYS["ES256"]))
    publish(service, NEWER)
    clock.advance(LIFETIME - 1)
    tokens.verify(sign(service, KEYS["ES256"]))
    clock.advance(1)
    with pytest.raises(TokenRefused, match="no key"):
        tokens.verify(sign(service, KEYS["ES256"]))


@pytest.mark.parametrize(("body", "status"), [(b"", 503), (b"{}", 200), (b'{"keys": []}', 200), (b"<html>", 200)])
def test_known_keys_outlive_an_outage_for_a_day(
    tokens: PlatformTokens, service: TokenService, clock: FrozenClock, body: bytes, status: int
) -> None:
    """Whatever the service answers instead of keys, those that are known count for 24 hours, and then no more."""
    tokens.verify(sign(service, KEYS["ES256"]))
    service.body, service.status = body, status
    clock.advance(LIFETIME)
    tokens.verify(sign(service, KEYS["ES256"]))
    tokens.verify(sign(service, KEYS["ES256"]))
    assert len(service.asked) == 2, "one failed fetch, and no second one so soon"
    clock.advance(STALE_LIMIT)
    with pytest.raises(ServiceUnavailable, match="no keys"):
        tokens.verify(sign(service, KEYS["ES256"], exp=int(clock.now()) + 60))


def test_a_service_that_signs_symmetrically_is_told_apart(tokens: PlatformTokens, service: TokenService) -> None:
    """An empty key set says what is wrong with the set-up, and calls no user's token bad."""
    publish(service)
    with pytest.raises(ServiceUnavailable, match="no ES256 or EdDSA key is published"):
        tokens.verify(sign(service, KEYS["ES256"]))
