import asyncio
import base64
import gc
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from doorward.base.clock import FrozenClock
from doorward.client import PlatformTokens, PlatformUser, ServiceUnavailable, TokenRefused
from tests.support.canaries import canary
from tests.support.token_services import NOW, TOKEN, TokenService, active, token_service

SECRET = canary("introspecting client")
OTHER = "f" * 64


@pytest.fixture
def service() -> Iterator[TokenService]:
    """Give a service that finds every token good."""
    with token_service() as running:
        running.say(active())
        yield running


@pytest.fixture
def clock() -> FrozenClock:
    """Give a clock that stands still."""
    return FrozenClock(NOW)


@pytest.fixture
def tokens(service: TokenService, clock: FrozenClock) -> PlatformTokens:
    """Give what asks the service, with the usual cache of five seconds."""
    return PlatformTokens(service.url, "app", SECRET, clock=clock)


def tokens_of(service: TokenService, clock: FrozenClock, **options: float) -> PlatformTokens:
    """Give what asks the service with another cache."""
    return PlatformTokens(
        service.url,
        "app",
        SECRET,
        clock=clock,
        cache_seconds=options.get("cache_seconds", 5.0),
        cache_size=int(options.get("cache_size", 10)),
        timeout=options.get("timeout", 5.0),
    )


def test_an_active_token_gives_its_user(tokens: PlatformTokens, service: TokenService) -> None:
    """What the service says of a token becomes the user, in the app's own words."""
    assert tokens.verify(TOKEN) == PlatformUser(
        id=7,
        email="jane@contoso.com",
        client_id="d0025a2d-0000-4000-8000-00000000de00",
        kind="platform",
        issued_at=int(NOW) - 60,
        expires_at=int(NOW) + 3600,
    )
    assert service.asked[0]["path"] == "/auth-service/oauth2/introspect"


def test_the_client_authenticates_by_basic(service: TokenService, clock: FrozenClock) -> None:
    """Id and secret are form-encoded before they are joined (RFC 6749 section 2.3.1)."""
    PlatformTokens(service.url, "a:b", "c d%", clock=clock).verify(TOKEN)
    assert base64.b64decode(service.asked[0]["authorization"].removeprefix("Basic ")) == b"a%3Ab:c+d%25"


def test_an_answer_is_remembered_for_five_seconds(
    tokens: PlatformTokens, service: TokenService, clock: FrozenClock
) -> None:
    """A revocation is noticed after five seconds at the latest, and until then nobody is asked."""
    tokens.verify(TOKEN)
    service.say({"active": False})
    clock.advance(4.9)
    tokens.verify(TOKEN)
    assert len(service.asked) == 1
    clock.advance(0.2)
    with pytest.raises(TokenRefused):
        tokens.verify(TOKEN)


def test_no_answer_outlives_the_token(service: TokenService, clock: FrozenClock) -> None:
    """However long answers are remembered, a token is refused from the second of its expiry on."""
    service.say(active(exp=int(NOW) + 3))
    tokens = tokens_of(service, clock, cache_seconds=3600)
    clock.advance(2.9)
    tokens.verify(TOKEN)
    clock.advance(0.1)
    with pytest.raises(TokenRefused, match="expired"):
        tokens.verify(TOKEN)


def test_a_token_whose_time_is_over_is_refused_whatever_the_service_says(
    tokens: PlatformTokens, service: TokenService
) -> None:
    """`exp` is held to this machine's clock, too."""
    service.say(active(exp=int(NOW)))
    with pytest.raises(TokenRefused, match="expired"):
        tokens.verify(TOKEN)


def test_a_bad_token_is_remembered_for_one_second(
    tokens: PlatformTokens, service: TokenService, clock: FrozenClock
) -> None:
    """Who repeats a bad token does not reach the service each time, and a user enabled again waits for a second."""
    service.say({"active": False})
    for _ in range(3):
        with pytest.raises(TokenRefused):
            tokens.verify(TOKEN)
    assert len(service.asked) == 1
    service.say(active())
    clock.advance(1)
    tokens.verify(TOKEN)


def test_without_cache_every_request_asks(service: TokenService, clock: FrozenClock) -> None:
    """`cache_seconds=0` remembers nothing, good or bad."""
    tokens = tokens_of(service, clock, cache_seconds=0)
    tokens.verify(TOKEN)
    tokens.verify(TOKEN)
    assert len(service.asked) == 2


def test_the_cache_is_bounded(service: TokenService, clock: FrozenClock) -> None:
    """The oldest answer makes room for the newest."""
    tokens = tokens_of(service, clock, cache_size=2)
    for digit in "0120":
        tokens.verify(digit * 64)
    assert [token[0] for token in service.tokens] == ["0", "1", "2", "0"]


def test_invented_tokens_push_no_user_out(service: TokenService, clock: FrozenClock) -> None:
    """Bad answers have a room of their own, so a flood of them costs the users nothing."""
    tokens = tokens_of(service, clock, cache_size=2)
    tokens.verify(TOKEN)
    service.say({"active": False})
    for digit in "012345":
        with pytest.raises(TokenRefused):
            tokens.verify(digit * 64)
    tokens.verify(TOKEN)
    assert service.tokens.count(TOKEN) == 1


def test_no_token_is_kept(tokens: PlatformTokens) -> None:
    """Whoever reads this process's memory of answers finds digests, neither a token nor the client's secret."""
    tokens.verify(TOKEN)
    gc.collect()
    keyed: list[dict[object, object]] = [found for found in gc.get_objects() if isinstance(found, dict)]
    assert not [found for found in keyed if TOKEN in found or TOKEN.encode() in found]
    assert SECRET not in repr(vars(tokens))


