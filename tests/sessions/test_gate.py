"""Whom a request comes from: every credential, alone and together with others."""

import asyncio
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doorward.base.clock import FrozenClock
from doorward.base.errors import DoorwardError, ErrorRow
from doorward.base.refusals import STORE_UNAVAILABLE
from doorward.base.refusals_easyauth import INVALID_BEARER
from doorward.identity.admission import Anonymous, Bad, Recognised, Via
from doorward.sessions.bearers import PlatformBearers, PlatformOwner
from doorward.sessions.gate import Bearers, Gate
from doorward.sessions.session import Caller
from tests.support.sessions import NOW, OTHER_SITE, SITE, TRUST, Replica, cookie_of, person, visit

PLATFORM = "0a" * 32
JWT = "head.body.tail"
Header = tuple[str, str]


def bearer(text: str) -> Header:
    """Give the header that carries a bearer."""
    return "Authorization", f"Bearer {text}"


def zumo(text: str) -> Header:
    """Give the header that carries a session token."""
    return "X-ZUMO-AUTH", text


def row_of(caller: Caller) -> ErrorRow:
    """Give why a caller is refused."""
    assert isinstance(caller.credential, Bad)
    return caller.credential.row


def via(caller: Caller | None) -> tuple[Via, str]:
    """Give how somebody was recognised, and who it is."""
    assert caller is not None
    assert isinstance(caller.credential, Recognised)
    return caller.credential.via, caller.credential.principal.name


@dataclass
class Tokens:
    """The token service of a test: which platform tokens live, and how often it was asked."""

    owners: dict[str, PlatformOwner] = field(default_factory=dict[str, PlatformOwner])
    asked: int = 0
    is_away: bool = False

    async def look_up(self, token: str) -> PlatformOwner | None:
        """Give the owner of a platform token."""
        self.asked += 1
        if self.is_away:
            raise DoorwardError(STORE_UNAVAILABLE)
        return self.owners.get(token)


def owner(name: str | None = "Jane", lasts: float = 100) -> PlatformOwner:
    """Give jane, whose platform token lasts for so many seconds."""
    return PlatformOwner(
        user_id=7, email="jane@contoso.com", name=name, role="user", organization_id=1, expires_at=NOW + lasts
    )


@pytest.fixture
def platform(one: Replica) -> Tokens:
    """Give a token service with one living token, and let the gate take platform tokens and provider JWTs."""
    tokens = Tokens({PLATFORM: owner()})

    async def check(token: str) -> Caller:
        if token != JWT:
            raise DoorwardError(INVALID_BEARER)
        principal, me = one.presenter(person("app"), refreshed=False)
        return Caller(credential=Recognised(via=Via.BEARER, principal=principal), me=me, until=NOW + 60)

    checks = PlatformBearers(tokens.look_up, one.presenter, one.clock, one.desk.notices, grace=10.0)
    one.bearers = Bearers(provider=check, platform=checks.check)
    return tokens


async def both(replica: Replica, *headers: Header) -> Caller:
    """Recognise a request twice: by asking, and then from memory, which must say the same."""
    request = visit(*headers)
    asked = await replica.gate.recognise(request)
    known = replica.gate.recognise_now(request)
    if known is not None:
        assert type(known.credential) is type(asked.credential)
    elif not isinstance(asked.credential, Bad):
        assert isinstance(asked.credential, Anonymous)
    key = replica.gate.key(request)
    again = replica.gate.recognise_again(key, replica.gate.site(request)) if key else None
    assert again is None or (isinstance(asked.credential, Recognised) and again == asked.credential.allow)
    return asked


async def test_a_cookie_is_recognised_without_waiting(one: Replica) -> None:
    """A cookie that this process knows is recognised from memory, and gives the very same caller each time."""
    cookie, session = await one.desk.start(person(), NOW)
    caller = one.gate.recognise_now(visit(cookie_of(cookie)))
    assert via(caller) == (Via.COOKIE, "jane@contoso.com")
    assert caller is one.gate.recognise_now(visit(cookie_of(cookie)))
    assert caller is not None
    assert caller.session is session


