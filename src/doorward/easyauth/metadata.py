"""Protected-resource metadata: who issues tokens for this site, and with which scopes (RFC 9728; reference 8.5).

Served to anybody, and only where `WEBSITE_AUTH_PRM_DEFAULT_WITH_SCOPES` is set; the challenge of a 401 points here. It
says what the settings say and asks no provider: whoever is told to get a token must not wait for discovery.
"""

from typing import final
from urllib.parse import quote

import msgspec

from doorward.base.frozen import frozen
from doorward.config.auth_plan import AuthPlan, ProviderPlan
from doorward.config.challenge import METADATA_PATH
from doorward.config.tree_endpoints import WELL_KNOWN
from doorward.identity.visit import Trust, Visit
from doorward.inbound.door import Reply, Route
from doorward.providers.aad import TENANT_MARK

_HEADERS = (
    (b"content-type", b"application/json"),
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
)
_AS_IT_STANDS = "%/:?#[]@!$&'()*+,;="  # RFC 3986 section 2.2; whatever else is no letter of ASCII is encoded


class _Document(msgspec.Struct, omit_defaults=True):
    """The members in the order of the reference; what is empty is left out (RFC 9728 section 3.2)."""

    resource: str
    authorization_servers: tuple[str, ...] = ()
    scopes_supported: tuple[str, ...] = ()


@final
@frozen(kw_only=False)
class Metadata:
    """Answers `/.well-known/oauth-protected-resource`, and the same with a resource's path behind it."""

    plan: AuthPlan
    trust: Trust

    def routes(self) -> list[Route]:
        """Give the routes, none where the metadata is off."""
        if self.plan.scopes_of_metadata is None:
            return []
        return [Route(method="GET", path=path, handler=self.answer) for path in (METADATA_PATH, f"{METADATA_PATH}/*")]

    async def answer(self, visit: Visit, _body: bytes) -> Reply:
        """Say it; the resource is the one into whose address the path was inserted (RFC 9728 section 3.1)."""
        below = quote(visit.path.removeprefix(METADATA_PATH), safe=_AS_IT_STANDS, encoding="latin-1")
        document = _Document(
            resource=f"{self.trust.site(visit)}{below}",
            authorization_servers=issuers_of(self.plan),
            scopes_supported=self.plan.scopes_of_metadata or (),
        )
        return Reply(200, msgspec.json.encode(document), _HEADERS)


def issuers_of(plan: AuthPlan) -> tuple[str, ...]:
    """Give the issuers of the providers whose tokens count as bearers, as the auth tree names them."""
    found = (_issuer(provider) for provider in plan.providers.values() if provider.spec.takes_bearer)
    return tuple(dict.fromkeys(issuer for issuer in found if issuer))


def _issuer(provider: ProviderPlan) -> str:
    """Give an issuer at which something can be discovered; that of many tenants' tokens has a mark in it."""
    issuer, document = provider.endpoints.issuer, provider.endpoints.discovery
    if issuer and TENANT_MARK not in issuer:
        return issuer
    return document.removesuffix(WELL_KNOWN) if document.endswith(WELL_KNOWN) else ""
