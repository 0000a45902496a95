"""What the settings say of sessions: how long cookie, session token and token store last (easy-auth reference 5, 7)."""

import msgspec

from doorward.base.frozen import frozen
from doorward.config.auth_plan import AuthPlan, Expiration
from doorward.identity.person import Identity, ProviderTokens
from doorward.sessions.session import token_expiry

TOKEN_LIFETIME = 30 * 24 * 3600.0
COOKIE_LIFETIME = 8 * 3600.0
REFRESH_EXTENSION = 72 * 3600.0


@frozen
class SessionRules:
    """How long things last, in seconds.

    `extension` is for how long after its end a credential may still ask for a refresh. `store_grace` is how long a
    known session outlives a database that cannot be asked. Without `keeps_tokens`, which is the token store, no token
    of a provider is stored.
    """

    expiration: Expiration = "FixedTime"
    cookie_lifetime: float = COOKIE_LIFETIME
    token_lifetime: float = TOKEN_LIFETIME
    extension: float = REFRESH_EXTENSION
    store_grace: float = 10.0
    keeps_tokens: bool = True

    def kept(self, identity: Identity) -> Identity:
        """Give of an identity what may be stored."""
        return identity if self.keeps_tokens else msgspec.structs.replace(identity, tokens=ProviderTokens())

    def cookie_ends(self, identity: Identity, now: float) -> float:
        """Give when the cookie of a session that begins now expires (easy-auth reference 7).

        By `IdentityProviderDerived` with the provider's access token, or else its id_token.
        """
        if self.expiration == "IdentityProviderDerived":
            known = token_expiry(identity.tokens)
            derived = _id_token_expiry(identity) if known is None else known
            if derived is not None:
                return derived
        return now + self.cookie_lifetime

    def token_ends(self, identity: Identity, now: float) -> float:
        """Give when a session token that is made now expires (easy-auth reference 3.1)."""
        known = token_expiry(identity.tokens)
        return now + self.token_lifetime if known is None else known


def rules_of(plan: AuthPlan, store_grace: float) -> SessionRules:
    """Give what the auth tree and `easyauth.store_grace` say of sessions."""
    return SessionRules(
        expiration=plan.expiration,
        cookie_lifetime=plan.cookie_lifetime,
        extension=plan.refresh_extension,
        store_grace=store_grace,
        keeps_tokens=plan.token_store,
    )


def _id_token_expiry(identity: Identity) -> float | None:
    """Give the `exp` among the claims, which are text by now; None where there is none."""
    if identity.tokens.id_token is None:
        return None
    text = next((claim.val for claim in identity.claims if claim.typ == "exp"), "")
    return float(text) if text.isascii() and text.isdigit() else None
