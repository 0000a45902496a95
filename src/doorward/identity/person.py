"""Who signed in, and what the provider gave for it (easy-auth reference 4).

`Identity` is all that is known of a signed-in person, and is what a session keeps. Tokens in it are secrets: nothing
here prints them.
"""

import msgspec

from doorward.identity.claims import Claim


class ProviderTokens(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the provider issued. `expires_on` counts 100 nanoseconds since the epoch, as .NET does."""

    access_token: str | None = None
    access_token_secret: str | None = None
    authentication_token: str | None = None
    expires_on: int | None = None
    id_token: str | None = None
    refresh_token: str | None = None

    def __repr__(self) -> str:
        """Show which tokens there are, never a token."""
        return f"ProviderTokens({', '.join(name for name in self.__struct_fields__ if getattr(self, name) is not None)})"


class Identity(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A person as a provider speaks of them.

    `user_id` is the name that people read (reference 4.5); `subject` is nameidentifier, which is stable; `principal_id`
    is what `X-MS-CLIENT-PRINCIPAL-ID` says; `stable_name` and `login_name` are what the two `sid` of a session token are
    derived from (reference 3.1). `name_typ` is the claim type that `user_id` came from.
    """

    provider: str
    user_id: str
    subject: str
    principal_id: str
    name_typ: str
    claims: tuple[Claim, ...]
    tokens: ProviderTokens = ProviderTokens()
