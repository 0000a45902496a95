"""The head of a request as the application gets it."""

import pytest

from doorward.base.entropy import SeededEntropy
from doorward.gateway.forward import Forwarding, direct_way, trailers_to_pass
from doorward.gateway.judge import judge
from doorward.identity.principal import Principal
from doorward.identity.visit import Trust
from tests.support.gateways import PRINCIPAL, lines_of

TRUST = Trust(entropy=SeededEntropy(), public_url="https://a", trusted_proxies=["10.0.0.0/8"])


def forward(
    *lines: str,
    peer: str = "192.0.2.1",
    principal: Principal | None = None,
    first: str = "GET /a?b HTTP/1.1",
    host: str = "Host: a.example",
    **how: bool,
) -> bytes:
    """Give the head that is sent on for one that came from `peer` over TLS."""
    raw = "\r\n".join([first, *([host] if host else []), *lines, "", ""]).encode("latin-1")
    head = judge(raw)
    visit = TRUST.visit(
        method=head.method, path=head.path, query=head.query, raw_headers=head.fields, peer=peer, scheme="https"
    )
    return Forwarding(**how).write(head, visit, principal, b"app:3000")


def test_what_came_is_passed_on() -> None:
    """Line and fields go on byte for byte and in order, and the application learns how the request came."""
    sent = forward("X-A: b", "x-a:   c", "Accept: \xe4", "Content-Length: 3", first="POST //x/%2e?y=|z HTTP/1.1")
    assert sent.startswith(
        b"POST //x/%2e?y=|z HTTP/1.1\r\nHost: a.example\r\nX-A: b\r\nx-a:   c\r\nAccept: \xe4\r\nContent-Length: 3\r\n"
    )
    fields = lines_of(sent)
    assert fields[b"x-forwarded-for"] == b"192.0.2.1"
    assert fields[b"x-forwarded-proto"] == b"https"
    assert fields[b"x-forwarded-host"] == b"a.example"
    assert fields[b"forwarded"] == b'for=192.0.2.1;proto=https;host="a.example"'
    assert len(fields[b"x-request-id"]) == 32


@pytest.mark.parametrize(
    "line",
    [
        "X-MS-CLIENT-PRINCIPAL: x",
        "x-ms-client-principal-name: x",
        "X_MS_CLIENT_PRINCIPAL_ID: x",
        "X-MS_Client-Principal-Idp: x",
        "X-MS-TOKEN-AAD-ACCESS-TOKEN: x",
        "x.ms.client.principal: x",
        "Connection: keep-alive",
        "Keep-Alive: 5",
        "Proxy-Connection: x",
        "Proxy-Authorization: x",
        "TE: gzip",
        "X-Request-ID: x",
        "X-Forwarded-Prefix: x",
        "X-Forwarded-Port: 1",
        "X-Forwarded-Server: x",
        "X-Real-IP: 1.1.1.1",
        "X-Original-URL: /admin",
        "X-Rewrite-URL: /admin",
        "Upgrade: h2c",
        "HTTP2-Settings: x",
    ],
)
def test_what_a_stranger_may_not_say(line: str) -> None:
    """Identity, the way here, and what is said between client and gateway alone do not reach the application."""
    name, _, value = line.lower().partition(": ")
    fields = lines_of(forward(line))
    assert fields.get(name.encode()) != value.encode()
    assert not any(b"admin" in value or value == b"x" for value in fields.values())


def test_the_way_is_written_anew_for_strangers() -> None:
    """What a stranger says about the way here is gone, not extended."""
    fields = lines_of(
        forward(
            "X-Forwarded-For: 1.1.1.1", "X-Forwarded-Proto: http", "X-Forwarded-Host: evil", "Forwarded: for=1.1.1.1"
        )
    )
    assert fields[b"x-forwarded-for"] == b"192.0.2.1"
    assert fields[b"x-forwarded-proto"] == b"https"
    assert fields[b"x-forwarded-host"] == b"a.example"
    assert fields[b"forwarded"] == b'for=192.0.2.1;proto=https;host="a.example"'