async def test_somebody_known_passes_again(one: Replica, platform: Tokens, clock: FrozenClock) -> None:
    """By the key of its credential a caller passes while memory has it and may be believed, and then no more."""
    cookie, session = await one.desk.start(person(), NOW, with_token=True)
    gate = one.gate
    for header in (cookie_of(cookie), zumo(one.tokens.write(session, SITE, NOW)), bearer(PLATFORM)):
        asked = visit(("Authorization", "Basic eDp5"), header) if header[0] == "Cookie" else visit(header)
        key = gate.key(asked)
        caller = await gate.recognise(asked)
        assert key
        assert isinstance(caller.credential, Recognised)
        assert gate.recognise_again(key, None) is caller.credential.allow
        one.desk.memory.forget(key)
        assert gate.recognise_again(key, None) is None
        await gate.recognise(asked)
        assert gate.recognise_again(key, "https://elsewhere.example") is not None
        clock.advance(1)  # the notices are old, and so is a platform token
        assert gate.recognise_again(key, None) is None
        await one.desk.notices.take()
    assert gate.key(visit(zumo("a"), cookie_of(cookie))) is None
    assert gate.key(visit(zumo("a"), zumo("b"))) is None
    assert gate.key(visit(("Cookie", "theme=dark"))) == b""


async def test_a_sign_out_ends_what_passes_again(one: Replica, two: Replica) -> None:
    """After a sign-out nothing passes by memory: here at once, elsewhere as soon as it is told."""
    cookie, session = await one.desk.start(person(), NOW)
    asked = visit(cookie_of(cookie))
    key = one.gate.key(asked) or b""
    for replica in (one, two):
        await replica.gate.recognise(asked)
        assert replica.gate.recognise_again(key, None) is not None
    await one.desk.end(session.id, NOW)
    assert one.gate.recognise_again(key, None) is None
    await two.desk.notices.take()
    assert two.gate.recognise_again(key, None) is None


async def test_a_session_passes_again_at_its_own_site(one: Replica) -> None:
    """What a session was begun for holds from memory as well."""
    cookie, _ = await one.desk.start(person(), NOW, site=OTHER_SITE)
    gate = Gate(one.desk, one.tokens, one.presenter, one.clock, None, TRUST.site)
    for host, passes in (("www.example.com", True), ("app.example.com", False)):
        asked = visit(("Host", host), cookie_of(cookie))
        key = gate.key(asked) or b""
        assert (gate.recognise_again(key, gate.site(asked)) is not None) is passes


async def test_without_credentials_nobody_comes(one: Replica) -> None:
    """A request without any credential is nobody's, and that needs no database."""
    await one.store.close()
    for headers in ([], [("Cookie", "theme=dark")], [("Authorization", "Basic eDp5")]):
        caller = one.gate.recognise_now(visit(*headers))
        assert caller is not None
        assert isinstance(caller.credential, Anonymous)


@pytest.mark.parametrize("value", ["", "x", "A" * 43, "A" * 44, "A" * 5000, "ž" * 43, "deleted", "A" * 43 + ".1"])
async def test_a_cookie_that_says_nothing_is_nobodys(one: Replica, value: str) -> None:
    """A cookie that is not ours, any more or ever, is as good as none."""
    header = ("Cookie", f"AppServiceAuthSession={value.encode().decode('latin-1')}")
    assert isinstance((await both(one, header)).credential, Anonymous)


