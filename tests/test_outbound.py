import asyncio
import socket
import threading
import time
from pathlib import Path

import pytest

from doorward.base.loopback import is_loopback_host
from doorward.outbound import Outbound, OutboundFailed
from tests.support import peers
from tests.support.canaries import canary


async def failure(outbound: Outbound, url: str, timeout: float = 5.0, max_bytes: int = 1000) -> OutboundFailed:  # noqa: ASYNC109 - handed on
    """Fetch what must fail, and give how it failed."""
    with pytest.raises(OutboundFailed) as caught:
        await outbound.get_json_document(url, timeout=timeout, max_bytes=max_bytes)
    return caught.value


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "Application/JSON; charset=utf-8", "application/jwk-set+json", "application/vnd.x-1+json"],
)
async def test_a_json_document_is_fetched_as_it_was_sent(content_type: str) -> None:
    """Every JSON media type is taken, and the bytes come back untouched."""
    async with peers.publisher(peers.answer(b'{"keys": [ ]}\n', content_type=content_type)) as server:
        assert await Outbound(None, {}).get_json_document(server.url) == b'{"keys": [ ]}\n'
        assert "GET /keys HTTP/1.1" in server.heads[0]


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (peers.answer(b"{}", content_type="text/html"), "Content-Type"),
        (peers.answer(b"{}", content_type="text/json+html"), "Content-Type"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", "Content-Type"),
        (peers.answer(b"{}", status="302 Found", more="Location: http://127.0.0.1:1/\r\n"), "redirect"),
        (peers.answer(b"{}", status="404 Not Found"), "status 404"),
        (peers.answer(b"{}", status="503 Service Unavailable"), "status 503"),
        (peers.answer(b"{}", status="204 No Content"), "status 204"),
        (peers.answer(b"{}", more="Content-Encoding: gzip\r\n"), "compressed"),
        (peers.answer(b" " * 1001), "longer than 1000"),
        (b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n" + b" " * 5000, "longer than 1000"),
        (peers.answer(b"{}")[:-1], "broke off"),
        (b"", "broke off"),
        (b"SSH-2.0-nonsense\r\n", "broke off"),
    ],
)
async def test_an_answer_that_is_not_a_small_json_document_is_refused(reply: bytes, reason: str) -> None:
    """Wrong type, redirect, error, compression, size, and a broken connection each have their own short reason."""
    async with peers.publisher(reply) as server:
        failed = await failure(Outbound(None, {}), server.url)
        assert reason in failed.reason
        assert len(server.heads) == 1


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://provider.example/keys", "not https"),
        ("http://localhost.example/keys", "not https"),
        ("ftp://127.0.0.1/keys", "not https"),
        ("file:///etc/passwd", "not an address"),
        ("https://user:password@provider.example/keys", "without user"),
        ("https://provider.example/keys#part", "fragment"),
        ("https://[::1/keys", "not an address"),
        ("https://provider.example:http/keys", "not an address"),
        ("", "not an address"),
    ],
)
async def test_only_https_addresses_are_asked(url: str, reason: str) -> None:
    """Plain HTTP is for this machine alone, and an odd address is refused before anything is sent."""
    assert reason in (await failure(Outbound(None, {}), url)).reason


