"""The head of a request as the application gets it.

What came with the request and may pass is passed byte for byte and in order: without what only we may write
(`protocol.easyauth`), without what is said between the client and us alone, and without what a stranger says about the
way here. Behind it stands what we say: who asks, and by which way (RFC 7239, and the `X-Forwarded-*` of old).
"""

from collections.abc import Iterable
from functools import lru_cache

from doorward.base.frozen import frozen
from doorward.gateway.fields import Field, Fields
from doorward.gateway.head import Head
from doorward.gateway.line import Fate, Line, fate_of
from doorward.gateway.run import Run
from doorward.identity.principal import Principal
from doorward.identity.visit import Visit
from doorward.protocol.easyauth import without_forged

_KNOWN_WAYS = 4096
_REWRITTEN_WAY = frozenset({b"forwarded", b"x-forwarded-for", b"x-forwarded-proto"})
_TOLD_OF_WAY = frozenset({b"forwarded", b"x-forwarded-for", b"x-forwarded-host"})
_ORDINARY_OPTIONS = frozenset({b"keep-alive", b"close", b"upgrade", b"te", b"http2-settings"})
_NO_TRAILER = frozenset({b"authorization", b"content-encoding", b"content-length", b"content-range", b"content-type",
                         b"expect", b"max-forwards", b"origin", b"referer", b"set-cookie", b"x-zumo-auth"})  # fmt: skip


@frozen
class Forwarding:
    """How requests are passed on: with the client's Host (`keeps_host`), and whether our own cookies go along."""

    keeps_host: bool = True
    keeps_own_cookies: bool = False

    def write(self, head: Head, visit: Visit, principal: Principal | None, upstream_host: bytes) -> bytes:
        """Write the whole head for an application that is called `upstream_host`."""
        written = [b"%b %b HTTP/1.1\r\n" % (head.method.encode(), head.target)]
        written += self.kept(head, upstream_host, believes=visit.peer_is_trusted)
        written.append(_way(head, visit))
        if head.length is None or head.options:
            written.append(_hop(head))
        if principal is not None:
            written.append(principal.lines)
        written.append(b"X-Request-ID: %b\r\n\r\n" % visit.request_id.encode())
        return b"".join(written)

    def kept(self, head: Head, upstream_host: bytes, *, believes: bool) -> list[bytes]:
        """Give the lines that the application gets of those that came; `believes` what the peer says of the way."""
        keeps_host = self.keeps_host and bool(head.host)
        written: list[bytes] = []
        for run in head.runs if head.options <= _ORDINARY_OPTIONS else [_without_named(head)]:
            kept = run.kept if keeps_host else run.kept_elsewhere
            if kept is None:
                written += self._look_at(run, keeps_host=keeps_host, believes=believes)
            else:
                written.append(kept)
        if not keeps_host:
            written.append(b"Host: %b\r\n" % upstream_host)
        return written

    def _look_at(self, run: Run, *, keeps_host: bool, believes: bool) -> list[bytes]:
        """Give what the application gets of these lines; `believes` what the peer says of the way here."""
        written: list[bytes] = []
        for line in run.lines:
            fate = line.name.fate
            if fate is Fate.IS_ASKED_ABOUT:
                written += self._asked_about(line)
            elif (
                fate is Fate.PASSES
                or (fate is Fate.IS_HOST and keeps_host)
                or (fate is Fate.IS_WAY and believes and line.name.text not in _REWRITTEN_WAY)
            ):
                written.append(line.raw)
        return written

    def _asked_about(self, line: Line) -> list[bytes]:
        """Give what the application gets of a line with our own cookies, or with what only we may write."""
        kept = without_forged((line.field,), keep_own_cookies=self.keeps_own_cookies)
        if kept == [line.field]:
            return [line.raw]
        return [b"%b: %b\r\n" % (line.raw[: len(name)], value) for name, value in kept]


def trailers_to_pass(trailers: Iterable[Field]) -> Fields:
    """Give the trailers that may be passed on: none that is decided by (RFC 9110 section 6.5.1), none of ours."""
    return tuple(field for field in trailers if _may_trail(field[0].lower()))


def _may_trail(name: bytes) -> bool:
    return fate_of(name) is Fate.PASSES and name not in _NO_TRAILER


def _without_named(head: Head) -> Run:
    """Drop the fields that Connection names; the judge has refused those that we decide by."""
    return Run([line for line in head.lines if line.name.text not in head.options])


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
        return direct_way(visit.peer, visit.scheme, head.host)
    told: dict[bytes, list[bytes]] = {}
    for name, value in head.fields:
        if name in _TOLD_OF_WAY:
            told.setdefault(name, []).append(value)
    # Not remembered: it holds whatever a client wrote before the proxy.
    return _written_way(
        visit.peer,
        visit.scheme,
        head.host,
        b", ".join(told.get(b"x-forwarded-for", ())),
        b", ".join(told.get(b"forwarded", ())),
        has_host=b"x-forwarded-host" in told,
    )


def _written_way(
    peer: str,
    scheme: str,
    host: bytes,
    before: bytes = b"",
    forwarded: bytes = b"",
    *,
    has_host: bool = False,
) -> bytes:
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


direct_way = lru_cache(_KNOWN_WAYS)(_written_way)
"""Gives the lines about the way of a request that nobody stands before: of its peer, scheme and Host."""
