"""What is known of one identity provider, as data; routes, headers, settings, documents and the emulator follow.

A provider is one file with one `SPEC` of this type; `providers.ALL` finds them.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import field
from typing import Literal, TypeAlias

from doorward.base.frozen import frozen
from doorward.identity.claims import NAME
from doorward.protocol.id_token import IssuerRule, KeyRule, issuer_is
from doorward.protocol.jose import ONLY_RS256, ProviderKey
from doorward.providers.mapping import MapClaims, Raw, map_token
from doorward.providers.vouching import Vouch, verified_email

__all__ = ["Endpoints", "Kind", "LoginName", "ProviderSpec", "Raw"]

Kind: TypeAlias = Literal["oidc", "oauth2", "oauth1"]
LoginName: TypeAlias = tuple[str, str]
"""A claim type to take `user_id` from, and the claim type to report as `name_typ` when it was taken from there."""


@frozen
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


@frozen
class ProviderSpec:
    """All that is known of one provider.

    Names: `name` is the alias in addresses and payloads; `aliases` are further names in addresses; `label` is for
    people; `tree_key` is its key below `identityProviders`; `other_names` are further spellings in
    `redirectToProvider`; `client_id_key` and `secret_key` are its registration's keys in the auth tree.

    Asking: `endpoints` are the built-in addresses. `default_scopes` may be empty. `response_type` and `response_mode`
    are those of the authorization request with a client secret, empty where the parameter is left out;
    `response_type_without_secret` is empty where a secret is required; `response_mode_with_scopes` is the
    response_mode of a request that asks for scopes. `nonce_in_state` says that the nonce travels in `state`
    (interface, "Nonce and state"). `parameter_order` names the parameters that go first, in their order; the others
    follow as `protocol.oauth2.AuthorizationRequest` has them. `parameters` are further built-in parameters of the
    authorization request, `forwarded_parameters` those that the sign-in address hands on, `profile_parameters` those of
    the profile request.

    Answering: `map_claims` turns raw claims or a profile into `user_claims`, with the legacy map or the modern one.
    `login_names` are where `user_id` comes from, the first that is there; `login_names_2016` are those of the profile
    2016 where they differ. Without any, `user_id` is the nameidentifier, under `name_typ`. `name_claim_type` is the
    setting of that name, which maps to both. `subject_field` is the raw claim or field that becomes nameidentifier,
    `principal_field` the one that stands in `X-MS-CLIENT-PRINCIPAL-ID` where it is there, else the subject does.
    `id_token_signed` says that identity comes from an id_token, else from the profile at `userinfo_endpoint`.

    `told` gives, from the raw claims and what came beside the code by the browser, the raw claims with what nobody has
    signed; only what may be anybody's word belongs there. `secret_proof` is the parameter with which calls that carry
    an access token show that the client secret is known, too, empty where there is none. `long_lived_grant` is the
    grant_type, and the parameter, that makes a long-lived token of a short-lived one.

    Believing: `algorithms` are those that its tokens may be signed with. `issuer_rule` gives the issuers that count,
    from the issuer that discovery or the settings name and the configured one; `issuer_from_document` says that a
    discovery document may name another one. `key_rule` gives, from the former issuer, which of the provider's keys may
    sign for whom. `twin_keys` gives, from it and the address of its keys, where a second document tells more of the
    same keys; what that has under the token's `kid` is the other argument of `key_rule`. `vouched_emails` gives, from
    the raw claims and the configured issuer, the e-mail addresses that the provider vouches for; only those count in
    the lists of who may sign in.

    Client-directed sign-in (reference 3): `posted` are the fields that a body must have, `posted_instead` is one that
    may stand in place of them all, `posted_beside` are those that may come along. `token_info` is how the provider
    tells at `token_info_endpoint` whose a token is: as Graph's `debug_token` or as GitHub's check of a token. Whether
    a field is a token to verify, or one to ask for a profile with, follows from `kind`.

    Tokens: `tokens` are the kinds that headers have, by their names in `ProviderTokens` and in the order of the
    headers (reference 6). `can_refresh` says whether `/.auth/refresh` is possible at all; `takes_bearer` whether its
    JWTs count as `Authorization: Bearer`. `signs_out` says that a sign-out goes on to the provider where its
    `end_session_endpoint` is known, `tells_of_sign_outs` that the provider may tell us of one (OpenID Connect
    Back-Channel Logout).

    `sample` is one set of raw claims, or one profile, for documents, tests and the emulator.
    """

    name: str
    label: str
    tree_key: str
    kind: Kind
    endpoints: Endpoints
    tokens: tuple[str, ...]
    sample: Raw
    map_claims: MapClaims = map_token
    login_names: tuple[LoginName, ...] = ()
    login_names_2016: tuple[LoginName, ...] = ()
    name_typ: str = NAME
    name_claim_type: str = ""
    subject_field: str = "sub"
    principal_field: str = ""
    issuer_rule: Callable[[str, str], IssuerRule] = lambda issuer, _configured: issuer_is(issuer)
    key_rule: Callable[[str, Iterable[ProviderKey]], KeyRule | None] = lambda _issuer, _twins: None
    twin_keys: Callable[[str, str], str] = lambda _issuer, _keys: ""
    issuer_from_document: bool = False
    algorithms: frozenset[str] = ONLY_RS256
    vouched_emails: Vouch = verified_email
    told: Callable[[Raw, Mapping[str, str]], Raw] = lambda raw, _told: raw
    secret_proof: str = ""
    long_lived_grant: str = ""
    posted: tuple[str, ...] = ("id_token",)
    posted_instead: str = ""
    posted_beside: tuple[str, ...] = ()
    token_info: Literal["", "debug_token", "check_token"] = ""
    aliases: tuple[str, ...] = ()
    other_names: tuple[str, ...] = ()
    client_id_key: str = "clientId"
    secret_key: str = "clientSecretSettingName"
    default_scopes: tuple[str, ...] = ()
    response_type: str = "code"
    response_type_without_secret: str = ""
    response_mode: str = ""
    response_mode_with_scopes: str = ""
    nonce_in_state: bool = True
    parameter_order: tuple[str, ...] = ()
    parameters: Mapping[str, str] = field(default_factory=dict[str, str])
    forwarded_parameters: tuple[str, ...] = ()
    profile_parameters: Mapping[str, str] = field(default_factory=dict[str, str])
    can_refresh: bool = True
    takes_bearer: bool = False
    tells_of_sign_outs: bool = False
    signs_out: bool = True
    id_token_signed: bool = True
