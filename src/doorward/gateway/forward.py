"""The head of a request as the application gets it.

What came with the request and may pass is passed byte for byte and in order: without what only we may write
(`protocol.easyauth`), without what is said between the client and us alone, and without what a stranger says about the
way here. Behind it stands what we say: who asks, and by which way (RFC 7239, and the `X-Forwarded-*` of old).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache

from doorward.gateway.head import Head
from doorward.identity.principal import Principal
from doorward.identity.visit import Visit
from doorward.protocol.easyauth import is_forgeable, without_forged

_KNOWN_NAMES = 2048
_KNOWN_NAME_BYTES = 64
_KNOWN_WAYS = 4096

# Between the client and us alone (RFC 9110 section 7.6.1), or written anew.
_OURS = frozenset({b"connection", b"keep-alive", b"proxy-authorization", b"proxy-connection", b"te",
                   b"transfer-encoding", b"upgrade", b"http2-settings", b"x-request-id"})  # fmt: skip
_WAY = frozenset({b"forwarded", b"x-real-ip", b"x-original-url", b"x-original-uri", b"x-original-method",
                  b"x-original-host", b"x-original-for", b"x-rewrite-url", b"x-client-ip", b"true-client-ip",
                  b"x-cluster-client-ip"})  # fmt: skip
_REWRITTEN_WAY = frozenset({b"forwarded", b"x-forwarded-for", b"x-forwarded-proto"})
_ORDINARY_OPTIONS = frozenset({b"keep-alive", b"close", b"upgrade", b"te", b"http2-settings"})


class _Fate(Enum):
    """What becomes of a field of some name."""

    PASSES = 0
    IS_OURS = 1
    IS_WAY = 2
    IS_HOST = 3
    IS_ASKED_ABOUT = 4  # what becomes of it depends on its value


@dataclass(frozen=True, slots=True, kw_only=True)
class Forwarding:
    """How requests are passed on: with the client's Host (`keeps_host`), and whether our own cookies go along."""

    keeps_host: bool = True
    keeps_own_cookies: bool = False

    def write(self, head: Head, visit: Visit, principal: Principal | None, upstream_host: bytes) -> bytes:
        """Write the whole head for an application that is called `upstream_host`."""
        keeps_host = self.keeps_host and bool(head.host)
        lines = [b"%b %b HTTP/1.1\r\n" % (head.method.encode(), head.target)]
        for field in head.spelled if head.options <= _ORDINARY_OPTIONS else _without_named(head):
            fate = _fate(field[0])
            if fate is _Fate.PASSES:
                lines.append(b"%b: %b\r\n" % field)
            elif fate is _Fate.IS_ASKED_ABOUT:
                lines += [b"%b: %b\r\n" % kept for kept in self._without_forged(field)]
            elif fate is _Fate.IS_HOST:
                if keeps_host:
                    lines.append(b"%b: %b\r\n" % field)
            elif fate is _Fate.IS_WAY and visit.peer_is_trusted and field[0].lower() not in _REWRITTEN_WAY:
                lines.append(b"%b: %b\r\n" % field)
        if not keeps_host:
            lines.append(b"Host: %b\r\n" % upstream_host)
        lines.append(_way(head, visit))
        lines.append(_hop(head))
        if principal is not None:
            lines += [b"%b: %b\r\n" % field for field in principal.headers]
        lines.append(b"X-Request-ID: %b\r\n\r\n" % visit.request_id.encode())
        return b"".join(lines)

    def _without_forged(self, field: tuple[bytes, bytes]) -> list[tuple[bytes, bytes]]:
        return without_forged((field,), keep_own_cookies=self.keeps_own_cookies)


def trailers_to_pass(trailers: Sequence[tuple[bytes, bytes]]) -> tuple[tuple[bytes, bytes], ...]:
    """Give the trailers that may be passed on: none that is decided by (RFC 9110 section 6.5.1), none of ours."""
    return tuple(field for field in trailers if _fate(field[0]) is _Fate.PASSES and field[0].lower() not in _NO_TRAILER)


_NO_TRAILER = frozenset({b"authorization", b"content-encoding", b"content-length", b"content-range", b"content-type",
                         b"cookie", b"expect", b"max-forwards", b"origin", b"referer", b"set-cookie", b"trailer",
                         b"x-zumo-auth"})  # fmt: skip


def _without_named(head: Head) -> list[tuple[bytes, bytes]]:
    """Drop the fields that Connection names; the judge has refused those that we decide by."""
    return [field for field in head.spelled if field[0].lower() not in head.options]


def _hop(head: Head) -> bytes:
    """Write what is said between us and the application alone."""
    lines = b"Transfer-Encoding: chunked\r\n" if head.length is None else b""
    if head.offers:
        lines += b"Connection: Upgrade\r\nUpgrade: %b\r\n" % b", ".join(head.offers)
    elif b"te" in head.options and any(name == b"te" and b"trailers" in value.lower() for name, value in head.fields):
        lines += b"Connection: TE\r\nTE: trailers\r\n"
    return lines


def _way(head: Head, visit: Visit) -> bytes:
    """Write by which way the request came; what trusted proxies have said about it stands in front."""
    if not visit.peer_is_trusted:
        return _known_way(visit.peer, visit.scheme, head.host, b"", b"", has_host=False)
    return _known_way(
        visit.peer,
        visit.scheme,
        head.host,
        b", ".join(visit.headers(b"x-forwarded-for")),
        b", ".join(visit.headers(b"forwarded")),
        has_host=visit.header(b"x-forwarded-host") is not None,
    )


def _written_way(peer: str, scheme: str, host: bytes, before: bytes, forwarded: bytes, *, has_host: bool) -> bytes:
    address = peer.encode()
    node = b'"[%b]"' % address if b":" in address else address or b"unknown"
    element = b"for=%b;proto=%b" % (node, scheme.encode()) + (b';host="%b"' % host if host else b"")
    lines = [
        b"X-Forwarded-For: %b\r\n" % (b"%b, %b" % (before, address) if before else address),
        b"X-Forwarded-Proto: %b\r\n" % scheme.encode(),
        b"Forwarded: %b\r\n" % (b"%b, %b" % (forwarded, element) if forwarded else element),
    ]
    if host and not has_host:
        lines.append(b"X-Forwarded-Host: %b\r\n" % host)
    return b"".join(lines)


_known_way = lru_cache(_KNOWN_WAYS)(_written_way)


def _fate(name: bytes) -> _Fate:
    """Say what becomes of a field; names are few, so it is remembered, but for long ones from strangers."""
    return _known_fate(name) if len(name) <= _KNOWN_NAME_BYTES else _fate_of(name)


def _fate_of(name: bytes) -> _Fate:
    folded = name.lower()
    if folded in _OURS:
        return _Fate.IS_OURS
    if folded == b"host":
        return _Fate.IS_HOST
    hyphenated = folded.replace(b"_", b"-")
    if hyphenated in _WAY or hyphenated.startswith(b"x-forwarded-"):
        return _Fate.IS_WAY
    asked = is_forgeable(name) or hyphenated in {b"cookie", b"trailer"}
    return _Fate.IS_ASKED_ABOUT if asked else _Fate.PASSES


_known_fate = lru_cache(_KNOWN_NAMES)(_fate_of)