def test_trusted_proxies_are_extended() -> None:
    """What a trusted proxy says about the way here stays, and its own address is added."""
    fields = lines_of(
        forward(
            "X-Forwarded-For: 1.1.1.1",
            "X-Forwarded-For: 2.2.2.2",
            "X-Forwarded-Proto: http",
            "X-Forwarded-Host: shop",
            "X-Forwarded-Port: 81",
            "Forwarded: for=1.1.1.1",
            "X-Request-ID: mine",
            peer="10.0.0.9",
        )
    )
    assert fields[b"x-forwarded-for"] == b"1.1.1.1, 2.2.2.2, 10.0.0.9"
    assert fields[b"x-forwarded-proto"] == b"http"
    assert fields[b"x-forwarded-host"] == b"shop"
    assert fields[b"x-forwarded-port"] == b"81"
    assert fields[b"forwarded"] == b'for=1.1.1.1, for=10.0.0.9;proto=http;host="a.example"'
    assert fields[b"x-request-id"] == b"mine"


def test_an_ipv6_client_is_quoted() -> None:
    """In Forwarded an IPv6 address stands in brackets and quotes (RFC 7239 section 6)."""
    assert lines_of(forward(peer="2001:db8::1"))[b"forwarded"].startswith(b'for="[2001:db8::1]";')


def test_identity_is_added_behind_everything() -> None:
    """The caller's identity is what the principal says, whatever the client said, named in Connection or not."""
    fields = lines_of(
        forward(
            "X-MS-CLIENT-PRINCIPAL-NAME: root",
            "Connection: X-MS-CLIENT-PRINCIPAL-NAME, X-MS-CLIENT-PRINCIPAL-ID",
            principal=PRINCIPAL,
        )
    )
    assert fields[b"x-ms-client-principal-name"] == b"jane"
    assert fields[b"x-ms-client-principal-id"] == b"1"
    assert b"connection" not in fields


def test_fields_named_in_connection_end_here() -> None:
    """What Connection names is not passed on (RFC 9110 section 7.6.1)."""
    fields = lines_of(forward("Connection: X-Hop, close", "X-Hop: 1", "X-End: 2"))
    assert b"x-hop" not in fields
    assert fields[b"x-end"] == b"2"


def test_our_cookies_end_here() -> None:
    """Our own cookies do not reach the application, unless the settings say so."""
    line = "Cookie: a=b; AppServiceAuthSession=secret; Nonce=1; c=d"
    assert lines_of(forward(line))[b"cookie"] == b"a=b; c=d"
    assert lines_of(forward(line, keeps_own_cookies=True))[b"cookie"] == line.partition(": ")[2].encode()
    assert b"cookie" not in lines_of(forward("Cookie: AppServiceAuthSession=secret"))


def test_the_host_is_kept_or_exchanged() -> None:
    """The application is asked under the client's name for it, or under its own; and always under one."""
    assert lines_of(forward())[b"host"] == b"a.example"
    assert lines_of(forward(keeps_host=False))[b"host"] == b"app:3000"
    assert lines_of(forward(first="GET / HTTP/1.0", host=""))[b"host"] == b"app:3000"
    assert lines_of(forward(keeps_host=False))[b"x-forwarded-host"] == b"a.example"


def test_what_is_said_to_the_next_hop() -> None:
    """Chunks, trailers and offers are said anew; of an offer only what we would go over to."""
    assert lines_of(forward("Transfer-Encoding: CHUNKED"))[b"transfer-encoding"] == b"chunked"
    fields = lines_of(forward("Connection: upgrade", "Upgrade: h2c, websocket"))
    assert (fields[b"connection"], fields[b"upgrade"]) == (b"Upgrade", b"websocket")
    assert lines_of(forward("Connection: TE", "TE: trailers, deflate"))[b"te"] == b"trailers"
    assert b"upgrade" not in lines_of(forward("Connection: upgrade", "Upgrade: h2c"))


def test_trailers_say_nothing_that_was_decided_by() -> None:
    """Trailers go on, but for what was decided by, what frames, and what only we may write."""
    told = [
        (b"Checksum", b"1"),
        (b"Authorization", b"x"),
        (b"X-MS-Client-Principal", b"x"),
        (b"Host", b"b"),
        (b"Content-Length", b"1"),
        (b"X-Forwarded-For", b"x"),
        (b"Cookie", b"x"),
        (b"Transfer-Encoding", b"x"),
    ]
    assert trailers_to_pass(told) == ((b"Checksum", b"1"),)


def test_what_clients_write_before_a_proxy_is_not_remembered() -> None:
    """Ways that trusted proxies tell hold what strangers wrote, at any length, so none of them stays in memory."""
    before = direct_way.cache_info().currsize
    for number in range(10):
        forward(f"X-Forwarded-For: 192.0.2.{number}", f"Forwarded: for=192.0.2.{number}", peer="10.0.0.1")
    assert direct_way.cache_info().currsize == before
