"""The auth tree as it is meant: every default filled in, every secret resolved (easy-auth reference 9).

`auth_tree.plan_tree` reads the tree into an `AuthPlan`; the rooms know nothing of the tree itself.
"""

from collections.abc import Mapping
from dataclasses import field
from typing import Literal

from doorward.base.frozen import frozen
from doorward.base.secret import Secret
from doorward.identity.admission import Action
from doorward.identity.policy import Policy
from doorward.providers.spec import Endpoints, ProviderSpec

Expiration = Literal["FixedTime", "IdentityProviderDerived"]


@frozen
class ProviderPlan:
    """One provider that people may sign in with.

    `name` is its alias in addresses, headers and payloads: `spec.name`, or the name of a custom provider. `endpoints`
    are those of the tree and of `[providers.NAME]` laid over the built-in ones. Where `endpoints.discovery` is not
    empty, the document there fills what is empty beside it, and names the issuer that tokens are held to; where it is
    empty, nothing is missing. `client_secret` is false where there is none. `scopes` are those of the tree, empty where
    the built-in ones count. `login_parameters` take the place of built-in parameters of the same name.
    """

    name: str
    spec: ProviderSpec
    client_id: str
    client_secret: Secret
    endpoints: Endpoints
    scopes: tuple[str, ...] = ()
    login_parameters: tuple[tuple[str, str], ...] = ()
    audiences: tuple[str, ...] = ()
    policy: Policy = field(default_factory=Policy)
    name_claim_type: str = ""
    sends_challenge: bool = True
    certificate_file: str = ""
    key_file: str = ""
    team_id: str = ""
    key_id: str = ""
    private_key_file: str = ""


@frozen
class AuthPlan:
    """What the auth tree says. Durations are seconds; paths begin with a slash and have none at their end.

    `provider` is the alias that RedirectToLoginPage goes straight to, None where people choose. `providers` stand in
    the order of the tree. `host_header` is the header in which trusted proxies name the host, in lower case.
    `scopes_of_metadata` is None where no protected-resource metadata is served.
    """

    enabled: bool
    action: Action
    provider: str | None = None
    excluded_paths: tuple[str, ...] = ()
    providers: Mapping[str, ProviderPlan] = field(default_factory=dict[str, ProviderPlan])
    api_prefix: str = "/.auth"
    logout_path: str = "/.auth/logout"
    token_store: bool = True
    refresh_extension: float = 72 * 3600.0
    preserve_fragments: bool = False
    allowed_targets: tuple[str, ...] = ()
    expiration: Expiration = "FixedTime"
    cookie_lifetime: float = 8 * 3600.0
    validate_nonce: bool = True
    nonce_lifetime: float = 300.0
    require_https: bool = True
    host_header: str = "host"
    legacy_claims: bool = True
    hide_deprecated_sid: bool = False
    sends_challenge: bool = True
    warmup_path: str | None = None
    scopes_of_metadata: tuple[str, ...] | None = None