async def test_a_session_token_is_recognised(one: Replica, two: Replica) -> None:
    """A session token gives its session on every replica, with claims of its own, and beats the cookie."""
    _, session = await one.desk.start(person(), NOW, with_token=True)
    other, _ = await one.desk.start(person("john"), NOW)
    token = one.tokens.write(session, SITE, NOW)
    for replica in (one, two):
        caller = await both(replica, zumo(token), cookie_of(other))
        assert via(caller) == (Via.SESSION_TOKEN, "jane@contoso.com")
        assert caller.session is not None
        assert caller.session.id == session.id
        assert caller.me == session.me
        assert via(replica.gate.recognise_now(visit(zumo(token)))) == (Via.SESSION_TOKEN, "jane@contoso.com")
    assert isinstance(caller.credential, Recognised)
    assert "jti" not in [claim.typ for claim in caller.credential.principal.claims]


async def test_a_session_counts_at_its_own_site(one: Replica, two: Replica) -> None:
    """A session that was begun at one host of the site is nobody's at another, whichever credential says so."""
    cookie, session = await one.desk.start(person(), NOW, with_token=True, site=OTHER_SITE)
    credentials = (cookie_of(cookie), zumo(one.tokens.write(session, OTHER_SITE, NOW)))
    here, there = ("Host", "www.example.com"), ("Host", "app.example.com")
    for replica in (one, two):
        gate = Gate(replica.desk, replica.tokens, replica.presenter, replica.clock, None, TRUST.site)
        for credential in credentials:
            for _ in range(2):
                for asked in (
                    await gate.recognise(visit(here, credential)),
                    gate.recognise_now(visit(here, credential)),
                ):
                    assert via(asked)[1] == "jane@contoso.com"
            for host in (there, ("Host", "nobody.example")):
                for asked in (
                    await gate.recognise(visit(host, credential)),
                    await gate.recognise_late(visit(host, credential)),
                    gate.recognise_now(visit(host, credential)),
                ):
                    assert asked is not None
                    assert isinstance(asked.credential, Anonymous if credential[0] == "Cookie" else Bad)


async def test_a_session_token_dies_with_its_session(one: Replica, two: Replica) -> None:
    """After a sign-out every token of the session is refused, here at once and elsewhere within a second."""
    _, session = await one.desk.start(person(), NOW, with_token=True)
    token = one.tokens.write(session, SITE, NOW)
    assert via(await both(two, zumo(token)))[1] == "jane@contoso.com"
    await one.desk.end(session.id, NOW)
    assert row_of(await both(one, zumo(token))).code == "invalid_session_token"
    await two.desk.notices.take()
    assert two.gate.recognise_now(visit(zumo(token))) is None
    assert row_of(await both(two, zumo(token))).code == "invalid_session_token"


async def test_a_session_token_expires(one: Replica, clock: FrozenClock) -> None:
    """An expired session token is refused, from memory as well; for a refresh it counts 72 hours longer."""
    _, session = await one.desk.start(person(expires_on=int(NOW + 60) * 10**7), NOW, with_token=True)
    headers = zumo(one.tokens.write(session, SITE, NOW))
    assert via(await both(one, headers))[1] == "jane@contoso.com"
    clock.advance(60)
    assert row_of(await both(one, headers)).code == "invalid_session_token"
    late = await one.gate.recognise_late(visit(headers))
    assert late.session is not None
    clock.advance(72 * 3600)
    assert row_of(await one.gate.recognise_late(visit(headers))).code == "invalid_session_token"


async def test_a_bad_token_is_refused_beside_a_good_cookie(one: Replica, platform: Tokens) -> None:
    """A token that is present and bad is refused whatever else is there; there is no falling back."""
    cookie, session = await one.desk.start(person(), NOW, with_token=True)
    token = one.tokens.write(session, SITE, NOW)
    for bad in ("", "x", cookie, PLATFORM, token[:-2]):
        assert row_of(await both(one, zumo(bad), cookie_of(cookie))).status == 401
    for bad in ("", "x", "a.b.c", "a.b.c.d", cookie, token, "0b" * 32, PLATFORM.upper(), "ž"):
        assert row_of(await both(one, bearer(bad.encode().decode("latin-1")), cookie_of(cookie))) is INVALID_BEARER
    assert platform.asked == 2


