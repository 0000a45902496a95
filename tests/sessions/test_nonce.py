"""Nonces: what they look like, whose they are, and that each counts once."""

import asyncio
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doorward.base.clock import FrozenClock
from doorward.sessions.nonce import MOST_PENDING, Outcome, PendingSignIn, expiry_of
from tests.support.sessions import LIFETIME, NOW, Replica

Headers = list[tuple[bytes, bytes]]


class Browser:
    """Keeps cookies as a browser does."""

    def __init__(self) -> None:
        self.jar: dict[str, str] = {}

    def take(self, headers: Headers) -> None:
        """Do as the Set-Cookie headers of an answer say."""
        for name, line in headers:
            assert name == b"set-cookie"
            pair, _, attributes = line.decode().partition(";")
            key, _, value = pair.partition("=")
            if "1970" in attributes:
                self.jar.pop(key, None)
            else:
                self.jar[key] = value

    @property
    def headers(self) -> Headers:
        """Give the headers of the next request."""
        line = "; ".join(f"{name}={value}" for name, value in self.jar.items())
        return [(b"cookie", f"other=1; {line}".encode())] if line else []


def begin(replica: Replica, browser: Browser, provider: str = "aad", **more: str) -> str:
    """Begin a sign-in in a tab of `browser`, and give its nonce."""
    pending = PendingSignIn(nonce=replica.nonces.draw(), provider=provider, **more)  # pyright: ignore[reportArgumentType]
    browser.take(replica.nonces.cookies(pending, browser.headers, https=True))
    return pending.nonce


async def come_back(replica: Replica, browser: Browser, nonce: str, provider: str = "aad") -> Outcome:
    """Come back from `provider` with a nonce."""
    return await replica.nonces.redeem(replica.nonces.find(browser.headers, provider, nonce))


def test_a_nonce_ends_with_its_expiry(one: Replica) -> None:
    """A nonce is 32 hex digits and the time in UTC five minutes from now."""
    nonce = one.nonces.draw()
    assert re.fullmatch(r"[0-9a-f]{32}_20270115080500", nonce)
    assert expiry_of(nonce) == NOW + LIFETIME
    assert one.nonces.draw() != nonce


@pytest.mark.parametrize("text", ["", "0" * 32, "0" * 32 + "_2027011508050", "0" * 32 + "_20279915080500",
                                  "G" * 32 + "_20270115080500", "0" * 32 + "_20270115080500\n"])  # fmt: skip
def test_what_is_no_nonce(text: str) -> None:
    """Everything else is no nonce."""
    with pytest.raises(ValueError):
        expiry_of(text)


async def test_a_nonce_counts_once(one: Replica, two: Replica) -> None:
    """Of two replicas that are asked for one nonce at the same moment one goes on."""
    browser = Browser()
    nonce = begin(one, browser, target="/a?b=c")
    pending = two.nonces.find(browser.headers, "aad", nonce)
    assert pending is not None
    assert (pending.target, pending.expires_at) == ("/a?b=c", NOW + LIFETIME)
    outcomes = await asyncio.gather(*(r.nonces.redeem(pending) for r in (one, two, one, two)))
    assert sorted(outcome.value for outcome in outcomes) == ["fresh", "used", "used", "used"]
    assert await come_back(two, browser, nonce) is Outcome.USED


async def test_an_expired_nonce_never_counts(one: Replica, clock: FrozenClock) -> None:
    """After five minutes a nonce has expired, used or not."""
    browser = Browser()
    nonce = begin(one, browser)
    clock.advance(LIFETIME)
    assert await come_back(one, browser, nonce) is Outcome.EXPIRED


async def test_a_nonce_is_bound_to_browser_and_provider(one: Replica) -> None:
    """Another browser's nonce, one of another provider, and one that nobody gave out are all unknown."""
    mine, theirs = Browser(), Browser()
    nonce, other = begin(one, mine), begin(one, theirs)
    assert await come_back(one, theirs, nonce) is Outcome.UNKNOWN
    assert await come_back(one, Browser(), nonce) is Outcome.UNKNOWN
    assert await come_back(one, mine, nonce, "google") is Outcome.UNKNOWN
    assert await come_back(one, mine, nonce.replace("2027", "2028")) is Outcome.UNKNOWN
    assert await come_back(one, mine, "") is Outcome.UNKNOWN
    assert await come_back(one, mine, nonce) is Outcome.FRESH
    assert await come_back(one, theirs, other) is Outcome.FRESH


async def test_tabs_do_not_break_each_other(one: Replica) -> None:
    """Sign-ins of several tabs come back in any order, also where their cookies were written at the same moment."""
    browser = Browser()
    before = browser.headers
    pendings = [PendingSignIn(nonce=one.nonces.draw(), provider="aad", target=f"/{n}") for n in range(2)]
    for pending in pendings:  # both answers leave before either arrives
        browser.take(one.nonces.cookies(pending, before, https=True))
    third = begin(one, browser)
    for nonce in (third, pendings[0].nonce, pendings[1].nonce):
        found = one.nonces.find(browser.headers, "aad", nonce)
        assert await one.nonces.redeem(found) is Outcome.FRESH
        browser.take(one.nonces.clearing(nonce, browser.headers))
    assert browser.jar == {}


