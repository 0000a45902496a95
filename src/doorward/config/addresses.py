"""Addresses in settings: where to listen, whom to trust, which URLs may be asked.

Plain HTTP is accepted on loopback only. Refuses addresses with a user name or password in
them: those end up in logs. Host names are ASCII; an international name is written in its `xn--` form.
"""

import ipaddress
import re
from urllib.parse import SplitResult, urlsplit

from doorward.base.frozen import frozen
from doorward.base.loopback import is_loopback_host
from doorward.base.text import ascii_lower

PORT_MAX = 65535
TENANT_MARK = "{tenantid}"
_SAMPLE_TENANT = "00000000-0000-0000-0000-000000000000"
_HOST_PORT = re.compile(r"(\[[0-9A-Fa-f:.]{2,45}\]|[^:\[\]]{1,253}):([0-9]{1,5})")
_NAME = re.compile(
    r"(?=.{1,253}\Z)[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*"
)
_DIGITS_LAST = re.compile(r"(?:.*\.)?[0-9]+")
_PLAIN = re.compile(r"[!-~]+")
_DEFAULT_PORTS = {"http": 80, "https": 443}

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Unsuitable(ValueError):
    """A value that its setting cannot have: `what` is a predicate of the setting, `fix` a sentence."""

    def __init__(self, what: str, fix: str) -> None:
        """Say what is wrong and how to mend it; neither quotes a secret."""
        super().__init__(what)
        self.what = what
        self.fix = fix


@frozen(kw_only=False)
class Address:
    """A host and a port to listen on; `host` is without brackets, port 0 asks for any free one."""

    host: str
    port: int

    def __str__(self) -> str:
        """Print as `host:port`, an IPv6 address in brackets."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def read_host(text: str) -> str | None:
    """Give a host (IPv4, IPv6 with or without brackets, name) in its canonical form, or None when it is none."""
    bare = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    try:
        return str(ipaddress.ip_address(bare))
    except ValueError:
        folded = ascii_lower(bare)
    # A name whose last label is a number would be read as an address by some resolvers and as a name by others.
    return folded if bare == text and _NAME.fullmatch(folded) and not _DIGITS_LAST.fullmatch(folded) else None


def read_address(text: str) -> Address:
    """Read `host:port`; raises `Unsuitable`."""
    match = _HOST_PORT.fullmatch(text)
    host = read_host(match.group(1)) if match else None
    if match is None or host is None or int(match.group(2)) > PORT_MAX:
        raise Unsuitable("must be host:port, an IPv6 address in brackets", 'Write for example "127.0.0.1:8080".')
    return Address(host, int(match.group(2)))


def read_site_host(text: str) -> str:
    """Read `host` or `host:port` into its canonical form; raises `Unsuitable`."""
    if _HOST_PORT.fullmatch(text):
        return str(read_address(text))
    host = read_host(text)
    if host is None:
        raise Unsuitable("must hold host names, each with or without a port", 'Write for example "www.example.com".')
    return f"[{host}]" if ":" in host else host


def read_network(text: str) -> Network:
    """Read a CIDR block or a single address; raises `Unsuitable` when bits are set right of the prefix."""
    try:
        return ipaddress.ip_network(text)
    except ValueError:
        pass
    try:
        meant = ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise Unsuitable("must hold address blocks in CIDR form", 'Write for example "10.0.0.0/8".') from None
    raise Unsuitable("names a block with bits right of its prefix", f'Write "{meant}" if the whole block is meant.')


def _split(text: str, *, plain_anywhere: bool = False) -> tuple[SplitResult, str]:
    """Take an http or https URL apart and check its host; gives the parts and the canonical host.

    Plain http is for loopback, unless it may stand `plain_anywhere`.
    """
    try:
        parts = urlsplit(text) if _PLAIN.fullmatch(text) and "\\" not in text else None
        port = parts.port if parts else None
    except ValueError:
        parts, port = None, None
    host = read_host(parts.hostname or "") if parts else None
    if parts is None or host is None or parts.scheme not in _DEFAULT_PORTS or parts.netloc.endswith(":") or port == 0:
        raise Unsuitable("is not an absolute https URL", "Write the whole address, beginning with https://.")
    if "@" in parts.netloc:
        raise Unsuitable("carries a user name or password", "Take the part before @ out of the address.")
    if parts.scheme == "http" and not (plain_anywhere or is_loopback_host(host)):
        raise Unsuitable("is plain http off loopback", "Use https; http is accepted on loopback addresses only.")
    return parts, host


def read_url(text: str) -> str:
    """Read an https URL, or an http URL on loopback, without fragment; raises `Unsuitable`."""
    parts, _ = _split(text)
    if parts.fragment or text.endswith("#"):
        raise Unsuitable("has a fragment", "Take the part from # on out of the address.")
    return text


def read_origin(text: str, *, plain_anywhere: bool = False) -> str:
    """Read `scheme://host[:port]` into the form that browsers send in `Origin` (RFC 6454); raises `Unsuitable`.

    A single slash at the end is dropped, and so is the scheme's own port. Plain http is for loopback, unless it may
    stand `plain_anywhere`.
    """
    parts, host = _split(text, plain_anywhere=plain_anywhere)
    if parts.path not in {"", "/"} or "?" in text or "#" in text:
        raise Unsuitable("has more than scheme, host and port", 'Write for example "https://app.example.com".')
    shown = f"[{host}]" if ":" in host else host
    port = "" if parts.port in {None, _DEFAULT_PORTS[parts.scheme]} else f":{parts.port}"
    return f"{parts.scheme}://{shown}{port}"


def read_issuer(text: str) -> str:
    """Read an issuer with `{tenantid}` where the tenant's GUID goes (token-exchange reference 2.2)."""
    filled = text.replace(TENANT_MARK, _SAMPLE_TENANT)
    if filled == text or "{" in filled or "}" in filled:
        raise Unsuitable(f"has not the mark {TENANT_MARK} alone", f"Write {TENANT_MARK} where the tenant's GUID goes.")
    if "?" in filled:
        raise Unsuitable("has a query", "Take the part from ? on out of the issuer.")
    read_url(filled)
    return text


def is_plain_http(url: str) -> bool:
    """Say whether an address that was accepted is plain http, and so on loopback."""
    return url.startswith("http:")