async def test_both_tokens_must_be_good(one: Replica, platform: Tokens) -> None:
    """With a session token and a bearer both must be good, and the session token speaks."""
    _, session = await one.desk.start(person(), NOW, with_token=True)
    token = one.tokens.write(session, SITE, NOW)
    for good in (JWT, PLATFORM):
        assert via(await both(one, zumo(token), bearer(good))) == (Via.SESSION_TOKEN, "jane@contoso.com")
        assert row_of(await both(one, zumo("x"), bearer(good))).code == "invalid_session_token"
    assert row_of(await both(one, zumo(token), bearer("a.b.c"))) is INVALID_BEARER


@pytest.mark.usefixtures("platform")
async def test_bearers_are_told_apart_by_their_form(one: Replica) -> None:
    """A JWT goes to the providers, 64 digits to the token service; the scheme is read in any case."""
    assert via(await both(one, bearer(JWT))) == (Via.BEARER, "app@contoso.com")
    assert via(await both(one, ("Authorization", f" bEARER   {PLATFORM} "))) == (Via.PLATFORM_TOKEN, "jane@contoso.com")
    known = one.gate.recognise_now(visit(bearer(PLATFORM)))
    assert known is not None
    assert known.me == (
        b'[{"provider_name":"doorward","user_claims":['
        b'{"typ":"http://schemas.xmlsoap.org/ws/2005/05/identity/claims/nameidentifier","val":"7"},'
        b'{"typ":"http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress","val":"jane@contoso.com"},'
        b'{"typ":"http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name","val":"Jane"},'
        b'{"typ":"http://schemas.microsoft.com/ws/2008/06/identity/claims/role","val":"user"},'
        b'{"typ":"organization_id","val":"1"}],"user_id":"jane@contoso.com"}]'
    )


@pytest.mark.usefixtures("platform")
@pytest.mark.parametrize("headers", [
    (bearer(JWT), bearer(JWT)), (bearer(JWT), ("Authorization", "Basic eDp5")), (zumo("a"), zumo("a")),
])  # fmt: skip
async def test_two_headers_of_one_kind_are_malformed(one: Replica, headers: tuple[Header, ...]) -> None:
    """Two Authorization headers, or two session tokens, are 400: two readers could believe different ones."""
    assert row_of(await both(one, *headers)).status == 400
    known = one.gate.recognise_now(visit(*headers))
    assert known is not None
    assert row_of(known).status == 400


async def test_where_no_bearer_is_taken_authorization_is_the_applications_own(one: Replica) -> None:
    """Without a provider that takes bearers and without the token service nobody looks at Authorization."""
    cookie, _ = await one.desk.start(person(), NOW)
    headers = (bearer(JWT), bearer(PLATFORM), cookie_of(cookie))
    assert via(await both(one, *headers)) == (Via.COOKIE, "jane@contoso.com")


async def test_a_form_that_nobody_takes_is_refused(one: Replica, platform: Tokens) -> None:
    """With the token service off a platform token is refused, and with no provider that takes bearers a JWT is."""
    everything = one.bearers
    one.bearers = Bearers(provider=everything.provider)
    assert row_of(await both(one, bearer(PLATFORM))) is INVALID_BEARER
    one.bearers = Bearers(platform=everything.platform)
    assert row_of(await both(one, bearer(JWT))) is INVALID_BEARER
    assert platform.asked == 0


@pytest.mark.parametrize("gap", ["\t", "  ", " \t ", "\x0b", "\x0c"])
async def test_a_bearer_may_stand_behind_any_white_space(one: Replica, platform: Tokens, gap: str) -> None:
    """What an application may take for a bearer is looked at as one, whatever stands behind the scheme."""
    assert row_of(await both(one, ("Authorization", f"bearer{gap}a.b.c"))) is INVALID_BEARER
    assert via(await both(one, ("Authorization", f"Bearer{gap}{PLATFORM}")))[1] == "jane@contoso.com"
    assert isinstance((await both(one, ("Authorization", f"Bearers{gap}a.b.c"))).credential, Anonymous)
    assert platform.asked == 1


