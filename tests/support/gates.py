"""A gate made by hand: callers by the value of their session cookie, for doors that are tested without a database."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from doorward.base.errors import DoorwardError
from doorward.base.refusals import STORE_UNAVAILABLE
from doorward.base.refusals_easyauth import INVALID_BEARER
from doorward.identity.admission import Allow, Anonymous, Bad, Credential, Recognised, Via
from doorward.identity.claims import Claim
from doorward.identity.person import Identity, ProviderTokens
from doorward.identity.principal import Principal, principal_of
from doorward.identity.visit import Visit
from doorward.protocol.easyauth import session_cookie_value

IDENTITY = Identity(
    provider="aad",
    user_id="jane@contoso.com",
    subject="sub-1",
    principal_id="aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee",
    name_typ="http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress",
    claims=(Claim("aud", "11111111-aaaa-4aaa-8aaa-000000000001"), Claim("name", "Jane Doe")),
    tokens=ProviderTokens(id_token="made-up-id-token", refresh_token="made-up-refresh-token"),
)
JANE: Principal = principal_of(
    IDENTITY,
    token_kinds=("id_token", "access_token", "expires_on", "refresh_token"),
    with_tokens=True,
    with_refresh_token=True,
)


@dataclass(frozen=True)
class HandMadeCaller:
    """A caller who is just a credential."""

    credential: Credential


@dataclass
class HandMadeGate:
    """Recognises the cookies of `known` and the bearer `good`; cookies beginning with `slow` only when asked.

    While it is `away`, whoever is not known from memory cannot be looked up.
    """

    known: Mapping[str, Principal] = field(default_factory=lambda: {"jane": JANE, "slow-jane": JANE})
    away: bool = False
    asked: int = 0

    def recognise_now(self, visit: Visit) -> HandMadeCaller | None:
        """Give the caller, or None for cookies that begin with `slow`."""
        if (authorization := visit.header(b"authorization")) is not None:
            good = authorization == b"Bearer good"
            credential = Recognised(via=Via.BEARER, principal=JANE) if good else Bad(row=INVALID_BEARER, facts={})
            return HandMadeCaller(credential)
        cookie = session_cookie_value(visit.raw_headers) or ""
        return None if cookie.startswith("slow") else self._find(cookie)

    async def recognise(self, visit: Visit) -> HandMadeCaller:
        """Give the caller; raises `DoorwardError` while it is away."""
        self.asked += 1
        if self.away:
            raise DoorwardError(STORE_UNAVAILABLE, reason="away")
        return self._find(session_cookie_value(visit.raw_headers) or "")

    def key(self, visit: Visit) -> bytes | None:
        """Give the cookie, empty where there is none, and None beside a bearer."""
        if visit.header(b"authorization") is not None:
            return None
        return (session_cookie_value(visit.raw_headers) or "").encode()

    def site(self, visit: Visit) -> str | None:
        """Give the host, as if there were several sites."""
        return (visit.header(b"host") or b"").decode()

    def recognise_again(self, key: bytes, site: str | None) -> Allow | None:
        """Let whoever is known pass, but at `elsewhere`."""
        principal = None if site == "elsewhere" else self.known.get(key.decode())
        return None if principal is None else Recognised(via=Via.COOKIE, principal=principal).allow

    def _find(self, cookie: str) -> HandMadeCaller:
        principal = self.known.get(cookie)
        return HandMadeCaller(Anonymous() if principal is None else Recognised(via=Via.COOKIE, principal=principal))
