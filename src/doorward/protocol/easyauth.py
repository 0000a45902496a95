"""Easy Auth on the wire: header and cookie names, what a client may not say, how cookies and challenges are written.

One function removes forged identity headers for every door, and takes our own cookies out of what the application gets
(easy-auth reference 6 and 7, interface section 7). Nothing here decides anything, and nothing here is secret for longer
than a call.
"""

import re
from collections.abc import Iterable, Sequence
from email.utils import formatdate
from typing import TypeAlias

RawHeaders: TypeAlias = Sequence[tuple[bytes, bytes]]
Header: TypeAlias = tuple[bytes, bytes]

PRINCIPAL = b"X-MS-CLIENT-PRINCIPAL"
PRINCIPAL_ID = b"X-MS-CLIENT-PRINCIPAL-ID"
PRINCIPAL_NAME = b"X-MS-CLIENT-PRINCIPAL-NAME"
PRINCIPAL_IDP = b"X-MS-CLIENT-PRINCIPAL-IDP"
TOKEN_PREFIX = b"X-MS-TOKEN-"
SESSION_TOKEN = b"x-zumo-auth"

SESSION_COOKIE = "AppServiceAuthSession"
NONCE_COOKIE = "Nonce"
COUNT_COOKIE = "RedirectCount"
MAX_CHUNKS = 16
MAX_SESSION_COOKIE = 16 * 1024
_SESSION = SESSION_COOKIE.encode()
_CHUNK = re.compile(rb"(?:^|;)[ \t]*AppServiceAuthSession(|[1-9][0-9]{0,3})[ \t]*=[ \t]*([^;]*)")
_CHUNK_BEHIND_NAME = re.compile(rb"(|[1-9][0-9]{0,3})[ \t]*=[ \t]*([^;]*)")
_OWN_COOKIE = re.compile(rb"AppServiceAuthSession.*|Nonce(?:[0-9._-].*)?|RedirectCount", re.IGNORECASE | re.DOTALL)
_OWN_BEGIN = frozenset({b"appse", b"nonce", b"redir"})
_COOKIE_VALUE = re.compile(r"[!#-+\--:<-\[\]-~]*")  # RFC 6265 section 4.1.1, cookie-octet

_FORGEABLE = (b"x-ms-client-principal", b"x-ms-token-")
_LISTS_OF_NAMES = frozenset({b"connection", b"proxy-connection", b"trailer"})
# What nearly every request has, so that only the rest is looked at letter by letter.
_ORDINARY = frozenset({
    b"accept", b"accept-encoding", b"accept-language", b"authorization", b"cache-control", b"content-length",
    b"content-type", b"dnt", b"host", b"if-modified-since", b"if-none-match", b"origin", b"pragma", b"priority",
    b"range", b"referer", b"sec-ch-ua", b"sec-ch-ua-mobile", b"sec-ch-ua-platform", b"sec-fetch-dest",
    b"sec-fetch-mode", b"sec-fetch-site", b"sec-fetch-user", b"te", b"upgrade-insecure-requests", b"user-agent",
    b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto", b"x-request-id", b"x-requested-with",
    b"x-zumo-auth",
})  # fmt: skip
_KINDS = {**dict.fromkeys(_ORDINARY, "plain"), b"cookie": "cookie"}
# Servers that put headers into variables (CGI, WSGI, PHP) make one name of all these spellings.
_FOLD = bytes(c + 32 if 65 <= c <= 90 else c if 97 <= c <= 122 or 48 <= c <= 57 else 45 for c in range(256))


def without_forged(raw_headers: Iterable[Header], *, keep_own_cookies: bool = False) -> list[Header]:
    """Give the headers without those that only we may write, and without our own cookies unless they are kept.

    Removed are `X-MS-CLIENT-PRINCIPAL*` and `X-MS-TOKEN-*` in every spelling that an application could take for one of
    them, and their names out of Connection: a proxy behind us would drop the headers that it names, ours among them.
    Everything else stays byte for byte and in order.
    """
    kept: list[Header] = []
    for header in raw_headers:
        kind = _KINDS.get(header[0]) or _kind(header[0])
        if kind == "plain":
            kept.append(header)
        elif kind == "names":
            kept += _without_names(header)
        elif kind == "cookie":
            kept += (header,) if keep_own_cookies else _without_own_cookies(header)
    return kept


def is_forgeable(name: bytes) -> bool:
    """Say whether a header of this name, in any spelling, is one that only we may write."""
    return name.translate(_FOLD).lstrip(b"-").startswith(_FORGEABLE)


def _kind(name: bytes) -> str:
    """Sort a header that is not one of the ordinary ones by its name."""
    folded = name.translate(_FOLD)
    if is_forgeable(name):
        return "forged"
    if folded in _LISTS_OF_NAMES:
        return "names"
    return "cookie" if folded == b"cookie" else "plain"


def _without_names(header: Header) -> tuple[Header, ...]:
    """Take our names out of a list of header names; give nothing where nothing else was listed."""
    names = header[1].split(b",")
    kept = [name for name in names if not is_forgeable(name.strip())]
    if len(kept) == len(names):
        return (header,)
    return ((header[0], b",".join(kept).strip()),) if kept else ()