async def test_foreign_bearers_may_pass(one: Replica, platform: Tokens) -> None:
    """With the setting, a bearer of neither form is handed on without identity; all others are judged as ever."""
    cookie, session = await one.desk.start(person(), NOW, with_token=True)
    one.bearers = Bearers(provider=one.bearers.provider, platform=one.bearers.platform, passes_foreign=True)
    for foreign in ("opaque", "a.b", "a.b.c.d", "", "0a" * 31):
        for headers in ((bearer(foreign),), (bearer(foreign), cookie_of(cookie))):
            assert (await both(one, *headers)).credential == Anonymous(brings_foreign=True)
            known = one.gate.recognise_now(visit(*headers))
            assert known is not None
            assert known.credential == Anonymous(brings_foreign=True)
        token = one.tokens.write(session, SITE, NOW)
        assert via(await both(one, bearer(foreign), zumo(token))) == (Via.SESSION_TOKEN, "jane@contoso.com")
        assert row_of(await both(one, bearer(foreign), zumo("x"))).status == 401
    for ours in ("a.b.c", "..", "0b" * 32, "0B" * 32):
        assert row_of(await both(one, bearer(ours))) is INVALID_BEARER
    assert platform.asked == 2


async def test_a_platform_token_is_asked_about_again(one: Replica, platform: Tokens, clock: FrozenClock) -> None:
    """A platform token is known for less than a second; then a revocation counts."""
    assert via(await both(one, bearer(PLATFORM)))[1] == "jane@contoso.com"
    assert via(await both(one, bearer(PLATFORM)))[1] == "jane@contoso.com"
    assert platform.asked == 1
    platform.owners.clear()
    clock.advance(0.8)
    assert one.gate.recognise_now(visit(bearer(PLATFORM))) is None
    assert row_of(await both(one, bearer(PLATFORM))) is INVALID_BEARER


async def test_a_platform_token_outlives_the_store_by_the_grace(
    one: Replica, platform: Tokens, clock: FrozenClock
) -> None:
    """While the database is away a known platform token lives for the grace, and an unknown one is refused."""
    assert via(await both(one, bearer(PLATFORM)))[1] == "jane@contoso.com"
    platform.is_away = True
    with pytest.raises(DoorwardError, match="store_unavailable"):
        await one.gate.recognise(visit(bearer("0b" * 32)))
    clock.advance(9.9)
    assert via(await one.gate.recognise(visit(bearer(PLATFORM))))[1] == "jane@contoso.com"
    clock.advance(0.1)
    with pytest.raises(DoorwardError, match="store_unavailable"):
        await one.gate.recognise(visit(bearer(PLATFORM)))


async def test_a_platform_token_that_ends_in_an_outage_ends(one: Replica, platform: Tokens, clock: FrozenClock) -> None:
    """The grace prolongs no token beyond its own expiry."""
    platform.owners[PLATFORM] = owner(name=None, lasts=5)
    assert via(await both(one, bearer(PLATFORM)))[1] == "jane@contoso.com"
    platform.is_away = True
    clock.advance(5)
    with pytest.raises(DoorwardError, match="store_unavailable"):
        await one.gate.recognise(visit(bearer(PLATFORM)))


async def test_the_grace_covers_session_tokens(one: Replica, clock: FrozenClock) -> None:
    """With the database away a known session token lives for the grace; an unknown one is refused at once."""
    _, session = await one.desk.start(person(), NOW, with_token=True)
    known, unknown = (one.tokens.write(session, SITE, NOW + second) for second in (0, 1))
    assert via(await both(one, zumo(known)))[1] == "jane@contoso.com"
    await one.store.close()
    with pytest.raises(DoorwardError, match="store_unavailable"):
        await one.desk.notices.take()
    assert via(await both(one, zumo(known)))[1] == "jane@contoso.com"
    with pytest.raises(DoorwardError, match="store_unavailable"):
        await one.gate.recognise(visit(zumo(unknown)))
    clock.advance(10)
    assert one.gate.recognise_now(visit(zumo(known))) is None
    with pytest.raises(DoorwardError, match="store_unavailable"):
        await one.gate.recognise(visit(zumo(known)))


