"""Apple: OpenID Connect without a discovery of endpoints, and with a client secret that we sign (reference 2.3).

The person's name is in no token. It comes by the browser, beside the code, when somebody signs in for the first time.
"""

from collections.abc import Mapping
from typing import cast

from doorward.base.strict_json import NotStrictJson, decode_object
from doorward.base.text import cleaned
from doorward.identity.claims import EMAIL, NAME
from doorward.providers.spec import Endpoints, ProviderSpec
from doorward.providers.vouching import Raw

_PARTS = {"given_name": "firstName", "family_name": "lastName"}


def with_name(raw: Raw, told: Mapping[str, str]) -> Raw:
    """Add the name in the field `user` to the claims, where they have none.

    Nothing but the name is taken from it: the browser could have written it, the address above all.
    """
    try:
        name = decode_object(told.get("user", "{}").encode()).get("name")
    except NotStrictJson:
        return raw
    if not isinstance(name, dict):
        return raw
    given = {claim: _text(cast("Raw", name).get(field)) for claim, field in _PARTS.items()}
    given["name"] = " ".join(part for part in given.values() if part)
    return {**raw, **{claim: text for claim, text in given.items() if text and claim not in raw}}


def _text(value: object) -> str:
    return cleaned(value).strip() if isinstance(value, str) else ""


SPEC = ProviderSpec(
    name="apple",
    label="Apple",
    tree_key="apple",
    kind="oidc",
    endpoints=Endpoints(
        issuer="https://appleid.apple.com",
        authorization_endpoint="https://appleid.apple.com/auth/authorize",
        token_endpoint="https://appleid.apple.com/auth/token",
        jwks_uri="https://appleid.apple.com/auth/keys",
    ),
    response_mode_with_scopes="form_post",
    forwarded_parameters=("login_hint", "prompt", "domain_hint", "scope", "resource", "response_type"),
    login_names=((EMAIL, NAME),),
    told=with_name,
    tokens=("id_token", "access_token", "expires_on"),
    can_refresh=False,
    sample={
        "iss": "https://appleid.apple.com",
        "aud": "com.contoso.web",
        "exp": 1800086400,
        "iat": 1800000000,
        "sub": "001999.0123456789abcdef0123456789abcdef.1234",
        "at_hash": "ixNBF75M3q3tVC6VdRJQRg",
        "email": "jane@privaterelay.appleid.com",
        "email_verified": "true",
        "is_private_email": "true",
        "auth_time": 1800000000,
    },
)
