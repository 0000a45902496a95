"""Where a browser may be sent: the one judge of every redirect target that a stranger can name.

Easy-auth reference 10.3 and the interface, section 7: paths of the site itself, the site's own origin, and the entries
of `login.allowedExternalRedirectUrls`. Nothing is repaired or guessed. Browsers and libraries read strange addresses in
different ways, so an address that any of them could take for another place is refused, not interpreted: backslashes
(slashes to browsers), tabs and line breaks (which browsers drop), other control characters, user-info, `//host`, and
hosts in another spelling than the site's own.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import quote

from doorward.base.text import has_hidden

TARGET_MAX = 8192
_RESERVED = "%:/?#[]@!$&'()*+,;="  # RFC 3986 section 2.2 and the percent sign of what is encoded already
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
# An escaped backslash or control character has no honest use in a path, and whoever decodes the path and redirects
# once more would make of it what is refused above.
_TRICK = re.compile(r"%(?:5c|7f|[01][0-9a-f])", re.IGNORECASE)
_PARTS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):(?://([^/?#]*))?(/[^?#]*|)(?:[?#].*)?")
_HOST = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")
_DOTS = re.compile(r"(?:\.|%2e){1,2}", re.IGNORECASE)
_WEB = frozenset({"http", "https"})
# With these a browser runs, reads or shows something in place of going somewhere: no target, even where listed.
_NEVER = frozenset(
    {"about", "blob", "data", "file", "filesystem", "javascript", "vbscript", "view-source", "ws", "wss"}
)


class _Address(NamedTuple):
    """An absolute address: scheme and host with port as written, and the path; `host` is None without `//`."""

    scheme: str
    host: str | None
    path: str

    @property
    def place(self) -> tuple[str, str | None]:
        """Give scheme and host as they are compared with what an operator wrote."""
        return self.scheme.lower(), self.host and self.host.lower()


def allowed_target(target: str, site: str, allowed: Sequence[str] = ()) -> str | None:
    """Give `target` as it may stand in a Location header if a browser on `site` may be sent there, else None.

    `site` is an origin (`https://app.example.com`), `allowed` the entries of `login.allowedExternalRedirectUrls`. A
    path (`/a?b#c`) is on the site. An absolute address is allowed when scheme, host and port are written as the site's
    are, or when it lies below an entry: the same scheme, host and port, and the entry's path as a prefix that ends
    where a segment ends; an entry's query and fragment do not count. Entries may have the schemes of applications
    (`app://easyauth.callback`, `com.example.app:/callback`). Characters that an address cannot hold, such as spaces and
    letters beyond ASCII, come back percent-encoded in UTF-8; nothing else is changed. Never raises.
    """
    if not target or len(target) > TARGET_MAX or "\\" in target or has_hidden(target):
        return None
    encoded = quote(target, safe=_RESERVED)
    path = re.split(r"[?#]", encoded, maxsplit=1)[0]
    if len(encoded) > TARGET_MAX or _BAD_ESCAPE.search(path) or _TRICK.search(path):
        return None
    if encoded.startswith("/"):
        return encoded if _stays(path) else None
    address = _read(encoded)
    if address is None:
        return None
    on_site = f"{address.scheme}://{address.host}" == site
    return encoded if on_site or any(_covers(entry, address) for entry in allowed) else None


def _stays(path: str) -> bool:
    """Say whether a path stays on its site for every reader.

    `//evil.example` is another host, and so is `/%2fevil.example` to whoever decodes it; `/.//evil.example` and
    `/a/..//evil.example` become one once somebody has tidied the dot segments away.
    """
    slashes = re.sub("%2f", "/", path, flags=re.IGNORECASE)
    if slashes.startswith("//"):
        return False
    segments = slashes.split("/")[1:]
    return not (any(_DOTS.fullmatch(segment) for segment in segments) and "" in segments[:-1])


def _read(text: str) -> _Address | None:
    """Read an absolute address; None where it is no honest one.

    A web address has a host, since `https:/evil.example` and `https:///evil.example` are `https://evil.example` to a
    browser. A host holds no percent sign and no user-info.
    """
    found = _PARTS.fullmatch(text)
    if found is None or found[1].lower() in _NEVER:
        return None
    address = _Address(found[1], found[2], found[3])
    if address.host:
        return address if _HOST.fullmatch(address.host) else None
    return None if address.scheme.lower() in _WEB else address


def _covers(entry: str, target: _Address) -> bool:
    """Say whether a target lies below one entry of the list.

    The target's scheme and host are written as in the entry or in lower case. Dot segments are refused below an entry
    with a path, since a browser would climb out of it, and so are encoded slashes among them.
    """
    listed = _read(entry)
    if listed is None or (target.scheme, target.host) not in {(listed.scheme, listed.host), listed.place}:
        return False
    prefix = listed.path.rstrip("/")
    if not prefix:
        return True
    if any(_DOTS.fullmatch(segment) for segment in re.split("/|%2f", target.path, flags=re.IGNORECASE)):
        return False
    return target.path == prefix or target.path.startswith(f"{prefix}/")