async def test_a_closed_port_is_no_connection() -> None:
    """Nobody listening fails at once."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        failed = await failure(Outbound(None, {}), f"http://127.0.0.1:{free.getsockname()[1]}/keys")
    assert failed.reason == "no connection"


@pytest.mark.parametrize("beginning", [b"", b"HTTP/1.1 200 OK\r\n", peers.answer(b" " * 500)[:-500]])
async def test_dripping_bytes_do_not_stretch_the_time(beginning: bytes) -> None:
    """The bound is on the whole call: a server that always sends a little more in time is cut off, its thread ends."""
    ended = asyncio.Event()

    async def drip(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(beginning)
        try:
            while True:
                writer.write(b"X")
                await writer.drain()
                await asyncio.sleep(0.02)
        finally:
            ended.set()

    async with peers.listening(drip) as port:
        started = time.monotonic()
        failed = await failure(Outbound(None, {}), f"http://127.0.0.1:{port}/keys", timeout=0.3)
        assert 0.25 < time.monotonic() - started < 2
        assert "within 0.3 s" in failed.reason
        await asyncio.wait_for(ended.wait(), 5)
        await until_no_thread_is_left()


async def until_no_thread_is_left() -> None:
    """Wait until every thread of outbound calls has ended."""
    for thread in threading.enumerate():
        if thread.name == "doorward-outbound":
            await asyncio.to_thread(thread.join, 5)
            assert not thread.is_alive()


async def test_a_tls_handshake_that_never_ends_is_cut_off(tmp_path: Path) -> None:
    """A server that accepts and says nothing holds neither the caller nor the thread."""

    async def silence(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        while await reader.read(1000):
            pass

    async with peers.listening(silence) as port:
        failed = await failure(Outbound(None, {}), f"https://127.0.0.1:{port}/keys", timeout=0.3)
        assert "within 0.3 s" in failed.reason
        await until_no_thread_is_left()


async def test_a_caller_that_gives_up_ends_the_call() -> None:
    """Cancelling the waiting task closes the connection."""
    async with peers.publisher(peers.answer(b"{}")) as server:
        server.gate.clear()
        call = asyncio.create_task(Outbound(None, {}).get_json_document(server.url))
        await server.arrived.wait()
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        assert call.cancelled()
        await until_no_thread_is_left()


async def test_a_certificate_must_come_from_a_trusted_authority(tmp_path: Path) -> None:
    """An unknown authority is refused; `ca_file` makes it known."""
    authority = peers.make_authority(tmp_path, "127.0.0.1")
    async with peers.publisher(peers.answer(b"{}"), authority.server) as server:
        refused = await failure(Outbound(None, {}), server.url)
        assert "certificate refused" in refused.reason
        assert await Outbound(str(authority.ca_file), {}).get_json_document(server.url) == b"{}"


async def test_a_certificate_must_be_for_the_host(tmp_path: Path) -> None:
    """A trusted authority's certificate for another host is refused."""
    authority = peers.make_authority(tmp_path, "other.example")
    async with peers.publisher(peers.answer(b"{}"), authority.server) as server:
        refused = await failure(Outbound(str(authority.ca_file), {}), server.url)
        assert "certificate refused" in refused.reason
        assert not server.heads


@pytest.mark.parametrize("content", [None, b"", b"-----BEGIN CERTIFICATE-----\nnonsense\n"])
def test_an_unusable_ca_file_is_refused_at_the_start(tmp_path: Path, content: bytes | None) -> None:
    """A missing or broken file is not found out by the first failing call."""
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ValueError, match=r"ca\.pem"):
        Outbound(str(file), {})


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"])
async def test_the_proxy_of_the_environment_is_used(tmp_path: Path, name: str) -> None:
    """An https: address is reached by CONNECT through the proxy, with its credentials, and checked end to end."""
    authority = peers.make_authority(tmp_path, "login.example")
    async with peers.publisher(peers.answer(b"{}"), authority.server) as server:
        proxy = peers.ConnectProxy(server.port)
        async with peers.listening(proxy.talk) as port:
            environ = {name: f"http://me:{canary('proxy')}@127.0.0.1:{port}"}
            outbound = Outbound(str(authority.ca_file), environ)
            assert await outbound.get_json_document("https://login.example/keys") == b"{}"
            assert proxy.heads[0].startswith("CONNECT login.example:443 ")
            assert "Proxy-Authorization: Basic" in proxy.heads[0].replace("proxy-authorization", "Proxy-Authorization")
            assert "roxy-" not in server.heads[0]


async def test_a_proxy_without_scheme_is_http(tmp_path: Path) -> None:
    """`HTTPS_PROXY=host:port` is understood, as curl does."""
    authority = peers.make_authority(tmp_path, "login.example")
    async with peers.publisher(peers.answer(b"{}"), authority.server) as server:
        proxy = peers.ConnectProxy(server.port)
        async with peers.listening(proxy.talk) as port:
            outbound = Outbound(str(authority.ca_file), {"HTTPS_PROXY": f"127.0.0.1:{port}"})
            assert await outbound.get_json_document("https://login.example/keys") == b"{}"


