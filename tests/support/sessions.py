"""Sessions without a server: people, and replicas that share one database."""

from dataclasses import dataclass, field
from typing import Any

from doorward.base.clock import FrozenClock
from doorward.base.entropy import SeededEntropy
from doorward.base.secret import Secret
from doorward.config.auth_plan import AuthPlan, ProviderPlan
from doorward.identity.claims import Claim
from doorward.identity.person import Identity, ProviderTokens
from doorward.identity.visit import Trust, Visit
from doorward.protocol.sealing import Sealer
from doorward.providers import ALL, custom
from doorward.providers.spec import Endpoints, ProviderSpec
from doorward.sessions.desk import SessionDesk
from doorward.sessions.gate import Bearers, Gate
from doorward.sessions.nonce import Nonces
from doorward.sessions.presenting import Presenter
from doorward.sessions.rules import SessionRules
from doorward.sessions.session_token import SessionTokens
from doorward.store import Store
from tests.support.canaries import canary

NOW = 1_800_000_000.0
SECRET = bytes(range(32))
LIFETIME = 300.0
SITE = "https://app.example.com"
OTHER_SITE = "https://www.example.com"
TRUST = Trust(entropy=SeededEntropy(b"visits"), public_url=SITE, additional_hosts=["www.example.com"])


def provider(name: str, spec: ProviderSpec, **more: Any) -> ProviderPlan:
    """Give the plan of a provider, whose addresses are all below `https://<name>.example`."""
    issuer = f"https://{name}.example"
    return ProviderPlan(
        name=name,
        spec=spec,
        client_id=f"client-{name}",
        client_secret=Secret(canary(f"client-{name}")),
        endpoints=Endpoints(issuer=issuer, jwks_uri=f"{issuer}/keys"),
        **more,
    )


PROVIDERS = {
    "aad": provider("aad", ALL["aad"]),
    "google": provider("google", ALL["google"]),
    "github": provider("github", ALL["github"]),
    "twitter": provider("twitter", ALL["twitter"]),
    "contoso": provider("contoso", custom("contoso")),
}


def plan_of(**more: Any) -> AuthPlan:
    """Give an auth tree with five providers; `more` are further members of `AuthPlan`."""
    usual: dict[str, Any] = {"enabled": True, "action": "RedirectToLoginPage", "providers": PROVIDERS}
    return AuthPlan(**{**usual, **more})


@dataclass
class Replica:
    """What one process has of sessions."""

    store: Store
    clock: FrozenClock
    entropy: SeededEntropy
    presenter: Presenter
    desk: SessionDesk
    nonces: Nonces
    tokens: SessionTokens
    bearers: Bearers = field(default_factory=Bearers)

    @property
    def gate(self) -> Gate:
        """Give a gate; `bearers` says which bearers it takes."""
        return Gate(self.desk, self.tokens, self.presenter, self.clock, self.bearers)


def replica(
    store: Store, clock: FrozenClock, seed: bytes, plan: AuthPlan | None = None, *, profile: str = "current",
    redact: bool = False, with_refresh_token: bool = True, **rules: Any
) -> Replica:  # fmt: skip
    """Give a replica on `store`; `rules` are those of `SessionRules`."""
    entropy = SeededEntropy(seed)
    presenter = Presenter(plan or plan_of(), profile=profile, redact=redact, with_refresh_token=with_refresh_token)
    desk = SessionDesk(
        store,
        clock,
        entropy,
        sealer=Sealer(SECRET, "sessions"),
        rules=SessionRules(**rules),
        present=presenter,
    )
    nonces = Nonces(store, clock, entropy, sealer=Sealer(SECRET, "pending sign-ins"), lifetime=LIFETIME)
    tokens = SessionTokens(SECRET, [SITE, OTHER_SITE])
    return Replica(store, clock, entropy, presenter, desk, nonces, tokens)


def visit(*headers: tuple[str, str], method: str = "GET", path: str = "/.auth/me", query: str = "") -> Visit:
    """Give a request to `SITE` with these headers."""
    raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers]
    return TRUST.visit(method=method, path=path, query=query, raw_headers=raw, peer="192.0.2.1", scheme="https")


def cookie_of(value: str) -> tuple[str, str]:
    """Give the header that carries a session cookie."""
    return "Cookie", f"theme=dark; AppServiceAuthSession={value}"


def person(name: str = "jane", at: str = "aad", **tokens: Any) -> Identity:
    """Give somebody who signed in `at` a provider, with an access and a refresh token unless `tokens` say otherwise."""
    kept: dict[str, Any] = {"access_token": canary(f"access-{name}"), "refresh_token": canary(f"refresh-{name}")}
    return Identity(
        provider=at,
        user_id=f"{name}@contoso.com",
        subject=f"sub-{name}",
        principal_id=f"oid-{name}",
        name_typ="http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress",
        claims=(Claim("exp", str(int(NOW) + 3600)), Claim("name", name)),
        tokens=ProviderTokens(**{**kept, **tokens}),
    )