async def test_only_the_newest_are_kept(one: Replica, clock: FrozenClock) -> None:
    """A browser holds eight sign-ins at most; the oldest is cleared first, and the newest is under `Nonce`, too."""
    browser, begun = Browser(), list[str]()
    for number in range(12):
        begun.append(begin(one, browser, target=f"/{number}"))
        clock.advance(1)
        assert len(browser.jar) <= MOST_PENDING + 1
    outcomes = [await come_back(one, browser, nonce) for nonce in begun]
    assert outcomes == [Outcome.UNKNOWN] * 4 + [Outcome.FRESH] * 8
    newest = one.nonces.find_newest(browser.headers, "aad")
    assert newest is not None
    assert newest.nonce == begun[-1]


async def test_at_one_moment_the_newest_are_kept_as_well(one: Replica) -> None:
    """Of sign-ins that were begun in the same second, too, the oldest make room."""
    browser = Browser()
    begun = [begin(one, browser) for _ in range(10)]
    assert [await come_back(one, browser, nonce) for nonce in begun] == [Outcome.UNKNOWN] * 2 + [Outcome.FRESH] * 8
    again = begin(one, browser)
    assert [pending.nonce for pending in one.nonces.held_at(browser.headers, "aad")][:2] == [again, begun[-1]]


def test_a_browser_keeps_a_sign_in_for_as_long_as_it_counts(one: Replica) -> None:
    """Its cookies go by themselves an hour after the nonce has expired, and what shows in no tab has but one."""
    pending = PendingSignIn(nonce=one.nonces.draw(), provider="aad")
    assert [b"; max-age=3900;" in line for _, line in one.nonces.cookies(pending, [], https=True)] == [True, True]
    ((_, line),) = one.nonces.cookies(pending, [], https=True, has_tab=False)
    assert line.startswith(b"Nonce=")


async def test_long_targets_do_not_grow_the_head(one: Replica, clock: FrozenClock) -> None:
    """The cookies of all tabs stay below 8 KiB, and one that a browser would drop goes without its target."""
    browser, begun = Browser(), list[str]()
    for _ in range(8):
        begun.append(begin(one, browser, target="/" + "x" * 2000))
        clock.advance(1)
        assert sum(len(name) + len(value) for name, value in browser.jar.items()) < 9 * 1024
    assert await come_back(one, browser, begun[-1]) is Outcome.FRESH
    begin(one, browser, target="/" + "x" * 8000)
    newest = one.nonces.find_newest(browser.headers, "aad")
    assert newest is not None
    assert newest.target == "/"
    assert len(browser.jar["Nonce"]) < 3600


async def test_a_request_token_finds_its_sign_in(one: Replica) -> None:
    """A sign-in by OAuth 1.0a is found by the request token that it began with, and by no other."""
    browser = Browser()
    first = begin(one, browser, "twitter", oauth_token="request-one")
    begin(one, browser, "twitter", oauth_token="request-two")
    begin(one, browser, "aad")
    found = one.nonces.find_by_oauth_token(browser.headers, "twitter", "request-one")
    assert found is not None
    assert found.nonce == first
    assert one.nonces.find_by_oauth_token(browser.headers, "twitter", "") is None
    assert one.nonces.find_by_oauth_token(browser.headers, "aad", "request-one") is None
    assert one.nonces.find_by_oauth_token(Browser().headers, "twitter", "request-one") is None


async def test_a_planted_cookie_hides_nothing(one: Replica) -> None:
    """Another host of the domain may plant cookies of our names: ours beside them counts all the same."""
    browser = Browser()
    nonce = begin(one, browser)
    planted = [(b"cookie", f"Nonce=AAAA; Nonce.{nonce[:8]}=AAAA".encode()), *browser.headers]
    assert await one.nonces.redeem(one.nonces.find(planted, "aad", nonce)) is Outcome.FRESH


def test_what_the_browser_carries_tells_nothing(one: Replica) -> None:
    """A cookie shows neither nonce nor target, and a changed one is none."""
    browser = Browser()
    nonce = begin(one, browser, target="/secret-place")
    name = f"Nonce.{nonce[:8]}"
    value = browser.jar[name]
    assert browser.jar["Nonce"] == value
    assert nonce[8:] not in value
    changed = value[:60] + ("A" if value[60] != "A" else "B") + value[61:]
    browser.jar = {name: changed}
    assert one.nonces.find(browser.headers, "aad", nonce) is None


_ONES = list[Replica]()
_PIECES = st.sampled_from([b"Nonce=", b"Nonce.0a1b2c3d=", b"; ", b"==", b"A" * 90])


@pytest.fixture
def only(one: Replica) -> Replica:
    """Give the replica to a test that Hypothesis runs many times."""
    _ONES[:] = [one]
    return one


@pytest.mark.usefixtures("only")
@given(st.lists(st.one_of(st.binary(max_size=80), _PIECES)), st.text(max_size=60))
def test_no_cookie_header_breaks_it(pieces: list[bytes], nonce: str) -> None:
    """Whatever a Cookie header holds, it is read without an error and holds no sign-in of ours."""
    headers = [(b"cookie", b"".join(pieces))]
    (one,) = _ONES
    assert one.nonces.find(headers, "aad", nonce) is None
    assert one.nonces.find_newest(headers, "aad") is None
    assert one.nonces.find_by_oauth_token(headers, "twitter", nonce) is None
    assert one.nonces.clearing(nonce, headers)
    pending = PendingSignIn(nonce="0" * 32 + "_20270115080500", provider="aad")
    assert one.nonces.cookies(pending, headers, https=True)
