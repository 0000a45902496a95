"""Apple: OpenID Connect without a discovery of endpoints, and with a client secret that we sign (reference 2.3)."""

from doorward.identity.claims import EMAIL, NAME
from doorward.providers.spec import Endpoints, ProviderSpec

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
