"""Sessions without a server: people, and replicas that share one database."""

from dataclasses import dataclass
from typing import Any

import msgspec

from doorward.base.clock import FrozenClock
from doorward.base.entropy import SeededEntropy
from doorward.identity.claims import Claim
from doorward.identity.person import Identity, ProviderTokens
from doorward.identity.principal import Principal
from doorward.protocol.sealing import Sealer
from doorward.sessions.desk import SessionDesk
from doorward.sessions.nonce import Nonces
from doorward.sessions.rules import SessionRules
from doorward.store import Store
from tests.support.canaries import canary

NOW = 1_800_000_000.0
SECRET = bytes(range(32))
LIFETIME = 300.0


@dataclass
class Replica:
    """What one process has of sessions."""

    store: Store
    clock: FrozenClock
    desk: SessionDesk
    nonces: Nonces


def replica(store: Store, clock: FrozenClock, seed: bytes, **rules: Any) -> Replica:
    """Give a replica on `store`; `rules` are those of `SessionRules`."""
    entropy = SeededEntropy(seed)
    desk = SessionDesk(
        store,
        clock,
        entropy,
        sealer=Sealer(SECRET, "sessions"),
        rules=SessionRules(**rules),
        present=present,
    )
    nonces = Nonces(store, clock, entropy, sealer=Sealer(SECRET, "pending sign-ins"), lifetime=LIFETIME)
    return Replica(store, clock, desk, nonces)


def present(identity: Identity, *, refreshed: bool) -> tuple[Principal, bytes]:
    """Give headers and an element of `/.auth/me` that tell one identity from another."""
    principal = Principal(
        auth_typ=identity.provider,
        idp=identity.provider,
        id=identity.principal_id,
        name=identity.user_id,
        name_typ=identity.name_typ,
        claims=identity.claims,
        headers=((b"X-MS-CLIENT-PRINCIPAL-NAME", identity.user_id.encode()),),
    )
    shown = {"user_id": identity.user_id, "refreshed": refreshed, "access_token": identity.tokens.access_token}
    return principal, msgspec.json.encode(shown)


def person(name: str = "jane", provider: str = "aad", **tokens: Any) -> Identity:
    """Give somebody, who has an access and a refresh token unless `tokens` say otherwise."""
    kept: dict[str, Any] = {"access_token": canary(f"access-{name}"), "refresh_token": canary(f"refresh-{name}")}
    return Identity(
        provider=provider,
        user_id=f"{name}@contoso.com",
        subject=f"sub-{name}",
        principal_id=f"oid-{name}",
        name_typ="http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress",
        claims=(Claim("exp", str(int(NOW) + 3600)), Claim("name", name)),
        tokens=ProviderTokens(**{**kept, **tokens}),
    )
