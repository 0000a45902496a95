"""Which way a call takes: which addresses may be asked at all, by which proxy, and whose certificates are trusted."""

import ssl
from collections.abc import Mapping
from urllib.parse import SplitResult, urlsplit

from doorward.base.loopback import is_loopback_host
from doorward.outbound.failure import OutboundFailed


def acceptable(url: str) -> SplitResult:
    """Take an address apart; raises `OutboundFailed` for one that must not be asked."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        raise OutboundFailed("not an address", "?") from None
    if not host or parts.username is not None or parts.fragment:
        raise OutboundFailed("not an address without user and fragment", host or "?")
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback_host(host)):
        raise OutboundFailed("not https", host)
    return parts


def host_of(parts: SplitResult) -> str:
    """Give host and port as they stand in the address; there is no user part."""
    return parts.netloc


def proxies_of(environ: Mapping[str, str]) -> Mapping[str, str]:
    """Read `<scheme>_proxy` and `no_proxy`, where lower case wins over upper case as it does in curl."""
    names = sorted(environ, key=str.islower)
    return {name.lower().removesuffix("_proxy"): environ[name] for name in names if _names_proxy(name, environ)}


def _names_proxy(name: str, environ: Mapping[str, str]) -> bool:
    return name.lower().endswith("_proxy") and bool(environ[name])


def is_direct(parts: SplitResult, no_proxy: str) -> bool:
    """Say whether `no_proxy` exempts a host: `*`, a name with all below it, or either with a port."""
    host, port = (parts.hostname or "").lower(), parts.port or 443
    for entry in no_proxy.lower().replace(",", " ").split():
        name, _, only_port = entry.partition(":")
        name = name.removeprefix("*").removeprefix(".")
        if entry == "*" or (only_port in ("", str(port)) and (host == name or host.endswith(f".{name}"))):
            return True
    return False


def trust_system_and(ca_file: str | None) -> ssl.SSLContext:
    """Trust the system's authorities (or those SSL_CERT_FILE and SSL_CERT_DIR name) and the operator's own."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca_file is not None:
        add_authorities(context, ca_file)
    return context


def add_authorities(context: ssl.SSLContext, ca_file: str) -> None:
    """Trust the authorities in `ca_file` as well; raises `ValueError` when it cannot be read or holds none."""
    try:
        context.load_verify_locations(ca_file)
    except OSError as error:
        raise ValueError(f"{ca_file}: no certificates can be read: {error.strerror or error}") from error
