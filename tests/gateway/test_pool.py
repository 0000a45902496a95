"""Several addresses of an application: who gets the next request, and who is left out."""

import asyncio
from collections import Counter

import pytest

from doorward.gateway.berth import Address
from doorward.gateway.health import look_at
from doorward.gateway.pool import Pool, Unreachable
from tests.support.gateways import Behaviour, application, gateway, read_head, saying
from tests.support.programs import free_port

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@pytest.mark.parametrize(
    ("origin", "address"),
    [
        ("http://127.0.0.1:3000", ("127.0.0.1", 3000, False, b"127.0.0.1:3000")),
        ("http://app", ("app", 80, False, b"app")),
        ("https://app", ("app", 443, True, b"app")),
        ("http://[::1]:81", ("::1", 81, False, b"[::1]:81")),
    ],
)
def test_addresses(origin: str, address: tuple[str, int, bool, bytes]) -> None:
    """An origin says where to connect, how, and under which name to ask."""
    assert Address.read(origin) == Address(*address)


def named(name: bytes, going: asyncio.Event | None = None) -> Behaviour:
    """Answer with a name; at /wait only when `going` is set."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while (head := await read_head(reader)) is not None:
            if going is not None and head.startswith(b"GET /wait"):
                await going.wait()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n" + name)

    return behave


async def test_the_least_busy_is_asked() -> None:
    """While one address works on something the others get what comes; idle ones take turns."""
    going = asyncio.Event()
    async with (
        application(named(b"a", going)) as one,
        application(named(b"b", going)) as two,
        gateway(one.url, two.url) as server,
        asyncio.timeout(10),
    ):
        assert Counter([(await server.get("/")).body for _ in range(10)]) == {b"a": 5, b"b": 5}
        waiting = asyncio.create_task(server.get("/wait"))
        await server.get("/")
        await server.get("/")
        bodies = {(await server.get("/")).body for _ in range(6)}
        going.set()
        assert len(bodies) == 1
        assert bodies != {(await waiting).body}


async def test_who_cannot_be_reached_is_left_out() -> None:
    """A request for an address that takes no connection goes to the next, and no client notices."""
    async with application(named(b"a")) as app, gateway(f"http://127.0.0.1:{free_port()}", app.url) as server:
        assert [(await server.get("/", method="POST", body=b"x")).status for _ in range(6)] == [200] * 6


async def test_nobody_is_left() -> None:
    """Where no address takes a connection, all have been tried."""
    pool = Pool([f"http://127.0.0.1:{free_port()}"] * 2, connect_timeout=1)
    with pytest.raises(Unreachable):
        await pool.connect(pool.berths[0])
    assert [berth.busy for berth in pool.berths] == [0, 0]
    pool.close()


@pytest.mark.parametrize(("said", "is_well"), [(OK, True), (b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n", False)])
async def test_health_is_asked(said: bytes, is_well: bool) -> None:  # noqa: FBT001 - a column
    """An address whose health path answers badly gets nothing while another is well."""
    async with application(saying(said)) as app, application(named(b"b")) as other:
        pool = Pool([app.url, other.url], connect_timeout=1)
        for berth in pool.berths:
            await look_at(berth, "/health")
        assert [berth.is_well for berth in pool.berths] == [is_well, True]
        assert {pool.best() is pool.berths[0] for _ in range(4)} == ({True, False} if is_well else {False})
        pool.close()


async def test_health_is_asked_of_itself() -> None:
    """With a health path nobody need ask, and closing ends the asking."""
    async with application(saying(b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n")) as app, asyncio.timeout(10):
        pool = Pool([app.url], connect_timeout=1, health_path="/health")
        while pool.berths[0].is_well:  # noqa: ASYNC110 - it is another task that changes it
            await asyncio.sleep(0.01)
        pool.close()


async def test_who_hangs_up_on_the_question_is_not_well() -> None:
    """No answer is no good answer, and it is well again as soon as there is one."""
    async with application(saying(b"", closes=True)) as app:
        pool = Pool([app.url], connect_timeout=1)
        await look_at(pool.berths[0], "/")
        assert not pool.berths[0].is_well
        pool.berths[0].is_well = True
        assert pool.berths[0].busy == 0
        pool.close()


async def test_idle_connections_are_closed() -> None:
    """A connection that nobody has used for long is closed, and one that is in use is closed after its answer."""
    async with application(saying(OK, OK)) as app, gateway(app.url) as server:
        await server.get("/")
        pool = Pool([app.url], connect_timeout=1)
        berth, upstream = await pool.connect(pool.berths[0])
        berth.take_back(upstream)
        assert berth.take(must_be_recent=True) is upstream
        pool.close()
        berth.take_back(upstream)
        assert berth.take(must_be_recent=False) is None
        assert upstream.transport.is_closing()
