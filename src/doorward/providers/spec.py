"""What is known of one identity provider, as data: routes, headers, settings, documents and the emulator follow from it.

A provider is one file with one `SPEC` of this type; `providers.ALL` lists them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from doorward.identity.claims import Claim

Kind: TypeAlias = Literal["oidc", "oauth2", "oauth1"]
Raw: TypeAlias = Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoints:
    """A provider's addresses; empty where there is none, or where discovery at `issuer` gives it."""

    issuer: str = ""
    discovery: str = ""
    authorization_endpoint: str = ""
    token_endpoint: str = ""
    jwks_uri: str = ""
    userinfo_endpoint: str = ""
    end_session_endpoint: str = ""
    request_token_endpoint: str = ""
    access_token_endpoint: str = ""
    token_info_endpoint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderSpec:
    """All that is known of one provider.

    `name` is the alias in addresses and payloads; `aliases` are further names in addresses; `tree_key` its key below
    `identityProviders`; `other_names` further spellings in `redirectToProvider`. `client_id_key` and `secret_key` are
    its registration's keys in the auth tree.

    `endpoints` are the built-in addresses. `response_type` and `response_mode` are those of the authorization request
    with a client secret; `response_type_without_secret` is empty where a secret is required. `nonce_in_state` says that
    the nonce travels in `state` (interface, "Nonce and state"). `parameters` are further built-in parameters of the
    authorization request. `default_scopes` may be empty.

    `map_claims` turns raw claims or a profile into `user_claims`, with the legacy map or the modern one. `user_id`
    gives the value and the claim type of the login name. `tokens` are the token kinds that headers and `/.auth/me`
    have, by their names in `ProviderTokens`. `can_refresh` says whether `/.auth/refresh` is possible at all;
    `takes_bearer` whether its JWTs count as `Authorization: Bearer`. `id_token_signed` says that identity comes from an
    id_token, else from the profile at `userinfo_endpoint`. `sample` is one set of raw claims for documents and tests.
    """

    name: str
    label: str
    tree_key: str
    kind: Kind
    endpoints: Endpoints
    map_claims: Callable[[Raw, bool], tuple[Claim, ...]]
    user_id: Callable[[Raw, tuple[Claim, ...]], tuple[str, str]]
    tokens: tuple[str, ...]
    sample: Raw
    aliases: tuple[str, ...] = ()
    other_names: tuple[str, ...] = ()
    client_id_key: str = "clientId"
    secret_key: str = "clientSecretSettingName"
    default_scopes: tuple[str, ...] = ()
    response_type: str = "code"
    response_type_without_secret: str = ""
    response_mode: str = ""
    nonce_in_state: bool = True
    parameters: Mapping[str, str] = field(default_factory=dict[str, str])
    forwarded_parameters: tuple[str, ...] = ()
    can_refresh: bool = True
    takes_bearer: bool = False
    id_token_signed: bool = True
