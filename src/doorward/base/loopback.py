"""Which host names mean this machine and nothing else.

Plain HTTP is accepted, the emulator is served, and no proxy is asked, only where both ends are one machine. The answer
comes from the name alone: whoever resolved a name to decide would trust whoever answers for it.
"""

from ipaddress import ip_address


def is_loopback_host(host: str) -> bool:
    """Say whether `host` is `localhost` or a literal loopback address; IPv6 may stand in brackets."""
    if host.lower() == "localhost":
        return True
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    try:
        return ip_address(bare).is_loopback
    except ValueError:
        return False
