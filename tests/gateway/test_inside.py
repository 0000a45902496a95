"""The gateway inside an application: which path is judged, which fields the application gets."""

from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doorward.base.clock import SystemClock
from doorward.base.entropy import SeededEntropy
from doorward.gateway.inside import Inside, judged_path
from doorward.gateway.listener import Site
from doorward.identity.admission import Allow, Challenge, Decision, Deny
from doorward.identity.paths import OpenPaths, plain_path
from doorward.identity.visit import Trust, Visit
from doorward.inbound.door import Door, Reply, Seen
from tests.support.gateways import PRINCIPAL, Lets
from tests.support.serving import refuse

TRUST = Trust(entropy=SeededEntropy(), public_url="https://a.example", trusted_proxies=["10.0.0.0/8"])
ALLOW = Allow(principal=PRINCIPAL, rule="test")


class Breaks(Lets):
    """Decides nothing: it has a defect."""

    def decide_now(self, visit: Visit) -> Decision | None:
        """Not know."""
        return None

    async def decide(self, visit: Visit) -> Decision:
        """Fail."""
        raise LookupError("a value that nobody may see")

    async def answer(self, visit: Visit, decision: Challenge | Deny) -> Reply:
        """Never."""
        raise AssertionError


def ignore(_visit: Seen, _route: str, _status: int, _seconds: float) -> None:
    """Observe nothing."""


def inside(porter: Lets) -> Inside:
    """Give the gateway with a hand-made porter."""
    door = Door([], trust=TRUST, clock=SystemClock(), observe=ignore, envelopes={"": refuse})
    site = Site(door=door, own_prefixes=("/.auth",))
    return Inside(site=site, porter=porter, clock=SystemClock(), observe=ignore)


def visit(*fields: tuple[bytes, bytes], path: str = "/", method: str = "GET", peer: str = "192.0.2.1") -> Visit:
    """Give a request with these fields."""
    return TRUST.visit(method=method, path=path, query="", raw_headers=fields, peer=peer, scheme="https")


@pytest.mark.parametrize(
    ("seen", "sent", "judged"),
    [
        (b"/a", b"/a", "/a"),
        (b"/a b", b"/a%20b", "/a%20b"),
        (b"/a", b"/%61", "/%61"),
        (b"/a/b", b"/a%2Fb", "/a%2Fb"),
        (b"/a", b"/a?b=c", "/a"),
        (b"/secret", b"/public", "/secret"),
        (b"/a", None, "/a"),
        (b"/a%2e", None, "/a%252e"),
        (b"/a\\b", None, "/a%5Cb"),
        (b"/a?b#c", None, "/a%3Fb%23c"),
        (b"/a;b//c/../d", None, "/a;b//c/../d"),
        ("/ä".encode(), None, "/%C3%A4"),
        (b"/\xff", b"/%ff", "/%ff"),
        (b"/a\n", None, "/a%0A"),
        (b"", b"", ""),
        (b"/a", b"http://a.example/a", "/a"),
    ],
)
def test_the_path_that_is_judged(seen: bytes, sent: bytes | None, judged: str) -> None:
    """What was sent counts where it is what the application sees; else that is encoded again."""
    assert judged_path(seen, sent) == judged


@given(st.binary(max_size=40), st.one_of(st.none(), st.binary(max_size=40)))
def test_an_open_path_is_the_one_that_is_seen(seen: bytes, sent: bytes | None) -> None:
    """Whatever is sent: where the judged path counts as open, the application sees that very path and no other."""
    judged = judged_path(seen, sent)
    assert unquote_to_bytes(judged.encode("latin-1")) == seen
    plain = plain_path(judged)
    if plain is not None:
        assert plain.encode() == seen
        assert OpenPaths.of(["/*"]).covers(judged)


def test_what_the_application_gets() -> None:
    """Fields stay in order and whole, but for what is only ours to say; ours stand behind them."""
    fields = inside(Lets()).fields(
        visit(
            (b"host", b"a.example"), (b"cookie", b"a=b; AppServiceAuthSession=x"), (b"x-ms-client-principal", b"fake"),
            (b"accept", b"*/*"), (b"x-request-id", b"client"), (b"x_request_id", b"client"), (b"accept", b"text/html"),
            (b"connection", b"keep-alive, x-ms-client-principal"), (b"forwarded", b"for=x"), (b"te", b"trailers"),
        ),
        ALLOW,
    )  # fmt: skip
    assert fields[:-1] == [
        (b"host", b"a.example"), (b"cookie", b"a=b"), (b"accept", b"*/*"), (b"accept", b"text/html"),
        (b"connection", b"keep-alive"), (b"te", b"trailers"),
        (b"x-ms-client-principal-id", b"1"), (b"x-ms-client-principal-name", b"jane"),
    ]  # fmt: skip
    assert fields[-1][0] == b"x-request-id"
    assert b"client" not in fields[-1][1]


def test_what_a_trusted_proxy_says_stays() -> None:
    """The way that a trusted proxy names reaches the application, and the id that it gave the request."""
    said = ((b"x-forwarded-for", b"192.0.2.9"), (b"forwarded", b"for=192.0.2.9"), (b"x-request-id", b"given"))
    fields = inside(Lets()).fields(visit(*said, peer="10.0.0.1"), Allow(principal=None, rule="test"))
    assert fields == list(said)


async def test_a_defect_lets_nobody_in() -> None:
    """Whatever goes wrong while it is decided is 500, and says nothing."""
    gateway = inside(Breaks())
    assert gateway.pass_now(visit()) is None
    reply = await gateway.ask(visit(), _read)
    assert isinstance(reply, Reply)
    assert (reply.status, b"nobody may see" in reply.body) == (500, False)


async def test_our_own_addresses_are_never_the_application_s() -> None:
    """What lies below our prefix is answered by us, whoever asks."""
    gateway = inside(Lets(PRINCIPAL))
    assert gateway.pass_now(visit(path="/.auth/x")) is None
    reply = await gateway.ask(visit(path="/.auth/x"), _read)
    assert isinstance(reply, Reply)
    assert reply.status == 404
    assert gateway.pass_now(visit(path="/.authx")) is not None
    assert gateway.pass_now(visit(method="TRACE")) is None


async def _read(_limit: int) -> bytes:
    return b""


def test_what_is_own_is_told_by_its_path() -> None:
    """A prefix covers what lies below it, and an address of its own covers itself alone."""
    door = Door([], trust=TRUST, clock=SystemClock(), observe=ignore, envelopes={"": refuse})
    site = Site(door=door, own_prefixes=("/.auth",), own_paths=frozenset({"/bye"}))
    asked = ("/.auth", "/.auth/me", "/.authx", "/bye", "/bye/", "/bye/x", "/byebye", "/")
    assert [path for path in asked if site.is_own(path)] == ["/.auth", "/.auth/me", "/bye"]