async def test_a_new_token_tells_of_a_refresh_elsewhere(one: Replica, two: Replica) -> None:
    """The first request with a new session token reads the session anew, before any change was noticed."""
    _, session = await one.desk.start(person(), NOW, with_token=True)
    old = one.tokens.write(session, SITE, NOW)
    assert via(await both(two, zumo(old)))[1] == "jane@contoso.com"
    renewed = await one.desk.renew(session, person(access_token="second-token"), NOW)
    assert renewed is not None
    new = one.tokens.write(renewed, SITE, NOW + 1)
    caller = await both(two, zumo(new))
    assert caller.me == renewed.me
    assert b"second-token" in caller.me


async def test_two_hundred_people_are_told_apart(one: Replica, two: Replica) -> None:
    """Two hundred people who come at one moment, by cookie and by token, are each taken for themselves."""
    began = await asyncio.gather(*(one.desk.start(person(f"p{n}"), NOW, with_token=True) for n in range(200)))
    headers = [
        cookie_of(cookie) if number % 2 else zumo(one.tokens.write(session, SITE, NOW))
        for number, (cookie, session) in enumerate(began)
    ]
    callers = await asyncio.gather(*(two.gate.recognise(visit(header)) for header in headers))
    assert [via(caller)[1] for caller in callers] == [f"p{n}@contoso.com" for n in range(200)]


_GATES = list[Replica]()
_TEXTS = st.sampled_from(
    [b"AppServiceAuthSession=", b"AppServiceAuthSession1=", b"; ", b"A" * 43, b".1", b"Bearer ", b"."]
)


@pytest.fixture
def only(one: Replica) -> Replica:
    """Give the replica to a test that Hypothesis runs many times; it takes bearers, of which none is good."""
    tokens = Tokens()
    checks = PlatformBearers(tokens.look_up, one.presenter, one.clock, one.desk.notices, grace=10.0)

    async def refuse(_token: str) -> Caller:
        raise DoorwardError(INVALID_BEARER)

    one.bearers = Bearers(provider=refuse, platform=checks.check)
    _GATES[:] = [one]
    return one


@pytest.mark.usefixtures("only")
@given(st.lists(st.tuples(
    st.sampled_from(["Cookie", "Authorization", "X-ZUMO-AUTH", "Accept"]),
    st.lists(st.one_of(st.binary(max_size=60), _TEXTS), max_size=6),
), max_size=4))  # fmt: skip
def test_no_header_lets_anybody_in(headers: list[tuple[str, list[bytes]]]) -> None:
    """Whatever a stranger sends, memory knows nobody and nothing breaks."""
    (one,) = _GATES
    caller = one.gate.recognise_now(visit(*((name, b"".join(pieces).decode("latin-1")) for name, pieces in headers)))
    assert caller is None or isinstance(caller.credential, Anonymous | Bad)


async def test_a_spoiled_cookie_is_nobodys(one: Replica, two: Replica) -> None:
    """No cookie with one character changed, dropped or added is somebody's, in memory or in the database."""
    cookie, _ = await one.desk.start(person(), NOW)
    for at in range(len(cookie)):
        begin, end = cookie[:at], cookie[at:]
        for spoiled in (begin + ("B" if end[0] != "B" else "C") + end[1:], begin + end[1:], begin + "A" + end):
            if spoiled != cookie:
                for replica in (one, two):
                    assert isinstance((await both(replica, cookie_of(spoiled))).credential, Anonymous)
    chunks = f"AppServiceAuthSession={cookie[:20]}; AppServiceAuthSession1={cookie[20:]}"
    assert via(await both(two, ("Cookie", chunks)))[0] is Via.COOKIE
    many = "; ".join(f"AppServiceAuthSession{number or ''}=A" for number in range(300))
    for planted in (
        many,
        f"AppServiceAuthSession={cookie}; AppServiceAuthSession=x",
        f"AppServiceAuthSession1={cookie}",
    ):
        assert isinstance((await both(two, ("Cookie", planted))).credential, Anonymous)


