"""What is believed about a request: of trusted peers what they forward, of everybody else nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doorward.base.entropy import SeededEntropy
from doorward.identity.visit import Trust, Visit

PROXIES = ("10.0.0.0/8", "fd00::/8", "192.0.2.7")
STRANGER, PROXY = "203.0.113.9", "10.1.2.3"
FORWARDED = (b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host", b"x-request-id", b"forwarded", b"x-real-ip")


def trust(*, proxies: tuple[str, ...] = PROXIES, hosts: tuple[str, ...] = (), host_header: bytes = b"host") -> Trust:
    return Trust(
        entropy=SeededEntropy(),
        public_url="https://app.example.com",
        trusted_proxies=proxies,
        additional_hosts=hosts,
        host_header=host_header,
    )


def visit(*headers: tuple[bytes, bytes], peer: str = PROXY, trusting: Trust | None = None) -> Visit:
    return (trusting or trust()).visit(
        method="GET", path="/a%2Fb", query="c=d", raw_headers=list(headers), peer=peer, scheme="http"
    )


@given(st.lists(st.tuples(st.sampled_from(FORWARDED), st.binary(max_size=60)), max_size=12))
def test_strangers_are_not_believed(headers: list[tuple[bytes, bytes]]) -> None:
    """Whatever an untrusted peer forwards, the visit is the one it would have been without."""
    for proxies in ((), PROXIES):
        seen = visit(*headers, peer=STRANGER, trusting=trust(proxies=proxies))
        plain = visit(peer=STRANGER, trusting=trust(proxies=proxies))
        assert (seen.address, seen.scheme, seen.request_id) == (STRANGER, "http", plain.request_id)
        assert {seen.peer_is_trusted, seen.address_is_proxy} == {False}


@pytest.mark.parametrize(
    ("forwarded", "address", "is_proxy"),
    [
        ([], PROXY, True),
        ([b"203.0.113.5"], "203.0.113.5", False),
        ([b"  203.0.113.5\t"], "203.0.113.5", False),
        ([b"6.6.6.6, 203.0.113.5"], "203.0.113.5", False),
        ([b"6.6.6.6, 203.0.113.5, 10.9.9.9"], "203.0.113.5", False),
        ([b"6.6.6.6, 203.0.113.5", b"10.9.9.9, 192.0.2.7"], "203.0.113.5", False),
        ([b"203.0.113.5:4711"], "203.0.113.5", False),
        ([b"2001:DB8::1"], "2001:db8::1", False),
        ([b"[2001:db8::1]:4711"], "2001:db8::1", False),
        ([b"::ffff:203.0.113.5"], "203.0.113.5", False),
        ([b"203.0.113.5, ::ffff:10.0.0.1"], "203.0.113.5", False),
        ([b"203.0.113.5, fd00::9"], "203.0.113.5", False),
        ([b"10.9.9.9"], "10.9.9.9", True),
        ([b"unknown"], PROXY, True),
        ([b"203.0.113.5, unknown"], PROXY, True),
        ([b"203.0.113.5, unknown, 10.9.9.9"], "10.9.9.9", True),
        ([b"203.0.113.5,"], PROXY, True),
        ([b""], PROXY, True),
        ([b"010.0.0.1"], PROXY, True),
        ([b"fe80::1%eth0"], PROXY, True),
        ([b"203.0.113.5\xff"], PROXY, True),
    ],
)
def test_the_client_is_the_first_stranger_from_the_right(forwarded: list[bytes], address: str, is_proxy: bool) -> None:  # noqa: FBT001 - a column of the table
    """X-Forwarded-For counts as far as trusted proxies wrote it; what a client put in front of it does not."""
    seen = visit(*((b"x-forwarded-for", value) for value in forwarded))
    assert (seen.address, seen.address_is_proxy) == (address, is_proxy)


@pytest.mark.parametrize(
    ("forwarded", "scheme"),
    [
        ([], "http"),
        ([b"https"], "https"),
        ([b"HTTPS"], "https"),
        ([b"wss"], "https"),
        ([b"https, http"], "http"),
        ([b"http", b"https"], "https"),
        ([b"http, https "], "https"),
        ([b"gopher"], "http"),
        ([b"https;"], "http"),
        ([b""], "http"),
    ],
)
def test_the_scheme_is_what_the_nearest_proxy_saw(forwarded: list[bytes], scheme: str) -> None:
    """The right-most X-Forwarded-Proto decides, since a client may have sent one before."""
    assert visit(*((b"x-forwarded-proto", value) for value in forwarded)).scheme == scheme


@pytest.mark.parametrize(
    ("sent", "is_kept"),
    [
        (b"abc-DEF_1.2", True), (b"a" * 128, True), (b"a" * 129, False), (b"", False), (b"a b", False),
        (b"a\xe4", False), (b"a,b", False), (b'a"b', False), (b"a\n", False),
    ],
)  # fmt: skip
def test_request_ids_of_proxies_are_checked(sent: bytes, is_kept: bool) -> None:  # noqa: FBT001 - a column of the table
    """A trusted peer's request id is kept when it is one word that is safe everywhere."""
    assert (visit((b"x-request-id", sent)).request_id == sent.decode("latin-1")) == is_kept


