"""The original request, as a trusted reverse proxy describes it in headers of its question.

Either `X-Original-Method` and `X-Original-URL`, or `X-Forwarded-Method` and `X-Forwarded-Uri` (interface section 6 and
the ruling on `/.auth/check`). A description that is incomplete, that is there twice or in both ways, or that no request
could have is refused: a proxy that adds to what a client sent, in place of overwriting it, would let the client
describe itself.
"""

import re
from typing import TypeAlias

from doorward.identity.visit import Scheme, Visit

_ORIGINAL_METHOD, _ORIGINAL_URL = b"x-original-method", b"x-original-url"
_FORWARDED_METHOD, _FORWARDED_URI = b"x-forwarded-method", b"x-forwarded-uri"
_FORWARDED_HOST = b"x-forwarded-host"
_DESCRIBING = frozenset({_ORIGINAL_METHOD, _ORIGINAL_URL, _FORWARDED_METHOD, _FORWARDED_URI})
_TOLD = _DESCRIBING | {b"host", _FORWARDED_HOST}
_Told: TypeAlias = dict[bytes, list[bytes]]
_METHOD = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,32}")
# No space and no `#`: a request line has neither, and a comma and a space are what a second value is joined with.
_PATH = re.compile(rb"(/[^\x00-\x20\x7f#?]*)(?:\?([^\x00-\x20\x7f#]*))?")
_URL = re.compile(
    rb"(https?)://([A-Za-z0-9.-]{1,255}(?::[0-9]{1,5})?|\[[0-9A-Fa-f:.]+\](?::[0-9]{1,5})?)(/.*|\?.*|)", re.DOTALL
)


class NotTold(ValueError):
    """The original request is not known; the argument says what is missing or wrong, without quoting a value."""


def read_original(visit: Visit, host_header: bytes = b"host") -> Visit:
    """Give the original request; `visit` is the question of a trusted peer, whose client address and id it keeps.

    `host_header` is where `Trust.site` looks for the host. Raises `NotTold`.
    """
    told: _Told = {}
    kept: list[tuple[bytes, bytes]] = []
    for header in visit.raw_headers:
        if header[0] in _TOLD:
            told.setdefault(header[0], []).append(header[1])
        elif header[0] != host_header:
            kept.append(header)
    method, url = _method_and_url(told)
    scheme, host, path, query = _split(visit.scheme, told, url)
    named = [(name, host) for name in dict.fromkeys((b"host", host_header))] if host else []
    return Visit(
        method=method.decode("ascii"),
        path=path.decode("latin-1"),
        query=query.decode("latin-1"),
        raw_headers=(*named, *kept),
        peer=visit.peer,
        peer_is_trusted=True,
        scheme=scheme,
        address=visit.address,
        address_is_proxy=visit.address_is_proxy,
        request_id=visit.request_id,
    )


def origin_of(url: bytes) -> bytes:
    """Give what of an address stands before its path; nothing where it is only a path, which some proxies send."""
    absolute = None if url[:1] == b"/" else _URL.fullmatch(url)
    return b"" if absolute is None else url[: absolute.end(2)]


def _method_and_url(told: _Told) -> tuple[bytes, bytes]:
    given = _DESCRIBING.intersection(told)
    if twice := sorted(name.decode() for name in given if len(told[name]) > 1):
        raise NotTold(f"{twice[0]} is there twice")
    names = (_ORIGINAL_METHOD, _ORIGINAL_URL) if _ORIGINAL_URL in given else (_FORWARDED_METHOD, _FORWARDED_URI)
    if given.difference(names):
        raise NotTold("X-Original-* and X-Forwarded-Method or -Uri contradict each other")
    if missing := [name.decode() for name in names if name not in given]:
        raise NotTold(f"{missing[0]} is missing")
    method, url = told[names[0]][0], told[names[1]][0]
    if not _METHOD.fullmatch(method):
        raise NotTold(f"{names[0].decode()} is no method")
    return method, url


def _split(asked_by: str, told: _Told, url: bytes) -> tuple[Scheme, bytes, bytes, bytes]:
    """Give scheme, host, path and query; of the host's forwarded names only where the address is a path."""
    scheme: Scheme = "https" if asked_by == "https" else "http"
    host, rest = _forwarded_host(told), url
    if url[:1] != b"/":
        absolute = _URL.fullmatch(url)
        if absolute is None or _FORWARDED_URI in told:
            raise NotTold("the address is neither a path nor a web address")
        scheme = "https" if absolute[1] == b"https" else "http"
        host, rest = absolute[2], absolute[3] if absolute[3][:1] == b"/" else b"/" + absolute[3]
    parts = _PATH.fullmatch(rest)
    if parts is None:
        raise NotTold("the address holds what no request line has")
    return scheme, host, parts[1], parts[2] or b""


def _forwarded_host(told: _Told) -> bytes:
    """Give the host that the nearest proxy names: the right-most value, since a proxy may append to a forged one."""
    values = told.get(_FORWARDED_HOST) or told.get(b"host")
    return values[-1].rpartition(b",")[2].strip() if values else b""
