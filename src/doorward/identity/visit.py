"""One request as any door sees it, and what may be believed of the proxies in front of us.

Owns `Visit`, the facts of a request before anything was decided about it, and `Trust`, the one place that reads
forwarded headers. A header that a proxy would send is a header that anybody can send: it counts only when the peer, the
address at the other end of the connection, lies in `server.trusted_proxies`, and nobody does by default (interface,
"Scheme and host"). Nothing here reads a body, a clock or a socket.
"""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Literal, TypeAlias, final
from urllib.parse import urlsplit

from doorward.base.entropy import Entropy

Network: TypeAlias = IPv4Network | IPv6Network
Scheme: TypeAlias = Literal["http", "https"]
RawHeaders: TypeAlias = Sequence[tuple[bytes, bytes]]

REQUEST_ID_BYTES = 16
REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,128}")
"""What is taken for the id of a request, where a trusted proxy names one."""
KNOWN_PEERS = 4096
_HOP_BYTES = 64
_MAPPED = "::ffff:"  # how a socket that listens on [::] shows an IPv4 peer
# Traefik forwards the scheme of a WebSocket handshake under its own name.
_FORWARDED_SCHEMES: dict[bytes, Scheme] = {b"http": "http", b"https": "https", b"ws": "http", b"wss": "https"}
_TOLD_BY_PROXIES = frozenset({b"x-forwarded-for", b"x-forwarded-proto", b"x-request-id"})
_PORTS = {"http": "80", "https": "443"}


@final
class Visit:
    """One request: who came, by which way, and what was asked for.

    `path` is as it was sent: percent-encoded and without the query. `peer` is the other end of the connection,
    `address` the client as far as trusted proxies vouch for it; both are empty where the transport has no addresses.
    `address_is_proxy` tells that no client beyond the trusted proxies is known, so `address` must not be held
    responsible for anything (token-exchange reference 4.2). Header names are lower case.
    """

    __slots__ = (
        "address",
        "address_is_proxy",
        "method",
        "path",
        "peer",
        "peer_is_trusted",
        "query",
        "raw_headers",
        "request_id",
        "scheme",
    )

    def __init__(
        self,
        *,
        method: str,
        path: str,
        query: str,
        raw_headers: RawHeaders,
        peer: str,
        peer_is_trusted: bool,
        scheme: Scheme,
        address: str,
        address_is_proxy: bool,
        request_id: str,
    ) -> None:
        """Note the facts; `Trust.visit` works them out."""
        self.method = method
        self.path = path
        self.query = query
        self.raw_headers = raw_headers
        self.peer = peer
        self.peer_is_trusted = peer_is_trusted
        self.scheme = scheme
        self.address = address
        self.address_is_proxy = address_is_proxy
        self.request_id = request_id

    def header(self, name: bytes) -> bytes | None:
        """Give the first header of this lower-case name, or None."""
        for known, value in self.raw_headers:
            if known == name:
                return value
        return None

    def headers(self, name: bytes) -> list[bytes]:
        """Give all headers of this lower-case name, in the order they were sent."""
        return [value for known, value in self.raw_headers if known == name]

    @property
    def user_agent(self) -> str:
        """Give the User-Agent, or an empty string; any byte of it may come from an attacker."""
        return (self.header(b"user-agent") or b"").decode("latin-1")

    def __repr__(self) -> str:
        """Show the request without query and headers, which may hold secrets."""
        return f"Visit({self.method!r}, {self.path!r}, request_id={self.request_id!r})"


