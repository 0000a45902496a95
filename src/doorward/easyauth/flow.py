"""What a way of signing in has to be able to do, whichever protocol the provider speaks.

OAuth 2 and OpenID Connect are one such way (`provider_client.py`), OAuth 1.0a is another. Login, callback, refresh and
logout know only this.
"""

from collections.abc import Mapping
from dataclasses import field
from typing import Protocol

from doorward.base.frozen import frozen
from doorward.config.auth_plan import ProviderPlan
from doorward.identity.person import Identity
from doorward.protocol.oauth2 import AuthorizationResponse
from doorward.protocol.parameters import Pairs
from doorward.sessions.nonce import PendingSignIn


@frozen
class Ask:
    """A sign-in about to begin: where the provider shall come back to, and what is handed on to it.

    `wishes` are parameters of the sign-in address that win over the settings (reference 1.1). `state` is written with
    the nonce in it where the provider wants that.
    """

    redirect_uri: str
    nonce: str = field(repr=False)
    state: str = field(repr=False)
    wishes: Pairs = ()


@frozen
class Begun:
    """Where to send the browser; the request token of OAuth 1.0a, with its secret, is kept until it is back.

    `asks_code` says that the answer has to bring a code.
    """

    address: str = field(repr=False)
    oauth_token: str = field(default="", repr=False)
    oauth_token_secret: str = field(default="", repr=False)
    asks_code: bool = False


@frozen
class SignedIn:
    """Who came back: the identity, the claims or profile as the provider gave them, and the nonce among them."""

    identity: Identity
    raw: Mapping[str, object] = field(repr=False)
    nonce: str | None = field(default=None, repr=False)


class Flow(Protocol):
    """One way of signing in at providers of one kind."""

    async def begin(self, plan: ProviderPlan, ask: Ask) -> Begun:
        """Say where to send the browser; raises `DoorwardError` (`discovery_failed`, `sign_in_malformed`)."""
        ...

    def nonce_of(self, plan: ProviderPlan, response: AuthorizationResponse) -> str | None:
        """Give the nonce that came back with the browser, as a lookup only.

        None where it shows only once the code is redeemed.
        """
        ...

    async def finish(
        self, plan: ProviderPlan, response: AuthorizationResponse, *, redirect_uri: str, pending: PendingSignIn | None
    ) -> SignedIn:
        """Find out who came back.

        With `pending` whatever the provider signed must carry its nonce; without, the nonce found is handed back for
        the caller to judge. Raises `DoorwardError` for everybody who is not to be believed.
        """
        ...

    async def refresh(self, plan: ProviderPlan, identity: Identity) -> Identity:
        """Give the identity with new tokens; raises `DoorwardError` as reference 5 lists."""
        ...

    async def end_session_address(self, plan: ProviderPlan, after: str) -> str | None:
        """Give where to sign out at the provider, which then leads to the absolute address `after`; None if nowhere."""
        ...