async def test_loopback_never_goes_through_a_proxy() -> None:
    """This machine is reached directly, whatever the environment says."""
    environ = {"HTTP_PROXY": "http://127.0.0.1:1", "all_proxy": "http://127.0.0.1:1", "https_proxy": "127.0.0.1:1"}
    async with peers.publisher(peers.answer(b"{}")) as server:
        assert await Outbound(None, environ).get_json_document(server.url) == b"{}"


@pytest.mark.parametrize(
    ("no_proxy", "is_direct"),
    [
        ("login.invalid", True),
        ("LOGIN.INVALID", True),
        ("other.example, .invalid", True),
        ("*.invalid", True),
        ("*", True),
        ("login.invalid:443", True),
        ("login.invalid:8443", False),
        ("ogin.invalid", False),
        ("example", False),
        ("", False),
    ],
)
@pytest.mark.parametrize("name", ["NO_PROXY", "no_proxy"])
async def test_no_proxy_exempts_hosts(name: str, no_proxy: str, *, is_direct: bool) -> None:
    """A name, what is below it, a port, or everything; the end of a name is not a match."""
    environ = {"HTTPS_PROXY": "http://127.0.0.1:1", name: no_proxy}
    failed = await failure(Outbound(None, environ), "https://login.invalid/keys")
    assert failed.reason.startswith("proxy") is not is_direct


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:1", "http://me:CREDENTIAL@127.0.0.1:1", "http://[::1:1"])
async def test_a_proxy_that_fails_is_named_without_its_credentials(proxy: str) -> None:
    """An unknown kind of proxy, a dead one and a misspelt one are failures of the call, not of the program."""
    secret = canary("proxy-password")
    failed = await failure(
        Outbound(None, {"HTTPS_PROXY": proxy.replace("CREDENTIAL", secret)}), "https://login.invalid/keys?secret=1"
    )
    assert "login.invalid" in str(failed)
    assert secret not in str(failed)
    assert "?" not in str(failed)


async def test_more_calls_than_threads_wait_their_turn() -> None:
    """Twenty calls at once all succeed, on at most eight threads."""
    async with peers.publisher(peers.answer(b"{}")) as server:
        outbound = Outbound(None, {})
        assert await asyncio.gather(*(outbound.get_json_document(server.url) for _ in range(20))) == [b"{}"] * 20


def test_the_client_is_loaded_by_the_first_call_only() -> None:
    """A worker that starts does not pay for the HTTP client."""
    import subprocess  # noqa: PLC0415 - this test alone starts a program
    import sys  # noqa: PLC0415 - see above

    program = "import sys, doorward.outbound as o; o.Outbound(None, {}); sys.exit('urllib3' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


@pytest.mark.parametrize(
    ("host", "is_loopback"),
    [
        ("localhost", True),
        ("LOCALHOST", True),
        ("127.0.0.1", True),
        ("127.8.9.1", True),
        ("::1", True),
        ("[::1]", True),
        ("0.0.0.0", False),  # noqa: S104 - a name to judge, nothing listens there
        ("127.0.0.1.example.com", False),
        ("localhost.example.com", False),
        ("2130706433", False),
        ("10.0.0.1", False),
        ("", False),
        ("[::1", False),
    ],
)
def test_loopback_is_told_from_the_name_alone(host: str, *, is_loopback: bool) -> None:
    """Only `localhost` and literal loopback addresses are this machine."""
    assert is_loopback_host(host) is is_loopback


# --- token requests and profiles -------------------------------------------------------------------------------------


async def test_a_form_is_posted_as_it_was_written() -> None:
    """The body goes out byte for byte with the type of forms, and the answer comes back whole."""
    seen: list[bytes] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        seen.append(head.lower())
        seen.append(await reader.readexactly(7))
        writer.write(peers.answer(b'{"a": 1}', content_type="Application/JSON; charset=utf-8"))

    async with peers.listening(talk) as port:
        answer = await Outbound(None, {}).post_form(f"http://127.0.0.1:{port}/token", b"a=1&b=2")
    assert (answer.status, answer.media_type, answer.body) == (200, "application/json", b'{"a": 1}')
    assert seen[0].startswith(b"post /token http/1.1")
    assert b"content-type: application/x-www-form-urlencoded" in seen[0]
    assert b"authorization:" not in seen[0]
    assert seen[1] == b"a=1&b=2"


