"""Any other OpenID Connect provider, by a name of the operator's choice (easy-auth reference 2.3, "custom OIDC")."""

import re

from doorward.identity.claims import NAME
from doorward.protocol.algorithms import ALGORITHMS
from doorward.providers.spec import Endpoints, ProviderSpec
from doorward.providers.vouching import undenied_email

# The name becomes part of an address and of header names: a hyphen would make X-MS-TOKEN-<P>-<KIND> ambiguous, and a
# name that begins with a dot is a step in a path.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.]{0,63}")
RESERVED = frozenset({"complete", "done", "iframereceiver", "doorward"})
"""Names that mean something else: the landing pages below `/.auth/login`, and platform tokens."""


def make_custom(name: str, name_claim_type: str = "") -> ProviderSpec:
    """Give the specification of the custom provider `name`; `name_claim_type` is the setting `nameClaimType`.

    Raises `ValueError` when the name cannot be one.
    """
    if _NAME.fullmatch(name) is None:
        raise ValueError("a provider's name is made of letters, digits, underscores and dots, 64 at most")
    if name.lower() in RESERVED:
        raise ValueError(f"the name {name} is taken")
    return ProviderSpec(
        name=name,
        label=name,
        tree_key=name,
        kind="oidc",
        endpoints=Endpoints(),  # everything is configured, or discovered
        default_scopes=("openid", "profile", "email"),
        nonce_in_state=False,
        parameter_order=("response_type", "client_id", "redirect_uri", "nonce", "state", "scope"),
        forwarded_parameters=("login_hint", "prompt", "domain_hint", "scope", "resource", "response_type"),
        name_claim_type=name_claim_type or NAME,
        tokens=("id_token", "access_token", "expires_on", "refresh_token"),
        takes_bearer=True,
        algorithms=ALGORITHMS,
        tells_of_sign_outs=True,
        posted_beside=("access_token", "refresh_token", "expires_in"),
        vouched_emails=undenied_email,
        sample={
            "iss": "https://id.example.com",
            "sub": "248289761001",
            "aud": "s6BhdRkqt3",
            "nonce": "3ca45c180c4145a2b9fc4353ca0cb959_20270115080500",
            "exp": 1800003600,
            "iat": 1800000000,
            "name": "Jane Doe",
            "given_name": "Jane",
            "family_name": "Doe",
            "email": "jane@contoso.com",
            "email_verified": True,
            "groups": ["engineering", "on-call"],
        },
    )