def test_threads_share_one_call(tokens: PlatformTokens, service: TokenService) -> None:
    """A burst of requests with one token, in as many threads, asks once."""
    service.gate.clear()
    with ThreadPoolExecutor(16) as pool:
        users = [pool.submit(tokens.verify, TOKEN) for _ in range(16)]
        assert service.arrived.wait(10)
        service.gate.set()
        assert len({user.result().id for user in users}) == 1
    assert len(service.asked) == 1


async def test_tasks_share_one_call(tokens: PlatformTokens, service: TokenService) -> None:
    """A burst of requests with one token in an event loop asks once, and one that is cancelled ends no other."""
    service.gate.clear()
    tasks = [asyncio.create_task(tokens.verify_async(TOKEN)) for _ in range(200)]
    await asyncio.to_thread(service.arrived.wait, 10)
    tasks[0].cancel()
    service.gate.set()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(outcomes[0], asyncio.CancelledError)
    assert all(isinstance(outcome, PlatformUser) for outcome in outcomes[1:])
    assert len(service.asked) == 1


def test_different_tokens_do_not_share(tokens: PlatformTokens, service: TokenService) -> None:
    """One user's answer is never given for another's token."""
    tokens.verify(TOKEN)
    service.say(active(sub="8"))
    assert tokens.verify(OTHER).id == 8


def test_a_user_is_told_apart_from_trouble(tokens: PlatformTokens, service: TokenService, clock: FrozenClock) -> None:
    """A service in trouble refuses everybody and is asked again at once; what was remembered still counts."""
    tokens.verify(TOKEN)
    service.say({"error": "temporarily_unavailable"}, 503)
    tokens.verify(TOKEN)
    with pytest.raises(ServiceUnavailable, match="answers 503"):
        tokens.verify(OTHER)
    service.say(active())
    tokens.verify(OTHER)


@pytest.mark.parametrize(
    "members",
    [
        {},
        [],
        "active",
        {"active": "true"},
        {"active": 1},
        active(sub=7),
        active(sub="x"),
        active(sub="-7"),
        active(exp=...),
        active(exp="never"),
        active(exp=True),
        active(exp=None),
        active(client_id=...),
        active(username=["jane"]),
    ],
)
def test_an_answer_of_another_shape_is_no_yes(tokens: PlatformTokens, service: TokenService, members: object) -> None:
    """Whatever is not the answer of RFC 7662 is trouble, never a user."""
    service.say(members)
    with pytest.raises(ServiceUnavailable):
        tokens.verify(TOKEN)


@pytest.mark.parametrize("audience", ["auth-service", "elsewhere", "", ["platform"], ...])
def test_a_token_for_another_audience_is_refused(
    tokens: PlatformTokens, service: TokenService, audience: object
) -> None:
    """The service decides what kind a token is, and only the kind that the app accepts counts."""
    service.say(active(aud=audience))
    with pytest.raises((TokenRefused, ServiceUnavailable)):
        tokens.verify(TOKEN)


def test_an_issuer_that_was_named_is_held_to(service: TokenService, clock: FrozenClock) -> None:
    """With `issuer`, tokens of another service are refused."""
    named = PlatformTokens(service.url, "app", SECRET, issuer="https://auth.example.com/auth-service", clock=clock)
    named.verify(TOKEN)
    service.say(active(iss="https://evil.example/auth-service"))
    with pytest.raises(TokenRefused, match="issuer"):
        named.verify(OTHER)


def test_a_redirect_is_not_followed(tokens: PlatformTokens, service: TokenService) -> None:
    """A token is sent to the address in the settings and nowhere else."""
    with token_service() as elsewhere:
        elsewhere.say(active())
        service.say({}, 307, Location=f"{elsewhere.url}/auth-service/oauth2/introspect")
        with pytest.raises(ServiceUnavailable, match="answers 307"):
            tokens.verify(TOKEN)
        assert not elsewhere.asked


def test_wrong_credentials_are_trouble_of_the_app(tokens: PlatformTokens, service: TokenService) -> None:
    """A client that is refused says so, and does not call every user's token bad."""
    service.say({"error": "invalid_client"}, 401)
    with pytest.raises(ServiceUnavailable, match="id and secret"):
        tokens.verify(TOKEN)


def test_an_answer_without_end_is_not_read(tokens: PlatformTokens, service: TokenService) -> None:
    """No answer takes more than 256 KiB of memory."""
    service.say(active(more="x" * 300_000))
    with pytest.raises(ServiceUnavailable):
        tokens.verify(TOKEN)


def test_nobody_waits_longer_than_the_timeout(service: TokenService, clock: FrozenClock) -> None:
    """A service that keeps its callers waiting is as good as away."""
    tokens = tokens_of(service, clock, timeout=0.05)
    service.gate.clear()
    with pytest.raises(ServiceUnavailable):
        tokens.verify(TOKEN)
    with pytest.raises(ServiceUnavailable):
        asyncio.run(tokens.verify_async(OTHER))


def test_connections_are_used_again(service: TokenService, clock: FrozenClock) -> None:
    """Asking again costs no new connection, and one that the service has closed is replaced unnoticed."""
    tokens = tokens_of(service, clock, cache_seconds=0)
    tokens.verify(TOKEN)
    service.hangs_up = True
    tokens.verify(TOKEN)
    assert len(service.connections) == 1
    tokens.verify(TOKEN)
    assert len(service.connections) == 2


def test_many_threads_at_once_all_get_their_own_answer(service: TokenService, clock: FrozenClock) -> None:
    """Calls of different tokens run side by side without mixing."""
    tokens, barrier = tokens_of(service, clock), threading.Barrier(8)

    def ask(digit: int) -> int:
        barrier.wait(10)
        return tokens.verify(str(digit) * 64).id

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, range(8))) == [7] * 8
    assert len(service.asked) == 8