def _without_own_cookies(header: Header) -> tuple[Header, ...]:
    """Take our cookies out of a Cookie header; give nothing where there was nothing else."""
    lowered = header[1].lower()
    if not (b"appserviceauthsession" in lowered or b"nonce" in lowered or b"redirectcount" in lowered):
        return (header,)
    pairs = header[1].split(b";")
    kept = [pair for pair in pairs if not _is_own_cookie(pair)]
    if len(kept) == len(pairs):
        return (header,)
    value = b";".join(kept).strip()
    return ((header[0], value),) if value else ()


def _is_own_cookie(pair: bytes) -> bool:
    name = pair.lstrip()
    return name[:5].lower() in _OWN_BEGIN and _OWN_COOKIE.fullmatch(name.partition(b"=")[0].rstrip()) is not None


# --- cookies -----------------------------------------------------------------------------------------------------


def session_cookie_value(raw_headers: RawHeaders) -> str | None:
    """Give the value of the session cookie, its chunks joined in numeric order, or None without one that counts.

    None as well when a chunk is there twice with different values, since another host of the domain may have planted
    one of them; when there are more than 16 chunks, or more than 16 KiB.
    """
    chunks: dict[int, bytes] = {}
    for name, value in raw_headers:
        if name != b"cookie":
            continue
        for number, chunk in _chunks(value):
            chunk = chunk.rstrip(b" \t")  # noqa: PLW2901 - the pattern cannot cut it off
            if chunks.setdefault(int(number or 0), chunk) != chunk or len(chunks) > MAX_CHUNKS:
                return None
    if 0 not in chunks:
        return None
    joined = b"".join(chunks[number] for number in sorted(chunks)) if len(chunks) > 1 else chunks[0]
    return joined.decode("latin-1") if 0 < len(joined) <= MAX_SESSION_COOKIE else None


def _chunks(cookies: bytes) -> list[tuple[bytes, bytes]]:
    """Give number and value of each piece of a session cookie in a Cookie header.

    Most often there is one: then only its place is looked at, since a pattern walks through the whole header.
    """
    at = cookies.find(_SESSION)
    if at < 0:
        return []
    before, behind = cookies[:at].rstrip(b" \t"), at + len(_SESSION)
    if cookies.find(_SESSION, behind) >= 0:
        return _CHUNK.findall(cookies)
    found = None if before and before[-1:] != b";" else _CHUNK_BEHIND_NAME.match(cookies, behind)
    return [] if found is None else [(found[1], found[2])]


def session_cookie_names(raw_headers: RawHeaders) -> list[str]:
    """Give the names under which the client holds pieces of a session cookie, each once, so that all can be cleared."""
    found = [number for name, value in raw_headers if name == b"cookie" for number, _ in _chunks(value)]
    return [f"{SESSION_COOKIE}{number.decode()}" for number in sorted(set(found), key=lambda n: int(n or 0))]


def cookie_values(raw_headers: RawHeaders, name: str) -> list[str]:
    """Give every value that the client sends for a cookie, in the order it was sent."""
    wanted = name.encode()
    pairs = (pair.partition(b"=") for known, line in raw_headers if known == b"cookie" for pair in line.split(b";"))
    return [value.strip().decode("latin-1") for key, separator, value in pairs if separator and key.strip() == wanted]


def set_cookie(
    name: str, value: str, *, https: bool, expires: float | None = None, max_age: float | None = None
) -> Header:
    """Write a cookie of ours; `expires` is in seconds since the epoch, `max_age` in seconds from now.

    Without either it lasts for as long as the browser runs.

    On https it is `Secure; SameSite=None`, since a provider's form_post comes from another site; on http `SameSite=Lax`
    (interface section 7). Raises `ValueError` for a value that a cookie cannot hold.
    """
    if not _COOKIE_VALUE.fullmatch(value):
        raise ValueError(f"the value of {name} is no cookie value")
    life = "" if expires is None else f"; expires={formatdate(expires, usegmt=True)}"
    life += "" if max_age is None else f"; max-age={int(max_age)}"
    kind = "; secure; HttpOnly; SameSite=None" if https else "; HttpOnly; SameSite=Lax"
    return b"set-cookie", f"{name}={value}; path=/{life}{kind}".encode()


def clear_cookie(name: str) -> Header:
    """Have the browser forget a cookie, in App Service's own words (easy-auth reference 7)."""
    return b"set-cookie", f"{name}=deleted; path=/; expires=Thu, 01 Jan 1970 00:00:00 GMT".encode()


# --- the challenge -----------------------------------------------------------------------------------------------


def challenge(host: str, *, authorization_uri: str = "", resource_id: str = "", resource_metadata: str = "") -> bytes:
    """Write WWW-Authenticate (easy-auth reference 8.4): parameters separated by spaces, as App Service has them.

    What is empty is left out; `Bearer realm="<host>"` alone where there is no aad. The client id goes into
    `resource_id`.
    """
    parameters = {
        "realm": host,
        "authorization_uri": authorization_uri,
        "resource_id": resource_id,
        "resource_metadata": resource_metadata,
    }
    return ("Bearer " + " ".join(f'{name}="{_quoted(text)}"' for name, text in parameters.items() if text)).encode()


def _quoted(text: str) -> str:
    """Keep a value within its quotation marks: what a header cannot hold is dropped, what would end it is escaped."""
    return re.sub(r'(["\\])', r"\\\1", re.sub(r"[^\x20-\x7e]", "", text))
