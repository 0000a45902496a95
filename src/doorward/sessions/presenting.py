"""What others are shown of an identity: headers for the application, and the body of `/.auth/me`.

Both are made once for a session or a credential and then only sent. Without a token store no token is shown to anybody
(easy-auth reference 4 and 6).
"""

from collections.abc import Mapping

import msgspec

from doorward.config.auth_plan import AuthPlan
from doorward.identity.person import Identity, me_entry
from doorward.identity.principal import (
    PLATFORM,
    Principal,
    principal_of,
    principal_of_session_token,
    with_named_roles,
)
from doorward.sessions.session import Session


class Presenter:
    """Knows by the settings what may be shown."""

    def __init__(
        self,
        plan: AuthPlan,
        *,
        profile: str,
        redact: bool,
        with_refresh_token: bool,
        names_roles: bool = False,
    ) -> None:
        """Follow the auth tree, and `profile`, `redact_me_tokens`, `inject_refresh_token` of `[easyauth]`.

        `names_roles` is `consistent_roles` there.
        """
        self._kinds = {name: provider.spec.tokens for name, provider in plan.providers.items()} | {PLATFORM: ()}
        self._with_tokens = plan.token_store
        self._profile = profile
        self._redact = redact
        self._with_refresh_token = with_refresh_token
        self._names_roles = names_roles

    def __call__(self, identity: Identity, *, refreshed: bool) -> tuple[Principal, bytes]:
        """Give the principal for the application, and the body of `/.auth/me`.

        Raises `LookupError` for an identity of a provider that is not configured (any more).
        """
        if self._names_roles:
            identity = with_named_roles(identity)
        principal = principal_of(
            identity,
            token_kinds=self._kinds[identity.provider],
            with_tokens=self._with_tokens,
            with_refresh_token=self._with_refresh_token,
        )
        entry = me_entry(identity, profile=self._profile, refreshed=refreshed, redact=self._redact)
        return principal, msgspec.json.encode([entry])

    def by_session_token(self, claims: Mapping[str, object], session: Session) -> Principal:
        """Give the principal of who comes with a session token: its claims, and the session's provider tokens."""
        kinds = self._kinds[session.provider] if self._with_tokens else ()
        return principal_of_session_token(
            claims,
            user_id=session.user_id,
            tokens=session.identity.tokens,
            token_kinds=[kind for kind in kinds if self._with_refresh_token or kind != "refresh_token"],
        )
