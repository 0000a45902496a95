"""Google: OpenID Connect, with everything in the id_token (easy-auth reference 2.3 and 4.3)."""

from doorward.identity.claims import EMAIL
from doorward.protocol.id_token import IssuerRule, issuer_is
from doorward.providers.spec import Endpoints, ProviderSpec


def issuers_of(issuer: str, _configured: str) -> IssuerRule:
    """Give the rule for the issuer, which Google writes with or without its scheme (interface, section 7)."""
    return issuer_is(issuer, issuer.removeprefix("https://"))


SPEC = ProviderSpec(
    name="google",
    label="Google",
    tree_key="google",
    kind="oidc",
    endpoints=Endpoints(issuer="https://accounts.google.com"),
    default_scopes=("openid", "profile", "email"),
    parameter_order=("response_type", "client_id", "redirect_uri", "scope"),
    forwarded_parameters=("access_type", "login_hint", "prompt", "domain_hint", "scope", "resource", "response_type"),
    login_names=((EMAIL, EMAIL),),
    name_typ=EMAIL,
    issuer_rule=issuers_of,
    posted_beside=("authorization_code", "redirect_uri"),
    tokens=("id_token", "access_token", "expires_on", "refresh_token"),
    sample={
        "iss": "https://accounts.google.com",
        "azp": "1031-example.apps.googleusercontent.com",
        "aud": "1031-example.apps.googleusercontent.com",
        "sub": "115003833514858822132",
        "hd": "contoso.com",
        "email": "jane@contoso.com",
        "email_verified": True,
        "at_hash": "ixNBF75M3q3tVC6VdRJQRg",
        "name": "Jane Doe",
        "picture": "https://lh3.googleusercontent.com/a/example",
        "given_name": "Jane",
        "family_name": "Doe",
        "iat": 1800000000,
        "exp": 1800003600,
    },
)