# --- the whole Cookie header -------------------------------------------------------------------------------------


async def test_a_header_that_is_known_is_not_read_again(one: Replica, clock: FrozenClock) -> None:
    """It counts for exactly as long as the session in it: not past its expiry, nor once the memory is out of date."""
    cookie, session = await one.desk.start(person(), NOW)
    asked = visit(cookie_of(cookie))
    await one.gate.recognise(asked)
    for _ in range(2):
        assert via(one.gate.recognise_now(asked)) == (Via.COOKIE, "jane@contoso.com")
    assert one.desk.known_by_line(b"theme=dark; AppServiceAuthSession=" + cookie.encode())
    clock.advance(1.0)
    assert one.gate.recognise_now(asked) is None
    await one.desk.notices.take()
    assert via(one.gate.recognise_now(asked))[0] is Via.COOKIE
    clock.advance(session.expires_at - clock.now() - 0.5)
    await one.desk.notices.take()
    assert via(one.gate.recognise_now(asked))[0] is Via.COOKIE
    clock.advance(0.5)
    assert one.gate.recognise_now(asked) is None
    assert (await one.gate.recognise(asked)).credential == Anonymous()


async def test_a_header_that_is_known_dies_with_its_session(one: Replica, two: Replica, clock: FrozenClock) -> None:
    """Ended here it is nothing at once, ended elsewhere with the next notice; refreshed it shows the new tokens."""
    cookie, session = await one.desk.start(person(), NOW)
    asked = visit(cookie_of(cookie))
    await two.gate.recognise(asked)
    for gate in (one.gate, two.gate):
        for _ in range(2):
            await gate.recognise(asked)
            assert gate.recognise_now(asked)
    renewed = await one.desk.renew(session, person(access_token="new"), NOW)
    assert renewed
    assert one.gate.recognise_now(asked) is None
    assert (await one.gate.recognise(asked)).me == renewed.me
    assert one.gate.recognise_now(asked) is not None
    await one.desk.end(session.id, NOW)
    assert one.gate.recognise_now(asked) is None
    clock.advance(0.5)
    await two.desk.notices.take()
    assert two.gate.recognise_now(asked) is None
    assert (await two.gate.recognise(asked)).credential == Anonymous()


@pytest.mark.parametrize(
    "beside",
    [
        ("X-ZUMO-AUTH", "nonsense"),
        ("Authorization", f"Bearer {JWT}"),
        ("Cookie", "AppServiceAuthSession=planted"),
        ("Cookie", "AppServiceAuthSession1=planted"),
    ],
)
async def test_a_known_header_says_nothing_beside_another_credential(one: Replica, beside: Header) -> None:
    """With a token or a second Cookie header all is read, in either order, and the cookie alone lets nobody in."""

    async def refuses(_: str) -> Caller:
        raise DoorwardError(INVALID_BEARER)

    one.bearers = Bearers(provider=refuses)
    cookie, _ = await one.desk.start(person(), NOW)
    for _ in range(2):
        await one.gate.recognise(visit(cookie_of(cookie)))
        assert one.gate.recognise_now(visit(cookie_of(cookie)))
    for headers in ((cookie_of(cookie), beside), (beside, cookie_of(cookie))):
        now = one.gate.recognise_now(visit(*headers))
        assert now is None or not isinstance(now.credential, Recognised)
        assert not isinstance((await one.gate.recognise(visit(*headers))).credential, Recognised)