async def test_a_profile_is_asked_for_with_the_token() -> None:
    """A profile is a GET with the token as bearer, by a caller that names itself."""
    async with peers.publisher(peers.answer(b"{}")) as server:
        token = canary("profile-token")
        assert (await Outbound(None, {}).get_profile(server.url, token)).body == b"{}"
        assert f"Authorization: Bearer {token}\r\n" in server.heads[0]
        assert "User-Agent: Doorward\r\n" in server.heads[0]


@pytest.mark.parametrize(
    "status", ["400 Bad Request", "401 Unauthorized", "403 Forbidden", "429 Slow down", "201 Made"]
)
async def test_a_refusal_is_an_answer(status: str) -> None:
    """Whatever is 2xx or 4xx is handed back with its body, since OAuth says in the body why it refuses."""
    async with peers.publisher(peers.answer(b"error=no", status=status, content_type="text/plain")) as server:
        answer = await Outbound(None, {}).post_form(server.url, b"")
    assert (answer.status, answer.media_type, answer.body) == (int(status[:3]), "text/plain", b"error=no")


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (peers.answer(b"", status="500 Oops"), "status 500"),
        (peers.answer(b"", status="302 Found", more="Location: http://127.0.0.1:1/\r\n"), "redirect"),
        (peers.answer(b"", status="307 Again", more="Location: http://127.0.0.1:1/\r\n"), "redirect"),
        (peers.answer(b" " * 300_000), "longer than"),
        (peers.answer(b"{}", more="Content-Encoding: gzip\r\n"), "compressed"),
        (b"nonsense\r\n\r\n", "broke off"),
        (b"", "broke off"),
    ],
)
async def test_what_is_no_answer_fails(reply: bytes, reason: str) -> None:
    """Failures of the provider, redirects and oversized answers are told apart from refusals."""
    async with peers.publisher(reply) as server:
        with pytest.raises(OutboundFailed) as caught:
            await Outbound(None, {}).post_form(server.url, f"client_secret={canary('outbound-secret')}".encode())
    assert reason in caught.value.reason


async def test_a_slow_provider_is_cut_off() -> None:
    """A call has one bound in all, and so has its thread."""
    async with peers.publisher(peers.answer(b"{}")) as server:
        server.gate.clear()
        with pytest.raises(OutboundFailed) as caught:
            await Outbound(None, {}, call_timeout=0.2).get_profile(server.url, "x")
        assert "within 0.2 s" in caught.value.reason
        await until_no_thread_is_left()


async def test_a_slow_provider_holds_up_nobody_elses_people() -> None:
    """Calls to one host have room of their own: however many wait there, another host is asked at once."""
    async with peers.publisher(peers.answer(b"{}")) as slow, peers.publisher(peers.answer(b"{}")) as quick:
        slow.gate.clear()
        outbound = Outbound(None, {}, call_timeout=5)
        waiting = [asyncio.create_task(outbound.get_profile(slow.url, "x")) for _ in range(40)]
        await slow.arrived.wait()
        assert (await outbound.get_profile(quick.url, "x")).status == 200
        assert await outbound.get_json_document(quick.url) == b"{}"
        slow.gate.set()
        assert {answer.status for answer in await asyncio.gather(*waiting)} == {200}


@pytest.mark.parametrize("token", ["a\r\nX-Evil: 1", "a\nb", "a\0b", "é"])
async def test_a_token_cannot_become_a_header(token: str) -> None:
    """A token that a provider made up of line breaks is refused before anything is sent."""
    async with peers.publisher(peers.answer(b"{}")) as server:
        with pytest.raises(OutboundFailed):
            await Outbound(None, {}).get_profile(server.url, token)
        assert not server.heads