@pytest.mark.parametrize(
    ("peer", "is_trusted"),
    [
        ("10.255.0.1", True), ("11.0.0.1", False), ("::ffff:10.0.0.1", True), ("fd12::1", True),
        ("fe80::1%eth0", False), ("192.0.2.7", True), ("192.0.2.8", False), ("", False), ("unix", False),
    ],
)  # fmt: skip
def test_peers_are_trusted_by_network(peer: str, is_trusted: bool) -> None:  # noqa: FBT001 - a column of the table
    """A peer is trusted when its address lies in one of the networks, in either spelling of IPv4."""
    assert visit(peer=peer).peer_is_trusted == is_trusted


def test_a_proxy_that_is_no_network_is_refused() -> None:
    """A trusted proxy must be an address or a network."""
    with pytest.raises(ValueError, match="proxy"):
        trust(proxies=("proxy",))


@pytest.mark.parametrize(
    ("named", "site"),
    [
        (b"app.example.com", "https://app.example.com"),
        (b"other.example.com", "https://other.example.com"),
        (b"OTHER.example.com:443", "https://other.example.com"),
        (b"other.example.com:8443", "https://app.example.com"),
        (b"third.example.com:8443", "https://third.example.com:8443"),
        (b"evil.example", "https://app.example.com"),
        (b"other.example.com@evil.example", "https://app.example.com"),
        (b"", "https://app.example.com"),
    ],
)
def test_only_known_hosts_are_served_under_their_name(named: bytes, site: str) -> None:
    """A host that is neither public_url's nor an additional one is served as public_url."""
    trusting = trust(hosts=("other.example.com", "third.example.com:8443"))
    assert trusting.site(visit((b"host", named), peer=STRANGER, trusting=trusting)) == site


def test_a_forwarded_host_is_read_from_trusted_peers_alone() -> None:
    """The header that names the host behind a proxy is believed of trusted proxies; others name it by Host."""
    trusting = trust(hosts=("other.example.com",), host_header=b"X-Forwarded-Host")
    headers = ((b"host", b"internal"), (b"x-forwarded-host", b"other.example.com"))
    assert trusting.site(visit(*headers, trusting=trusting)) == "https://other.example.com"
    assert trusting.site(visit(*headers, peer=STRANGER, trusting=trusting)) == "https://app.example.com"


def test_headers_are_found_by_name() -> None:
    """The first or all headers of a name are found, and a visit shows neither query nor headers."""
    seen = visit((b"a", b"1"), (b"b", b"2"), (b"a", b"3"), (b"user-agent", b"caf\xe9"))
    assert (seen.header(b"a"), seen.headers(b"a"), seen.header(b"c")) == (b"1", [b"1", b"3"], None)
    assert seen.user_agent == "café"
    assert "c=d" not in repr(seen)