@final
class Trust:
    """Whom to believe about the client, and which names are our own.

    `public_url` is an origin (`https://app.example.com`), `additional_hosts` are `host` or `host:port` with the same
    scheme. `host_header` is the header in which trusted proxies name the host that the client asked for.
    """

    def __init__(
        self,
        *,
        entropy: Entropy,
        public_url: str,
        trusted_proxies: Iterable[str] = (),
        additional_hosts: Iterable[str] = (),
        host_header: bytes = b"host",
    ) -> None:
        """Read the settings; raises `ValueError` when a proxy is no address or network."""
        self._entropy = entropy
        self._networks = tuple(ip_network(proxy, strict=False) for proxy in trusted_proxies)
        self._public_url = public_url.rstrip("/")
        self._host_header = host_header.lower()
        scheme = urlsplit(public_url).scheme
        self._sites = {_host_key(host, scheme): f"{scheme}://{host.lower()}" for host in additional_hosts}
        # Most requests come from a handful of peers, and parsing an address costs more than the rest of a visit.
        self._is_trusted = lru_cache(KNOWN_PEERS)(self._lies_in_networks)

    @property
    def host_header(self) -> bytes:
        """Give the lower-case name of the header in which trusted proxies name the host."""
        return self._host_header

    def visit(self, *, method: str, path: str, query: str, raw_headers: RawHeaders, peer: str, scheme: Scheme) -> Visit:
        """Give the visit for a request that came in from `peer` over a listener that speaks `scheme`."""
        peer = plain_peer(peer)
        trusted = bool(self._networks) and self._is_trusted(peer)
        address, is_proxy, request_id = peer, trusted, None
        if trusted:
            told = [header for header in raw_headers if header[0] in _TOLD_BY_PROXIES]
            scheme = _forwarded_scheme(told) or scheme
            address, is_proxy = self._client(told, peer)
            request_id = _given_request_id(told)
        return Visit(
            method=method,
            path=path,
            query=query,
            raw_headers=raw_headers,
            peer=peer,
            peer_is_trusted=trusted,
            scheme=scheme,
            address=address,
            address_is_proxy=is_proxy,
            request_id=request_id or self.request_id(),
        )

    def request_id(self) -> str:
        """Make up the id of a request, in hexadecimal digits."""
        return self._entropy.draw(REQUEST_ID_BYTES).hex()

    def is_stranger(self, peer: str) -> bool:
        """Say whether nothing is believed that this peer says about the way of a request."""
        return not self._networks or not self._is_trusted(plain_peer(peer))

    def site(self, visit: Visit) -> str:
        """Give the origin under which to serve this visit.

        That is the additional host that the client named, else `public_url`: a host that we do not know never gets into
        a Location, a cookie or a token.
        """
        if not self._sites:
            return self._public_url
        named = visit.header(self._host_header if visit.peer_is_trusted else b"host") or b""
        return self._sites.get(_host_key(named.decode("latin-1"), urlsplit(self._public_url).scheme), self._public_url)

    @property
    def sites(self) -> tuple[str, ...]:
        """Give every origin under which visits are served, `public_url` first."""
        return (self._public_url, *self._sites.values())

    def _client(self, raw_headers: RawHeaders, peer: str) -> tuple[str, bool]:
        """Give the right-most address that is no trusted proxy, and whether there was none.

        Every proxy appends the address it was called from, so from the right the list is true as far as trusted proxies
        wrote it. What stands left of the first stranger was written by the stranger.
        """
        nearest = peer
        for value in reversed([value for name, value in raw_headers if name == b"x-forwarded-for"]):
            for hop in reversed(value.split(b",")):
                if (address := _known_hop(hop) if len(hop) <= _HOP_BYTES else _hop_address(hop)) is None:
                    return nearest, True
                if not self._is_trusted(address):
                    return address, False
                nearest = address
        return nearest, True

    def _lies_in_networks(self, address: str) -> bool:
        parsed = _parsed(address)
        return parsed is not None and any(parsed in network for network in self._networks)


def plain_peer(peer: str) -> str:
    """Give the address of a peer, as IPv4 where the socket shows it wrapped into IPv6."""
    return peer.removeprefix(_MAPPED)


def _parsed(text: str) -> IPv4Address | IPv6Address | None:
    """Give the address, as IPv4 where IPv6 only wraps it, so that one network setting covers both spellings."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


def _hop_address(hop: bytes) -> str | None:
    """Give one entry of X-Forwarded-For as an address without port, or None when it is none.

    A zone (`fe80::1%eth0`) is refused: it may hold any character, and means nothing on this machine.
    """
    text = hop.strip().decode("latin-1")
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    address = None if "%" in text else _parsed(text)
    return None if address is None else str(address)


_known_hop = lru_cache(KNOWN_PEERS)(_hop_address)


def _forwarded_scheme(raw_headers: RawHeaders) -> Scheme | None:
    """Give the scheme that the nearest proxy saw: the right-most value, since a proxy may append to a forged one."""
    for name, value in reversed(raw_headers):
        if name == b"x-forwarded-proto":
            return _FORWARDED_SCHEMES.get(value.rpartition(b",")[2].strip().lower())
    return None


def _given_request_id(raw_headers: RawHeaders) -> str | None:
    for name, value in raw_headers:
        if name == b"x-request-id":
            return value.decode("ascii") if REQUEST_ID.fullmatch(value) else None
    return None


def _host_key(host: str, scheme: str) -> str:
    """Give the form in which two hosts are compared: lower case, with the port even where it is the scheme's own."""
    folded = host.strip().lower()
    has_port = folded.rpartition(":")[2].isdigit() and not folded.endswith("]")
    return folded if has_port else f"{folded}:{_PORTS.get(scheme, '')}"
