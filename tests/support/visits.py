"""Requests as the exchange sees them, without a server."""

from doorward.base.entropy import SeededEntropy
from doorward.identity.visit import Trust, Visit

TRUST = Trust(entropy=SeededEntropy(), public_url="https://app.example.com", trusted_proxies=["10.0.0.0/8"])


def visit(*headers: tuple[str, str], peer: str = "192.0.2.1") -> Visit:
    """Give a request to the token service with these headers."""
    raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers]
    return TRUST.visit(method="POST", path="/auth-service/x", query="", raw_headers=raw, peer=peer, scheme="https")


def json_visit(content_type: str = "application/json") -> Visit:
    """Give a request that says it carries JSON."""
    return visit(("Content-Type", content_type))
